"""Pruning from the command line: all of it, batch by batch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.canned import Canned, canned
from tests.running import Done, run
from withhold.terminal import Exit


@pytest.fixture
def service() -> Iterator[Canned]:
    with canned() as made:
        yield made


def prune(folder: Path, service: Canned, *more: str, before: str = "2024-01-01") -> Done:
    (folder / "token").write_text("a-token")
    words = ("prune", "--before", before, *more)
    return run(*words, cwd=folder, url=service.url, token=folder / "token")


def batch(service: Canned, count: int, following: int | None) -> None:
    service.say({"count": count, "next": following})


def asked(service: Canned) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in service.asked]


def test_everything_batch_by_batch(tmp_path: Path, service: Canned) -> None:
    for count, following in ((256, 256), (3, None), (1, None), (0, 256), (2, None)):
        batch(service, count, following)
    found = prune(tmp_path, service)
    assert found.code == Exit.DONE, found.err
    assert (
        found.out
        == "pruned:\n259  sealed parts of entries\n1    token keys\n2    documents of warrants\n"
    )
    assert [(each["what"], each["since"]) for each in asked(service)] == [
        ("sealed", 0),
        ("sealed", 256),
        ("keys", 0),
        ("warrants", 0),
        ("warrants", 256),
    ]
    assert {each["before"] for each in asked(service)} == {"2024-01-01T00:00:00Z"}
    assert {path for path, _, _ in service.asked} == {"/prune"}


def test_public_parts_are_never_among_all(tmp_path: Path, service: Canned) -> None:
    batch(service, 7, None)
    found = prune(tmp_path, service, "--what", "public", "--dry-run")
    assert found.out == "would be pruned:\n7  entries of disclosures, to their leaves\n"
    assert [each["what"] for each in asked(service)] == ["public"]
    assert asked(service)[0]["dry_run"] is True


def test_as_json(tmp_path: Path, service: Canned) -> None:
    batch(service, 7, None)
    found = prune(tmp_path, service, "--what", "keys", "--json", before="2024-01-01T02:00:00+02:00")
    assert json.loads(found.out) == {
        "before": "2024-01-01T00:00:00Z",
        "dry_run": False,
        "pruned": {"keys": 7},
    }


def test_what_is_too_young_is_said_as_the_service_says_it(tmp_path: Path, service: Canned) -> None:
    message, hint = "`before` is too late: what is younger than 90 days stays", "not later than"
    service.say({"code": "bad-request", "detail": message, "hint": hint}, 400)
    found = prune(tmp_path, service)
    assert (found.code, found.out) == (Exit.FAILED, "")
    assert (message in found.err, hint in found.err) == (True, True)


@pytest.mark.parametrize("before", ["2024", "yesterday", "2024-13-01", "2024-01-01T00:00:00"])
def test_a_date_that_is_none(tmp_path: Path, service: Canned, before: str) -> None:
    found = prune(tmp_path, service, before=before)
    assert found.code == Exit.USAGE
    assert "neither a day nor a time" in found.err
    assert service.asked == []


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"count": 1},
        {"count": "x", "next": None},
        {"count": 1, "next": 0},
        {"count": 1, "next": "y"},
    ],
    ids=range(6),
)
def test_an_answer_that_leads_nowhere(tmp_path: Path, service: Canned, document: object) -> None:
    service.say(document)
    found = prune(tmp_path, service)
    assert (found.code, found.out) == (Exit.FAILED, "")
    assert "did not answer with how far it is" in found.err
