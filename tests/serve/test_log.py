import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from withhold.serve.log import JsonLines, configure

CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("withhold")
    before = (root.handlers[:], root.level, ours.level, logging.raiseExceptions)
    yield
    root.handlers[:], root.level, ours.level, logging.raiseExceptions = before


def line(record: logging.LogRecord) -> dict[str, object]:
    text = JsonLines().format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def record(name: str, message: str, *args: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(
        name, logging.INFO, "/usr/lib/python/thing.py", 7, message, args, None, extra=extra
    )


def test_our_own_records_carry_their_facts() -> None:
    found = line(record("withhold.proxy.log", "request", status=200, receipt="R-1", ms=1.5, x=None))
    assert found["event"] == "request"
    assert found["level"] == "info"
    assert found["logger"] == "withhold.proxy.log"
    assert (found["status"], found["receipt"], found["ms"], found["x"]) == (200, "R-1", 1.5, None)
    assert str(found["at"]).endswith("Z")


def test_of_a_library_only_the_place_is_written() -> None:
    found = line(record("httpx", "GET %s", f"http://store/{CANARY}", detail=CANARY))
    assert CANARY not in json.dumps(found)
    assert found["event"] == "library"
    assert found["place"] == "thing:7"


def test_a_name_that_begins_like_ours_is_a_library() -> None:
    assert line(record("withholding", CANARY))["event"] == "library"


def test_an_exception_is_its_type_and_its_frames() -> None:
    with pytest.raises(ValueError, match=CANARY) as caught:
        raise ValueError(CANARY)
    made = logging.getLogger("withhold").makeRecord(
        "withhold", logging.ERROR, "x.py", 1, "failed", (), (caught.type, caught.value, caught.tb)
    )
    found = line(made)
    assert CANARY not in json.dumps(found)
    assert found["exception"] == "ValueError"
    assert isinstance(found["frames"], list)
    assert found["frames"][0].startswith("serve/test_log.py:")


def test_an_exception_nobody_waited_for_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    async def forgets() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": CANARY, "exception": ValueError(CANARY)}
        )

    asyncio.run(forgets())
    written = capsys.readouterr().err
    assert CANARY not in written
    assert json.loads(written)["exception"] == "ValueError"


def test_what_a_library_merely_tells_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    logging.getLogger("httpx").info("told")
    logging.getLogger("withhold.x").info("told")
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(each)["logger"] for each in lines] == ["withhold.x"]
