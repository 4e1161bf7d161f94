import asyncio
import socket

import httpx
import pytest

from tests.adapters.stores import answers, keeping
from tests.proxy.hostile import http
from withhold.adapters.dialling import _first, dial
from withhold.adapters.transport import StoreTransport

V4 = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
SILENT = ("192.0.2.1", 9)  # RFC 5737: nobody is there


def refusing() -> tuple[str, int]:
    """An address where nobody listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        address: tuple[str, int] = other.getsockname()
        return address


@pytest.mark.parametrize(
    "before",
    [[], [refusing()], [refusing(), refusing()], [SILENT]],
    ids=["none", "one", "two", "silent"],
)
async def test_another_address_is_tried(before: list[tuple[str, int]]) -> None:
    async with keeping(answers(http(b"{}"))) as store:
        found = [(*V4, address) for address in [*before, ("127.0.0.1", store.port)]]
        async with asyncio.timeout(3):
            plain = await _first(asyncio.get_running_loop(), found)
        assert plain.getpeername()[1] == store.port
        plain.close()


async def test_where_none_answers_a_refusal_is_the_reason() -> None:
    found = [(*V4, refusing()), (*V4, refusing())]
    with pytest.raises(ConnectionRefusedError):
        await _first(asyncio.get_running_loop(), found)


async def test_no_name_no_connection() -> None:
    by = asyncio.get_running_loop().time() + 5
    with pytest.raises(httpx.ConnectError) as raised:
        await dial("store.invalid", 80, None, by)  # RFC 6761 §6.4
    assert "store.invalid" not in str(raised.value)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_asks_over_ipv6() -> None:
    async with (
        keeping(answers(http(b"{}")), host="::1") as store,
        httpx.AsyncClient(transport=StoreTransport(1)) as client,
    ):
        assert (await client.get(f"http://[::1]:{store.port}/")).content == b"{}"
        assert b"\r\nHost: [::1]:" in store.peers[0].heard[0]
