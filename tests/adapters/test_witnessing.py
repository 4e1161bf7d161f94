"""Witnessing, against a witness that does what c2sp.org/tlog-witness says one does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.durable import Durable, receipt
from withhold.adapters import witnessing
from withhold.adapters.witnessing import MAX_ANSWER_BYTES, WITNESS_S, Witnesses
from withhold.deployment.model import WitnessEntry
from withhold.errors import LedgerUnavailable, Unproven
from withhold.ledger.checkpoint import verify_checkpoint, verify_cosignatures
from withhold.ledger.note import MAX_SIGNATURES, KeyType, Signer, cosign, print_signatures
from withhold.ledger.tree import verify_consistency
from withhold.ledger.witness import SIZE_TYPE, parse_request, print_size

ORIGIN = "withhold/test"
LOG = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
TIME_S = 1_795_000_000


def key_of(name: str) -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"."))
    return Signer(name, private, KeyType.COSIGNATURE)


@dataclass
class Witness:
    """One witness: what it saw last, and what is asked of it."""

    signer: Signer
    size: int = 0
    root: bytes = b""
    asked: list[int] = field(default_factory=list)
    says: Response | None = None  # whatever it is asked
    times: int = 1  # how often it signs
    never: asyncio.Event | None = None  # answers once this is set

    async def add_checkpoint(self, request: Request) -> Response:
        asked = parse_request(await request.body())
        self.asked.append(asked.old)
        if self.never is not None:
            await self.never.wait()
        if self.says is not None:
            return self.says
        checkpoint = verify_checkpoint(asked.checkpoint, ORIGIN, [LOG.verifier_key])
        if asked.old != self.size:
            return Response(print_size(self.size), 409, media_type=SIZE_TYPE)
        if self.size:
            try:
                verify_consistency(
                    self.size, self.root, checkpoint.size, checkpoint.root, asked.proof
                )
            except Unproven:
                return Response("", 422)
        self.size, self.root = checkpoint.size, checkpoint.root
        text = asked.checkpoint.partition(b"\n\n")[0] + b"\n"
        times = range(TIME_S, TIME_S + self.times)
        return Response(print_signatures([cosign(text, self.signer, each) for each in times]))


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def witnesses(
    durable: Durable, clock: Callable[[], float], *asked: Witness, key: Signer | None = None
) -> AsyncIterator[Witnesses]:
    """Ask these witnesses. `key`: whose the deployment believes them to be, if it is another's."""
    routes = [
        Route(f"/{each.signer.name}/add-checkpoint", each.add_checkpoint, methods=["POST"])
        for each in asked
    ]
    entries = [
        WitnessEntry(f"http://witness.test/{each.signer.name}", (key or each.signer).verifier_key)
        for each in asked
    ]
    transport = httpx.ASGITransport(Starlette(routes=routes))
    found = Witnesses(
        entries, durable.ledger, ORIGIN, lambda: [LOG], transport=transport, monotonic_s=clock
    )
    try:
        yield found
    finally:
        await found.aclose()


async def seen_by(durable: Durable, *asked: Witness) -> dict[str, int]:
    """Give which witnesses signed what the ledger keeps, with the size of what they signed."""
    note = await durable.ledger.witnessed()
    if note is None:
        return {}
    verify_checkpoint(note, ORIGIN, [LOG.verifier_key])
    checkpoint, signed = verify_cosignatures(note, [each.signer.verifier_key for each in asked])
    assert all(each.time_s == TIME_S for each in signed)
    return {each.key.name: checkpoint.size for each in signed}


async def test_each_witness_signs_what_it_saw_grow(durable: Durable) -> None:
    clock, one, two = Clock(), Witness(key_of("one")), Witness(key_of("two"))
    async with witnesses(durable, clock, one, two) as asking:
        await asking.ask()  # of an empty log there is nothing to sign
        assert await durable.ledger.witnessed() is None
        for size in (3, 7):
            while (await durable.ledger.frontier()).size < size:
                await durable.ledger.append(receipt())
            await asking.ask()
            assert await seen_by(durable, one, two) == {"one": size, "two": size}
            assert await asking.probe() == "ok"
            clock.now_s += WITNESS_S
    assert one.asked == two.asked == [0, 3]


async def test_nobody_is_asked_more_than_once_a_minute(durable: Durable) -> None:
    clock, one = Clock(), Witness(key_of("one"))
    await durable.ledger.append(receipt())
    async with witnesses(durable, clock, one) as asking:
        await asking.ask()
        clock.now_s += WITNESS_S - 0.001
        await asking.ask()
        assert one.asked == [0]
        clock.now_s += 0.001
        await asking.ask()
    assert one.asked == [0, 1]


async def test_a_node_that_starts_anew_learns_what_the_witness_saw(durable: Durable) -> None:
    one = Witness(key_of("one"))
    for size in (1, 2):
        await durable.ledger.append(receipt())
        async with witnesses(durable, Clock(), one) as asking:
            await asking.ask()
        assert await seen_by(durable, one) == {"one": size}
    assert one.asked == [0, 0, 1]


async def test_a_witness_that_saw_more_says_that_we_were_set_back(durable: Durable) -> None:
    await durable.ledger.append(receipt())
    one = Witness(key_of("one"), size=9, root=bytes(32))
    async with witnesses(durable, Clock(), one) as asking:
        with pytest.raises(LedgerUnavailable, match="`one` did not sign: it saw a larger log"):
            await asking.ask()
    assert await durable.ledger.witnessed() is None


async def test_a_witness_that_saw_another_log_does_not_sign(durable: Durable) -> None:
    for _ in range(3):
        await durable.ledger.append(receipt())
    one = Witness(key_of("one"), size=2, root=bytes(32))
    async with witnesses(durable, Clock(), one) as asking:
        with pytest.raises(LedgerUnavailable, match="it answered with 422"):
            await asking.ask()


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (Response("", 403), "it answered with 403"),
        (Response("elsewhere", 302, {"Location": "/two/add-checkpoint"}), "answered with 302"),
        (Response("no note"), "did not sign"),
        (Response("not a number", 409), "did not sign"),
        (Response(b"x" * (MAX_ANSWER_BYTES + 1)), "its answer is too large"),
    ],
    ids=["refuses", "redirects", "no-note", "no-size", "too-large"],
)
async def test_what_a_witness_says_otherwise_is_no_signature(
    durable: Durable, says: Response, why: str
) -> None:
    await durable.ledger.append(receipt())
    one, two = Witness(key_of("one"), says=says), Witness(key_of("two"))
    async with witnesses(durable, Clock(), one, two) as asking:
        with pytest.raises(LedgerUnavailable, match=why):
            await asking.ask()
        assert (await asking.probe()).startswith("the witness `one` did not sign: ")
    # Another one's signature is kept all the same.
    assert await seen_by(durable, one, two) == {"two": 1}


async def test_a_witness_that_signs_often_leaves_room_for_others(durable: Durable) -> None:
    await durable.ledger.append(receipt())
    one, two = Witness(key_of("one"), times=MAX_SIGNATURES), Witness(key_of("two"), times=50)
    async with witnesses(durable, Clock(), one, two) as asking:
        await asking.ask()
    assert await seen_by(durable, one, two) == {"one": 1, "two": 1}


async def test_a_witness_that_never_answers_keeps_nobody_from_signing(
    durable: Durable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnessing, "ANSWER_S", 0.05)
    await durable.ledger.append(receipt())
    one, two = Witness(key_of("one"), never=asyncio.Event()), Witness(key_of("two"))
    async with witnesses(durable, Clock(), one, two) as asking:
        with pytest.raises(LedgerUnavailable, match="`one` did not sign: it does not answer"):
            await asking.ask()
    assert await seen_by(durable, one, two) == {"two": 1}


async def test_a_fault_of_ours_with_one_keeps_the_others(durable: Durable) -> None:
    await durable.ledger.append(receipt())
    one, two = Witness(key_of("one")), Witness(key_of("two"))
    async with witnesses(durable, Clock(), one, two) as asking:
        asking._seen[one.signer.verifier_key] = 2  # more than there is to prove
        with pytest.raises(ValueError, match="does not shrink"):
            await asking.ask()
        assert await asking.probe() == "a fault of ours"
    assert await seen_by(durable, one, two) == {"two": 1}


async def test_a_strangers_signature_is_none(durable: Durable) -> None:
    await durable.ledger.append(receipt())
    one = Witness(key_of("one"))
    async with witnesses(durable, Clock(), one, key=key_of("other")) as asking:
        with pytest.raises(LedgerUnavailable, match="`other` did not sign"):
            await asking.ask()
    assert await durable.ledger.witnessed() is None


async def test_a_witness_that_is_not_there_says_nothing_of_why(durable: Durable) -> None:
    await durable.ledger.append(receipt())

    class Gone(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("secret text", request=request)

    entry = WitnessEntry("http://witness.test", key_of("one").verifier_key)
    asking = Witnesses([entry], durable.ledger, ORIGIN, lambda: [LOG], transport=Gone())
    with pytest.raises(LedgerUnavailable, match="does not answer: ConnectError") as caught:
        await asking.ask()
    await asking.aclose()
    assert "secret" not in str(caught.value)


async def test_an_older_checkpoint_does_not_replace_a_newer_one(durable: Durable) -> None:
    await durable.ledger.keep_checkpoint(5, b"five")
    await durable.ledger.keep_checkpoint(4, b"four")
    assert await durable.ledger.witnessed() == b"five"
    await durable.ledger.keep_checkpoint(5, b"five, by one more")
    assert await durable.ledger.witnessed() == b"five, by one more"
