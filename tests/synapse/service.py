"""A whole Withhold before Synapse: its folder, its processes, its command line and what it logs.

The folder is what an operator would have: this repository's catalogue and policy, keys and signers
made by `withhold keys`, SQLite, a Redis. Nothing of Withhold is imported: it is run.
"""

import base64
import hashlib
import json
import os
import queue
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]

CONFIG = Path(__file__).parents[2] / "config"
BATCH = Path(__file__).with_name("batch.py")
VERBOSE = Path(__file__).with_name("verbose.py")
DEPLOYMENT = "synapse-test"
START_S = 60.0
STOP_S = 30.0
COMMAND_S = 60.0
CLOSED_S = 10.0  # for the last closings to be written
PAGE = 5  # events a page, so that one room takes several
STORE_TIMEOUT_S = 4.0

SIGNERS = {"intake-1": "intake", "approver-1": "approve", "approver-2": "approve"}
CALLERS = {
    "disclosure-service": ("disclose", "synapse"),
    "other-service": ("disclose", "synapse"),
    "sample-service": ("disclose", "sample"),  # does not reach Synapse
    "operator": ("operate", ""),
    "auditor": ("audit", ""),
}


class CommandError(Exception):
    """A command of `withhold` failed; holds what it wrote on standard error."""


def make_folder(folder: Path, *, store: str, redis_url: str) -> None:
    """Make a deployment in `folder`, which is new. `store`: the base URL of Synapse."""
    for name in ("catalogue", "policy"):
        shutil.copytree(CONFIG / name, folder / name)
    catalogue = folder / "catalogue" / "synapse.toml"
    shipped = catalogue.read_text()
    paged = shipped.replace(
        'limit = { param = "limit", value = 500 }', f'limit = {{ param = "limit", value = {PAGE} }}'
    )
    assert paged != shipped
    catalogue.write_text(paged)
    file = folder / "withhold.toml"
    head = f"""\
deployment = "{DEPLOYMENT}"
[data_plane]
listen = "127.0.0.1:0"
[control_plane]
listen = "127.0.0.1:0"
[cache]
redis_url = "{redis_url}"
[database]
url = "sqlite:///var/withhold.db"
[keys]
path = "var/keys"
[limits]
store_timeout_s = {STORE_TIMEOUT_S}
[[store]]
name = "synapse"
base_url = "{store}"
headers = {{ Authorization = "env:SYNAPSE_AUTHORIZATION" }}
[[store]]
name = "sample"
base_url = "{store}"
"""
    file.write_text(head)
    (folder / "var").mkdir()
    withhold("keys", "init", "-c", str(file))
    blocks = [head]
    for name, role in SIGNERS.items():
        key = folder / f"{name}.key"
        words = ("keys", "signer", name, "--role", role, "--person", f"Person of {name}")
        blocks.append(withhold(*words, "--out", str(key)))
    for name, (role, reached) in CALLERS.items():
        token = folder / f"{name}.token"
        made = json.loads(withhold("keys", "caller", name, "--out", str(token), "--json"))
        stores = f'stores = ["{reached}"]\n' if reached else ""
        blocks.append(
            f'[[caller]]\nname = "{name}"\ntoken_sha256 = "{made["token_sha256"]}"\n'
            f'roles = ["{role}"]\n{stores}'
        )
    file.write_text("\n".join(blocks))


def withhold(*words: str, given: bytes = b"") -> str:
    """Run one command as a process of its own; give what it printed. Raises: CommandError."""
    return _run(["-m", "withhold", *words], given=given)


class Service:
    """`withhold serve` over a folder: ready on entering, ended on leaving."""

    def __init__(
        self, folder: Path, authorization: str, *, workers: int = 1, verbose: bool = False
    ) -> None:
        """`authorization`: what Synapse's administrator sends."""
        self.folder = folder
        self._authorization = authorization
        self._workers = workers
        self._program = [str(VERBOSE)] if verbose else ["-m", "withhold"]
        self._debug = {"PYTHONASYNCIODEBUG": "1"} if verbose else {}
        self._pieces: list[bytes] = []
        self._fresh: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self.data = self.control = ("", 0)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [
                *(sys.executable, *self._program, "serve", "--workers", str(self._workers)),
                *("-c", str(self.folder / "withhold.toml")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={
                **_environment(),
                **self._debug,
                "SYNAPSE_AUTHORIZATION": self._authorization,
            },
        )
        self._reader = threading.Thread(target=self._read, name="withhold-log", daemon=True)
        self._reader.start()
        try:
            places = {}
            for _ in range(2):
                line = self._await("listening")
                host, _, port = line["address"].rpartition(":")
                places[line["plane"]] = (host, int(port))
            self.data, self.control = places["data"], places["control"]
            for _ in range(1 if self._workers == 1 else self._workers + 1):
                self._await("ready")
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and wait until all that it logged is here; nothing if it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(STOP_S)

    @property
    def log(self) -> bytes:
        """All that it wrote on standard output and standard error so far."""
        return b"".join(self._pieces)

    def token(self, caller: str) -> str:
        """Give a caller's token."""
        return (self.folder / f"{caller}.token").read_text().strip()

    def command(self, *words: str, caller: str = "operator") -> str:
        """Run a command against the control plane. Raises: CommandError."""
        return self._run(["-m", "withhold", *words], caller=caller)

    def _run(self, program: Sequence[str], *, caller: str = "operator", given: bytes = b"") -> str:
        host, port = self.control
        environment = {
            "WITHHOLD_URL": f"http://{host}:{port}",
            "WITHHOLD_TOKEN": self.token(caller),
        }
        return _run(program, environment=environment, given=given)

    def register(self, *orders: tuple[Json, Sequence[str]]) -> None:
        """Write warrants, have each signed by intake, registered and approved.

        `orders`: what each says, and who approves. Raises: CommandError.
        """
        commands = [
            command
            for claims, approvers in orders
            for command in self._registration(claims, approvers)
        ]
        self._run([str(BATCH)], given=json.dumps(commands).encode())

    def _registration(self, claims: Json, approvers: Sequence[str]) -> Iterator[list[str]]:
        file = self.folder / f"{claims['id']}.json"
        file.write_text(json.dumps(claims))
        signed, said = str(file.with_suffix(".jws")), str(file.with_suffix(".out"))
        intake = ("--key", str(self.folder / "intake-1.key"), "--signer", "intake-1")
        signing = ("--deployment", DEPLOYMENT, "--role", "intake", *intake)
        yield [signed, "warrant", "sign", *signing, str(file)]
        yield [said, "warrant", "register", signed]
        for signer in approvers:
            key = str(self.folder / f"{signer}.key")
            approving = ("--key", key, "--signer", signer, "--yes")
            yield [said, "warrant", "approve", claims["id"], *approving]

    def approve(self, warrant: str, signer: str, verb: str = "approve") -> None:
        """Approve a warrant, or resume it, by an approver's signature."""
        key = str(self.folder / f"{signer}.key")
        self.command("warrant", verb, warrant, "--key", key, "--signer", signer, "--yes")

    def entries(self) -> list[Json]:
        """Give what the ledger holds of disclosures, read past Withhold from its database.

        What is public and what is sealed together, in the order of the log, once nothing that was
        released lacks the entry that says what became of it.
        """
        deadline = time.monotonic() + CLOSED_S
        while True:
            found = self._entries()
            released = {each["receipt"] for each in found if each["type"] in {"opening", "release"}}
            closed = {each["receipt"] for each in found if each["type"] == "closing"}
            if released == closed:
                return found
            assert time.monotonic() < deadline, f"not closed: {released - closed}"
            time.sleep(0.01)

    def entries_of(self, receipt: str) -> list[Json]:
        """Give the entries of one disclosure, by the id that its answer had."""
        return [each for each in self.entries() if each["receipt"] == handle_of(receipt)]

    def failure(self) -> Json:
        """Give the newest entry of an answer that could not be used."""
        return [each for each in self.entries() if each["type"] == "failure"][-1]

    def _entries(self) -> list[Json]:
        file = self.folder / "var" / "withhold.db"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as rows:
            found = rows.execute(
                "SELECT public, sealed FROM entries WHERE receipt IS NOT NULL ORDER BY leaf_index"
            ).fetchall()
        return [{**json.loads(sealed), **json.loads(public)} for public, sealed in found]

    def database_files(self) -> dict[str, bytes]:
        """Give the bytes of everything that the service keeps on disk, by name."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted((self.folder / "var").rglob("*"))
            if path.is_file()
        }

    def _await(self, event: str) -> Json:
        while (line := self._fresh.get(timeout=START_S)) is not None:
            if line.get("event") == event:
                return line
        raise AssertionError(f"ended before `{event}`:\n{self.log.decode(errors='replace')}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as log:
            for piece in log:
                self._pieces.append(piece)
                try:
                    line = json.loads(piece)
                except ValueError:
                    line = {}
                self._fresh.put(line if isinstance(line, dict) else {})
        self._fresh.put(None)


def by_reason(entry: Json) -> dict[str, int]:
    """Sum what an entry says was withheld over all places."""
    return {reason: sum(places.values()) for reason, places in entry["withheld"].items()}


def handle_of(receipt: str) -> str:
    """Give what the ledger calls a receipt, by its documentation and not by its code."""
    digest = hashlib.sha256(b"withhold handle v1\0" + receipt.encode()).digest()[:16]
    return "H-" + base64.b32encode(digest).decode().rstrip("=").lower()


def commitment_to(receipt: str, digest: str) -> str:
    """Give the commitment to a body of this digest, which the receipt's id opens; likewise."""
    data = b"withhold body v1\0" + receipt.encode() + b"\0" + digest.encode()
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def _environment() -> dict[str, str]:
    """Give this environment, without what it may say of a Withhold or a Synapse of its own."""
    ours = ("WITHHOLD_", "SYNAPSE_")
    return {name: each for name, each in os.environ.items() if not name.startswith(ours)}


def _run(
    program: Sequence[str], *, environment: Mapping[str, str] | None = None, given: bytes = b""
) -> str:
    done = subprocess.run(
        [sys.executable, *program],
        check=False,
        input=given,
        capture_output=True,
        timeout=COMMAND_S,
        env={**_environment(), **(environment or {})},
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        raise CommandError(f"{done.returncode}: {said}")
    return done.stdout.decode()
