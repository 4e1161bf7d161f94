r"""Say of each field of a resource whether a warrant lets it out, why, and which rule decided.

With a recorded answer (a file, or `-` for standard input) also how many of its records and values
were disclosed or withheld, and for what reason: counts, never values. Signatures are not looked at.

  withhold explain --warrant W.json --resource synapse/whois
  withhold explain --warrant W.json --resource synapse/whois \
    --param user_id=@alice:example.test ANSWER.json
"""

import argparse
import secrets
from pathlib import Path

from withhold import config
from withhold.allowlist.explain import Explanation, explain
from withhold.allowlist.model import Allowlist
from withhold.commands.documents import read_warrant
from withhold.commands.options import add_config, add_json, add_resource, config_folder, params
from withhold.commands.recorded import read_file, read_input
from withhold.kinds.token import KEY_SIZE_BYTES
from withhold.minimize.tally import Tally
from withhold.names import Treatment
from withhold.terminal import Exit, Ink, out, out_json, paint, table

_INK = {
    Treatment.DISCLOSE: Ink.GREEN,
    Treatment.TOKENIZE: Ink.YELLOW,
    Treatment.GENERALIZE: Ink.YELLOW,
    Treatment.WITHHOLD: Ink.DIM,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_resource(parser)
    parser.add_argument(
        "answer",
        type=Path,
        nargs="?",
        metavar="ANSWER.json",
        help="a recorded answer to count in; - reads standard input",
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Explain, and count where there is an answer."""
    loaded = config.load(config_folder(arguments))
    warrant = read_warrant(arguments.warrant)
    tally: Tally | None = None
    if arguments.answer is None:
        allowlist = loaded.allowlist(warrant, arguments.resource)
    else:
        minimizer = loaded.minimizer(
            warrant,
            arguments.resource,
            params=params(arguments),
            token_key=secrets.token_bytes(KEY_SIZE_BYTES),
        )
        read = read_input if str(arguments.answer) == "-" else lambda: read_file(arguments.answer)
        minimizer.minimize(read())
        allowlist, tally = minimizer.allowlist, minimizer.tally
    lines = explain(allowlist, None if tally is None else tally.withheld)
    if arguments.json:
        out_json(_as_json(allowlist, lines, tally))
        return Exit.DONE
    out(f"{warrant.id} under {warrant.instrument} on {allowlist.resource.name}")
    out(f"allowlist {allowlist.digest}")
    out()
    for line in _table(lines):
        out(line)
    for line in _counts(tally):
        out(line)
    return Exit.DONE


def _table(lines: tuple[Explanation, ...]) -> list[str]:
    rows = [["field", "category", "kind", "treatment", "reason"]]
    for each in lines:
        malformed = f", {each.malformed} malformed" if each.malformed else ""
        rows.append(
            [each.label, each.category, each.kind, each.treatment, f"{each.reason}{malformed}"]
        )
    heading, *body = table(rows)
    return [paint(heading, Ink.BOLD)] + [
        paint(text, _INK[each.treatment]) for text, each in zip(body, lines, strict=True)
    ]


def _counts(tally: Tally | None) -> list[str]:
    if tally is None:
        return []
    rows = [
        [place, reason, str(count)]
        for (reason, place), count in sorted(tally.withheld.items(), key=lambda item: item[0])
    ]
    seen = f"records: {tally.records_disclosed} of {tally.records_seen} disclosed"
    return ["", seen, *table(rows, indent="  ")]


def _as_json(
    allowlist: Allowlist, lines: tuple[Explanation, ...], tally: Tally | None
) -> dict[str, object]:
    document: dict[str, object] = {
        "resource": allowlist.resource.name,
        "allowlist": allowlist.digest,
        "fields": [
            {
                "field": each.label,
                "path": each.path,
                "category": each.category,
                "kind": each.kind,
                "means": each.means,
                "treatment": each.treatment,
                "reason": each.reason,
                "rule": each.rule or None,
            }
            for each in lines
        ],
    }
    if tally is not None:
        document["records"] = {"seen": tally.records_seen, "disclosed": tally.records_disclosed}
        document["withheld"] = [
            {"place": place, "reason": reason, "count": count}
            for (reason, place), count in sorted(tally.withheld.items())
        ]
    return document
