import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.resources import resource
from withhold.allowlist.model import Allowlist, Entry
from withhold.errors import Malformed
from withhold.names import Treatment
from withhold.proxy.pages import MAX_CURSOR_BYTES, cursor_of, join_pages


@pytest.mark.parametrize(
    ("body", "cursor"),
    [
        (b'{"end":"t1"}', "t1"),
        (b' { "a" : [1,{"end":"no"}] , "end" : "t1" } ', "t1"),
        (b'{"end":"t\\u0031\\"\\u00e9"}', 't1"\u00e9'),
        (b'{"end":17}', "17"),
        (b'{"end":-1.50e3}', "-1.50e3"),
        (b'{"end":9007199254740993}', "9007199254740993"),
        (b'{"end":"no","end":"t1"}', "t1"),
        (b'{"end":"' + b"a" * (MAX_CURSOR_BYTES - 2) + b'"}', "a" * (MAX_CURSOR_BYTES - 2)),
        (b'{"end":null}', None),
        (b'{"end":""}', None),
        (b"{}", None),
    ],
)
def test_reads_the_cursor_and_nothing_else(body: bytes, cursor: str | None) -> None:
    assert cursor_of(body, ("end",)) == cursor


def test_reads_a_cursor_further_down() -> None:
    assert cursor_of(b'{"meta":{"page":{"next":"t"}}}', ("meta", "page", "next")) == "t"
    assert cursor_of(b'{"meta":null}', ("meta", "page", "next")) is None
    assert cursor_of(b'{"meta":{}}', ("meta", "page", "next")) is None
    assert cursor_of(b'{"odd.name \\"":"t"}', ('odd.name "',)) == "t"


@pytest.mark.parametrize(
    "body",
    [
        b'{"end":true}',
        b'{"end":{"canary":1}}',
        b'{"end":["canary"]}',
        b'{"end":"\\ud800canary"}',
        b'{"end":"' + b"a" * MAX_CURSOR_BYTES + b'"}',
        b"[]",
        b'"canary"',
        b"canary",
        b"",
        b"[" * 100_000,
    ],
    ids=range(10),
)
def test_a_cursor_that_can_not_be_one_is_a_fault(body: bytes) -> None:
    with pytest.raises(Malformed) as raised:
        cursor_of(body, ("end",))
    assert "canary" not in str(raised.value)
    assert raised.value.__context__ is None


def joined(paths: Sequence[str], *pages: object) -> object:
    """Join pages as the minimizer would print them."""
    shape = resource(("x",), *paths)
    entries = tuple(Entry(field, Treatment.DISCLOSE, "covered") for field in shape.fields)
    texts = [json.dumps(page, separators=(",", ":")).encode() for page in pages]
    return json.loads(join_pages(Allowlist(shape, entries), texts))


def test_joins_the_outermost_arrays_and_keeps_the_first_of_all_else() -> None:
    paths = ["$.shop.name", "$.shop.city", "$.rows[*].tags[*]", "$.rows[*].id", "$.all[*]"]
    pages = [
        {"rows": [{"id": 1, "tags": ["a"]}], "shop": {"name": None}},
        {"shop": {"name": "later", "city": "here"}},
        {"rows": [{"tags": ["b"]}, {"id": 3}], "all": [1]},
        {"all": [2, 3]},
    ]
    assert joined(paths, *pages) == {
        "shop": {"name": None, "city": "here"},
        "rows": [{"id": 1, "tags": ["a"]}, {"tags": ["b"]}, {"id": 3}],
        "all": [1, 2, 3],
    }


def test_one_page_is_itself() -> None:
    page = {"rows": [{"id": 1}], "name": "a"}
    assert joined(["$.rows[*].id", "$.name"], page) == page


def test_digits_and_code_points_stay_as_they_are() -> None:
    shape = resource(("x",), "$.rows[*]")
    entries = tuple(Entry(field, Treatment.DISCLOSE, "covered") for field in shape.fields)
    pages = [b'{"rows":[1.0e+2,"\\\\u00e9"]}', '{"rows":["é,]"]}'.encode()]
    assert join_pages(Allowlist(shape, entries), pages) == (
        b'{"rows":[1.0e+2,"\\\\u00e9",' + '"é,]"]}'.encode()
    )


@given(st.lists(st.lists(st.integers(), min_size=1), min_size=1))
def test_pages_join_to_what_one_page_would_have_been(rows: list[list[int]]) -> None:
    whole = [row for page in rows for row in page]
    assert joined(["$.rows[*]"], *({"rows": page} for page in rows)) == {"rows": whole}


def test_joining_many_pages_takes_time_in_their_number() -> None:
    def seconds(count: int) -> float:
        shape = resource(("x",), "$.rows[*]")
        entries = tuple(Entry(field, Treatment.DISCLOSE, "covered") for field in shape.fields)
        texts = [b'{"rows":[1]}'] * count
        began = time.perf_counter()
        join_pages(Allowlist(shape, entries), texts)
        return time.perf_counter() - began

    # Sixteen times as many: were it their square, it would be 256 times the time.
    assert min(seconds(32_000) for _ in range(5)) < 80 * min(seconds(2_000) for _ in range(5))
