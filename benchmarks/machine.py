"""The machine, the versions and the commit that figures are of: without them they say nothing."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from benchmarks.engines import ENGINES
from benchmarks.figures import OURS
from benchmarks.load import generator
from benchmarks.upstream import nginx_version

ROOT: Final = Path(__file__).parents[1]
LIBRARIES: Final = (
    *("msgspec", "orjson", "cryptography", "phonenumbers", "httptools", "uvloop", "uvicorn"),
    *("starlette", "httpx", "sqlalchemy", "redis"),
)


def machine() -> dict[str, str]:
    """Describe this machine; no name of it."""
    return {
        "cpu": _line("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load average": f"{os.getloadavg()[0]:.1f}",
    }


def versions() -> dict[str, str]:
    """Give the version of all that is measured, and of what measures."""
    found = {name: _version(name) for name in LIBRARIES}
    engines = {each.name: each.version() for each in ENGINES if not each.missing()}
    engines.pop(OURS, None)
    tools = {"upstream nginx": nginx_version() or "none", "load": generator()}
    return {"withhold": _version("withhold"), **found, **engines, **tools}


def commit() -> tuple[str, bool]:
    """Give the commit, and whether files under version control differ from it."""
    head = _git("rev-parse", "--short=12", "HEAD")
    changed = _git(
        "status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results"
    )
    return head or "unknown", bool(changed)


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _line(file: str, name: str) -> str | None:
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return None
