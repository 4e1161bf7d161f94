import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

import httpx

from withhold.bench import store
from withhold.bench.store import JSON, NDJSON, Answering, Kept, read_answers, write_answers

KEPT = [
    Kept("/shop/accounts/%40alice%3Aexample.test", JSON, b'{"a":1}'),
    Kept("/shop/events", NDJSON, b'{"a":1}\n{"a":2}\n'),
]


async def test_it_answers_what_it_was_given(tmp_path: Path) -> None:
    write_answers(tmp_path, KEPT)
    answers = read_answers(tmp_path)
    server = await asyncio.get_running_loop().create_server(
        lambda: Answering(answers), "127.0.0.1", 0
    )
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url) as client:
        for each in [*KEPT, *KEPT]:
            answer = await client.get(f"{each.path}?from=3")
            assert answer.content == each.body
            assert answer.headers["content-type"] == each.media_type
        assert (await client.get("/other")).status_code == 404
        closing = await client.get("/shop/events", headers={"connection": "close"})
        assert closing.status_code == 200
    server.close()


async def test_what_is_no_http_ends_the_connection(tmp_path: Path) -> None:
    write_answers(tmp_path, KEPT)
    answers = read_answers(tmp_path)
    server = await asyncio.get_running_loop().create_server(
        lambda: Answering(answers), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"no HTTP\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    server.close()


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    write_answers(tmp_path, KEPT)
    process = subprocess.Popen(
        [sys.executable, "-m", store.__name__, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        port = int(process.stdout.readline())
        answer = httpx.get(f"http://127.0.0.1:{port}/shop/events")
        assert answer.content == KEPT[1].body
        process.stdin.close()
        assert process.wait(30) == 0
