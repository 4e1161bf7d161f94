"""A store where no nginx is: `python -m benchmarks.store PORT {"/path": ["file", times]}`.

Each path has one answer, the file's bytes so many times over, and connections are kept alive.
"""

import asyncio
import json
import sys
from asyncio import BaseTransport, Transport
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast
from urllib.parse import unquote

END: Final = b"\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """What stands at one path: a head, and a body made of one piece, over and over."""

    head: bytes
    piece: bytes
    times: int


def answer(file: Path, times: int) -> Answer:
    """Give a file's answer of HTTP/1.1."""
    piece = file.read_bytes()
    kind = "application/x-ndjson" if file.suffix == ".ndjson" else "application/json"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(piece) * times}"
    return Answer(head.encode() + END, piece, times)


class Answering(asyncio.Protocol):
    """Answers whenever the head of a request has come."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        """`answers`: by path."""
        self._answers = answers
        self._asked = b""
        self._piece = b""
        self._left = 0  # how often it is still to be sent
        self._paused = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Remember the connection."""
        self._transport = cast("Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer at the end of the head; who asks before the answer's end is not foreseen."""
        self._asked += data
        while END in self._asked:
            head, _, self._asked = self._asked.partition(END)
            found = self._answers[unquote(head.split(b" ", 2)[1].decode())]
            if found.times == 1:
                self._transport.write(found.head + found.piece)
            else:
                self._transport.write(found.head)
                self._piece, self._left = found.piece, found.times
                self._send()

    def pause_writing(self) -> None:
        """Wait until what was sent is gone."""
        self._paused = True

    def resume_writing(self) -> None:
        """Send on."""
        self._paused = False
        self._send()

    def _send(self) -> None:
        """Send until the connection holds enough, or nothing is left."""
        while self._left and not self._paused and not self._transport.is_closing():
            self._left -= 1
            self._transport.write(self._piece)


async def serve(port: int, table: Mapping[str, tuple[str, int]]) -> None:
    """Serve until the process ends."""
    answers = {path: answer(Path(file), times) for path, (file, times) in table.items()}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(answers), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), json.loads(sys.argv[2])))
