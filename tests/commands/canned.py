"""A service of canned answers over HTTP, which keeps what it was asked."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.commands.listening import Quiet, listening


@dataclass
class Canned:
    """What is answered next, and what was asked: path, headers, body."""

    answers: list[tuple[int, Any, Mapping[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def say(self, document: Any, status: int = 200, **headers: str) -> None:  # noqa: ANN401 - JSON
        """Answer once with a document; `_` in a header's name is `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, document, named))


@contextmanager
def canned() -> Iterator[Canned]:
    """Serve on a free port."""
    made = Canned()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.asked.append((self.path, dict(self.headers), body))
            status, document, headers = made.answers.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

    with listening(Handler) as made.url:
        yield made
