"""A TCP relay between Withhold and its store: counts what is asked, and is cut where a test says.

It changes no byte. What it keeps of a request is its head, which is all of it: a GET has no body.
`before` is called with each head before it is passed on, in a thread of the relay's: a test that
wants something to happen in the middle of an answer makes it happen there.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

CONNECT_S = 5.0
PIECE_BYTES = 2**16
Before = Callable[[str], None]


def _nothing(_head: str) -> None:
    """Let it pass."""


class Relay:
    """Listens on entering; on leaving, every connection through it is gone."""

    def __init__(self, port: int) -> None:
        """`port`: the store's, on 127.0.0.1."""
        self._port = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._before: Before = _nothing
        self.heads: list[str] = []  # of every request since the beginning

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closing alone would not wake up who waits in `accept`.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    @contextlib.contextmanager
    def watching(self, before: Before = _nothing) -> Iterator[list[str]]:
        """Give the request lines that pass within the context."""
        since = len(self.heads)
        seen: list[str] = []
        self._before = before
        try:
            yield seen
        finally:
            self._before = _nothing
            seen += [head.partition("\r\n")[0] for head in self.heads[since:]]

    def cut(self) -> None:
        """Cut every connection that is open."""
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            self._thread(self._serve, caller)

    def _serve(self, caller: socket.socket) -> None:
        with contextlib.suppress(OSError), caller:
            store = socket.create_connection(("127.0.0.1", self._port), CONNECT_S)
            store.settimeout(None)
            with store, self._kept(caller, store):
                answers = self._thread(_pass, store, caller)
                self._pass_requests(caller, store)
                answers.join()

    def _pass_requests(self, caller: socket.socket, store: socket.socket) -> None:
        """Pass each request on when its head is whole; then tell the store that it was the last."""
        begun = b""
        with contextlib.suppress(OSError):
            while piece := caller.recv(PIECE_BYTES):
                begun += piece
                while (end := begun.find(b"\r\n\r\n")) >= 0:
                    head, begun = begun[: end + 4], begun[end + 4 :]
                    self.heads.append(head.decode("latin-1"))
                    self._before(self.heads[-1])
                    store.sendall(head)
        for each in (caller, store):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _kept(self, *sockets: socket.socket) -> Iterator[None]:
        """Keep sockets where `cut` finds them, for as long as they are open."""
        with self._lock:
            self._open.update(sockets)
        try:
            yield
        finally:
            with self._lock:
                self._open.difference_update(sockets)

    def _thread(self, run: Callable[..., None], *arguments: socket.socket) -> threading.Thread:
        thread = threading.Thread(target=run, args=arguments, name="relay", daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread


def _pass(store: socket.socket, caller: socket.socket) -> None:
    """Pass an answer on as it comes; when the store ends, so does the caller's connection."""
    with contextlib.suppress(OSError):
        while piece := store.recv(PIECE_BYTES):
            caller.sendall(piece)
    with contextlib.suppress(OSError):
        caller.shutdown(socket.SHUT_RDWR)
