"""Choice: which resources are measured, under which instrument, with which answers. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from withhold.allowlist.compile import compile_widest
from withhold.allowlist.model import Allowlist
from withhold.bench.answers import Answer, Sketch, sketch
from withhold.bench.values import NoExample
from withhold.bundle import Bundle
from withhold.catalogue.model import Resource
from withhold.errors import BadRequest
from withhold.names import InstrumentName, ResourceName, StoreName
from withhold.policy.model import Instrument
from withhold.toml.faults import did_you_mean


@dataclass(frozen=True)
class Chosen:
    """One resource, what a warrant of the instrument lets out of it, and what answers look like."""

    shape: Sketch
    allowlist: Allowlist


@dataclass(frozen=True)
class Case:
    """One resource, and one answer of its store."""

    shape: Sketch
    allowlist: Allowlist
    answer: Answer


@dataclass(frozen=True)
class Choice:
    """What is measured, and what is left out, and why."""

    instrument: Instrument
    chosen: tuple[Chosen, ...]
    skipped: tuple[str, ...]


def choose(
    bundle: Bundle,
    stores: Sequence[StoreName],
    names: Sequence[ResourceName],
    instrument: InstrumentName | None,
) -> Choice:
    """Choose. `names`: empty for all of `stores`; `instrument`: None for the widest.

    Raises: BadRequest if one is not there, or nothing of a resource is covered; NoExample.
    """
    resources = [_find(bundle, stores, name) for name in names] or [
        each for _, each in sorted(bundle.catalogue.resources.items()) if each.store in stores
    ]
    under = _instrument(bundle, instrument, resources)
    chosen: list[Chosen] = []
    skipped: list[str] = []
    for resource in resources:
        allowlist = compile_widest(under, bundle.policy, resource)
        if not allowlist.leaves:
            why = f"nothing of `{resource.name}` is covered under `{under.name}`"
            if names:
                raise BadRequest(why, "choose another with --instrument")
            skipped.append(why)
            continue
        try:
            chosen.append(Chosen(sketch(resource), allowlist))
        except NoExample as error:
            if names:
                raise
            skipped.append(f"`{resource.name}`: {error.message}")
    if not chosen:
        message = "there is nothing to measure: no resource of a deployed store is covered"
        raise BadRequest(message, "\n".join(skipped))
    return Choice(under, tuple(chosen), tuple(skipped))


def _find(bundle: Bundle, stores: Sequence[StoreName], name: ResourceName) -> Resource:
    found = bundle.catalogue.resources.get(name)
    if found is None:
        hint = did_you_mean(name, bundle.catalogue.resources)
        raise BadRequest(f"`{name}` is no resource of the catalogue", hint)
    if found.store not in stores:
        raise BadRequest(f"the deployment has no store `{found.store}`")
    return found


def _instrument(
    bundle: Bundle, name: InstrumentName | None, resources: Sequence[Resource]
) -> Instrument:
    """Give the instrument of this name, or the one under which most fields are covered."""
    instruments = bundle.policy.instruments
    if name is None:

        def width(each: Instrument) -> tuple[int, int, str]:
            covered = sum(_covered(bundle, each, resources))
            return -covered, each.approvals, each.name

        return min(instruments.values(), key=width)
    if name not in instruments:
        hint = did_you_mean(name, instruments)
        raise BadRequest(f"the policy has no instrument `{name}`", hint)
    return instruments[name]


def _covered(bundle: Bundle, under: Instrument, resources: Sequence[Resource]) -> Iterator[int]:
    for resource in resources:
        yield len(compile_widest(under, bundle.policy, resource).covered)
