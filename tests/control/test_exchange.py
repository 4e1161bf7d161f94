"""Bodies are bounded, and where none is taken none is."""

import pytest

from tests.control.plane import Plane, W
from withhold.control.exchange import MAX_REQUEST_BYTES


@pytest.mark.parametrize("body", [None, b"", b" \n", b"{}", b" {} "])
async def test_a_body_may_say_nothing(plane: Plane, body: bytes | None) -> None:
    assert (await plane.call("GET", "/status", body))[0] == 200


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b"null", (400, "bad-request")),
        (b"[]", (400, "bad-request")),
        (b'{"a": 1}', (400, "bad-request")),
        (b" " * (MAX_REQUEST_BYTES + 1), (413, "too-large")),
    ],
    ids=["null", "an array", "a member", "too much of nothing"],
)
async def test_or_it_is_refused(plane: Plane, body: bytes, refused: tuple[int, str]) -> None:
    for path in (f"{W}/revoke", f"{W}/close", f"{W}/suspend"):
        assert await plane.post(path, body) == refused
    assert await plane.call("GET", "/warrants", body) == refused
