"""The compiler: warrant × bundle × resource → allowlist, a decision and its reason for each field.

The instrument is the ceiling, the warrant narrows it, rules narrow or treat what is left. Nothing
here can widen: the first step that says no has the last word. Targets, period and the state of the
warrant are not looked at; they are the minimizer's and the proxy's.
"""

from collections.abc import Sequence
from typing import Final

from withhold.allowlist.model import Allowlist, Entry
from withhold.catalogue.model import Field, Resource
from withhold.names import Kind, Part, Reason, Treatment
from withhold.paths import Path
from withhold.policy.model import Instrument, Policy, Rule
from withhold.warrant.model import NamedField, Warrant

# What a treatment needs of a kind; on any other kind it means `withhold` (contract §5).
_TREATABLE: Final = {
    Treatment.DISCLOSE: frozenset(Kind),
    Treatment.TOKENIZE: frozenset({Kind.IP}),
    Treatment.GENERALIZE: frozenset({Kind.IP, Kind.TIMESTAMP}),
    Treatment.WITHHOLD: frozenset(Kind),
}


def compile_allowlist(
    warrant: Warrant, instrument: Instrument, policy: Policy, resource: Resource
) -> Allowlist:
    """Compile what `warrant` lets through of `resource`. `instrument` is the warrant's."""
    rules = _in_order(policy)
    decided = (_decide(field, resource, instrument, rules, warrant) for field in resource.fields)
    return Allowlist(resource, tuple(decided))


def compile_widest(
    instrument: Instrument, policy: Policy, resource: Resource, *, named: bool = False
) -> Allowlist:
    """Compile the widest that a warrant under `instrument` can get.

    `named`: as if the warrant named every field, which sets aside rules with `unless`. A decision
    depends on no other field's, so these two say all that any warrant of the instrument can get.
    """
    rules = _in_order(policy)
    decided = (_treat(f, resource, instrument, rules, named=named) for f in resource.fields)
    return Allowlist(resource, tuple(decided))


def _in_order(policy: Policy) -> Sequence[Rule]:
    """Give the rules by name: of two that decide alike, which one is named must not be chance."""
    return sorted(policy.rules, key=lambda rule: rule.name)


def narrow(allowlist: Allowlist, requested: frozenset[Path]) -> Allowlist:
    """Withhold what was not requested. Source: contract §7, `Withhold-Fields`."""
    return Allowlist(
        allowlist.resource,
        tuple(
            entry
            if entry.treatment is Treatment.WITHHOLD or entry.field.path in requested
            else Entry(entry.field, Treatment.WITHHOLD, Reason.NOT_REQUESTED)
            for entry in allowlist.entries
        ),
    )


def _decide(
    field: Field,
    resource: Resource,
    instrument: Instrument,
    rules: Sequence[Rule],
    warrant: Warrant,
) -> Entry:
    named = NamedField(resource.name, field.path) in warrant.fields
    entry = _treat(field, resource, instrument, rules, named=named)
    if entry.reason == Reason.NOT_IN_INSTRUMENT:
        return entry
    if (warrant.categories and field.category not in warrant.categories) or (
        warrant.fields and not named
    ):
        return Entry(field, Treatment.WITHHOLD, Reason.NOT_IN_WARRANT)
    return entry


def _treat(
    field: Field, resource: Resource, instrument: Instrument, rules: Sequence[Rule], *, named: bool
) -> Entry:
    if field.category not in instrument.covers:
        return Entry(field, Treatment.WITHHOLD, Reason.NOT_IN_INSTRUMENT)
    treatment, reason = _apply(field, resource, instrument, rules, named=named)
    if treatment is not Treatment.WITHHOLD and (missing := _missing_scope(field, resource)):
        return Entry(field, Treatment.WITHHOLD, missing)
    return Entry(field, treatment, reason)


def _apply(
    field: Field, resource: Resource, instrument: Instrument, rules: Sequence[Rule], *, named: bool
) -> tuple[Treatment, str]:
    """Give the most restrictive of all rules that match, and the first by name that asks for it."""
    asked: dict[Treatment, str] = {}
    for rule in rules:
        if not (rule.unless_named and named) and matches(rule, field, resource, instrument):
            # Keys are disclosed or become ordinals, which is all that withholding them does.
            treats = field.form.kind in _TREATABLE[rule.treatment] and (
                field.part is Part.VALUE or rule.treatment is Treatment.DISCLOSE
            )
            asked.setdefault(rule.treatment if treats else Treatment.WITHHOLD, f"rule:{rule.name}")
    if Treatment.WITHHOLD in asked:
        return Treatment.WITHHOLD, asked[Treatment.WITHHOLD]
    if Treatment.TOKENIZE in asked and Treatment.GENERALIZE in asked:
        # Neither is narrower than the other, and both at once would be a third thing.
        return Treatment.WITHHOLD, min(asked[Treatment.TOKENIZE], asked[Treatment.GENERALIZE])
    for treatment in (Treatment.TOKENIZE, Treatment.GENERALIZE):
        if treatment in asked:
            return treatment, asked[treatment]
    return Treatment.DISCLOSE, Reason.COVERED


def matches(rule: Rule, field: Field, resource: Resource, instrument: Instrument) -> bool:
    """Tell whether all that the rule names matches (its `unless` aside)."""
    return (
        (not rule.instrument or instrument.name in rule.instrument)
        and (not rule.jurisdiction or instrument.jurisdiction in rule.jurisdiction)
        and (not rule.category or field.category in rule.category)
        and (not rule.kind or field.form.kind in rule.kind)
        and (not rule.store or resource.store in rule.store)
        and (not rule.resource or resource.name in rule.resource)
        and (
            not rule.data
            or any(_holds(data.split("."), field.data.split(".")) for data in rule.data)
        )
        and (not rule.path or any(_holds(path, field.path) for path in rule.path))
    )


def _holds(outer: Sequence[object], inner: Sequence[object]) -> bool:
    """Tell whether `inner` is `outer` or lies beneath it, by whole segments."""
    return list(inner[: len(outer)]) == list(outer)


def _missing_scope(field: Field, resource: Resource) -> Reason | None:
    """Tell what the place of a field lacks by its structure alone: somebody, or a time."""
    around = resource.records_around(field.path)
    if resource.subject is None and all(record.subject is None for record in around):
        return Reason.NO_SUBJECT
    if not resource.snapshot and all(record.time is None for record in around):
        return Reason.UNDATED
    return None


def count_asked(allowlist: Allowlist, warrant: Warrant) -> int:
    """Count the fields of the resource that the order itself asks for, whoever refuses them.

    What its instrument cannot reach is asked for only where the order names it or its category.
    """
    return sum(_is_asked(entry, allowlist.resource, warrant) for entry in allowlist.entries)


def _is_asked(entry: Entry, resource: Resource, warrant: Warrant) -> bool:
    if entry.reason != Reason.NOT_IN_INSTRUMENT:
        return entry.reason != Reason.NOT_IN_WARRANT
    by_category = not warrant.categories or entry.field.category in warrant.categories
    by_name = not warrant.fields or NamedField(resource.name, entry.field.path) in warrant.fields
    return by_category and by_name and bool(warrant.categories or warrant.fields)


def covers_keys(allowlist: Allowlist, path: Path) -> Entry | None:
    """Give the entry that lets out the keys of a map, if one does; its members stand at `path`."""
    for entry in allowlist.covered:
        if entry.field.part is Part.KEY and entry.field.path == path:
            # Whoever made the allowlist: any other treatment of keys means ordinals.
            return entry if entry.treatment is Treatment.DISCLOSE else None
    return None
