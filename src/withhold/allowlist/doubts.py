"""Doubts: what is no fault of a bundle and may not be meant, each at its file and line.

A bundle is loaded with all of them: nothing here decides. Each forgotten key is one doubt, however
many fields it keeps from ever leaving.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from withhold.allowlist.compile import compile_widest, matches
from withhold.allowlist.model import Entry
from withhold.catalogue.model import Catalogue, Field, Resource
from withhold.catalogue.taxonomy import misspelt
from withhold.errors import Fault
from withhold.names import Category, InstrumentName, Kind, Part, Reason, Treatment
from withhold.paths import Wild, print_path
from withhold.policy.model import Instrument, Policy
from withhold.toml.faults import listed, nearest

# Where things are written: `("rule", name)`, `("instrument", name)`; by the resource's name
# `("resource", name)`, `("subject", name)`, `("page", name)` and `("field", name, path)`; each with
# its file and line.
Places: TypeAlias = Mapping[tuple[str, ...], tuple[str, int]]

NEEDS: Final[Mapping[str, str]] = {
    Reason.NO_SUBJECT: "give the resource, or a record around the field, a `subject`",
    Reason.UNDATED: "say `snapshot = true`, or give it a record with a `time`",
}
_LACKS: Final = {
    Reason.NO_SUBJECT: "no record around it says whom it is about",
    Reason.UNDATED: "no record around it says when it was, and there is no `snapshot`",
}
_NEAR: Final = 0.6  # of a place's text, 1 is the same
_EVERYTHING: Final = Instrument(InstrumentName(""), "", "", frozenset(Category), 1)


def find_doubts(catalogue: Catalogue, policy: Policy, places: Places) -> Iterator[Fault]:
    """Give each doubt once."""
    resources = list(catalogue.resources.values())
    for resource in resources:
        yield from _nameless_keys(resource, places)
        yield from _unreachable(resource, places)
        yield from _misspelt_data(resource, places)
        yield from _misspelt_places(resource, places)
    yield from _idle_rules(policy, resources, places)
    yield from _empty_instruments(policy, places)
    yield from _decodable_tokens(policy, resources, places)


def _nameless_keys(resource: Resource, places: Places) -> Iterator[Fault]:
    maps = {
        field.path[: i + 1]: field.path
        for field in reversed(resource.fields)
        for i, segment in enumerate(field.path)
        if segment is Wild.MEMBERS
    }
    keyed = {field.path for field in resource.fields if field.part is Part.KEY}
    for path in sorted(maps.keys() - keyed, key=print_path):
        place = places["field", resource.name, print_path(maps[path])]
        message = f"`{resource.name}`: `{print_path(path)}` has no `key`"
        yield Fault(*place, f"{message}, so its keys leave as ordinals")


def _unreachable(resource: Resource, places: Places) -> Iterator[Fault]:
    """Find fields that no instrument could let out: their place lacks somebody, or a time."""
    lacking: dict[Reason, list[Entry]] = {}
    for entry in compile_widest(_EVERYTHING, Policy({}, (), ()), resource).entries:
        if entry.treatment is Treatment.WITHHOLD:
            lacking.setdefault(Reason(entry.reason), []).append(entry)
    for reason, entries in lacking.items():
        fields = listed(entry.field.label for entry in entries)
        message = f"`{resource.name}`: {fields} can never leave: {_LACKS[reason]}"
        yield Fault(*places["resource", resource.name], message, NEEDS[reason])


def _misspelt_data(resource: Resource, places: Places) -> Iterator[Fault]:
    """Find data categories that are nearly one of the taxonomy's."""
    found: dict[str, list[Field]] = {}
    for field in resource.fields:
        found.setdefault(field.data, []).append(field)
    for data, fields in found.items():
        meant = misspelt(data)
        if meant is not None:
            labels = listed(field.label for field in fields)
            message = f"`{resource.name}`: `{data}`, the data of {labels}, is not in the taxonomy"
            place = places["field", resource.name, print_path(fields[0].path)]
            yield Fault(*place, f"{message}: rules by `data` may miss it", _meant(meant))


def _misspelt_places(resource: Resource, places: Places) -> Iterator[Fault]:
    """Find where answer and subject, or one page and the next, may be looked for in vain.

    Neither place need be declared, so only one that is nearly a declared one is in doubt.
    """
    name = resource.name
    leaves = {f.path: f.form.kind for f in resource.fields if f.part is Part.VALUE}
    subject = resource.subject
    if subject is not None and subject.confirm is not None and subject.confirm not in leaves:
        alike = {print_path(path) for path, kind in leaves.items() if kind is subject.form.kind}
        meant = nearest(print_path(subject.confirm), alike, _NEAR)
        if meant is not None:
            what = f"`confirm`, `{print_path(subject.confirm)}`"
            message = f"`{name}`: nothing is declared at {what}: answers may never agree"
            yield Fault(*places["subject", name], message, _meant(meant))
    if resource.page is not None:
        around = resource.page.next[:-1]
        objects = {path[:i] for path in leaves for i in range(len(path))}
        meant = nearest(print_path(around), set(map(print_path, objects)), _NEAR)
        if meant is not None and around not in objects:
            what = f"`page.next`, `{print_path(resource.page.next)}`"
            message = f"`{name}`: nothing is declared around {what}: there may be no next page"
            yield Fault(*places["page", name], message, _meant(f"{meant}.…"))


def _meant(text: str) -> str:
    return f"did you mean `{text}`?"


def _idle_rules(policy: Policy, resources: Iterable[Resource], places: Places) -> Iterator[Fault]:
    for rule in policy.rules:
        place = places["rule", rule.name]
        if rule.treatment is Treatment.DISCLOSE:
            why = "what it lets through was let through"
            yield Fault(*place, f"the rule `{rule.name}` decides nothing: {why}")
        elif not any(
            field.category in instrument.covers and matches(rule, field, resource, instrument)
            for resource in resources
            for field in resource.fields
            for instrument in policy.instruments.values()
        ):
            message = f"the rule `{rule.name}` matches no field that an instrument covers"
            yield Fault(*place, message)


def _empty_instruments(policy: Policy, places: Places) -> Iterator[Fault]:
    for name, instrument in policy.instruments.items():
        words = f"{name} {instrument.title}".lower()
        if not instrument.covers and "preserv" not in words:
            message = f"the instrument `{name}` covers nothing, and is no preservation"
            yield Fault(*places["instrument", name], message)


def _decodable_tokens(
    policy: Policy, resources: Iterable[Resource], places: Places
) -> Iterator[Fault]:
    """Find instruments whose answers show in the clear what other answers tokenize.

    A warrant either names no field, or gets none that it does not name: two sets of allowlists.
    """
    for name, instrument in policy.instruments.items():
        for message in dict.fromkeys(_decodings(instrument, policy, resources)):
            yield Fault(*places["instrument", name], message)


def _decodings(
    instrument: Instrument, policy: Policy, resources: Iterable[Resource]
) -> Iterator[str]:
    for named in (False, True):
        found: dict[tuple[Kind, Treatment], str] = {}
        for resource in resources:
            for entry in compile_widest(instrument, policy, resource, named=named).covered:
                place = f"`{entry.field.label}` of `{resource.name}`"
                found.setdefault((entry.field.form.kind, entry.treatment), place)
        for (kind, treatment), place in found.items():
            clear = found.get((kind, Treatment.DISCLOSE))
            if treatment is Treatment.TOKENIZE and clear is not None:
                yield (
                    f"`{instrument.name}` tokenizes {place} and discloses {clear}:"
                    f" the clear `{kind}` decodes the token"
                )
