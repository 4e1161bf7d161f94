"""The addon for mitmproxy, in whose venv it runs: orjson in, the covered fields, orjson out."""

import json
import os
from pathlib import Path
from typing import Any

import orjson

SPECS: dict[str, Any] = json.loads(Path(os.environ["BENCH_SPECS"]).read_text(encoding="utf-8"))


def response(flow: Any) -> None:  # noqa: ANN401 - mitmproxy is not installed where types are checked
    """Filter an answer; mitmproxy calls it by this name."""
    spec = SPECS[flow.request.path]
    document = orjson.loads(flow.response.content)
    covered, rows = spec["covered"], spec["rows"]
    if rows is None:
        picked: Any = {name: document[name] for name in covered}
    else:
        picked = {rows: [{name: row[name] for name in covered} for row in document[rows]]}
    flow.response.content = orjson.dumps(picked)
