import pytest

from tests.catalogue.written import ABOUT, HEAD, A, faults_of, field, hints_of, resource_of
from withhold.catalogue.call import MAX_PAGES, joins
from withhold.catalogue.model import RequestSubject
from withhold.kinds.form import Form
from withhold.names import Kind
from withhold.paths import parse_path

PAGE = 'next = "$.next", param = "from", max = 2'


def called(text: str) -> str:
    """A resource with `text` in line 6."""
    return HEAD + text + "\n" + A


def test_a_subject_is_a_parameter_that_the_answer_repeats_or_not() -> None:
    resource = resource_of(called('subject = { param = "id", kind = "email", confirm = "$.a" }'))
    assert resource.subject == RequestSubject("id", Form(Kind.EMAIL), ("a",))
    resource = resource_of(
        called('subject = { param = "id", kind = "phone", format = "msisdn", confirm = false }')
    )
    assert resource.subject == RequestSubject("id", Form(Kind.PHONE, msisdn=True), None)


@pytest.mark.parametrize(
    ("subject", "faults"),
    [
        ('"id"', ["`subject` is a string, not a table"]),
        ("{}", ["`param` is missing", "`kind` is missing", "`confirm` is missing"]),
        ('{ param = "id", kind = "id" }', ["`confirm` is missing"]),
        (
            '{ param = "id", kind = "id", confirm = true }',
            ["`confirm` is the path at which the answer repeats it"],
        ),
        (
            '{ param = "id", kind = "id", confirm = 1 }',
            ["`confirm` is an integer, not a string"],
        ),
        (
            '{ param = "id", kind = "id", confirm = "$" }',
            ["`$` is the whole answer: name a place in it"],
        ),
        (
            '{ param = "id", kind = "id", confirm = "a" }',
            ["`a` does not begin with `$`"],
        ),
        ('{ param = "ID", kind = "id", confirm = false }', ["`ID` is no parameter of the path"]),
        ('{ param = "id", kind = "id", confirm = false, x = 1 }', ["`x` is unknown here"]),
    ],
)
def test_what_is_wrong_with_a_subject_is_said(subject: str, faults: list[str]) -> None:
    assert faults_of(called(f"subject = {subject}")) == [f"6: {fault}" for fault in faults]


def test_a_path_without_parameters_has_no_subject() -> None:
    text = (HEAD + ABOUT + A).replace("/r/{id}", "/r")
    assert faults_of(text) == ["6: `id` is no parameter of the path"]
    assert hints_of(text) == ["the path has no parameter"]


def test_a_subject_is_not_held_against_a_path_at_fault() -> None:
    assert faults_of((HEAD + ABOUT + A).replace("/r/{id}", "r")) == [
        "5: `r` does not begin with `/`"
    ]


@pytest.mark.parametrize(
    ("resolves", "faults"),
    [
        ('"$.a"', ["`resolves` is a string, not a table"]),
        ("{}", ["`to` is missing", "`kind` is missing"]),
        ('{ to = "a", kind = "id" }', ["`a` does not begin with `$`"]),
        ('{ to = "$.a", kind = "text" }', ["an identifier can't be of kind `text`"]),
        (
            '{ to = "$.a", kind = "id", x = 1 }',
            ["`x` is unknown here", "the identifier is declared as `text`, not `id`"],
        ),
    ],
)
def test_what_is_wrong_with_a_lookup_is_said(resolves: str, faults: list[str]) -> None:
    text = HEAD + ABOUT + f"resolves = {resolves}\n" + A
    assert faults_of(text) == [f"7: {fault}" for fault in faults]


def test_a_lookup_is_about_somebody() -> None:
    text = HEAD + 'resolves = { to = "$.a", kind = "id" }\n' + A.replace('"text"', '"id"')
    assert faults_of(text) == ["6: a lookup needs a `subject`: whose other identifier it gives"]


def test_a_query_is_sent_as_it_stands_by_name() -> None:
    resource = resource_of(called('query = { b = " x ", a = -1, c = "" }'))
    assert resource.query == (("a", "-1"), ("b", " x "), ("c", ""))


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ('"dir=f"', ["`query` is a string, not a table"]),
        ("{ a = true }", ["`a` is true or false, not a string or an integer"]),
        ("{ a = 1.0 }", ["`a` is a decimal number, not a string or an integer"]),
        ("{ a = [] }", ["`a` is an array, not a string or an integer"]),
        ("{ a = 9007199254740992 }", ["`a` is out of range"]),
        ('{ a = "\\n" }', ["`a` holds a control character or a line's end"]),
        ('{ "" = 1 }', ["a query parameter has no name, or one with a control character"]),
        ('{ "\\n" = 1 }', ["a query parameter has no name, or one with a control character"]),
    ],
)
def test_what_is_wrong_with_a_query_is_said(query: str, faults: list[str]) -> None:
    assert faults_of(called(f"query = {query}")) == [f"6: {fault}" for fault in faults]


def test_statuses_can_mean_that_there_is_nothing() -> None:
    assert resource_of(called("absent = [404, 410, 204]")).absent == {404, 410, 204}


@pytest.mark.parametrize(
    ("absent", "faults"),
    [
        ("404", ["`absent` is an integer, not an array of statuses, such as `[404]`"]),
        ('["404"]', ["`absent`, element 1, is a string, not an integer"]),
        ("[404, 99]", ["`absent`, element 2, is out of range"]),
        *(
            (f"[{status}]", [f"{status} can't mean that the store has nothing"])
            for status in (100, 200, 301, 401, 407, 408, 429, 500, 503)
        ),
    ],
)
def test_what_is_wrong_with_absent_is_said(absent: str, faults: list[str]) -> None:
    assert faults_of(called(f"absent = {absent}")) == [f"6: {fault}" for fault in faults]


def test_the_first_page_may_be_named_in_the_query() -> None:
    resource = resource_of(called(f'query = {{ from = "t0" }}\npage = {{ {PAGE} }}'))
    assert resource.page is not None
    assert resource.page.param == "from"
    assert resource.page.limit is None


@pytest.mark.parametrize(
    ("page", "faults"),
    [
        ('"next"', ["`page` is a string, not a table"]),
        ("{}", ["`next` is missing", "`param` is missing", "`max` is missing"]),
        ('{ next = "$.next", param = "from" }', ["`max` is missing"]),
        (f"{{ {PAGE.replace('2', '0')} }}", ["`max` is out of range"]),
        (f"{{ {PAGE.replace('2', str(MAX_PAGES + 1))} }}", ["`max` is out of range"]),
        (f"{{ {PAGE.replace('$.next', 'next')} }}", ["`next` does not begin with `$`"]),
        (f"{{ {PAGE.replace('$.next', '$')} }}", ["`$` is the whole answer: name a place in it"]),
        (
            f"{{ {PAGE.replace('.next', '.a[*]')} }}",
            ["the cursor stands at a path with a wildcard"],
        ),
        (f"{{ {PAGE}, size = 1 }}", ["`size` is unknown here"]),
        (f"{{ {PAGE}, limit = 500 }}", ["`limit` is an integer, not a table"]),
        (f"{{ {PAGE}, limit = {{}} }}", ["`param` is missing", "`value` is missing"]),
        (f'{{ {PAGE}, limit = {{ param = "n", value = 1, x = 1 }} }}', ["`x` is unknown here"]),
        (
            f'{{ {PAGE}, limit = {{ param = "from", value = 1 }} }}',
            ["cursor and limit are one parameter"],
        ),
    ],
)
def test_what_is_wrong_with_pages_is_said(page: str, faults: list[str]) -> None:
    assert faults_of(called(f"page = {page}")) == [f"6: {fault}" for fault in faults]


def test_a_limit_stands_in_one_place() -> None:
    text = f'query = {{ n = 1 }}\npage = {{ {PAGE}, limit = {{ param = "n", value = 1 }} }}'
    assert faults_of(called(text)) == ["7: `n` is in `query`, too"]


@pytest.mark.parametrize(
    ("path", "does"),
    [("$.a", True), ("$.a.b", True), ("$.a[*].b.*", True), ("$.a.*", False), ("$.*.b[*]", False)],
)
def test_pages_join_where_an_array_comes_first(path: str, does: bool) -> None:
    assert joins(parse_path(path)) is does


def test_a_paged_resource_may_have_fields_on_every_page() -> None:
    text = HEAD + f"page = {{ {PAGE} }}\n[resource.fields]\n" + field("$.a") + field("$.b[*].c.*")
    assert len(resource_of(text).fields) == 2
