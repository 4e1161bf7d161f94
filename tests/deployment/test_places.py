from collections.abc import Callable
from pathlib import Path

import pytest

from withhold.deployment.model import Listen, Secret
from withhold.deployment.places import (
    read_base_url,
    read_database_url,
    read_listen,
    read_redis_url,
    read_secret,
)
from withhold.toml.faults import Faults
from withhold.toml.lines import Lines
from withhold.toml.table import Source, Table, Text

FOLDER = Path("/etc/withhold")


def text_of(value: str) -> tuple[Text, Faults]:
    faults = Faults()
    table = Table(Source("f.toml", Lines({("x",): 7}), faults), (), {"x": value})
    return Text(value, table, ("x",)), faults


@pytest.mark.parametrize(
    ("value", "listen"),
    [
        ("127.0.0.1:8470", Listen("127.0.0.1", 8470)),
        ("[::1]:8470", Listen("::1", 8470)),
        ("localhost:0", Listen("localhost", 0)),
        ("0.0.0.0:65535", Listen("0.0.0.0", 65535)),  # noqa: S104 - only read
    ],
)
def test_an_address_is_a_host_and_a_port(value: str, listen: Listen) -> None:
    text, faults = text_of(value)
    assert read_listen(text) == listen
    assert not faults


@pytest.mark.parametrize(
    "value", ["8470", ":8470", "::1:8470", "host:", "host:65536", "host:-1", "http://host:1", "h:٣"]
)
def test_anything_else_is_no_address(value: str) -> None:
    text, faults = text_of(value)
    assert read_listen(text) is None
    (fault,) = faults.error().faults
    assert (fault.line, fault.message) == (7, f"`{value}` is no address to listen on")


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("env:NAME_1", Secret("env", "NAME_1")),
        ("file:secrets/x", Secret("file", "/etc/withhold/secrets/x")),
        ("file:/run/x", Secret("file", "/run/x")),
    ],
)
def test_a_secret_is_a_reference(value: str, secret: Secret) -> None:
    text, faults = text_of(value)
    assert read_secret(text, FOLDER) == secret
    assert not faults


@pytest.mark.parametrize(
    "value", ["hush", "env:", "env:A B", "env:1A", "file:", "vault:x", "Env:A"]
)
def test_a_secret_that_stands_there_is_a_fault_that_does_not_show_it(value: str) -> None:
    text, faults = text_of(value)
    assert read_secret(text, FOLDER) is None
    assert [f"{each.message}; {each.hint}" for each in faults.error().faults] == [
        "a secret does not stand in this file; refer to it by `env:NAME` or `file:PATH`"
    ]


@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:8008", "https://store.internal/api/", "http://[::1]:8008"]
)
def test_a_stores_url_is_http(value: str) -> None:
    text, faults = text_of(value)
    assert read_base_url(text) == value
    assert not faults


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("store.internal", "the store's URL is not one"),
        ("ftp://store", "the store's URL is not one"),
        ("http://", "the store's URL is not one"),
        ("http://store:port", "the store's URL is not one"),
        ("http://store:0", "the store's URL is not one"),
        ("http://[::1", "this is not a URL"),
        ("http://user@store", "a store's URL holds no user and no password"),
        ("http://:hush@store", "a store's URL holds no user and no password"),
        ("http://store/?a=1", "a store's URL has no `?` and no `#`"),
        ("http://store?", "a store's URL has no `?` and no `#`"),
        ("http://store/#a", "a store's URL has no `?` and no `#`"),
    ],
)
def test_what_is_wrong_with_a_stores_url_is_said(value: str, fault: str) -> None:
    text, faults = text_of(value)
    assert read_base_url(text) is None
    assert [each.message for each in faults.error().faults] == [fault]


@pytest.mark.parametrize(
    "value",
    [
        "redis://127.0.0.1:6379/0",
        "rediss://redis.internal",
        "unix:///run/redis.sock?db=1",
        "redis+sentinel://a:26379,b:26379/main/0",
        "rediss+cluster://a:6379,b:6379",
    ],
)
def test_the_caches_url_is_of_redis(value: str) -> None:
    text, faults = text_of(value)
    assert read_redis_url(text, FOLDER) == value
    assert not faults


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("sqlite:///var/w.db", "sqlite:////etc/withhold/var/w.db"),
        ("sqlite:////var/w.db", "sqlite:////var/w.db"),
        ("sqlite:///w.db?timeout=1", "sqlite:////etc/withhold/w.db?timeout=1"),
        ("postgresql://db.internal/withhold", "postgresql://db.internal/withhold"),
        ("postgresql+psycopg://db:5432/w", "postgresql+psycopg://db:5432/w"),
        ("postgresql://u@a:5432,b:5433/w", "postgresql://u@a:5432,b:5433/w"),
        ("postgresql://u@/w?host=/run/postgresql", "postgresql://u@/w?host=/run/postgresql"),
    ],
)
def test_the_databases_url_is_of_a_file_or_of_postgresql(value: str, url: str) -> None:
    text, faults = text_of(value)
    assert read_database_url(text, FOLDER) == url
    assert not faults


@pytest.mark.parametrize("read", [read_redis_url, read_database_url])
def test_a_whole_url_may_be_a_secret(read: Callable[[Text, Path], Secret | str | None]) -> None:
    assert read(text_of("env:URL")[0], FOLDER) == Secret("env", "URL")
    assert read(text_of("file:url")[0], FOLDER) == Secret("file", "/etc/withhold/url")


@pytest.mark.parametrize(
    ("read", "value", "fault"),
    [
        (read_redis_url, "127.0.0.1:6379", "the cache's URL is not one of Redis"),
        (read_redis_url, "redis://[::1", "this is not a URL"),
        (read_redis_url, "redis://:hush@h", "the URL holds a password"),
        (read_redis_url, "redis+sentinel://u:hush@a:1,b:2/s", "the URL holds a password"),
        (read_database_url, "var/withhold.db", "the database's URL is not one"),
        (read_database_url, "sqlite://var/w.db", "the database's URL is not one"),
        (read_database_url, "sqlite:///", "a database in memory keeps nothing"),
        (read_database_url, "sqlite:///:memory:", "a database in memory keeps nothing"),
        (read_database_url, "postgresql:///w", "the database's URL is not one"),
        (read_database_url, "postgresql+psycopg2://h/w", "the database's URL is not one"),
        (read_database_url, "postgresql://u:hush@h/w", "the URL holds a password"),
        (read_database_url, "postgresql://u@h/w?password=hush", "the URL holds a password"),
        (read_database_url, "mysql://h/w", "the database's URL is not one"),
        (read_database_url, "postgresql://[h/w", "this is not a URL"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_it(
    read: Callable[[Text, Path], Secret | str | None], value: str, fault: str
) -> None:
    text, faults = text_of(value)
    assert read(text, FOLDER) is None
    (found,) = faults.error().faults
    assert found.message == fault
    assert "hush" not in f"{found}{found.hint}"
