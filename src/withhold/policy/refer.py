"""Refer: the names that rules and tests use, held against what is declared.

What can't be known, because a document at fault would say it, is let pass: it is not another fault.
"""

import contextlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from withhold.catalogue.model import Resource
from withhold.names import InstrumentName, ResourceName, StoreName
from withhold.paths import Path, PathError, parse_path, print_path
from withhold.policy.model import Instrument
from withhold.toml.faults import did_you_mean
from withhold.toml.table import Text


@dataclass(frozen=True)
class Known:
    """What may be referred to; None under a name: declared, and at fault."""

    resources: Mapping[ResourceName, Resource | None]
    instruments: Mapping[InstrumentName, Instrument | None]

    @property
    def stores(self) -> set[StoreName]:
        """The stores that have a resource."""
        return {StoreName(name.partition("/")[0]) for name in self.resources}

    @property
    def jurisdictions(self) -> set[str]:
        """The jurisdictions of all instruments that are not at fault."""
        return {each.jurisdiction for each in self.instruments.values() if each is not None}


def find_names(texts: Iterable[Text], known: Collection[str], what: str) -> frozenset[str]:
    """Give those of `texts` that are known; the others are faults."""
    found = set()
    for text in texts:
        if text.value in known:
            found.add(text.value)
        else:
            text.fault(f"there is no {what} `{text.value}`", did_you_mean(text.value, known))
    return frozenset(found)


def find_paths(
    texts: Iterable[Text], resources: Iterable[Resource | None], where: str
) -> frozenset[Path]:
    """Give the paths at or beneath which something is declared; the others are faults."""
    candidates = list(resources)
    declared = {field.path for each in candidates if each is not None for field in each.fields}
    places = {path[:i] for path in declared for i in range(len(path) + 1)}
    found = set()
    for text in texts:
        try:
            path = parse_path(text.value)
        except PathError as error:
            text.fault(f"{error}", "from `$`, by `.name`, `['odd.name']`, `[*]` and `.*`")
            continue
        if path not in places and None not in candidates:
            known = {print_path(place) for place in places}
            hint = did_you_mean(print_path(path), known)
            text.fault(f"nothing is declared at `{text.value}` in {where}", hint)
        found.add(path)
    return frozenset(found)


def find_labels(texts: Iterable[Text], resource: Resource) -> tuple[str, ...]:
    """Give labels and bare paths, as they are written canonically; what is unknown is a fault."""
    labels = {field.label for field in resource.fields}
    paths = {print_path(field.path) for field in resource.fields}
    found = []
    for text in texts:
        written = text.value
        if written not in labels:
            with contextlib.suppress(PathError):
                written = print_path(parse_path(written))
        if written not in labels | paths:
            hint = did_you_mean(written, labels | paths)
            text.fault(f"nothing is declared at `{text.value}` in `{resource.name}`", hint)
        found.append(written)
    return tuple(found)
