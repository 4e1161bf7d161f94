"""Parse: a deployment file becomes a deployment, or faults. Source: contract §12. Pure.

Whether files are there, are private enough and hold what they should is found where they are read;
here it is only said where they are. No message shows what stands in a secret's place.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from withhold.deployment.model import (
    CallerEntry,
    Deployment,
    Limits,
    Listen,
    Retention,
    Secret,
    StoreEntry,
    WitnessEntry,
)
from withhold.deployment.places import (
    read_base_url,
    read_database_url,
    read_listen,
    read_redis_url,
    read_secret,
)
from withhold.errors import Unproven
from withhold.keyring import parse_public_key
from withhold.ledger.note import KeyType, is_key_name, parse_verifier_key
from withhold.names import CallerName, Role, SignerRole, StoreName
from withhold.toml.faults import Faults, did_you_mean
from withhold.toml.read import read_toml
from withhold.toml.table import Table, Text
from withhold.warrant.model import Signer

SECONDS: Final = (0.001, 86_400.0)  # bounds of a time limit
MOST: Final = 2**40  # of any other limit
MOST_DAYS: Final = 36_500

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)  # RFC 9110 §5.6.2, token
# What the proxy says of the call or the connection itself: another value would break it.
_OWN_HEADERS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "te", "transfer-encoding"}
)
_EVERY_HOST: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, never listened at


def parse_deployment(data: bytes, file: Path) -> Deployment:
    """Parse a deployment file. `file`: absolute; relative paths begin in its folder.

    Raises: ConfigError with every fault, at its line.
    """
    faults = Faults()
    document = read_toml(str(file), data, faults)
    if document is None:
        raise faults.error()
    deployment = _deployment(document, file)
    faults.check()
    return deployment


def _deployment(document: Table, file: Path) -> Deployment:
    """Read the whole file; what is at fault stands empty in what is then never used."""
    folder = file.parent
    name = document.name("deployment")
    data_plane = _listen(document, "data_plane")
    control_plane = _listen(document, "control_plane")
    _check_apart(data_plane, control_plane, document)
    redis = _text(document, "cache", "redis_url", required=False)
    url = _text(document, "database", "url")
    keys = _text(document, "keys", "path")
    stores = _stores(document, folder)
    callers = _callers(document, stores)
    signers = _signers(document)
    origin = _origin(document, name or "")
    witnesses = _witnesses(document)
    limits = _limits(document)
    retention = _retention(document)
    document.done()
    return Deployment(
        file=file,
        deployment=name or "",
        data_plane=data_plane,
        control_plane=control_plane,
        redis_url=None if redis is None else read_redis_url(redis, folder),
        database_url="" if url is None else read_database_url(url, folder) or "",
        keys_path=folder if keys is None else folder / keys.value,
        stores={entry.name: entry for entry in stores},
        callers=tuple(callers),
        signers=tuple(signers),
        ledger_origin=origin,
        witnesses=tuple(witnesses),
        limits=limits,
        retention=retention,
        lines=document.source.lines,
    )


def _text(document: Table, key: str, inner: str, *, required: bool = True) -> Text | None:
    """Give the one text of a table."""
    table = document.table(key, required=required)
    if table is None:
        return None
    text = table.text(inner, required=required)
    table.done()
    return text


def _listen(document: Table, key: str) -> Listen:
    text = _text(document, key, "listen")
    return (None if text is None else read_listen(text)) or Listen("", 0)


def _check_apart(one: Listen, other: Listen, document: Table) -> None:
    """Check that both planes can listen; port 0 is any that is free."""
    hosts = {one.host.lower(), other.host.lower()}
    if one.port == other.port != 0 and (len(hosts) == 1 or hosts & _EVERY_HOST):
        hint = "each plane has a port of its own: callers must not reach the control plane"
        message = "both planes listen at the same address"
        document.fault(message, hint, "control_plane", "listen")


def _stores(document: Table, folder: Path) -> list[StoreEntry]:
    entries = []
    for table in _named(document, "store"):
        name = table.name("name")
        url = table.text("base_url")
        base_url = None if url is None else read_base_url(url)
        headers = table.table("headers", required=False)
        secrets = {} if headers is None else _headers(headers, folder)
        table.done()
        entries.append(StoreEntry(StoreName(name or ""), base_url or "", secrets))
    return entries


def _headers(table: Table, folder: Path) -> dict[str, Secret]:
    headers: dict[str, Secret] = {}
    for name, _ in table.each():
        if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS:
            table.fault(f"`{name}` is no header to set for a store", "", name)
        if name.lower() in map(str.lower, headers):
            table.fault(f"the header `{name}` stands twice: case makes no difference", "", name)
        text = table.text(name)
        secret = None if text is None else read_secret(text, folder)
        if secret is not None:
            headers[name] = secret
    return headers


def _callers(document: Table, stores: Iterable[StoreEntry]) -> list[CallerEntry]:
    known = {entry.name for entry in stores}
    entries: list[CallerEntry] = []
    for table in _named(document, "caller"):
        name = table.name("name")
        token = table.text("token_sha256")
        roles = table.choices("roles", Role)
        reached = table.texts("stores", required=Role.DISCLOSE in roles)
        table.done()
        for text in reached:
            if text.value not in known:
                hint = did_you_mean(text.value, known)
                text.fault(f"there is no store `{text.value}`", hint)
        if table.members.get("roles") == []:
            table.fault("the caller may do nothing: `roles` is empty", "", "roles")
        if Role.DISCLOSE in roles and table.members.get("stores") == []:
            table.fault("the caller reaches nothing: `stores` is empty", "", "stores")
        digest = _token_digest(token, entries)
        entries.append(
            CallerEntry(
                CallerName(name or ""),
                digest,
                frozenset(roles),
                frozenset(StoreName(text.value) for text in reached),
            )
        )
    return entries


def _token_digest(text: Text | None, others: Iterable[CallerEntry]) -> bytes:
    if text is None:
        return b""
    if not _SHA256.fullmatch(text.value):
        text.fault(
            "`token_sha256` is not 64 hexadecimal digits", "`withhold keys caller` gives them"
        )
        return b""
    digest = bytes.fromhex(text.value)
    for other in others:
        if other.token_sha256 == digest:
            text.fault(f"the token is that of `{other.name}`, too", "each caller has its own")
    return digest


def _signers(document: Table) -> list[Signer]:
    signers: list[Signer] = []
    for table in _named(document, "signer"):
        name = table.name("name")
        person = table.text("person")
        role = table.choice("role", SignerRole)
        public_key = _public_key(table.text("public_key"), signers)
        table.done()
        if name is not None and person is not None and role is not None:
            signers.append(Signer(name, person.value, role, public_key))
    return signers


def _public_key(text: Text | None, others: Iterable[Signer]) -> bytes:
    if text is None:
        return b""
    key = parse_public_key(text.value)
    if key is None:
        text.fault("`public_key` is no Ed25519 key", "`withhold keys signer` gives it, in base64")
        return b""
    for other in others:
        if other.public_key == key:
            text.fault(
                f"the key is that of `{other.name}`, too", "each signer has a key of its own"
            )
    return key


def _origin(document: Table, deployment: str) -> str:
    """Read what the log is called. Source: c2sp.org/tlog-checkpoint, c2sp.org/signed-note."""
    text = _text(document, "ledger", "origin", required=False)
    if text is None:
        return f"withhold/{deployment}"
    if not is_key_name(text.value):
        hint = "such as `log.example.org/withhold`"
        text.fault("`origin` is empty, too long, or holds a space, a control or `+`", hint)
    return text.value


def _witnesses(document: Table) -> list[WitnessEntry]:
    witnesses: list[WitnessEntry] = []
    for table in document.tables("witness"):
        url = table.text("url")
        base_url = None if url is None else read_base_url(url, "witness")
        key = table.text("key")
        table.done()
        if key is None or base_url is None:
            continue
        try:
            read = parse_verifier_key(key.value)
        except Unproven as error:
            key.fault(f"`key` is no verifier key: {error.message}", "the witness publishes it")
            continue
        if read.type is not KeyType.COSIGNATURE:
            key.fault("`key` is no witness's", "a witness's verifier key is of type 4")
        if any(each.key == read for each in witnesses):
            key.fault("the key is that of another witness, too", "asked twice, one is still one")
        witnesses.append(WitnessEntry(base_url.rstrip("/"), read))
    return witnesses


def _limits(document: Table) -> Limits:
    table = document.table("limits", required=False)
    default = Limits()
    if table is None:
        return default

    def seconds(key: str, otherwise: float) -> float:
        return table.number(key, *SECONDS) or otherwise

    def count(key: str, otherwise: int) -> int:
        return table.integer(key, 1, MOST, required=False) or otherwise

    limits = Limits(
        store_timeout_s=seconds("store_timeout_s", default.store_timeout_s),
        answer_timeout_s=seconds("answer_timeout_s", default.answer_timeout_s),
        max_answer_bytes=count("max_answer_bytes", default.max_answer_bytes),
        max_line_bytes=count("max_line_bytes", default.max_line_bytes),
        max_expansion=count("max_expansion", default.max_expansion),
        max_header_bytes=count("max_header_bytes", default.max_header_bytes),
        max_concurrency=count("max_concurrency", default.max_concurrency),
        store_connections=count("store_connections", default.store_connections),
    )
    table.done()
    return limits


def _retention(document: Table) -> Retention:
    table = document.table("retention", required=False)
    if table is None:
        return Retention()
    days = table.integer("least_days", 0, MOST_DAYS, required=False)
    table.done()
    return Retention() if days is None else Retention(days)  # 0 is a number of days, too


def _named(document: Table, key: str) -> list[Table]:
    """Give the tables of one sort; a name that stands twice is a fault."""
    tables = document.tables(key)
    first: dict[object, Table] = {}
    for table in tables:
        name = table.members.get("name")
        if isinstance(name, str) and first.setdefault(name, table) is not table:
            line = first[name].line("name")
            table.fault(
                f"there are two `[[{key}]]` named `{name}`: first in line {line}", "", "name"
            )
    return tables
