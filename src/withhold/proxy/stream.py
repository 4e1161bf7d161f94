"""Streams: documents of a store, minimized one by one and sent as lines of NDJSON.

An opening entry is durable before the first byte leaves, a closing one says what became of it.
Memory is bounded by one piece of the store's answer and one line (or page), however long it goes
on. What goes wrong midway breaks the stream visibly; its closing entry says `incomplete`.

Minimizing happens on the event loop: msgspec keeps the GIL, so a thread would hinder it as much and
cost more. Others have their turn after each slice of lines: 0.1 ms at 500 MB/s, 8 ms where every
line is odd and the reference answers. A document that is larger than a slice may be has a thread
nevertheless: how long a hostile one takes nobody can say.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeAlias

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
SLICE_BYTES: Final = 64 * 2**10  # of lines: 3 % slower than 128 KiB, and 9 than 1 MiB
# More would not be faster, and would keep other threads from looking at standing in time. A pool of
# its own: a hostile document can take half a minute, and nothing else is to wait for a thread.
_LARGE: Final = ThreadPoolExecutor(2, thread_name_prefix="withhold-minimize")

Batch: TypeAlias = bytes | list[bytes]  # whole lines as one text; or documents, as they came
Run: TypeAlias = Callable[[bytes], Minimized]


async def minimize(minimizer: Minimizer, body: bytes) -> Minimized:
    """Minimize one document, without keeping everybody else waiting for a large one."""
    return await _run(minimizer.run, body)


async def _run(run: Run, body: bytes) -> Minimized:
    if len(body) > THREAD_BYTES:
        return await asyncio.wrap_future(_LARGE.submit(run, body))
    return run(body)


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
    batches: AsyncIterator[Batch],
    *,
    reply: Reply,
    clerk: Clerk,
    watch: Watch,
    http_version: str,
    status: Callable[[], int | None],
) -> Sent:
    """Answer with lines. `batches`: what the store sent; `status`: the store's.

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
        await watch.wait(reply.taken())
        ending = Ending.COMPLETE
    finally:
        # Whoever cancels us, as a server that stops does, waits for the closing entry.
        closed = clerk.close(disclosure, ending, progress.sent())
        await asyncio.shield(asyncio.ensure_future(closed))
    await reply.end()
    return progress.sent()


async def _next(batches: AsyncIterator[Batch], minimizer: Minimizer) -> _Part | None:
    """Minimize the next batch; None at the end. A document without a disclosed leaf is no line."""
    batch = await anext(batches, None)
    if batch is None:
        return None
    are_lines = isinstance(batch, bytes)
    run: Run = minimizer.run_lines if are_lines else minimizer.run
    lines: list[bytes] = []
    tally = Tally()
    for part in _slices(batch) if isinstance(batch, bytes) else batch:
        if lines:
            await asyncio.sleep(0)  # between slices others have their turn
        minimized = await _run(run, part)
        tally.add(minimized.tally)
        out = minimized.body or b""
        lines.append(out if are_lines or not out else out + b"\n")
    return _Part(b"".join(lines), tally)


def _slices(lines: bytes) -> Iterator[bytes]:
    """Cut lines into slices of whole ones; a line that is longer than a slice is one alone."""
    start = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + SLICE_BYTES) + 1
        if len(lines) - start <= SLICE_BYTES:
            end = len(lines)
        elif not end:
            end = lines.find(b"\n", start + SLICE_BYTES) + 1 or len(lines)
        yield lines[start:end]
        start = end
