"""One connection to a store: it carries one exchange after another, and trusts no byte between.

Bytes come out of the socket straight into `Framing`: nothing of ours holds any in between, so what
is not in the framing is in the kernel or was never sent.
INVARIANT: a byte that comes while nothing is asked ends the connection, and so does one that comes
after an answer's end: it would be read as the next answer, which is about somebody else.
"""

import asyncio
import math
import select
from collections import deque
from typing import Final, cast

import httpx

from withhold.adapters.framing import End, Event, Framing, Head, Surplus

# What a reader may be behind: two reads of the event loop. A reader that is further behind stops
# the store, and its connection is not used again.
BEHIND_BYTES: Final = 512 * 2**10
PIECE_BYTES: Final = 256 * 2**10  # of a body at once: what the event loop reads at once

_BROKEN: Final = "the connection to the store broke"
_LATE: Final = "the store did not answer in time"


class Stale(Exception):
    """The connection was closed while it was idle, or with the request: no byte was answered."""


class Connection(asyncio.Protocol):
    """One connection. It belongs to one event loop and, at a time, to one exchange."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, is_tls: bool) -> None:
        """`loop`: the running one."""
        self._loop = loop
        self._is_tls = is_tls
        self.began = loop.time()
        self.lost = loop.create_future()  # done once the socket is closed
        self._is_used = False
        self._is_good = True
        self._framing: Framing | None = None  # None: nothing is asked
        self._head: Head | None = None
        self._pieces: deque[bytes] = deque()
        self._behind_bytes = 0
        self._is_paused = False
        self._was_paused = False
        self._is_heard = False
        self._is_ended = False
        self._is_kept = False
        self._fault: httpx.TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Frame what came."""
        framing = self._framing
        if framing is None:
            self.abort()
            return
        self._is_heard = True
        self._take(framing.feed(data))

    def eof_received(self) -> None:
        """Nothing more comes; the connection closes itself."""
        self._is_good = False
        framing = self._framing
        if framing is not None and (self._is_heard or not self._is_used):
            self._take(framing.close())

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        del exc
        self._is_good = False
        if not self._is_ended and self._fault is None:
            self._fault = httpx.ReadError(_BROKEN)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()
        if not self.lost.done():
            self.lost.set_result(None)

    # What an exchange calls.

    async def ask(self, request: bytes, *, is_head: bool, by: float) -> Head:
        """Send a request and give the head of its answer. `by`: when, on the loop's clock.

        Raises: Stale (only where the connection was used before), httpx.TransportError.
        """
        if not self._is_quiet():
            if self._is_used:
                raise Stale
            message = "the connection to the store ended, or said something, before it was asked"
            raise httpx.RemoteProtocolError(message)
        self._begin(is_head=is_head)
        self._transport.write(request)
        while (head := self._head) is None:
            fault = self._fault
            if isinstance(fault, httpx.ReadError) and self._is_used and not self._is_heard:
                raise Stale
            if fault is not None:
                raise fault
            await self._wait(by)
        return head

    async def read(self, timeout_s: float) -> bytes:
        """Give what there is of the body, a byte at least, `PIECE_BYTES` at most; empty at its end.

        Raises: httpx.TransportError, after the last byte that came before the fault.
        """
        pieces = self._pieces
        by = 0.0
        while not pieces:
            if self._is_ended:
                return b""
            if self._fault is not None:
                raise self._fault
            by = by or self._loop.time() + timeout_s
            await self._wait(by)
        if len(pieces) == 1 or self._behind_bytes > PIECE_BYTES:
            piece = pieces.popleft()
        else:
            piece = b"".join(pieces)
            pieces.clear()
        self._behind_bytes -= len(piece)
        if self._is_paused and self._is_good and self._behind_bytes <= PIECE_BYTES:
            self._transport.resume_reading()
            self._is_paused = False
        return piece

    def finish(self) -> bool:
        """End the exchange; tell whether the connection may carry another one."""
        self._framing = None
        self._is_used = True
        self._pieces.clear()
        # Where reading was paused, bytes may lie decrypted and not yet delivered.
        return self._is_good and self._is_kept and not self._was_paused

    @property
    def is_open(self) -> bool:
        """Whether the connection can be asked on, as far as the event loop knows."""
        return self._is_good and not self._transport.is_closing()

    def _is_quiet(self) -> bool:
        """Tell whether the connection is open and nothing has come, not even its end.

        Looks at the socket itself for what the event loop has not read yet. After a handshake a
        server of TLS 1.3 sends tickets (RFC 8446 §4.6.1): until the first answer they may be there.
        """
        return self.is_open and ((self._is_tls and not self._is_used) or not self._poll.poll(0))

    def expect(self, by: float) -> None:
        """Have the connection end at `by` unless something else is expected till then.

        One timer serves for all: it is set anew only where it is late, or when it goes off.
        """
        self._deadline = by
        if self._timer is None or by < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(by, self._on_time)

    def close(self) -> None:
        """End the connection in order."""
        self._is_good = False
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._is_good = False
        self._transport.abort()

    def _begin(self, *, is_head: bool) -> None:
        self._framing = Framing(is_head=is_head)
        self._head = None
        self._behind_bytes = 0
        self._is_heard = self._is_ended = self._is_kept = False

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, bytes):
                self._pieces.append(event)
                self._behind_bytes += len(event)
            elif isinstance(event, Head):
                self._head = event
            elif isinstance(event, End):
                self._is_ended = True
                self._is_kept = event.reusable
            elif isinstance(event, Surplus):
                self.abort()
            else:
                self._fault = httpx.RemoteProtocolError(event.what)
                self.abort()
        if self._behind_bytes >= BEHIND_BYTES and not self._is_paused and self._is_good:
            self._is_paused = self._was_paused = True
            self._transport.pause_reading()
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self, by: float) -> None:
        self.expect(by)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._deadline = math.inf

    def _on_time(self) -> None:
        self._timer = None
        if self._deadline > self._loop.time():
            if self._deadline < math.inf:
                self.expect(self._deadline)
        elif self._framing is None:
            self.close()
        else:
            self._fault = httpx.ReadTimeout(_LATE)
            self.abort()
            self._wake()
