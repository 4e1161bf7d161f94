"""Answers, well-formed and malformed, in every cut. See also `test_framing_published`."""

import itertools
from collections.abc import Sequence

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.proxy.hostile import chunked, http
from withhold.adapters.framing import (
    AMBIGUOUS,
    CUT_OFF,
    MALFORMED_CHUNK,
    MALFORMED_HEAD,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_INTERIM,
    NO_ANSWER,
    End,
    Event,
    Fault,
    Framing,
    Head,
    Surplus,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
KEPT, LAST, SURPLUS = End(reusable=True), End(reusable=False), Surplus()


def framed(*pieces: bytes, closed: bool = False, is_head: bool = False) -> list[Event]:
    """The events of these pieces, the body's bytes together."""
    framing = Framing(is_head=is_head)
    events = [event for piece in pieces for event in framing.feed(piece)]
    if closed:
        events += framing.close()
    joined: list[Event] = []
    for event in events:
        if isinstance(event, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += event
        else:
            joined.append(event)
    return joined


def body_of(*pieces: bytes, closed: bool = False) -> bytes | None:
    """The whole body, or None: no answer, or one that is not whole."""
    events = framed(*pieces, closed=closed)
    if not any(isinstance(event, End) for event in events):
        return None
    return b"".join(event for event in events if isinstance(event, bytes))


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


WHOLE: dict[str, tuple[bytes, bytes, End]] = {
    "a length": (http(b"{}"), b"{}", KEPT),
    "no body": (http(b""), b"", KEPT),
    "a length with space around it": (OK + b"Content-Length: \t2 \t\r\n\r\n{}", b"{}", KEPT),
    "a length in capitals": (OK + b"CONTENT-LENGTH: 2\r\n\r\n{}", b"{}", KEPT),
    "a name that begins as it does": (
        OK + b"Content-Length-X: 9\r\nContent-Length: 2\r\n\r\n{}",
        b"{}",
        KEPT,
    ),
    "chunks": (CHUNKED + chunked(b"{", b"}"), b"{}", KEPT),
    "no chunk": (CHUNKED + chunked(), b"", KEPT),
    "chunks in capitals": (
        OK + b"Transfer-Encoding: Chunked \r\n\r\n" + chunked(b"{}"),
        b"{}",
        KEPT,
    ),
    "a size in capitals, with zeros": (
        CHUNKED + b"000A\r\n0123456789\r\n00\r\n\r\n",
        b"0123456789",
        KEPT,
    ),
    "extensions": (CHUNKED + b'2;a=b;c="d;\\"e"\r\n{}\r\n0;f\r\n\r\n', b"{}", KEPT),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\nA: b\r\nC: d\r\n\r\n", b"{}", LAST),
    "interim answers": (EARLY * MAX_INTERIM + http(b"{}"), b"{}", KEPT),
    "a continuation that nobody asked for": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"{}"),
        b"{}",
        KEPT,
    ),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", b"{}", KEPT),
    "an empty reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}", b"{}", KEPT),
    "a reason beyond ASCII": (b"HTTP/1.1 200 \xc3\xa9\r\nContent-Length: 2\r\n\r\n{}", b"{}", KEPT),
    "a value beyond ASCII": (http(b"{}", "A: \u00e9"), b"{}", KEPT),
    "keep-alive": (http(b"{}", "Connection: Keep-Alive"), b"{}", KEPT),
    "close": (http(b"{}", "Connection: close"), b"{}", LAST),
    "keep-alive and more": (http(b"{}", "Connection: keep-alive, x"), b"{}", LAST),
    "close and keep-alive": (
        http(b"{}", "Connection: close", "Connection: keep-alive"),
        b"{}",
        LAST,
    ),
    "HTTP/1.0": (http(b"{}", "Connection: keep-alive").replace(b"1.1", b"1.0", 1), b"{}", LAST),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", KEPT),
    "204 with a length": (http(b"", status="204 x"), b"", LAST),
    "304 with a length": (http(b"", status="304 x", length=9), b"", LAST),
    "304 with chunks": (
        b"HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"",
        LAST,
    ),
    "404": (http(b"{}", status="404 Not Found"), b"{}", KEPT),
    "200 with an upgrade": (http(b"{}", "Connection: upgrade", "Upgrade: h2c"), b"{}", LAST),
    "as many fields as may be": (
        http(b"{}", *(f"A{number}: b" for number in range(MAX_FIELDS - 1))),
        b"{}",
        KEPT,
    ),
}


@pytest.mark.parametrize(("said", "body", "end"), WHOLE.values(), ids=WHOLE)
def test_reads_an_answer_to_its_end_and_no_further(said: bytes, body: bytes, end: End) -> None:
    head, *others = framed(said)
    assert isinstance(head, Head)
    assert others == ([body] if body else []) + [end]
    assert framed(*(bytes([byte]) for byte in said)) == [head, *others]
    assert framed(said, closed=True) == [head, *others]
    for more in (
        b"\r",
        b"\n",
        b"\r\n\r\n",
        b"\0",
        b"{}",
        http(b"{}"),
        CHUNKED + chunked(),
        b"0\r\n\r\n",
    ):
        assert framed(said + more) == [head, *others, SURPLUS]
        assert framed(said, more) == [head, *others, SURPLUS]
        assert framed(said, more, more) == [head, *others, SURPLUS]


def test_gives_the_head() -> None:
    said = b"HTTP/1.0 404 Not Found\r\nX-A:b\r\nX-B:  c d \t\r\nX-C:\r\n\r\n"
    fields = [(b"X-A", b"b"), (b"X-B", b"c d"), (b"X-C", b"")]
    assert framed(said) == [Head(404, fields, b"HTTP/1.0")]


def test_a_head_shows_nothing_that_a_store_said() -> None:
    (head,) = Framing(is_head=True).feed(OK + b"Set-Cookie: canary\r\n\r\n")[:1]
    assert repr(head) == "Head(status=200, version=b'HTTP/1.1')"


def test_without_a_length_the_answer_ends_with_the_connection() -> None:
    head, *others = framed(OK + b"\r\n", b"{", b"}", closed=True)
    assert isinstance(head, Head)
    assert others == [b"{}", LAST]
    assert framed(OK + b"\r\n", b"{", b"}") == [head, b"{}"]


@pytest.mark.parametrize("length", [0, 9])
def test_to_head_there_is_no_body(length: int) -> None:
    head, *others = framed(http(b"", length=length), is_head=True)
    assert isinstance(head, Head)
    assert others == [KEPT]
    assert framed(http(b"{}"), is_head=True)[1:] == [KEPT, SURPLUS]
    assert framed(CHUNKED, is_head=True)[1:] == [KEPT]


BAD_HEADS: dict[str, bytes] = {
    "no HTTP": b"canary\r\n\r\n",
    "HTTP/0.9": b"<html>canary</html>",
    "HTTP/0.9 by number": b"HTTP/0.9 200 OK\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n\r\n",
    "a version of two digits": b"HTTP/1.01 200 OK\r\n\r\n",
    "a version with a zero": b"HTTP/01.1 200 OK\r\n\r\n",
    "a protocol cut short": b"HTP/1.1 200 OK\r\n\r\n",
    "small letters": b"http/1.1 200 OK\r\n\r\n",
    "RTSP": b"RTSP/1.0 200 OK\r\n\r\n",
    "ICE": b"ICE/1.0 200 OK\r\n\r\n",
    "a tab after the version": b"HTTP/1.1\t200 OK\r\n\r\n",
    "two spaces after the version": b"HTTP/1.1  200 OK\r\n\r\n",
    "a status of one digit": b"HTTP/1.1 2 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\n\r\n",
    "status 600": b"HTTP/1.1 600 OK\r\n\r\n",
    "a status with a sign": b"HTTP/1.1 +20 OK\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "101 to h2c": b"HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "a reason with NUL": b"HTTP/1.1 200 O\0K\r\n\r\n",
    "a reason with CR": b"HTTP/1.1 200 O\rK\r\n\r\n",
    "a line end before it": b"\r\n" + http(b"{}"),
    "a space before it": b" " + http(b"{}"),
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "bare LF after a field": OK + b"A: b\nContent-Length: 0\r\n\r\n",
    "bare CR after a field": OK + b"A: b\rContent-Length: 0\r\n\r\n",
    "bare CR after the status": b"HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n",
    "a space before the first field": OK + b" A: b\r\n\r\n",
    "a folded line": OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "a line folded by a tab": OK + b"Content-Length: 0\r\n\t1\r\n\r\n",
    "a space before the colon": OK + b"Content-Length : 0\r\n\r\n",
    "a tab before the colon": OK + b"Content-Length\t: 0\r\n\r\n",
    "a field without name": OK + b": b\r\n\r\n",
    "a field without colon": OK + b"canary\r\n\r\n",
    "a name beyond ASCII": OK + b"A\xe9: b\r\n\r\n",
    "NUL in a name": OK + b"A\0: b\r\n\r\n",
    "NUL in a value": OK + b"A: b\0c\r\n\r\n",
    "a control character in a value": OK + b"A: b\x01c\r\n\r\n",
    "DEL in a value": OK + b"A: b\x7fc\r\n\r\n",
    "a length twice": http(b"{}", "Content-Length: 2"),
    "two lengths": http(b"{}", "Content-Length: 3"),
    "a list of lengths": http(b"{}", length="2, 2"),
    "an empty length": OK + b"Content-Length:\r\n\r\n",
    "a length with a plus": http(b"{}", length="+2"),
    "a length with a minus": http(b"{}", length="-2"),
    "a length with a space": http(b"{}", length="1 0"),
    "a length in hex": http(b"{}", length="0x2"),
    "a length with a fraction": http(b"{}", length="2.0"),
    "a length in other digits": OK + b"Content-Length: \xb2\r\n\r\n{}",
    "a length beyond all": http(b"{}", length="9" * 40),
    "a length and chunks": http(chunked(b"{}"), "Transfer-Encoding: chunked", length=2),
    "chunks and a length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
    "too many fields": http(b"{}", *(f"A{number}: b" for number in range(MAX_FIELDS))),
    "a head that is too large": http(b"{}", "A: " + "b" * MAX_HEAD_BYTES),
    "a head without end": OK + b"A: " + b"b" * MAX_HEAD_BYTES,
}
BAD_CODINGS = {
    "gzip": b"gzip",
    "gzip before chunked": b"gzip, chunked",
    "gzip after chunked": b"chunked, gzip",
    "chunked twice": b"chunked, chunked",
    "chunked on two lines": b"chunked\r\nTransfer-Encoding: chunked",
    "identity": b"identity",
    "identity on a line of its own": b"chunked\r\nTransfer-Encoding: identity",
    "another word": b"xchunked",
    "quotes": b'"chunked"',
    "a parameter": b"chunked;a=b",
    "a comma": b"chunked,",
    "nothing": b"",
}


@pytest.mark.parametrize("said", BAD_HEADS.values(), ids=BAD_HEADS)
def test_a_malformed_head_is_a_fault_and_nothing_else(said: bytes) -> None:
    assert framed(said) == [MALFORMED_HEAD]
    assert framed(said, b"more", closed=True) == [MALFORMED_HEAD]
    assert framed(*(bytes([byte]) for byte in said)) == [MALFORMED_HEAD]
    assert framed(EARLY + said) == [MALFORMED_HEAD]


@pytest.mark.parametrize("coding", BAD_CODINGS.values(), ids=BAD_CODINGS)
def test_no_transfer_coding_but_chunked(coding: bytes) -> None:
    said = OK + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + chunked(b"{}")
    assert framed(said) in ([AMBIGUOUS], [MALFORMED_HEAD])


@pytest.mark.parametrize(
    "said",
    [
        http(chunked(b"{}"), "Transfer-Encoding: chunked", length=None).replace(b"1.1", b"1.0", 1),
        EARLY * (MAX_INTERIM + 1) + http(b"{}"),
        http(b"", status="103 x") + http(b"{}"),
        http(b"", "Transfer-Encoding: chunked", status="100 x", length=None) + http(b"{}"),
        http(b"{}", length="1" * 16),
    ],
    ids=["chunks in HTTP/1.0", "interim", "interim length", "interim chunks", "petabytes"],
)
def test_what_could_be_read_in_two_ways_is_not_read(said: bytes) -> None:
    assert framed(said) == [AMBIGUOUS]


BAD_CHUNKS: dict[str, bytes] = {
    "no size": b"canary\r\n",
    "an empty size": b"\r\n{}\r\n",
    "a space before": b" 2\r\n{}\r\n",
    "a space after": b"2 \r\n{}\r\n",
    "a tab after": b"2\t\r\n{}\r\n",
    "a plus": b"+2\r\n{}\r\n",
    "a minus": b"-2\r\n{}\r\n",
    "0x": b"0x2\r\n{}\r\n",
    "an underscore": b"1_0\r\n{}\r\n",
    "beyond all": b"f" * 17 + b"\r\n{}\r\n",
    "LF after the size": b"2\n{}\r\n",
    "LF after the data": b"2\r\n{}\n0\r\n\r\n",
    "CR after the data": b"2\r\n{}\r0\r\n\r\n",
    "more data than the size": b"2\r\n{}}\r\n0\r\n\r\n",
    "an extension without name": b"2;\r\n{}\r\n",
    "NUL in an extension": b"2;a\0\r\n{}\r\n",
    "LF in an extension": b"2;a\nb\r\n{}\r\n",
    "a line end in quotes": b'2;a="\r\n"\r\n{}\r\n',
    "LF at the end": b"0\r\n\n",
    "a trailer without colon": b"0\r\nA b\r\n\r\n",
    "a trailer that is folded": b"0\r\nA: b\r\n c\r\n\r\n",
    "a trailer that ends with LF": b"0\r\nA: b\n\r\n",
    "a trailer that is a length": b"0\r\nContent-Length: 5\r\n\r\n",
    "extensions without end": b"2;" + b"a" * 40_000,
    "extensions, many": b"".join(b"1;%b\r\nx\r\n" % (b"a" * 90) for _ in range(1_000)),
    "trailers without end": b"0\r\n" + b"A: b\r\n" * 8_000,
}


@pytest.mark.parametrize("said", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_a_malformed_chunk_is_a_fault(said: bytes) -> None:
    events = framed(CHUNKED + b"1\r\n[\r\n" + said)
    assert events[-1] == MALFORMED_CHUNK
    assert not any(isinstance(event, End) for event in events)
    assert framed(CHUNKED, b"1\r\n[\r\n" + said, b"0\r\n\r\n", closed=True) == events


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"", NO_ANSWER),
        (b"HTTP/1.1 200 OK\r\n", CUT_OFF),
        (EARLY, CUT_OFF),
        (http(b"{", length=2), CUT_OFF),
        (CHUNKED + chunked(b"{", end=b""), CUT_OFF),
        (CHUNKED + chunked(b"{", end=b"0\r\n"), CUT_OFF),
        (CHUNKED + b"5\r\n{", CUT_OFF),
    ],
    ids=[
        "nothing",
        "in the head",
        "after an interim one",
        "in the body",
        "between",
        "end",
        "chunk",
    ],
)
def test_what_is_cut_off_is_a_fault(said: bytes, fault: Fault) -> None:
    assert framed(said, closed=True)[-1] == fault
    assert framed(said, closed=True).count(fault) == 1
    assert fault not in framed(said)


bodies = st.binary(max_size=40)
names = st.text("ABCXYZ-abcxyz", min_size=1, max_size=8).filter(lambda name: len(name) != 10)
values = st.text('ab ,;="\t\u00e9', max_size=10)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An answer and its body."""
    body = draw(bodies)
    fields = [f"{draw(names)}: {draw(values)}" for _ in range(draw(st.integers(0, 3)))]
    interim = EARLY * draw(st.integers(0, 2))
    if draw(st.booleans()):
        return interim + http(body, *fields), body
    pieces = [piece for piece in cut(body, draw(st.lists(st.integers(0, 40)))) if piece]
    end = draw(st.sampled_from([b"0\r\n\r\n", b"0;a=b\r\n\r\n", b"00\r\nA: b\r\n\r\n"]))
    said = http(chunked(*pieces, end=end), *fields, "Transfer-Encoding: chunked", length=None)
    return interim + said, body


@given(answers(), st.lists(st.integers(0, 500), max_size=6))
def test_a_well_formed_answer_comes_out_as_it_went_in(
    answer: tuple[bytes, bytes], places: list[int]
) -> None:
    said, body = answer
    assert body_of(*cut(said, places)) == body


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """An answer in which bytes were changed, left out, doubled, or after which others follow."""
    said, _ = draw(answers())
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(said)))
        new = draw(
            st.sampled_from([b"", b"\r", b"\n", b"\r\n", b" ", b"0", b":", b"\0", b";", b"1"])
        )
        said = said[:at] + new + said[at + draw(st.integers(0, 2)) :]
    return said + draw(st.sampled_from([b"", b"\r\n", b"x", said]))


@given(mutated(), st.lists(st.integers(0, 500), max_size=6), st.booleans())
@example(b"HTTP/1.1 200 OK\r\nA: b\r\n\nc\r\n\r\n", [18], True)
def test_however_it_is_cut_the_events_are_the_same(
    said: bytes, places: list[int], closed: bool
) -> None:
    assert framed(*cut(said, places), closed=closed) == framed(said, closed=closed)


def by_h11(said: bytes) -> bytes | None:
    """The body as h11 reads it, or None."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    body = b""
    try:
        connection.receive_data(said)
        connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return body
            elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return None
    except h11.RemoteProtocolError:
        return None


@given(mutated())
def test_no_body_is_other_than_a_second_parser_reads_it(said: bytes) -> None:
    """What h11 refuses may pass only where its own bound, 20 digits of a chunk's size, is why."""
    ours = body_of(said, closed=True)
    if ours is not None:
        assert by_h11(said) == ours


@pytest.mark.parametrize("zeros", [19, 30])
def test_a_size_may_have_zeros_before_it_that_h11_refuses(zeros: int) -> None:
    said = CHUNKED + b"0" * zeros + b"2\r\n{}\r\n0\r\n\r\n"
    assert body_of(said) == b"{}"  # RFC 9112 §7.1: 1*HEXDIG; there is one value to read
    assert by_h11(said) == (b"{}" if zeros < 20 else None)
