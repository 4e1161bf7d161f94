"""Asking a store: one answer whole, as lines, or page by page."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from withhold.catalogue.model import Page, Resource
from withhold.errors import Malformed, StoreFailed, StoreTooLarge
from withhold.ports import Answer, Store
from withhold.proxy.pages import cursor_of
from withhold.proxy.target import build_target

_OK: Final = 200
_REDIRECTS: Final = range(300, 400)
_BLANK: Final = b" \t\r"  # RFC 8259 §2, without the LF that ended it


class Heard:
    """A store as one request asks it; remembers the status of the last answer, for the ledger."""

    def __init__(self, store: Store) -> None:
        """`store`: the one that is asked."""
        self._store = store
        self.status: int | None = None  # None: it was not asked, or did not answer

    @asynccontextmanager
    async def get(self, target: str) -> AsyncIterator[Answer]:
        """Call the store. See `ports.Store`."""
        self.status = None
        async with self._store.get(target) as answer:
            self.status = answer.status
            yield answer


class Measured:
    """A store whose answers are timed, to their head."""

    def __init__(self, store: Store, observe: Callable[[float], None]) -> None:
        """`observe`: told the seconds."""
        self._store = store
        self._observe = observe

    @asynccontextmanager
    async def get(self, target: str) -> AsyncIterator[Answer]:
        """Call the store. See `ports.Store`."""
        began_s = time.perf_counter()
        async with self._store.get(target) as answer:
            self._observe(time.perf_counter() - began_s)
            yield answer


@asynccontextmanager
async def ask(store: Store, resource: Resource, target: str) -> AsyncIterator[Answer | None]:
    """Call the store; None if it has nothing. No other status means anything to us.

    Raises: StoreError.
    """
    async with store.get(target) as answer:
        if answer.status in resource.absent:
            yield None
        elif answer.status == _OK:
            yield answer
        else:
            message = "the store answered with a status that is not in the catalogue"
            raise StoreFailed(message, cause=_cause_of(answer.status))


async def read_whole(answer: Answer, max_bytes: int) -> bytes:
    """Read an answer. Raises: StoreError."""
    body = bytearray()
    async for piece in answer.chunks():
        if len(body) + len(piece) > max_bytes:
            raise StoreTooLarge("the store's answer is larger than the limit")
        body += piece
    return bytes(body)


async def read_lines(answer: Answer, max_line_bytes: int) -> AsyncGenerator[list[bytes], None]:
    """Give the lines that end in each piece of an answer; blank ones are none.

    A line may end with LF or CRLF, the last one with the answer. Raises: StoreError.
    """
    begun = bytearray()  # a line whose end is yet to come
    async for piece in answer.chunks():
        first, *others = piece.split(b"\n")
        begun += first
        lines = []
        for other in others:
            lines.append(bytes(begun))
            begun = bytearray(other)
        if len(begun) > max_line_bytes or any(len(line) > max_line_bytes for line in lines):
            message = "a line of the store's answer is larger than the limit"
            raise StoreTooLarge(message, cause="line-too-long")
        if found := [line for line in lines if line.strip(_BLANK)]:
            yield found
    if begun.strip(_BLANK):
        yield [bytes(begun)]


async def walk(
    store: Store, resource: Resource, page: Page, params: Mapping[str, str], max_bytes: int
) -> AsyncGenerator[bytes, None]:
    """Give the pages, each whole; none if the store has nothing. `max_bytes`: of one page.

    An answer with more pages than the catalogue says, or one whose later page is missing, is a
    fault: cut short, it would look whole. Raises: StoreError.
    """
    cursor: str | None = None
    for _ in range(page.max):
        async with ask(store, resource, build_target(resource, params, cursor)) as answer:
            if answer is None and cursor is None:
                return
            if answer is None:
                message = "the store lost a page that it had promised"
                raise StoreFailed(message, cause="page-lost")
            if answer.ndjson:
                raise Malformed("the store answered with lines where it should page")
            body = await read_whole(answer, max_bytes)
        yield body
        following = cursor_of(body, page.next)
        if following is None:
            return
        if following == cursor:
            raise Malformed("the store's cursor does not lead on", cause="cursor")
        cursor = following
    message = "the store's answer has more pages than the limit"
    raise StoreTooLarge(message, cause="too-many-pages")


def _cause_of(status: int) -> str:
    """Name a status for the log. Source: RFC 9110 §15.4."""
    return "redirect" if status in _REDIRECTS else f"status-{status}"
