import time

import pytest

from tests.catalogue.written import ABOUT, HEAD, A, faults_of, field, hints_of, resource_of
from withhold.catalogue.forms import MAX_PATTERN
from withhold.kinds.form import Form
from withhold.kinds.scalar import identity
from withhold.names import Kind, Unit

FIELDS = HEAD + "[resource.fields]\n"  # what follows begins in line 7


@pytest.mark.parametrize(
    ("text", "form"),
    [
        *((f'kind = "{kind}"', Form(kind)) for kind in Kind if kind is not Kind.TIMESTAMP),
        *((f'kind = "timestamp", unit = "{u}"', Form(Kind.TIMESTAMP, unit=u)) for u in Unit),
        ('kind = "phone", region = "GB"', Form(Kind.PHONE, region="GB")),
        ('kind = "phone", format = "msisdn"', Form(Kind.PHONE, msisdn=True)),
        ('kind = "id", pattern = "[a-z]+"', Form(Kind.ID, pattern="[a-z]+")),
    ],
)
def test_a_form_is_a_kind_and_its_options(text: str, form: Form) -> None:
    assert resource_of(FIELDS + field("$.a", text)).fields[0].form == form


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ('kind = "fone"', ["7: `fone` is no kind"]),
        ('kind = "timestamp"', ["7: a timestamp needs a `unit`"]),
        ('kind = "timestamp", unit = "min"', ["7: `min` is no unit"]),
        ('kind = "timestamp", unit = 1', ["7: `unit` is an integer, not a string"]),
        ('kind = "id", unit = "s"', ["7: `unit` belongs to kind `timestamp`, not to `id`"]),
        ('kind = "text", pattern = "x"', ["7: `pattern` belongs to kind `id`, not to `text`"]),
        ('kind = "phone", region = "XX"', ["7: `XX` is no region, such as `GB`"]),
        ('kind = "phone", region = "gb"', ["7: `gb` is no region, such as `GB`"]),
        ('kind = "phone", format = "e164"', ["7: `e164` is no format of a phone"]),
        (
            'kind = "phone", region = "GB", format = "msisdn"',
            ["7: `region` and `format` exclude each other"],
        ),
        (
            'kind = "ip", region = "GB", format = "msisdn"',
            [
                "7: `region` belongs to kind `phone`, not to `ip`",
                "7: `format` belongs to kind `phone`, not to `ip`",
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_form_is_said(text: str, faults: list[str]) -> None:
    assert faults_of(FIELDS + field("$.a", text)) == faults


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('kind = "phone", region = "gb"', "did you mean `GB`?"),
        ('kind = "phone", region = "UK"', "did you mean `GB`?"),
        ('kind = "timestamp", unit = "rfc-3339"', "did you mean `rfc3339`?"),
        ('kind = "phone", format = "x"', "the only one is `msisdn`"),
    ],
)
def test_what_to_write_instead_is_said(text: str, hint: str) -> None:
    assert hints_of(FIELDS + field("$.a", text)) == [hint]


@pytest.mark.parametrize(
    "kind", [kind for kind in Kind if kind not in {Kind.PHONE, Kind.IP, Kind.EMAIL, Kind.ID}]
)
def test_a_subject_is_of_a_kind_that_tells_people_apart(kind: Kind) -> None:
    unit = ', unit = "s"' if kind is Kind.TIMESTAMP else ""
    about = ABOUT.replace('"id", confirm', f'"{kind}"{unit}, confirm')
    assert faults_of(HEAD + about + A) == [f"6: a subject can't be of kind `{kind}`"]
    assert hints_of(HEAD + about + A) == ["one of `email`, `id`, `ip`, `phone`"]


SOUND = [
    "u-[0-9]{5}",
    "@[a-z0-9._=/+-]+:[a-z0-9.-]+",
    "(?:[0-9a-f]{2}:){5}[0-9a-f]{2}",
    "(?P<a>x)(?=y)y|z",
    r"\(\+\)[]*+]*[^]]\[+",
    "(ab)+",
    "(?i)[a-z]{1,64}",
    "[a-z]*[a-z]+[a-z]*a?[0-9]",
]


@pytest.mark.parametrize("pattern", SOUND)
def test_a_sound_pattern_is_taken(pattern: str) -> None:
    text = f"kind = \"id\", pattern = '{pattern}'"
    assert resource_of(FIELDS + field("$.a", text)).fields[0].form.pattern == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(?:a|aa)*b",
        "(a*)*",
        "(?:(?:a?){2}){30}",
        "(a?){30}b",
        "((ab)*c){2,}",
        r"(a)\1",
        r"(?P<x>a)(?P=x)",
        "(a)?(?(1)b|c)",
        "a?" * 5 + "b",
        "a*" * 4 + "b",
    ],
)
def test_a_pattern_that_may_take_for_ever_is_a_fault(pattern: str) -> None:
    text = f"kind = \"id\", pattern = '{pattern}'"
    assert faults_of(FIELDS + field("$.a", text)) == ["7: the pattern may take for ever to match"]


@pytest.mark.parametrize("pattern", SOUND)
def test_a_pattern_that_is_taken_is_quick(pattern: str) -> None:
    started = time.process_time()
    form = Form(Kind.ID, pattern=pattern)
    for text in ("a" * 256, "a" * 2**20, "ab" * 128, "u-" * 128, "@a" * 127 + ":", "[" * 256):
        identity(form, text)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "*", "a{99999999999}", "[[a]", "(?P<a"])
def test_a_pattern_is_a_regular_expression(pattern: str) -> None:
    text = f"kind = \"id\", pattern = '{pattern}'"
    assert faults_of(FIELDS + field("$.a", text)) == [
        "7: the pattern is no regular expression, or one that may change its meaning"
    ]


def test_a_pattern_is_short() -> None:
    text = f'kind = "id", pattern = "{"a" * (MAX_PATTERN + 1)}"'
    assert faults_of(FIELDS + field("$.a", text)) == [
        f"7: the pattern is longer than {MAX_PATTERN} characters"
    ]
