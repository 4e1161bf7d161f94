"""Accepting from a socket that is shared."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Coroutine

import pytest
import uvloop

from withhold.deployment.model import Listen
from withhold.serve import accept
from withhold.serve.accept import Acceptor
from withhold.serve.listener import bind

COUNT = 16


class Starved(socket.socket):
    """A socket for which there is no descriptor, once."""

    failures = 1

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "too many")
        return super().accept()


def maker(
    connected: set[asyncio.Protocol], enough: asyncio.Event
) -> Callable[[], asyncio.Protocol]:
    class Kept(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport
            connected.add(self)
            enough.set()

    return Kept


async def connect(sock: socket.socket) -> asyncio.StreamWriter:
    return (await asyncio.open_connection(*sock.getsockname()[:2]))[1]


async def two_acceptors_share() -> None:
    # Two descriptors of one socket, as two processes have them.
    with bind(Listen("127.0.0.1", 0)) as sock, sock.dup() as other:
        sets: list[set[asyncio.Protocol]] = [set(), set()]
        event = asyncio.Event()
        pairs = zip((sock, other), sets, strict=True)
        both = [Acceptor(each, maker(found, event), found) for each, found in pairs]
        writers = await asyncio.gather(*(connect(sock) for _ in range(COUNT)))
        while sum(map(len, sets)) < COUNT:
            event.clear()
            await event.wait()
        assert min(map(len, sets)) > COUNT // 4
        for acceptor in both:
            acceptor.close()
            await acceptor.wait_closed()
        for each in sets:
            for protocol in each:
                protocol.transport.close()  # type: ignore[attr-defined]
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def one_starves() -> None:
    with bind(Listen("127.0.0.1", 0)) as bound, Starved(fileno=bound.detach()) as sock:
        assert await alone(sock, 1) == 1
        assert sock.failures == 0


async def who_has_more_than_ever_rests() -> None:
    with bind(Listen("127.0.0.1", 0)) as sock:
        assert await alone(sock, 3) == 1


async def alone(sock: socket.socket, clients: int) -> int:
    """Let one acceptor take clients; tell how many it had taken soon after the first."""
    connected: set[asyncio.Protocol] = set()
    event = asyncio.Event()
    acceptor = Acceptor(sock, maker(connected, event), connected)
    writers = await asyncio.gather(*(connect(sock) for _ in range(clients)))
    await event.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    count = len(connected)
    acceptor.close()
    await acceptor.wait_closed()
    for protocol in connected:
        protocol.transport.close()  # type: ignore[attr-defined]
    for writer in writers:
        writer.close()
    await asyncio.gather(*(each.wait_closed() for each in writers), return_exceptions=True)
    return count


@pytest.mark.parametrize("story", [two_acceptors_share, one_starves, who_has_more_than_ever_rests])
@pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_on_either_loop(
    story: Callable[[], Coroutine[object, object, None]],
    loop: Callable[[], asyncio.AbstractEventLoop],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accept, "STARVED_S", 0.05)
    if story is who_has_more_than_ever_rests:
        monkeypatch.setattr(accept, "REST_S", 60.0)
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(bounded(story()))


async def bounded(story: Awaitable[None]) -> None:
    async with asyncio.timeout(20):
        await story
