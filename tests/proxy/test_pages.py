import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents import make_case, make_document
from tests.minimize.oracle import parse
from tests.minimize.resources import (
    ID,
    MILLISECONDS,
    TEXT,
    allow,
    keys,
    leaf,
    outcome_of,
    record,
    run_both,
)
from tests.proxy.resources import resource
from withhold.allowlist.model import Allowlist, Entry
from withhold.catalogue.call import joins
from withhold.errors import Malformed
from withhold.minimize.fast import Plan
from withhold.minimize.minimizer import Minimized
from withhold.minimize.tally import Tally
from withhold.names import Treatment
from withhold.paths import Path, Wild
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
    return json.loads(join(Allowlist(shape, entries), texts).body or b"")


def join(allowlist: Allowlist, texts: Sequence[bytes]) -> Minimized:
    """Join pages whose counts do not matter."""
    return join_pages(allowlist, [Minimized(text, Tally()) for text in texts])


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
    assert join(Allowlist(shape, entries), pages).body == (
        b'{"rows":[1.0e+2,"\\\\u00e9",' + '"é,]"]}'.encode()
    )


@given(st.lists(st.lists(st.integers(), min_size=1), min_size=1))
def test_pages_join_to_what_one_page_would_have_been(rows: list[list[int]]) -> None:
    whole = [row for page in rows for row in page]
    assert joined(["$.rows[*]"], *({"rows": page} for page in rows)) == {"rows": whole}


def test_no_page_joins_to_nothing() -> None:
    allowlist = allow(leaf("$.rows[*]"))
    assert join_pages(allowlist, []) == Minimized(None, Tally())
    withheld = Tally(records_seen=1, withheld=Counter({("undated", "$"): 1}))
    assert join_pages(allowlist, [Minimized(None, withheld)]) == Minimized(None, withheld)


# --- What the tally says of a joined answer ------------------------------------------------------


def joined_tally(allowlist: Allowlist, *pages: str) -> Tally:
    """Minimize the pages of a store and give the tally of them all."""
    made = []
    for page in pages:
        outcome = run_both(allowlist, page)
        assert isinstance(outcome, tuple)
        made.append(Minimized(*outcome))
    return join_pages(allowlist, made).tally


def test_a_leaf_outside_every_array_counts_once_however_many_pages_repeat_it() -> None:
    allowlist = allow(leaf("$.shop.name"), leaf("$.shop.city"), leaf("$.rows[*]"))
    page = '{"shop":{"name":"a"},"rows":["x","y"]}'
    last = '{"shop":{"name":null,"city":"b"},"rows":["z"]}'
    assert joined_tally(allowlist, page, page, last).disclosed == {
        "$.shop.name": 1,
        "$.shop.city": 1,
        "$.rows[*]": 5,
    }


def test_of_variants_the_one_of_the_first_page_that_has_any_counts() -> None:
    allowlist = allow(
        leaf("$.address", ID, when=("medium", "a")), leaf("$.address", TEXT, when=("medium", "b"))
    )
    pages = ["{}", '{"medium":"b","address":"x"}', '{"medium":"a","address":"y"}']
    tally = joined_tally(allowlist, *pages, pages[1])
    assert tally.disclosed == {'$.address when medium is "b"': 1}
    assert list(tally.disclosed) == ['$.address when medium is "b"']  # and no zero


def test_what_is_keyed_within_an_array_counts_on_every_page() -> None:
    allowlist = allow(leaf("$.rows[*].*"), keys("$.rows[*].*"))
    tally = joined_tally(allowlist, '{"rows":[{"p":"1"}]}', '{"rows":[{"p":"1","q":"2"}]}')
    assert tally.disclosed == {"$.rows[*].*": 3, "$.rows[*].* key": 3}


def test_a_record_outside_every_array_is_disclosed_once() -> None:
    time = ("t", MILLISECONDS)
    allowlist = allow(
        *(leaf("$.a"), leaf("$.meta.b"), leaf("$.rows[*].c")),
        records=[record("$", time=time), record("$.meta", time=time), record("$.rows[*]")],
    )
    now = '"t":1780272000000'
    page = f'{{{now},"a":"x","meta":{{{now},"b":"y"}},"rows":[{{"c":"1"}},{{"c":"2"}}]}}'
    tally = joined_tally(allowlist, page, f'{{{now},"a":"x"}}', page, '{"t":1,"a":"x"}')
    assert tally.records_disclosed == 2 + 4
    # What was seen, and what of it was withheld, is nobody's but the auditors'.
    assert tally.records_seen == 1 + 1 + 2 + 1 + 1 + 1 + 2 + 1
    assert tally.withheld == {("undated", "$"): 1}


@given(st.integers(0, 2**64), st.integers(0, 6))
def test_a_joined_tally_says_what_is_in_the_joined_answer(seed: int, count: int) -> None:
    rng = Random(seed)
    case = make_case(rng)
    fields = case.allowlist.resource.fields
    apart = {f.label for f in fields if not joins(f.path) or f.path[0] is Wild.ELEMENTS}
    allowlist = replace(
        case.allowlist,
        entries=tuple(
            replace(entry, treatment=Treatment.WITHHOLD) if entry.field.label in apart else entry
            for entry in case.allowlist.entries
        ),
    )
    plan = Plan(allowlist)
    documents = [make_document(rng, case.root) for _ in range(count)]
    outcomes = [outcome_of(plan, case.scope, document) for document in documents]
    pages = [Minimized(*outcome) for outcome in outcomes if isinstance(outcome, tuple)]
    whole = join_pages(allowlist, pages)
    answer = [] if whole.body is None else [parse(whole.body)]
    said: Counter[Path] = Counter()
    for entry in allowlist.leaves:
        if entry.field.label in whole.tally.disclosed:
            said[entry.field.path] += whole.tally.disclosed[entry.field.label]
    places = {entry.field.path for entry in allowlist.leaves}
    assert said == {p: n for p in places if (n := sum(1 for a in answer for _ in at(a, p)))}
    records = [each.each for each in allowlist.resource.records]
    assert whole.tally.records_disclosed == sum(
        1 for a in answer for each in records for _ in at(a, each)
    )
    assert all(whole.tally.disclosed.values())
    if len(pages) == 1:
        assert whole.tally == pages[0].tally


def at(value: Any, path: Path) -> Iterator[object]:  # noqa: ANN401 - JSON
    """Give everything that stands at a path."""
    if not path:
        yield value
    elif path[0] is Wild.ELEMENTS:
        yield from (found for item in value for found in at(item, path[1:]))
    elif path[0] is Wild.MEMBERS:
        yield from (found for item in value.values() for found in at(item, path[1:]))
    elif path[0] in value:
        yield from at(value[path[0]], path[1:])


def test_joining_many_pages_takes_time_in_their_number() -> None:
    def seconds(count: int) -> float:
        shape = resource(("x",), "$.rows[*]")
        entries = tuple(Entry(field, Treatment.DISCLOSE, "covered") for field in shape.fields)
        pages = [Minimized(b'{"rows":[1]}', Tally())] * count
        began = time.perf_counter()
        join_pages(Allowlist(shape, entries), pages)
        return time.perf_counter() - began

    # Sixteen times as many: were it their square, it would be 256 times the time.
    assert min(seconds(32_000) for _ in range(5)) < 80 * min(seconds(2_000) for _ in range(5))
