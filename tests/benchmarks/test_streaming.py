import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.bodies import lines
from benchmarks.load import Request
from benchmarks.processes import cores
from benchmarks.streaming import PATH, BrokenError, _read, _store


@contextmanager
def says(answer: bytes) -> Iterator[Request]:
    """A server that says this to whoever comes first, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Request(server.getsockname()[1], PATH)
        thread.join()


def test_a_store_sends_the_same_lines_over_and_over(tmp_path: Path) -> None:
    piece = lines(100)
    with _store(tmp_path, piece, 30, cores().load) as port:
        _, count = _read(Request(port, PATH))
    assert 30 * len(piece) < count < 30 * len(piece) + 200


def test_a_chunked_answer_is_read_to_its_last_chunk() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    with says(answer) as request:
        assert _read(request)[1] == len(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n",
    ],
    ids=["no-last-chunk", "too-short", "refused", "no-head"],
)
def test_what_is_broken_off_is_not_measured(answer: bytes) -> None:
    with says(answer) as request, pytest.raises(BrokenError):
        _read(request)
