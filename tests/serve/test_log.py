import asyncio
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from withhold.serve.log import MAX_WAITING, JsonLines, Lines, configure

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
    logging.getLogger().handlers[0].flush()
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(each)["logger"] for each in lines] == ["withhold.x"]


class Told(io.StringIO):
    """A stream that says when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.written = threading.Event()

    def write(self, text: str, /) -> int:
        self.writes += 1
        self.written.set()
        return super().write(text)

    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


def told(handler: Lines, *messages: str, level: int = logging.INFO) -> None:
    for message in messages:
        handler.handle(logging.LogRecord("withhold.x", level, "", 0, message, None, None))


def test_lines_are_written_together_and_soon() -> None:
    stream = Told()
    handler = Lines(stream)
    for _ in range(2):
        told(handler, "a", "b", "c")
        assert stream.written.wait(5)
        stream.written.clear()
    assert stream.lines() == ["a", "b", "c"] * 2
    assert stream.writes < 6


def test_a_warning_waits_for_nothing_and_overtakes_nothing() -> None:
    stream = Told()
    handler = Lines(stream)
    told(handler, "a")
    told(handler, "b", level=logging.WARNING)
    assert stream.lines() == ["a", "b"]


def test_no_more_lines_wait_than_may() -> None:
    stream = Told()
    handler = Lines(stream)
    told(handler, *map(str, range(MAX_WAITING)))
    assert stream.lines() == [str(n) for n in range(MAX_WAITING)]


def test_nobody_who_reads_is_no_fault() -> None:
    stream = Told()
    handler = Lines(stream)
    told(handler, "a")
    stream.close()
    handler.flush()
    told(handler, "b", level=logging.ERROR)


def test_what_waits_at_the_end_is_written() -> None:
    code = """
import logging
from withhold.serve.log import configure
configure()
logging.getLogger("withhold.x").info("last")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(ended.stderr)["event"] == "last"
