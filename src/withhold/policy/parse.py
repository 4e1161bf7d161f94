"""Parse: policy documents become instruments, rules and tests, or faults. Source: contract §5.

A policy is read against a catalogue: a rule or test that names what is nowhere declared is a slip
of the pen, and a rule that silently matches nothing is the worst of them.
"""

from collections.abc import Iterable
from typing import Final

from withhold.catalogue.fields import is_data
from withhold.catalogue.parse import Resources
from withhold.names import Category, InstrumentName, Kind, ResourceName, StoreName, Treatment
from withhold.policy.model import Instrument, Policy, PolicyTest, Rule
from withhold.policy.refer import Known, find_labels, find_names, find_paths
from withhold.toml.table import Table

MAX_RULES: Final = 1_000
MAX_TESTS: Final = 5_000
MAX_APPROVALS: Final = 9

_CONDITIONS: Final = ("instrument", "jurisdiction", "data", "store", "resource", "path")


def parse_policy(documents: Iterable[Table], resources: Resources) -> Policy:
    """Parse documents into a policy; faults are noted with their documents'."""
    read = list(documents)
    instruments = _instruments(read)
    known = Known(resources, instruments)
    rules = _each(read, "rule", MAX_RULES)
    tests = _each(read, "test", MAX_TESTS)
    for document in read:
        document.done()
    return Policy(
        {name: each for name, each in instruments.items() if each is not None},
        tuple(rule for table in rules if (rule := _rule(table, known)) is not None),
        tuple(test for table in tests if (test := _test(table, known)) is not None),
    )


def _instruments(documents: Iterable[Table]) -> dict[InstrumentName, Instrument | None]:
    found: dict[InstrumentName, Instrument | None] = {}
    first: dict[str, Table] = {}
    for document in documents:
        tables = document.table("instrument", required=False)
        for key, _ in () if tables is None else tables.each():
            table = (
                tables.table(key) if tables is not None and tables.check_name(key, key) else None
            )
            if table is None:
                continue
            instrument = _instrument(InstrumentName(key), table)
            if first.setdefault(key, table) is not table:
                _twice("instrument", key, table, first[key])
            else:
                found[InstrumentName(key)] = instrument
    return found


def _instrument(name: InstrumentName, table: Table) -> Instrument | None:
    title = table.text("title")
    jurisdiction = table.text("jurisdiction")
    covers = table.choices("covers", Category)
    approvals = table.integer("approvals", 1, MAX_APPROVALS)
    table.done()
    if title is None or jurisdiction is None or approvals is None:
        return None
    return Instrument(name, title.value, jurisdiction.value, frozenset(covers), approvals)


def _each(documents: Iterable[Table], key: str, most: int) -> list[Table]:
    """Give the tables of one sort in all documents; a name that stands twice is a fault."""
    tables = [table for document in documents for table in document.tables(key)]
    if len(tables) > most:
        tables[most].fault(f"there are more than {most} tables `[[{key}]]`")
        return []
    first: dict[object, Table] = {}
    for table in tables:
        name = table.members.get("name")
        if isinstance(name, str) and first.setdefault(name, table) is not table:
            _twice(key, name, table, first[name], "name")
    return tables


def _twice(what: str, name: str, table: Table, first: Table, *at: str) -> None:
    place = f"{first.source.file}:{first.line(*at)}"
    table.fault(f"the {what} `{name}` is written twice: first in {place}", "", *at)


def _rule(table: Table, known: Known) -> Rule | None:
    name = table.name("name")
    treatment = table.choice("treatment", Treatment)
    category = table.choices("category", Category, alone=True)
    kind = table.choices("kind", Kind, alone=True)
    texts = {key: table.texts(key, required=False, alone=True) for key in _CONDITIONS}
    for key in ("category", "kind", *_CONDITIONS):
        if table.members.get(key) == []:
            table.fault(f"`{key}` is empty", "left out, it matches everything", key)
    unless_named = _unless(table)
    table.done()

    for text in texts["data"]:
        if not is_data(text.value):
            text.fault(f"`{text.value}` is no data category", "such as `user.contact`")
    stores = find_names(texts["store"], known.stores, "store")
    names = find_names(texts["resource"], known.resources, "resource")
    among = [
        resource
        for full, resource in known.resources.items()
        if (not names or full in names) and (not stores or full.partition("/")[0] in stores)
    ]
    where = "these resources" if names or stores else "the catalogue"
    paths = find_paths(texts["path"], among, where)
    instruments = find_names(texts["instrument"], known.instruments, "instrument")
    if None not in known.instruments.values():
        find_names(texts["jurisdiction"], known.jurisdictions, "jurisdiction")
    if name is None or treatment is None:
        return None
    return Rule(
        name=name,
        treatment=treatment,
        instrument=frozenset(map(InstrumentName, instruments)),
        jurisdiction=frozenset(text.value for text in texts["jurisdiction"]),
        category=frozenset(category),
        kind=frozenset(kind),
        data=frozenset(text.value for text in texts["data"]),
        store=frozenset(map(StoreName, stores)),
        resource=frozenset(map(ResourceName, names)),
        path=paths,
        unless_named=unless_named,
    )


def _unless(table: Table) -> bool:
    unless = table.table("unless", required=False)
    if unless is None:
        return False
    named = unless.raw("warrant_names_field")
    if named is not None and named is not True:
        hint = "a rule without an exception has no `unless`"
        unless.fault("`warrant_names_field` can only be true", hint, "warrant_names_field")
    unless.done()
    return True


def _test(table: Table, known: Known) -> PolicyTest | None:
    name = table.text("name")
    instrument = table.text("instrument")
    resource = table.text("resource")
    texts = {
        key: table.texts(key, required=False) for key in ("discloses", "tokenizes", "generalizes")
    }
    table.done()
    if instrument is not None:
        find_names([instrument], known.instruments, "instrument")
    if resource is not None:
        find_names([resource], known.resources, "resource")
    found = None if resource is None else known.resources.get(ResourceName(resource.value))
    if name is None or instrument is None or found is None:
        return None
    labels = {key: find_labels(each, found) for key, each in texts.items()}
    return PolicyTest(
        name=name.value,
        instrument=InstrumentName(instrument.value),
        resource=found.name,
        discloses=labels["discloses"],
        tokenizes=labels["tokenizes"],
        generalizes=labels["generalizes"],
        file=table.source.file,
        line=table.line(),
    )
