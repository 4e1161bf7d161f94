"""Revealing a token, on twins in memory and on SQLite: what it takes, and each refusal."""

import asyncio
import dataclasses
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy.plane import (
    ALICE,
    BUNDLE,
    CALLERS,
    OPERATOR_TOKEN,
    RING,
    TOKEN,
    VALID,
    WARRANT,
    Held,
    Plane,
    caller,
    change,
    plane,
)
from tests.warrants import APPROVER, DEPLOYMENT, SECOND, SIGNERS, Pen, approved
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.registry import SqlRegistry
from withhold.adapters.standing import Standing
from withhold.adapters.token_keys import SqlTokenKeys
from withhold.bundle import parse_bundle
from withhold.clock import read_clock
from withhold.digest import digest_of
from withhold.kinds.instant import Instant
from withhold.ledger.entry import EntryType, open_sealed, read_public, write_entry
from withhold.ledger.receipt import ReceiptId, commit_body, handle_of
from withhold.names import CallerName, ResourceName, Role, State, StoreName, WarrantId
from withhold.paths import parse_path
from withhold.ports import Freeze, Registered
from withhold.proxy.app import data_plane
from withhold.proxy.parts import Parts
from withhold.proxy.reveal import PAGE
from withhold.warrant.model import NamedField
from withhold.warrant.reveal import MAX_DOCUMENT_BYTES, Approval, sign_approval
from withhold.warrant.signed import parse_signed

ANALYST = "analyst-1"
ANALYST_TOKEN = "analyst-token"
OTHER = "analyst-2"
OTHER_TOKEN = "analyst-2-token"
NAMES_IT = "W-NAMES-IT"
ADDRESS = "192.0.2.7"
IP = NamedField(ResourceName("shop/account"), parse_path("$.ip"))
FIELDS = [{"resource": "shop/account", "path": path} for path in ("$.ip", "$.name")]
POLICY = """
[[rule]]
name = "ip-is-tokenized"
kind = "ip"
treatment = "tokenize"
unless = { warrant_names_field = true }
"""
EVE = {"kind": "id", "value": "@eve:example.test"}
PHONE = {"kind": "phone", "value": "+44 20 7946 0220"}
WHO = {"kind": "id", "value": ALICE}


def bundle_files() -> dict[str, bytes]:
    files = {str(f.relative_to(BUNDLE)): f.read_bytes() for f in BUNDLE.rglob("*.toml")}
    before, _, _ = files["policy/base.toml"].partition(b"[[rule]]")
    return {**files, "policy/base.toml": before + POLICY.encode()}


@dataclass
class Stand:
    """A data plane whose policy shows an address to a warrant that names it."""

    parts: Parts
    client: httpx.AsyncClient
    plane: Plane
    is_memory: bool

    async def register(self, warrant: str, **changed: object) -> None:
        document = approved(**{"id": warrant, "valid": VALID, "callers": [ANALYST], **changed})
        digest = parse_signed(document).warrant.digest
        new = Registered(WarrantId(warrant), document, digest, State.ACTIVE)
        await self.parts.registry.register(new, change())
        self.parts.standing.poll()

    async def move(self, warrant: str, to: State) -> None:
        await self.parts.registry.move(WarrantId(warrant), frozenset(State), to, change())

    async def token(self, warrant: str = WARRANT) -> str:
        """Disclose the account under a warrant that does not name the address."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Withhold-Warrant": warrant}
        found = await self.client.get(f"/stores/shop/v1/accounts/{ALICE}", headers=headers)
        assert found.status_code == 200, found.text
        return str(found.json()["ip"])

    async def reveal(
        self, body: bytes, token: str = ANALYST_TOKEN, path: str = "/reveal"
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.post(path, content=body, headers=headers)

    async def refused(self, body: bytes, **how: Any) -> tuple[int, str]:  # noqa: ANN401
        """Give status and code of a refusal, which leaves nothing but itself."""
        before = await self.count()
        found = await self.reveal(body, **how)
        assert found.headers["content-type"] == "application/problem+json"
        assert found.headers["cache-control"] == "no-store"
        assert "withhold-receipt" not in found.headers
        assert ADDRESS not in found.text
        assert await self.count() == before
        return found.status_code, found.json()["code"]

    async def reveals(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Give public and sealed parts of the reveals, and of their closings."""
        await self.parts.closings.drain()
        found = []
        for each in await self.parts.ledger.read(0, 1_000, sealed=True):
            assert each.public is not None
            assert each.salt is not None
            assert each.sealed is not None
            public = read_public(each.public)
            found.append((public, open_sealed(each.public, each.sealed, each.salt)))
        handles = {p["receipt"] for p, _ in found if p["type"] == "reveal"}
        return [(p, s) for p, s in found if p.get("receipt") in handles]

    async def count(self) -> int:
        return len(await self.reveals())


def approval(token: str, by: Pen = APPROVER, **changed: Any) -> bytes:  # noqa: ANN401
    now = read_clock()
    what: dict[str, Any] = {
        "warrant": WarrantId(NAMES_IT),
        "token": token,
        "named": IP,
        "reason": "canary-reason",
        "caller": CallerName(ANALYST),
        "expires": Instant(now.second + 600),
    }
    return sign_approval(
        Approval(**{**what, **changed}),
        by.key,
        key_id=by.signer.name,
        deployment=DEPLOYMENT,
        signed_at=now,
    )


@asynccontextmanager
async def stand(
    folder: Path, kind: str = "memory", of: Mapping[str, object] | None = None
) -> AsyncIterator[Stand]:
    """Run one. `of`: members of the warrant that names the field, where they are others."""
    callers = (
        *CALLERS,
        caller(ANALYST, ANALYST_TOKEN, Role.REVEAL, stores=()),
        caller(OTHER, OTHER_TOKEN, Role.REVEAL, stores=()),
    )
    async with plane(folder, callers=callers) as it:
        bundle = parse_bundle(bundle_files())
        parts = dataclasses.replace(it.parts, bundle=lambda: bundle)
        database = None
        if kind == "sqlite":
            database = Database(f"sqlite:///{folder}/withhold.db")
            registry, ledger = SqlRegistry(database), SqlLedger(database)
            parts = dataclasses.replace(
                parts,
                registry=registry,
                ledger=ledger,
                closings=type(parts.closings)(ledger),
                token_keys=SqlTokenKeys(database, lambda: RING),
                standing=Standing(registry.changes_now, folder / "freezes", it.clock),
            )
        app = data_plane(parts)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://data") as client:
            made = Stand(parts, client, it, kind == "memory")
            if database is not None:
                await made.register(WARRANT, callers=["disclosure-service"])
            await made.register(NAMES_IT, **{"fields": FIELDS, **(of or {})})
            yield made
            await parts.closings.drain()
        if database is not None:
            database.close()


@pytest.fixture(params=["memory", "sqlite"])
async def it(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stand]:
    async with stand(tmp_path, request.param) as made:
        yield made


async def test_two_people_and_a_warrant_that_names_the_field_learn_the_address(it: Stand) -> None:
    token = await it.token()
    found = await it.reveal(approval(token))
    assert (found.status_code, found.json()) == (200, {"ip": ADDRESS})
    assert found.headers["cache-control"] == "no-store"
    receipt = ReceiptId(found.headers["withhold-receipt"])
    (public, sealed), (closing, _) = await it.reveals()
    assert public["receipt"] == closing["receipt"] == handle_of(receipt)
    assert (public["type"], public["outcome"]) == ("reveal", "disclosed")
    assert (public["resource"], public["field"]) == ("shop/account", "$.ip")
    assert (public["warrant"], public["instrument"]) == (NAMES_IT, "us-sca-subpoena")
    assert (public["disclosed"], public["authorised"]) == ({"$.ip": 1}, {"disclose": 1})
    assert public["body"] == commit_body(receipt, digest_of(found.content))
    assert public["allowlist"] == found.headers["withhold-allowlist"]
    assert (closing["type"], closing["outcome"]) == ("closing", "complete")
    assert closing["size_bytes"] == len(found.content)
    assert (sealed["caller"], sealed["approver"]) == (ANALYST, "approver-1")
    assert (sealed["reason"], sealed["token"]) == ("canary-reason", token)
    assert sealed["made_under"] == WARRANT
    for secret in (token, "canary-reason", ADDRESS, "approver-1"):
        assert secret not in json.dumps([public, closing])


async def test_an_approval_serves_once(it: Stand) -> None:
    document = approval(await it.token())
    assert (await it.reveal(document)).status_code == 200
    assert await it.refused(document) == (403, "approval-used")
    # However it is written down.
    spaced = json.dumps(json.loads(document), indent=2).encode()
    assert await it.refused(spaced) == (403, "approval-used")
    assert (await it.reveal(approval(await it.token(), SECOND))).status_code == 200


async def test_of_many_at_once_one_succeeds(it: Stand) -> None:
    document = approval(await it.token())
    found = await asyncio.gather(*(it.reveal(document) for _ in range(8)))
    codes = sorted(answer.json().get("code", "") for answer in found)
    assert codes == ["", *["approval-used"] * 7]
    assert await it.count() == 2


async def test_nothing_personal_is_in_the_margins(
    it: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    token = await it.token()
    with caplog.at_level(logging.DEBUG):
        await it.reveal(approval(token))
        await it.reveal(approval(token, reason="canary-reason x", caller=CallerName(OTHER)))
        await it.reveal(b"canary-body " + token.encode())
    lines = [vars(record) for record in caplog.records if record.message == "request"]
    assert [line["code"] for line in lines] == ["disclosed", "not-approved", "bad-request"]
    assert (lines[0]["resource"], lines[0]["warrant"]) == ("shop/account", NAMES_IT)
    written = str([vars(record) for record in caplog.records])
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    written += (await it.client.get("/metrics", headers=headers)).text
    assert 'withhold_receipts_total{outcome="disclosed",type="reveal"} 1.0' in written
    for secret in ("canary", token, ADDRESS):
        assert secret not in written


# --- Who asks, and for what ---


async def test_only_a_caller_with_the_role(it: Stand) -> None:
    document = approval(await it.token())
    assert await it.refused(document, token="nobody") == (401, "unauthenticated")
    assert await it.refused(document, token=TOKEN) == (403, "caller-not-allowed")
    assert await it.refused(document, token=OTHER_TOKEN) == (403, "not-approved")


async def test_the_caller_is_one_of_the_warrants(it: Stand) -> None:
    token = await it.token()
    document = approval(token, caller=CallerName(OTHER))
    never = approval(token, caller=CallerName(OTHER), warrant=WarrantId("W-NEVER"))
    for each in (document, never):
        assert await it.refused(each, token=OTHER_TOKEN) == (403, "warrant-unknown")


async def test_only_post_and_only_there(it: Stand) -> None:
    found = await it.client.get("/reveal")
    assert (found.status_code, found.headers["allow"]) == (405, "POST")
    assert found.json()["detail"] == "only POST is answered"
    assert await it.refused(b"", path="/reveal/x") == (404, "no-such-resource")
    stores = await it.client.post("/stores/shop/v1/accounts/x")
    assert (stores.status_code, stores.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b" " * (MAX_DOCUMENT_BYTES + 1), approved()], ids=range(5)
)
async def test_what_is_no_approval(it: Stand, body: bytes) -> None:
    assert await it.refused(body) == (400, "bad-request")


async def test_a_client_that_goes_away_gets_nothing(it: Stand) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
        sent.append(message)

    headers = [(b"authorization", f"Bearer {ANALYST_TOKEN}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/reveal", "raw_path": b"/reveal"}
    scope |= {"query_string": b"", "headers": headers, "http_version": "1.1"}
    await data_plane(it.parts)(scope, receive, send)
    assert sent == []


async def test_the_approver_is_in_force_and_of_this_deployment(it: Stand) -> None:
    token = await it.token()
    parts = dataclasses.replace(it.parts, signers=lambda: SIGNERS[:1])
    document = approval(token)
    assert await asked(parts, document) == (403, "not-approved")
    elsewhere = dataclasses.replace(it.parts, deployment="another")
    assert await asked(elsewhere, document) == (403, "not-approved")
    old = approval(token, expires=Instant(read_clock().second - 1))
    assert await it.refused(old) == (403, "approval-expired")


async def asked(parts: Parts, body: bytes) -> tuple[int, str]:
    transport = httpx.ASGITransport(data_plane(parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://data") as client:
        headers = {"Authorization": f"Bearer {ANALYST_TOKEN}"}
        found = await client.post("/reveal", content=body, headers=headers)
        return found.status_code, found.json().get("code", "")


# --- What the warrant says ---


@pytest.mark.parametrize(
    ("of", "named"),
    [
        ({"fields": []}, IP),  # it covers the field and does not name it
        ({"fields": FIELDS[1:]}, IP),
        ({}, NamedField(ResourceName("shop/account"), parse_path("$.name"))),  # no address
        ({}, NamedField(ResourceName("shop/account"), parse_path("$.note"))),
        (
            {"fields": [{"resource": "shop/none", "path": "$.ip"}]},
            NamedField(ResourceName("shop/none"), parse_path("$.ip")),
        ),
        ({"categories": ["subscriber"]}, IP),  # named, and of a category that it leaves out
    ],
    ids=range(6),
)
async def test_the_warrant_names_the_field_and_shows_it(
    tmp_path: Path, of: dict[str, object], named: NamedField
) -> None:
    async with stand(tmp_path, of=of) as it:
        document = approval(await it.token(), named=named)
        assert await it.refused(document) == (403, "field-not-named")


async def test_to_name_the_field_is_needed_where_the_policy_would_show_it_anyhow(
    tmp_path: Path,
) -> None:
    async with stand(tmp_path, of={"fields": []}) as it:
        document = approval(await it.token())
        without, _, _ = bundle_files()["policy/base.toml"].partition(b"[[rule]]")
        bundle = parse_bundle({**bundle_files(), "policy/base.toml": without})
        parts = dataclasses.replace(it.parts, bundle=lambda: bundle)
        assert await asked(parts, document) == (403, "field-not-named")


@pytest.mark.parametrize("state", [State.SUSPENDED, State.REVOKED, State.CLOSED, State.PENDING])
async def test_the_warrant_is_active(it: Stand, state: State) -> None:
    document = approval(await it.token())
    await it.move(NAMES_IT, state)
    it.parts.standing.poll()
    assert await it.refused(document) == (403, "warrant-not-active")


async def test_a_revocation_that_this_node_has_not_heard_of_counts(it: Stand) -> None:
    document = approval(await it.token())
    await it.move(NAMES_IT, State.REVOKED)  # between the checks and the receipt
    assert await it.refused(document) == (403, "warrant-not-active")
    # Nothing was used up: the approval is still good for a warrant that is active again.
    await it.move(NAMES_IT, State.ACTIVE)
    it.parts.standing.poll()
    assert (await it.reveal(document)).status_code == 200


async def test_a_freeze_holds_for_reveals(it: Stand) -> None:
    document = approval(await it.token())
    await it.parts.registry.freeze(Freeze(StoreName("shop")), change())
    assert await it.refused(document) == (503, "frozen")
    it.parts.standing.poll()
    assert await it.refused(document) == (503, "frozen")


# --- Whose token it is ---


async def test_its_own_token_of_a_time_before_the_policy_showed_it(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        # The same warrant, whose field was tokenized by another policy.
        parts = dataclasses.replace(it.parts, bundle=it.plane.parts.bundle)
        headers = {"Authorization": f"Bearer {TOKEN}", "Withhold-Warrant": "W-BOTH"}
        callers = [ANALYST, "disclosure-service"]
        await it.register("W-BOTH", fields=FIELDS, callers=callers)
        transport = httpx.ASGITransport(data_plane(parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://data") as client:
            found = await client.get(f"/stores/shop/v1/accounts/{ALICE}", headers=headers)
        token = found.json()["ip"]
        answer = await it.reveal(approval(token, warrant=WarrantId("W-BOTH")))
        assert answer.json() == {"ip": ADDRESS}


@pytest.mark.parametrize(
    ("of", "reached"),
    [
        ({}, True),
        ({"targets": [WHO, PHONE, EVE]}, True),
        ({"targets": [WHO]}, False),  # the token may be of the other one
        ({"targets": [EVE]}, False),
        ({"period": {"from": "2026-02-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}}, False),
        ({"period": {"from": "2026-01-01T00:00:00Z", "until": "2026-11-01T00:00:00Z"}}, False),
        ({"period": {"from": "2025-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}}, True),
    ],
    ids=range(7),
)
async def test_the_warrant_reaches_all_whom_the_token_can_be_of(
    tmp_path: Path, of: dict[str, object], reached: bool
) -> None:
    async with stand(tmp_path, of=of) as it:
        document = approval(await it.token())
        if reached:
            assert (await it.reveal(document)).json() == {"ip": ADDRESS}
        else:
            assert await it.refused(document) == (403, "token-unknown")


async def test_a_token_that_nobody_made(it: Stand) -> None:
    assert await it.refused(approval(f"tok_ip_{'a' * 8}_{'b' * 25}a")) == (403, "token-unknown")
    assert await it.refused(approval(f"tok_ip_{'a' * 8}_{'b' * 25}q")) == (403, "token-unknown")


async def test_two_keys_of_one_id_decode_nothing(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:  # whose twin makes the same key for every warrant
        document = approval(await it.token())
        await it.register("W-SAME-KEY")
        await it.parts.token_keys.token_key(WarrantId("W-SAME-KEY"))
        assert await it.refused(document) == (403, "token-unknown")


async def test_a_key_that_was_destroyed_decodes_nothing(it: Stand) -> None:
    document = approval(await it.token())
    await it.move(WARRANT, State.CLOSED)
    await it.parts.token_keys.destroy(WarrantId(WARRANT))
    it.parts.standing.poll()
    assert await it.refused(document) == (403, "token-unknown")


async def test_a_key_that_should_be_there_and_is_not_is_our_fault(it: Stand) -> None:
    document = approval(await it.token())
    await it.parts.token_keys.destroy(WarrantId(WARRANT))
    assert await it.refused(document) == (503, "key-unavailable")


@pytest.mark.parametrize("state", [State.SUSPENDED, State.REVOKED])
async def test_the_warrant_of_the_token_may_have_ended(it: Stand, state: State) -> None:
    document = approval(await it.token())
    await it.move(WARRANT, state)
    it.parts.standing.poll()
    assert (await it.reveal(document)).json() == {"ip": ADDRESS}


async def test_a_field_that_the_catalogue_no_longer_has(it: Stand) -> None:
    document = approval(await it.token())
    without = {
        name: text.replace(b'"$.ip" =', b'"$.other" =') for name, text in bundle_files().items()
    }
    other = parse_bundle(without)
    parts = dataclasses.replace(it.parts, bundle=lambda: other)
    assert await asked(parts, document) == (403, "field-not-named")


async def test_a_token_of_a_document_that_was_pruned(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        document = approval(await it.token())
        kept = it.plane.database.warrants
        found = kept[WarrantId(WARRANT)]
        kept[found.id] = dataclasses.replace(found, document=b"")
        assert await it.refused(document) == (403, "token-unknown")


async def test_the_log_shows_that_the_field_was_tokenized(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        token = await it.token()
        log = it.plane.database.log
        await it.parts.closings.drain()
        [at] = [i for i, each in enumerate(log) if each.entry.type == "release"]
        release = log[at].entry
        for changed, could in (
            ({"tokenized": {}}, False),
            ({"tokenized": {"$.ip_of_another": 1}}, False),
            ({"resource": "shop/notes"}, False),
            ({"tokenized": {'$.ip when kind is "login"': 1}}, True),
        ):
            log[at] = write_entry(
                dataclasses.replace(release, public={**release.public, **changed}), bytes(32)
            )
            assert await shown(it, token) is could
        # Of a stream nobody knows before its closing, and that may be missing.
        for treatment, could in (("disclose", False), ("tokenize", True)):
            public = {**release.public, "tokenized": {}, "authorised": {treatment: 1}}
            opening = dataclasses.replace(release, type=EntryType.OPENING, public=public)
            log[at] = write_entry(opening, bytes(32))
            assert await shown(it, token) is could
        log[at] = log[at]._replace(public=b"not canonical")
        found = await it.reveal(approval(token))
        assert (found.status_code, found.json()["code"]) == (500, "internal-error")


async def shown(it: Stand, token: str) -> bool:
    found = await it.reveal(approval(token))
    assert found.status_code == 200 or found.json()["code"] == "token-unknown"
    return found.status_code == 200


async def test_a_warrant_with_many_disclosures(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        token = await it.token()
        await it.parts.closings.drain()
        log = it.plane.database.log
        closing = next(each for each in log if each.entry.type == "closing")
        log[:0] = [closing] * (PAGE + 1)  # what says nothing of a field
        assert (await it.reveal(approval(token))).json() == {"ip": ADDRESS}


# --- What fails ---


FAULTS: dict[str, tuple[Callable[[Stand], None], tuple[int, str]]] = {
    "find": (lambda it: it.plane.database.fails_before.add("find"), (503, "database-unavailable")),
    "find_by_key_id": (
        lambda it: it.plane.database.fails_before.add("find_by_key_id"),
        (503, "database-unavailable"),
    ),
    "find_warrant": (
        lambda it: it.plane.database.fails_before.add("find_warrant"),
        (503, "ledger-unavailable"),
    ),
    "token_key": (
        lambda it: it.plane.database.fails_before.add("token_key"),
        (503, "database-unavailable"),
    ),
    "append": (
        lambda it: it.plane.database.fails_before.add("append"),
        (503, "ledger-unavailable"),
    ),
    "standing": (lambda it: setattr(it.plane.clock, "ns", 10**9), (503, "database-unavailable")),
    "bundle": (
        lambda it: object.__setattr__(it.parts, "bundle", lambda: None),
        (503, "database-unavailable"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_without_what_it_takes_nothing_leaves(tmp_path: Path, fault: str) -> None:
    async with stand(tmp_path) as it:
        document = approval(await it.token())
        await it.parts.closings.drain()
        breaks, expected = FAULTS[fault]
        breaks(it)
        assert await it.refused(document) == expected


async def test_a_receipt_that_persisted_though_it_failed_is_closed_as_not_sent(
    tmp_path: Path,
) -> None:
    async with stand(tmp_path) as it:
        document = approval(await it.token())
        await it.parts.closings.drain()
        it.plane.database.fails_after.add("append")
        found = await it.reveal(document)
        assert (found.status_code, found.json()["code"]) == (503, "ledger-unavailable")
        it.plane.database.fails_after.clear()
        await it.parts.ledger.settle()
        (_, _), (closing, _) = await it.reveals()
        assert closing["outcome"] == "not-sent"
        # It may have been used up, so it is: another signature is needed.
        assert await it.refused(document) == (403, "approval-used")


async def test_a_revocation_while_the_receipt_is_written_keeps_the_address_back(
    tmp_path: Path,
) -> None:
    async with stand(tmp_path) as it:
        document = approval(await it.token())
        await it.parts.closings.drain()
        database = it.plane.database
        held = database.held["append"] = Held()
        under_way = asyncio.ensure_future(it.reveal(document))
        await held.reached.wait()
        await it.move(NAMES_IT, State.REVOKED)
        held.set()
        found = await under_way
        assert (found.status_code, found.json()["code"]) == (403, "warrant-not-active")
        assert await it.count() == 0
