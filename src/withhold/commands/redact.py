r"""Minimize a recorded answer, with the same minimizer that the proxy uses and without any service.

Reads the answer (a file, else standard input) and writes to standard output what the warrant lets
out of it; a summary of counts goes to standard error. The warrant's signatures, state and validity
are not looked at. Addresses are tokenized under a key that is thrown away.

  withhold redact --warrant W.json --resource synapse/whois \
    --param user_id=@alice:example.test ANSWER.json
"""

import argparse
import secrets
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from withhold import config
from withhold.commands.documents import read_warrant
from withhold.commands.options import add_config, add_resource, config_folder, params
from withhold.commands.recorded import STANDARD_INPUT, as_document, read_answer, read_batches
from withhold.errors import Malformed, Mismatch
from withhold.kinds.token import KEY_SIZE_BYTES
from withhold.minimize.minimizer import Minimized, Minimizer
from withhold.minimize.tally import Tally
from withhold.terminal import Exit, note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_resource(parser)
    parser.add_argument(
        "answer",
        type=Path,
        nargs="?",
        default=STANDARD_INPUT,
        metavar="ANSWER.json",
        help="the recorded answer (default: -, standard input)",
    )
    parser.add_argument(
        "--ndjson", action="store_true", help="the answer is a stream: one document a line"
    )
    add_config(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Minimize an answer to standard output."""
    minimizer = config.load(config_folder(arguments)).minimizer(
        read_warrant(arguments.warrant),
        arguments.resource,
        params=params(arguments),
        token_key=secrets.token_bytes(KEY_SIZE_BYTES),
    )
    minimize = _stream if arguments.ndjson else _answer
    tally = minimize(minimizer, arguments.answer)
    for line in summary(minimizer, tally):
        note(line)
    return Exit.DONE


def summary(minimizer: Minimizer, tally: Tally) -> list[str]:
    """Say in counts what became of an answer."""
    covered = len(minimizer.allowlist.covered)
    lines = [
        f"allowlist  {minimizer.allowlist.digest}",
        f"fields     {covered} of {len(minimizer.allowlist.entries)} covered",
        f"records    {tally.records_disclosed} of {tally.records_seen} disclosed",
    ]
    withheld = ", ".join(f"{count} {reason}" for reason, count in tally.by_reason().items())
    return [*lines, f"withheld   {withheld or 'nothing within what is covered'}"]


def _answer(minimizer: Minimizer, path: Path) -> Tally:
    body = read_answer(path)
    with as_document(body):
        sys.stdout.buffer.write(minimizer.minimize(body) + b"\n")
    return minimizer.tally


def _stream(minimizer: Minimizer, path: Path) -> Tally:
    total, before = Tally(), 0
    for lines in read_batches(path):
        for minimized in _minimize(minimizer, lines, before):
            total.add(minimized.tally)
            sys.stdout.buffer.write(minimized.body or b"")
        before += lines.count(b"\n")
    return total


def _minimize(minimizer: Minimizer, lines: bytes, before: int) -> Iterator[Minimized]:
    """Minimize lines: all at one go, or up to the one that is wrong, which is named."""
    with suppress(Malformed, Mismatch):
        yield minimizer.run_lines(lines)
        return
    for number, line in enumerate(BytesIO(lines), before + 1):
        try:
            minimized = minimizer.run_lines(line)
        except (Malformed, Mismatch) as error:
            raise type(error)(f"line {number}: {error.message}", error.hint) from None
        yield minimized
