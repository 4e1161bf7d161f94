"""One day at a messenger, from its first order to its last refusal, to be counted by hand."""

from typing import Any

from tests.report.logs import Log
from withhold.ledger.entry import EntryType

SECRET_UNTIL = "2026-12-31T00:00:00Z"


def a_day(*, secret: bool = True) -> Log:
    """Give the log of 2026-03-02, with something of the days around it."""
    log = Log()
    log.put(EntryType.SIGNER, "07:00", {"event": "added", "name": "intake-1"})
    log.put(EntryType.BUNDLE, "07:01", {"event": "loaded", "digest": "sha-256=:AA==:"})

    # Registered the day before; what it leads to today is of today.
    log.order("OLD", "2026-03-01T10:00:00Z", instrument="us-search-warrant", targets=4)
    log.refuse("2026-03-01T23:59", "not-a-target", 9, at="2026-03-02T00:00:07Z")

    # Complied with in whole: all that it asks for left, others' records did not.
    log.order("WHOLE", "08:00", categories=["subscriber", "identifying"], targets=2)
    log.disclose(
        "WHOLE",
        "09:00",
        authorised={"disclose": 3, "tokenize": 1, "withhold": 6},
        disclosed={"$.user_id": 1, "$.devices.* key": 2},
        tokenized={"$.ip": 2},
        records=2,
        unauthorised={"not-in-warrant": 2, "not-in-instrument": 4},
        withheld={"not-a-target": {"$.chunk[*]": 5}, "out-of-period": {"$.chunk[*]": 1}},
        requested=4,
    )

    # In part: it asks for three fields; one is a rule's, and one the instrument does not reach.
    log.order("RULE", "08:05", targets=1)
    log.disclose(
        "RULE",
        "09:10",
        authorised={"disclose": 1},
        disclosed={"$.user_id": 1},
        unauthorised={"rule:no-mail": 1, "not-in-instrument": 4},
        requested=3,
    )

    # In part: a stream that broke off, with malformed values.
    log.order("STREAM", "08:10", instrument="us-search-warrant", categories=["content"], targets=1)
    opening = log.release(
        "STREAM", "10:00", kind=EntryType.OPENING, authorised={"disclose": 2}, requested=2
    )
    log.close(
        "STREAM",
        opening,
        "10:05",
        "incomplete",
        stream={
            "disclosed": {"$.body": 7},
            "tokenized": {},
            "generalized": {"$.at": 7},
            "records_disclosed": 7,
            "body": None,
        },
        withheld={"malformed": {"$.body": 2}},
    )
    log.fail("STREAM", "10:10", "store-failed")
    log.close("STREAM", log.reveal("STREAM", "10:20"), "10:20")
    log.reveal("STREAM", "10:21", "refused")
    log.close("STREAM", log.reveal("STREAM", "10:22"), "10:22", "not-sent")

    eu = "eu-epoc-subscriber"
    log.warrant("REFUSED", "registered", "pending", "08:15", instrument=eu)
    log.end("REFUSED", "revoked", "08:20")
    log.warrant("WAITING", "registered", "pending", "08:25", instrument=eu)
    # Approved, answered, and the answer held back at the last moment.
    log.order("HELD", "08:30", instrument=eu)
    held: dict[str, Any] = {
        "authorised": {"disclose": 1},
        "disclosed": {"$.user_id": 1},
        "requested": 1,
    }
    log.disclose("HELD", "11:00", "not-sent", **held)

    if secret:
        log.order(
            "SECRET",
            "08:35",
            instrument="uk-entity-data",
            targets=1,
            secrecy_until=SECRET_UNTIL,
        )
        log.disclose("SECRET", "12:00", **held)

    # No closing, and nothing said of what the order asks for.
    log.release("OLD", "12:30", authorised={"disclose": 1}, disclosed={"$.user_id": 1})

    log.refuse("13:00", "not-a-target", 3)
    log.refuse("23:59", "warrant-unknown", 1, at="2026-03-03T00:00:07Z")
    log.freeze("14:00")
    log.freeze("14:05", "thawed")

    # The next day: one more order, and one more disclosure of an order of the day.
    log.order("LATER", "2026-03-03T00:00:00Z")
    log.disclose("WHOLE", "2026-03-03T09:00:00Z", **held)
    log.freeze("2026-03-03T00:00:00Z")
    log.fail("LATER", "2026-03-03T09:30:00Z", "store-failed")
    return log
