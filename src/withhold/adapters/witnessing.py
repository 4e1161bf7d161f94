"""Witnessing: others sign that the log only grows, so that we cannot show two of it.

Once a minute the log's checkpoint goes to every witness of the deployment, with the proof that it
only grew since the one they saw last; they see hashes and sizes, never an entry. What they signed
is kept in the database: whoever wants a checkpoint to trust gets theirs.
Source: c2sp.org/tlog-witness, c2sp.org/tlog-cosignature.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

import httpx

from withhold.deployment.model import WitnessEntry
from withhold.errors import LedgerUnavailable, Unproven, WithholdError
from withhold.ledger.checkpoint import Checkpoint, sign_checkpoint
from withhold.ledger.note import Signer
from withhold.ledger.witness import (
    PATH,
    AddCheckpoint,
    add_cosignatures,
    parse_size,
    print_request,
)
from withhold.ports import Ledger

WITNESS_S: Final = 60.0  # between two checkpoints that are put before witnesses
TIMEOUT_S: Final = 10.0  # of each step of an answer
ANSWER_S: Final = 20.0  # of all of it
MAX_ANSWER_BYTES: Final = 16 * 2**10


class Witnesses:
    """The witnesses of one deployment, as one node asks them."""

    def __init__(
        self,
        entries: Sequence[WitnessEntry],
        ledger: Ledger,
        origin: str,
        signers: Callable[[], Sequence[Signer]],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`signers`: the log's; `transport`: None makes one."""
        self._entries = entries
        self._ledger = ledger
        self._origin = origin
        self._signers = signers
        self._monotonic_s = monotonic_s
        self._asked_s: float | None = None
        self._found = "ok"  # of the last time; nobody has refused before the first
        self._seen = dict.fromkeys((entry.key for entry in entries), 0)  # what each saw last
        self._client = httpx.AsyncClient(
            transport=transport, timeout=TIMEOUT_S, trust_env=False, follow_redirects=False
        )

    async def probe(self) -> str:
        """Give "ok" if every witness signed when last asked; else who did not, and why."""
        return self._found

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self) -> None:
        """Put the log's checkpoint before every witness, if it is time to.

        Raises: LedgerUnavailable, that says which witness did not sign; what others signed is kept.
        """
        now_s = self._monotonic_s()
        if self._asked_s is not None and now_s - self._asked_s < WITNESS_S:
            return
        frontier = await self._ledger.frontier()
        if not self._entries or not frontier.size:
            return
        self._asked_s = now_s
        checkpoint = Checkpoint(self._origin, frontier.size, frontier.root)
        note = sign_checkpoint(checkpoint, self._signers())
        answers = await asyncio.gather(
            *(self._ask_one(entry, note, frontier.size) for entry in self._entries),
            return_exceptions=True,
        )
        cosigned, faults = note, list[BaseException]()
        for entry, answer in zip(self._entries, answers, strict=True):
            if isinstance(answer, bytes):
                cosigned = add_cosignatures(cosigned, answer, [entry.key])
            else:  # of one of them; what others signed counts all the same
                faults.append(answer)
        if cosigned != note:
            await self._ledger.keep_checkpoint(frontier.size, cosigned)
        self._found = _say(faults[0]) if faults else "ok"
        if faults:
            raise faults[0]

    async def _ask_one(self, entry: WitnessEntry, note: bytes, size: int) -> bytes:
        """Give the lines that the witness answers with, verified."""
        status, body = await self._post(entry, note, size)
        if status == HTTPStatus.CONFLICT:  # it saw another size than we remember: it says which
            try:
                self._seen[entry.key] = parse_size(body)
            except Unproven as error:
                raise _fault(entry, error.message) from None
            if self._seen[entry.key] > size:
                raise _fault(entry, "it saw a larger log: was the database set back")
            status, body = await self._post(entry, note, size)
        if status != HTTPStatus.OK:
            raise _fault(entry, f"it answered with {status}")
        try:
            add_cosignatures(note, body, [entry.key])
        except Unproven as error:
            raise _fault(entry, error.message) from None
        self._seen[entry.key] = size
        return body

    async def _post(self, entry: WitnessEntry, note: bytes, size: int) -> tuple[int, bytes]:
        old = self._seen[entry.key]
        proof = await self._ledger.prove_growth(old, size)
        request = print_request(AddCheckpoint(old, proof, note))
        try:
            # In all: who answers byte by byte would else keep all others from being asked again.
            async with (
                asyncio.timeout(ANSWER_S),
                self._client.stream("POST", f"{entry.url}/{PATH}", content=request) as response,
            ):
                body = bytearray()
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        raise _fault(entry, "its answer is too large")
        except (httpx.HTTPError, TimeoutError) as error:
            raise _fault(entry, f"it does not answer: {type(error).__name__}") from None
        return response.status_code, bytes(body)


def _say(fault: BaseException) -> str:
    """Say what a fault is; of one of ours no text is fit to be shown."""
    return fault.message if isinstance(fault, WithholdError) else "a fault of ours"


def _fault(entry: WitnessEntry, message: str) -> LedgerUnavailable:
    return LedgerUnavailable(f"the witness `{entry.key.name}` did not sign: {message}")
