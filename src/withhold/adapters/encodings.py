"""Content codings of a store's answer, undone piece by piece and within bounds. No I/O.

A coding is undone in pieces of at most `PIECE_BYTES`; all of them together may be no larger than
the limit, nor, beyond the first mebibyte, more than so many times what the store sent. A cut-off
stream, and anything after its end, is malformed. Source: RFC 9110 §8.4.1; RFC 1950, 1951, 1952;
RFC 7932; RFC 8878 and RFC 9659 §3 (a window of 8 MiB at most).
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, ParamSpec, Protocol

import brotli
from backports import zstd

from withhold.errors import Malformed, StoreFailed, StoreTooLarge

ACCEPT_ENCODING: Final = "gzip, deflate, br, zstd"
PIECE_BYTES: Final = 64 * 2**10

_INPUT_BYTES: Final = 64 * 2**10  # what is handed to a decoder at once
_FREE_BYTES: Final = 2**20  # what may come out, whatever went in
_ZSTD_WINDOW_LOG: Final = 23  # RFC 9659 §3: 8 MiB
_GOES_ON: Final = "the store's answer goes on after the end of its coding"
_P = ParamSpec("_P")


class Coding(Protocol):
    """One coding, undone: pieces come out as bytes go in."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Undo what `data` allows to. Raises: Malformed."""

    def is_complete(self) -> bool:
        """Tell whether the answer may end here."""


class Decoder:
    """Undoes one answer's coding and holds it to the bounds."""

    def __init__(self, coding: str, *, max_bytes: int | None, max_expansion: int) -> None:
        """`coding`: the value of `Content-Encoding`, or empty; `max_bytes`: None is no bound.

        Raises: StoreFailed for a coding that was not offered, and for several at once.
        """
        name = coding.strip().lower()
        if name not in _CODINGS:
            message = "the store's answer has a coding that was not offered"
            raise StoreFailed(message, cause="encoding")
        begin = _CODINGS[name]
        self._coding = None if begin is None else begin()
        self._max_bytes = max_bytes
        self._max_expansion = max_expansion
        self._sent_bytes = 0
        self._decoded_bytes = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give decoded pieces of at most `PIECE_BYTES`; without a coding, what came.

        Raises: Malformed, StoreTooLarge.
        """
        if self._coding is None:  # as it came: cutting it would copy it
            self._sent_bytes += len(data)
            self._decoded_bytes += len(data)
            self._check()
            yield data
            return
        for start in range(0, len(data), _INPUT_BYTES):
            sent = data[start : start + _INPUT_BYTES]
            self._sent_bytes += len(sent)
            for piece in self._coding.feed(sent):
                self._decoded_bytes += len(piece)
                self._check()
                yield piece

    def finish(self) -> None:
        """Check that the answer was whole. Raises: Malformed."""
        # Without a coding, how the message is framed tells.
        if self._coding is not None and not self._coding.is_complete():
            raise Malformed("the store's answer is cut off within its coding", cause="encoding")

    def _check(self) -> None:
        if self._max_bytes is not None and self._decoded_bytes > self._max_bytes:
            raise StoreTooLarge("the store's answer is larger than the limit")
        if self._decoded_bytes > _FREE_BYTES + self._sent_bytes * self._max_expansion:
            message = "the store's answer expands to more than the limit"
            raise StoreTooLarge(message, cause="expansion")


class _Zlib:
    """The three formats of zlib; `repeats`: one member may follow another (RFC 1952 §2.2)."""

    def __init__(self, window_bits: int, *, repeats: bool) -> None:
        self._window_bits = window_bits
        self._repeats = repeats
        self._inflater = zlib.decompressobj(window_bits)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or not self._inflater.eof:
            if self._inflater.eof:
                if not self._repeats:
                    raise Malformed(_GOES_ON, cause="encoding")
                self._inflater = zlib.decompressobj(self._window_bits)
            piece = _call(zlib.error, self._inflater.decompress, data, PIECE_BYTES)
            if piece:
                yield piece
            data = self._inflater.unused_data or self._inflater.unconsumed_tail
            if not data and len(piece) < PIECE_BYTES:
                return  # all that went in has come out

    def is_complete(self) -> bool:
        return self._inflater.eof


class _Deflate:
    """`deflate`: within zlib's wrapper (RFC 9110 §8.4.1.2), or without it, as some send it."""

    def __init__(self) -> None:
        self._head = b""
        self._zlib: _Zlib | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._zlib is None:
            self._head += data
            if len(self._head) < 2:  # noqa: PLR2004 - the two bytes of RFC 1950's header
                return
            # RFC 1950 §2.2: CM is 8, and CMF and FLG together are a multiple of 31.
            wrapped = self._head[0] & 15 == 8 and int.from_bytes(self._head[:2]) % 31 == 0  # noqa: PLR2004
            bits = zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
            self._zlib = _Zlib(bits, repeats=False)
            data = self._head
        yield from self._zlib.feed(data)

    def is_complete(self) -> bool:
        return self._zlib is not None and self._zlib.is_complete()


class _Brotli:
    """`br`; a window of 16 MiB at most, as its format has it."""

    def __init__(self) -> None:
        self._brotli: Any = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._brotli.is_finished():
            raise Malformed(_GOES_ON, cause="encoding")
        while True:
            # The buffer grows by 32 KiB, then by 64: it stops growing once it has the limit.
            limit = _INPUT_BYTES // 4
            piece = _call(brotli.error, self._brotli.process, data, output_buffer_limit=limit)
            if not piece:
                return  # `can_accept_more_data` is no sign: more may come out where nothing goes in
            yield piece
            data = b""

    def is_complete(self) -> bool:
        return bool(self._brotli.is_finished())


class _Zstd:
    """`zstd`; one frame may follow another (RFC 8878 §3.1)."""

    def __init__(self) -> None:
        self._zstd = _zstd_decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or not (self._zstd.eof or self._zstd.needs_input):
            if self._zstd.eof:
                self._zstd = _zstd_decompressor()
            piece = _call(zstd.ZstdError, self._zstd.decompress, data, PIECE_BYTES)
            if piece:
                yield piece
            data = self._zstd.unused_data if self._zstd.eof else b""

    def is_complete(self) -> bool:
        return self._zstd.eof


def _zstd_decompressor() -> zstd.ZstdDecompressor:
    window = {int(zstd.DecompressionParameter.window_log_max): _ZSTD_WINDOW_LOG}
    return zstd.ZstdDecompressor(options=window)


def _call(
    error: type[Exception], undo: Callable[_P, bytes], *args: _P.args, **options: _P.kwargs
) -> bytes:
    """Undo, and let no exception of a codec out, nor attached to ours."""
    piece: bytes | None = None
    with suppress(error):
        piece = undo(*args, **options)
    if piece is None:
        raise Malformed("the store's answer is not in the coding it names", cause="encoding")
    return piece


_CODINGS: Final[Mapping[str, Callable[[], Coding] | None]] = {
    "": None,
    "identity": None,
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS, repeats=True),
    "x-gzip": lambda: _Zlib(16 + zlib.MAX_WBITS, repeats=True),  # RFC 9110 §8.4.1.3
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
