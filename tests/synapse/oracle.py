"""The oracle: what must come through, worked out from Synapse's own answer and the tables.

Nothing of Withhold is used here. An address that leaves as a token is an `Address` in what is
expected; `agree` compares it by what a token promises: equal for equal addresses under one
warrant, and equal to no token of another.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.synapse.tables import (
    CONNECTION,
    DEVICE,
    EVENT,
    EVENT_BY_TYPE,
    JOIN,
    JOINED_ROOMS,
    MEMBER,
    THREEPID,
    USER,
    WHOIS,
    WHOIS_KEYS,
    Leaves,
    Order,
)
from tests.synapse.world import NORMAL_IP, NORMAL_PHONE, SINCE_MS, UNTIL_MS

Json = Any
NOTHING = object()
TOKEN = re.compile(r"tok_ip_([a-z2-7]{8})_[a-z2-7]{26}")
# Where a leaf stands among others, and what it is; the empty path is the value itself.
Rules = dict[tuple[str, ...], str]


@dataclass(frozen=True)
class Address:
    """An address that leaves as a token."""

    ip: str


@dataclass
class Expected:
    """What must come through of one answer, and what must be counted."""

    body: Json
    records_seen: int = 0
    records_disclosed: int = 0
    withheld: Counter[str] = field(default_factory=Counter)


@dataclass
class Oracle:
    """What one order gets. `targets`: accounts; `clear`: addresses leave as they are."""

    order: Order
    targets: frozenset[str]
    clear: bool = False
    since_ms: int = SINCE_MS
    until_ms: int = UNTIL_MS

    def expect(self, resource: str, raw: Json) -> Expected:
        """Give what leaves of an answer, or of the pages of one in their order."""
        out = Expected({})
        answer = getattr(self, "_" + resource.replace("-", "_"))(raw, out)
        out.body = {} if answer is NOTHING else answer
        return out

    def reaches(self, resource: str) -> bool:
        """Tell whether anything of a resource is covered at all."""
        tables = {
            "user": (USER,),
            "whois": (WHOIS, CONNECTION),
            "devices": (DEVICE,),
            "joined-rooms": (JOINED_ROOMS,),
            "room-members": (MEMBER,),
            "room-messages": (EVENT, JOIN, *EVENT_BY_TYPE.values()),
        }
        return any(self._rules(each) for each in tables.get(resource, (THREEPID,)))

    def _user(self, raw: Json, out: Expected) -> Json:
        return _keep(raw, self._rules(USER), self, out)

    def _whois(self, raw: Json, out: Expected) -> Json:
        top = _keep(raw, self._rules(WHOIS), self, out)
        devices = {
            name: {"sessions": sessions}
            for name, device in raw["devices"].items()
            if (sessions := self._sessions(device["sessions"], out))
        }
        if WHOIS_KEYS not in self.order.covers or self.order.kinds is not None:
            devices = {str(i): each for i, each in enumerate(devices.values(), 1)}
        return _joined(top, {"devices": devices} if devices else NOTHING)

    def _sessions(self, raw: Json, out: Expected) -> Json:
        sessions = [
            self._records(each["connections"], CONNECTION, "last_seen", out) for each in raw
        ]
        return [{"connections": each} for each in sessions if each]

    def _devices(self, raw: Json, out: Expected) -> Json:
        devices = self._records(raw["devices"], DEVICE, "last_seen_ts", out)
        return {"devices": devices} if devices else NOTHING

    def _joined_rooms(self, raw: Json, out: Expected) -> Json:
        return _keep(raw, self._rules(JOINED_ROOMS), self, out)

    def _room_members(self, raw: Json, out: Expected) -> Json:
        rules = self._rules(MEMBER)
        members: list[str] = raw.get("members", []) if rules else []
        out.records_seen += len(members)
        kept = [each for each in members if each in self.targets]
        out.records_disclosed += len(kept)
        _count(out, "not-a-target", len(members) - len(kept))
        return {"members": kept} if kept else NOTHING

    def _threepid_msisdn(self, raw: Json, out: Expected) -> Json:
        return _keep(raw, self._rules(THREEPID), self, out)

    def _threepid_email(self, raw: Json, out: Expected) -> Json:
        return _keep(raw, self._rules(THREEPID), self, out)

    def _room_messages(self, raw: Json, out: Expected) -> Json:
        """`raw`: the pages."""
        if not self.reaches("room-messages"):
            return NOTHING
        chunk = []
        for event in (each for page in raw for each in page["chunk"]):
            out.records_seen += 1
            if event["sender"] not in self.targets:
                _count(out, "not-a-target")
                continue
            if not self._in_period(event["origin_server_ts"]):
                _count(out, "out-of-period")
                continue
            leaves = {**EVENT, **EVENT_BY_TYPE.get(event["type"], {})}
            if event["content"].get("membership") == "join":
                leaves |= JOIN
            kept = _keep(event, self._rules(leaves), self, out)
            if kept is not NOTHING:
                out.records_disclosed += 1
                chunk.append(kept)
        return {"chunk": chunk} if chunk else NOTHING

    def _records(self, raw: Json, leaves: Leaves, time: str, out: Expected) -> list[Json]:
        """Give the records within the period, of a list in which each has its time."""
        rules = self._rules(leaves)
        if not rules:
            return []
        kept = []
        for each in raw:
            out.records_seen += 1
            if each[time] is None:
                _count(out, "undated")
            elif not self._in_period(each[time]):
                _count(out, "out-of-period")
            elif (found := _keep(each, rules, self, out)) is not NOTHING:
                kept.append(found)
        out.records_disclosed += len(kept)
        return kept

    def _in_period(self, at_ms: int) -> bool:
        return self.since_ms <= at_ms < self.until_ms

    def _rules(self, leaves: Leaves) -> Rules:
        """Give those leaves that the order reaches."""
        rules: Rules = {}
        for place, leaf in leaves.items():
            category, kind = leaf.split(" ")
            if category not in self.order.covers:
                continue
            if self.order.kinds is not None:
                # Of the addresses of an account this is the phone.
                narrowed = "phone" if kind == "phone-or-email" else kind
                if narrowed not in self.order.kinds:
                    continue
                kind = narrowed
            rules[tuple(place.split("/")) if place else ()] = kind
        return rules

    def treat(self, kind: str, value: Json, around: Mapping[str, Json]) -> Json:
        """Give what leaves of a value; NOTHING where it has not the form of its kind."""
        if value is None:
            return None
        if kind == "ip":
            ip = NORMAL_IP[value]
            return NOTHING if ip is None else ip if self.clear else Address(ip)
        if kind in {"phone", "phone-or-email"} and around["medium"] == "msisdn":
            return NORMAL_PHONE[value] or NOTHING
        if kind == "phone-or-email":
            return value  # Synapse keeps it in lower case already
        fits = {
            "text": isinstance(value, str),
            "id": isinstance(value, str),
            "boolean": isinstance(value, bool),
            "number": isinstance(value, int) and not isinstance(value, bool),
            "timestamp": isinstance(value, int) and not isinstance(value, bool),
        }
        return value if fits[kind] else NOTHING


def _keep(
    value: Json,
    rules: Rules,
    oracle: Oracle,
    out: Expected,
    around: Mapping[str, Json] | None = None,
) -> Json:
    """Give what the rules let through, and no container without anything in it."""
    if () in rules:
        kept = NOTHING
        if rules[()] == "phone" and around is not None and around["medium"] != "msisdn":
            return NOTHING
        if not isinstance(value, list | dict):
            kept = oracle.treat(rules[()], value, around or {})
        _count(out, "malformed", int(kept is NOTHING))
        return kept
    if not rules or value is None:
        return NOTHING
    if not isinstance(value, list if any(path[0] == "*" for path in rules) else dict):
        _count(out, "malformed")
        return NOTHING
    if isinstance(value, list):
        inner = _under("*", rules)
        outs = [
            _keep(each, inner, oracle, out, each if isinstance(each, dict) else None)
            for each in value
        ]
        return [each for each in outs if each is not NOTHING] or NOTHING
    members: dict[str, Json] = {}
    for name in dict.fromkeys(path[0] for path in rules):
        if name in value:
            found = _keep(value[name], _under(name, rules), oracle, out, around)
            if found is not NOTHING:
                members[name] = found
    return members or NOTHING


def _under(name: str, rules: Rules) -> Rules:
    return {path[1:]: kind for path, kind in rules.items() if path[0] == name}


def _count(out: Expected, reason: str, count: int = 1) -> None:
    if count:
        out.withheld[reason] += count


def _joined(one: Json, other: Json) -> Json:
    found = {**({} if one is NOTHING else one), **({} if other is NOTHING else other)}
    return found or NOTHING


class Tokens:
    """Every token that was seen: what it stands for, under which warrant."""

    def __init__(self) -> None:
        self._token_of: dict[tuple[str, str], str] = {}  # by warrant and address
        self._meaning_of: dict[str, tuple[str, str]] = {}

    def stands_for(self, token: Json, warrant: str, ip: str) -> bool:
        """Tell whether `token` is the token, and the only one, of this address for this warrant."""
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            return False
        means = (warrant, ip)
        return (
            self._token_of.setdefault(means, token) == token
            and self._meaning_of.setdefault(token, means) == means
        )


def agree(expected: Json, found: Json, warrant: str, tokens: Tokens) -> bool:
    """Tell whether two documents are equal as JSON: types and order of arrays, not of members."""
    if isinstance(expected, Address):
        return tokens.stands_for(found, warrant, expected.ip)
    if type(expected) is not type(found):
        return False
    if isinstance(expected, dict):
        return expected.keys() == found.keys() and all(
            agree(each, found[name], warrant, tokens) for name, each in expected.items()
        )
    if isinstance(expected, list):
        return len(expected) == len(found) and all(
            agree(one, other, warrant, tokens) for one, other in zip(expected, found, strict=True)
        )
    return bool(expected == found)
