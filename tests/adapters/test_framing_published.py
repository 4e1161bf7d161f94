"""llhttp's own tests of answers: what it refuses is refused, and what it reads is read no further.

They are not kept here. `make test-published` reads them from a checkout of nodejs/llhttp (MIT), its
folder `test/response`; `test_framing.py` has the same classes of malformation in every run.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from withhold.adapters.framing import End, Fault, Framing, Head, Surplus

pytestmark = pytest.mark.published

TESTDATA = "WITHHOLD_LLHTTP_TESTDATA"
CASE = re.compile(
    r"^##+ (?P<name>[^\n]+)\n(?:(?!^##).)*?<!-- meta=(?P<meta>\{[^\n]*\}) -->\n"
    r"```http\n(?P<said>.*?)\n```\n(?:(?!^##).)*?```log\n(?P<log>.*?)\n```",
    re.MULTILINE | re.DOTALL,
)


def cases() -> Iterator[tuple[str, bytes, str]]:
    """Give each test of a strict parser: its name, the bytes, what llhttp says to them."""
    for file in sorted(Path(os.environ[TESTDATA]).glob("*.md")):
        for case in CASE.finditer(file.read_text("utf-8")):
            meta = json.loads(case["meta"])
            if meta["type"] in {"response", "response-finish"} and len(meta) == 1:
                yield f"{file.stem}: {case['name']}", bytes_of(case["said"]), case["log"]


def bytes_of(said: str) -> bytes:
    r"""Undo how llhttp writes them: a line ends with CRLF, `\` joins two, `\n` and so on count."""
    said = said.replace("\\\n", "").replace("\r\n", "\n").replace("\n", "\r\n")
    for written, meant in (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f")):
        said = said.replace(written, meant)
    said = re.sub(r"\\x([0-9a-fA-F]+)", lambda found: chr(int(found[1], 16)), said)
    return said.encode("utf-8")


def test_every_published_answer_is_judged_as_published_or_more_strictly() -> None:
    seen = 0
    for name, said, log in cases():
        seen += 1
        framing = Framing()
        events = [*framing.feed(said), *framing.close()]
        first, _, after = log.partition("message complete")
        while "status=1" in first:  # an interim answer, which is passed over
            first, _, after = after.partition("message complete")
        refused_at_first = "error code" in first
        ended = any(isinstance(event, End) for event in events)
        if refused_at_first:
            assert not ended, name
            assert isinstance(events[-1], Fault), name
        if ended and "message complete" in log:
            body = b"".join(event for event in events if isinstance(event, bytes))
            sizes = [int(size) for size in re.findall(r"len=(\d+) span\[body\]", first)]
            assert len(body) == sum(sizes), name
            assert any(isinstance(event, Head) for event in events), name
        if ended and "message begin" in after:
            assert any(isinstance(event, Surplus) for event in events), name
    assert seen >= 50, f"only {seen} tests were found: has their form changed?"
