"""Ours: `withhold serve` as anybody runs it, with everything on.

A working folder as `withhold init` makes it, with the catalogue and the policy of the benchmarks; a
database on disk; a warrant signed by intake and an approver, handed in over the control plane.
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from benchmarks.bodies import OTHER_TARGET, TARGET
from benchmarks.load import HOST, Request
from benchmarks.processes import Process, free_port, started
from withhold.adapters.keyfiles import load_signer_key, read_private
from withhold.clock import read_clock
from withhold.names import SignerRole
from withhold.starter import Choices, Starter, make_starter
from withhold.warrant.signed import add_signature

CONFIG: Final = Path(__file__).parent / "config"
DEPLOYMENT: Final = "bench"
STORE: Final = "bench"
WARRANT: Final = "W-BENCH-PROXY"
CALLER: Final = "disclosure-service"


@dataclass(frozen=True)
class Proxy:
    """A Withhold that runs, and how it is asked."""

    process: Process
    port: int
    headers: Mapping[str, str]

    def request(self, path: str) -> Request:
        """Ask for a path of the store."""
        return Request(self.port, f"/stores/{STORE}{quote(path)}", self.headers)


@contextmanager
def proxy(
    folder: Path,
    upstream_port: int,
    chosen: frozenset[int],
    *,
    workers: int = 1,
    redis_url: str | None = None,
) -> Iterator[Proxy]:
    """Run it on these cores before the upstream, with one active warrant."""
    port, control_port = free_port(), free_port()
    made = make_starter(
        folder,
        Choices(
            deployment=DEPLOYMENT,
            data_plane=f"{HOST}:{port}",
            control_plane=f"{HOST}:{control_port}",
            stores={STORE: f"http://{HOST}:{upstream_port}"},
            redis_url=redis_url,
        ),
    )
    for name in ("catalogue", "policy"):
        shutil.rmtree(folder / "config" / name)
        shutil.copytree(CONFIG / name, folder / "config" / name)
    command: list[str | Path] = [sys.executable, "-m", "withhold", "serve", "-c", made.file]
    command += ["--workers", str(workers)]
    with started(command, chosen, folder / "log", port=port) as process:
        _register(made, control_port)
        token = read_private(made.tokens[CALLER]).decode().strip()
        headers = {"Authorization": f"Bearer {token}", "Withhold-Warrant": WARRANT}
        found = Proxy(process, port, headers)
        yield found


def _register(made: Starter, port: int) -> None:
    """Hand in a warrant that is signed and approved, and so active."""
    document = json.dumps(_claims()).encode()
    for name, role in (("intake-1", SignerRole.INTAKE), ("approver-1", SignerRole.APPROVE)):
        document = add_signature(
            document,
            load_signer_key(made.signers[name]),
            key_id=name,
            role=role,
            deployment=DEPLOYMENT,
            signed_at=read_clock(),
        )
    token = read_private(made.tokens["operator"]).decode().strip()
    transport = httpx.HTTPTransport(retries=5)
    url = f"http://{HOST}:{port}"
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(transport=transport, base_url=url, headers=headers, timeout=10.0) as client:
        client.post("/warrants", content=document).raise_for_status()


def _claims() -> dict[str, object]:
    now = datetime.now(UTC).replace(microsecond=0)
    kept: dict[str, object] = json.loads((CONFIG / "warrant.json").read_bytes())
    return kept | {
        "id": WARRANT,
        "targets": [{"kind": "id", "value": value} for value in (TARGET, OTHER_TARGET)],
        "valid": {
            "from": (now - timedelta(days=1)).isoformat(),
            "until": (now + timedelta(days=30)).isoformat(),
        },
        "callers": [CALLER],
    }
