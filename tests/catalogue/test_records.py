import pytest

from tests.catalogue.written import ABOUT, HEAD, faults_of, field, hints_of, resource_of
from withhold.catalogue.model import Record, RecordSubject, RecordTime
from withhold.kinds.form import Form
from withhold.names import Kind, Unit
from withhold.paths import Wild

STAMP = 'kind = "timestamp", unit = "s"'
FIELDS = (
    HEAD
    + "[resource.fields]\n"
    + field("$.rows[*].a")
    + field("$.rows[*].at", STAMP)
    + field("$.rows[*].in.at", STAMP)
    + field("$.names[*]", 'kind = "id"')
    + field("$.map.*.at", STAMP)
    + field("$.one.at", STAMP)
)  # what follows begins in line 13
RECORD = "[[resource.records]]\n"


def record(text: str) -> str:
    return FIELDS + RECORD + text


def test_a_record_has_a_subject_a_time_or_both() -> None:
    resource = resource_of(
        record('each = "$.rows[*]"\nsubject = { field = "by.id", kind = "id" }\ntime = "in.at"\n')
        + RECORD
        + 'each = "$.map.*"\ntime = "at"\n'
        + RECORD
        + 'each = "$.names[*]"\nsubject = { self = true, kind = "id" }\n'
        + RECORD
        + 'each = "$.one"\ntime = "at"\n'
        + RECORD
        + 'each = "$"\nsubject = { any = ["a", "b.c"], kind = "phone", region = "GB" }\n'
    )
    time = Form(Kind.TIMESTAMP, unit=Unit.SECONDS)
    assert resource.records == (
        Record((), RecordSubject((("a",), ("b", "c")), Form(Kind.PHONE, region="GB")), None),
        Record(("map", Wild.MEMBERS), None, RecordTime(("at",), time)),
        Record(("names", Wild.ELEMENTS), RecordSubject(((),), Form(Kind.ID)), None),
        Record(("one",), None, RecordTime(("at",), time)),
        Record(
            ("rows", Wild.ELEMENTS),
            RecordSubject((("by", "id"),), Form(Kind.ID)),
            RecordTime(("in", "at"), time),
        ),
    )


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["13: `each` is missing", "13: a record has neither `subject` nor `time`"]),
        ('each = "$.rows[*]"', ["13: a record has neither `subject` nor `time`"]),
        ('each = "rows"\ntime = "at"', ["14: `rows` does not begin with `$`"]),
        ('each = "$.rows[*]"\ntime = "at"\nwhen = 1', ["16: `when` is unknown here"]),
        ('each = "$.row[*]"\ntime = "at"', ["14: nothing is declared beneath `$.row[*]`"]),
        ('each = "$.rows"\ntime = "at"', ["14: `$.rows` is an array, not one of its elements"]),
        (
            'each = "$.map"\ntime = "at"',
            ["14: `$.map` is an object keyed by data, not one of its elements"],
        ),
    ],
)
def test_what_is_wrong_with_a_record_is_said(text: str, faults: list[str]) -> None:
    assert faults_of(record(text)) == faults


def test_a_place_is_one_record() -> None:
    text = record('each = "$.rows[*]"\ntime = "at"\n') + RECORD
    faults = ["17: `$.rows[*]` is a record already, in line 14"]
    assert faults_of(text + 'each = "$[\'rows\'][*]"\ntime = "at"\n') == faults


@pytest.mark.parametrize(
    ("each", "time", "fault"),
    [
        ("$.rows[*]", "x[*]", "`x[*]` holds a wildcard: one value is meant here"),
        ("$.rows[*]", "ta", "the time of `$.rows[*]`, `ta`, is not declared"),
        ("$.rows[*]", "a", "the time of `$.rows[*]`, `a`, is not declared as a timestamp"),
        (
            "$.rows[*]",
            "in",
            "the time of `$.rows[*]`, `in`, is a container: `$.rows[*].in.at` lies beneath it",
        ),
        (
            "$.names[*]",
            "at",
            "the time of `$.names[*]`, `at`, lies beneath `$.names[*]`, which is a leaf",
        ),
        (
            "$.rows[*]",
            "$.at",
            "`$.at` is not a path from the element: write a member's name such as `last_seen`",
        ),
    ],
)
def test_what_is_wrong_with_a_time_is_said(each: str, time: str, fault: str) -> None:
    assert faults_of(record(f'each = "{each}"\ntime = "{time}"')) == [f"15: {fault}"]


THREE_WAYS = "a record's subject is said in one of three ways"


@pytest.mark.parametrize(
    ("each", "subject", "fault"),
    [
        ("$.rows[*]", '"a"', "`subject` is a string, not a table"),
        ("$.rows[*]", '{ kind = "id" }', THREE_WAYS),
        ("$.rows[*]", '{ field = "a", any = ["b"], kind = "id" }', THREE_WAYS),
        ("$.rows[*]", '{ field = "a" }', "`kind` is missing"),
        ("$.rows[*]", '{ field = "a", kind = "text" }', "a subject can't be of kind `text`"),
        ("$.rows[*]", '{ field = "a", kind = "id", of = 1 }', "`of` is unknown here"),
        ("$.rows[*]", '{ any = [], kind = "id" }', "`any` is empty: nobody could be the subject"),
        (
            "$.rows[*]",
            '{ any = ["a", "b[*]"], kind = "id" }',
            "`b[*]` holds a wildcard: one value is meant here",
        ),
        (
            "$.rows[*]",
            '{ any = ["in"], kind = "id" }',
            "the subject of `$.rows[*]`, `in`, is a container: `$.rows[*].in.at` lies beneath it",
        ),
        ("$.names[*]", '{ self = false, kind = "id" }', "`self` is `true` or left out"),
        (
            "$.rows[*]",
            '{ self = true, kind = "id" }',
            "`$.rows[*]` is no scalar element: `self` can't be its subject",
        ),
        (
            "$.rows[*].a",
            '{ self = true, kind = "id" }',
            "`$.rows[*].a` is no scalar element: `self` can't be its subject",
        ),
        (
            "$.names[*]",
            '{ field = "a", kind = "id" }',
            "the subject of `$.names[*]`, `a`, lies beneath `$.names[*]`, which is a leaf",
        ),
    ],
)
def test_what_is_wrong_with_a_subject_is_said(each: str, subject: str, fault: str) -> None:
    assert faults_of(record(f'each = "{each}"\nsubject = {subject}')) == [f"15: {fault}"]


def test_the_places_of_a_subject_have_their_lines() -> None:
    text = record('each = "$.rows[*]"\nsubject = { kind = "id", any = [\n"a",\n"b[*]"] }')
    assert faults_of(text) == ["17: `b[*]` holds a wildcard: one value is meant here"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('each = "$.row[*]"\ntime = "at"', "did you mean `$.rows[*]`?"),
        ('each = "$.rows"\ntime = "at"', "each of them is `$.rows[*]`"),
        ('each = "$.rows[*]"\ntime = "ta"', "did you mean `at`?"),
        ('each = "$"\ntime = "x"', "did you mean `one.at`?"),
    ],
)
def test_what_to_write_instead_is_said(text: str, hint: str) -> None:
    assert hints_of(record(text)) in ([hint], ["known: `one.at`"])


def test_a_time_is_not_said_in_variants() -> None:
    stamp = field("$.a", f'when = {{ field = "b", is = 1 }}, {STAMP}')
    text = f'{HEAD}[resource.fields]\n{stamp}{RECORD}each = "$"\ntime = "a"\n'
    assert faults_of(text) == ["10: the time of `$`, `a`, is not declared as a timestamp"]


def test_without_any_timestamp_one_must_be_declared() -> None:
    text = HEAD + "[resource.fields]\n" + field("$.a") + RECORD + 'each = "$"\ntime = "b"\n'
    assert hints_of(text) == ["declare it as a timestamp; it need not be covered"]


def test_two_records_agree_about_the_shape() -> None:
    text = (
        record('each = "$.rows[*]"\nsubject = { field = "by", kind = "id" }\n')
        + RECORD
        + 'each = "$"\nsubject = { field = "rows", kind = "id" }\n'
    )
    assert faults_of(text) == [
        "18: the subject of `$`, `rows`, is a container: `$.rows[*]` lies beneath it"
    ]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        (field("$.rows[*].at", 'kind = "timestamp"'), "7: a timestamp needs a `unit`"),
        (field("$.rows[*].at", STAMP).replace("means", "meaning"), "7: `meaning` is unknown here"),
        (field("rows[*].at", STAMP), "7: `rows[*].at` does not begin with `$`"),
        (
            f'"$.rows[*].at" = [{{ when = {{ field = "k", is = 1 }}, {STAMP} }}]\n',
            "7: `category` is missing",
        ),
    ],
)
def test_a_field_at_fault_is_declared_all_the_same(written: str, fault: str) -> None:
    text = HEAD + ABOUT + "[resource.fields]\n" + written + RECORD
    text += 'each = "$.rows[*]"\ntime = "at"\n'
    assert faults_of(text)[0] == fault.replace("7", "8", 1)
    assert {each.partition(":")[0] for each in faults_of(text)} == {"8"}
    lookup = 'resolves = { to = "$.rows[*].at", kind = "id" }\n'
    said = faults_of(text.replace(ABOUT, ABOUT + lookup))
    assert {each.partition(":")[0] for each in said} == {"9"}


def test_fields_that_are_missing_are_one_fault() -> None:
    text = HEAD + "[resource.feilds]\n" + RECORD + 'each = "$.rows[*]"\ntime = "at"\n'
    assert faults_of(text) == ["6: `feilds` is unknown here"]


def test_a_field_at_fault_beside_a_sound_one_is_declared_too() -> None:
    text = HEAD + "[resource.fields]\n" + field("$.rows[*].a")
    text += field("$.rows[*].at", 'kind = "timestamp"') + RECORD
    assert faults_of(text + 'each = "$.rows[*]"\ntime = "at"\n') == [
        "8: a timestamp needs a `unit`"
    ]
    assert faults_of(text + 'each = "$.rows[*]"\ntime = "ta"\n')[1:] == [
        "11: the time of `$.rows[*]`, `ta`, is not declared"
    ]
