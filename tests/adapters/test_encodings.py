import gzip
import random
import zlib
from collections.abc import Callable

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from withhold.adapters.encodings import ACCEPT_ENCODING, PIECE_BYTES, Decoder
from withhold.errors import Malformed, StoreFailed, StoreTooLarge


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def compress_brotli(data: bytes) -> bytes:
    compressed: bytes = brotli.compress(data)
    return compressed


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", compress_brotli),
    "zstd": (" zstd ", zstd.compress),
}
NOISE = random.Random(1).randbytes(150_000)
DATA = NOISE + b"x" * 400_000 + NOISE[:1000]

coded = pytest.mark.parametrize(("coding", "compress"), CODINGS.values(), ids=CODINGS)


def undo_until_refused(decoder: Decoder, sent: bytes) -> int:
    """Give how much came out before it was too much."""
    pieces: list[bytes] = []
    with pytest.raises(StoreTooLarge):
        pieces.extend(decoder.feed(sent))
    return sum(len(piece) for piece in pieces)


def undo(coding: str, sent: bytes, step: int = 10_000, max_bytes: int | None = None) -> bytes:
    decoder = Decoder(coding, max_bytes=max_bytes, max_expansion=10_000)
    pieces = [
        piece
        for start in range(0, len(sent), step)
        for piece in decoder.feed(sent[start : start + step])
    ]
    decoder.finish()
    most = step if coding.lower() in {"", "identity"} else PIECE_BYTES
    assert all(0 < len(piece) <= most for piece in pieces)
    return b"".join(pieces)


@coded
@pytest.mark.parametrize("step", [1, 7, 65_536, 10_000_000])
def test_undoes_a_coding_however_it_is_cut(
    coding: str, compress: Callable[[bytes], bytes], step: int
) -> None:
    data = DATA if step > 7 else DATA[149_000:]
    assert undo(coding, compress(data), step) == data


@given(data=st.binary(max_size=2_000), step=st.integers(1, 50))
@coded
def test_undoes_whatever_was_coded(
    coding: str, compress: Callable[[bytes], bytes], data: bytes, step: int
) -> None:
    assert undo(coding, compress(data), step) == data


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_passes_on_what_has_no_coding(coding: str) -> None:
    assert undo(coding, DATA, 10_000_000) == DATA
    assert undo(coding, b"") == b""


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_one_member_or_frame_may_follow_another(coding: str) -> None:
    _, compress = CODINGS[coding]
    sent = compress(b"one, ") + compress(b"") + compress(b"two")
    for step in (1, 10_000):
        assert undo(coding, sent, step) == b"one, two"


def test_skips_frames_of_zstd_that_hold_no_data() -> None:
    assert (
        undo("zstd", bytes.fromhex("502a4d18 03000000 616263") + zstd.compress(b"data")) == b"data"
    )


@coded
@pytest.mark.parametrize("step", [1, 10_000_000])
def test_refuses_what_follows_the_end(
    coding: str, compress: Callable[[bytes], bytes], step: int
) -> None:
    for rest in (b"canary", b"\0\0\0\0"):
        with pytest.raises(Malformed) as refused:
            undo(coding, compress(b"data" * 1_000) + rest, step)
        assert refused.value.__context__ is None


@coded
def test_refuses_what_is_cut_off(coding: str, compress: Callable[[bytes], bytes]) -> None:
    sent = compress(NOISE[:2_000])
    for size in (0, 1, 2, 5, len(sent) // 2, len(sent) - 1):
        with pytest.raises(Malformed):
            undo(coding, sent[:size])


@coded
def test_refuses_what_is_not_so_coded(coding: str, compress: Callable[[bytes], bytes]) -> None:
    sent = bytearray(compress(NOISE[:5_000]))
    del sent[3:300]
    for bad in (bytes(sent), b"\xff" * 5_000):
        with pytest.raises(Malformed) as refused:
            undo(coding, bad)
        assert refused.value.__context__ is None


@pytest.mark.parametrize("coding", ["gzip", "zlib"])
def test_refuses_a_wrong_checksum(coding: str) -> None:
    sent = bytearray(gzip.compress(b"data") if coding == "gzip" else zlib.compress(b"data"))
    sent[-5 if coding == "gzip" else -1] ^= 1
    with pytest.raises(Malformed):
        undo(coding.replace("zlib", "deflate"), bytes(sent))


@pytest.mark.parametrize(
    "coding",
    ["gzip, br", "gzip,gzip", "compress", "dcb", "gzip;q=1", "*", "identity, gzip"],
)
def test_refuses_codings_that_were_not_offered_and_several(coding: str) -> None:
    with pytest.raises(StoreFailed):
        Decoder(coding, max_bytes=None, max_expansion=200)


def test_offers_exactly_what_it_undoes() -> None:
    for coding in ACCEPT_ENCODING.split(", "):
        Decoder(coding, max_bytes=None, max_expansion=200)


@coded
def test_a_bomb_stops_at_the_limit(coding: str, compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(bytes(50_000_000))
    decoder = Decoder(coding, max_bytes=1_000_000, max_expansion=10**6)
    size = undo_until_refused(decoder, bomb)
    assert 900_000 < size <= 1_000_000


@coded
def test_expansion_is_bounded_beyond_the_first_mebibyte(
    coding: str, compress: Callable[[bytes], bytes]
) -> None:
    bomb = compress(bytes(20_000_000))  # gzip has at most 1 : 1032
    assert len(bomb) * 200 + 2**20 < 20_000_000
    decoder = Decoder(coding, max_bytes=None, max_expansion=200)
    size = undo_until_refused(decoder, bomb)
    assert size <= len(bomb) * 200 + 2**20
    with pytest.raises(StoreTooLarge) as raised:
        list(Decoder(coding, max_bytes=None, max_expansion=200).feed(bomb))
    assert raised.value.cause == "expansion"
    small = compress(bytes(900_000))
    assert b"".join(Decoder(coding, max_bytes=None, max_expansion=1).feed(small)) == bytes(900_000)


def test_the_limit_counts_what_has_no_coding_too() -> None:
    assert undo("", b"12345", max_bytes=5) == b"12345"
    with pytest.raises(StoreTooLarge):
        undo("", b"123456", max_bytes=5)


def test_refuses_a_window_of_zstd_above_8_mib() -> None:
    """RFC 9659 §3; its frame is refused before its window is kept."""
    options = {int(zstd.CompressionParameter.window_log): 24}
    compressor = zstd.ZstdCompressor(options=options)
    sent = compressor.compress(bytes(1_000)) + compressor.flush()
    with pytest.raises(Malformed):
        undo("zstd", sent)
