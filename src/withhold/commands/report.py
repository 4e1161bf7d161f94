"""Make the transparency report of a period: orders, people, what was disclosed and withheld.

For publication: numbers below 5 (--suppress N) are not shown, nor any that would tell them; or
--bands gives the bands of 50 U.S.C. 1874. --exact shows all, orders under secrecy too: the report
then says INTERNAL. The period is [from, until) in UTC; what each number counts stands in the page.

  withhold report --from 2026-01-01 --until 2026-07-01 --format html --out report.html
  withhold report --from 2026-01-01 --until 2027-01-01 --format csv --country EU --country US
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from withhold.commands.service import Json, add_token_file, service
from withhold.errors import WithholdError
from withhold.report.document import INTERNAL, VERSION, write_json
from withhold.report.page import write_html
from withhold.report.suppress import DEFAULT_THRESHOLD
from withhold.report.table import write_csv
from withhold.terminal import Exit, printable, warn

TIMEOUT_S: Final = 900.0  # a log of millions of entries is read from its beginning
FORMATS: Final[Mapping[str, Callable[[Json], str]]] = {
    "html": write_html,
    "csv": write_csv,
    "json": write_json,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--from", required=True, metavar="DAY", help="the first day, or an RFC 3339 date-time"
    )
    parser.add_argument(
        "--until", required=True, metavar="DAY", help="the day after the last, or a date-time"
    )
    parser.add_argument("--format", required=True, choices=list(FORMATS), help="what to write")
    parser.add_argument(
        "--country",
        action="append",
        default=[],
        metavar="NAME",
        help="only this jurisdiction, such as EU; more than once if need be",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--exact", action="store_true", help="for inside use: every number")
    form.add_argument(
        "--suppress",
        metavar="N",
        help=f"do not show numbers below N (default: {DEFAULT_THRESHOLD})",
    )
    form.add_argument(
        "--bands",
        metavar="1000|500|250|100",
        help="the bands of 50 U.S.C. 1874(a)(1), (2), (3) or (4)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to a file")
    add_token_file(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask for the report and write it."""
    document = service(arguments).get(f"/report?{_query(arguments)}", timeout_s=TIMEOUT_S)
    if document.get("version") != VERSION:
        message = "the service makes reports of a version that this command does not know"
        raise WithholdError(message, "use the command of the version that serves")
    text = FORMATS[arguments.format](document).encode()
    if arguments.out is not None:
        _write(arguments.out, text, private=document["audience"] == INTERNAL)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text)  # its line ends are the format's, not the system's
    for warning in _warnings(document):
        warn(*warning)
    return Exit.DONE


def _warnings(document: Json) -> Iterator[tuple[str, str]]:
    """Give what is probably not meant, and what to do about it."""
    for condition in document["form"].get("conditions", ()):
        if not condition["met"]:
            yield f"50 U.S.C. 1874(b) is not met: {condition['says']}", ""
    until = datetime.fromisoformat(document["period"]["until"])
    if until > datetime.fromisoformat(document["as_of"]):
        yield "the period has not ended: its numbers may still grow", "make it again afterwards"
    told = {cell["country"] for cell in document["cells"]}
    for country in document["countries"] or ():
        if country not in told:
            said = f"no number is about `{printable(country)}`"
            yield said, "--country takes an instrument's jurisdiction, as the policy writes it"


def _query(arguments: argparse.Namespace) -> str:
    pairs = [("from", getattr(arguments, "from")), ("until", arguments.until)]
    pairs += [("country", country) for country in arguments.country]
    if arguments.exact:
        pairs.append(("exact", "yes"))
    if arguments.suppress is not None:
        pairs.append(("suppress", arguments.suppress))
    if arguments.bands is not None:
        pairs.append(("bands", arguments.bands))
    return urlencode(pairs)


def _write(path: Path, content: bytes, *, private: bool) -> None:
    """Write a file; one with exact numbers is its owner's from its first byte."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with open(os.open(path, flags, 0o600 if private else 0o666), "wb") as file:  # noqa: PTH123 - a descriptor
        if private:
            os.fchmod(file.fileno(), 0o600)  # it may have been there before
        file.write(content)
