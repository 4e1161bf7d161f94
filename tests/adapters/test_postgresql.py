"""What only PostgreSQL has: sessions, time limits, servers that go away and come back."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import Connection, text

from tests.kept import keep, make_table, names, put
from tests.postgresql import PostgresqlServer
from withhold.adapters.database import Database
from withhold.adapters.postgresql import _parameters
from withhold.errors import DatabaseUnavailable

# As the server prints them.
SESSION = {
    "synchronous_commit": "on",
    "search_path": "withhold, pg_temp",
    "lock_timeout": "5s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "2500ms",
    "client_encoding": "UTF8",
    "application_name": "withhold",
}
WRITER = {"transaction_isolation": "read committed", "transaction_read_only": "off"}
READER = {"transaction_isolation": "repeatable read", "transaction_read_only": "on"}


@pytest.fixture(scope="module")
def server(_has_postgresql: None) -> Iterator[PostgresqlServer]:
    """One that these tests break and mend again."""
    with PostgresqlServer() as running:
        yield running


@pytest.fixture
def url(server: PostgresqlServer) -> Iterator[str]:
    with server.lent_database() as lent:
        yield lent


@contextmanager
def opened(url: str, busy_timeout_s: float = 5.0) -> Iterator[Database]:
    database = Database(url, busy_timeout_s=busy_timeout_s)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def synchronous(server: PostgresqlServer) -> Iterator[None]:
    """Have commits wait for a standby, whichever."""
    server.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    server.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        server.execute("ALTER SYSTEM RESET synchronous_standby_names")
        server.execute("SELECT pg_reload_conf()")


def setting(connection: Connection, name: str) -> str:
    found = connection.execute(text("SELECT current_setting(:name)"), {"name": name})
    return str(found.scalar_one())


def session(connection: Connection) -> dict[str, str]:
    return {name: setting(connection, name) for name in (*SESSION, *WRITER)}


def sleep(connection: Connection) -> None:
    connection.execute(text("SELECT pg_sleep(60)"))


async def test_a_session_is_set_whatever_server_and_url_say(
    url: str, server: PostgresqlServer
) -> None:
    server.execute("ALTER ROLE withhold SET synchronous_commit = off")
    server.execute("ALTER ROLE withhold SET search_path = public")
    server.execute("ALTER ROLE withhold SET statement_timeout = 0")
    server.execute("ALTER ROLE withhold SET default_transaction_isolation = serializable")
    try:
        with opened(f"{url}&options=-c%20synchronous_commit%3Doff&client_encoding=LATIN1") as found:
            assert await found.write(session) == SESSION | WRITER
            assert await found.read(session) == SESSION | READER
    finally:
        server.execute("ALTER ROLE withhold RESET ALL")


async def test_what_else_the_url_asks_for_is_granted(url: str) -> None:
    more = "application_name=node-1&options=-c%20work_mem%3D1234kB"
    with opened(f"{url.replace('postgresql', 'postgresql+psycopg')}&{more}") as database:
        assert await database.read(lambda c: setting(c, "application_name")) == "node-1"
        assert await database.write(lambda c: setting(c, "work_mem")) == "1234kB"


def test_what_the_url_does_not_ask_for_is_bounded() -> None:
    asked = {"host": "a", "keepalives_idle": "60", "client_encoding": "LATIN1"}
    one = _parameters(asked, 5.0, writes=True)
    assert (one["connect_timeout"], one["tcp_user_timeout"]) == (5, 10_000)
    assert (one["keepalives_idle"], one["client_encoding"]) == ("60", "UTF8")
    assert "target_session_attrs" not in one
    assert _parameters({"host": "a,b"}, 0.0, writes=True) | {"options": ""} == {
        "host": "a,b",
        "target_session_attrs": "primary",
        "connect_timeout": 2,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "keepalives_count": 1,
        "tcp_user_timeout": 2,
        "fallback_application_name": "withhold",
        "client_encoding": "UTF8",
        "options": "",
    }


async def test_the_names_are_in_a_schema_of_our_own(url: str) -> None:
    with opened(url), psycopg.connect(url) as raw:
        places = raw.execute(
            "SELECT DISTINCT table_schema FROM information_schema.tables"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert places == [("withhold",)]


async def test_a_schema_that_was_made_for_us_is_used(url: str, server: PostgresqlServer) -> None:
    server.execute("CREATE ROLE node LOGIN")  # who may make none
    with psycopg.connect(url) as raw:
        raw.execute("CREATE SCHEMA withhold AUTHORIZATION node")
    with opened(url.replace("//withhold@", "//node@")) as database:
        await make_table(database)
        await keep(database, "a")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fsync": "off"}, "keeps nothing for sure: its `fsync` is off"),
        ({"superuser_reserved_connections": "0", "max_connections": "1"}, "no connection left"),
    ],
    ids=["no-fsync", "no-connections"],
)
def test_a_server_that_is_not_fit_is_refused(settings: dict[str, str], message: str) -> None:
    more = {"max_wal_senders": "0", "autovacuum": "off"} | settings
    with (
        PostgresqlServer(settings=more) as unfit,
        psycopg.connect(unfit.url()),
        pytest.raises(DatabaseUnavailable, match=message),
    ):
        Database(unfit.url())


def test_a_database_of_another_encoding_is_refused(server: PostgresqlServer) -> None:
    server.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'")
    with pytest.raises(DatabaseUnavailable, match="the encoding `LATIN1`, not `UTF8`"):
        Database(server.url("latin"))
    server.execute("DROP DATABASE latin")


def test_settings_that_do_not_take_hold_are_noticed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As behind a pooler that drops what it does not know.
    monkeypatch.setattr("withhold.adapters.postgresql._parameters", lambda asked, *_, **__: asked)
    with pytest.raises(DatabaseUnavailable, match="is there a pooler between"):
        Database(url)


def test_a_server_that_does_not_say_what_it_is_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("withhold.adapters.postgresql._CHECK", "SELECT canary")
    with pytest.raises(DatabaseUnavailable) as caught:
        Database(url)
    assert str(caught.value) == "the database did not say what it is: UndefinedColumn"


def test_why_there_is_no_connection_is_told_in_words_of_ours(server: PostgresqlServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        tcp = f"postgresql://canary:canary@127.0.0.1:{port}/canary"

        def answer_in_the_clear() -> None:
            with listener.accept()[0] as peer:
                asked.append(peer.recv(1024))
                peer.sendall(b"N")  # no TLS here
                asked.append(peer.recv(1024))

        asked: list[bytes] = []
        thread = threading.Thread(target=answer_in_the_clear)
        thread.start()
        causes = [(f"{tcp}?sslmode=require&gssencmode=disable", "no TLS as the URL asks for it")]
        _check_causes(causes)
        thread.join()
    assert asked[1] == b""  # nor was anything said in the clear
    _check_causes(
        [
            (tcp, "nothing listens there"),
            ("postgresql:///canary?host=/canary", "nothing listens there"),
            (server.url("canary"), "there is no such database or user"),
        ]
    )


def _check_causes(causes: list[tuple[str, str]]) -> None:
    for url, words in causes:
        with pytest.raises(DatabaseUnavailable, match=words) as caught:
            Database(url)
        assert "canary" not in f"{caught.value!r}"
        assert caught.value.__suppress_context__


async def test_a_lock_that_another_holds_is_not_waited_for_for_ever(url: str) -> None:
    with opened(url, busy_timeout_s=0.1) as database:
        await make_table(database)
        with psycopg.connect(url) as raw:
            raw.execute("LOCK TABLE withhold.kept")
            with pytest.raises(DatabaseUnavailable, match=r"LockNotAvailable \(55P03\)"):
                await keep(database, "a")
            with pytest.raises(DatabaseUnavailable, match=r"LockNotAvailable \(55P03\)"):
                await names(database)
        await keep(database, "a")


async def test_a_statement_that_takes_too_long_is_ended(url: str) -> None:
    with opened(url, busy_timeout_s=0.5) as database:
        with pytest.raises(DatabaseUnavailable, match=r"QueryCanceled \(57014\)"):
            await database.write(sleep)
        assert await database.write(lambda _: 42) == 42


async def test_a_transaction_that_stopped_holds_up_nobody(url: str) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def stop(connection: Connection) -> None:
        put(connection, ["stopped"])
        entered.set()
        go_on.wait()
        put(connection, ["too late"])

    with opened(url, busy_timeout_s=0.5) as stopped, opened(url, busy_timeout_s=0.5) as other:
        await make_table(other)
        stopping = asyncio.ensure_future(stopped.write(stop))
        await asyncio.to_thread(entered.wait)
        await keep(other, "a")
        go_on.set()
        with pytest.raises(DatabaseUnavailable):
            await stopping
        await keep(stopped, "b")
        assert await names(other) == ["a", "b"]


async def test_a_server_that_no_longer_answers_is_left(url: str, server: PostgresqlServer) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def begin(connection: Connection) -> None:
        put(connection, ["undone"])
        entered.set()
        go_on.wait()
        put(connection, ["never asked"])

    with opened(url, busy_timeout_s=0.2) as database:
        await make_table(database)
        await keep(database, "a")
        under_way = asyncio.ensure_future(database.write(begin))
        await asyncio.to_thread(entered.wait)
        with server.paused():
            go_on.set()
            with pytest.raises(DatabaseUnavailable, match="ConnectionTimeout"):
                await under_way
            # What was connected is found dead, and what connects anew waits for two seconds.
            results = await asyncio.gather(
                keep(database, "b"), names(database), return_exceptions=True
            )
            assert ["nothing answered in time" in str(result) for result in results] == [True] * 2
        await keep(database, "c")
        assert await names(database) == ["a", "c"]


async def appended(database: Database, prefix: str) -> AsyncIterator[str | None]:
    """Append names one by one, for ever; gives each once it was confirmed, None if it was not."""
    number = 0
    while True:
        number += 1
        name = f"{prefix}{number}"
        try:
            await keep(database, name)
        except DatabaseUnavailable:
            yield None
        else:
            yield name


async def confirmed_until(
    database: Database, prefix: str, enough: threading.Event, atleast: int = 50
) -> list[str]:
    """Append until `enough`; gives what was confirmed, the last of it after that."""
    confirmed: list[str] = []
    async for name in appended(database, prefix):
        was_enough = enough.is_set() and len(confirmed) >= atleast
        confirmed += [name] if name else []
        if was_enough and name:
            break
    return confirmed


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_after_a_restart_all_that_was_confirmed_is_there_and_it_goes_on(
    url: str, server: PostgresqlServer, how: str
) -> None:
    def restart() -> None:
        (server.stop if how == "stopped" else server.kill)()
        server.start()
        back.set()

    back = threading.Event()
    with opened(url) as database:
        await make_table(database)
        before = await confirmed_until(database, "before", back_already())
        restarting = threading.Thread(target=restart)
        restarting.start()
        confirmed = before + await confirmed_until(database, "during", back)
        restarting.join()
        assert set(await names(database)) >= set(confirmed)


def back_already() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


async def test_a_restart_while_nothing_happens_is_not_noticed(
    url: str, server: PostgresqlServer
) -> None:
    with opened(url) as database:
        await make_table(database)
        assert await names(database) == []
        server.restart()
        assert await names(database) == []
        await keep(database, "a")


async def test_a_standby_is_no_database(url: str, server: PostgresqlServer) -> None:
    with opened(url) as database:
        await make_table(database)
        server.become_standby()
        for attempt in (keep(database, "a"), names(database), asyncio.to_thread(Database, url)):
            with pytest.raises(DatabaseUnavailable, match="is a standby, which only reads"):
                await attempt
        server.promote()
        await keep(database, "b")
        assert await names(database) == ["b"]


async def test_what_was_confirmed_outlives_its_primary(
    postgresql_server: PostgresqlServer,
) -> None:
    url = postgresql_server.new_database()
    with (
        PostgresqlServer(source=postgresql_server) as standby,
        opened(f"{url},{standby.folder}") as database,
    ):
        await make_table(database)
        postgresql_server.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        postgresql_server.execute("SELECT pg_reload_conf()")
        await keep(database, "a")
        confirmed = await confirmed_until(database, "before", back_already())
        postgresql_server.kill()
        standby.promote()
        confirmed += await confirmed_until(database, "after", back_already(), atleast=1)
        assert set(await names(database)) >= set(confirmed)
        postgresql_server.become_standby()  # the first that is named, and not the one to ask
        with opened(f"{url},{standby.folder}") as again:
            await keep(again, "last")
        assert (await names(database))[-1] == "last"


async def test_a_commit_that_no_standby_has_is_none(url: str, server: PostgresqlServer) -> None:
    with opened(url) as database:
        await make_table(database)
        with synchronous(server):
            waiting = asyncio.ensure_future(keep(database, "a"))
            cancelled: list[tuple[bool]] = []
            while not cancelled:  # until the server says that it waits
                cancelled = await asyncio.to_thread(
                    server.execute,
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                    " WHERE wait_event = 'SyncRep'",
                )
            with pytest.raises(DatabaseUnavailable, match="OperationalError"):
                await waiting
        assert await names(database) == ["a"]  # durable, on one disk, and not believed
        await keep(database, "b")
