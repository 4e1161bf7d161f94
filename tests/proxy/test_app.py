"""The app at its edges: raw request targets, bounds, and what two answers have in common."""

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import brotli
import pytest
from backports import zstd
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.proxy.plane import ACCOUNT, ALICE, OTHER_TOKEN, Says, plane, says
from tests.proxy.served import request, served, talking
from withhold.deployment.model import Limits
from withhold.ledger.entry import Entry, EntryType
from withhold.minimize.minimizer import Minimized, Minimizer

TARGETS = {
    "/stores/shop/v1/accounts/@alice:example.test": 200,
    "/stores/shop/v1/accounts/%40alice%3aexample.test": 200,
    "/stores/shop/v1/accounts/@alice:example.test?user=@eve&x=%zz": 200,
    "/stores/shop/v1/accounts/@alice:example.test#fragment": 403,  # no target: `#` is a character
    "/stores/shop/v1/accounts/%2e%2e": 400,
    "/stores/shop/v1/accounts/..": 400,
    "/stores/shop/v1/accounts/../accounts/@alice:example.test": 400,
    "/stores/shop/v1//accounts/@alice:example.test": 400,
    "/stores/shop/v1/accounts/@alice:example.test/": 400,
    "/stores/shop/v1/accounts/%00": 400,
    "/stores/shop/v1/accounts/@alice%2525": 400,
    "/stores/shop/v1/accounts/%ff": 400,
    "/stores/shop/v1/accounts/a\\b": 400,
    "/stores/": 400,
    "/stores": 400,
    "/%73tores/shop/v1/accounts/@alice:example.test": 400,
    "/stores/shop/v1/accounts": 404,
    "/stores/shop/V1/accounts/@alice:example.test": 404,
    "/stores%2Fshop/v1/accounts/@alice:example.test": 400,
    "//stores/shop/v1/accounts/@alice:example.test": 404,
    "http://withhold.test/stores/shop/v1/accounts/@alice:example.test": 400,
    "/stores/shop/v1/accounts/" + "a" * 20_000: 431,
}


async def test_raw_targets_are_read_as_they_stand(tmp_path: Path) -> None:
    async with plane(tmp_path) as it, served(it.app, Limits()) as where:
        for target, expected in TARGETS.items():
            async with talking(where, request(target)) as client:
                status, _ = await client.head()
            assert (target[:80], status) == (target[:80], expected)
        assert {heard.url.path for heard in it.shop.heard} == {f"/v1/accounts/{ALICE}"}


@pytest.mark.parametrize(
    "said",
    [
        b"GET /stores/shop/\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /stores/shop/x\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /stores/shop/x HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n",
        b"GET /stores/shop/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_bad_request(tmp_path: Path, said: bytes) -> None:
    async with plane(tmp_path) as it, served(it.app) as where, talking(where, said) as client:
        status, headers = await client.head()
        assert (status, headers["content-type"]) == (400, "application/problem+json")
        assert it.shop.heard == []


async def test_a_body_is_refused_and_does_not_become_a_request(tmp_path: Path) -> None:
    smuggled = request(f"/stores/shop/v1/accounts/{ALICE}")
    first = request(f"/stores/shop/v1/accounts/{ALICE}", f"Content-Length: {len(smuggled)}")
    async with plane(tmp_path) as it, served(it.app) as where:
        async with talking(where, first + smuggled) as client:
            status, headers = await client.head()
            await client.reader.readexactly(int(headers["content-length"]))
            assert status == 400
        assert it.shop.heard == []


async def test_no_more_requests_at_once_than_may_be(tmp_path: Path) -> None:
    full, held = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> Response:
        if len(it.shop.heard) == 3:
            full.set()
        await held.wait()
        return JSONResponse(ACCOUNT)

    async with plane(tmp_path, slow, limits=Limits(max_concurrency=4)) as it:
        # Three of four places are what one of several callers may have.
        under_way = [asyncio.ensure_future(it.account()) for _ in range(3)]
        await full.wait()
        refused = await it.account()
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
        other = await it.account(Authorization=f"Bearer {OTHER_TOKEN}")
        assert other.status_code == 403
        held.set()
        assert {(await each).status_code for each in under_way} == {200}
        assert (await it.account()).status_code == 200


async def test_what_is_sent_to_nobody_is_not_said_to_be_delivered(tmp_path: Path) -> None:
    asked, left, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> Response:
        asked.set()
        await left.wait()
        return JSONResponse(ACCOUNT)

    async with plane(tmp_path, slow) as it, served(it.app) as where:
        append = it.parts.ledger.append

        async def tells(entry: Entry, *rest: Any, **named: Any) -> int:  # noqa: ANN401 - passed on
            index = await append(entry, *rest, **named)
            if entry.type is EntryType.CLOSING:
                closed.set()
            return index

        vars(it.parts.ledger)["append"] = tells
        async with talking(where, request(f"/stores/shop/v1/accounts/{ALICE}")):
            await asked.wait()
        while True:
            await asyncio.sleep(0)
            if not where.server.server_state.connections:
                break
        left.set()
        await asyncio.wait_for(closed.wait(), 5.0)
        release, closing = await it.entries()
        assert (release.type, release.public["outcome"]) == (EntryType.RELEASE, "disclosed")
        assert closing.public == {"outcome": "incomplete", "size_bytes": 0}


async def test_large_documents_are_minimized_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[bool] = []
    run = Minimizer.run

    def watched(self: Minimizer, body: bytes) -> Minimized:
        threads.append(threading.current_thread() is threading.main_thread())
        return run(self, body)

    monkeypatch.setattr(Minimizer, "run", watched)
    async with plane(tmp_path) as it:
        await it.account()
        it.shop.says = says({**ACCOUNT, "more": "x" * 300_000})
        await it.account()
    assert threads == [True, False]


# --- Non-interference (law 2), through HTTP ------------------------------------------------------

PLAIN = json.dumps(ACCOUNT).encode()


async def _in_pieces(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in PLAIN:
            yield bytes([byte])

    return StreamingResponse(pieces(), media_type="application/json")


def _with(**changed: Any) -> Says:  # noqa: ANN401 - JSON
    return says({**ACCOUNT, **changed})


COMPRESSED: dict[str, bytes] = {
    "gzip": gzip.compress(PLAIN),
    "br": brotli.compress(PLAIN),
    "zstd": zstd.compress(PLAIN),
}
ALIKE: dict[str, Says] = {
    "another note": _with(note="another"),
    "no note": _with(note=None),
    "a note that is no text": _with(note={"a": [1, 2, 3]}),
    "no more members": says({name: ACCOUNT[name] for name in ("id", "name", "balance", "ip")}),
    "many more members": _with(**{f"m{n}": [n] * 100 for n in range(100)}),
    "a much larger one": _with(more="x" * 1_000_000),
    "another order": says(dict(reversed(ACCOUNT.items()))),
    "white space": says(b"\n\t " + json.dumps(ACCOUNT, indent=9).encode() + b"\r\n"),
    "escapes": says(PLAIN.replace(b"Alice", b"\\u0041l\\u0069ce")),
    "repeated names": says(PLAIN[:-1] + b',"name":"Eve","name":"Alice"}'),
    "in pieces": _in_pieces,
    "other headers": says(ACCOUNT, etag="x", set_cookie="a=b", x_more="y", server="z"),
    "another media type": says(PLAIN, content_type="text/html"),
    **{name: says(body, content_encoding=name) for name, body in COMPRESSED.items()},
}


@pytest.mark.parametrize("shop", ALIKE.values(), ids=ALIKE)
async def test_what_is_not_disclosed_makes_no_difference(tmp_path: Path, shop: Says) -> None:
    async with plane(tmp_path) as it:
        seen = []
        for each in (says(ACCOUNT), shop):
            it.shop.says = each
            response = await it.account()
            headers = {n: v for n, v in response.headers.items() if n != "withhold-receipt"}
            seen.append((response.status_code, headers, response.content))
        assert seen[0] == seen[1]
