"""Delivery: the store is asked, and what may leave of its answer leaves.

Whole answers end in one place, `_send_whole`: minimized, then released by a durable entry, then
sent. A fault of the store leaves an entry too before the caller hears of it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Final

from withhold.catalogue.model import Page
from withhold.deployment.model import Limits
from withhold.errors import StoreError, StoreFailed, StoreTimeout, StoreTooLarge
from withhold.ledger.receipt import Ending
from withhold.minimize.minimizer import Minimized
from withhold.minimize.tally import Tally
from withhold.proxy.ask import Heard, read_lines, walk
from withhold.proxy.disclosure import Clerk, Disclosure, Sent, whole
from withhold.proxy.grant import Grant
from withhold.proxy.pages import join_pages
from withhold.proxy.problem import problem_of
from withhold.proxy.reply import Reply
from withhold.proxy.stream import Batch, minimize, stream
from withhold.proxy.warrants import Standing, check_standing
from withhold.proxy.watch import ClientGone, Watch

PIECE_BYTES: Final = 64 * 2**10  # of a whole answer; the server's own buffer is no larger

_JSON: Final = "application/json"


@dataclass(slots=True)
class Delivery:
    """A request that may be answered, and what answering it takes."""

    disclosure: Disclosure
    grant: Grant
    store: Heard | None  # None: the catalogue knows it and the deployment doesn't
    takes_ndjson: bool
    http_version: str
    limits: Limits
    standing: Standing
    clerk: Clerk
    reply: Reply


@dataclass(slots=True)
class _Handed:
    """How much of an answer was handed over to the connection so far."""

    size_bytes: int = 0


async def deliver(delivery: Delivery) -> Sent:
    """Answer, and tell what was sent. Raises: WithholdError."""
    try:
        return await _deliver(delivery)
    except StoreError as error:
        if not delivery.reply.begun:  # a stream makes its own closing entry
            code = problem_of(error).code
            await delivery.clerk.fail(delivery.disclosure, code, _status(delivery))
        raise


async def _deliver(delivery: Delivery) -> Sent:
    allowlist = delivery.grant.terms.allowlist
    if not allowlist.leaves:
        return await _send_whole(delivery, None, Tally())
    if delivery.store is None:
        raise StoreFailed("no store of this name is deployed", cause="not-deployed")
    page = allowlist.resource.page
    if page is None:
        return await _deliver_one(delivery, delivery.store)
    if delivery.takes_ndjson:
        return await _deliver_pages_as_lines(delivery, delivery.store, page)
    return await _deliver_pages(delivery, delivery.store, page)


async def _deliver_one(delivery: Delivery, store: Heard) -> Sent:
    """Answer with the store's one answer, or with its lines."""
    limits = delivery.limits
    minimized = Minimized(None, Tally())
    async with _Deadline(limits.answer_timeout_s) as deadline:
        async with store.ask(delivery.grant.target) as answer:
            if answer is not None and answer.ndjson:
                deadline.reschedule(None)  # a stream lasts as long as it gives
                async with aclosing(read_lines(answer, limits.max_line_bytes)) as lines:
                    return await _stream(delivery, lines)
            body = None if answer is None else await answer.whole(limits.max_answer_bytes)
        if body is not None:
            minimized = await minimize(delivery.grant.minimizer, body)
    return await _send_whole(delivery, minimized.body, minimized.tally)


async def _deliver_pages(delivery: Delivery, store: Heard, page: Page) -> Sent:
    """Answer once with all pages; each is minimized before the next is asked for."""
    grant, limits = delivery.grant, delivery.limits
    allowlist = grant.terms.allowlist
    size_bytes = 0
    kept: list[Minimized] = []
    pages = walk(store, allowlist.resource, page, grant.params, limits.max_answer_bytes)
    async with _Deadline(limits.answer_timeout_s), aclosing(pages):
        async for body in pages:
            _check(delivery)  # before the next one is asked for
            size_bytes += len(body)
            if size_bytes > limits.max_answer_bytes:
                raise StoreTooLarge("the store's pages together are larger than the limit")
            kept.append(await minimize(grant.minimizer, body))
    joined = join_pages(allowlist, kept)
    return await _send_whole(delivery, joined.body, joined.tally)


async def _deliver_pages_as_lines(delivery: Delivery, store: Heard, page: Page) -> Sent:
    """Answer with a line for each page."""
    grant = delivery.grant
    resource = grant.terms.allowlist.resource
    pages = walk(store, resource, page, grant.params, delivery.limits.max_answer_bytes)
    async with aclosing(pages):
        return await _stream(delivery, ([body] async for body in pages))


async def _stream(delivery: Delivery, batches: AsyncIterator[Batch]) -> Sent:
    async with _watch(delivery) as watch:
        return await stream(
            delivery.disclosure,
            delivery.grant.minimizer,
            batches,
            reply=delivery.reply,
            clerk=delivery.clerk,
            watch=watch,
            http_version=delivery.http_version,
            status=partial(_status, delivery),
        )


def _status(delivery: Delivery) -> int | None:
    return None if delivery.store is None else delivery.store.status


def _check(delivery: Delivery) -> None:
    """Check that nothing speaks against disclosing any more. Raises: see `check_standing`."""
    terms = delivery.grant.terms
    check_standing(delivery.standing, terms.warrant, terms.allowlist.resource.store)


async def _send_whole(delivery: Delivery, body: bytes | None, tally: Tally) -> Sent:
    """Release a whole answer, and send it. `body`: None where nothing stands."""
    content = delivery.grant.minimizer.empty_root if body is None else body
    sent = whole(content, tally)
    await delivery.clerk.release(delivery.disclosure, sent, _status(delivery))
    # CRASH: from here on the entry says `disclosed`, though nothing may have left; whoever
    # recovers says `unknown`.
    headers = [*delivery.disclosure.headers(_JSON), ("Content-Digest", str(sent.digest))]
    handed = _Handed()
    ending = Ending.INCOMPLETE
    try:
        await _hand_over(delivery, headers, content, handed)
        ending = Ending.COMPLETE
    finally:
        delivery.clerk.close_later(delivery.disclosure, ending, handed.size_bytes)
    return sent


async def _hand_over(
    delivery: Delivery, headers: list[tuple[str, str]], content: bytes, handed: _Handed
) -> None:
    """Send an answer; a large one as fast as it is read, until its warrant ends.

    Whoever reads slowly would else go on reading after a revocation (contract §6). What is broken
    off is shorter than its `Content-Length` says.
    """
    if delivery.reply.is_gone():
        raise ClientGone("the client has gone")
    if len(content) <= PIECE_BYTES:
        await delivery.reply.whole(200, headers, content)
        handed.size_bytes = len(content)
        return
    async with _watch(delivery) as watch:
        await delivery.reply.begin([*headers, ("Content-Length", str(len(content)))])
        for at in range(0, len(content), PIECE_BYTES):
            piece = content[at : at + PIECE_BYTES]
            await watch.wait(delivery.reply.more(piece))
            handed.size_bytes += len(piece)
        await watch.wait(delivery.reply.taken())
    await delivery.reply.end()


def _watch(delivery: Delivery) -> Watch:
    return Watch(partial(_check, delivery), delivery.reply.gone)


class _Deadline:
    """Bounds what is done within, from now on. Raises: StoreTimeout, with nothing attached."""

    __slots__ = ("_timeout",)

    def __init__(self, timeout_s: float) -> None:
        self._timeout = asyncio.timeout(timeout_s)

    async def __aenter__(self) -> asyncio.Timeout:
        return await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        is_late = kind is not None and issubclass(kind, TimeoutError)
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            is_late = True
        if is_late:
            raise StoreTimeout("the store did not answer in time") from None
        return None
