import pytest

from withhold.serve.head import Framing, framing_of, without_white

HOST = (b"host", b"x:8470")
CONTINUE = (b"expect", b"100-Continue")


@pytest.mark.parametrize(
    ("version", "headers", "expected"),
    [
        ("1.1", [HOST], Framing()),
        ("1.0", [], Framing()),
        ("1.1", [HOST, (b"content-length", b"12")], Framing(12)),
        ("1.1", [HOST, (b"content-length", b"12"), CONTINUE], Framing(12, expects_continue=True)),
        ("1.1", [HOST, CONTINUE], Framing()),
        ("1.0", [(b"content-length", b"12"), CONTINUE], Framing(12)),
        ("1.1", [HOST, (b"transfer-encoding", b"Chunked")], Framing(None)),
        ("1.0", [(b"transfer-encoding", b"chunked")], None),
        ("1.1", [HOST, (b"transfer-encoding", b"gzip, chunked")], None),
        ("1.1", [], None),
        ("1.1", [HOST, HOST], None),
        ("1.1", [(b"host", b"a b")], None),
        ("2.0", [HOST], None),
        ("0.9", [], None),
    ],
)
def test_framing(
    version: str, headers: list[tuple[bytes, bytes]], expected: Framing | None
) -> None:
    assert framing_of(b"/", version, headers) == expected


@pytest.mark.parametrize("target", [b"", b"*", b"x:443", b"http://x/", b"a"])
def test_a_target_that_is_no_path_is_refused(target: bytes) -> None:
    assert framing_of(target, "1.1", [HOST]) is None


def test_white_space_at_the_end_is_no_part_of_a_value() -> None:
    assert without_white(b"a b \t ") == b"a b"
