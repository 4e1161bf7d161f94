"""Load: wrk where it is installed, else our own generator; from other cores than the proxy's.

wrk drives the closed loop, where a generator in Python would be what is measured. Fixed rates are
ours (`withhold.bench.load.paced`): wrk knows none, and counts no time that a request waited.
"""

import asyncio
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from withhold.bench.load import closed, paced

HOST: Final = "127.0.0.1"
CONNECTIONS: Final = 32
LEAST_S: Final = 1.0  # wrk counts whole seconds

# wrk says what it counted in words and rounded units; its own script says it as it is.
_REPORT: Final = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.stderr:write(string.format('{"count":%d,"us":%d,"p50_us":%f,"p99_us":%f,"errors":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class NotAnsweredError(Exception):
    """Some requests were not answered with 200: what was measured is not what was meant."""


@dataclass(frozen=True)
class Request:
    """What is asked, of a port of this machine."""

    port: int
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Give the request as it is sent."""
        lines = [f"GET {self.path} HTTP/1.1", f"Host: {HOST}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True)
class Loaded:
    """What came of a load. All requests were answered with 200."""

    count: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float


def generator() -> str:
    """Say what drives the closed loop."""
    return "wrk" if shutil.which("wrk") else "withhold.bench.load"


def saturate(request: Request, seconds: float, connections: int = CONNECTIONS) -> Loaded:
    """Ask on each connection as soon as it is answered. Raises: NotAnsweredError."""
    if shutil.which("wrk") and seconds >= LEAST_S:
        return _wrk(request, seconds, connections)
    load = asyncio.run(
        closed(HOST, request.port, request.encode(), connections=connections, seconds=seconds)
    )
    if load.errors or not load.count:
        raise NotAnsweredError(_said(load.count, load.errors))
    return Loaded(load.count, load.requests_per_s, load.p50_ms, load.p99_ms)


def at_rate(
    request: Request, rate_per_s: float, seconds: float, connections: int = CONNECTIONS
) -> Loaded | None:
    """Ask at a fixed rate; None where it was not kept up with, or not all were answered."""
    load = asyncio.run(
        paced(
            HOST,
            request.port,
            request.encode(),
            rate_per_s=rate_per_s,
            connections=connections,
            seconds=seconds,
        )
    )
    if load.errors or load.requests_per_s < 0.95 * rate_per_s:
        return None
    return Loaded(load.count, load.requests_per_s, load.p50_ms, load.p99_ms)


def _wrk(request: Request, seconds: float, connections: int) -> Loaded:
    headers = [word for n, v in request.headers.items() for word in ("-H", f"{n}: {v}")]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "report.lua"
        script.write_text(_REPORT, encoding="ascii")
        done = subprocess.run(
            [
                *("wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s"),
                *("-s", str(script), *headers, f"http://{HOST}:{request.port}{request.path}"),
            ],
            capture_output=True,
            check=True,
        )
    said = json.loads(done.stderr.splitlines()[-1])
    if said["errors"] or not said["count"]:
        raise NotAnsweredError(_said(said["count"], said["errors"]))
    return Loaded(
        said["count"],
        said["count"] / said["us"] * 1e6,
        said["p50_us"] / 1e3,
        said["p99_us"] / 1e3,
    )


def _said(count: int, errors: int) -> str:
    return f"{errors} requests were not answered with 200, {count} were"
