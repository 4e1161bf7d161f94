"""Loading warrants: verified against what is in force, kept only while it is the very same."""

import json
from dataclasses import replace

import pytest

from tests.proxy.test_allowlists import SHOP
from tests.warrants import APPROVER, DEPLOYMENT, INTAKE, SECOND, SIGNERS, approved, payload
from withhold.adapters.memory import MemoryDatabase, MemoryRegistry
from withhold.errors import Denied
from withhold.names import CallerName, InstrumentName, State, WarrantId
from withhold.policy.model import Policy
from withhold.ports import Registered
from withhold.proxy.warrants import Warrants
from withhold.warrant.model import Signer
from withhold.warrant.signed import parse_signed
from withhold.warrant.verify import verify_warrant

ID = WarrantId("W-2026-0117-k7wqz4")
CALLER = CallerName("disclosure-service")


class Office:
    """A registry with one warrant, signers that change, and a count of verifications."""

    def __init__(self, document: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        self.signers: tuple[Signer, ...] = SIGNERS
        self.verified = 0
        self.database = MemoryDatabase()
        self.put(document)
        self.warrants = Warrants(MemoryRegistry(self.database), lambda: self.signers, DEPLOYMENT)

        def counted(*args: object) -> object:
            self.verified += 1
            return verify_warrant(*args)  # type: ignore[arg-type]  # passed on

        monkeypatch.setattr("withhold.proxy.warrants.verify_warrant", counted)

    def put(self, document: bytes) -> None:
        digest = parse_signed(document).warrant.digest
        self.database.warrants[ID] = Registered(ID, document, digest, State.ACTIVE)

    async def load(self, caller: CallerName = CALLER, policy: Policy = SHOP.policy) -> str:
        """Load it, and say how that ended."""
        try:
            approved = await self.warrants.load(ID, caller, policy)
        except Denied as denied:
            return denied.reason
        return approved.warrant.id


async def test_verifies_once_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(approved(), monkeypatch)
    assert [await office.load() for _ in range(3)] == [ID] * 3
    assert office.verified == 1


async def test_verifies_again_when_signers_document_or_instrument_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(approved(), monkeypatch)
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


async def test_a_forged_document_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(approved(), monkeypatch)
    await office.load()
    wider = json.loads(approved(categories=[]))
    wider["signatures"] = json.loads(approved())["signatures"]
    office.put(json.dumps(wider).encode())
    assert await office.load() == "warrant-not-active"
    office.put(
        APPROVER.sign(INTAKE.sign(payload(), deployment="elsewhere"), deployment="elsewhere")
    )
    assert await office.load() == "warrant-not-active"


async def test_for_a_caller_that_is_not_named_nothing_is_verified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(approved(), monkeypatch)
    assert await office.load(CallerName("other")) == "warrant-unknown"
    office.database.warrants.clear()
    assert await office.load(CallerName("other")) == "warrant-unknown"
    assert await office.load() == "warrant-unknown"
    assert office.verified == 0


async def test_keeps_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("withhold.proxy.warrants.MAX_KEPT", 1)
    office = Office(approved(), monkeypatch)
    await office.load()
    document = approved(id="W-2")
    digest = parse_signed(document).warrant.digest
    other = WarrantId("W-2")
    office.database.warrants[other] = Registered(other, document, digest, State.ACTIVE)
    assert (await office.warrants.load(other, CALLER, SHOP.policy)).warrant.id == other
    await office.load()
    assert office.verified == 3
