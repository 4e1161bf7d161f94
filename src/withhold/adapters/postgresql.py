"""PostgreSQL, as the writer and the readers are connected to it: durable, bounded, on the primary.

libpq reads the URL, so TLS, several hosts and a `.pgpass` are its own. What a session needs goes
with the first packet, where it outranks what the server has set for role or database; what the
server must be is asked of each new connection. Every wait ends: by the server's limits while it
answers, by ours when it does not. Only here is `psycopg` imported, which is an extra of the wheel.
"""

import math
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import ConnectionTimeout, Diagnostic, PipelineAborted
from sqlalchemy import Connection, Engine, create_engine, text

from withhold.errors import DatabaseUnavailable

Result = TypeVar("Result")

SCHEMA: Final = "withhold"
_SEARCH_PATH: Final = f"{SCHEMA}, pg_temp"  # last, where it would else come first
_SCHEME: Final = "postgresql://"
_SPACE: Final = "\\ "  # in an option
_INTERVAL_S: Final = 0.1  # psycopg's own, to look for signals
# Any number that only this uses; the tables have another.
_LOCK: Final = "SELECT pg_advisory_xact_lock(7823960)"
_CHECK: Final = (
    "SELECT pg_is_in_recovery(), current_setting('fsync'), current_setting('server_encoding'),"
    " current_setting('synchronous_commit'), current_setting('search_path')"
)
# libpq's texts name hosts, users and files; these are what is told of them.
_CAUSES: Final = (
    ("timeout", "nothing answered in time"),
    ("refused", "nothing listens there"),
    ("no such file", "nothing listens there"),
    ("translate host name", "its host is unknown"),
    ("resolve host", "its host is unknown"),
    ("certificate", "the certificates do not hold"),
    ("ssl", "there is no TLS as the URL asks for it"),
    ("authentication", "it does not let this user in"),
    ("no password", "it does not let this user in"),
    ("pg_hba", "it does not let this user in"),
    ("too many", "it has no connection left"),
    ("connection slots", "it has no connection left"),
    ("starting up", "it is starting"),
    ("not yet accepting", "it is starting"),
    ("shutting down", "it is stopping"),
    ("hot standby", "it is a standby, which only reads"),
    ("read-only", "it is a standby, which only reads"),
    ("does not exist", "there is no such database or user"),
)


class _Session(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose every wait ends, and whose commit is one or an error."""

    answer_s: float = 0.0
    _has_warned: bool = False

    def wait(
        self, gen: PQGen[Result], interval: float = _INTERVAL_S, timeout: float | None = None
    ) -> Result:
        """Wait for the server, `answer_s` at most."""
        try:
            return super().wait(gen, interval, timeout or self.answer_s)
        except psycopg.OperationalError as error:
            if error.sqlstate is not None or isinstance(error, PipelineAborted):
                raise  # the server says so, and of those that follow, psycopg
            # What it may yet answer must not be taken for the answer to something else.
            fell_silent = not self.broken
            self.close()
            if fell_silent:
                raise ConnectionTimeout("the server does not answer") from None
            raise

    def commit(self) -> None:
        """Commit. Raises: OperationalError if the server adds that it may not be durable."""
        self._has_warned = False
        super().commit()
        if self._has_warned:
            # Whoever cancels the wait for a synchronous standby lets the commit return with a
            # warning. CRASH: it is durable here and, for all we know, nowhere else.
            self.close()
            raise psycopg.OperationalError("the commit came with a warning")

    def note(self, notice: Diagnostic) -> None:
        """Take note of what the server says beside its answer."""
        self._has_warned |= notice.severity_nonlocalized == "WARNING"


def make_engine(url: str, busy_timeout_s: float, connections: int, *, writes: bool) -> Engine:
    """Make an engine whose connections write and keep what they confirm, or only read.

    `url`: `postgresql://` and what libpq knows. Connecting raises DatabaseUnavailable.
    """
    try:
        asked = conninfo_to_dict(_SCHEME + url.partition("://")[2])
    except psycopg.ProgrammingError:  # its text quotes the URL, and that a password
        raise DatabaseUnavailable("the database's URL is not one") from None
    parameters = _parameters(asked, busy_timeout_s, writes=writes)
    return create_engine(
        f"postgresql+psycopg{_SCHEME.removeprefix('postgresql')}",
        creator=partial(_connect, parameters, 3 * busy_timeout_s),
        hide_parameters=True,  # law 6: no value in an error's text
        pool_size=connections,
        max_overflow=0,
        pool_timeout=busy_timeout_s,
        pool_pre_ping=True,  # a server that was restarted, or another in its place, costs nobody
        use_native_hstore=False,  # or each connection asks for it
    )


def make_schema(connection: Connection) -> None:
    """Make the schema that our names are in, if it is missing; several may do so at once."""
    connection.execute(text(_LOCK))
    # Not `IF NOT EXISTS`, for which a role needs the right to make one that is there already.
    if connection.execute(text(f"SELECT to_regnamespace('{SCHEMA}')")).scalar_one() is None:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))


def _parameters(asked: dict[str, Any], busy_timeout_s: float, *, writes: bool) -> dict[str, Any]:
    """Give libpq's parameters: what the URL asks for, unless it weakens what we promise."""
    busy_s = max(math.ceil(busy_timeout_s), 1)
    busy_ms = max(math.ceil(1000 * busy_timeout_s), 1)  # to PostgreSQL, 0 is no limit
    gone_ms = 2 * busy_ms
    # A peer that does not answer for twice the time that a lock is waited for is gone, to both.
    ours = {
        "connect_timeout": max(busy_s, 2),  # libpq knows no shorter one
        "keepalives_idle": busy_s,
        "keepalives_interval": 1,
        "keepalives_count": busy_s,
        "tcp_user_timeout": gone_ms,
        "fallback_application_name": "withhold",
    }
    if "," in f"{asked.get('host', '')}{asked.get('hostaddr', '')}":
        ours["target_session_attrs"] = "primary"
    settings = {
        "search_path": _SEARCH_PATH,
        "synchronous_commit": "on",  # the disk has it, and whatever standby has to
        "client_min_messages": "warning",
        "lock_timeout": busy_ms,
        "statement_timeout": gone_ms,
        # A node that stopped in mid-transaction is gone before anybody gives up waiting for it.
        "idle_in_transaction_session_timeout": max(busy_ms // 2, 1),
        "tcp_keepalives_idle": busy_s,
        "tcp_keepalives_interval": 1,
        "tcp_keepalives_count": busy_s,
        "tcp_user_timeout": gone_ms,
        "default_transaction_isolation": "read committed",
    }
    if not writes:
        # As with SQLite: all of one reading is as of one moment, and none of it writes.
        settings["default_transaction_isolation"] = "repeatable read"
        settings["default_transaction_read_only"] = "on"
    options = [f"-c {name}={str(value).replace(' ', _SPACE)}" for name, value in settings.items()]
    fixed = {
        "client_encoding": "UTF8",
        "options": " ".join([str(asked.get("options") or ""), *options]).strip(),
    }
    return {**ours, **asked, **fixed}


def _connect(parameters: dict[str, Any], answer_s: float) -> _Session:
    try:
        session = _Session.connect(**parameters, autocommit=True)
    except psycopg.Error as error:
        said = str(error).lower()
        why = next((words for part, words in _CAUSES if part in said), "look at its own log")
        raise DatabaseUnavailable(f"the database can't be connected to: {why}") from None
    try:
        session.answer_s = answer_s
        session.add_notice_handler(session.note)
        fault = _fault(*session.execute(_CHECK).fetchall()[0])
        session.autocommit = False
    except psycopg.Error as error:
        fault = f"did not say what it is: {type(error).__name__}"
    if fault is not None:
        session.close()
        raise DatabaseUnavailable(f"the database {fault}")
    return session


def _fault(standby: bool, fsync: str, encoding: str, commit: str, path: str) -> str | None:  # noqa: FBT001 - a row
    """Say why this is no database for us; None if it is one."""
    if standby:
        # It lags, so what is read from it would seem newer than it is.
        return "is a standby, which only reads"
    if fsync != "on":
        return "keeps nothing for sure: its `fsync` is off"
    if encoding != "UTF8":
        return f"has the encoding `{encoding}`, not `UTF8`"
    if (commit, path) != ("on", _SEARCH_PATH):
        return "did not take the session's settings: is there a pooler between"
    return None
