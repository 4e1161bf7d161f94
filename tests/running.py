"""A Withhold that runs: `withhold serve` as a process of its own, on free ports."""

import contextlib
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

from tests.servers import free_port
from withhold.cli import main
from withhold.starter import Choices, Starter, make_starter

START_S = 60.0
STOP_S = 30.0


def starter(folder: Path, stores: Mapping[str, str] | None = None) -> Starter:
    """A working folder whose planes listen on free ports."""
    return make_starter(
        folder,
        Choices(
            deployment="example-test",
            data_plane=f"127.0.0.1:{free_port()}",
            control_plane=f"127.0.0.1:{free_port()}",
            stores=stores or {"sample": f"http://127.0.0.1:{free_port()}"},
        ),
    )


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


class Running:
    """One `withhold serve`, ready on entering and ended on leaving. `lines` is what it logged."""

    def __init__(self, made: Starter, *, workers: int = 1) -> None:
        self.starter = made
        self.workers = workers
        self.lines: list[dict[str, Any]] = []
        self._fresh: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.urls: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "withhold", "serve"),
                *("-c", str(self.starter.file), "--workers", str(self.workers)),
            ],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        for _ in range(2):
            line = self.wait_for("listening")
            self.urls[line["plane"]] = f"http://{line['address']}"
        for _ in range(1 if self.workers == 1 else self.workers + 1):
            self.wait_for("ready")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGKILL if error is not None else signal.SIGTERM)

    def wait_for(self, event: str) -> dict[str, Any]:
        """Give the next line about an event; what was logged before it is passed over."""
        while True:
            line = self._fresh.get(timeout=START_S)
            if line is None:
                raise AssertionError(f"ended before `{event}`: {self.lines}")
            if line["event"] == event:
                return line

    def wait_for_silence(self) -> None:
        """Wait until nobody is left who could log: it and all that it started have ended."""
        self._reader.join(STOP_S)
        assert not self._reader.is_alive()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, and give its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(STOP_S)
        self._reader.join(STOP_S)
        return code

    def command(
        self, *words: str, caller: str | None = "operator", typed: str | None = None
    ) -> Done:
        """Run a command of the command line against it. `typed`: by a person at a terminal."""
        return run(
            *words,
            cwd=self.starter.folder,
            typed=typed,
            url=self.urls["control"],
            token=None if caller is None else self.starter.tokens[caller],
        )

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as log:
            for text in log:
                try:
                    line = json.loads(text)
                except ValueError:
                    line = {"event": "raw", "text": text}
                self.lines.append(line)
                self._fresh.put(line)
        self._fresh.put(None)


class _Terminal(io.StringIO):
    """A standard input where a person types."""

    def isatty(self) -> bool:
        return True


def run(
    *words: str,
    cwd: Path,
    given: bytes = b"",
    typed: str | None = None,
    url: str = "",
    data_url: str = "",
    token: Path | None = None,
) -> Done:
    """Run one command in this process, with nothing of this environment's own settings."""
    stdin = io.TextIOWrapper(io.BytesIO(given)) if typed is None else _Terminal(typed)
    environment = {n: v for n, v in os.environ.items() if not n.startswith("WITHHOLD_")}
    if url:
        environment["WITHHOLD_URL"] = url
    if data_url:
        environment["WITHHOLD_DATA_URL"] = data_url
    if token is not None:
        environment["WITHHOLD_TOKEN"] = token.read_text().strip()
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "stdin", stdin),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = main(words)
        except SystemExit as leaving:  # argparse's way out
            code = int(leaving.code or 0)
    return Done(code, _written(out), _written(err))


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
