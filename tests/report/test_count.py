"""What each entry adds: the cases beside the day that was counted by hand."""

import tracemalloc
from typing import Any

import pytest

from tests.report.logs import Log, instant
from withhold.ledger.entry import EntryType
from withhold.ledger.receipt import Ending
from withhold.names import WarrantId
from withhold.report.count import Count, Key, Order, What

W = WarrantId("W-1")


def order_of(log: Log) -> Order:
    return log.count().orders[W]


@pytest.mark.parametrize(
    ("members", "in_part"),
    [
        ({}, False),
        ({"unauthorised": {"not-in-warrant": 9}}, False),
        ({"unauthorised": {"not-requested": 9}}, False),
        ({"unauthorised": {"rule:no-mail": 1}}, True),
        ({"unauthorised": {"undated": 1}}, True),
        ({"unauthorised": {"no-subject": 1}}, True),
        ({"unauthorised": {"not-in-instrument": 9}}, False),  # it does not say that it was asked
        ({"unauthorised": {"not-in-instrument": 9}, "requested": 1}, False),
        ({"unauthorised": {"not-in-instrument": 9}, "requested": 2}, True),
        ({"unauthorised": {"not-in-instrument": 9, "not-requested": 1}, "requested": 2}, False),
        ({"unauthorised": {}, "requested": 2}, False),  # more than there is cannot be withheld
        ({"withheld": {"malformed": {"$.a": 1}}}, True),
        ({"withheld": {"undated": {"$": 1}}}, True),
        ({"withheld": {"no-subject": {"$": 1}}}, True),
        ({"withheld": {"not-a-target": {"$": 9}, "out-of-period": {"$": 9}}}, False),
        ({"withheld": {"malformed": {"$.a": 0}}}, False),
    ],
    ids=str,
)
def test_an_order_is_complied_with_in_part_where_what_it_asks_for_stays(
    members: dict[str, Any], *, in_part: bool
) -> None:
    log = Log()
    log.order(W, "08:00")
    log.disclose(W, "09:00", authorised={"disclose": 1}, **members)
    assert order_of(log).in_part is in_part


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        ("complete", Ending.COMPLETE),
        ("incomplete", Ending.INCOMPLETE),
        ("unknown", Ending.UNKNOWN),
        ("some-day-something-else", Ending.UNKNOWN),
    ],
)
def test_only_a_delivery_that_is_known_to_be_complete_is_whole(
    outcome: str, ending: Ending
) -> None:
    log = Log()
    log.order(W, "08:00")
    log.disclose(W, "09:00", outcome)
    order = order_of(log)
    assert +order.tally == {Key(What.ENDED, ending): 1}
    assert (order.disclosures, order.in_part) == (1, ending is not Ending.COMPLETE)


def test_what_was_held_back_is_no_disclosure_and_says_nothing_of_the_order() -> None:
    log = Log()
    log.order(W, "08:00")
    broken = {"unauthorised": {"rule:r": 1}, "disclosed": {"$.a": 1}}
    log.disclose(W, "09:00", "not-sent", **broken)
    order = order_of(log)
    assert +order.tally == {Key(What.ENDED, Ending.NOT_SENT): 1}
    assert (order.disclosures, order.in_part) == (0, False)


def test_a_second_closing_says_no_more() -> None:
    log = Log()
    log.order(W, "08:00")
    handle = log.release(W, "09:00")
    log.close(W, handle, "09:01")
    log.close(W, handle, "09:02", "unknown")
    order = order_of(log)
    assert (order.disclosures, order.in_part) == (1, False)


def test_a_closing_of_the_next_day_is_of_the_day_of_its_release() -> None:
    log = Log()
    log.order(W, "08:00")
    log.close(W, log.release(W, "23:59"), "2026-03-03T00:00:01Z", "incomplete")
    assert +order_of(log).tally == {Key(What.ENDED, Ending.INCOMPLETE): 1}


def test_an_order_that_comes_with_all_signatures_is_approved_at_once() -> None:
    log = Log()
    log.warrant(W, "registered", "active", "08:00")
    assert order_of(log).was_active


def test_an_order_revoked_after_it_was_active_is_not_refused() -> None:
    log = Log()
    log.order(W, "08:00")
    log.end(W, "revoked", "09:00")
    order = order_of(log)
    assert (order.was_active, order.is_revoked) == (True, True)


def test_an_entry_that_ends_access_changes_nothing_else() -> None:
    """It does not repeat what the order is, and so not that it is under secrecy."""
    log = Log()
    log.order(W, "08:00", secrecy_until="2030-01-01T00:00:00Z", targets=3)
    log.end(W, "suspended", "09:00")
    order = order_of(log)
    assert order.secrecy_until == instant("2030-01-01")
    assert (order.instrument, order.country, order.targets) == ("us-sca-subpoena", "US", 3)


def test_the_last_document_on_secrecy_counts() -> None:
    log = Log()
    log.order(W, "08:00", secrecy_until="2030-01-01T00:00:00Z")
    log.warrant(W, "resumed", "active", "09:00", secrecy_until=None)
    assert order_of(log).secrecy_until is None


@pytest.mark.parametrize(("outcome", "number"), [("complete", 1), ("unknown", 1), ("not-sent", 0)])
def test_a_reveal_is_counted_apart_and_makes_no_order_complied_with(
    outcome: str, number: int
) -> None:
    log = Log()
    log.order(W, "08:00")
    log.close(W, log.reveal(W, "09:00"), "09:01", outcome)
    log.reveal(W, "2026-03-03T09:00:00Z")
    order = order_of(log)
    assert +order.tally == ({Key(What.REVEALED): number} if number else {})
    assert (order.disclosures, order.in_part) == (0, False)


def test_what_cannot_be_counted_is_counted_as_that() -> None:
    log = Log()
    log.order(W, "08:00")
    log.disclose(W, "09:00", unauthorised={"rule:r": 1})
    log.disclose(W, "09:00")
    log.disclose(W, "2026-03-04T09:00:00Z")
    log.disclose("W-NOBODY", "09:00")
    log.prune(2, whole=False)  # the first release loses what was withheld
    log.parts += [
        (b'{"type":"release"}', None),
        (b'{"type":"key","at":"x"}', None),
        (b'{"type":"from-the-future"}', None),
        (b"{", None),
        (log.parts[4][0], b"["),
        (None, None),
    ]
    count = log.count()
    assert (count.size, count.pruned, count.unreadable) == (len(log.parts), 1, 3)
    assert [w for w, order in count.orders.items() if not order.is_known] == ["W-NOBODY"]
    assert (count.orders[W].unopened, count.orders[W].unasked) == (1, 1)
    assert not count.orders[W].in_part


def test_an_order_whose_registration_is_pruned_is_still_known() -> None:
    log = Log()
    log.order(W, "08:00")
    log.prune(0)
    assert order_of(log).registered_at is None
    assert order_of(log).instrument == "us-sca-subpoena"


def test_an_entry_without_a_time_is_in_no_period() -> None:
    log = Log()
    log.order(W, "08:00")
    log.put(EntryType.FAILURE, "yesterdayT", {"outcome": "store-failed"}, warrant=W)
    assert not order_of(log).tally


def test_memory_does_not_grow_with_the_receipts() -> None:
    def peak(receipts: int) -> int:
        log = Log()
        log.order(W, "08:00")
        log.disclose(W, "09:00", disclosed={"$.a": 1}, unauthorised={"rule:r": 1})
        order, once = log.parts[:2], log.parts[2:]
        log.parts = order + once * receipts
        tracemalloc.start()
        count: Count = log.count()
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count.orders[W].disclosures == receipts
        return size

    peak(10)
    assert peak(2_000) < peak(20) + 20_000


def test_no_repr_tells_who_is_meant() -> None:
    log = Log()
    log.order(W, "08:00")
    assert "1.x" not in repr(log.count())
