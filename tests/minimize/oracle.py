"""What may leave of a document, worked out leaf by leaf, and an output built from that alone.

Written from the contract and apart from both engines. They walk a document once, from its root
down; this asks, for each covered field, which places it has in the document, whether every record
around each place is in scope, and which variant fits. The output is then built from those leaves
and their places: law 2 says that it can be. Only the kinds (what a value is worth) are shared.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.documents import Case
from withhold.allowlist.model import Entry
from withhold.catalogue.model import Record, When
from withhold.kinds.scalar import MALFORMED, Number, Scalar, identity, instant, normal_form, treat
from withhold.names import Part, Treatment
from withhold.paths import Path, Wild

Steps = tuple[int | str, ...]  # where a value is: indexes and names from the root
MISSING = object()


@dataclass(frozen=True)
class Leaf:
    """A leaf that may leave: where it is, by which field, and as what."""

    steps: Steps
    order: tuple[int, ...]  # of the elements and map members on the way
    entry: Entry
    value: Scalar


def parse(body: bytes | str) -> Any:  # noqa: ANN401 - any JSON
    """Parse JSON; numbers keep their digits."""
    return json.loads(body, parse_int=Number, parse_float=Number)


def places(document: object, path: Path) -> Iterator[tuple[Steps, tuple[int, ...], list[object]]]:
    """Give every place of `path`: its steps, the order of its wildcards, the values on the way."""
    found: list[tuple[Steps, tuple[int, ...], list[object]]] = [((), (), [document])]
    for segment in path:
        deeper = []
        for steps, order, way in found:
            value = way[-1]
            if segment is Wild.ELEMENTS and isinstance(value, list):
                deeper += [((*steps, i), (*order, i), [*way, v]) for i, v in enumerate(value)]
            elif segment is Wild.MEMBERS and isinstance(value, dict):
                deeper += [
                    ((*steps, k), (*order, i), [*way, v]) for i, (k, v) in enumerate(value.items())
                ]
            elif isinstance(segment, str) and isinstance(value, dict) and segment in value:
                deeper.append(((*steps, segment), order, [*way, value[segment]]))
        found = deeper
    yield from found


def at(value: object, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON
    """Follow names; MISSING where one is not there."""
    for name in names:
        value = value.get(name, MISSING) if isinstance(value, dict) else MISSING
    return value


def is_in_scope(record: Record, value: object, case: Case) -> bool:
    """Tell whether a record is about a target and within the period."""
    if record.subject is not None:
        form = record.subject.form
        wanted = {t.value for t in case.scope.targets if t.kind is form.kind}
        values = [at(value, names) for names in record.subject.fields]
        found = {identity(form, v) for v in values if v is not MISSING and not is_container(v)}
        if not found & wanted:
            return False
    if record.time is not None:
        stamp = at(value, record.time.field)
        if stamp is MISSING or is_container(stamp):
            return False
        moment = instant(record.time.form, stamp)
        period = case.scope.period
        return moment is not None and period.since <= moment < period.until
    return True


def is_container(value: object) -> bool:
    """Tell whether a value is an object or an array."""
    return isinstance(value, list | dict)


def fits(when: When | None, base: object) -> bool:
    """Tell whether a variant is what its neighbour says, compared as JSON text."""
    if when is None:
        return True
    told = at(base, when.field)
    if isinstance(told, Number):
        return type(when.value) is int and str(when.value) == told.text
    return isinstance(told, str | bool) and type(told) is type(when.value) and told == when.value


def leaves(case: Case, document: object) -> list[Leaf]:
    """Give every leaf of `document` that may leave."""
    found = []
    for entry in case.allowlist.entries:
        field = entry.field
        if entry.treatment is Treatment.WITHHOLD or field.part is Part.KEY:
            continue
        around = [r for r in case.allowlist.resource.records if r.each == field.path[: len(r.each)]]
        for steps, order, way in places(document, field.path):
            if all(is_in_scope(r, way[len(r.each)], case) for r in around) and fits(
                field.when, way[len(field.base)]
            ):
                value: Any = way[-1]
                if not is_container(value):
                    out = treat(field.form, entry.treatment, value, case.scope.tokenizer)
                    if out is not MALFORMED:
                        found.append(Leaf(steps, order, entry, out))
    return found


def repeats_subject(case: Case, document: object) -> bool:
    """Tell whether the answer says everywhere, where it should, whom it is about."""
    subject = case.allowlist.resource.subject
    if subject is None or subject.confirm is None:
        return True
    seen = list(places(document, subject.confirm))
    if any(
        is_container(way[-1]) or identity(subject.form, _scalar(way[-1])) != case.scope.subject
        for _, _, way in seen
    ):
        return False
    return not _stops_short(document, subject.confirm)


def _scalar(value: object) -> Any:  # noqa: ANN401 - a Scalar, as it has been checked to be
    return value


def _stops_short(document: object, path: Path) -> bool:
    """Tell whether some way along `path` ends before its end, other than in an empty container."""
    for i in range(len(path)):
        for _, _, way in places(document, path[:i]):
            segment, value = path[i], way[-1]
            wanted = list if segment is Wild.ELEMENTS else dict
            if not isinstance(value, wanted) or (isinstance(segment, str) and segment not in value):
                return True
    return False


def build(case: Case, found: list[Leaf]) -> object:
    """Build the output from leaves and their places alone; MISSING if there are none."""
    return _build(case, sorted(found, key=lambda leaf: leaf.order), 0) if found else MISSING


def _build(case: Case, found: list[Leaf], depth: int) -> object:
    path = found[0].entry.field.path
    if len(path) == depth:
        return found[0].value
    names = list(dict.fromkeys(leaf.steps[depth] for leaf in found))
    values = [
        _build(case, [leaf for leaf in found if leaf.steps[depth] == name], depth + 1)
        for name in names
    ]
    if path[depth] is Wild.ELEMENTS:
        return values
    if path[depth] is Wild.MEMBERS:
        names = list(_names(case, path[: depth + 1], [str(name) for name in names]))
    return dict(zip(names, values, strict=True))


def _names(case: Case, path: Path, keys: list[str]) -> list[str]:
    """Name the members of a map: by their keys if all may leave, else by ordinals."""
    disclosing = [
        e.field.form
        for e in case.allowlist.entries
        if e.field.part is Part.KEY and e.field.path == path and e.treatment is Treatment.DISCLOSE
    ]
    normal = [normal_form(disclosing[0], key) for key in keys] if disclosing else [MALFORMED]
    if MALFORMED in normal or len(set(normal)) < len(keys):
        return [str(i + 1) for i in range(len(keys))]
    return [str(key) for key in normal]


def column(output: object, path: Path) -> list[object]:
    """Give the values of an output at the places of `path`, in order."""
    return [way[-1] for _, _, way in sorted(places(output, path), key=lambda place: place[1])]
