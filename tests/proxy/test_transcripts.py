"""HTTP as text: each file of `transcripts/http` is a request and the whole of its response.

A file is named after what it shows; what a test has to arrange for it stands here under that name.
The `date` is left out, the allowlist's digest is only a digest, and lines end with LF.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from tests.proxy.plane import ACCOUNT, ALICE, IN_PERIOD, WARRANT, Plane, change, plane, says
from tests.proxy.served import Conversation, served, talking
from withhold.deployment.model import Limits
from withhold.names import State, WarrantId
from withhold.ports import Freeze
from withhold.proxy.problem import PROBLEMS

ALLOWLIST = re.compile(r"(withhold-allowlist: sha-256=:)[A-Za-z0-9+/]{43}=(:)")
FOLDER = Path(__file__).parents[1] / "transcripts" / "http"


async def nothing(_plane: Plane) -> None:
    """There is nothing to arrange."""


@dataclass(frozen=True)
class Given:
    """What a transcript takes for granted."""

    plane: dict[str, Any] = field(default_factory=dict)
    then: Callable[[Plane], Awaitable[None]] = nothing


async def never(_request: Request) -> Response:
    """A store that does not answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def suspend(it: Plane) -> None:
    await it.move(State.SUSPENDED)


async def freeze(it: Plane) -> None:
    await it.registry.freeze(Freeze(), change())
    it.standing.poll()


async def lose_the_ledger(it: Plane) -> None:
    it.database.fails_before.add("append")


async def lose_the_database(it: Plane) -> None:
    it.clock.ns = 10**9


async def destroy_the_key(it: Plane) -> None:
    it.database.token_keys[WarrantId(WARRANT)] = None


async def break_it(it: Plane) -> None:
    object.__setattr__(it.parts, "new_receipt_id", None)


LINES = b"".join(
    b'{"who":"%s","at":%d,"n":%d,"body":"hello"}\n' % (who, IN_PERIOD, n)
    for n, who in enumerate([ALICE.encode(), b"@eve:example.test", ALICE.encode()])
)
PAGE = {
    "owner": ALICE,
    "opened": IN_PERIOD,
    "orders": [{"who": ALICE, "at": IN_PERIOD, "sum": 7}],
}
GIVEN = {
    "absent": Given({"shop": says({"error": "no such account"}, 404)}),
    "too-many-requests": Given({"limits": Limits(max_concurrency=0)}),
    "headers-too-large": Given({"limits": Limits(max_header_bytes=300)}),
    "warrant-not-active": Given(then=suspend),
    "frozen": Given(then=freeze),
    "store-failed": Given({"shop": says({"error": "a secret of the store"}, 500)}),
    "store-malformed": Given({"shop": says(b'{"id":')}),
    "store-mismatch": Given({"shop": says({**ACCOUNT, "id": "@eve:example.test"})}),
    "store-too-large": Given({"limits": Limits(max_answer_bytes=10)}),
    "store-timeout": Given({"shop": never, "limits": Limits(store_timeout_s=0.05)}),
    "ledger-unavailable": Given(then=lose_the_ledger),
    "database-unavailable": Given(then=lose_the_database),
    "key-unavailable": Given(then=destroy_the_key),
    "internal-error": Given(then=break_it),
    "not-ready": Given(then=lose_the_database),
    "stream": Given({"shop": says(LINES, content_type="application/x-ndjson")}),
    "pages": Given({"shop": says(PAGE)}),
    "pages-as-lines": Given({"shop": says(PAGE)}),
}
# Approvals are signed just now, so no file can hold one: see `test_reveal`.
OF_REVEALS = {
    "not-approved",
    "approval-expired",
    "approval-used",
    "field-not-named",
    "token-unknown",
}
FILES = sorted(FOLDER.glob("*.http"))


TEXTS = [pytest.param(file.stem, file.read_text("utf-8"), id=file.stem) for file in FILES]


@pytest.mark.parametrize(("name", "text"), TEXTS)
async def test_is_answered_as_it_stands_there(name: str, text: str, tmp_path: Path) -> None:
    request, _, response = text.partition("\n\n")
    assert await answer_to(request, GIVEN.get(name, Given()), tmp_path) + "\n" == response


def test_each_problem_has_its_transcript_and_each_arrangement_its_use() -> None:
    names = {file.stem for file in FILES}
    assert set(PROBLEMS) - OF_REVEALS <= names
    assert set(GIVEN) <= names


async def answer_to(request: str, given: Given, folder: Path) -> str:
    """Give the response as a transcript has it."""
    lines = [line for line in request.split("\n") if not line.startswith("#")]
    sent = "\r\n".join([*lines, "", ""]).encode()
    async with plane(folder, **given.plane) as it:
        await given.then(it)
        # The server's own bound is far enough away to leave this one to the app.
        async with served(it.app, Limits()) as where, talking(where, sent) as client:
            return await _read(client)


async def _read(client: Conversation) -> str:
    head = (await client.reader.readuntil(b"\r\n\r\n")).decode()
    status, *headers = head.split("\r\n")[:-2]
    shown = [status, *sorted(line for line in headers if not line.startswith("date:"))]
    lengths = [line for line in headers if line.startswith("content-length:")]
    if lengths:
        body = await client.reader.readexactly(int(lengths[0].split(": ")[1]))
    else:
        body = await client.reader.readuntil(b"\n0\r\n\r\n")
    text = "\n".join([*shown, "", body.decode().replace("\r\n", "\n")])
    return ALLOWLIST.sub(r"\1…\2", text)
