"""Say what a change of configuration would newly disclose or withhold, exactly and not sampled.

OLD and NEW are configuration folders; `live` is what the running Withhold serves. Every instrument
is compared on every resource and field, for warrants that name the field and for those that don't.
The verdict is `equal`, `narrower`, `wider` or `incomparable`: anything else that decides changed.
A line gives a field, what of it differs, and the instruments under which it does.

  withhold diff config /path/of/new/config
  withhold diff live config
"""

import argparse
import base64
import binascii
from pathlib import Path

from withhold import config
from withhold.allowlist.diff import Change, Verdict, diff, verdict_of
from withhold.bundle import Bundle, parse_bundle
from withhold.commands.difference import joined
from withhold.commands.options import add_json
from withhold.commands.service import Unreachable, add_token_file, service
from withhold.terminal import Exit, Ink, out, out_json, paint, table

LIVE = "live"
_INK = {
    Verdict.EQUAL: Ink.DIM,
    Verdict.NARROWER: Ink.GREEN,
    Verdict.WIDER: Ink.RED,
    Verdict.INCOMPARABLE: Ink.YELLOW,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("old", metavar="OLD", help="a configuration folder, or live")
    parser.add_argument("new", metavar="NEW", help="a configuration folder, or live")
    add_json(parser)
    add_token_file(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and print the verdict and a row for each difference."""
    old, new = _load(arguments.old, arguments), _load(arguments.new, arguments)
    changes = diff((old.catalogue, old.policy), (new.catalogue, new.policy))
    verdict = verdict_of(changes)
    if arguments.json:
        out_json(
            {
                "verdict": verdict,
                "old": old.digest,
                "new": new.digest,
                "changes": [_as_json(change) for change in changes],
            }
        )
        return Exit.DONE
    out(paint(verdict, Ink.BOLD, _INK[verdict]))
    joint = list(joined(changes))
    for line, (change, _) in zip(table([row for _, row in joint]), joint, strict=True):
        out(paint(line, _INK[change.verdict]))
    return Exit.DONE


def _load(place: str, arguments: argparse.Namespace) -> Bundle:
    if place != LIVE:
        return config.load(Path(place)).bundle
    served = service(arguments).get("/bundle")
    try:
        files = {
            str(name): base64.b64decode(text, validate=True)
            for name, text in served["files"].items()
        }
    except (AttributeError, KeyError, TypeError, binascii.Error):
        files = {}
    if not files:
        message = "the service did not answer with its bundle"
        raise Unreachable(message)
    return parse_bundle(files)


def _as_json(change: Change) -> dict[str, object]:
    return {
        "verdict": change.verdict,
        "instrument": change.instrument,
        "resource": change.resource,
        "field": change.label,
        "old": change.old,
        "new": change.new,
        "for_warrants_that_name_the_field": change.named,
    }
