"""Generated resources, allowlists, scopes and documents, ordinary and odd, from one random source.

The documents are made as text, so that they can hold what no encoder would write: repeated names,
`-0`, `1e400`, lone surrogates, broken escapes, stray bytes.
"""

import json
from dataclasses import dataclass, field
from random import Random

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
from withhold.paths import Path, Wild
from withhold.warrant.model import Interval, Target

NAMES = ["id", "a", "time", "sender", "type", "ip", "odd name", "é", "x", "to"]
ALICE = ["@alice:example.test", "42", "+442079460220", "192.0.2.1", "alice@example.test", "0"]
BOB = ["@bob:example.test", "43", "+442079460221", "192.0.2.2", "bob@example.test", "-0"]
PERIOD = Interval(
    Instant(1_767_225_600), Instant(1_796_083_200, "5")
)  # 2026-01-01 until 2026-12-01, nearly
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
IDENTIFYING = [form for form in FORMS if form.kind in {Kind.ID, Kind.PHONE, Kind.IP, Kind.EMAIL}]
TIMES = [form for form in FORMS if form.unit is not None]


@dataclass
class Spot:
    """One place of a generated resource."""

    path: Path
    names: dict[str, "Spot"] = field(default_factory=dict)
    wild: "Spot | None" = None
    forms: list[Form] = field(default_factory=list)
    whens: list[object] = field(default_factory=list)

    @property
    def path_is_array(self) -> bool:
        """Whether the place holds an array."""
        return self.wild is not None and self.wild.path[-1] is Wild.ELEMENTS


@dataclass
class Case:
    """A generated resource with an allowlist and a scope."""

    root: Spot
    allowlist: Allowlist
    scope: Scope


def make_case(rng: Random) -> Case:
    """Make a resource, decide about its fields, choose targets and period."""
    fields: list[Field] = []
    records: list[Record] = []
    root = _container(rng, (), 0, fields, records)
    subject = _request_subject(rng, root)
    resource = Resource(
        StoreName("s"),
        "r",
        ("r",),
        subject,
        (),
        None,
        frozenset(),
        True,
        None,
        tuple(fields),
        tuple(records),
    )
    entries = tuple(Entry(f, _treatment(rng, f), "covered") for f in fields)
    targets = frozenset(
        Target(kind, value)
        for kind in (Kind.ID, Kind.PHONE, Kind.IP, Kind.EMAIL)
        for value in rng.sample(ALICE, k=rng.randint(1, len(ALICE)))
    )
    who = (
        None
        if subject is None
        else rng.choice([t.value for t in targets if t.kind is subject.form.kind])
    )
    scope = Scope(targets, PERIOD, who, Tokenizer(bytes(range(16))))
    return Case(root, Allowlist(resource, entries), scope)


def _request_subject(rng: Random, root: Spot) -> RequestSubject | None:
    leaves = [
        spot
        for spot in _spots(root)
        if spot.forms and spot.forms[0].kind is Kind.ID and not spot.whens
    ]
    if not leaves or rng.random() < 0.7:
        return None
    return RequestSubject("p", Form(Kind.ID), rng.choice(leaves).path)


def _spots(spot: Spot) -> list[Spot]:
    inner = [*spot.names.values(), *([spot.wild] if spot.wild else [])]
    return [spot, *(s for i in inner for s in _spots(i))]


def _container(
    rng: Random, path: Path, depth: int, fields: list[Field], records: list[Record]
) -> Spot:
    spot = Spot(path)
    if rng.random() < (0.2 if depth == 0 else 0.4):
        wild = rng.choice(list(Wild))
        spot.wild = _inner(rng, (*path, wild), depth + 1, fields, records)
        if wild is Wild.MEMBERS and rng.random() < 0.7:
            form = rng.choice(
                [f for f in FORMS if f.kind not in {Kind.NUMBER, Kind.BOOLEAN, Kind.PORT}]
            )
            fields.append(Field((*path, wild), Category.TRAFFIC, form, "user", "", Part.KEY))
        return spot
    for name in rng.sample(NAMES, k=rng.randint(1, 5)):
        spot.names[name] = _inner(rng, (*path, name), depth + 1, fields, records)
    _maybe_record(rng, spot, fields, records)
    return spot


def _inner(rng: Random, path: Path, depth: int, fields: list[Field], records: list[Record]) -> Spot:
    if depth < 4 and rng.random() < 0.4:
        return _container(rng, path, depth, fields, records)
    spot = Spot(path)
    if isinstance(path[-1], str) and rng.random() < 0.2:
        values: list[str | int | bool] = rng.choice([["m", "n"], [1, 2], [True, False], ["m", 1]])
        spot.whens = list(values)
        spot.forms = [rng.choice(FORMS) for _ in values]
        for form, value in zip(spot.forms, values, strict=True):
            fields.append(
                Field(path, Category.TRAFFIC, form, "user", "", when=When(("kind",), value))
            )
        return spot
    spot.forms = [rng.choice(FORMS)]
    fields.append(Field(path, Category.TRAFFIC, spot.forms[0], "user", ""))
    if isinstance(path[-1], Wild) and rng.random() < 0.4:
        form = rng.choice(IDENTIFYING)
        spot.forms = [form]
        fields[-1] = Field(path, Category.TRAFFIC, form, "user", "")
        records.append(Record(path, RecordSubject(((),), form), None))
    return spot


def _maybe_record(rng: Random, spot: Spot, fields: list[Field], records: list[Record]) -> None:
    leaves = [(n, s) for n, s in spot.names.items() if s.forms and not s.whens]
    if not leaves or rng.random() < 0.4:
        return
    subject = time = None
    if rng.random() < 0.7:
        form = rng.choice(IDENTIFYING)
        chosen = rng.sample(leaves, k=rng.randint(1, min(2, len(leaves))))
        subject = RecordSubject(tuple((name,) for name, _ in chosen), form)
        for _, leaf in chosen:
            leaf.forms.append(form)  # so that documents hold such values, too
    if subject is None or rng.random() < 0.7:
        name, leaf = rng.choice(leaves)
        form = rng.choice([*TIMES, *(f for f in leaf.forms if f.unit)])
        leaf.forms.append(form)
        if rng.random() < 0.8:  # mostly, what decides about time is only that
            fields[:] = [
                f if f.path != leaf.path else Field(f.path, f.category, form, f.data, f.means)
                for f in fields
            ]
            leaf.forms = [form]
        time = RecordTime((name,), form)
    records.append(Record(spot.path, subject, time))


def _treatment(rng: Random, of: Field) -> Treatment:
    choices = [Treatment.DISCLOSE, Treatment.DISCLOSE, Treatment.WITHHOLD]
    if of.part is Part.VALUE and of.form.kind is Kind.IP:
        choices += [Treatment.TOKENIZE, Treatment.TOKENIZE, Treatment.GENERALIZE]
    if of.part is Part.VALUE and of.form.kind is Kind.TIMESTAMP:
        choices += [Treatment.GENERALIZE]
    return rng.choice(choices)


def make_document(rng: Random, root: Spot) -> bytes:
    """Make a document of the resource; about one in six has something odd, one in forty is broken."""
    odd = rng.choice([0.0, 0.0, 0.0, 0.0, 0.0, 0.03])
    text = _text(rng, root, odd).encode("utf-8", "surrogatepass")
    if rng.random() < 0.025:
        at = rng.randrange(len(text))
        text = rng.choice(
            [text[:at], text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :], text + b"}"]
        )
    return text


def _text(rng: Random, spot: Spot, odd: float) -> str:
    if rng.random() < odd:
        return rng.choice(ODD)
    if rng.random() < 0.04:
        return "null"
    if spot.forms:
        return _scalar(rng, rng.choice(spot.forms))
    space = rng.choice(["", "", " ", "\n\t"])
    if spot.wild is not None and spot.path_is_array:
        return (
            "["
            + ("," + space).join(_text(rng, spot.wild, odd) for _ in range(rng.randint(0, 4)))
            + space
            + "]"
        )
    members = []
    if spot.wild is not None:
        for _ in range(rng.randint(0, 4)):
            members.append((_key(rng), _text(rng, spot.wild, odd)))
    for name, inner in spot.names.items():
        if rng.random() < 0.9:
            members.append(
                (json.dumps(name, ensure_ascii=rng.random() < 0.5), _text(rng, inner, odd))
            )
            if rng.random() < odd:
                members.append(members[-1][:1] + (_text(rng, inner, odd),))
    if spot.wild is None:
        members.append(
            (
                '"kind"',
                rng.choice(
                    ['"m"', '"m"', '"n"', "1", "1", "2", "true", "false", "null", '"o"', "1.0"]
                ),
            )
        )
        members.append(
            (
                '"undeclared"',
                rng.choice(ODD) if rng.random() < odd else '{"canary":["CANARY",1.5,{}]}',
            )
        )
    rng.shuffle(members)
    return (
        "{"
        + ",".join(f"{space}{key}{space}:{space}{value}" for key, value in members)
        + space
        + "}"
    )


ODD = [
    "[]", "{}", "[1]", '{"a":1}', '""', '"\\ud800"', '"\\ude00x"', "-0", "0", "0.1000", "1e400", "1E+2", "-1", "1.0",
    "123456789012345678901234567890", "true", "false", "null", '"null"', '"\\u0000"', '"\\""', '"é日🙂"', '"\\ud83d\\ude42"',
    '" "', '"+1"', '"::1"', '"fe80::1%eth0"', '"::ffff:192.0.2.1"', '"::1.2.3.4"', '"01.2.3.4"', '"1.2.3"', '"-"', '"0"', '"-0"',
    '"2026-06-01T00:00:00Z"', '"2026-06-01 00:00:00Z"', '"2026-06-01T24:00:00Z"', '"2026-12-31T23:59:60Z"', '"２０２６"',
    "1780272000", "1780272000000", '"1780272000"', "1780272000.0", "[null]", '[{"a":[1]}]', "70000", "65535", '"@"', '"a@b@c"',
    '"\u2028"', '"\\/"', "[" * 40 + "]" * 40,
]  # fmt: skip

_SAMPLES: dict[Kind, list[str]] = {
    Kind.TEXT: ['"hello"', '"é日🙂"', '""', '"\\u00e9\\n"', '"a\\"b"'],
    Kind.ID: [f'"{v}"' for v in (*ALICE[:2], *BOB[:2])]
    + ["42", "43", "42", '"@alice:example.test"'],
    Kind.IP: [
        '"192.0.2.1"',
        '"192.0.2.2"',
        '"::ffff:192.0.2.1"',
        '"2001:DB8::1"',
        '"2001:db8:0:0:1:0:0:1"',
        '"-"',
    ],
    Kind.PHONE: [
        '"+442079460220"',
        '"+44 20 7946 0220"',
        '"442079460220"',
        '"020 7946 0220"',
        '"+442079460221"',
        '"x"',
    ],
    Kind.EMAIL: [
        '"alice@example.test"',
        '" alice@EXAMPLE.test "',
        '"bob@example.test"',
        '"Alice@example.test"',
    ],
    Kind.PORT: ["443", "65535", "1", "70000"],
    Kind.NUMBER: ["1", "0.1000", "1e400", "-0", "-1.5E-7", "123456789012345678901234567890"],
    Kind.BOOLEAN: ["true", "false"],
}
_COUNTS = {Unit.SECONDS: 1, Unit.MILLISECONDS: 1_000, Unit.MICROSECONDS: 1_000_000}


def _scalar(rng: Random, form: Form) -> str:
    if form.unit is None:
        return rng.choice(_SAMPLES[form.kind])
    second = rng.choice(
        [1_767_225_600, 1_767_225_599, 1_780_272_000, 1_796_083_200, 1_796_083_201, 946_684_799]
    )
    if form.unit is Unit.RFC3339:
        return rng.choice(
            ['"2026-01-01T00:00:00Z"', '"2025-12-31T23:59:59.999999999Z"', '"2026-06-01t12:00:00.5+02:00"',
             '"2026-12-01T00:00:00.5Z"', '"2026-12-01T00:00:00.4999Z"', '"2026-06-01"']
        )  # fmt: skip
    count = second * _COUNTS[form.unit] + rng.choice([0, 0, _COUNTS[form.unit] // 2, -1])
    return rng.choice([str(count), str(count), f'"{count}"'])


def _key(rng: Random) -> str:
    return rng.choice(
        ['"1"', '"2"', '"DEV"', '"@alice:example.test"', '"192.0.2.1"', '"::ffff:192.0.2.1"', '"+442079460220"', '""',
         '"1780272000"', '"\\ud800"', '"442079460220"', '"alice@example.test"', '"2026-06-01T00:00:00Z"', '"\\u0031"']
    )  # fmt: skip
