"""Remarks: what a warrant asks for in vain. No fault, but intake should hear of it. Pure.

A slip of the pen here would show only when somebody needs the disclosure and gets nothing.
"""

from collections.abc import Collection, Iterator

from withhold.bundle import Bundle
from withhold.names import CallerName
from withhold.paths import print_path
from withhold.warrant.model import Warrant
from withhold.warrant.verify import remarks_on


def remarks(warrant: Warrant, bundle: Bundle, callers: Collection[CallerName]) -> tuple[str, ...]:
    """Give a line for each thing that cannot lead to a disclosure as things are now."""
    instrument = bundle.policy.instruments.get(warrant.instrument)
    found = [] if instrument is None else list(remarks_on(warrant, instrument))
    return (*found, *_unknown_fields(warrant, bundle), *_unknown_callers(warrant, callers))


def _unknown_fields(warrant: Warrant, bundle: Bundle) -> Iterator[str]:
    for each in sorted(warrant.fields, key=lambda each: (each.resource, print_path(each.path))):
        resource = bundle.catalogue.resources.get(each.resource)
        if resource is None:
            yield f"`{each.resource}` is no resource of the catalogue"
        elif all(field.path != each.path for field in resource.fields):
            yield f"nothing is declared at `{print_path(each.path)}` in `{each.resource}`"


def _unknown_callers(warrant: Warrant, callers: Collection[CallerName]) -> Iterator[str]:
    for name in sorted(warrant.callers - set(callers)):
        yield f"`{name}` is no caller of this deployment"
