"""A control plane over HTTP, as the commands of the ledger ask it."""

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands.listening import Quiet, listening
from tests.control.audited import Audited, audited
from tests.ledger.exhibits import SIGNER
from withhold.commands import ledger
from withhold.ledger.entry import Entry
from withhold.ledger.note import print_verifier_key
from withhold.terminal import Exit

VKEY = print_verifier_key(SIGNER.verifier_key)


@dataclass
class Served:
    """A control plane on a socket; `answers` take the place of what it says, by path."""

    plane: Audited
    folder: Path
    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)


@contextmanager
def serving(entries: Sequence[Entry], folder: Path) -> Iterator[Served]:
    served = Served(asyncio.run(audited(entries)), folder)

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            said = asyncio.run(self.ask(body))
            self.send_response(said.status_code)
            self.end_headers()
            altered = served.answers.get(self.path)
            self.wfile.write(said.content if altered is None else json.dumps(altered).encode())

        async def ask(self, body: bytes) -> httpx.Response:
            return await served.plane.ask(self.command, self.path, body)

    with listening(Handler) as served.url:
        yield served


def serves(*entries: Entry) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("served", [entries], ids=["other"], indirect=True)


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    ledger.add_arguments(parser)
    arguments = parser.parse_args(words)
    code = arguments.run(arguments)
    assert isinstance(code, int)
    return code


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(*words) == Exit.DONE
    return capsys.readouterr().out
