"""Asking a store: one answer whole, as lines, or page by page."""

import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, NamedTuple

from withhold.catalogue.model import Page, Resource
from withhold.errors import Malformed, StoreFailed, StoreTooLarge
from withhold.ports import Answer, Store
from withhold.proxy.pages import cursor_of
from withhold.proxy.target import build_target

_OK: Final = 200
_REDIRECTS: Final = range(300, 400)
_MORE_THAN_BLANK: Final = re.compile(rb"[^ \t\r\n]")  # RFC 8259 §2


class Timed(NamedTuple):
    """A store, and what is told how many seconds it took to the head of each answer."""

    store: Store
    observe: Callable[[float], None]


class Heard:
    """A store as one request asks it; remembers the status of the last answer, for the ledger."""

    __slots__ = ("_alone", "_resource", "_timed", "status")

    def __init__(self, timed: Timed, resource: Resource, *, alone: bool) -> None:
        """`alone`: each call has a connection of its own. See `ports.Store`."""
        self._timed = timed
        self._resource = resource
        self._alone = alone
        self.status: int | None = None  # None: it was not asked, or did not answer

    def ask(self, target: str) -> "Ask":
        """Call the store, within a context. Raises: StoreError."""
        self.status = None
        store, observe = self._timed
        return Ask(store.get(target, alone=self._alone), observe, self._admit)

    def _admit(self, answer: Answer) -> Answer | None:
        self.status = answer.status
        if answer.status == _OK:
            return answer
        if answer.status in self._resource.absent:
            return None
        message = "the store answered with a status that is not in the catalogue"
        raise StoreFailed(message, cause=_cause_of(answer.status))


class Ask:
    """One call: gives the answer, or None if the store has nothing.

    A class, since there is one a request: `asynccontextmanager` takes three times as long.
    """

    __slots__ = ("_admit", "_call", "_observe")

    def __init__(
        self,
        call: AbstractAsyncContextManager[Answer],
        observe: Callable[[float], None],
        admit: Callable[[Answer], Answer | None],
    ) -> None:
        """`admit`: gives what to make of an answer's status."""
        self._call = call
        self._observe = observe
        self._admit = admit

    async def __aenter__(self) -> Answer | None:
        began_s = time.perf_counter()
        answer = await self._call.__aenter__()
        self._observe(time.perf_counter() - began_s)
        try:
            return self._admit(answer)
        except BaseException as error:
            await self._call.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._call.__aexit__(kind, error, trace)


async def read_lines(answer: Answer, max_line_bytes: int) -> AsyncGenerator[bytes, None]:
    """Give the lines that end in each piece of an answer, as one text; never blank ones alone.

    A line may end with LF or CRLF, the last one with the answer. Raises: StoreError.
    """
    begun = bytearray()  # a line whose end is yet to come
    async for piece in answer.chunks():
        lines = b""
        if end := piece.rfind(b"\n") + 1:
            lines = b"".join((begun, memoryview(piece)[:end]))
            begun = bytearray()
        begun += memoryview(piece)[end:]
        if len(begun) > max_line_bytes or _longest(lines, max_line_bytes) > max_line_bytes:
            message = "a line of the store's answer is larger than the limit"
            raise StoreTooLarge(message, cause="line-too-long")
        if _MORE_THAN_BLANK.search(lines):
            yield lines
    if _MORE_THAN_BLANK.search(begun):
        yield bytes(begun)


def _longest(lines: bytes, limit: int) -> int:
    """Give how long the longest line is; looked at where one could be longer than the limit."""
    return 0 if len(lines) <= limit else max(map(len, lines.split(b"\n")))


async def walk(
    heard: Heard, resource: Resource, page: Page, params: Mapping[str, str], max_bytes: int
) -> AsyncGenerator[bytes, None]:
    """Give the pages, each whole; none if the store has nothing. `max_bytes`: of one page.

    An answer with more pages than the catalogue says, or one whose later page is missing, is a
    fault: cut short, it would look whole. Raises: StoreError.
    """
    cursor: str | None = None
    for _ in range(page.max):
        async with heard.ask(build_target(resource, params, cursor)) as answer:
            if answer is None and cursor is None:
                return
            if answer is None:
                message = "the store lost a page that it had promised"
                raise StoreFailed(message, cause="page-lost")
            if answer.ndjson:
                raise Malformed("the store answered with lines where it should page")
            body = await answer.whole(max_bytes)
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
