"""Doubts: what is no fault of a bundle and may not be meant, each at its file and line.

A bundle is loaded with all of them: nothing here decides. Each forgotten key is one doubt, however
many fields it keeps from ever leaving.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from withhold.allowlist.compile import compile_widest, matches
from withhold.allowlist.model import Entry
from withhold.catalogue.model import Catalogue, Resource
from withhold.errors import Fault
from withhold.names import Category, InstrumentName, Kind, Part, Reason, Treatment
from withhold.paths import Wild, print_path
from withhold.policy.model import Instrument, Policy
from withhold.toml.faults import listed

# Where things are written: `("rule", name)`, `("instrument", name)`, `("resource", name)` and
# `("field", name of the resource, path)`, each with its file and line.
Places: TypeAlias = Mapping[tuple[str, ...], tuple[str, int]]

NEEDS: Final[Mapping[str, str]] = {
    Reason.NO_SUBJECT: "give the resource, or a record around the field, a `subject`",
    Reason.UNDATED: "say `snapshot = true`, or give it a record with a `time`",
}
_LACKS: Final = {
    Reason.NO_SUBJECT: "no record around it says whom it is about",
    Reason.UNDATED: "no record around it says when it was, and there is no `snapshot`",
}
_EVERYTHING: Final = Instrument(InstrumentName(""), "", "", frozenset(Category), 1)


def find_doubts(catalogue: Catalogue, policy: Policy, places: Places) -> Iterator[Fault]:
    """Give each doubt once."""
    resources = list(catalogue.resources.values())
    for resource in resources:
        yield from _nameless_keys(resource, places)
        yield from _unreachable(resource, places)
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
