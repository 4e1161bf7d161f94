"""The fast plan: typed decoding, whole columns at a time, and the reference where anything is odd.

The decoder (msgspec) is given one struct for each object of the plan, so that it skips what is not
in the plan without making objects of it. Columns are gated by the records' scopes and treated by
their kinds; the output is built from other structs, which have covered members only. Numbers: see
docs/decisions. A value of a type that the plan does not expect fails the whole decoding: then the
reference answers, which means the same.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, compress, islice
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from withhold.allowlist.model import Allowlist, Entry
from withhold.catalogue.model import RequestSubject
from withhold.errors import Malformed, Mismatch
from withhold.minimize import reference
from withhold.minimize.count import Count, count_members
from withhold.minimize.document import is_utf8
from withhold.minimize.gate import Gate, Look, compile_agreement, compile_gate, look
from withhold.minimize.keys import name_keys
from withhold.minimize.leaf import compile_column, compile_leaf, single
from withhold.minimize.plan import Place, Reading, inner_places, lay_out
from withhold.minimize.run import Bounds, Context, Decoded, Operation, Run, Unclear, scalar_of
from withhold.minimize.tally import Tally
from withhold.names import Kind, Reason, Treatment
from withhold.paths import Names, Path, Wild

_TYPES: dict[Reading, Any] = {
    Reading.TEXT: str | None,
    Reading.TEXT_OR_INTEGER: str | int | None,
    Reading.INTEGER: int | None,
    Reading.BOOLEAN: bool | None,
    Reading.RAW: Raw,
}

_ODD: Final = (msgspec.MsgspecError, RecursionError, Unclear)
_MUTE: dict[str, Any] = {"__repr__": object.__repr__}

Agreement: TypeAlias = Callable[[list[Any], Bounds], bool]
Columns: TypeAlias = list[list[Any]]  # the members of some rows, by index
Take: TypeAlias = tuple[Callable[[Any], Columns], Callable[[list[Any]], Columns]]


class Plan:
    """An allowlist made ready to run; a pure function of it, to keep as long as you like."""

    def __init__(self, allowlist: Allowlist) -> None:
        """Compile decoder, operations and the check of the subject."""
        self._allowlist = allowlist
        self._root = lay_out(allowlist) if allowlist.leaves else None
        encoder = msgspec.json.Encoder()
        self._encode, self._encode_lines = encoder.encode, encoder.encode_lines
        if self._root is not None:
            kind, self._operation = _compile_container(self._root, [])
            self._decode = msgspec.json.Decoder(kind).decode
            self._agree = _compile_agreement(self._root, allowlist.resource.subject)

    def run(self, bounds: Bounds, body: bytes) -> tuple[bytes | None, Tally]:
        """Give what leaves of `body`, or None if nothing does, and the counts.

        `body`: UTF-8 JSON, one document. Raises: Malformed, Mismatch.
        """
        if not (body.isascii() or is_utf8(body)):
            message = "the answer is not UTF-8"
            raise Malformed(message)
        if self._root is not None:
            try:  # `contextlib.suppress` takes 0.2 µs, of 5 for a short document
                (kept,), tally = self._run(bounds, [self._decode(body)])
                return (None if kept is UNSET else self._encode(kept)), tally
            except _ODD:
                pass  # what comes now has no exception attached: the decoder's may quote
        return reference.minimize(self._allowlist, bounds.scope, body)

    def run_together(self, bounds: Bounds, bodies: Sequence[bytes]) -> tuple[bytes, Tally] | None:
        """Give the lines that leave of `bodies`, and the counts of all of them.

        `bodies`: known to be UTF-8. None where `run` would hand one of them to the reference, or
        refuse it. Each is decoded by itself: 404 ns a line of 570 bytes, 374 were they one text.
        """
        if self._root is None:
            return None
        with contextlib.suppress(*_ODD, Mismatch):
            kept, tally = self._run(bounds, list(map(self._decode, bodies)))
            return self._encode_lines([out for out in kept if out is not UNSET]), tally
        return None

    def _run(self, bounds: Bounds, documents: list[Decoded]) -> tuple[list[Any], Tally]:
        """Give what is left of each document. Raises: Unclear, Mismatch."""
        if self._agree is not None and not self._agree(documents, bounds):
            message = "the answer is not about the subject that was asked for"
            raise Mismatch(message)
        run = Run(bounds)
        return self._operation(documents, (), run), run.tally


def _compile(place: Place, whens: list[Names]) -> tuple[Any, Operation]:
    """Give a place's type for the decoder, and its operation, which counts what it lets out.

    `whens`: what the context holds, as the base around the place has it.
    """
    if inner_places(place):
        return _compile_container(place, whens)
    operation = compile_leaf(place, whens) if place.covered else _nothing
    gate = _compile_gate(place)
    return _TYPES[place.reading], operation if gate is None else _gated(gate, operation)


def _nothing(values: list[Any], _context: Context, _run: Run) -> list[Any]:
    """Let nothing out of a place that is only looked at."""
    return [UNSET for _ in values]


def _compile_container(place: Place, whens: list[Names]) -> tuple[Any, Operation]:
    if place.names:
        return _compile_object(place, place.whens if place.is_base else whens)
    (wild,) = inner_places(place)
    kind, inner = _compile(wild, [])
    if wild is place.elements:
        return list[kind] | None, _elements(inner)  # type: ignore[valid-type]
    return dict[str, kind] | None, _members(inner, wild)  # type: ignore[valid-type]


def _compile_gate(place: Place) -> Gate | None:
    record = place.record
    if record is None:
        return None
    subjects = record.subject.fields if record.subject is not None else ()
    return compile_gate(
        record,
        [_look(place, names) for names in subjects],
        None if record.time is None else _look(place, record.time.field),
        raw=any(place.at(names).reading is Reading.RAW for names in subjects),
    )


def _look(place: Place, names: Names) -> Look:
    """Give where the columns of a place's rows hold what stands at `names`; `()` is the rows."""
    if not names:
        return look(0)
    index = list(place.attributes()).index(names[0])
    return look(index, place.names[names[0]].attributes_to(names[1:]))


def _compile_object(place: Place, whens: list[Names]) -> tuple[Any, Operation]:
    attributes = place.attributes()
    inner = {name: _compile(place.names[name], whens) for name in attributes}
    covered = [name for name in attributes if place.names[name].covered]
    decoded = _struct(
        "Decoded", {name: (attributes[name], inner[name][0] | UnsetType) for name in attributes}
    )
    plain = {name: entry for name in covered if (entry := _plain(place.names[name]))}
    told = [name for name in plain if _is_told_by_gate(place, name)]
    operations = {name: inner[name][1] for name in covered} | {
        name: None if name in told else compile_column(entry, place.names[name])
        for name, entry in plain.items()
    }
    members = _Members(
        take=_take(len(attributes)),
        treat=[
            (index, operations[name]) for index, name in enumerate(attributes) if name in covered
        ],
        count=count_members(
            [(entry.field.label, covered.index(name)) for name, entry in plain.items()],
            sure=[covered.index(name) for name in told],
        ),
        build=_struct("Output", {name: (attributes[name], Any) for name in covered}),
        gate=_compile_gate(place),
        looks=[_look(place, names) for names in place.whens] if place.is_base else None,
    )
    return decoded | None, _objects(members)


def _plain(member: Place) -> Entry | None:
    """Give the entry of a leaf that is counted with its row: of one field, and no record itself."""
    return single(member) if member.record is None else None


def _take(count: int) -> Take:
    """Give functions that take all members out of a single row, and out of any number of rows.

    Source text made of integers: an attribute that is spelled out is read at half the price of
    `map(attrgetter)`, 8 against 18 ns, and this is most of what a column costs. For a single row,
    which every short document is, what costs is calls: 0.15 µs for six columns against 0.75.
    """
    single = ",".join(f"[row.f{index}]" for index in range(count))
    columns = ",".join(f"[row.f{index} for row in rows]" for index in range(count))
    return _spell(f"[{single}]", "row"), _spell(f"[{columns}]", "rows")


def _spell(source: str, argument: str) -> Callable[[Any], list[Any]]:
    """Make a function of its source text, which has nothing of a catalogue in it."""
    made: Callable[[Any], list[Any]] = eval(f"lambda {argument}: {source}")  # noqa: S307 - as above
    return made


def _is_told_by_gate(place: Place, name: str) -> bool:
    """Tell whether a member is the one that its record is admitted by, and disclosed as such.

    What the gate admits then has its form, and there is something to disclose.
    """
    record, member = place.record, place.names[name]
    if record is None or member.reading is Reading.RAW:
        return False
    forms = [record.time.form] if record.time and record.time.field == (name,) else []
    if record.subject and record.subject.fields == ((name,),):
        # Of what identifies, only an id is its own normal form.
        forms += [record.subject.form] if record.subject.form.kind is Kind.ID else []
    return any(
        leaf.treatment is Treatment.DISCLOSE and leaf.field.form in forms for leaf in member.leaves
    )


def _struct(name: str, members: dict[str, tuple[str, Any]]) -> Decoded:
    """Define a struct; `members`: JSON name → attribute and type. No cycles can be, so no GC.

    It shows nothing of itself: what it holds are a store's values (law 6).
    """
    fields = [(attribute, kind, UNSET) for attribute, kind in members.values()]
    rename = {attribute: member for member, (attribute, _kind) in members.items()}
    return msgspec.defstruct(name, fields, rename=rename, gc=False, namespace=_MUTE)


@dataclass(frozen=True)
class _Members:
    """What is done with the members of a column of objects."""

    take: Take  # every decoded member, by index: of one row, and of many
    treat: list[tuple[int, Operation | None]]  # the covered ones, in the output's order
    build: Callable[..., Decoded]  # makes an output of what leaves of them
    count: Count | None  # None: all leaves among them count themselves
    gate: Gate | None
    looks: list[Look] | None  # of a base: what variants look at


def _objects(members: _Members) -> Operation:
    """Give the operation of a column of objects: gate, treat each member's column, build anew."""
    nothing = members.build()
    take_one, take_many = members.take

    def operation(values: list[Any], context: Context, run: Run) -> list[Any]:
        mask: list[Any] = values  # an object that is there is true, None and UNSET are not
        rows = values if all(values) else list(compress(values, mask))
        columns = take_one(rows[0]) if len(rows) == 1 else take_many(rows)
        if members.gate is not None:
            admitted = members.gate(columns, run)
            if not all(admitted):
                through = iter(admitted)
                mask = [is_row and next(through) for is_row in mask]
                columns = [list(compress(column, admitted)) for column in columns]
        if members.looks is not None:
            context = [list(map(scalar_of, told(columns))) for told in members.looks]
        elif context and len(columns[0]) < len(values):
            context = [list(compress(told, mask)) for told in context]
        treated = [
            columns[index] if treat is None else treat(columns[index], context, run)
            for index, treat in members.treat
        ]
        outs = list(map(members.build, *treated))
        disclosed = len(outs)
        if members.count is None or not members.count(treated, run):
            outs = [UNSET if out == nothing else out for out in outs]
            disclosed = sum(out is not UNSET for out in outs)
        if members.gate is not None:
            run.tally.records_disclosed += disclosed
        if len(outs) == len(values):
            return outs
        kept = iter(outs)
        return [next(kept) if is_in else UNSET for is_in in mask]

    return operation


def _gated(gate: Gate, inner: Operation) -> Operation:
    """Give the operation of a column of scalars that are records themselves."""

    def operation(values: list[Any], context: Context, run: Run) -> list[Any]:
        there = [value is not UNSET for value in values]
        through = iter(gate([list(compress(values, there))], run))
        admitted = [is_there and next(through) for is_there in there]
        rows = list(compress(values, admitted))
        context = [list(compress(told, admitted)) for told in context]
        kept = iter(inner(rows, context, run))
        outs = [next(kept) if is_in else UNSET for is_in in admitted]
        run.tally.records_disclosed += sum(out is not UNSET for out in outs)
        return outs

    return operation


def _elements(inner: Operation) -> Operation:
    """Give the operation of a column of arrays: what is in all of them is one column."""

    def operation(values: list[Any], _context: Context, run: Run) -> list[Any]:
        arrays = [value or [] for value in values]  # UNSET and None hold as little
        items = arrays[0] if len(arrays) == 1 else list(chain.from_iterable(arrays))
        outs = iter(inner(items, (), run))
        return [
            [out for out in islice(outs, len(array)) if out is not UNSET] or UNSET
            for array in arrays
        ]

    return operation


def _members(inner: Operation, place: Place) -> Operation:
    """Give the operation of a column of objects that are keyed by data, likewise one column."""

    def called(kept: dict[str, Any], run: Run) -> Decoded:
        named = name_keys(place.keys, list(kept))
        if place.keys is not None:
            label = place.keys.field.label
            run.disclose(label, named.disclosed)
            if named.malformed:
                run.tally.withheld[Reason.MALFORMED, label] += named.malformed
        return dict(zip(named.names, kept.values(), strict=True)) or UNSET

    def operation(values: list[Any], _context: Context, run: Run) -> list[Any]:
        maps = [value or {} for value in values]
        outs = iter(inner([item for each in maps for item in each.values()], (), run))
        return [
            called({key: out for key, out in zip(each, outs) if out is not UNSET}, run)  # noqa: B905 - the next map's outs follow
            for each in maps
        ]

    return operation


def _compile_agreement(root: Place, subject: RequestSubject | None) -> Agreement | None:
    """Compile the check that the answer repeats the request's subject wherever it should."""
    if subject is None or subject.confirm is None:
        return None
    return _agreement(root, subject.confirm, subject)


def _agreement(place: Place, path: Path, subject: RequestSubject) -> Agreement:
    """Compile the check of a column of values that stand at `place`; `path` leads on from there."""
    if not path:
        return compile_agreement(subject.form)
    segment, rest = path[0], path[1:]
    if isinstance(segment, str):
        take = _spell(f"[row.{place.attributes()[segment]} for row in rows]", "rows")
        inner = _agreement(place.names[segment], rest, subject)
        # An object that is there is true, None and UNSET are not.
        return lambda values, bounds: all(values) and inner(take(values), bounds)
    (wild,) = inner_places(place)  # `lay_out` made a place for the whole path
    each = _agreement(wild, rest, subject)
    items: Callable[[Any], Any] = iter if segment is Wild.ELEMENTS else dict.values
    return lambda values, bounds: (
        not any(value is None or value is UNSET for value in values)
        and each(list(chain.from_iterable(map(items, values))), bounds)
    )
