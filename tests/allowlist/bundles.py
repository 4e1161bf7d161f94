"""Bundles and warrants, written by hand or generated, small enough to be looked at whole."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, combinations
from random import Random
from typing import TypeVar

from withhold.catalogue.model import (
    Catalogue,
    Field,
    Page,
    Param,
    Record,
    RecordSubject,
    RecordTime,
    RequestSubject,
    Resolves,
    Resource,
    When,
)
from withhold.kinds.form import Form
from withhold.kinds.instant import Instant
from withhold.names import (
    Category,
    Digest,
    InstrumentName,
    Kind,
    Part,
    ResourceName,
    StoreName,
    Treatment,
    Unit,
    WarrantId,
)
from withhold.paths import parse_path
from withhold.policy.model import Instrument, Policy, Rule
from withhold.warrant.model import Interval, NamedField, Target, Warrant

T = TypeVar("T")

ID, TEXT, IP = Form(Kind.ID), Form(Kind.TEXT), Form(Kind.IP)
TIME = Form(Kind.TIMESTAMP, unit=Unit.MILLISECONDS)
WHOIS = ResourceName("synapse/whois")
SUBPOENA = InstrumentName("us-sca-subpoena")


def field(
    path: str,
    form: Form = TEXT,
    category: Category = Category.SUBSCRIBER,
    *,
    data: str = "user",
    part: Part = Part.VALUE,
    when: When | None = None,
) -> Field:
    """Declare a field."""
    return Field(parse_path(path), category, form, data, "what it is", part, when)


def resource(*fields: Field, name: str = "synapse/whois", **others: object) -> Resource:
    """Make a resource about the person in its path, with an answer that is as of now."""
    store, _, short_name = name.partition("/")
    made = Resource(
        store=StoreName(store),
        short_name=short_name,
        template=("v1", short_name, Param("user_id")),
        subject=RequestSubject("user_id", ID, None),
        query=(),
        page=None,
        absent=frozenset(),
        snapshot=True,
        resolves=None,
        fields=tuple(sorted(fields, key=lambda f: f.label)),
        records=(),
    )
    return replace(made, **others)  # type: ignore[arg-type]  # members of a resource, by name


def instrument(
    *covers: Category, name: str = SUBPOENA, jurisdiction: str = "US", approvals: int = 1
) -> Instrument:
    """Make an instrument; it covers everything unless told."""
    covered = frozenset(covers or Category)
    return Instrument(InstrumentName(name), "", jurisdiction, covered, approvals)


def policy(*rules: Rule, instruments: Iterable[Instrument] = ()) -> Policy:
    """Make a policy."""
    return Policy({each.name: each for each in instruments}, rules, ())


def rule(treatment: Treatment, name: str = "", **conditions: object) -> Rule:
    """Make a rule, named after its treatment unless told; a condition may be one value."""
    sets = {
        key: frozenset({value}) if isinstance(value, str | tuple) else value
        for key, value in conditions.items()
    }
    return Rule(name or treatment.value, treatment, **sets)  # type: ignore[arg-type]  # by name


def warrant(
    categories: Iterable[Category] = (), fields: Iterable[str] = (), name: str = WHOIS
) -> Warrant:
    """Make a warrant; `fields`: paths of one resource."""
    ever = Interval(Instant(0), Instant(4_000_000_000))
    return Warrant(
        id=WarrantId("W-1"),
        instrument=SUBPOENA,
        jurisdiction="US",
        authority="",
        reference="",
        targets=frozenset({Target(Kind.ID, "@alice:example.test")}),
        categories=frozenset(categories),
        fields=frozenset(NamedField(ResourceName(name), parse_path(path)) for path in fields),
        period=ever,
        valid=ever,
        callers=frozenset(),
        digest=Digest(""),
    )


def subsets(items: Iterable[T]) -> Iterator[tuple[T, ...]]:
    """Give every subset."""
    every = list(items)
    return chain.from_iterable(combinations(every, k) for k in range(len(every) + 1))


# --- generated ----------------------------------------------------------------------------------

_PATHS = ["$.a", "$.b", "$.l[*].a", "$.m.*"]
_DATA = ["user", "user.contact", "user.contact.email", "user.contacts", "user.device"]
_FORMS = [TEXT, ID, IP, TIME, Form(Kind.ID, pattern="x")]
_JURISDICTIONS = ["US", "EU"]
_INSTRUMENTS = ["us-sca-subpoena", "eu-epoc"]
_RESOURCES = ["synapse/whois", "synapse/rooms", "mail/box"]


def make_bundle(rng: Random) -> tuple[Catalogue, Policy]:
    """Make a bundle of one or two resources, one or two instruments and a few rules."""
    resources = [_resource(rng, name) for name in rng.sample(_RESOURCES, k=rng.choice([1, 1, 2]))]
    instruments = [
        instrument(
            *rng.sample(list(Category), k=rng.randint(1, 4)),
            name=name,
            jurisdiction=rng.choice(_JURISDICTIONS),
            approvals=rng.choice([1, 1, 2]),
        )
        for name in rng.sample(_INSTRUMENTS, k=rng.choice([1, 1, 2]))
    ]
    rules = [_rule(rng, f"rule-{i}") for i in range(rng.randint(0, 4))]
    return Catalogue({each.name: each for each in resources}), policy(
        *rules, instruments=instruments
    )


def change_bundle(rng: Random, bundle: tuple[Catalogue, Policy]) -> tuple[Catalogue, Policy]:
    """Change something about a bundle, or nothing."""
    catalogue, old = bundle
    resources, instruments = dict(catalogue.resources), dict(old.instruments)
    rules = list(old.rules)
    what = rng.randrange(8)
    name = rng.choice(sorted(resources))
    if what == 0:
        rules.append(_rule(rng, "rule-new"))
    elif what == 1 and rules:
        rules.pop(rng.randrange(len(rules)))
    elif what == 2:
        rng.shuffle(rules)
    elif what == 3:
        resources[name] = _resource(rng, name)
    elif what == 4:
        one = instruments[rng.choice(sorted(instruments))]
        covers = frozenset(rng.sample(list(Category), k=rng.randint(1, 4)))
        instruments[one.name] = replace(one, covers=covers)
    elif what == 5:
        one = instruments[rng.choice(sorted(instruments))]
        instruments[one.name] = replace(
            one, jurisdiction=rng.choice(_JURISDICTIONS), approvals=rng.choice([1, 2])
        )
    elif what == 6:
        fields = list(resources[name].fields)
        at = rng.randrange(len(fields))
        fields[at] = replace(
            fields[at], data=rng.choice(_DATA), category=rng.choice(list(Category)), means="else"
        )
        resources[name] = replace(resources[name], fields=tuple(fields))
    elif what == 7:
        resources[name] = replace(
            resources[name],
            snapshot=rng.random() < 0.5,
            query=rng.choice([(), (("dir", "f"),)]),
            records=_records(rng),
        )
    return Catalogue(resources), policy(*rules, instruments=instruments.values())


def _resource(rng: Random, name: str) -> Resource:
    fields = []
    for path in rng.sample(_PATHS, k=rng.randint(1, 3)):
        parts = [Part.VALUE, Part.KEY] if path.endswith(".*") else [Part.VALUE]
        whens: list[When | None] = [None]
        if path == "$.l[*].a" and rng.random() < 0.5:
            whens = [When(("kind",), "m"), When(("kind",), 1)]
        fields += [
            Field(
                parse_path(path),
                rng.choice(list(Category)[:3]),
                rng.choice(_FORMS),
                rng.choice(_DATA),
                rng.choice(["this", "that"]),
                part,
                when,
            )
            for part in parts
            for when in whens
        ]
    return resource(
        *fields,
        name=name,
        snapshot=rng.random() < 0.7,
        subject=rng.choice([None, RequestSubject("user_id", ID, None)]),
        records=_records(rng),
    )


def _records(rng: Random) -> tuple[Record, ...]:
    whom, when = RecordSubject((("who",),), ID), RecordTime(("t",), TIME)
    choices: list[tuple[Record, ...]] = [
        (),
        (Record(parse_path("$"), whom, when),),
        (Record(parse_path("$.l[*]"), whom, None),),
        (Record(parse_path("$"), None, when), Record(parse_path("$.l[*]"), whom, None)),
    ]
    return rng.choice(choices)


def _rule(rng: Random, name: str) -> Rule:
    values: dict[str, list[object]] = {
        "instrument": [*_INSTRUMENTS],
        "jurisdiction": [*_JURISDICTIONS],
        "category": [*Category],
        "kind": [Kind.IP, Kind.ID, Kind.TIMESTAMP],
        "data": [*_DATA],
        "store": ["synapse", "mail"],
        "resource": [*_RESOURCES],
        "path": [parse_path(path) for path in (*_PATHS, "$.l[*]", "$.m", "$")],
    }
    conditions: dict[str, object] = {
        key: frozenset(rng.sample(some, k=rng.choice([1, 2])))
        for key, some in values.items()
        if rng.random() < 0.15
    }
    return rule(rng.choice(list(Treatment)), name, unless_named=rng.random() < 0.3, **conditions)


PAGE = Page(("end",), "from", ("limit", "500"), 3)
RESOLVES = Resolves(parse_path("$.user_id"), ID)
