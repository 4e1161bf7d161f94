"""Every engine that is installed gives the answer that it owes: what is compared is the same."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.bodies import ACCOUNT, RECORDS, SESSIONS, WORKLOADS
from benchmarks.end_to_end import AnotherAnswerError, _check
from benchmarks.engines import ENGINES, Engine, Place, Running
from benchmarks.load import at_rate, saturate
from benchmarks.processes import Process, cores
from benchmarks.upstream import upstream


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with upstream(tmp_path / "upstream", WORKLOADS, cores().load) as port:
        yield Place(tmp_path, port, cores().proxy, WORKLOADS)


def test_bodies_are_what_the_issue_says() -> None:
    account, sessions = json.loads(ACCOUNT.body), json.loads(SESSIONS.body)
    assert len(ACCOUNT.body) == 1_024
    assert (len(account), len(ACCOUNT.covered)) == (25, 6)
    assert 100_000 <= len(SESSIONS.body) <= 103_000
    assert {len(row) for row in sessions["rows"]} == {20}
    assert (len(sessions["rows"]), len(SESSIONS.covered)) == (RECORDS, 5)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_an_engine_gives_the_answer_that_it_owes(engine: Engine, place: Place) -> None:
    if missing := engine.missing():
        pytest.skip(missing)
    assert engine.version()
    with engine.start(place) as running:
        _check(engine, running)
        request = running.ask(ACCOUNT)
        answer = httpx.get(
            f"http://127.0.0.1:{request.port}{request.path}",
            headers=dict(request.headers),
            trust_env=False,
        )
        assert (len(answer.content) < 300) is engine.filters
        assert saturate(request, 0.1, 2).count > 0
        assert at_rate(request, 20, 0.1, 2) is not None


def test_another_answer_stops_the_run(place: Place) -> None:
    plain = next(each for each in ENGINES if not each.filters and not each.missing())
    filtering = next(each for each in ENGINES if each.filters)
    with plain.start(place) as running, pytest.raises(AnotherAnswerError):
        _check(filtering, Running(Process(running.process.pid), running.ask))
