"""The executable specification of the minimizer: short, plain, and with the last word.

It says what contract §3 and §4 mean, one rule a function, and knows nothing of speed. The fast plan
must give the same bytes and the same tally, and hands over to it whatever it can't read cleanly: a
value of another type than its kind, an escape that is no character, a document that is not JSON.
"""

from enum import Enum
from typing import Final, TypeAlias

from withhold.allowlist.compile import covers_keys
from withhold.allowlist.model import Allowlist, Entry
from withhold.catalogue.model import Record, RequestSubject, When
from withhold.errors import Mismatch
from withhold.kinds.form import Form
from withhold.kinds.scalar import MALFORMED, Number, identity, instant, treat
from withhold.minimize.document import Json, Output, output_of, parse_document, print_document
from withhold.minimize.keys import name_keys
from withhold.minimize.scope import Scope
from withhold.minimize.tally import Tally
from withhold.names import Reason
from withhold.paths import Names, Path, Segment, Wild, print_path


class _Nothing(Enum):
    """There is no value here, or none that may leave."""

    ABSENT = "absent"


ABSENT: Final = _Nothing.ABSENT
Found: TypeAlias = "Json | _Nothing"
Kept: TypeAlias = "Output | _Nothing"


def minimize(allowlist: Allowlist, scope: Scope, body: bytes) -> tuple[bytes | None, Tally]:
    """Give what leaves of `body`, or None if nothing does, and the counts.

    `body`: UTF-8 JSON, one document. Raises: Malformed, Mismatch.
    """
    document = parse_document(body)
    subject = allowlist.resource.subject
    if (
        subject is not None
        and subject.confirm is not None
        and not _agrees(document, subject.confirm, subject, scope)
    ):
        message = "the answer is not about the subject that was asked for"
        raise Mismatch(message)
    walk = _Walk(allowlist, scope)
    kept = walk.visit(document, (), document)
    return (None if kept is ABSENT else print_document(kept)), walk.tally


class _Walk:
    """One document's walk: the arguments that every step needs, and the tally."""

    def __init__(self, allowlist: Allowlist, scope: Scope) -> None:
        self.allowlist = allowlist
        self.scope = scope
        self.records = {record.each: record for record in allowlist.resource.records}
        self.leaves: dict[Path, list[Entry]] = {}  # what is covered at a place
        self.ways: dict[Path, list[Segment]] = {}  # what leads on from a place towards it
        for entry in allowlist.leaves:
            path = entry.field.path
            self.leaves.setdefault(path, []).append(entry)
            for i, segment in enumerate(path):
                if segment not in self.ways.setdefault(path[:i], []):
                    self.ways[path[:i]].append(segment)
        self.tally = Tally()

    def visit(self, value: Json, path: Path, element: Json) -> Kept:
        """Give what leaves of `value`, which stands at `path`.

        `element` is the innermost array element or map member around it, else the document.
        """
        leaves = self.leaves.get(path, [])
        ways = self.ways.get(path, [])
        if not leaves and not self.opens(value, path, ways):
            return ABSENT
        record = self.records.get(path)
        if record is not None and not self.admits(record, value):
            return ABSENT
        kept = (
            self.leaf(value, leaves, element)
            if leaves
            else self.container(value, path, ways, element)
        )
        self.tally.records_disclosed += record is not None and kept is not ABSENT
        return kept

    def opens(self, value: Json, path: Path, ways: list[Segment]) -> bool:
        """Tell whether `value` is the container that the paths say; `null` is no fault."""
        if value is None or not ways:
            return False
        fits = isinstance(value, list) if Wild.ELEMENTS in ways else isinstance(value, dict)
        if not fits:
            self.withhold(Reason.MALFORMED, print_path(path))
        return fits

    def admits(self, record: Record, value: Json) -> bool:
        """Tell whether a record is in scope, and count it."""
        self.tally.records_seen += 1
        reason = self.outside(record, value)
        if reason is not None:
            self.withhold(reason, print_path(record.each))
        return reason is None

    def outside(self, record: Record, value: Json) -> Reason | None:
        """Tell why a record is out of scope; None if it is within."""
        if record.subject is not None:
            found = [
                _scalar_identity(record.subject.form, _reach(value, names))
                for names in record.subject.fields
            ]
            if not self.scope.values(record.subject.form.kind).intersection(found):
                return (
                    Reason.NO_SUBJECT
                    if all(each is None for each in found)
                    else Reason.NOT_A_TARGET
                )
        if record.time is not None:
            stamp = _reach(value, record.time.field)
            moment = (
                None
                if isinstance(stamp, _Nothing | list | dict)
                else instant(record.time.form, stamp)
            )
            if moment is None:
                return Reason.UNDATED
            if not self.scope.period.holds(moment):
                return Reason.OUT_OF_PERIOD
        return None

    def leaf(self, value: Json, leaves: list[Entry], element: Json) -> Kept:
        """Give the treated value of the one entry that fits."""
        for entry in leaves:
            if entry.field.when is None or _fits(entry.field.when, element):
                return self.treated(value, entry)
        return ABSENT

    def treated(self, value: Json, entry: Entry) -> Kept:
        """Give the value as its treatment leaves it, if it has the form that its kind promises."""
        if not isinstance(value, list | dict):
            out = treat(entry.field.form, entry.treatment, value, self.scope.tokenizer)
            if out is not MALFORMED:
                # All around it has been admitted, and stands because this does.
                self.tally.disclosed[entry.field.label] += 1
                return output_of(out)
        self.withhold(Reason.MALFORMED, entry.field.label)
        return ABSENT

    def container(self, value: Json, path: Path, ways: list[Segment], element: Json) -> Kept:
        """Give the container as far as something beneath it is disclosed."""
        if isinstance(value, list):
            return self.elements(value, (*path, Wild.ELEMENTS))
        if isinstance(value, dict) and Wild.MEMBERS in ways:
            return self.members(value, (*path, Wild.MEMBERS))
        kept: dict[str, Output] = {}
        for name in sorted(ways, key=str):
            if isinstance(value, dict) and isinstance(name, str) and name in value:
                out = self.visit(value[name], (*path, name), element)
                if out is not ABSENT:
                    kept[name] = out
        return kept or ABSENT

    def elements(self, value: list[Json], path: Path) -> Kept:
        """Give the elements under which something is disclosed, in their order."""
        outs = (self.visit(item, path, item) for item in value)
        return [out for out in outs if out is not ABSENT] or ABSENT

    def members(self, value: dict[str, Json], path: Path) -> Kept:
        """Give the members of an object that is keyed by data, under their keys or ordinals."""
        outs = {key: self.visit(item, path, item) for key, item in value.items()}
        kept = {key: out for key, out in outs.items() if out is not ABSENT}
        entry = covers_keys(self.allowlist, path)
        named = name_keys(entry, list(kept))
        if entry is not None and named.malformed:
            self.tally.withheld[Reason.MALFORMED, entry.field.label] += named.malformed
        if entry is not None and named.disclosed:
            self.tally.disclosed[entry.field.label] += named.disclosed
        return dict(zip(named.names, kept.values(), strict=True)) or ABSENT

    def withhold(self, reason: Reason, place: str) -> None:
        """Count something withheld."""
        self.tally.withheld[reason, place] += 1


def _agrees(value: Json, path: Path, subject: RequestSubject, scope: Scope) -> bool:
    """Tell whether the answer repeats the request's subject at every place that `path` names."""
    if not path:
        return scope.subject is not None and _scalar_identity(subject.form, value) == scope.subject
    segment, rest = path[0], path[1:]
    if segment is Wild.ELEMENTS:
        return isinstance(value, list) and all(
            _agrees(item, rest, subject, scope) for item in value
        )
    if segment is Wild.MEMBERS:
        return isinstance(value, dict) and all(
            _agrees(item, rest, subject, scope) for item in value.values()
        )
    return (
        isinstance(value, dict)
        and segment in value
        and _agrees(value[segment], rest, subject, scope)
    )


def _fits(when: When, element: Json) -> bool:
    """Compare as exact JSON: type and digits too."""
    value = _reach(element, when.field)
    if isinstance(when.value, str | bool):
        return type(value) is type(when.value) and value == when.value
    return value == Number(str(when.value))


def _reach(value: Json, names: Names) -> Found:
    """Follow member names; ABSENT where one is missing."""
    found: Found = value
    for name in names:
        if not isinstance(found, dict) or name not in found:
            return ABSENT
        found = found[name]
    return found


def _scalar_identity(form: Form, value: Found) -> str | None:
    """Give the identity of a scalar; None for anything else."""
    return None if isinstance(value, _Nothing | list | dict) else identity(form, value)
