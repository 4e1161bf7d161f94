"""Load: connections that each ask again as soon as they are answered."""

import asyncio
import time


async def requests_per_s(port: int, request: bytes, connections: int, seconds: float) -> float:
    """Give how many answers of status 200 came in a second, over `connections`, kept alive.

    Raises: RuntimeError for any other answer.
    """
    until_s = time.perf_counter() + seconds
    began_s = time.perf_counter()
    counts = await asyncio.gather(*(_ask(port, request, until_s) for _ in range(connections)))
    return sum(counts) / (time.perf_counter() - began_s)


async def _ask(port: int, request: bytes, until_s: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    try:
        while time.perf_counter() < until_s:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(head.split(b"\r\n", 1)[0].decode())
            lower = head.lower()
            at = lower.index(b"content-length: ") + len(b"content-length: ")
            await reader.readexactly(int(lower[at : lower.index(b"\r", at)]))
            count += 1
    finally:
        writer.close()
    return count
