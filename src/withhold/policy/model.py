"""The policy as values: instruments, rules, tests. Made by `parse`, frozen here."""

from collections.abc import Mapping
from dataclasses import dataclass

from withhold.names import Category, InstrumentName, Kind, ResourceName, StoreName, Treatment
from withhold.paths import Path


@dataclass(frozen=True)
class Instrument:
    """A type of legal order: the ceiling that a warrant can only narrow."""

    name: InstrumentName
    title: str
    jurisdiction: str
    covers: frozenset[Category]
    approvals: int  # signatures by persons other than intake's, at least 1


@dataclass(frozen=True)
class Rule:
    """Narrows or treats; matches if all that it names match, an empty condition matches all."""

    name: str
    treatment: Treatment
    instrument: frozenset[InstrumentName] = frozenset()
    jurisdiction: frozenset[str] = frozenset()
    category: frozenset[Category] = frozenset()
    kind: frozenset[Kind] = frozenset()
    data: frozenset[str] = (
        frozenset()
    )  # by whole dotted segment: `user.contact` has `user.contact.email`
    store: frozenset[StoreName] = frozenset()
    resource: frozenset[ResourceName] = frozenset()
    path: frozenset[Path] = frozenset()  # by whole segment, what lies beneath included
    unless_named: bool = False  # `unless = { warrant_names_field = true }`


@dataclass(frozen=True)
class PolicyTest:
    """Exactly what an instrument's widest warrant gets of a resource.

    The three lists hold labels or bare paths; a bare path stands for all that is declared at it.
    """

    name: str
    instrument: InstrumentName
    resource: ResourceName
    discloses: tuple[str, ...] = ()
    tokenizes: tuple[str, ...] = ()
    generalizes: tuple[str, ...] = ()
    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class Policy:
    """Instruments by name, rules and tests in the order of the files."""

    instruments: Mapping[InstrumentName, Instrument]
    rules: tuple[Rule, ...]
    tests: tuple[PolicyTest, ...]
