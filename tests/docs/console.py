"""Pages as sessions: what the blocks of a page say is done in order, in one shell and a new folder.

A ```console block holds commands (`$ `, continued by `> `) and what a terminal shows of them: `…`
stands for any characters of a line and, alone on a line, for any lines. A block with a file's name
after its language (```toml own/x.toml) is written to that file. `<!-- demo -->` starts
`withhold demo`, as the page asks its reader to do. Pages are written for the ports that Withhold
has by default; free ones are put in their place on the way in, and taken out on the way back.

The runner of tests/transcripts/cli has exact output and no shell; here are pipes, services and
wildcards, because a page is written for people.
"""

import contextlib
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

from tests.servers import free_port

NEEDS: Final = ("bash", "curl")
PORTS: Final = ("8470", "8471", "8480", "9000")  # data plane, control plane, stores
BIN: Final = Path(sys.executable).parent
ANSWER_S: Final = 60.0

_BLOCK: Final = re.compile(
    r"^```(?P<language>\w+)(?: (?P<file>[\w./-]+))?\n(?P<text>.*?)^```$|^<!-- (?P<what>demo) -->$",
    re.MULTILINE | re.DOTALL,
)
# Commands come on a descriptor of their own, so that none of them can read the ones after it; each
# sees the `$?` of the one before. At the end, what was left running is ended and waited for.
_LOOP: Final = """exec 2>&1; code=0
while IFS= read -r -d '' -u {descriptor} command; do
  (exit $code); eval "$command"; code=$?; printf '\\036%s\\036' "$code"
done
kill $(jobs -p) 2>/dev/null; wait"""
_TOLD: Final = re.compile(rb"\x1e(\d+)\x1e")


@dataclass(frozen=True)
class Demo:
    """`withhold demo` is left running."""


@dataclass(frozen=True)
class Write:
    """A file is written."""

    file: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command is run, and prints `shown`."""

    line: int  # of the page
    text: str
    shown: str


Step: TypeAlias = Demo | Write | Command


def steps_of(page: str) -> Iterator[Step]:
    """Give what a page says to do."""
    for block in _BLOCK.finditer(page):
        if block["what"] == "demo":
            yield Demo()
        elif block["file"]:
            yield Write(block["file"], block["text"])
        elif block["language"] == "console":
            yield from _commands(block["text"], page[: block.start("text")].count("\n") + 1)


def _commands(text: str, first: int) -> Iterator[Command]:
    line, typed, shown = 0, "", ""
    for number, each in enumerate(text.splitlines(), first):
        if each.startswith("$ "):
            if typed:
                yield Command(line, typed, shown)
            line, typed, shown = number, each[2:], ""
        elif (each == ">" or each.startswith("> ")) and not shown:
            typed += f"\n{each[2:]}"
        else:
            shown += f"{each}\n"
    if typed:
        yield Command(line, typed, shown)


def fits(shown: str, printed: str) -> bool:
    """Tell whether a page's lines are what was printed."""
    lines = shown.rstrip().splitlines()
    patterns = [
        r"(?:.*\n)*?"
        if line.strip() == "…"
        else f"{r'.*?'.join(map(re.escape, line.split('…')))}\n"
        for line in lines
    ]
    text = "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())
    return re.fullmatch("".join(patterns), text) is not None


@dataclass
class Session:
    """One shell in a folder that stands for the clone, and all that was started from it."""

    folder: Path
    _ports: dict[str, str] = field(default_factory=lambda: dict(zip(PORTS, _free(), strict=True)))

    def __enter__(self) -> Self:
        # A page may go to a folder beside it, and that one must be within the test's own.
        self._clone = self.folder / "clone"
        self._clone.mkdir()
        self._environment = {
            **{n: v for n, v in os.environ.items() if n.startswith(("COVERAGE_", "LD_"))},
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "COLUMNS": "100",
            "PYTHONUNBUFFERED": "1",  # else a pipe has the errors before what was printed earlier
            "http_proxy": "http://127.0.0.1:9",  # a command that asks the network fails at once
            "https_proxy": "http://127.0.0.1:9",
            "no_proxy": "127.0.0.1,localhost",
            "WITHHOLD_URL": f"http://127.0.0.1:{self._ports['8471']}",
        }
        self._demo: subprocess.Popen[str] | None = None
        self._bash: subprocess.Popen[bytes] | None = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._demo is not None:
            self._demo.terminate()
            self._demo.communicate(timeout=ANSWER_S)
        if self._bash is not None:
            os.close(self._commands)
            try:
                self._bash.communicate(timeout=ANSWER_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._bash.pid, signal.SIGKILL)
                self._bash.communicate()

    def write(self, step: Write) -> None:
        """Write a file of the page."""
        path = self._clone / step.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_put(self._ports, step.text), encoding="utf-8")

    def run(self, command: Command) -> tuple[str, int]:
        """Run a command; gives what it printed, and its exit code."""
        bash = self._bash or self._start()
        os.write(self._commands, f"{_put(self._ports, command.text)}\0".encode())
        printed, code = self._read(bash)
        self._move_deployments()
        if command.text.rstrip().endswith("&"):
            self._wait_for_service(command.text)
        documented = {free: port for port, free in self._ports.items()}
        return _put(documented, printed), code

    def demo(self) -> None:
        """Start the demo, and let the shell know what it says of itself."""
        self._demo = subprocess.Popen(
            [str(BIN / "withhold"), "demo"],
            env=self._environment,
            cwd=self._clone,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        assert self._demo.stdout is not None
        told: dict[str, str] = {}
        for line in self._demo.stdout:
            words = line.split()
            if "Ctrl-C" in line:
                break
            if len(words) > 1 and words[0] in {"store", "proxy", "control", "folder"}:
                told.setdefault(words[0], words[1])
        self._environment |= {
            "PROXY": told["proxy"],
            "WITHHOLD_URL": told["control"],
            "FOLDER": told["folder"],
        }

    def _start(self) -> subprocess.Popen[bytes]:
        reading, self._commands = os.pipe()
        try:
            self._bash = subprocess.Popen(
                [
                    shutil.which("bash") or "bash",
                    "--noprofile",
                    "--norc",
                    "-c",
                    _LOOP.format(descriptor=reading),
                ],
                cwd=self._clone,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(reading,),
                start_new_session=True,
            )
        finally:
            os.close(reading)
        return self._bash

    def _read(self, bash: subprocess.Popen[bytes]) -> tuple[str, int]:
        assert bash.stdout is not None
        printed = b""
        deadline = time.monotonic() + ANSWER_S
        with selectors.DefaultSelector() as ready:
            ready.register(bash.stdout, selectors.EVENT_READ)
            while (told := _TOLD.search(printed)) is None:
                assert ready.select(deadline - time.monotonic()), f"no end: {printed.decode()}"
                some = os.read(bash.stdout.fileno(), 2**16)
                assert some, f"the shell ended: {printed.decode()}"
                printed += some
        return printed[: told.start()].decode(), int(told.group(1))

    def _move_deployments(self) -> None:
        """Put free ports into the deployment files that `withhold init` has made."""
        for path in self.folder.glob("**/withhold.toml"):
            text = path.read_text(encoding="utf-8")
            if (moved := _put(self._ports, text)) != text:
                path.write_text(moved, encoding="utf-8")

    def _wait_for_service(self, text: str) -> None:
        ports = PORTS[:2] if "withhold serve" in text else [port for port in PORTS if port in text]
        for port in ports:
            _wait_for_port(int(self._ports[port]))


def _free() -> list[str]:
    ports: set[int] = set()
    while len(ports) < len(PORTS):
        ports.add(free_port())
    return [str(port) for port in ports]


def _put(ports: Mapping[str, str], text: str) -> str:
    names = "|".join(ports)
    return re.sub(rf"\b(?:{names})\b", lambda found: ports[found.group()], text)


def _wait_for_port(port: int) -> None:
    """Wait until something listens. Nobody who does not know what it is could be told."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S).close()
            return
        assert time.monotonic() < deadline, f"nothing listens on port {port}"
        time.sleep(0.01)
