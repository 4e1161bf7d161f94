"""The request's story, through HTTP: what is answered, what is refused, what the ledger says."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.proxy.plane import (
    ACCOUNT,
    ALICE,
    IN_PERIOD,
    OTHER_TOKEN,
    TUNER_TOKEN,
    WARRANT,
    Says,
    caller,
    change,
    kinds,
    plane,
    says,
)
from tests.warrants import APPROVER, INTAKE, approved, payload
from withhold.deployment.model import Limits
from withhold.digest import digest_of
from withhold.ledger.entry import Entry, EntryType
from withhold.ledger.receipt import ReceiptId, commit_body, handle_of
from withhold.names import Role, State, StoreName, WarrantId
from withhold.ports import Freeze, Registered
from withhold.warrant.model import Signer
from withhold.warrant.signed import parse_signed

TOKENIZED = "tok_ip_"
WHOLE = [(EntryType.RELEASE, "disclosed"), (EntryType.CLOSING, "complete")]
STREAM = [(EntryType.OPENING, "disclosed"), (EntryType.CLOSING, "complete")]


def is_problem(response: Any, status: int, code: str) -> bool:  # noqa: ANN401 - httpx's
    """Check all that every problem has in common."""
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert not [name for name in response.headers if name.startswith("withhold")]
    problem = response.json()
    assert problem["status"] == response.status_code
    assert "canary" not in response.text
    return (response.status_code, problem["code"]) == (status, code)


async def test_discloses_what_is_covered_and_withholds_the_rest(tmp_path: Path) -> None:
    async with plane(tmp_path, says(ACCOUNT, x_canary="canary", set_cookie="canary=1")) as it:
        response = await it.account()
        assert response.status_code == 200
        answer = response.json()
        assert answer.pop("ip").startswith(TOKENIZED)
        assert answer == {"id": ALICE, "name": "Alice", "balance": 12.5}
        assert dict(response.headers) == {
            "content-type": "application/json",
            "withhold-receipt": "R-00000000000000000000000001",
            "withhold-allowlist": (await it.entries())[0].public["allowlist"],
            "content-digest": digest_of(response.content),
            "content-length": str(len(response.content)),
            "cache-control": "no-store",
        }
        release, closing = await it.entries()
        assert release.type is EntryType.RELEASE
        assert release.at == "2026-11-18T11:06:40Z"
        assert release.warrant == WARRANT
        assert release.receipt == handle_of(ReceiptId(response.headers["withhold-receipt"]))
        assert release.public["outcome"] == "disclosed"
        assert release.public["resource"] == "shop/account"
        assert release.public["software"] == "withhold/test"
        assert release.public["warrant_digest"] == digest_of(payload(valid=json.loads(_valid())))
        assert release.public["size_bytes"] == len(response.content)
        assert release.public["authorised"] == {"disclose": 3, "tokenize": 1}
        assert release.sealed["caller"] == "disclosure-service"
        assert release.sealed["unauthorised"] == {"not-in-instrument": 1}
        assert release.sealed["store_status"] == 200
        assert (closing.type, closing.receipt) == (EntryType.CLOSING, release.receipt)
        assert (closing.warrant, closing.at) == (WARRANT, release.at)
        assert closing.public == {"outcome": "complete", "size_bytes": len(response.content)}
        assert closing.sealed == {}


def _valid() -> str:
    return '{"from": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}'


async def test_numbers_keep_every_digit(tmp_path: Path) -> None:
    body = b'{"id":"@alice:example.test","balance":1.000000000000000000010e+002}'
    async with plane(tmp_path, says(body)) as it:
        response = await it.account()
    assert b'"balance":1.000000000000000000010e+002' in response.content


async def test_asks_the_store_for_the_template_and_nothing_of_the_callers(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        await it.account(ALICE + "?admin=true", X_Forwarded_For="1.2.3.4", Cookie="a=b")
        [heard] = it.shop.heard
    assert heard.url.path == f"/v1/accounts/{ALICE}"
    assert heard.url.query == ""
    assert set(heard.headers) == {
        "host",
        "accept",
        "accept-encoding",
        "user-agent",
        "authorization",
    }
    assert heard.headers["authorization"] == "Bearer store-credential-canary"


async def test_asks_in_the_form_that_the_store_has(tmp_path: Path) -> None:
    async with plane(tmp_path, says({"number": "442079460220"})) as it:
        response = await it.get("/stores/shop/v1/sims/+44%2020%207946%200220")
        assert response.json() == {"number": "+442079460220"}
        assert it.shop.heard[0].url.path == "/v1/sims/442079460220"


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ('"$.name"', {"name"}),
        ('"$.name", "$.id"', {"name", "id"}),
        ('"$.note", "$.nothing"', set()),
        ("", {"id", "name", "balance", "ip"}),  # a header that is not there
    ],
)
async def test_narrows_to_the_fields_asked_for(
    tmp_path: Path, fields: str, names: set[str]
) -> None:
    async with plane(tmp_path) as it:
        response = await it.account(Withhold_Fields=fields)
        assert set(response.json()) == names
        everything = await it.account()
    same = response.headers["withhold-allowlist"] == everything.headers["withhold-allowlist"]
    assert same is (len(names) == 4)


async def test_does_not_call_the_store_where_nothing_is_covered(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        notes = await it.get(f"/stores/shop/v1/notes/{ALICE}")
        nothing = await it.account(Withhold_Fields='"$.note"')
        assert (notes.content, nothing.content) == (b"[]", b"{}")
        assert it.shop.heard == []
        assert await kinds(it) == [*WHOLE, *WHOLE]


async def test_an_absent_answer_is_the_empty_root(tmp_path: Path) -> None:
    async with plane(tmp_path, says({"canary": 1}, 404)) as it:
        response = await it.account()
        assert (response.status_code, response.content) == (200, b"{}")
        assert await kinds(it) == WHOLE
        assert (await it.entries())[0].sealed["store_status"] == 404


async def test_the_token_key_is_made_only_where_an_address_is_tokenized(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        await it.account(Withhold_Fields='"$.name"')
        assert it.database.token_keys == {}
        await it.account()
        assert set(it.database.token_keys) == {WARRANT}


# --- Refusals, in the order of the story ---------------------------------------------------------


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic eDp5", "Bearer"])
async def test_a_caller_that_is_not_known_learns_nothing(tmp_path: Path, token: str) -> None:
    async with plane(tmp_path) as it:
        for path in (
            "/stores/shop/v1/accounts/x",
            "/stores/nowhere/x",
            "/stores/%2e%2e",
            "/stores",
        ):
            response = await it.get(path, Authorization=token)
            assert is_problem(response, 401, "unauthenticated")
            assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/stores/shop/v1/accounts/a%2Fb", {}),
        ("/stores/shop/v1/accounts/", {}),
        ("/stores/shop/v1/accounts/%25", {}),
        (f"/stores/shop/v1/accounts/{ALICE}", {"Withhold_Warrant": ""}),
        (f"/stores/shop/v1/accounts/{ALICE}", {"Withhold_Fields": "$.name"}),
        (f"/stores/shop/v1/accounts/{ALICE}", {"Content_Length": "5"}),
    ],
)
async def test_a_request_out_of_form_is_a_bad_one(
    tmp_path: Path, path: str, headers: dict[str, str]
) -> None:
    async with plane(tmp_path) as it:
        assert is_problem(await it.get(path, **headers), 400, "bad-request")
        assert it.shop.heard == []


@pytest.mark.parametrize("path", ["nowhere/v1/accounts/x", "shop/v1/accounts", "shop", "shop/v2/x"])
async def test_a_path_that_no_catalogue_has_is_no_resource(tmp_path: Path, path: str) -> None:
    async with plane(tmp_path) as it:
        assert is_problem(await it.get(f"/stores/{path}"), 404, "no-such-resource")


async def test_a_caller_needs_the_role_and_the_store(tmp_path: Path) -> None:
    elsewhere = caller("elsewhere", OTHER_TOKEN, Role.DISCLOSE, stores=("other",))
    tuner = caller("tuner", TUNER_TOKEN, Role.TUNE, Role.AUDIT)
    async with plane(tmp_path, callers=(elsewhere, tuner)) as it:
        for token in (OTHER_TOKEN, TUNER_TOKEN):
            response = await it.account(Authorization=f"Bearer {token}")
            assert is_problem(response, 403, "caller-not-allowed")


async def test_unknown_unnamed_and_never_registered_look_alike(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        unknown = await it.account(Withhold_Warrant="W-never")
        unnamed = await it.account(Authorization=f"Bearer {OTHER_TOKEN}")
        await it.registry.register(
            Registered(WarrantId("W-bad"), b"canary", digest_of(b""), State.ACTIVE), change()
        )
        broken = await it.account(Withhold_Warrant="W-bad")
        for response in (unknown, unnamed, broken):
            assert is_problem(response, 403, "warrant-unknown")
        assert unknown.content == unnamed.content == broken.content
        assert dict(unknown.headers) == dict(unnamed.headers) == dict(broken.headers)
        assert await it.entries() == []


async def test_for_an_unnamed_caller_a_suspended_warrant_is_unknown_too(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        await it.move(State.SUSPENDED)
        response = await it.account(Authorization=f"Bearer {OTHER_TOKEN}")
        assert is_problem(response, 403, "warrant-unknown")


@pytest.mark.parametrize("state", [state for state in State if state is not State.ACTIVE])
async def test_only_an_active_warrant_discloses(tmp_path: Path, state: State) -> None:
    async with plane(tmp_path) as it:
        assert (await it.account()).status_code == 200
        await it.move(state)
        assert is_problem(await it.account(), 403, "warrant-not-active")
        assert len(it.shop.heard) == 1
        await it.move(State.ACTIVE)
        assert (await it.account()).status_code == 200


@pytest.mark.parametrize(
    "valid",
    [
        {"from": "2020-01-01T00:00:00Z", "until": "2021-01-01T00:00:00Z"},
        {"from": "2090-01-01T00:00:00Z", "until": "2091-01-01T00:00:00Z"},
    ],
)
async def test_only_within_its_validity(tmp_path: Path, valid: object) -> None:
    async with plane(tmp_path, changed={"valid": valid}) as it:
        assert is_problem(await it.account(), 403, "warrant-not-active")
        assert it.shop.heard == []


async def test_a_warrant_that_waits_for_its_approval_is_not_active(tmp_path: Path) -> None:
    """Its state says otherwise, as if somebody had written to the database."""
    async with plane(tmp_path) as it:
        document = INTAKE.sign(payload(id="W-waits", valid=json.loads(_valid())))
        digest = parse_signed(document).warrant.digest
        waits = Registered(WarrantId("W-waits"), document, digest, State.ACTIVE)
        await it.registry.register(waits, change())
        it.standing.poll()
        response = await it.account(Withhold_Warrant="W-waits")
        assert is_problem(response, 403, "warrant-not-active")


async def test_an_approval_of_a_moment_ago_counts(tmp_path: Path) -> None:
    """The node has not heard of it yet, and looks once more before it refuses."""
    async with plane(tmp_path) as it:
        await it.move(State.SUSPENDED)
        assert is_problem(await it.account(), 403, "warrant-not-active")
        await it.registry.move(WarrantId(WARRANT), frozenset(State), State.ACTIVE, change())
        assert (await it.account()).status_code == 200


async def test_a_document_under_another_id_is_no_warrant(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        document = approved(valid=json.loads(_valid()))
        digest = parse_signed(document).warrant.digest
        copy = Registered(WarrantId("W-copy"), document, digest, State.ACTIVE)
        await it.registry.register(copy, change())
        it.standing.poll()
        response = await it.account(Withhold_Warrant="W-copy")
        assert is_problem(response, 403, "warrant-unknown")


async def test_signatures_are_held_to_the_signers_now_in_force(tmp_path: Path) -> None:
    in_force: list[tuple[Signer, ...]] = [(INTAKE.signer, APPROVER.signer)]
    async with plane(tmp_path, signers=lambda: in_force[-1]) as it:
        assert (await it.account()).status_code == 200
        in_force.append((INTAKE.signer,))
        assert is_problem(await it.account(), 403, "warrant-not-active")
        in_force.pop()
        assert (await it.account()).status_code == 200


async def test_a_subject_that_is_no_target_is_not_asked_for(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        response = await it.account("@bob-canary:example.test")
        assert is_problem(response, 403, "not-a-target")
        assert it.shop.heard == []
        assert await it.entries() == []


@pytest.mark.parametrize(
    "freeze",
    [
        Freeze(),
        Freeze(store=StoreName("shop")),
        Freeze(instrument="us-sca-subpoena"),  # type: ignore[arg-type]
    ],
)
async def test_a_freeze_stops_everything_it_holds(tmp_path: Path, freeze: Freeze) -> None:
    async with plane(tmp_path) as it:
        await it.registry.freeze(Freeze(store=StoreName("other")), change())
        it.standing.poll()
        assert (await it.account()).status_code == 200
        await it.registry.freeze(freeze, change())
        it.standing.poll()
        assert is_problem(await it.account(), 503, "frozen")
        await it.registry.thaw(freeze, change())
        it.standing.poll()
        assert (await it.account()).status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "QUERY"])
async def test_only_get_is_answered(tmp_path: Path, method: str) -> None:
    async with plane(tmp_path) as it:
        response = await it.client.request(method, f"/stores/shop/v1/accounts/{ALICE}")
        assert (response.status_code, response.headers["allow"]) == (405, "GET")


async def test_headers_are_bounded(tmp_path: Path) -> None:
    async with plane(tmp_path, limits=Limits(max_header_bytes=2_000)) as it:
        assert (await it.account(X="a" * 1_000)).status_code == 200
        response = await it.account(X="a" * 2_000)
        assert is_problem(response, 431, "headers-too-large")
        response = await it.account("a" * 2_000)
        assert is_problem(response, 431, "headers-too-large")


# --- Faults of the store -------------------------------------------------------------------------

STORE_FAULTS: dict[str, tuple[Says, int, str]] = {
    "an error": (says({"canary": 1}, 500), 502, "store-failed"),
    "a refusal": (says({"canary": 1}, 403), 502, "store-failed"),
    "a redirect": (says(b"canary", 302, location="/v1/accounts/@eve"), 502, "store-failed"),
    "no content": (says(b"", 204), 502, "store-failed"),
    "something else than content": (says(ACCOUNT, 203), 502, "store-failed"),
    "a part": (says(ACCOUNT, 206), 502, "store-failed"),
    "no JSON": (says(b"<canary>"), 502, "store-malformed"),
    "nothing": (says(b""), 502, "store-malformed"),
    "JSON that is cut off": (
        says(b'{"id":"@alice:example.test","name":"can'),
        502,
        "store-malformed",
    ),
    "no UTF-8": (says(b'{"id":"@alice:example.test","x":"\xff"}'), 502, "store-malformed"),
    "two documents": (says(b"{}{}"), 502, "store-malformed"),
    "a subject that is missing": (says({"name": "canary"}), 502, "store-mismatch"),
    "another subject": (says({**ACCOUNT, "id": "@eve-canary"}), 502, "store-mismatch"),
    "too much": (says({**ACCOUNT, "x": "a" * 20_000}), 502, "store-too-large"),
}


@pytest.mark.parametrize(("shop", "status", "code"), STORE_FAULTS.values(), ids=STORE_FAULTS)
async def test_a_fault_of_the_store_is_told_and_leaves_a_receipt(
    tmp_path: Path, shop: Says, status: int, code: str
) -> None:
    async with plane(tmp_path, shop, limits=Limits(max_answer_bytes=10_000)) as it:
        response = await it.account()
        assert is_problem(response, status, code)
        assert await kinds(it) == [(EntryType.FAILURE, code)]
        [failure] = await it.entries()
        assert (failure.public["size_bytes"], failure.public["body"]) == (0, None)
        assert failure.public["disclosed"] == {}
        answered = None if code == "store-too-large" else await _status_of(shop)  # refused unheard
        assert failure.sealed["store_status"] == answered
        assert failure.sealed["caller"] == "disclosure-service"


async def _status_of(shop: Says) -> int:
    """Give the status with which a store answers."""
    return (await shop(Request({"type": "http"}))).status_code


async def test_a_whole_answer_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    """Each piece comes in time; all of them together would not."""

    async def drips() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    async def say(_request: Request) -> Response:
        return StreamingResponse(drips(), media_type="application/json")

    limits = Limits(store_timeout_s=5.0, answer_timeout_s=0.2)
    async with plane(tmp_path, say, limits=limits) as it:
        assert is_problem(await it.account(), 504, "store-timeout")
        assert await kinds(it) == [(EntryType.FAILURE, "store-timeout")]


async def test_a_large_answer_keeps_nobody_waiting(tmp_path: Path) -> None:
    large = {**ACCOUNT, "more": [{"canary": n} for n in range(100_000)]}
    async with plane(tmp_path, says(large)) as it:
        response = await it.account()
        assert response.json()["name"] == "Alice"


async def test_a_store_that_is_not_deployed_has_failed(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        object.__setattr__(it.app.room, "stores", {})
        assert is_problem(await it.account(), 502, "store-failed")
        [failure] = await it.entries()
        assert failure.sealed["store_status"] is None


# --- Faults of our own ---------------------------------------------------------------------------


@pytest.mark.parametrize("fails", ["fails_before", "fails_after"])
async def test_without_a_durable_receipt_nothing_leaves(tmp_path: Path, fails: str) -> None:
    async with plane(tmp_path) as it:
        getattr(it.database, fails).add("append")
        assert is_problem(await it.account(), 503, "ledger-unavailable")
        it.shop.says = says({"canary": 1}, 500)
        assert is_problem(await it.account(), 503, "ledger-unavailable")
        getattr(it.database, fails).clear()
        it.shop.says = says(ACCOUNT)
        assert (await it.account()).status_code == 200


async def test_without_the_registry_nothing_is_disclosed(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        it.database.fails_before.add("find")
        assert is_problem(await it.account(), 503, "database-unavailable")
        assert it.shop.heard == []


async def test_knowledge_older_than_half_a_second_is_none(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        it.clock.ns = 500_000_001
        assert is_problem(await it.account(), 503, "database-unavailable")
        it.standing.poll()
        assert (await it.account()).status_code == 200


async def test_a_warrant_closed_a_moment_ago_is_not_active(tmp_path: Path) -> None:
    """Its key is gone already, and the node has not heard why."""
    async with plane(tmp_path) as it:
        await it.registry.move(WarrantId(WARRANT), frozenset(State), State.CLOSED, change())
        it.database.token_keys[WarrantId(WARRANT)] = None
        assert is_problem(await it.account(), 403, "warrant-not-active")


async def test_without_its_key_a_warrants_addresses_stay(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        it.database.token_keys[WarrantId(WARRANT)] = None
        assert is_problem(await it.account(), 503, "key-unavailable")
        assert it.shop.heard == []
        narrowed = await it.account(Withhold_Fields='"$.name"')
        assert narrowed.json() == {"name": "Alice"}


async def test_without_a_bundle_nothing_is_disclosed(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        object.__setattr__(it.parts, "bundle", lambda: None)
        assert is_problem(await it.account(), 503, "database-unavailable")


async def test_what_nobody_foresaw_is_told_without_detail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with plane(tmp_path) as it:

        def broken() -> None:
            raise ValueError("canary")

        object.__setattr__(it.parts, "new_receipt_id", broken)
        assert is_problem(await it.account(), 500, "internal-error")
    [fault] = [record for record in caplog.records if record.message == "internal-error"]
    assert vars(fault)["fault"] == "ValueError"
    assert "proxy/handler.py:" in vars(fault)["frames"]
    assert "canary" not in str(vars(fault))


# --- What happens meanwhile ----------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.SUSPENDED, State.REVOKED])
async def test_a_warrant_revoked_while_the_store_answers_releases_nothing(
    tmp_path: Path, state: State
) -> None:
    async def revoked_meanwhile(_request: Request) -> Response:
        # This node does not hear of it: the ledger's own transaction finds it.
        await it.registry.move(WarrantId(WARRANT), frozenset(State), state, change())
        return JSONResponse(ACCOUNT)

    async with plane(tmp_path, revoked_meanwhile) as it:
        assert is_problem(await it.account(), 403, "warrant-not-active")
        assert await it.entries() == []


async def test_a_freeze_while_the_store_answers_releases_nothing(tmp_path: Path) -> None:
    async def frozen_meanwhile(_request: Request) -> Response:
        (tmp_path / "freezes" / "everything").touch()
        it.standing.poll()
        return JSONResponse(ACCOUNT)

    async with plane(tmp_path, frozen_meanwhile) as it:
        assert is_problem(await it.account(), 503, "frozen")
        assert await it.entries() == []


async def test_a_freeze_while_the_receipt_is_written_lets_nothing_out(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        ledger = it.parts.ledger
        append = ledger.append

        async def slow(entry: Entry, *rest: Any, **named: Any) -> int:  # noqa: ANN401 - passed on
            index = await append(entry, *rest, **named)
            (tmp_path / "freezes" / "everything").touch()
            it.standing.poll()
            return index

        vars(ledger)["append"] = slow
        assert is_problem(await it.account(), 503, "frozen")
        release, closing = await it.entries()
        assert (release.type, release.public["outcome"]) == (EntryType.RELEASE, "disclosed")
        assert closing.type is EntryType.CLOSING
        assert closing.public == {"outcome": "not-sent", "size_bytes": 0}
        assert release.receipt == closing.receipt


# --- Pages ---------------------------------------------------------------------------------------


def shop_with(*pages: dict[str, Any]) -> Says:
    """A store of these pages: each is reached by the cursor before it, which is its number."""

    async def say(request: Request) -> Response:
        number = int(request.query_params.get("from", "canary-0").removeprefix("canary-"))
        cursor = f"canary-{number + 1}" if number + 1 < len(pages) else None
        return JSONResponse(
            {"owner": ALICE, "opened": IN_PERIOD, "meta": {"next": cursor}, **pages[number]}
        )

    return say


def order(n: int, who: str = ALICE, at: int = IN_PERIOD) -> dict[str, Any]:
    return {"who": who, "at": at, "sum": n, "note": "canary"}


PAGES: list[dict[str, Any]] = [
    {"orders": [order(1), order(2, "@eve:example.test")]},
    {"shop": "Corner", "orders": [order(3, at=IN_PERIOD - 10**8)]},
    {"shop": "Other", "orders": [order(4), order(5)]},
]
ORDERS = "/stores/shop/v1/shops/7/orders"


def kept(n: int) -> dict[str, Any]:
    return {"who": ALICE, "at": IN_PERIOD, "sum": n}


async def test_walks_the_pages_and_answers_once(tmp_path: Path) -> None:
    async with plane(tmp_path, shop_with(*PAGES)) as it:
        response = await it.get(ORDERS)
        assert response.json() == {
            "opened": IN_PERIOD,
            "shop": "Corner",
            "orders": [kept(1), kept(4), kept(5)],
        }
        assert "canary" not in response.text
        queries = [request.url.query for request in it.shop.heard]
        assert queries == [
            "dir=f&limit=2",
            "dir=f&limit=2&from=canary-1",
            "dir=f&limit=2&from=canary-2",
        ]
        release, _closing = await it.entries()
        assert release.public["disclosed"] == {
            "$.opened": 1,
            "$.shop": 1,
            "$.orders[*].at": 3,
            "$.orders[*].sum": 3,
            "$.orders[*].who": 3,
        }
        assert release.public["records_disclosed"] == 4  # of three pages, one answer
        assert release.sealed["records_seen"] == 8
        withheld = {"not-a-target": {"$.orders[*]": 1}, "out-of-period": {"$.orders[*]": 1}}
        assert release.sealed["withheld"] == withheld


async def test_a_warrant_that_is_suspended_meanwhile_asks_for_no_further_page(
    tmp_path: Path,
) -> None:
    pages = shop_with(*PAGES)

    async def suspended(request: Request) -> Response:
        await it.move(State.SUSPENDED)
        return await pages(request)

    async with plane(tmp_path, suspended) as it:
        assert is_problem(await it.get(ORDERS), 403, "warrant-not-active")
        assert len(it.shop.heard) == 1


async def test_streams_a_line_for_each_page(tmp_path: Path) -> None:
    nothing = {"owner": "@eve:example.test"}
    async with plane(tmp_path, shop_with(PAGES[0], {**PAGES[1], **nothing}, PAGES[2])) as it:
        response = await it.get(ORDERS, Accept="application/x-ndjson")
        assert response.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in response.content.splitlines()]
        assert [line.get("shop") for line in lines] == [None, "Other"]
        assert [line["orders"] for line in lines] == [[kept(1)], [kept(4), kept(5)]]
        assert await kinds(it) == STREAM
        closing = (await it.entries())[1].public
        receipt = ReceiptId(response.headers["withhold-receipt"])
        assert closing["body"] == commit_body(receipt, digest_of(response.content))


async def test_no_page_at_all_is_the_empty_root(tmp_path: Path) -> None:
    async with plane(tmp_path, says(b"canary", 404)) as it:
        for shop in (says(b"canary", 404), shop_with({"owner": "@eve:example.test"})):
            it.shop.says = shop
            response = await it.get(ORDERS)
            assert (response.status_code, response.content) == (200, b"{}")
            lines = await it.get(ORDERS, Accept="application/x-ndjson")
            assert (lines.status_code, lines.content) == (200, b"")


async def _lost(request: Request) -> Response:
    page = {"owner": ALICE, "opened": IN_PERIOD, "meta": {"next": "t"}}
    return JSONResponse(page, 404 if "from" in request.query_params else 200)


PAGE_FAULTS: dict[str, tuple[Says, str, str]] = {
    "more pages than the catalogue says": (
        shop_with(*PAGES, PAGES[0]),
        "store-too-large",
        "too-many-pages",
    ),
    "a page that was promised and is not there": (_lost, "store-failed", "page-lost"),
    "a page that is no JSON": (says(b"canary"), "store-malformed", "not-json"),
    "a cursor that is an object": (
        says({"owner": ALICE, "opened": IN_PERIOD, "meta": {"next": {"canary": 1}}}),
        "store-malformed",
        "cursor",
    ),
    "a cursor without end": (
        says({"meta": {"next": "c" * 5_000}}),
        "store-malformed",
        "cursor",
    ),
    "a cursor that stands in no object": (says({"meta": [1]}), "store-malformed", "cursor"),
    "a cursor that does not lead on": (
        says({"owner": ALICE, "opened": IN_PERIOD, "meta": {"next": "same"}}),
        "store-malformed",
        "cursor",
    ),
    "lines": (
        says(b"{}\n", content_type="application/x-ndjson"),
        "store-malformed",
        "not-json",
    ),
    "pages that together are too large": (
        shop_with({"x": "a" * 6_000}, {"x": "a" * 6_000}),
        "store-too-large",
        "too-large",
    ),
}


@pytest.mark.parametrize(("shop", "code", "cause"), PAGE_FAULTS.values(), ids=PAGE_FAULTS)
async def test_an_answer_is_never_cut_short(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, shop: Says, code: str, cause: str
) -> None:
    caplog.set_level(logging.INFO)
    async with plane(tmp_path, shop, limits=Limits(max_answer_bytes=10_000)) as it:
        assert is_problem(await it.get(ORDERS), 502, code)
        assert await kinds(it) == [(EntryType.FAILURE, code)]
    assert causes(caplog) == [cause]


CAUSES: dict[str, tuple[Says, str]] = {
    "a wrong credential": (says({}, status=401), "status-401"),
    "another place": (says({}, status=307), "redirect"),
    "another coding": (says(b"canary", content_encoding="canary"), "encoding"),
    "somebody else": (says({"id": "@canary:example.test"}), "mismatch"),
    "no fault": (says({"id": ALICE}), ""),
}


@pytest.mark.parametrize(("shop", "cause"), CAUSES.values(), ids=CAUSES)
async def test_the_log_says_why_and_the_caller_hears_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, shop: Says, cause: str
) -> None:
    caplog.set_level(logging.INFO)
    async with plane(tmp_path, shop) as it:
        response = await it.account()
    assert causes(caplog) == [cause]
    assert not cause or cause not in response.text.replace("store-mismatch", "")


def causes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [vars(record)["cause"] for record in caplog.records if record.message == "request"]


# --- Beside the stores ---------------------------------------------------------------------------


async def test_says_that_it_runs_and_whether_it_could_disclose(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        assert (await it.client.get("/healthz")).json() == {"alive": True}
        ready = await it.client.get("/readyz")
        assert ready.json() == {"ready": True, "bundle": True, "database": True, "ledger": True}
        it.database.fails_before.add("append")
        await it.account()
        it.clock.ns = 10**9
        object.__setattr__(it.parts, "bundle", lambda: None)
        unready = await it.client.get("/readyz")
        assert unready.status_code == 503
        assert unready.json() == {
            "ready": False,
            "bundle": False,
            "database": False,
            "ledger": False,
        }


@pytest.mark.parametrize("path", ["/", "/healthz/", "/store", "/storess/x", "/docs", "/stores%00"])
async def test_what_is_not_ours_is_no_resource(tmp_path: Path, path: str) -> None:
    async with plane(tmp_path) as it:
        assert is_problem(await it.client.get(path), 404, "no-such-resource")


async def test_its_own_pages_take_no_other_method(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        response = await it.client.post("/metrics")
        assert is_problem(response, 405, "method-not-allowed")
