"""Measuring: each resource in turn, through a whole service, before a synthetic store."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from withhold.bench import processes
from withhold.bench.answers import path_of
from withhold.bench.choice import Case
from withhold.bench.kernel import minimize
from withhold.bench.load import Load, closed, paced
from withhold.bench.scene import Props, Scene, set_scene
from withhold.bench.store import JSON, NDJSON, Kept, write_answers
from withhold.errors import WithholdError
from withhold.minimize.minimizer import subject_of
from withhold.proxy.target import build_target, written

ACTIVE_S: Final = 10.0  # until a node has heard of the warrant
_TRY_EACH_S: Final = 0.05
_TIMEOUT_S: Final = 60.0
_WARM_S: Final = 0.5
_OK: Final = 200
# What the service says of where time goes: sums of seconds, over all requests.
_SUMS: Final = {
    "request": "withhold_request_seconds_sum",
    "store": "withhold_store_seconds_sum",
    "ledger": "withhold_ledger_seconds_sum",
}


class NotDisclosed(WithholdError):
    """The service did not disclose what was made up for it."""


@dataclass(frozen=True)
class Pace:
    """How hard the service is asked."""

    seconds: float  # for each resource
    connections: int
    rate_per_s: float | None = None  # None: as fast as it answers


@dataclass(frozen=True)
class Measured:
    """What came of one resource."""

    resource: str
    records: int
    in_bytes: int
    out_bytes: int
    load: Load
    cpu_us_per_request: float | None  # of the service; None: there is no /proc
    memory_mib: float | None  # resident, of all its processes
    shares: Mapping[str, float]  # of a request's time: `store`, `ledger`, `rest`


@dataclass(frozen=True)
class Running:
    """A service that is ready, and its store."""

    scene: Scene
    service: processes.Service
    client: httpx.AsyncClient

    def url(self, plane: str, path: str) -> str:
        """Give a URL of one of its planes."""
        host, port = self.service.addresses[plane]
        return f"http://{host}:{port}{path}"


@asynccontextmanager
async def running(
    folder: Path, props: Props, cases: Sequence[Case], workers: int
) -> AsyncIterator[Running]:
    """Run store and service in an empty folder, register the warrant, and end them.

    Raises: WithholdError, OSError, httpx.HTTPError.
    """
    answers = folder / "answers"
    answers.mkdir()
    write_answers(answers, [_kept(case) for case in cases])
    async with processes.store(answers) as port:
        scene = set_scene(folder, props, f"http://127.0.0.1:{port}")
        async with (
            processes.service(scene.file, workers) as service,
            httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client,
        ):
            found = Running(scene, service, client)
            await _register(found)
            yield found


async def measure(there: Running, case: Case, pace: Pace) -> Measured:
    """Measure one resource. Raises: NotDisclosed, OSError, httpx.HTTPError."""
    out_bytes = await _ask_until_active(there, case)
    host, port = there.service.addresses["data"]
    request = _request(there, case, f"{host}:{port}")
    connections = pace.connections
    await closed(host, port, request, connections=connections, seconds=_WARM_S)
    effort, sums = there.service.effort(), await _sums(there)
    if pace.rate_per_s is None:
        load = await closed(host, port, request, connections=connections, seconds=pace.seconds)
    else:
        load = await paced(
            host,
            port,
            request,
            rate_per_s=pace.rate_per_s,
            connections=connections,
            seconds=pace.seconds,
        )
    after, sums_after = there.service.effort(), await _sums(there)
    cpu_us = memory_mib = None
    if effort is not None and after is not None:
        answered = load.count + sum(n for status, n in load.by_status if status)
        cpu_us = (after.cpu_s - effort.cpu_s) * 1e6 / max(answered, 1)
        memory_mib = after.memory_bytes / 2**20
    return Measured(
        resource=case.shape.resource.name,
        records=case.answer.records,
        in_bytes=len(case.answer.body),
        out_bytes=out_bytes,
        load=load,
        cpu_us_per_request=cpu_us,
        memory_mib=memory_mib,
        shares=shares({name: sums_after[name] - sums[name] for name in _SUMS}),
    )


def shares(seconds: Mapping[str, float]) -> dict[str, float]:
    """Give what of a request's time went where; nothing where the service does not say."""
    whole = seconds["request"]
    if not whole > 0:  # NaN, too
        return {}
    known = {name: seconds[name] / whole for name in ("store", "ledger")}
    return {**known, "rest": max(0.0, 1 - sum(known.values()))}


def _kept(case: Case) -> Kept:
    """Give what the store answers, and to what: the path that the proxy will build."""
    resource, params = case.shape.resource, case.shape.params
    subject = subject_of(resource, case.shape.targets, params)
    path = build_target(resource, written(resource, params, subject), None).partition("?")[0]
    media_type = NDJSON if case.shape.is_lines else JSON
    return Kept(f"/{resource.store}{path}", media_type, case.answer.body)


def _target(case: Case) -> str:
    """Give the path that a caller asks for."""
    path = "/".join(quote(segment, safe="") for segment in path_of(case.shape))
    return f"/stores/{case.shape.resource.store}/{path}"


def _headers(there: Running) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {there.scene.caller}",
        "Withhold-Warrant": there.scene.warrant_id,
    }


def _request(there: Running, case: Case, host: str) -> bytes:
    headers = {"Host": host, **_headers(there)}
    lines = [f"GET {_target(case)} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def _register(there: Running) -> None:
    answer = await there.client.post(
        there.url("control", "/warrants"),
        content=there.scene.warrant,
        headers={"Authorization": f"Bearer {there.scene.operator}"},
    )
    if not answer.is_success:
        message = f"the service did not register the warrant: {_code(answer)}"
        raise NotDisclosed(message)


async def _ask_until_active(there: Running, case: Case) -> int:
    """Ask once all is known, and give how large the answer is. Raises: NotDisclosed."""
    until_s = time.monotonic() + ACTIVE_S
    while True:
        answer = await there.client.get(there.url("data", _target(case)), headers=_headers(there))
        if answer.status_code == _OK:
            break
        code = _code(answer)
        if code != "warrant-not-active" or time.monotonic() > until_s:
            message = f"the service did not disclose `{case.shape.resource.name}`: {code}"
            raise NotDisclosed(message, _HINTS.get(code, ""))
        await asyncio.sleep(_TRY_EACH_S)
    # Equal in size: the order of members and the tokens of addresses may differ.
    expected = minimize(case)().body
    if expected is not None and len(expected) != len(answer.content):
        message = f"of `{case.shape.resource.name}` not all was disclosed that should be"
        raise NotDisclosed(message, "figures of another answer would mislead")
    return len(answer.content)


_HINTS: Final = {
    "store-too-large": "the answer is larger than `limits` of the deployment file allow",
    "store-malformed": "a line of the answer may be longer than `limits.max_line_bytes`",
}


def _code(answer: httpx.Response) -> str:
    """Give the code of a problem: a word of the contract's."""
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


async def _sums(there: Running) -> dict[str, float]:
    answer = await there.client.get(
        there.url("data", "/metrics"), headers={"Authorization": f"Bearer {there.scene.operator}"}
    )
    found = dict.fromkeys(_SUMS, math.nan)
    for line in answer.text.splitlines():
        name, _, value = line.rpartition(" ")
        for which, metric in _SUMS.items():
            if name.partition("{")[0] == metric:
                before = found[which]
                found[which] = float(value) + (0.0 if math.isnan(before) else before)
    return found
