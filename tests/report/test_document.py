import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.day import a_day
from tests.report.logs import DAY, Log, instant
from withhold.report.document import SECRECY, Source, make_document
from withhold.report.query import Banded, Exact, Form, Query, Suppressed

SOURCE: Final = Source("example", "withhold 0.1.0")
AS_OF: Final = instant("2026-03-04")
FORMS: Final = [Suppressed(), Suppressed(3), Banded(1000), Banded(100)]


def document(log: Log, form: Form, *countries: str, as_of: str = "2026-03-04") -> dict[str, Any]:
    query = Query(instant(DAY), instant("2026-03-03"), form, frozenset(countries))
    return make_document(log.count(), query, instant(as_of), SOURCE)


def value(report: dict[str, Any], measure: str, country: str | None = None) -> object:
    """A number of a country, or of all."""
    found = [
        cell["value"]
        for cell in report["cells"]
        if (cell["measure"], cell["country"]) == (measure, country)
        and (cell["instrument"], cell["category"], cell["reason"]) == (None, None, None)
    ]
    assert len(found) == 1
    return found[0]


def test_an_internal_report_says_so_and_has_every_number() -> None:
    report = document(a_day(), Exact())
    assert (report["audience"], report["form"]) == ("INTERNAL", {"numbers": "exact"})
    assert "INTERNAL" in report["notes"][0]["says"]
    assert value(report, "orders_received") == 7
    assert value(report, "orders_under_secrecy", "UK") == 1
    assert None not in {cell["value"] for cell in report["cells"]}


def test_a_report_for_publication_hides_small_numbers() -> None:
    report = document(a_day(), Suppressed())
    assert report["audience"] == "publication"
    assert report["form"] == {"numbers": "suppressed", "threshold": 5}
    assert value(report, "orders_received", "US") is None
    assert value(report, "orders_refused", "US") == 0
    shown = {cell["value"] for cell in report["cells"]}
    assert shown & {1, 2, 3, 4} == {1}  # one freeze, which is about nobody
    assert value(report, "freezes") == 1


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_report_does_not_tell_whether_there_are_orders_under_secrecy(form: Form) -> None:
    """But for the size of the log, it is the same with such an order and without it."""
    told, without = (document(a_day(secret=secret), form) for secret in (True, False))
    assert told.pop("log") != without.pop("log")
    assert told == without
    assert SECRECY in {note["says"] for note in told["notes"]}


@given(st.lists(st.sampled_from("RSPXU"), max_size=6))
def test_nothing_of_an_order_under_secrecy_shows(does: list[str]) -> None:
    """Whatever it led to, and whatever of it is pruned."""
    log = a_day(secret=False)
    before = document(log, Suppressed())
    secret = {"country": "XX", "secrecy_until": "2027-01-01T00:00:00Z", "targets": 7}
    log.order("S", "08:00", **secret)
    for what in does:
        match what:
            case "R":
                log.disclose("S", "09:00", disclosed={"$.a": 1}, unauthorised={"rule:s": 1})
            case "S":
                log.release("S", "09:00")
            case "P":
                log.reveal("S", "09:00")
            case "X":
                log.fail("S", "09:00", "secret-failure")
            case _:
                log.release("S", "09:00")
                log.prune(-1, whole=False)
    report = document(log, Suppressed())
    for each in (before, report):
        del each["log"]
    assert report == before


def test_with_bands_only_what_the_paragraph_allows_is_there() -> None:
    report = document(a_day(), Banded(250), as_of="2026-03-20")
    assert report["form"] == {
        "numbers": "bands",
        "size": 250,
        "paragraph": "50 U.S.C. 1874(a)(3)",
        "structure": "semiannual, bands of 250, all process combined",
        "conditions": [
            {"says": "the period is of at most 180 days", "met": True},
            {"says": "the period is within the 180 days before publication", "met": True},
        ],
    }
    assert {cell["measure"] for cell in report["cells"]} == {
        "orders_received",
        "selectors_targeted",
    }
    assert value(report, "orders_received") == {"from": 0, "to": 249}


def test_a_country_alone_shows_what_it_shows_among_all() -> None:
    """Else reports on each country would together tell what none of them tells."""
    log = Log()
    for i in range(40):
        log.order(f"W-{i}", "08:00", instrument="us-sca-subpoena" if i < 30 else "uk-entity-data")
    log.order("W-EU", "08:00", instrument="eu-epoc-subscriber")
    whole = document(log, Suppressed())
    for country in ("US", "EU", "UK"):
        alone = document(log, Suppressed(), country)
        assert alone["countries"] == [country]
        assert alone["cells"] == [c for c in whole["cells"] if c["country"] == country]
    shown = [value(whole, "orders_received", country) for country in ("US", "EU", "UK")]
    assert shown == [30, None, None]


def test_what_could_not_be_counted_is_said() -> None:
    log = a_day()
    registration = next(
        i for i, (public, _) in enumerate(log.parts) if b'"WHOLE"' in (public or b"")
    )
    log.prune(registration)
    log.parts.append((b"{", None))
    log.disclose("NOBODY", "09:00")
    internal, public = document(log, Exact()), document(log, Suppressed())
    assert internal["uncounted"] == {
        "pruned_entries": 1,
        "unreadable_entries": 1,
        "unopened_receipts": 0,
        "receipts_without_requested": 1,
        "orders_without_registration": 1,
        "orders_without_entry": 1,
    }
    assert public["uncounted"] == {
        "pruned_entries": True,
        "unreadable_entries": True,
        "unopened_receipts": False,
        "receipts_without_requested": True,
        "orders_without_registration": True,
    }
    assert [n["about"] for n in internal["notes"]].count("uncounted") == 5
    assert [n["about"] for n in public["notes"]].count("uncounted") == 4


def test_it_says_how_people_were_counted() -> None:
    report = document(a_day(), Exact())
    assert report["people"] == "identifiers-by-order"
    assert value(report, "people_affected") == 5
    assert "whoever several orders name counts for each" in json.dumps(report["notes"])


def test_it_names_what_it_was_computed_over() -> None:
    log = a_day()
    source = Source("example", "withhold 0.1.0", "AAAA", "example\n18\nAAAA\n")
    query = Query(instant(DAY), instant("2026-03-03"))
    report = make_document(log.count(), query, AS_OF, source)
    assert report["log"] == {
        "size": len(log.parts),
        "root": "AAAA",
        "checkpoint": "example\n18\nAAAA\n",
    }
    assert (report["report"], report["version"]) == ("withhold-transparency-report", 1)
    assert report["period"] == {"from": "2026-03-02T00:00:00Z", "until": "2026-03-03T00:00:00Z"}
    assert report["as_of"] == "2026-03-04T00:00:00Z"


def test_no_order_caller_or_person_is_named() -> None:
    text = json.dumps(document(a_day(), Exact()))
    for name in ("WHOLE", "SECRET", "disclosure-service", "intake-1", "1.x", "H-1"):
        assert name not in text
