"""Nothing personal in the margins: logs at DEBUG, metrics, headers, exceptions (law 6)."""

import gzip
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Counter, Gauge

from tests.proxy.hostile import chunked, hostile, http
from tests.proxy.plane import (
    ALICE,
    AUDITOR_TOKEN,
    BUNDLE,
    IN_PERIOD,
    OPERATOR_TOKEN,
    OTHER_TOKEN,
    TOKEN,
    TUNER_TOKEN,
    WARRANT,
    plane,
    says,
)
from tests.proxy.served import request, served, talking
from withhold.adapters.store_http import HttpStore
from withhold.deployment.model import Limits
from withhold.ledger.receipt import ReceiptId, handle_of
from withhold.proxy.call import parse_call
from withhold.proxy.handler import Request
from withhold.proxy.metrics import without_withheld

# Whatever of these is seen outside the answers of stores is a leak.
CANARIES = [
    "canary",
    ALICE,
    "alice",
    "%40alice",
    TOKEN,
    "192.0.2.7",
    "2079460220",
    "%20",
    "26-SW-70123",
    "Superior Court",
]


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """Collect every record of every logger, with all that hangs on it."""
    seen: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(f"{record.getMessage()} {vars(record)} {self.format(record)}")

    handler = Collect(logging.DEBUG)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    try:
        yield seen
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def is_clean(*texts: str) -> bool:
    found = [(canary, text) for text in texts for canary in CANARIES if canary in text]
    assert found == []
    return True


BODY = {
    "id": ALICE,
    "name": "canary-name",
    "balance": "canary-no-number",
    "ip": "canary-no-ip",
    "note": "canary-note",
    "canary-member": {"canary": 1},
}
SAID: dict[str, bytes] = {
    "an answer": http(json.dumps(BODY).encode(), "X-Canary: canary", "Set-Cookie: canary=1"),
    "an error": http(b"canary", status="500 canary"),
    "no JSON": http(b'{"canary":'),
    "no UTF-8": http(b'{"id":"canary\xff"}'),
    "a lone surrogate": http(b'{"id":"%s","name":"\\ud800canary"}' % ALICE.encode()),
    "somebody else": http(b'{"id":"canary"}'),
    "no HTTP": b"canary\r\n\r\n",
    "a bad header": http(b"{}", "Canary canary"),
    "a bad coding": http(b"canary", "Content-Encoding: gzip"),
    "an unknown coding": http(b"canary", "Content-Encoding: canary"),
    "a bad chunk": http(b"canary", "Transfer-Encoding: chunked", length=None),
    "too much": http(gzip.compress(bytes(2**22)), "Content-Encoding: gzip", "X: canary"),
    "a bad line": http(
        chunked(b'{"id":"%s"}\n' % ALICE.encode() * 5_000, b"canary\n"),
        *("Content-Type: application/x-ndjson", "Transfer-Encoding: chunked"),
        length=None,
    ),
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
async def test_whatever_a_store_says_none_of_it_is_in_the_margins(
    tmp_path: Path, said: bytes
) -> None:
    limits = Limits(max_answer_bytes=2**20)
    with everything_logged() as logged:
        async with hostile(said) as other:
            store = HttpStore(other.base_url, {"Authorization": "canary-credential"}, limits)
            async with (
                plane(tmp_path, store=store, limits=limits) as it,
                served(it.app, limits) as where,
                talking(where, request(f"/stores/shop/v1/accounts/{ALICE}?canary=1")) as client,
            ):
                status, headers = await client.head()
                metrics = await it.metrics()
    assert status in {200, 502}
    assert len(logged) > 0
    assert is_clean(*logged, metrics, str(headers))


@pytest.mark.parametrize(
    "path",
    [
        f"/stores/shop/v1/accounts/{ALICE}",
        "/stores/shop/v1/accounts/canary%00",
        "/stores/canary/canary",
        "/stores/shop/v1/sims/+44%2020%207946%200220",
        "/canary",
    ],
)
@pytest.mark.parametrize("warrant", [WARRANT, "W-canary"])
async def test_nothing_that_a_caller_says_is_either(
    tmp_path: Path, path: str, warrant: str
) -> None:
    with everything_logged() as logged:
        async with plane(tmp_path, says(BODY)) as it, served(it.app) as where:
            said = request(path, "X-Canary: canary").replace(WARRANT.encode(), warrant.encode())
            async with talking(where, said) as client:
                await client.head()
            metrics = await it.metrics()
    assert is_clean(*logged, metrics)


async def test_no_exception_holds_what_a_store_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours in the midst of an answer: its text and frames are the worst there is."""

    def broken(_self: object, body: bytes) -> None:
        raise ValueError(body)

    monkeypatch.setattr("withhold.minimize.minimizer.Minimizer.run", broken)
    with everything_logged() as logged:
        async with (
            plane(tmp_path, says(BODY)) as it,
            served(it.app) as where,
            talking(where, request(f"/stores/shop/v1/accounts/{ALICE}")) as client,
        ):
            status, _ = await client.head()
    assert status == 500
    assert is_clean(*logged)


def facts(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    names = ("caller", "warrant", "resource", "receipt", "code", "status", "records_seen")
    records = [record for record in caplog.records if record.message == "request"]
    return [{name: vars(record)[name] for name in names} for record in records]


def test_nothing_shows_what_it_holds() -> None:
    target = f"/stores/canary/{ALICE}?canary".encode()
    headers = [(b"authorization", TOKEN.encode()), (b"withhold-warrant", b"canary")]
    call = parse_call(target, [*headers, (b"withhold-fields", b'"$.canary"')])
    assert is_clean(*map(repr, (Request(target, headers, "1.1"), call)))


async def test_one_line_a_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with plane(tmp_path) as it:
        await it.account()
        await it.account(Withhold_Warrant="W-nobodys")
        await it.account("@bob:example.test")
        await it.account(Authorization="")
    first, unknown, no_target, nobody = facts(caplog)
    assert first == {
        "caller": "disclosure-service",
        "warrant": WARRANT,
        "resource": "shop/account",
        "receipt": handle_of(ReceiptId("R-00000000000000000000000001")),
        "code": "disclosed",
        "status": 200,
        "records_seen": 0,
    }
    assert (unknown["code"], unknown["warrant"], unknown["status"]) == ("warrant-unknown", "", 403)
    assert (no_target["code"], no_target["warrant"]) == ("not-a-target", WARRANT)
    assert (nobody["code"], nobody["caller"]) == ("unauthenticated", "")
    [one] = {type(vars(record)["ms"]) for record in caplog.records if record.message == "request"}
    assert one is float


def value(text: str, name: str) -> float:
    [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


async def test_counts_by_catalogued_names(tmp_path: Path) -> None:
    body = {"id": ALICE, "balance": "none", "ip": 7}
    async with plane(tmp_path, says(body)) as it:
        await it.account()
        await it.account()
        await it.account(Authorization="")
        text = await it.metrics()
    assert value(text, 'withhold_requests_total{code="disclosed"}') == 2
    assert value(text, 'withhold_requests_total{code="unauthenticated"}') == 1
    assert value(text, "withhold_request_seconds_count") == 3
    assert value(text, 'withhold_store_seconds_count{store="shop"}') == 2
    assert value(text, 'withhold_allowlists_total{layer="compiled"}') == 1
    assert value(text, 'withhold_allowlists_total{layer="process"}') == 1
    assert value(text, 'withhold_receipts_total{outcome="disclosed",type="release"}') == 2
    assert value(text, "withhold_ledger_seconds_count") == 2
    assert value(text, "withhold_in_flight") == 0
    malformed = 'withhold_withheld_total{place="$.%s",reason="malformed",resource="shop/account"}'
    assert value(text, malformed % "balance") == 2
    assert value(text, malformed % "ip") == 2


async def test_counts_what_has_no_time_or_subject_and_not_who_is_no_target(tmp_path: Path) -> None:
    order = {"who": ALICE, "at": IN_PERIOD}
    orders = [{**order, "at": None}, {**order, "who": None}, {**order, "who": "@eve:example.test"}]
    page = {"owner": ALICE, "opened": IN_PERIOD, "orders": orders}
    async with plane(tmp_path, says(page)) as it:
        await it.get("/stores/shop/v1/shops/7/orders")
        text = await it.metrics()
    place = 'withhold_withheld_total{place="$.orders[*]",reason="%s",resource="shop/orders"}'
    assert value(text, place % "undated") == 1
    assert value(text, place % "no-subject") == 1
    assert "not-a-target" not in text


@pytest.mark.parametrize("token", ["", TOKEN, OTHER_TOKEN, TUNER_TOKEN, "nobodys", "no token"])
async def test_what_was_withheld_is_not_counted_aloud(tmp_path: Path, token: str) -> None:
    """Beside an answer of `{}` it would say what is behind it (law 2)."""
    order = {"who": ALICE, "at": None}
    page = {"owner": ALICE, "opened": IN_PERIOD, "orders": [order] * 3}
    async with plane(tmp_path, says(page)) as it:
        empty = await it.metrics(token)
        fields = '"$.orders[*].sum"'
        answer = await it.get("/stores/shop/v1/shops/7/orders", Withhold_Fields=fields)
        text = await it.metrics(token)
        whole = await it.metrics()
    assert (answer.status_code, answer.json()) == (200, {})
    assert 'place="$.orders[*]",reason="undated"' in whole
    assert not any(word in text for word in ("withhold_withheld", "undated", "orders"))
    # None of the others is missing, nor is this one before there is anything in it.
    assert set(families(text)) == set(families(whole)) - set(WITHHELD)
    assert "withhold_withheld" not in empty
    assert "store_seconds" not in text
    assert value(text, 'withhold_requests_total{code="disclosed"}') == 1


@pytest.mark.parametrize("token", [OPERATOR_TOKEN, AUDITOR_TOKEN])
async def test_who_operates_or_audits_sees_it(tmp_path: Path, token: str) -> None:
    async with plane(tmp_path, says({"id": ALICE, "balance": "none"})) as it:
        await it.account()
        text = await it.metrics(token)
    assert set(families(text)) >= set(WITHHELD)
    assert value(text, BALANCE) == 1


def test_it_is_left_out_by_the_name_of_its_family() -> None:
    """What merely has the name in its own name, labels or words stays."""
    told = Counter("withhold_withheld", "x", ["place"], registry=None)
    told.labels("$.a").inc()
    near = [
        Counter("withhold_withheld_more", "withhold_withheld", registry=None),
        Gauge("withhold_withhel", "withhold_withheld_total", registry=None),
    ]
    kept = [family for each in near for family in each.collect()]
    assert without_withheld([*told.collect(), *kept]) == tuple(kept)


WITHHELD = (
    "withhold_withheld_total",
    "withhold_withheld_created",
    "withhold_store_seconds",  # its count is that of the pages behind an answer
    "withhold_store_seconds_created",
)
BALANCE = 'withhold_withheld_total{place="$.balance",reason="malformed",resource="shop/account"}'


def families(text: str) -> list[str]:
    """Give the names of what is exposed, as their types are said."""
    return [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]


SCRIPT = """
import asyncio, sys
from pathlib import Path
from tests.proxy.plane import ALICE, plane, says

async def main():
    async with plane(Path(sys.argv[1]), says({"id": ALICE, "balance": "none"})) as it:
        await it.account()
        print(await it.metrics(), await it.metrics(""), sep="\\f")

asyncio.run(main())
"""


def test_several_workers_are_one_sum(tmp_path: Path) -> None:
    """What two processes count in one folder, either of them shows."""
    shared = tmp_path / "shared"
    shared.mkdir()
    root = BUNDLE.parents[2]
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / name)],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(shared), "PYTHONPATH": str(root)},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        texts.append(ran.stdout.split("\f"))
    for count, (whole, reduced) in enumerate(texts, 1):
        for text in (whole, reduced):
            assert value(text, 'withhold_requests_total{code="disclosed"}') == count
        assert value(whole, BALANCE) == count
        assert "withhold_withheld" not in reduced
