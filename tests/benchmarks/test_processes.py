import os
import socket
import sys
from pathlib import Path

import pytest

from benchmarks.processes import Cores, NotStartedError, cores, free_port, on, started

LISTEN = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1])));"


def python(code: str, port: int) -> list[str]:
    return [sys.executable, "-c", code, str(port)]


def test_the_proxy_gets_the_last_core_and_the_load_all_others() -> None:
    allowed = os.sched_getaffinity(0)
    found = cores()
    assert found.proxy | found.load == allowed
    assert found.shared is (len(allowed) == 1)
    everything = cores(len(allowed))
    assert everything == Cores(frozenset(allowed), frozenset(allowed))
    assert everything.shared


def test_what_is_started_runs_on_its_cores_and_is_ended(tmp_path: Path) -> None:
    before, port = os.sched_getaffinity(0), free_port()
    with started(
        python(f"{LISTEN} time.sleep(60)", port), cores().proxy, tmp_path / "log", port=port
    ) as it:
        assert os.sched_getaffinity(it.pid) == cores().proxy
        assert os.sched_getaffinity(0) == before
        assert it.memory_bytes() > 2**20
        assert it.peak_bytes() >= it.memory_bytes() - 2**20
    assert not Path(f"/proc/{it.pid}").exists()


def test_cpu_time_is_that_of_children_too(tmp_path: Path) -> None:
    port = free_port()
    burn = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ntime.sleep(60)"
    code = (
        f"import subprocess; {LISTEN} c = subprocess.Popen([sys.executable, '-c', {burn!r}], "
        "stdout=subprocess.PIPE); c.stdout.read(1); s.accept(); s.accept()[0].sendall(b'x'); "
        "time.sleep(60)"
    )
    with started(python(code, port), cores().proxy, tmp_path / "log", port=port) as it:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as told:
            assert told.recv(1) == b"x"  # the child has burnt what it was to burn
        assert it.cpu_s() >= 0.1  # each of its parts is cut to a tick


def test_what_does_not_start_says_why(tmp_path: Path) -> None:
    code = "raise SystemExit('no such file')"
    with (
        pytest.raises(NotStartedError, match="no such file"),
        started(python(code, 0), cores().proxy, tmp_path / "log", port=free_port()),
    ):
        pass


def test_cores_are_given_back() -> None:
    before = os.sched_getaffinity(0)
    with on(cores().load):
        assert os.sched_getaffinity(0) == cores().load
    assert os.sched_getaffinity(0) == before
