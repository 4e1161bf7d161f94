"""Loading warrants: believed against what is in force, held only while nothing has changed."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.proxy.plane import Clock
from tests.proxy.test_allowlists import SHOP
from tests.warrants import APPROVER, DEPLOYMENT, INTAKE, SECOND, SIGNERS, approved, payload
from withhold.adapters.memory import MemoryDatabase, MemoryRegistry
from withhold.adapters.standing import Standing
from withhold.errors import Denied
from withhold.kinds.instant import Instant
from withhold.names import CallerName, InstrumentName, State, WarrantId
from withhold.policy.model import Policy
from withhold.ports import Registered
from withhold.proxy.grant import Asked, Grant
from withhold.proxy.warrants import MAX_GRANTS, Warrants
from withhold.warrant.model import SignedWarrant, Signer
from withhold.warrant.signed import parse_signed
from withhold.warrant.verify import verify_warrant

ID = WarrantId("W-2026-0117-k7wqz4")
CALLER = CallerName("disclosure-service")
OTHER = CallerName("other")


class Office:
    """A registry with one warrant, signers that change, and what was read and verified."""

    def __init__(self, document: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.signers: tuple[Signer, ...] = SIGNERS
        self.verified = 0
        self.read: list[WarrantId] = []
        self.now = Instant(1_795_000_000)
        self.database = MemoryDatabase(lambda: self.now)
        registry = MemoryRegistry(self.database)
        folder.mkdir(exist_ok=True)
        self.standing = Standing(registry.changes_now, folder, Clock())
        self.put(document)
        self.find: Callable[[WarrantId], Awaitable[Registered | None]] = self._find
        self.warrants = Warrants(registry, self.standing, lambda: self.signers, DEPLOYMENT)

        def counted(*args: object) -> object:
            self.verified += 1
            return verify_warrant(*args)  # type: ignore[arg-type]  # passed on

        async def found(warrant: WarrantId) -> Registered | None:
            self.read.append(warrant)
            return await self.find(warrant)

        monkeypatch.setattr("withhold.proxy.warrants.verify_warrant", counted)
        monkeypatch.setattr(registry, "find", found)

    async def _find(self, warrant: WarrantId) -> Registered | None:
        return self.database.warrants.get(warrant)

    def put(self, document: bytes, state: State = State.ACTIVE, warrant: WarrantId = ID) -> None:
        """Write a document and its change, and let this node hear of it."""
        digest = parse_signed(document).warrant.digest
        self.database.warrants[warrant] = Registered(warrant, document, digest, state)
        self.database.changes.append((warrant, state))
        self.standing.poll()

    async def load(self, caller: CallerName = CALLER, policy: Policy = SHOP.policy) -> str:
        """Load it, and say how that ended."""
        try:
            held = await self.warrants.load(ID, caller, policy)
        except Denied as denied:
            return denied.reason
        return held.warrant.id


Opens = Callable[[bytes], Office]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opens:
    return lambda document: Office(document, tmp_path / "freezes", monkeypatch)


async def test_reads_and_verifies_once_while_nothing_changes(opened: Opens) -> None:
    office = opened(approved())
    assert [await office.load() for _ in range(3)] == [ID] * 3
    assert office.verified == 1
    assert office.read == [ID]


async def test_reads_again_after_every_change_of_this_warrant_and_no_other(opened: Opens) -> None:
    office = opened(approved())
    await office.load()
    office.put(approved(id="W-2"), warrant=WarrantId("W-2"))
    await office.load()
    assert office.read == [ID]
    office.put(approved())
    await office.load()
    assert office.read == [ID, ID]


async def test_a_change_while_it_is_read_is_a_change(opened: Opens) -> None:
    office = opened(approved())
    before = office.database.warrants[ID]
    meanwhile = [INTAKE.sign(payload())]

    async def late(warrant: WarrantId) -> Registered | None:
        if not meanwhile:
            return office.database.warrants.get(warrant)
        office.put(meanwhile.pop())
        return before

    office.find = late
    await office.load()  # read as it was, while it became another
    assert await office.load() == "warrant-not-active"


async def test_verifies_again_when_signers_document_or_instrument_change(opened: Opens) -> None:
    office = opened(approved())
    await office.load()
    office.signers = (INTAKE.signer, SECOND.signer)
    assert await office.load() == "warrant-not-active"
    office.signers = SIGNERS
    assert await office.load() == ID
    office.put(INTAKE.sign(payload()))
    assert await office.load() == "warrant-not-active"
    office.put(SECOND.sign(approved()))
    assert await office.load() == ID
    name = InstrumentName("us-sca-subpoena")
    stricter = replace(SHOP.policy.instruments[name], approvals=3)
    assert await office.load(policy=Policy({name: stricter}, (), ())) == "warrant-not-active"
    assert await office.load(policy=Policy({}, (), ())) == "warrant-not-active"
    assert await office.load() == ID
    assert office.verified == 7


async def test_a_forged_document_is_not_believed(opened: Opens) -> None:
    office = opened(approved())
    await office.load()
    wider = json.loads(approved(categories=[]))
    wider["signatures"] = json.loads(approved())["signatures"]
    office.put(json.dumps(wider).encode())
    assert await office.load() == "warrant-not-active"
    office.put(
        APPROVER.sign(INTAKE.sign(payload(), deployment="elsewhere"), deployment="elsewhere")
    )
    assert await office.load() == "warrant-not-active"


async def test_for_a_caller_that_is_not_named_nothing_is_verified(opened: Opens) -> None:
    office = opened(approved())
    assert await office.load(OTHER) == "warrant-unknown"
    office.database.warrants.clear()
    office.database.changes.append((ID, State.REVOKED))
    office.standing.poll()
    assert await office.load(OTHER) == "warrant-unknown"
    assert await office.load() == "warrant-unknown"
    assert office.verified == 0


async def test_a_warrant_that_is_held_answers_others_no_sooner(opened: Opens) -> None:
    """What is not this caller's is looked for like what never was."""
    office = opened(approved())
    await office.load()
    for _ in range(3):
        assert await office.load(OTHER) == "warrant-unknown"
    assert office.read == [ID] * 4
    await office.load()
    assert office.read == [ID] * 4


async def test_what_is_let_go_of_while_it_is_read_again_is_answered_with(opened: Opens) -> None:
    office = opened(approved())

    class Swept(bytes):
        """A document; whoever compares it is interrupted by the thread that sweeps."""

        __slots__ = ()
        __hash__ = bytes.__hash__

        def __eq__(self, other: object) -> bool:
            office.warrants._held.clear()
            return super().__eq__(other)

    await office.load()
    office.database.warrants[ID] = replace(office.database.warrants[ID], document=Swept(approved()))
    assert await office.load(OTHER) == "warrant-unknown"  # which reads it again
    assert list(office.warrants._held) == []


async def test_what_is_not_held_is_parsed_once_for_whom_it_does_not_name(
    opened: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsing takes a time that would tell them, over and over, that there is something."""
    monkeypatch.setattr("withhold.proxy.warrants.MAX_ADDRESSED", 1)
    parsed: list[bytes] = []

    def counted(document: bytes) -> SignedWarrant:
        parsed.append(document)
        return parse_signed(document)

    monkeypatch.setattr("withhold.proxy.warrants.parse_signed", counted)
    office = opened(approved())
    office.put(approved(), State.SUSPENDED)
    for _ in range(3):
        assert await office.load(OTHER) == "warrant-unknown"
        office.standing.poll()
    assert (len(parsed), list(office.warrants._held)) == (1, [])
    office.put(SECOND.sign(approved()))
    assert await office.load(OTHER) == "warrant-unknown"
    assert await office.load() == ID
    other = WarrantId("W-2")
    office.put(approved(id="W-2"), warrant=other)
    await office.warrants.load(other, CALLER, SHOP.policy)
    assert list(office.warrants._addressed) == [other]


@pytest.mark.parametrize(
    ("state", "is_held"),
    [(State.ACTIVE, True), (State.SUSPENDED, False), (State.REVOKED, False), (State.CLOSED, False)],
)
async def test_what_is_held_goes_with_the_warrant(
    opened: Opens, state: State, is_held: bool
) -> None:
    office = opened(approved())
    await office.load()
    assert list(office.warrants._held) == [ID]
    if state is not State.ACTIVE:
        office.put(approved(), state)
    office.standing.poll()
    assert (ID in office.warrants._held) is is_held


async def test_what_is_held_goes_when_its_time_is_over(opened: Opens) -> None:
    office = opened(approved())
    held = await office.warrants.load(ID, CALLER, SHOP.policy)
    office.now = Instant(held.warrant.valid.until.second - 1)
    office.standing.poll()
    assert list(office.warrants._held) == [ID]
    office.now = held.warrant.valid.until
    office.standing.poll()
    assert list(office.warrants._held) == []


async def test_holds_no_more_than_it_may(opened: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("withhold.proxy.warrants.MAX_HELD", 1)
    office = opened(approved())
    await office.load()
    other = WarrantId("W-2")
    office.put(approved(id="W-2"), warrant=other)
    assert (await office.warrants.load(other, CALLER, SHOP.policy)).warrant.id == other
    assert list(office.warrants._held) == [other]
    await office.load()
    assert office.verified == 3


async def test_keeps_no_more_grants_than_it_may(opened: Opens) -> None:
    office = opened(approved())
    held = await office.warrants.load(ID, CALLER, SHOP.policy)
    name = next(iter(SHOP.catalogue.resources))
    asked = [Asked(name, (str(n),), None) for n in range(MAX_GRANTS + 1)]
    for each in asked:
        held.keep(each, cast("Grant", each))
    assert held.grant(asked[0]) is None
    assert all(held.grant(each) is not None for each in asked[1:])
    assert repr(asked[0]) == f"Asked({name})"
