"""Places: addresses, URLs and references to secrets, as a deployment file writes them. Pure."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from withhold.deployment.model import Listen, Secret
from withhold.toml.table import Text

_LISTEN: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})", re.ASCII)
_LARGEST_PORT: Final = 65_535
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SECRET: Final = "`env:NAME` or `file:PATH`"  # noqa: S105 - how one is referred to
_SQLITE: Final = "sqlite:///"
_REDIS: Final = re.compile(r"rediss?(\+sentinel|\+cluster)?|unix")
_POSTGRESQL: Final = re.compile(r"postgresql(\+psycopg)?")


def read_listen(text: Text) -> Listen | None:
    """Read an address to listen on, such as `127.0.0.1:8470` or `[::1]:8470`."""
    found = _LISTEN.fullmatch(text.value)
    if found is None or int(found.group(2)) > _LARGEST_PORT:
        text.fault(f"`{text.value}` is no address to listen on", "such as `127.0.0.1:8470`")
        return None
    return Listen(found.group(1).strip("[]"), int(found.group(2)))


def read_secret(text: Text, folder: Path) -> Secret | None:
    """Read a reference to a secret. What stands in its place is never shown."""
    scheme, _, place = text.value.partition(":")
    if scheme == "file" and place:
        return Secret(scheme, str(folder / place))
    if scheme == "env" and _VARIABLE.fullmatch(place):
        return Secret(scheme, place)
    text.fault("a secret does not stand in this file", f"refer to it by {_SECRET}")
    return None


def read_base_url(text: Text, whose: str = "store") -> str | None:
    """Read the URL of a store or a witness, with or without a path before what is asked for."""
    is_store = whose == "store"
    url = _split(text)
    if url is None:
        return None
    if url.scheme not in {"http", "https"} or not _has_host(url):
        text.fault(f"the {whose}'s URL is not one", "such as `http://127.0.0.1:8008`")
    elif url.username is not None or url.password is not None:
        hint = f'`headers = {{ Authorization = "…" }}`, and the secret by {_SECRET}'
        text.fault(f"a {whose}'s URL holds no user and no password", hint if is_store else "")
    elif "?" in text.value or "#" in text.value:
        hint = "resources have a `query`" if is_store else ""
        text.fault(f"a {whose}'s URL has no `?` and no `#`", hint)
    else:
        return text.value
    return None


def read_redis_url(text: Text, folder: Path) -> Secret | str | None:
    """Read the cache's URL, or a reference to it."""
    if _is_reference(text):
        return read_secret(text, folder)
    url = _split(text)
    if url is None or _holds_password(url, text):
        return None
    if not _REDIS.fullmatch(url.scheme):
        hint = "`redis://host:port/db`, or rediss, redis+sentinel, redis+cluster, unix"
        text.fault("the cache's URL is not one of Redis", hint)
        return None
    return text.value


def read_database_url(text: Text, folder: Path) -> Secret | str | None:
    """Read the database's URL, or a reference to it; an SQLite path in it becomes absolute."""
    if _is_reference(text):
        return read_secret(text, folder)
    url = _split(text)
    if url is None or _holds_password(url, text):
        return None
    if text.value.startswith(_SQLITE):
        path, mark, query = text.value.removeprefix(_SQLITE).partition("?")
        if path and path != ":memory:":
            return f"{_SQLITE}{folder / path}{mark}{query}"
        text.fault("a database in memory keeps nothing", "name a file: `sqlite:///var/withhold.db`")
    elif _POSTGRESQL.fullmatch(url.scheme) and _names_hosts(url):
        return text.value
    else:
        hint = "`sqlite:///path`, with three slashes, or `postgresql://host/name`"
        text.fault("the database's URL is not one", hint)
    return None


def _is_reference(text: Text) -> bool:
    return text.value.startswith(("env:", "file:"))


def _split(text: Text) -> SplitResult | None:
    try:
        return urlsplit(text.value)
    except ValueError:  # its text may quote a password
        text.fault("this is not a URL")
        return None


def _has_host(url: SplitResult) -> bool:
    try:
        return bool(url.hostname) and url.port != 0
    except ValueError:  # the port is read late, and only then found wrong
        return False


def _names_hosts(url: SplitResult) -> bool:
    """Tell whether libpq is told where to go: by one host or several, or by a socket's folder."""
    return bool(url.netloc.rpartition("@")[2]) or "host" in parse_qs(url.query)


def _holds_password(url: SplitResult, text: Text) -> bool:
    # libpq takes these among the parameters, too.
    holds = url.password is not None or not {"password", "sslpassword"}.isdisjoint(
        parse_qs(url.query, keep_blank_values=True)
    )
    if holds:
        text.fault("the URL holds a password", f"refer to the whole URL by {_SECRET}")
    return holds
