import asyncio
import dataclasses
import json
from collections.abc import Awaitable

import pytest

from tests.durable import SUBPOENA, SYNAPSE, W1, Durable, condition, receipt, registered
from withhold.errors import Denied, LedgerUnavailable
from withhold.kinds.instant import Instant
from withhold.names import Digest, InstrumentName, State, StoreName
from withhold.ports import Freeze
from withhold.receipt import Stage

PAST = (Instant(0), Instant(1_000_000_000))
FUTURE = (Instant(2**33), Instant(2**34))
ACTIVE = frozenset({State.ACTIVE})


async def denied(awaitable: Awaitable[None]) -> str:
    with pytest.raises(Denied) as caught:
        await awaitable
    return caught.value.reason


async def ids(durable: Durable) -> list[str]:
    return [json.loads(a.receipt)["id"] for a in await durable.ledger.receipts(0, 1_000)]


async def test_a_receipt_is_kept_as_it_was_encoded_and_in_order(durable: Durable) -> None:
    await durable.registry.register(registered())
    made = [receipt() for _ in range(5)]
    for each in made:
        await durable.ledger.append(each, condition())
    found = await durable.ledger.receipts(0, 100)
    assert [a.receipt for a in found] == [each.encode() for each in made]
    assert [a.sequence for a in found] == [1, 2, 3, 4, 5]
    assert [a.sequence for a in await durable.ledger.receipts(2, 2)] == [3, 4]
    assert list(await durable.ledger.receipts(5, 10)) == []


async def test_without_a_condition_a_receipt_is_kept_whatever_the_state(durable: Durable) -> None:
    await durable.ledger.append(receipt("R-a", warrant="W-unknown"), None)
    assert await ids(durable) == ["R-a"]


@pytest.mark.parametrize("state", [state for state in State if state is not State.ACTIVE])
async def test_only_an_active_warrant_discloses(durable: Durable, state: State) -> None:
    await durable.registry.register(registered(state=state))
    assert await denied(durable.ledger.append(receipt(), condition())) == "warrant-not-active"
    assert await ids(durable) == []


async def test_a_warrant_that_nobody_registered_discloses_nothing(durable: Durable) -> None:
    assert await denied(durable.ledger.append(receipt(), condition())) == "warrant-not-active"


async def test_another_payload_under_the_same_id_discloses_nothing(durable: Durable) -> None:
    await durable.registry.register(registered())
    other = condition(digest=Digest("sha-256=:BBBB:"))
    assert await denied(durable.ledger.append(receipt(), other)) == "warrant-not-active"


@pytest.mark.parametrize("valid", [PAST, FUTURE])
async def test_a_warrant_discloses_while_it_is_valid_by_the_databases_clock(
    durable: Durable, valid: tuple[Instant, Instant]
) -> None:
    await durable.registry.register(registered())
    denial = await denied(durable.ledger.append(receipt(), condition(valid=valid)))
    assert denial == "warrant-not-active"
    assert await ids(durable) == []


@pytest.mark.parametrize(
    ("freeze", "holds"),
    [
        (Freeze(), True),
        (Freeze(store=SYNAPSE), True),
        (Freeze(instrument=SUBPOENA), True),
        (Freeze(store=SYNAPSE, instrument=SUBPOENA), True),
        (Freeze(store=StoreName("mail")), False),
        (Freeze(store=SYNAPSE, instrument=InstrumentName("eu-epoc-subscriber")), False),
        (Freeze(store=StoreName("mail"), instrument=SUBPOENA), False),
    ],
)
async def test_a_freeze_holds_what_it_names(durable: Durable, freeze: Freeze, holds: bool) -> None:
    await durable.registry.register(registered())
    await durable.registry.freeze(freeze)
    if holds:
        assert await denied(durable.ledger.append(receipt(), condition())) == "frozen"
        await durable.registry.thaw(freeze)
    await durable.ledger.append(receipt("R-a"), condition())
    assert await ids(durable) == ["R-a"]


async def test_a_condition_that_fails_fails_nobody_else(durable: Durable) -> None:
    await durable.registry.register(registered())
    await durable.registry.register(registered("W-2", State.SUSPENDED))
    conditions = [condition(("W-1", "W-2", "W-3")[i % 3]) for i in range(60)]
    results = await asyncio.gather(
        *(durable.ledger.append(receipt(f"R-{i}"), c) for i, c in enumerate(conditions)),
        return_exceptions=True,
    )
    assert results[0::3] == [None] * 20
    assert all(isinstance(r, Denied) for r in results[1::3] + results[2::3])
    assert await ids(durable) == [f"R-{i}" for i in range(0, 60, 3)]
    assert [a.sequence for a in await durable.ledger.receipts(0, 100)] == list(range(1, 21))


async def test_after_a_revocation_nothing_is_appended(durable: Durable) -> None:
    await durable.registry.register(registered())
    appends = [durable.ledger.append(receipt(f"R-{i}"), condition()) for i in range(50)]
    revoke = durable.registry.move(W1, ACTIVE, State.REVOKED)
    late = [durable.ledger.append(receipt(f"R-late-{i}"), condition()) for i in range(50)]
    results = await asyncio.gather(*appends, revoke, *late, return_exceptions=True)
    assert results[50] is None
    assert all(isinstance(r, Denied) for r in results[51:])
    kept = await ids(durable)
    assert kept == [f"R-{i}" for i, r in enumerate(results[:50]) if r is None]
    assert await denied(durable.ledger.append(receipt(), condition())) == "warrant-not-active"


async def test_a_receipts_id_is_its_own(durable: Durable) -> None:
    await durable.ledger.append(receipt("R-a"), None)
    with pytest.raises(LedgerUnavailable, match="the receipt is not durable"):
        await durable.ledger.append(receipt("R-a"), None)
    await durable.ledger.append(receipt("R-b"), None)
    assert await ids(durable) == ["R-a", "R-b"]


async def test_a_stream_has_two_entries_under_one_id(durable: Durable) -> None:
    opening = dataclasses.replace(receipt("R-a"), stage=Stage.OPENING)
    closing = dataclasses.replace(receipt("R-a"), stage=Stage.CLOSING)
    await durable.ledger.append(opening, None)
    await durable.ledger.append(closing, None)
    with pytest.raises(LedgerUnavailable):
        await durable.ledger.append(closing, None)
    assert await ids(durable) == ["R-a", "R-a"]


async def test_a_receipt_that_cannot_be_written_down_fails_alone(durable: Durable) -> None:
    bad = dataclasses.replace(receipt(), size_bytes=2**60)  # no number of RFC 8785
    results = await asyncio.gather(
        durable.ledger.append(receipt("R-a"), None),
        durable.ledger.append(bad, None),
        durable.ledger.append(receipt("R-b"), None),
        return_exceptions=True,
    )
    assert results[0] is results[2] is None
    assert isinstance(results[1], Exception)
    assert await ids(durable) == ["R-a", "R-b"]
