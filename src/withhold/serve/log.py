"""Logs: one JSON object a line on standard error, with nothing personal in it (law 6).

What Withhold itself logs is an event's name and counts, labels and digests. What a library logs is
not ours to vouch for: an access path, a bound parameter or an exception's text can hold anything,
so of a foreign record only its place in the code and the type of its exception are written.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

OURS: Final = "withhold"
_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message"}
_AS_THEY_ARE: Final = frozenset({str, int, float, bool, type(None)})
MAX_FRAMES: Final = 12


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line. Our own records carry their facts as `extra`."""
        second, fraction = divmod(record.created, 1)
        line: dict[str, object] = {
            "at": f"{_print_second(int(second))}.{int(fraction * 1_000):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if record.name.partition(".")[0] == OURS:
            line["event"] = record.getMessage()
            for name, fact in vars(record).items():
                if name not in _PLAIN:
                    line[name] = fact if type(fact) in _AS_THEY_ARE else str(fact)
        else:
            line["event"] = "library"
            line["place"] = f"{record.module}:{record.lineno}"
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])[-MAX_FRAMES:]
            line["frames"] = [f"{_module(f.filename)}:{f.lineno} {f.name}" for f in frames]
        text = msgspec.json.encode(line)  # a fifth of what the other takes, once a request
        return text.decode("ascii") if text.isascii() else json.dumps(line, ensure_ascii=True)


def configure(level: int = logging.INFO) -> None:
    """Send every logger's records to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(OURS).setLevel(level)
    # What no line says need not be found out for each record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # A record that can't be formatted must not print its arguments to standard error.
    logging.raiseExceptions = False


@lru_cache(maxsize=8)  # all lines of a second say the same
def _print_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _module(path: str) -> str:
    """Name a file by its last two parts: where Python is installed is nobody's business."""
    return "/".join(path.split("/")[-2:])
