"""What disclosures enter in the ledger: in which order, what it says, and to whom it says it."""

import asyncio
import json
import logging
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents import make_case, make_document
from tests.minimize.oracle import parse
from tests.minimize.resources import outcome_of
from tests.proxy.plane import (
    ACCOUNT,
    ALICE,
    IN_PERIOD,
    NOW,
    OTHER_TOKEN,
    RING,
    TUNER_TOKEN,
    WARRANT,
    Plane,
    Says,
    kinds,
    plane,
    says,
)
from tests.proxy.test_pages import at
from tests.warrants import payload
from withhold.adapters.settling import minute_of
from withhold.digest import digest_of
from withhold.keyring import opens_target
from withhold.ledger.entry import Entry, EntryType, read_public
from withhold.ledger.receipt import ReceiptId, commit_body, handle_of
from withhold.minimize.fast import Plan
from withhold.names import Digest, Kind, State, Treatment, WarrantId
from withhold.paths import Path as CataloguedPath
from withhold.proxy.app import StreamBroken
from withhold.proxy.deliver import PIECE_BYTES
from withhold.proxy.disclosure import Sent, released_of
from withhold.proxy.terms import Terms
from withhold.warrant.claims import parse_claims

FIRST = ReceiptId("R-00000000000000000000000001")
DISCLOSED = (EntryType.RELEASE, "disclosed")
ORDERS = "/stores/shop/v1/shops/7/orders"
EVENTS = "/stores/shop/v1/events"


# --- In this order -------------------------------------------------------------------------------


async def test_each_whole_answer_is_released_and_then_closed(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        sizes = []
        for _ in range(3):
            sizes.append(len((await it.account()).content))
            await it.parts.closings.drain()
        assert await kinds(it) == [DISCLOSED, (EntryType.CLOSING, "complete")] * 3
        entries = await it.entries()
        assert [each.public["size_bytes"] for each in entries[1::2]] == sizes
        assert [each.receipt for each in entries[::2]] == [each.receipt for each in entries[1::2]]
        assert len({each.receipt for each in entries}) == 3


async def test_the_release_is_durable_before_the_first_byte(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        held = it.database.held["append"] = asyncio.Event()
        asking = asyncio.ensure_future(it.account())
        done, _ = await asyncio.wait({asking}, timeout=0.2)
        assert not done
        assert it.database.receipts == {}
        held.set()
        assert (await asking).status_code == 200


async def test_no_answer_waits_for_its_closing(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        release = it.parts.closings._ledger.append
        held = asyncio.Event()

        async def waits(entry: Entry, *rest: Any, **named: Any) -> int:  # noqa: ANN401 - passed on
            if entry.type is EntryType.CLOSING:
                await held.wait()
            return await release(entry, *rest, **named)

        vars(it.parts.ledger)["append"] = waits
        assert (await it.account()).status_code == 200
        assert [kind for _, kind in it.database.receipts] == [EntryType.RELEASE]
        held.set()
        assert await kinds(it) == [DISCLOSED, (EntryType.CLOSING, "complete")]


async def test_an_answer_that_breaks_off_says_how_much_was_handed_over(tmp_path: Path) -> None:
    """Every piece that the connection took counts, and the one that it did not take does not."""
    pieces = 5
    name = "n" * (pieces * PIECE_BYTES)
    async with plane(tmp_path, says({"id": ALICE, "name": name})) as it:
        taken = 0

        async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
            nonlocal taken
            if message["type"] == "http.response.body":
                if taken == 2 * PIECE_BYTES:
                    raise ConnectionError
                taken += len(message["body"])

        async def receive() -> Any:  # noqa: ANN401 - ASGI's
            await asyncio.Event().wait()

        with pytest.raises(StreamBroken):
            await it.app(scope_of(it), receive, send)
        release, closing = await it.entries()
        assert release.public["size_bytes"] > pieces * PIECE_BYTES
        assert closing.public == {"outcome": "incomplete", "size_bytes": 2 * PIECE_BYTES}


@pytest.mark.parametrize(
    ("path", "content", "media_type"),
    [
        (f"accounts/{ALICE}", {"id": ALICE, "name": "n" * 2 * PIECE_BYTES}, "application/json"),
        ("events", {"who": ALICE, "at": IN_PERIOD, "n": 1}, "application/x-ndjson"),
    ],
    ids=["whole", "stream"],
)
async def test_an_end_that_a_client_keeps_waiting_does_not_wait_for_it(
    tmp_path: Path, path: str, content: object, media_type: str
) -> None:
    """The connection is full when all is written: what it holds is not to outlive the warrant."""
    said = says(json.dumps(content).encode(), content_type=media_type)
    async with plane(tmp_path, said) as it:
        is_full = asyncio.Event()

        async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
            if message["type"] == "http.response.body" and not message["body"]:
                is_full.set()
                await asyncio.Event().wait()

        async def receive() -> Any:  # noqa: ANN401 - ASGI's
            await asyncio.Event().wait()

        answering = asyncio.create_task(it.app(scope_of(it, path), receive, send))
        await is_full.wait()
        await it.move(State.REVOKED)
        async with asyncio.timeout(5):
            with pytest.raises(StreamBroken):
                await answering
        assert (await it.entries())[-1].public["outcome"] == "incomplete"


def scope_of(it: Plane, of: str = f"accounts/{ALICE}") -> dict[str, Any]:
    """A request for an account, as a server gives it."""
    headers = {**it.client.headers, "authorization": "Bearer disclosure-token"}
    sent = {**headers, "withhold-warrant": WARRANT}
    path = f"/stores/shop/v1/{of}"
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }


async def test_what_is_denied_after_the_append_was_not_sent(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        append = it.parts.ledger.append

        async def suspended(entry: Entry, *rest: Any, **named: Any) -> int:  # noqa: ANN401
            index = await append(entry, *rest, **named)
            if entry.type is EntryType.RELEASE:
                await it.move(State.SUSPENDED)
            return index

        vars(it.parts.ledger)["append"] = suspended
        assert (await it.account()).status_code == 403
        assert await kinds(it) == [DISCLOSED, (EntryType.CLOSING, "not-sent")]
        assert (await it.entries())[1].public["size_bytes"] == 0


async def test_an_append_that_fails_sends_nothing_and_enters_nothing(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        it.database.fails_before.add("append")
        response = await it.account()
        assert (response.status_code, response.json()["code"]) == (503, "ledger-unavailable")
        assert "withhold-receipt" not in response.headers
        it.database.fails_before.clear()
        await it.parts.ledger.settle()
        assert await it.entries() == []


@pytest.mark.parametrize("path", [f"/stores/shop/v1/accounts/{ALICE}", EVENTS])
async def test_one_that_persisted_all_the_same_was_not_sent(tmp_path: Path, path: str) -> None:
    line = json.dumps({"who": ALICE, "at": IN_PERIOD, "n": 1, **ACCOUNT}).encode() + b"\n"
    kind = EntryType.OPENING if path == EVENTS else EntryType.RELEASE
    shop = says(line, content_type="application/x-ndjson") if path == EVENTS else says(ACCOUNT)
    async with plane(tmp_path, shop) as it:
        it.database.fails_after.add("append")
        assert (await it.get(path)).status_code == 503
        it.database.fails_after.clear()
        await it.parts.ledger.settle()
        await it.parts.ledger.settle()
        assert await kinds(it) == [(kind, "disclosed"), (EntryType.CLOSING, "not-sent")]


async def test_a_closing_that_fails_is_made_later(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        append = it.parts.ledger.append

        async def fails(entry: Entry, *rest: Any, **named: Any) -> int:  # noqa: ANN401 - passed on
            if entry.type is EntryType.CLOSING:
                it.database.fails_before.add("append")
            return await append(entry, *rest, **named)

        vars(it.parts.ledger)["append"] = fails
        assert (await it.account()).status_code == 200
        assert await kinds(it) == [DISCLOSED]
        it.database.fails_before.clear()
        await it.parts.ledger.settle()
        assert await kinds(it) == [DISCLOSED, (EntryType.CLOSING, "complete")]


# --- Refusals ------------------------------------------------------------------------------------


async def counted(it: Plane) -> Counter[tuple[str, str, str]]:
    """Give what was counted, once it is written."""
    await it.parts.refusals.flush()
    return Counter({(str(by), code, at): n for (by, code, at), n in it.database.refusals.items()})


async def test_refusals_are_counted_by_caller_code_and_minute(tmp_path: Path) -> None:
    minute = minute_of(NOW)
    async with plane(tmp_path) as it:
        await it.account("@bob:example.test")
        await it.account("@eve:example.test")
        await it.account(Authorization=f"Bearer {OTHER_TOKEN}")
        await it.account(Authorization=f"Bearer {TUNER_TOKEN}")
        await it.get("/stores/shop/v1/accounts/%25")
        await it.get("/stores/shop/nothing")
        await it.move(State.SUSPENDED)
        await it.account()
        assert await counted(it) == {
            ("disclosure-service", "not-a-target", minute): 2,
            ("other-service", "warrant-unknown", minute): 1,
            ("tuner", "caller-not-allowed", minute): 1,
            ("disclosure-service", "bad-request", minute): 1,
            ("disclosure-service", "no-such-resource", minute): 1,
            ("disclosure-service", "warrant-not-active", minute): 1,
        }
        assert await it.entries() == []


async def test_each_count_is_one_entry_once_its_minute_is_over(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        for _ in range(3):
            await it.account("@bob:example.test")
        await it.parts.refusals.flush()
        it.database.clock = lambda: NOW
        await it.parts.ledger.settle()
        assert [each.entry.type for each in it.database.log] == [EntryType.WARRANT]
        it.database.clock = lambda: type(NOW)(NOW.second + 120)
        await it.parts.ledger.settle()
        await it.parts.ledger.settle()
        entry = it.database.log[-1].entry
        assert len(it.database.log) == 2
        public = {"code": "not-a-target", "minute": minute_of(NOW), "count": 3}
        assert (entry.type, entry.public) == (EntryType.REFUSALS, public)
        assert entry.sealed == {"caller": "disclosure-service"}
        assert (entry.receipt, entry.warrant) == (None, None)


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic eDp5"])
async def test_nobody_known_is_counted_nowhere(tmp_path: Path, token: str) -> None:
    async with plane(tmp_path) as it:
        for path in (f"/stores/shop/v1/accounts/{ALICE}", "/stores/nowhere", "/stores/%25"):
            assert (await it.get(path, Authorization=token)).status_code == 401
        assert (await it.client.post(f"/stores/shop/v1/accounts/{ALICE}")).status_code == 405
        assert await counted(it) == {}
        assert await it.entries() == []


async def test_a_fault_of_the_store_is_an_entry_and_no_refusal(tmp_path: Path) -> None:
    async with plane(tmp_path, says({}, 500)) as it:
        await it.account()
        await it.account("@bob:example.test")
        assert [code for _, code, _ in await counted(it)] == ["not-a-target"]
        assert await kinds(it) == [(EntryType.FAILURE, "store-failed")]


async def test_counts_that_can_not_be_written_are_kept(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        it.database.fails_before.add("count_refusals")
        await it.account("@bob:example.test")
        assert await counted(it) == {}
        it.database.fails_before.clear()
        assert sum((await counted(it)).values()) == 1


# --- Who knows what ------------------------------------------------------------------------------


async def test_the_id_is_its_recipients_and_the_handle_everybodys(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with plane(tmp_path) as it:
        answer = await it.account()
        it.shop.says = says({}, 500)
        await it.account()
        metrics = await it.metrics()
        await it.entries()
        kept = b"".join(each.public + each.sealed for each in it.database.log).decode()
        assert answer.headers["withhold-receipt"] == FIRST
        seen = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
        for text in (kept, metrics, *seen, repr(await it.entries()), repr(it.database)):
            assert "R-000" not in text
        assert handle_of(FIRST) in kept
        lines = [vars(record) for record in caplog.records if record.message == "request"]
        assert [line["receipt"] for line in lines] == [
            each.receipt for each in await it.entries() if each.type is not EntryType.CLOSING
        ]


async def test_the_commitment_is_opened_by_id_and_digest_and_nothing_less(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        answer = await it.account()
        body = (await it.entries())[0].public["body"]
        digest = Digest(answer.headers["content-digest"])
        assert digest == digest_of(answer.content)
        assert body == commit_body(ReceiptId(answer.headers["withhold-receipt"]), digest)
        assert body != commit_body(ReceiptId("R-other"), digest)
        assert body != commit_body(FIRST, digest_of(answer.content + b" "))
        # Two answers alike commit to what looks different: nobody tells that they are.
        again = await it.account()
        assert again.content == answer.content
        assert (await it.entries())[2].public["body"] != body


async def test_targets_are_the_subject_asked_about_or_all_whom_the_warrant_names(
    tmp_path: Path,
) -> None:
    page = {"owner": ALICE, "opened": IN_PERIOD}
    async with plane(tmp_path) as it:
        await it.account()
        it.shop.says = says(page)
        await it.get(ORDERS)
        await it.parts.closings.drain()
        one, several = (
            each.sealed["targets"] for each in await it.entries() if each.type is EntryType.RELEASE
        )
        warrant = WarrantId(WARRANT)
        alice = [opens_target(RING, each, warrant, Kind.ID, ALICE) for each in one]
        assert alice == [True]
        phone = [opens_target(RING, each, warrant, Kind.PHONE, "+442079460220") for each in several]
        assert sorted(phone) == [False, True]
        assert set(one) < set(several)


# --- Law 2: the public part is a function of what was disclosed ----------------------------------

OF_THE_RECEIPT = {"receipt", "body", "sealed", "at"}  # made of the id, of salt, of the clock


async def public_parts(folder: Path, shop: Says, path: str, **headers: str) -> list[dict[str, Any]]:
    """Give the public parts that one request leaves, without what is the receipt's own."""
    await asyncio.to_thread(folder.mkdir)
    async with plane(folder, shop) as it:
        assert (await it.get(path, **headers)).status_code == 200
        await it.entries()
        found = [read_public(each.public) for each in it.database.log]
        return [{n: v for n, v in each.items() if n not in OF_THE_RECEIPT} for each in found]


UNCOVERED: list[dict[str, Any]] = [
    {**ACCOUNT, "note": "another note", "undeclared": {"x": [1, 2, 3]}},
    {name: value for name, value in ACCOUNT.items() if name not in {"note", "undeclared"}},
    {**ACCOUNT, "note": {"not": "a text"}, "more": "a" * 10_000},
]


@pytest.mark.parametrize("other", UNCOVERED, ids=["other values", "nothing", "other shapes"])
async def test_what_is_uncovered_shows_in_no_public_part(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    path = f"/stores/shop/v1/accounts/{ALICE}"
    said = await public_parts(tmp_path / "a", says(ACCOUNT), path)
    assert await public_parts(tmp_path / "b", says(other), path) == said
    assert len(said) == 3  # the warrant, the release, the closing


async def test_nor_does_what_is_withheld_of_what_is_covered(tmp_path: Path) -> None:
    """A malformed leaf and none at all look alike; so do records that nobody may see and none."""
    path = f"/stores/shop/v1/accounts/{ALICE}"
    plain = {"id": ALICE, "name": "Alice"}
    malformed = {**plain, "ip": "no ip", "balance": "no number"}
    said = await public_parts(tmp_path / "a", says(plain), path)
    assert await public_parts(tmp_path / "b", says(malformed), path) == said


MINE = {"who": ALICE, "at": IN_PERIOD, "sum": 1}
THEIRS = {"who": "@eve:example.test", "at": IN_PERIOD, "sum": 2}
LATE = {"who": ALICE, "at": IN_PERIOD - 10**8, "sum": 3}
UNDATED = {"who": ALICE, "sum": 4}


def in_pages(*pages: list[dict[str, Any]]) -> Says:
    """A store that repeats what stands outside its arrays on every page."""

    async def say(request: Any) -> Any:  # noqa: ANN401 - Starlette's
        number = int(request.query_params.get("from", "0"))
        more = number + 1 < len(pages)
        page = {"owner": ALICE, "opened": IN_PERIOD, "shop": "Corner", "orders": pages[number]}
        return await says({**page, "meta": {"next": str(number + 1) if more else None}})(request)

    return say


@pytest.mark.parametrize(
    "pages",
    [
        [[MINE, THEIRS, MINE]],
        [[LATE, MINE], [UNDATED, MINE]],
        [[MINE], [MINE]],
        [[MINE], [THEIRS], [MINE, LATE]],
    ],
    ids=["somebody else", "another time", "two pages", "three"],
)
async def test_nor_do_records_and_pages(tmp_path: Path, pages: list[list[dict[str, Any]]]) -> None:
    said = await public_parts(tmp_path / "a", in_pages([MINE, MINE]), ORDERS)
    assert await public_parts(tmp_path / "b", in_pages(*pages), ORDERS) == said


async def test_nor_do_lines(tmp_path: Path) -> None:
    def lines(*events: dict[str, Any]) -> Says:
        body = b"".join(json.dumps(each).encode() + b"\n" for each in events)
        return says(body, content_type="application/x-ndjson")

    mine = {"who": ALICE, "at": IN_PERIOD, "n": 1}
    others = [{**mine, "who": "@eve"}, {**mine, "body": "canary"}, {**mine, "at": 1}, {}]
    said = await public_parts(tmp_path / "a", lines(mine), EVENTS)
    found = await public_parts(tmp_path / "b", lines(others[0], others[1], *others[2:]), EVENTS)
    assert found == said
    assert [each["type"] for each in said] == ["warrant", "opening", "closing"]


async def test_but_the_sealed_part_tells(tmp_path: Path) -> None:
    async with plane(tmp_path, in_pages([MINE, THEIRS], [LATE, UNDATED])) as it:
        await it.get(ORDERS)
        sealed = (await it.entries())[0].sealed
        assert sealed["records_seen"] == 6
        assert sealed["withheld"] == {
            "not-a-target": {"$.orders[*]": 1},
            "out-of-period": {"$.orders[*]": 1},
            "undated": {"$.orders[*]": 1},
        }


# --- Counts --------------------------------------------------------------------------------------

NAMES = {
    Treatment.DISCLOSE: "disclosed",
    Treatment.TOKENIZE: "tokenized",
    Treatment.GENERALIZE: "generalized",
}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10),
    st.sampled_from([ALICE, "Alice", "192.0.2.7", "no ip", ""]),
    st.lists(st.integers(), max_size=1),
)


@given(st.dictionaries(st.sampled_from(["name", "balance", "ip", "note", "x"]), VALUES))
async def test_counts_are_those_of_the_body(
    tmp_path_factory: pytest.TempPathFactory, members: dict[str, Any]
) -> None:
    async with plane(tmp_path_factory.mktemp("plane"), says({"id": ALICE, **members})) as it:
        answer = (await it.account()).json()
        public = (await it.entries())[0].public
        tokenized = {"$.ip": 1} if "ip" in answer else {}
        assert public["tokenized"] == tokenized
        assert public["disclosed"] == {f"$.{name}": 1 for name in answer.keys() - {"ip"}}
        assert public["generalized"] == {}


PAGE = st.lists(st.sampled_from([MINE, THEIRS, LATE, UNDATED]), max_size=4)


@given(st.lists(PAGE, min_size=1, max_size=3))
async def test_of_all_pages_too(
    tmp_path_factory: pytest.TempPathFactory, pages: list[list[dict[str, Any]]]
) -> None:
    async with plane(tmp_path_factory.mktemp("plane"), in_pages(*pages)) as it:
        answer = (await it.get(ORDERS)).json()
        public = (await it.entries())[0].public
        orders = answer.get("orders", [])
        expected = Counter(f"$.{name}" for name in answer.keys() - {"orders"})
        expected.update(f"$.orders[*].{name}" for order in orders for name in order)
        assert public["disclosed"] == expected
        assert public["records_disclosed"] == len(orders) + 1


@given(st.integers(0, 2**64))
def test_each_treatment_has_its_own_counts(seed: int) -> None:
    """Of generated resources: at every place as many as are in the output, under its treatment."""
    rng = Random(seed)
    case = make_case(rng)
    plan = Plan(case.allowlist)
    terms = Terms(parse_claims(payload()), digest_of(b""), case.allowlist, ())
    treatments = {each.field.label: each.treatment for each in case.allowlist.covered}
    paths = {each.field.label: each.field.path for each in case.allowlist.leaves}
    for _ in range(5):
        outcome = outcome_of(plan, case.scope, make_document(rng, case.root))
        if not isinstance(outcome, tuple):
            continue
        body, tally = outcome
        public = released_of(terms, Sent(tally, 0, None)).public(FIRST)
        found: Counter[CataloguedPath] = Counter()
        for treatment, name in NAMES.items():
            assert {treatments[label] for label in public[name]} <= {treatment}
            for label in public[name].keys() & paths.keys():  # of keys, which have no place
                found[paths[label]] += public[name][label]
        answer = [] if body is None else [parse(body)]
        counts = {path: sum(1 for a in answer for _ in at(a, path)) for path in paths.values()}
        assert found == {path: count for path, count in counts.items() if count}
