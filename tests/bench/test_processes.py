import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import starter
from withhold.bench import processes
from withhold.bench.processes import DidNotStart, Effort, effort_of
from withhold.bench.store import JSON, Kept, write_answers


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_store_says_its_port_and_ends(tmp_path: Path) -> None:
    write_answers(tmp_path, [Kept("/a", JSON, b"{}")])
    async with processes.store(tmp_path) as port:
        assert 0 < port < 65_536


async def test_a_store_that_has_nothing_to_answer_did_not_start(tmp_path: Path) -> None:
    with pytest.raises(DidNotStart, match="the synthetic store did not start"):
        async with processes.store(tmp_path):
            pass


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_service_is_ready_and_ends_with_its_workers(tmp_path: Path, workers: int) -> None:
    made = starter(tmp_path / "withhold")
    async with processes.service(made.file, workers) as service:
        assert set(service.addresses) == {"data", "control"}
        group = descendants(service.process.pid)
        assert len(group) >= (1 if workers == 1 else workers + 2)
        effort = service.effort()
        if effort is not None:
            assert effort.cpu_s > 0
            assert effort.memory_bytes > 10 * 2**20
    assert all(map(is_gone, group))


async def test_a_service_ends_also_after_an_error(tmp_path: Path) -> None:
    made = starter(tmp_path / "withhold")
    pids = []

    async def fail() -> None:
        async with processes.service(made.file, 1) as service:
            pids.append(service.process.pid)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert is_gone(pids[0])


async def test_a_service_that_does_not_start_says_why(tmp_path: Path) -> None:
    made = starter(tmp_path / "withhold")
    made.file.write_text(made.file.read_text().replace("[keys]", "[key]"))
    with pytest.raises(DidNotStart, match=r"the service did not start: .*`key`"):
        async with processes.service(made.file, 1):
            pass


def test_effort_is_of_a_process_and_those_that_it_started() -> None:
    if effort_of(os.getpid()) is None:
        pytest.skip("there is no /proc")
    work = "import time\nwhile time.process_time() < 0.3: pass\nprint()\ninput()"
    argv = json.dumps([sys.executable, "-c", work])
    code = f"import subprocess; subprocess.run({argv})"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        effort = effort_of(process.pid)
        process.communicate(b"\n")
    assert isinstance(effort, Effort)
    assert 0.28 <= effort.cpu_s < 5
    assert effort_of(2**30) is None


def test_without_proc_there_is_no_effort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PROC", tmp_path / "none")
    assert effort_of(os.getpid()) is None


def descendants(pid: int) -> set[int]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    parents = {int(p): int(of) for p, of in map(str.split, listed.stdout.splitlines())}
    found = {pid}
    while more := {p for p, of in parents.items() if of in found} - found:
        found |= more
    return found
