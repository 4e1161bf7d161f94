"""Who may mount a disk: root, or anybody in a namespace of their own, where there are any."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 240


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is marked `mounts` as root of a namespace, unless we are root already."""
    if os.geteuid() == 0 or pyfuncitem.get_closest_marker("mounts") is None:
        return None
    if shutil.which("unshare") is None:
        pytest.skip("no disk can be mounted here: there is no `unshare`")
    folder = Path(str(pyfuncitem.funcargs["tmp_path"])) / "inside"
    done = subprocess.run(
        [
            *("unshare", "--map-root-user", "--mount", sys.executable, "-m", "pytest"),
            *("-m", "mounts", "-p", "no:cacheprovider", f"--basetemp={folder}"),
            pyfuncitem.nodeid,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if "1 passed" not in done.stdout and "1 failed" not in done.stdout:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip() or done.stdout[-500:]}")
    assert done.returncode == 0, done.stdout
    return True
