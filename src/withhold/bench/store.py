"""A store in a process of its own: it gives to each path the one answer that was made up for it.

It is as fast as Python lets it be, so that what is measured is Withhold. It reads what to answer
from a folder, says its port on standard output, and ends once its standard input does: with whoever
started it, however that one ends.
"""

import asyncio
import json
import sys
from asyncio import BaseTransport, Transport
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import uvloop
from httptools import HttpParserError, HttpRequestParser, parse_url

INDEX: Final = "index.json"
NOTHING: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"


@dataclass(frozen=True)
class Kept:
    """What the store answers to a path."""

    path: str  # as it stands in a request
    media_type: str
    body: bytes


class Answering(asyncio.Protocol):
    """One connection of the store: each request for a path it knows has its answer."""

    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        """`answers`: head and body, by path."""
        self._answers = answers
        self._parser = HttpRequestParser(self)
        self._url = b""

    def connection_made(self, transport: BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on; the parser calls back."""
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            self._transport.abort()

    def on_url(self, url: bytes) -> None:
        """Take the next piece of the request's target."""
        self._url += url

    def on_message_complete(self) -> None:
        """Answer."""
        path, self._url = parse_url(self._url).path, b""
        self._transport.write(self._answers.get(path, NOTHING))
        if not self._parser.should_keep_alive():
            self._transport.close()


def write_answers(folder: Path, answers: list[Kept]) -> None:
    """Write what a store is to answer into a folder."""
    index = [[each.path, each.media_type, f"{at}.body"] for at, each in enumerate(answers)]
    for each, (_, _, name) in zip(answers, index, strict=True):
        (folder / name).write_bytes(each.body)
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


def read_answers(folder: Path) -> dict[bytes, bytes]:
    """Read them, each with its head, by path."""
    index = json.loads((folder / INDEX).read_bytes())
    return {
        path.encode(): http_answer(media_type, (folder / name).read_bytes())
        for path, media_type, name in index
    }


def http_answer(media_type: str, body: bytes) -> bytes:
    """Give an answer of HTTP/1.1, on a connection that stays."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve(folder: Path) -> None:
    """Serve on a free port of this machine until standard input ends."""
    loop = asyncio.get_running_loop()
    answers = read_answers(folder)
    server = await loop.create_server(lambda: Answering(answers), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
