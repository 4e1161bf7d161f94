"""The count: a fold over the ledger's entries, in their order. Pure.

It keeps one value for each order and one for each delivery under way, so its memory grows with the
orders and not with the receipts. An order is judged by all that the log says of it; what was
disclosed is counted where the disclosure was made in the period. Nothing is left out here: what
must not be published is taken away by who makes a table of it.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from withhold.kinds.instant import Instant, parse_rfc3339
from withhold.ledger.entry import Handle
from withhold.ledger.receipt import DISCLOSED, Ending
from withhold.names import Reason, State, Treatment, WarrantId
from withhold.report.entries import (
    ClosingEntry,
    Counts,
    FailureEntry,
    FreezeEntry,
    OtherEntry,
    Public,
    RefusalsEntry,
    ReleaseEntry,
    RevealEntry,
    Sealed,
    WarrantEntry,
    read_entry,
    read_sealed,
)

REGISTERED: Final = "registered"
FROZEN: Final = "frozen"

# Compile-time reasons that are reached only by a field that the order asks for.
_ASKED: Final = frozenset({Reason.UNDATED, Reason.NO_SUBJECT})
_RULE: Final = "rule:"
# Reasons on a record that keep back something covered; the others are about records out of scope.
_LACKING: Final = frozenset({Reason.MALFORMED, Reason.UNDATED, Reason.NO_SUBJECT})
_ENDINGS: Final = {ending.value: ending for ending in Ending}


class What(StrEnum):
    """What a tally counts, where no measure is the same thing."""

    ENDED = "ended"  # reason: an `Ending`
    FAILED = "failed"  # reason: the code
    REVEALED = "revealed"
    AUTHORISED = "authorised"
    WITHHELD_ASKED = "withheld-asked"  # fields that the order asks for; reason: why
    WITHHELD_UNASKED = "withheld-unasked"  # fields that it, or the request, does not ask for
    FIELDS = "fields"  # reason: the treatment
    VALUES = "values"  # likewise
    RECORDS = "records"
    LACKING = "lacking"  # values or records that did not leave; reason: why


class Key(NamedTuple):
    """A thing that is tallied."""

    what: What
    reason: str = ""


Tally: TypeAlias = Counter[Key]


@dataclass(slots=True)
class Order:
    """One order, and what it led to. `targets`: how many identifiers it names.

    `tally` counts what happened in the period, the rest is from the whole log. `is_known`: an entry
    says what the order is; one of which only others are left may be under secrecy.
    """

    instrument: str = ""
    country: str = ""
    categories: tuple[str, ...] = ()
    targets: int = 0
    is_known: bool = False
    registered_at: Instant | None = None
    secrecy_until: Instant | None = None
    was_active: bool = False
    is_revoked: bool = False
    disclosures: int = 0
    in_part: bool = False
    unopened: int = 0  # receipts in the period whose sealed part is not there
    unasked: int = 0  # receipts in the period that do not say how many fields the order asks for
    tally: Tally = field(default_factory=Counter)


@dataclass(slots=True)
class _Delivery:
    """A release, an opening or a reveal whose closing has not come yet."""

    warrant: WarrantId
    in_period: bool
    in_part: bool
    tally: Tally
    is_reveal: bool = False


@dataclass(slots=True)
class Count:
    """The state of the fold. It is handed on, never kept: `add` alters it."""

    since: Instant
    until: Instant
    size: int = 0  # entries seen
    pruned: int = 0  # entries whose public part is gone
    unreadable: int = 0  # entries that are not in the form of their type
    orders: dict[WarrantId, Order] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    freezes: int = 0
    under_way: dict[Handle, _Delivery] = field(default_factory=dict)


def add(count: Count, public: bytes | None, sealed: bytes | None) -> Count:
    """Add the next entry of the log. `public`, `sealed`: canonical JSON; None: not there."""
    count.size += 1
    if public is None:
        count.pruned += 1
        return count
    entry, opened = read_entry(public), read_sealed(sealed)
    if entry is None or opened is None:
        count.unreadable += 1
        return count
    _add(count, entry, opened, is_open=sealed is not None)
    return count


def settle(count: Count) -> Count:
    """End the fold: of what is still under way the delivery is unknown."""
    for delivery in count.under_way.values():
        _end(count, delivery, Ending.UNKNOWN)
    count.under_way.clear()
    return count


def _add(count: Count, entry: Public | OtherEntry, opened: Sealed, *, is_open: bool) -> None:
    match entry:
        case ReleaseEntry():  # or an opening
            _release(count, entry, opened, is_open=is_open)
        case ClosingEntry():
            _close(count, entry, opened)
        case RefusalsEntry():
            at = f"{entry.minute.removesuffix('Z')}:00Z"
            count.refusals[entry.code] += entry.count if _in_period(count, at) else 0
        case WarrantEntry():
            _change(count, entry)
        case FailureEntry():
            if _in_period(count, entry.at):
                order = _order(count, WarrantId(entry.warrant))
                order.tally[Key(What.FAILED, entry.outcome)] += 1
        case RevealEntry() if entry.outcome == DISCLOSED:
            _reveal(count, entry)
        case FreezeEntry():
            count.freezes += entry.event == FROZEN and _in_period(count, entry.at)
        case _:
            pass  # nothing that is counted


def _change(count: Count, entry: WarrantEntry) -> None:
    order = _order(count, WarrantId(entry.warrant))
    if entry.instrument is not None:
        order.is_known = True
        order.instrument = entry.instrument
        order.country = entry.jurisdiction
        order.categories = tuple(sorted(set(entry.categories)))
        order.targets = entry.targets
        order.secrecy_until = parse_rfc3339(entry.secrecy_until or "")
    if entry.event == REGISTERED:
        order.registered_at = parse_rfc3339(entry.at)
    order.was_active |= entry.state == State.ACTIVE
    order.is_revoked |= entry.state == State.REVOKED


def _reveal(count: Count, entry: RevealEntry) -> None:
    """Begin a reveal. It has a count of its own: the value had left before, as a token."""
    in_period = _in_period(count, entry.at)
    tally: Tally = Counter({Key(What.REVEALED): 1})
    delivery = _Delivery(WarrantId(entry.warrant), in_period, in_part=False, tally=tally)
    delivery.is_reveal = True
    count.under_way[Handle(entry.receipt)] = delivery


def _release(count: Count, entry: ReleaseEntry, sealed: Sealed, *, is_open: bool) -> None:
    in_period = _in_period(count, entry.at)
    tally: Tally = Counter()
    authorised = sum(n for name, n in entry.authorised.items() if name != Treatment.WITHHOLD)
    tally[Key(What.AUTHORISED)] += authorised
    asked = _withheld_fields(tally, sealed, authorised)
    if in_period:
        order = _order(count, WarrantId(entry.warrant))
        order.unopened += not is_open
        order.unasked += is_open and sealed.requested is None
    _released(tally, entry.disclosed, entry.tokenized, entry.generalized, entry.records_disclosed)
    lacks = _lacking(tally, sealed)
    delivery = _Delivery(WarrantId(entry.warrant), in_period, asked > 0 or lacks, tally)
    count.under_way[Handle(entry.receipt)] = delivery


def _close(count: Count, entry: ClosingEntry, sealed: Sealed) -> None:
    """Close what is under way; what was closed before, or pruned, has no more to say."""
    delivery = count.under_way.pop(Handle(entry.receipt), None)
    if delivery is None:
        return
    tally = delivery.tally
    _released(tally, entry.disclosed, entry.tokenized, entry.generalized, entry.records_disclosed)
    delivery.in_part |= _lacking(tally, sealed)
    _end(count, delivery, _ENDINGS.get(entry.outcome, Ending.UNKNOWN))


def _end(count: Count, delivery: _Delivery, ending: Ending) -> None:
    order = _order(count, delivery.warrant)
    if ending is Ending.NOT_SENT:
        delivery.tally.clear()
    elif not delivery.is_reveal:
        order.disclosures += 1
        order.in_part |= delivery.in_part or ending is not Ending.COMPLETE
    if delivery.in_period:
        order.tally.update(delivery.tally)
        order.tally[Key(What.ENDED, ending)] += not delivery.is_reveal


def _withheld_fields(tally: Tally, sealed: Sealed, authorised: int) -> int:
    """Tally the fields that could not leave; gives how many of them the order asks for.

    `not-in-instrument` is said of a field whether the order asks for it or not, so how many it does
    ask for is what is left of `requested`.
    """
    asked = 0
    for reason, number in sealed.unauthorised.items():
        is_asked = reason in _ASKED or reason.startswith(_RULE)
        asked += number if is_asked else 0
        tally[Key(What.WITHHELD_ASKED if is_asked else What.WITHHELD_UNASKED, reason)] += number
    if sealed.requested is not None:
        outside = sealed.unauthorised.get(Reason.NOT_IN_INSTRUMENT, 0)
        narrowed = sealed.unauthorised.get(Reason.NOT_REQUESTED, 0)
        refused = min(outside, max(0, sealed.requested - authorised - asked - narrowed))
        tally[Key(What.WITHHELD_ASKED, Reason.NOT_IN_INSTRUMENT)] += refused
        tally[Key(What.WITHHELD_UNASKED, Reason.NOT_IN_INSTRUMENT)] -= refused
        asked += refused
    return asked


def _released(
    tally: Tally, disclosed: Counts, tokenized: Counts, generalized: Counts, records: int
) -> None:
    for treatment, counts in (
        (Treatment.DISCLOSE, disclosed),
        (Treatment.TOKENIZE, tokenized),
        (Treatment.GENERALIZE, generalized),
    ):
        if counts:
            tally[Key(What.FIELDS, treatment)] += sum(n > 0 for n in counts.values())
            tally[Key(What.VALUES, treatment)] += sum(counts.values())
    tally[Key(What.RECORDS)] += records


def _lacking(tally: Tally, sealed: Sealed) -> bool:
    """Tally what was withheld on records; tells whether something covered was kept back."""
    for reason, places in sealed.withheld.items():
        tally[Key(What.LACKING, reason)] += sum(places.values())
    return any(sum(sealed.withheld.get(reason, {}).values()) for reason in _LACKING)


def _order(count: Count, warrant: WarrantId) -> Order:
    order = count.orders.get(warrant)
    if order is None:
        order = count.orders[warrant] = Order()
    return order


def _in_period(count: Count, at: str) -> bool:
    instant = parse_rfc3339(at)
    return instant is not None and count.since <= instant < count.until
