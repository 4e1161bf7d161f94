"""Streams: documents of a store, minimized one by one and sent as lines of NDJSON.

An opening entry is durable before the first byte leaves, a closing one says what became of it.
Memory is bounded by one piece of the store's answer and one line (or page), however long it goes
on. What goes wrong midway breaks the stream visibly; its closing entry says `incomplete`.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from withhold.digest import print_digest
from withhold.errors import BadRequest
from withhold.ledger.receipt import Ending
from withhold.minimize.minimizer import Minimized, Minimizer
from withhold.minimize.tally import Tally
from withhold.proxy.call import NDJSON
from withhold.proxy.disclosure import Clerk, Disclosure, Sent
from withhold.proxy.reply import Reply
from withhold.proxy.watch import Watch

THREAD_BYTES: Final = 256 * 2**10  # from here on a document is minimized beside the event loop
# More would not be faster, and would keep other threads from looking at standing in time. A pool of
# its own: a hostile document can take half a minute, and nothing else is to wait for a thread.
_LARGE: Final = ThreadPoolExecutor(2, thread_name_prefix="withhold-minimize")


async def minimize(minimizer: Minimizer, body: bytes) -> Minimized:
    """Minimize one document, without keeping everybody else waiting for a large one."""
    if len(body) > THREAD_BYTES:
        return await asyncio.wrap_future(_LARGE.submit(minimizer.run, body))
    return minimizer.run(body)


@dataclass(frozen=True, slots=True)
class _Part:
    """The lines of one batch, and its counts."""

    lines: bytes = field(repr=False)
    tally: Tally


class _Progress:
    """What a stream has sent so far. Counted before it is sent: a closing entry never says less."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._size_bytes = 0
        self._hash = hashlib.sha256()

    def add(self, part: _Part) -> None:
        self._tally.add(part.tally)
        self._size_bytes += len(part.lines)
        self._hash.update(part.lines)

    def sent(self) -> Sent:
        return Sent(self._tally, self._size_bytes, print_digest(self._hash.digest()))


async def stream(
    disclosure: Disclosure,
    minimizer: Minimizer,
    batches: AsyncIterator[list[bytes]],
    *,
    reply: Reply,
    clerk: Clerk,
    watch: Watch,
    http_version: str,
    status: Callable[[], int | None],
) -> Sent:
    """Answer with lines. `batches`: documents as the store sent them; `status`: the store's.

    The first batch is minimized before anything is said, so that a store that fails at once is a
    clear error. Raises: StoreError, Denied, OwnError, BadRequest, ClientGone; after `reply.begun`
    the stream is broken and its closing entry made.
    """
    if http_version == "1.0":
        # Without chunks a stream ends where the connection does: broken or whole look alike.
        raise BadRequest("a stream needs HTTP/1.1")
    progress = _Progress()
    part = await watch.wait(_next(batches, minimizer))
    await clerk.open(disclosure, status())
    ending = Ending.INCOMPLETE
    try:
        await reply.begin(disclosure.headers(NDJSON))
        while part is not None:
            progress.add(part)
            if part.lines:
                await watch.wait(reply.more(part.lines))
            part = await watch.wait(_next(batches, minimizer))
        ending = Ending.COMPLETE
    finally:
        # Whoever cancels us, as a server that stops does, waits for the closing entry.
        closed = clerk.close(disclosure, ending, progress.sent())
        await asyncio.shield(asyncio.ensure_future(closed))
    await reply.end()
    return progress.sent()


async def _next(batches: AsyncIterator[list[bytes]], minimizer: Minimizer) -> _Part | None:
    """Minimize the next batch; None at the end. A document without a disclosed leaf is no line."""
    batch = await anext(batches, None)
    if batch is None:
        return None
    lines = bytearray()
    tally = Tally()
    for document in batch:
        minimized = await minimize(minimizer, document)
        tally.add(minimized.tally)
        if minimized.body is not None:
            lines += minimized.body + b"\n"
    return _Part(bytes(lines), tally)
