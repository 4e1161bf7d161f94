"""Entering: bundles, signers and keys that are others than the log last said, once each.

They come from files that people change while no node runs, so a node says at its start what it
found. What was found is compared and entered in one transaction, so several that start at once say
it once.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from sqlalchemy import Connection, delete, insert, select

from withhold.adapters.database import Database
from withhold.adapters.log import owe
from withhold.adapters.schema import entered, read_clock_text, take_numbers
from withhold.keyring import KeyEvent, KeyKind, KeyRing, known_keys
from withhold.ledger.entry import Entry, EntryType, Json
from withhold.ledger.lines import print_base64
from withhold.names import Digest
from withhold.warrant.model import Signer


class Found(StrEnum):
    """What is found at the start of a node."""

    BUNDLE = "bundle"
    SIGNER = "signer"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Fact:
    """One bundle, signer or key, as its entry says it; another `public` is another fact."""

    public: Mapping[str, Json]
    sealed: Mapping[str, Json] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class _Events:
    """What an entry calls it, when one came and when one went; None: nothing is said of that."""

    came: str
    went: str | None


# A bundle goes when another comes. A key that this node has not may be on its way here, or may have
# been destroyed, and only `withhold keys destroy` knows that.
_EVENTS = {
    Found.BUNDLE: _Events("loaded", None),
    Found.SIGNER: _Events("added", "removed"),
    Found.KEY: _Events("made", None),
}


def bundle_facts(bundle: Digest, software: str) -> Mapping[str, Fact]:
    """Give what there is to say of the bundle that a node serves."""
    return {"bundle": Fact({"digest": bundle, "software": software})}


def signer_facts(signers: Iterable[Signer]) -> Mapping[str, Fact]:
    """Give what there is to say of the signers in force."""
    facts = {}
    for signer in signers:
        public_key = print_base64(signer.public_key)
        public = {"name": signer.name, "role": signer.role.value, "public_key": public_key}
        facts[signer.name] = Fact(public, {"person": signer.person})
    return facts


def key_facts(ring: KeyRing, origin: str) -> Mapping[str, Fact]:
    """Give what there is to say of a deployment's own keys. `origin`: what the log is called."""
    facts = {}
    for (kind, version), public_key in known_keys(ring, origin).items():
        public = {"kind": kind.value, "version": version, "key_id": None, "public_key": public_key}
        facts[key_name(kind, version)] = Fact(public)
    return facts


def key_name(kind: KeyKind, version: int) -> str:
    """Name one of the deployment's own keys, as what was said of it is found again."""
    return f"{kind.value} {version}"


async def enter(database: Database, found: Found, facts: Mapping[str, Fact]) -> None:
    """Owe the ledger what it does not say yet. `facts`: by name. Raises: DatabaseUnavailable."""
    there = await database.read(partial(_entered, found=found))
    if any(_news(found, there, facts)):
        await database.write(partial(_enter, found=found, facts=facts))


def tell_rotated(connection: Connection, name: str, fact: Fact) -> None:
    """Owe the rotation of a key, unless a node was quicker to say that there is a new one."""
    if name not in _entered(connection, Found.KEY):
        _note(connection, Found.KEY, name, KeyEvent.ROTATED.value, fact)


def tell_destroyed(connection: Connection, name: str, fact: Fact) -> None:
    """Owe the end of a key, in the words of its beginning if the log was told of that."""
    said = _entered(connection, Found.KEY).get(name)
    fact = fact if said is None else Fact(json.loads(said))
    _note(connection, Found.KEY, name, KeyEvent.DESTROYED.value, fact)


def _news(
    found: Found, there: Mapping[str, str], facts: Mapping[str, Fact]
) -> Iterator[tuple[str, str, Fact]]:
    """Give what is to be said: name, event, fact."""
    events = _EVENTS[found]
    for name in sorted(there.keys() | facts.keys()):
        fact = facts.get(name)
        if fact is not None and there.get(name) != _text(fact):
            if name in there and events.went is not None:
                yield name, events.went, Fact(json.loads(there[name]))
            yield name, events.came, fact
        elif fact is None and events.went is not None:
            yield name, events.went, Fact(json.loads(there[name]))


def _enter(connection: Connection, found: Found, facts: Mapping[str, Fact]) -> None:
    # Where rows have locks, whoever starts at the same time waits here, and then finds it said.
    take_numbers(connection, "owed", 0)
    for name, event, fact in list(_news(found, _entered(connection, found), facts)):
        _note(connection, found, name, event, fact)


def _note(connection: Connection, found: Found, name: str, event: str, fact: Fact) -> None:
    at = read_clock_text(connection)
    public = {**fact.public, "event": event}
    # First: it takes a number, and so whoever says the same at the same time waits.
    owe(connection, Entry(EntryType(found.value), at, public, fact.sealed))
    same = (entered.c.kind == found.value) & (entered.c.name == name)
    connection.execute(delete(entered).where(same))
    if event != _EVENTS[found].went:
        row = {"kind": found.value, "name": name, "value": _text(fact)}
        connection.execute(insert(entered).values(row))


def _entered(connection: Connection, found: Found) -> dict[str, str]:
    rows = select(entered.c.name, entered.c.value).where(entered.c.kind == found.value)
    return {row.name: row.value for row in connection.execute(rows)}


def _text(fact: Fact) -> str:
    return json.dumps(dict(fact.public), sort_keys=True)
