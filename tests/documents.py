"""Generated resources, allowlists, scopes and documents, ordinary and odd, from one random source.

Most documents are about a target and within the period, so that something leaves; some are about
somebody else, too early, too late or odd. They are made as text, so that they can hold what no
encoder would write: repeated names, `-0`, `1e400`, lone surrogates, broken escapes, stray bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from withhold.allowlist.model import Allowlist, Entry
from withhold.catalogue.model import (
    Field,
    Record,
    RecordSubject,
    RecordTime,
    RequestSubject,
    Resource,
    When,
)
from withhold.kinds.form import Form
from withhold.kinds.instant import Instant
from withhold.kinds.token import Tokenizer
from withhold.minimize.scope import Scope
from withhold.names import Category, Kind, Part, StoreName, Treatment, Unit
from withhold.paths import Names, Path, Wild
from withhold.warrant.model import Interval, Target

T = TypeVar("T")

NAMES = ["id", "a", "time", "sender", "type", "ip", "odd name", "é", "x", "to"]
ALICE = {
    Kind.ID: ["@alice:example.test", "42", "0"],
    Kind.PHONE: ["+442079460220", "+16502530000"],
    Kind.IP: ["192.0.2.1", "2001:db8::1"],
    Kind.EMAIL: ["alice@example.test"],
}
PERIOD = Interval(
    Instant(1_767_225_600), Instant(1_796_083_200, "5")
)  # 2026-01-01 until 2026-12-01, nearly
EVER = Interval(Instant(0), Instant(5_000_000_000))  # more than a timestamp can be
FORMS = [
    Form(Kind.TEXT),
    Form(Kind.ID),
    Form(Kind.ID, pattern="[@0-9].*"),
    Form(Kind.IP),
    Form(Kind.PHONE),
    Form(Kind.PHONE, msisdn=True),
    Form(Kind.PHONE, region="GB"),
    Form(Kind.EMAIL),
    Form(Kind.PORT),
    Form(Kind.NUMBER),
    Form(Kind.BOOLEAN),
    *(Form(Kind.TIMESTAMP, unit=unit) for unit in Unit),
]
IDENTIFYING = [form for form in FORMS if form.kind in ALICE]
TIMES = [form for form in FORMS if form.unit is not None]
KEYS = [form for form in FORMS if form.kind not in {Kind.NUMBER, Kind.BOOLEAN, Kind.PORT}]
VARIANTS: list[list[str | int | bool]] = [["m", "n"], [1, 2], [True, False], ["m", 1], [0, "0"]]
CANARY = "CANARY"


@dataclass
class Spot:
    """One place of a generated resource."""

    path: Path
    names: dict[str, "Spot"] = field(default_factory=dict)
    wild: "Spot | None" = None
    forms: list[Form] = field(default_factory=list)  # the last one decides, where one does
    is_variant: bool = False
    key: Form | None = None  # of a `.*` place: what its keys look like
    says: str | None = None  # where the answer repeats the request's subject


@dataclass
class Case:
    """A generated resource with an allowlist and a scope."""

    root: Spot
    allowlist: Allowlist
    scope: Scope


@dataclass
class _Draft:
    """A resource in the making."""

    rng: Random
    fields: list[Field] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


def make_case(rng: Random) -> Case:
    """Make a resource, decide about its fields, choose targets and period."""
    draft = _Draft(rng)
    root = _container(draft, (), 0)
    targets = frozenset(
        Target(kind, value)
        for kind, values in ALICE.items()
        for value in rng.sample(values, k=rng.randint(max(1, len(values) - 1), len(values)))
    )
    subject, who = _request_subject(rng, root, targets)
    resource = Resource(
        store=StoreName("s"),
        short_name="r",
        template=("r",),
        subject=subject,
        query=(),
        page=None,
        absent=frozenset(),
        snapshot=True,
        resolves=None,
        fields=tuple(sorted(draft.fields, key=lambda f: f.label)),
        records=tuple(sorted(draft.records, key=lambda r: len(r.each))),
    )
    entries = tuple(Entry(f, _treatment(rng, f), "covered") for f in resource.fields)
    scope = Scope(targets, PERIOD if rng.random() < 0.9 else EVER, who, Tokenizer(bytes(range(16))))
    return Case(root, Allowlist(resource, entries), scope)


def _request_subject(
    rng: Random, root: Spot, targets: frozenset[Target]
) -> tuple[RequestSubject | None, str | None]:
    if rng.random() < 0.5:
        return None, None
    who = rng.choice(sorted(t.value for t in targets if t.kind is Kind.ID))
    leaves = [
        spot
        for spot in _spots(root)
        if spot.forms and spot.forms[-1].kind is Kind.ID and not spot.is_variant
    ]
    confirm = None
    if leaves and rng.random() < 0.7:
        chosen = rng.choice(leaves)
        chosen.says, confirm = who, chosen.path
    return RequestSubject("p", Form(Kind.ID), confirm), who


def _spots(spot: Spot) -> list[Spot]:
    inner = [*spot.names.values(), *([spot.wild] if spot.wild else [])]
    return [spot, *(s for i in inner for s in _spots(i))]


def _container(draft: _Draft, path: Path, depth: int) -> Spot:
    spot, rng = Spot(path), draft.rng
    if rng.random() < (0.2 if depth == 0 else 0.5):
        wild = rng.choice(list(Wild))
        spot.wild = _inner(draft, (*path, wild), depth + 1)
        if wild is Wild.MEMBERS:
            spot.wild.key = rng.choice(KEYS)
            if rng.random() < 0.7:
                draft.fields.append(
                    Field((*path, wild), Category.TRAFFIC, spot.wild.key, "user", "", Part.KEY)
                )
        return spot
    for name in rng.sample(NAMES, k=rng.randint(1, 5)):
        spot.names[name] = _inner(draft, (*path, name), depth + 1)
    _maybe_record(draft, spot)
    return spot


def _inner(draft: _Draft, path: Path, depth: int) -> Spot:
    rng = draft.rng
    if depth < 4 and rng.random() < 0.45:
        return _container(draft, path, depth)
    spot = Spot(path)
    if isinstance(path[-1], str) and rng.random() < 0.2:
        _variants(draft, spot)
        return spot
    spot.forms = [rng.choice(FORMS)]
    if rng.random() < (0.4 if isinstance(path[-1], Wild) else 0.05):
        spot.forms = [rng.choice(IDENTIFYING)]
        draft.records.append(Record(path, RecordSubject(((),), spot.forms[0]), None))
    draft.fields.append(Field(path, Category.TRAFFIC, spot.forms[0], "user", ""))
    return spot


def _variants(draft: _Draft, spot: Spot) -> None:
    """Make variants, told apart by a `kind` in any object from the innermost element down here."""
    rng, path = draft.rng, spot.path
    base = max((i + 1 for i, s in enumerate(path) if isinstance(s, Wild)), default=0)
    between = tuple(str(s) for s in path[base:-1])
    looks: Names = (*between[: rng.randint(0, len(between))], "kind")
    spot.is_variant = True
    for value in rng.choice(VARIANTS):
        form = rng.choice(FORMS)
        spot.forms.append(form)
        draft.fields.append(
            Field(path, Category.TRAFFIC, form, "user", "", when=When(looks, value))
        )


def _leaves_by_names(spot: Spot, names: Names = ()) -> list[tuple[Names, Spot]]:
    """Give the leaves that names alone lead to."""
    found: list[tuple[Names, Spot]] = []
    for name, inner in spot.names.items():
        if inner.forms and not inner.is_variant:
            found.append(((*names, name), inner))
        found += _leaves_by_names(inner, (*names, name))
    return found


def _maybe_record(draft: _Draft, spot: Spot) -> None:
    rng = draft.rng
    leaves = _leaves_by_names(spot)
    if not leaves or rng.random() < 0.4:
        return
    subject = time = None
    if rng.random() < 0.7:
        form = rng.choice(IDENTIFYING)
        chosen = rng.sample(leaves, k=rng.randint(1, min(3, len(leaves))))
        subject = RecordSubject(tuple(names for names, _ in chosen), form)
        for _, leaf in chosen:
            _decides(draft, leaf, form)
    if subject is None or rng.random() < 0.7:
        names, leaf = rng.choice(leaves)
        form = next((f for f in leaf.forms if f.unit), None) or rng.choice(TIMES)
        _decides(draft, leaf, form)
        time = RecordTime(names, form)
    draft.records.append(Record(spot.path, subject, time))


def _decides(draft: _Draft, leaf: Spot, form: Form) -> None:
    """Let documents hold what decides at a leaf, which mostly is all that the leaf is."""
    leaf.forms.append(form)
    if draft.rng.random() < 0.8:
        leaf.forms = [form]
        draft.fields[:] = [
            Field(f.path, f.category, form, f.data, f.means) if f.path == leaf.path else f
            for f in draft.fields
        ]


def _treatment(rng: Random, of: Field) -> Treatment:
    choices = [Treatment.DISCLOSE, Treatment.DISCLOSE, Treatment.DISCLOSE, Treatment.WITHHOLD]
    if of.part is Part.VALUE and of.form.kind is Kind.IP:
        choices += [Treatment.TOKENIZE, Treatment.TOKENIZE, Treatment.GENERALIZE]
    if of.part is Part.VALUE and of.form.kind is Kind.TIMESTAMP:
        choices += [Treatment.GENERALIZE]
    return rng.choice(choices)


# --- documents ----------------------------------------------------------------------------------


def make_document(rng: Random, root: Spot) -> bytes:
    """Make a document of the resource; one in six or so is odd, one in forty is broken."""
    odd = rng.choice([0.0, 0.0, 0.0, 0.0, 0.0, 0.03])
    text = _text(rng, root, odd).encode("utf-8", "surrogatepass")
    if rng.random() < 0.025:
        at = rng.randrange(len(text))
        text = rng.choice(
            [text[:at], text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :], text + b"}"]
        )
    return text


def make_lines(rng: Random, root: Spot) -> bytes:
    """Make NDJSON: some documents of the resource, one a line."""
    lines = [make_document(rng, root).replace(b"\n", b"") for _ in range(rng.randint(0, 5))]
    return b"\n".join(lines)


def _text(rng: Random, spot: Spot, odd: float) -> str:
    if rng.random() < odd:
        return rng.choice(ODD)
    if rng.random() < 0.03:
        return "null"
    if spot.forms:
        return _leaf(rng, spot)
    space = rng.choice(["", "", " ", "\n\t"])
    if spot.wild is not None and spot.wild.path[-1] is Wild.ELEMENTS:
        items = [_text(rng, spot.wild, odd) for _ in range(rng.randint(0, 4))]
        return "[" + ("," + space).join(items) + space + "]"
    members = _members(rng, spot, odd)
    rng.shuffle(members)
    printed = ",".join(f"{space}{key}{space}:{space}{value}" for key, value in members)
    return "{" + printed + space + "}"


def _members(rng: Random, spot: Spot, odd: float) -> list[tuple[str, str]]:
    if spot.wild is not None:
        form = spot.wild.key or Form(Kind.TEXT)
        return [
            (_escape(rng, _key(rng, form)), _text(rng, spot.wild, odd))
            for _ in range(rng.randint(0, 4))
        ]
    members = []
    for name, inner in spot.names.items():
        if rng.random() < 0.95:
            key = _escape(rng, json.dumps(name, ensure_ascii=rng.random() < 0.5))
            members.append((key, _text(rng, inner, odd)))
            if rng.random() < odd:
                members.append((key, _text(rng, inner, odd)))
    members.append(('"kind"', rng.choice(KINDS)))
    is_odd = rng.random() < odd
    members.append(('"undeclared"', rng.choice(ODD if is_odd else UNDECLARED)))
    return members


def _leaf(rng: Random, spot: Spot) -> str:
    if spot.says is not None and rng.random() < 0.97:
        return spot.says if spot.says.isdecimal() and rng.random() < 0.3 else f'"{spot.says}"'
    form = rng.choice([spot.forms[-1], spot.forms[-1], rng.choice(spot.forms)])
    return _escape(rng, _scalar(rng, form))


def _escape(rng: Random, literal: str) -> str:
    """Write, now and then, one plain character of a string as its escape."""
    if literal[0] != '"' or "\\" in literal or len(literal) < 3 or rng.random() < 0.9:
        return literal
    at = rng.randrange(1, len(literal) - 1)
    escaped = json.dumps(literal[at])[1:-1]
    code = f"\\u{ord(literal[at]):04X}" if len(escaped) == 1 else escaped
    return literal[:at] + code + literal[at + 1 :]


def _mostly(rng: Random, good: Sequence[T], other: Sequence[T]) -> T:
    return rng.choice(good if rng.random() < 0.85 else other)


def _scalar(rng: Random, form: Form) -> str:
    if form.unit is None:
        return _mostly(rng, _GOOD[form.kind] + _ALSO_GOOD.get(form, []), _OTHER[form.kind])
    if form.unit is Unit.RFC3339:
        return _mostly(rng, _DATES, _OTHER_DATES)
    per_second = _COUNTS[form.unit]
    within = [1_767_225_600, 1_780_272_000, 1_796_083_200]
    second = _mostly(rng, within, [1_767_225_599, 1_796_083_201, 946_684_799, 4_102_444_800, 0])
    count = second * per_second + _mostly(rng, [0, 0, per_second // 4], [per_second // 2, -1])
    return rng.choice([str(count), str(count), f'"{count}"'])


def _key(rng: Random, form: Form) -> str:
    scalar = _scalar(rng, form)
    return scalar if scalar[0] == '"' and rng.random() < 0.9 else rng.choice(_KEYS)


# fmt: off
ODD = [
    "[]", "{}", "[1]", '{"a":1}', '""', '"\\ud800"', '"\\ude00x"', "-0", "0", "0.1000", "1e400",
    "1E+2", "-1", "1.0",
    "123456789012345678901234567890", "true", "false", "null", '"null"', '"\\u0000"', '"\\""',
    '"é日🙂"', '"\\ud83d\\ude42"',
    '" "', '"+1"', '"::1"', '"fe80::1%eth0"', '"::ffff:192.0.2.1"', '"::1.2.3.4"', '"01.2.3.4"',
    '"1.2.3"', '"-"', '"0"', '"-0"',
    '"2026-06-01T00:00:00Z"', '"2026-06-01 00:00:00Z"', '"2026-06-01T24:00:00Z"',
    '"2026-12-31T23:59:60Z"', '"\uff12\uff10\uff12\uff16"',
    "1780272000", "1780272000000", '"1780272000"', "1780272000.0", "[null]", '[{"a":[1]}]',
    "70000", "65535", '"@"', '"a@b@c"',
    '"\u2028"', '"\\/"', "[" * 40 + "]" * 40,
]
KINDS = [
    '"m"', '"m"', '"n"', "1", "1", "2", "0", '"0"', "true", "false", "null", '"o"', "1.0", "-0",
]
UNDECLARED = ['{"canary":["CANARY",1.5,{}]}', '"CANARY"', '[{"time":"CANARY"}]', "null"]

_GOOD = {
    Kind.TEXT: ['"hello"', '"é日🙂"', '""', '"\\u00e9\\n"', '"a\\"b"', '"\\ud83d\\ude42"'],
    Kind.ID: ['"@alice:example.test"', "42", '"42"', '"@alice:example.test"', "42", '"0"'],
    Kind.IP: ['"192.0.2.1"', '"::ffff:192.0.2.1"', '"2001:DB8::1"', '"2001:db8:0:0:0:0:0:1"'],
    Kind.PHONE: ['"+442079460220"', '"+44 20 7946 0220"', '"+1 (650) 253-0000"'],
    Kind.EMAIL: ['"alice@example.test"', '" alice@EXAMPLE.test "'],
    Kind.PORT: ["443", "65535", "1"],
    Kind.NUMBER: ["1", "0.1000", "1e400", "-0", "-1.5E-7", "123456789012345678901234567890"],
    Kind.BOOLEAN: ["true", "false"],
}
_ALSO_GOOD = {
    Form(Kind.PHONE, msisdn=True): ['"442079460220"', '"16502530000"', '" 44 20 7946 0220"'],
    Form(Kind.PHONE, region="GB"): ['"020 7946 0220"', '"00 44 20 7946 0220"'],
}
_OTHER = {
    Kind.TEXT: ["1", "true", '"\\udc00"'],
    Kind.ID: [
        '"@bob:example.test"', "43", '"43"', "-0", "0", '"-0"', '""', "1.0",
        "99999999999999999999999",
    ],
    Kind.IP: ['"192.0.2.2"', '"2001:db8:0:0:1:0:0:1"', '"-"', '"fe80::1%eth0"', '"192.0.2.01"'],
    Kind.PHONE: [
        '"+442079460221"', '"x"', '"+44 20 7946 0220 x1"', '"7946 0220"', '"442079460220"', '"٤٤"',
    ],
    Kind.EMAIL: ['"bob@example.test"', '"Alice@example.test"', '"alice"', '"a@b@c"'],
    Kind.PORT: ["0", "70000", "-1", '"443"', "443.0"],
    Kind.NUMBER: ['"1"', "true", "[]"],
    Kind.BOOLEAN: ["0", "1", '"true"'],
}
_DATES = [
    '"2026-01-01T00:00:00Z"', '"2026-06-01t12:00:00.5+02:00"', '"2026-12-01T00:00:00.4999z"',
    '"2025-12-31T23:30:00-00:30"',
]
_OTHER_DATES = [
    '"2025-12-31T23:59:59.999999999Z"', '"2026-12-01T00:00:00.5Z"', '"2026-06-01"',
    '"2026-12-31T23:59:60Z"', "1780272000",
]
_COUNTS = {Unit.SECONDS: 1, Unit.MILLISECONDS: 1_000, Unit.MICROSECONDS: 1_000_000}
_KEYS = [
    '"1"', '"2"', '"DEV"', '""', '"\\ud800"', '"\\u0031"', '"192.0.2.1"', '"@alice:example.test"',
]
# fmt: on
