"""An answer's bytes become its head, the pieces of its body and its end. No I/O.

llhttp reads heads and chunks, strictly; each answer has a parser of its own, fed no byte of another
one. Where an answer ends is decided here and in one way only, and what llhttp lets pass that two
readers could take differently is refused: other protocols, another version, transfer codings other
than `chunked`, framing said twice, interim answers without end. A body is never longer nor shorter
than its framing says. However the bytes are cut, the events are the same, but for where `bytes` are
cut. Source: RFC 9112.
"""

import re
from typing import Final, TypeAlias

import httptools
import msgspec

MAX_HEAD_BYTES: Final = 32 * 2**10
MAX_FIELDS: Final = 128
MAX_INTERIM: Final = 8  # 103 (RFC 8297) comes a few times at most

_HEAD_END: Final = b"\r\n\r\n"
_BEGINS: Final = b"HTTP/1."
# RFC 9112 §4, stricter than llhttp: it takes RTSP and ICE, HTTP/0.9 and /2.0, 000 to 999, NUL.
# And nobody asked to switch protocols (101).
_STATUS_LINE: Final = re.compile(
    rb"HTTP/1\.[01] (?!101)[1-5][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?\r\n"
)
_BARE: Final = re.compile(rb"(?<!\r)\n|\r[^\n]")  # RFC 9112 §2.2: a line ends with both
_DIGITS: Final = 15  # of a length: a petabyte
_TRAILING: Final = re.compile(rb"[ \t]\r\n")  # llhttp leaves it at the value
_TELLING: Final = frozenset(map(len, (b"content-length", b"transfer-encoding", b"connection")))
_CURRENT: Final = b"HTTP/1.1"
_NO_BODY: Final = frozenset({204, 304})
_OK: Final = 200
# What chunks may add to a body: their sizes, line ends, extensions and trailers.
_AROUND_BYTES: Final = 16 * 2**10
_AROUND_A_CHUNK_BYTES: Final = 32

Headers: TypeAlias = list[tuple[bytes, bytes]]


class Head(msgspec.Struct, frozen=True):
    """The final answer's head; names as sent, values without the space around them."""

    status: int
    headers: Headers
    version: bytes  # `HTTP/1.1` or `HTTP/1.0`

    def __repr__(self) -> str:
        """Show no field: a store says there what it likes (law 6)."""
        return f"Head(status={self.status}, version={self.version!r})"


class End(msgspec.Struct, frozen=True):
    """The answer is whole; `reusable`: the connection may carry another one."""

    reusable: bool


class Surplus(msgspec.Struct, frozen=True):
    """Something came after the end, whatever it is: the connection is good for nothing more."""


class Fault(msgspec.Struct, frozen=True):
    """No answer that two readers would read alike; nothing follows. `what` is a fixed text."""

    what: str


Event: TypeAlias = Head | bytes | End | Surplus | Fault

MALFORMED_HEAD: Final = Fault("the head of the answer is malformed")
AMBIGUOUS: Final = Fault("the answer does not say in one way how long it is")
MALFORMED_CHUNK: Final = Fault("a chunk of the answer is malformed")
CUT_OFF: Final = Fault("the answer is cut off")
NO_ANSWER: Final = Fault("the connection was closed without an answer")

_KEPT: Final = End(reusable=True)
_LAST: Final = End(reusable=False)
_SURPLUS: Final = Surplus()

_IN_HEAD, _IN_LENGTH, _IN_CHUNKS, _TO_CLOSE, _ENDED, _DONE = range(6)


class Framing:
    """Reads one answer. `feed` it what comes, and `close` it where nothing more can."""

    __slots__ = (
        "_around",
        "_chunks",
        "_fields",
        "_goes_on",
        "_held",
        "_interim",
        "_is_head",
        "_left",
        "_parser",
        "_parts",
        "_reusable",
        "_state",
        "_tail",
        "_trailed",
        "_whole",
    )

    def __init__(self, *, is_head: bool = False) -> None:
        """`is_head`: the request was HEAD, so that no body follows (RFC 9110 §9.3.2)."""
        self._is_head = is_head
        self._state = _IN_HEAD
        self._held = bytearray()  # of a head whose end is yet to come
        self._interim = 0
        self._reusable = False
        self._left = 0  # of a body whose length is known
        self._fields: Headers = []
        self._parts: list[bytes] = []  # of the body, from one `feed`
        self._chunks = 0
        self._around = 0  # bytes of chunks that are not the body's
        self._tail = b""
        self._trailed = False
        self._whole = False  # llhttp saw the end of the last chunk
        self._goes_on = False  # and the beginning of another answer

    def feed(self, data: bytes) -> list[Event]:
        """Read what came; at most one of the events is `bytes`."""
        events: list[Event] = []
        if self._state == _IN_HEAD:
            data = self._read_heads(data, events)
        if not data:
            return events
        state = self._state
        if state == _IN_LENGTH:
            self._read_length(data, events)
        elif state == _IN_CHUNKS:
            self._read_chunks(data, events)
        elif state == _TO_CLOSE:
            events.append(data)
        elif state == _ENDED:
            self._state = _DONE
            events.append(_SURPLUS)
        return events

    def close(self) -> list[Event]:
        """Nothing more comes: the connection was closed, in order, by the other side."""
        state, self._state = self._state, _DONE
        if state == _TO_CLOSE:
            return [_LAST]
        if state == _IN_HEAD:
            return [CUT_OFF if self._held or self._interim else NO_ANSWER]
        return [] if state in {_ENDED, _DONE} else [CUT_OFF]

    def _fail(self, fault: Fault, events: list[Event]) -> bytes:
        self._state = _DONE
        events.append(fault)
        return b""

    def _read_heads(self, data: bytes, events: list[Event]) -> bytes:
        """Read the interim heads and the final one; give what follows it."""
        seen = 0
        if self._held:
            seen = max(0, len(self._held) - len(_HEAD_END))
            self._held += data
            data = bytes(self._held) if self._held.find(_HEAD_END, seen) >= 0 else b""
        while data:
            end = data.find(_HEAD_END) + len(_HEAD_END)
            if end < len(_HEAD_END):
                self._held = bytearray(data)
                seen = 0
                break
            self._held.clear()
            fault = self._read_head(data[:end], events)
            if fault is not None:
                return self._fail(fault, events)
            data = data[end:]
            if self._state != _IN_HEAD:
                if self._state == _ENDED and data:
                    self._state = _DONE
                    events.append(_SURPLUS)
                return data
        # Said at once and not when the head is whole: it may never be.
        if (
            len(self._held) >= MAX_HEAD_BYTES
            or not _BEGINS.startswith(self._held[: len(_BEGINS)])
            or _BARE.search(self._held, seen) is not None
        ):
            return self._fail(MALFORMED_HEAD, events)
        return b""

    def _read_head(self, head: bytes, events: list[Event]) -> Fault | None:
        """Read one head, whole, and decide on what follows it. Source: RFC 9112 §6.3."""
        if len(head) > MAX_HEAD_BYTES or _STATUS_LINE.match(head) is None:
            return MALFORMED_HEAD
        self._fields = []
        self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserError:
            return MALFORMED_HEAD
        if len(self._fields) > MAX_FIELDS:
            return MALFORMED_HEAD
        if _TRAILING.search(head) is not None:
            self._fields = [(name, value.rstrip(b" \t")) for name, value in self._fields]
        status, version = self._parser.get_status_code(), head[:8]
        length, coding, keeps = _declared(self._fields)
        if status < _OK:
            self._interim += 1
            # RFC 9110 §6.4.1, §8.6: no interim answer has a body or says how long it is.
            framed = length is not None or coding is not None
            return AMBIGUOUS if framed or self._interim > MAX_INTERIM else None
        if length is not None and (coding is not None or not _is_length(length)):
            return AMBIGUOUS
        # RFC 9112 §6.1: HTTP/1.0 knows no transfer coding.
        if coding is not None and (coding != b"chunked" or version != _CURRENT):
            return AMBIGUOUS
        events.append(Head(status, self._fields, version))
        self._begin_body(status, length, coding, keeps and version == _CURRENT, events)
        return None

    def _begin_body(
        self,
        status: int,
        length: bytes | None,
        coding: bytes | None,
        keeps: bool,  # noqa: FBT001
        events: list[Event],
    ) -> None:
        """Decide where the body ends. Source: RFC 9112 §6.3."""
        self._reusable = keeps
        if self._is_head or status in _NO_BODY:
            # A server that says a length where no body can be may send one as well.
            self._reusable = keeps and (self._is_head or length is coding is None)
            self._end(events)
        elif coding is not None:
            self._state = _IN_CHUNKS
        elif length is None:
            self._state = _TO_CLOSE
        else:
            self._left = int(length)
            self._state = _IN_LENGTH
            if not self._left:
                self._end(events)

    def _read_length(self, data: bytes, events: list[Event]) -> None:
        more = len(data) - self._left
        if more < 0:
            self._left = -more
            events.append(data)
            return
        events.append(data[: self._left] if more else data)
        self._end(events)
        if more:
            self._state = _DONE
            events.append(_SURPLUS)

    def _read_chunks(self, data: bytes, events: list[Event]) -> None:
        """Have llhttp read chunks. Source: RFC 9112 §7.1."""
        failed = self._goes_on = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            failed = True
        body = b"".join(self._parts)
        self._parts.clear()
        if body:
            events.append(body)
        if self._whole:
            # llhttp goes on to the next answer, passes over line ends before it, and tells nobody
            # where this one ended: with four of them, after what ends with none (a size, an
            # extension, a trailer).
            tail = (self._tail + data)[-5:]
            is_exact = tail[-4:] == _HEAD_END and tail[0] not in b"\r\n"
            surplus = failed or self._goes_on or not is_exact
            self._reusable = self._reusable and not self._trailed
            self._end(events)
            if surplus:
                self._state = _DONE
                events.append(_SURPLUS)
            return
        self._tail = (self._tail + data)[-5:]
        # No answer needs it, and each piece alone is bounded in time only.
        self._around += len(data) - len(body)
        allowed = _AROUND_BYTES + _AROUND_A_CHUNK_BYTES * self._chunks
        if failed or self._around > allowed:
            self._fail(MALFORMED_CHUNK, events)

    def _end(self, events: list[Event]) -> None:
        self._state = _ENDED
        events.append(_KEPT if self._reusable else _LAST)

    # What llhttp calls.

    def on_message_begin(self) -> None:
        """Remember that something came after the end."""
        self._goes_on = self._whole

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; one of the trailer (RFC 9110 §6.5) is nobody's."""
        if self._state == _IN_HEAD:
            self._fields.append((name, value))
        elif not self._whole:
            self._trailed = True

    def on_chunk_header(self) -> None:
        """Count a chunk."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        """Keep a piece of a chunk."""
        if self._state == _IN_CHUNKS and not self._whole:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Remember the end of the last chunk and its trailer; what ends at its head ends, too."""
        self._whole = self._state == _IN_CHUNKS


def _declared(fields: Headers) -> tuple[bytes | None, bytes | None, bool]:
    """Give what a head says of its body's length and coding, and whether it keeps the connection.

    What is said twice is given joined, and is no value then.
    """
    length: bytes | None = None
    coding: bytes | None = None
    keeps = True
    for name, value in fields:
        if len(name) not in _TELLING:  # most, at a sixth of the price
            continue
        lower = name.lower()
        if lower == b"content-length":
            length = value if length is None else length + b"," + value
        elif lower == b"transfer-encoding":
            said = value.lower()
            coding = said if coding is None else coding + b"," + said
        elif lower == b"connection":
            # Whatever else a connection is to do, we don't know how to reuse it then.
            keeps = keeps and value.lower() == b"keep-alive"
    return length, coding, keeps


def _is_length(said: bytes) -> bool:
    return said.isdigit() and len(said) <= _DIGITS
