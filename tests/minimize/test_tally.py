from collections import Counter

from tests.minimize.resources import ID, allow, keys, leaf, run_both
from withhold.minimize.tally import Tally
from withhold.names import Reason

MALFORMED, UNDATED = Reason.MALFORMED, Reason.UNDATED


def test_an_empty_tally_counts_nothing() -> None:
    tally = Tally()
    assert tally == Tally(0, 0, Counter(), Counter())
    assert (type(tally.withheld), type(tally.disclosed)) == (Counter, Counter)
    assert tally.disclosed["$.a"] == 0
    assert (tally.by_reason(), tally.disclosed.total()) == ({}, 0)


def test_tallies_that_differ_in_what_was_disclosed_differ() -> None:
    assert Tally(disclosed=Counter({"$.a": 1})) != Tally(disclosed=Counter({"$.a": 2}))
    assert Tally(disclosed=Counter({"$.a": 1})) != Tally()


def test_adding_adds_every_count_and_leaves_the_other_alone() -> None:
    total = Tally(1, 1, Counter({(MALFORMED, "$.a"): 1}), Counter({"$.a": 2}))
    other = Tally(
        3, 2, Counter({(MALFORMED, "$.a"): 1, (UNDATED, "$[*]"): 4}), Counter({"$.a": 1, "$.b": 5})
    )
    total.add(other)
    other.add(Tally())
    assert total == Tally(
        4,
        3,
        Counter({(MALFORMED, "$.a"): 2, (UNDATED, "$[*]"): 4}),
        Counter({"$.a": 3, "$.b": 5}),
    )
    assert other.disclosed == Counter({"$.a": 1, "$.b": 5})
    assert total.by_reason() == {"malformed": 2, "undated": 4}


def test_pages_add_up() -> None:
    allowlist = allow(leaf("$.l[*].a"), leaf("$.m.*"), keys("$.m.*", ID))
    total = Tally()
    for body in ('{"l":[{"a":"1"},{"a":null}]}', '{"l":[]}', '{"l":[{"a":2}],"m":{"k":"x"}}'):
        outcome = run_both(allowlist, body)
        assert isinstance(outcome, tuple)
        total.add(outcome[1])
    assert dict(total.disclosed) == {"$.l[*].a": 2, "$.m.*": 1, "$.m.* key": 1}
    assert total.by_reason() == {"malformed": 1}
