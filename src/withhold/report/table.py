"""CSV: a report's JSON as one long table. Pure. Source: RFC 4180.

Lines end in CRLF, the first one names the columns. CSV knows no comments, so what must be said of
the numbers stands in rows of the measure `notice`; a number that is not shown is `suppressed`.
"""

import csv
import io
from typing import Final

from withhold.report.document import Json

COLUMNS: Final = ("period", "country", "instrument", "category", "measure", "reason", "value")
NOTICE: Final = "notice"
SUPPRESSED: Final = "suppressed"

# What a spreadsheet would take for the beginning of a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(document: Json) -> str:
    """Write a report. Lines end in CRLF; encode it as UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    period = f"{document['period']['from']}/{document['period']['until']}"
    for about, says in _notices(document):
        writer.writerow([period, "", "", "", NOTICE, about, _plain(says)])
    for cell in document["cells"]:
        names = [cell[name] or "" for name in COLUMNS[1:6]]
        writer.writerow([period, *map(_plain, names), show_value(cell["value"])])
    return text.getvalue()


def show_value(value: Json) -> str:
    """Write a number, a band, or that it is not shown."""
    if value is None:
        return SUPPRESSED
    return f"{value['from']}-{value['to']}" if isinstance(value, dict) else str(value)


def _notices(document: Json) -> list[tuple[str, str]]:
    form, log = document["form"], document["log"]
    notices = [
        ("audience", document["audience"]),
        ("deployment", document["deployment"]),
        ("as_of", document["as_of"]),
        ("log_size", str(log["size"])),
    ]
    notices += [(f"log_{name}", log[name]) for name in ("root", "checkpoint") if log[name]]
    if "paragraph" in form:
        notices.append(("paragraph", f"{form['paragraph']}: {form['structure']}"))
        notices += [
            ("condition", f"{each['says']}: {'met' if each['met'] else 'NOT MET'}")
            for each in form["conditions"]
        ]
    return notices + [(note["about"], note["says"]) for note in document["notes"]]


def _plain(text: str) -> str:
    """Keep a spreadsheet from taking a name for a formula: none of the catalogue's begins so."""
    return f"'{text}" if text.startswith(_FORMULA) else text
