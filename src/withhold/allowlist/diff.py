"""Diff: what a change of bundle would let out, exactly, for every warrant that could be.

For each instrument × resource × field both bundles are compiled twice, as for a warrant that names
no field and for one that names them all. A field's decision depends on no other field, so these two
and the field's category say all that any warrant can get: the comparison is exact, not sampled.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from withhold.allowlist.canonical import Json, field_decides, resource_decides
from withhold.allowlist.compile import compile_widest
from withhold.allowlist.model import Allowlist, Entry
from withhold.catalogue.model import Catalogue, Resource
from withhold.names import InstrumentName, ResourceName, Treatment
from withhold.policy.model import Instrument, Policy


class Verdict(StrEnum):
    """How a new bundle compares with an old one."""

    EQUAL = "equal"  # the same compiled bytes
    NARROWER = "narrower"
    WIDER = "wider"
    INCOMPARABLE = "incomparable"  # something else that decides has changed, or both of the above


@dataclass(frozen=True)
class Change:
    """One difference. `named`: for warrants that name the field, where that matters."""

    instrument: InstrumentName
    resource: ResourceName
    label: str  # the field; for a whole resource or instrument, what of it changed
    old: str  # treatment, or what decided
    new: str
    verdict: Verdict
    named: bool = False


def diff(old: tuple[Catalogue, Policy], new: tuple[Catalogue, Policy]) -> tuple[Change, ...]:
    """Give every difference between two bundles, in a stable order. None means `equal`."""
    changes: list[Change] = []
    for name in sorted({*old[1].instruments, *new[1].instruments}):
        changes += _diff_instrument(name, old, new)
    return tuple(changes)


def verdict_of(changes: Iterable[Change]) -> Verdict:
    """Sum up: one direction only, or `incomparable`."""
    verdicts = {change.verdict for change in changes}
    if not verdicts:
        return Verdict.EQUAL
    return verdicts.pop() if len(verdicts) == 1 else Verdict.INCOMPARABLE


def _diff_instrument(
    name: InstrumentName, old: tuple[Catalogue, Policy], new: tuple[Catalogue, Policy]
) -> Iterable[Change]:
    before, after = old[1].instruments.get(name), new[1].instruments.get(name)
    if before is not None and after is not None:
        # What of an instrument decides which warrants count: a warrant repeats its jurisdiction.
        yield from _diff_members(
            {"approvals": before.approvals, "jurisdiction": before.jurisdiction},
            {"approvals": after.approvals, "jurisdiction": after.jurisdiction},
            (name, ResourceName("*")),
            "",
            named=False,
        )
    for resource in sorted({*old[0].resources, *new[0].resources}):
        unnamed = list(
            _diff_resource(
                _entries(before, old, resource, named=False),
                _entries(after, new, resource, named=False),
                (name, resource),
                named=False,
            )
        )
        yield from unnamed
        known = {(change.label, change.old, change.new) for change in unnamed}
        for change in _diff_resource(
            _entries(before, old, resource, named=True),
            _entries(after, new, resource, named=True),
            (name, resource),
            named=True,
        ):
            if (change.label, change.old, change.new) not in known:
                yield change


def _entries(
    instrument: Instrument | None,
    bundle: tuple[Catalogue, Policy],
    name: ResourceName,
    *,
    named: bool,
) -> Allowlist | None:
    resource = bundle[0].resources.get(name)
    if instrument is None or resource is None:
        return None
    return compile_widest(instrument, bundle[1], resource, named=named)


def _diff_resource(
    old: Allowlist | None,
    new: Allowlist | None,
    where: tuple[InstrumentName, ResourceName],
    *,
    named: bool,
) -> Iterable[Change]:
    before, after = _covered(old), _covered(new)
    if old is not None and new is not None and before and after:
        yield from _diff_calling(old.resource, new.resource, where, named=named)
    for label in sorted({*before, *after}):
        was, now = before.get(label), after.get(label)
        treatments = (_treatment(was), _treatment(now))
        if treatments[0] is not treatments[1]:
            yield Change(*where, label, *treatments, _compare(*treatments), named)
        if was is not None and now is not None and old is not None and new is not None:
            yield from _diff_members(
                _decides(old.resource, was),
                _decides(new.resource, now),
                where,
                f"{label}: ",
                named=named,
            )


def _covered(allowlist: Allowlist | None) -> Mapping[str, Entry]:
    return {} if allowlist is None else {entry.field.label: entry for entry in allowlist.covered}


def _diff_calling(
    old: Resource, new: Resource, where: tuple[InstrumentName, ResourceName], *, named: bool
) -> Iterable[Change]:
    return _diff_members(resource_decides(old), resource_decides(new), where, "", named=named)


def _decides(resource: Resource, entry: Entry) -> dict[str, Json]:
    # The category is in no allowlist's bytes, and decides which warrants get the field at all:
    # one for the old category alone loses it, one for the new category alone gains it.
    return {**field_decides(resource, entry.field), "category": entry.field.category.value}


def _diff_members(
    old: Mapping[str, Json],
    new: Mapping[str, Json],
    where: tuple[InstrumentName, ResourceName],
    prefix: str,
    *,
    named: bool,
) -> Iterable[Change]:
    for member in old:
        if old[member] != new[member]:
            was, now = str(old[member]), str(new[member])
            yield Change(*where, f"{prefix}{member}", was, now, Verdict.INCOMPARABLE, named)


def _treatment(entry: Entry | None) -> Treatment:
    return Treatment.WITHHOLD if entry is None else entry.treatment


def _compare(old: Treatment, new: Treatment) -> Verdict:
    """Compare two different treatments: `tokenize` and `generalize` are not comparable."""
    rank = {Treatment.WITHHOLD: 0, Treatment.TOKENIZE: 1, Treatment.GENERALIZE: 1}
    before, after = rank.get(old, 2), rank.get(new, 2)
    if before == after:
        return Verdict.INCOMPARABLE
    return Verdict.WIDER if after > before else Verdict.NARROWER
