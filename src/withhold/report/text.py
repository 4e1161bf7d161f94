"""JSON: a report as it is kept in a file. Pure."""

import json

from withhold.report.document import Json


def write_json(document: Json) -> str:
    """Write a report, indented, its text as it is; encode it as UTF-8."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
