"""Records: the elements of an answer that stand alone, and whom and when each is about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from withhold.catalogue.forms import IDENTITY_KINDS, read_form
from withhold.catalogue.model import Field, Record, RecordSubject, RecordTime
from withhold.catalogue.shape import Claim, Shape
from withhold.names import Kind
from withhold.paths import (
    Names,
    Path,
    PathError,
    Wild,
    parse_names,
    parse_path,
    print_names,
    print_path,
)
from withhold.toml.faults import did_you_mean
from withhold.toml.table import Table, Text

Fields: TypeAlias = Mapping[Path, Sequence[Field]]  # what is declared of values, by path

_WILD: Final = frozenset(Wild)


@dataclass(frozen=True)
class Draft:
    """One `[[resource.records]]` as it is written, not yet held against the fields."""

    table: Table
    each: Path
    subject: RecordSubject | None
    places: tuple[tuple[Names, Text], ...]  # where its subject stands
    time: tuple[Names, Text] | None

    @property
    def what(self) -> str:
        """The record, as messages call it."""
        return f"`{print_path(self.each)}`"


def read_records(tables: Iterable[Table]) -> list[Draft]:
    """Read the records of a resource."""
    drafts: dict[Path, Draft] = {}
    for table in tables:
        draft = _read(table)
        table.done()
        if draft is None:
            continue
        if draft.each in drafts:
            at = drafts[draft.each].table.line("each")
            table.fault(f"{draft.what} is a record already, in line {at}", "", "each")
            continue
        drafts[draft.each] = draft
    return list(drafts.values())


def check_record(draft: Draft, fields: Fields, shape: Shape) -> Record | None:
    """Hold a record against the fields of its resource; `shape` grows by what it looks at."""
    if not _is_element(draft, fields, shape):
        return None
    fits = [shape.grow(claim) for claim in _claims(draft)]
    if not all(fits):
        return None
    if draft.time is None:
        return Record(draft.each, draft.subject, None)
    if shape.is_unclear((*draft.each, *draft.time[0])):
        return None
    time = _time(draft, draft.time, fields)
    return None if time is None else Record(draft.each, draft.subject, time)


def _claims(draft: Draft) -> list[Claim]:
    """Give where a record's subject and time stand."""
    looks = [("subject", *place) for place in draft.places]
    looks += [] if draft.time is None else [("time", *draft.time)]
    return [
        Claim(
            (*draft.each, *names),
            f"the {use} of {draft.what}, `{text.value}`,",
            text.table,
            text.at,
        )
        for use, names, text in looks
    ]


def _read(table: Table) -> Draft | None:
    text = table.text("each")
    subject = table.table("subject", required=False)
    written = table.text("time", required=False)
    found, places = (None, []) if subject is None else _subject(subject)
    if "subject" not in table and "time" not in table:
        hint = "`subject` says whom a record is about, `time` when it was"
        table.fault("a record has neither `subject` nor `time`", hint)
    time = None if written is None else _names(written)
    if text is None:
        return None
    try:
        each = parse_path(text.value)
    except PathError as error:
        text.fault(f"{error}")
        return None
    return Draft(
        table,
        each,
        found,
        tuple(places),
        None if written is None or time is None else (time, written),
    )


def _subject(table: Table) -> tuple[RecordSubject | None, list[tuple[Names, Text]]]:
    ways = [key for key in ("field", "any", "self") if key in table]
    if len(ways) != 1:
        hint = "`field = …`, `any = […]`, or `self = true` for an element that is a scalar"
        table.fault("a record's subject is said in one of three ways", hint)
    field = table.text("field", required=False)
    texts = ([] if field is None else [field]) + table.texts("any", required=False)
    itself = table.flag("self")
    if "self" in table and table.members["self"] is False:
        table.fault("`self` is `true` or left out", "", "self")
    if table.members.get("any") == []:
        table.fault("`any` is empty: nobody could be the subject", "", "any")
    form = read_form(table, IDENTITY_KINDS, "a subject")
    table.done()
    places = [(names, text) for text in texts if (names := _names(text)) is not None]
    if form is None or len(ways) != 1:
        return None, places
    return RecordSubject(((),) if itself else tuple(names for names, _ in places), form), places


def _names(text: Text) -> Names | None:
    try:
        return parse_names(text.value)
    except PathError as error:
        text.fault(f"{error}", "a path from the element, by names only")
        return None


def _is_element(draft: Draft, fields: Fields, shape: Shape) -> bool:
    """Tell whether `each` is where one thing stands: the root, an element, a member, an object."""
    each, table = draft.each, draft.table
    wild = shape.wild(each)
    itself = draft.subject is not None and draft.subject.fields == ((),)
    scalar = each in shape.leaves
    if not scalar and each not in shape.ways:
        if shape.is_unclear(each):
            return False
        places = {path[:i] for path in fields for i, way in enumerate(path) if way not in _WILD}
        hint = did_you_mean(print_path(each), {print_path(place) for place in places})
        table.fault(f"nothing is declared beneath {draft.what}", hint, "each")
    elif wild is not None:
        kind = "an array" if wild is Wild.ELEMENTS else "an object keyed by data"
        hint = f"each of them is `{print_path((*each, wild))}`"
        table.fault(f"{draft.what} is {kind}, not one of its elements", hint, "each")
    elif itself and not (scalar and each[-1] in _WILD):
        hint = 'name the field, as in `subject = { field = "sender", … }`'
        message = f"{draft.what} is no scalar element: `self` can't be its subject"
        table.fault(message, hint, "subject")
    else:
        return True
    return False


def _time(draft: Draft, time: tuple[Names, Text], fields: Fields) -> RecordTime | None:
    names, text = time
    found = fields.get((*draft.each, *names), ())
    what = f"the time of {draft.what}, `{text.value}`,"
    if [field.form.kind for field in found] == [Kind.TIMESTAMP] and found[0].when is None:
        return RecordTime(names, found[0].form)
    if found:
        hint = "of kind `timestamp`, with its `unit` and without variants"
        text.fault(f"{what} is not declared as a timestamp", hint)
        return None
    stamps = [path for path, each in fields.items() if each[0].form.kind is Kind.TIMESTAMP]
    rests = [path[len(draft.each) :] for path in stamps if path[: len(draft.each)] == draft.each]
    known = {print_names(names) for rest in rests if (names := _names_only(rest))}
    text.fault(
        f"{what} is not declared",
        did_you_mean(text.value, known) or "declare it as a timestamp; it need not be covered",
    )
    return None


def _names_only(path: Path) -> Names:
    names = tuple(segment for segment in path if isinstance(segment, str))
    return names if len(names) == len(path) else ()
