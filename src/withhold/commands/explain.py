r"""Say of each field of a resource whether a warrant lets it out, why, and which rule decided.

With a recorded answer (a file, or `-` for standard input) also how many of its records and values
were disclosed or withheld, and for what reason: counts, never values. Signatures are not looked at.

  withhold explain --warrant W.json --resource synapse/whois
  withhold explain --warrant W.json --resource synapse/whois \
    --param user_id=@alice:example.test ANSWER.json
"""

import argparse
import json
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from withhold import config
from withhold.allowlist.explain import Explanation, explain
from withhold.allowlist.model import Allowlist
from withhold.commands.documents import read_warrant
from withhold.commands.options import add_config, add_json, add_resource, config_folder, params
from withhold.commands.recorded import as_document, read_answer, read_lines
from withhold.kinds.token import KEY_SIZE_BYTES
from withhold.minimize.minimizer import Minimizer
from withhold.minimize.tally import Tally
from withhold.names import Reason, Treatment
from withhold.paths import Path as Place
from withhold.paths import Wild, print_path
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
    parser.add_argument(
        "--ndjson", action="store_true", help="the answer is a stream: one document a line"
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Explain, and count where there is an answer."""
    loaded = config.load(config_folder(arguments))
    warrant = read_warrant(arguments.warrant)
    counted: Counted | None = None
    if arguments.answer is None:
        allowlist = loaded.allowlist(warrant, arguments.resource)
    else:
        minimizer = loaded.minimizer(
            warrant,
            arguments.resource,
            params=params(arguments),
            token_key=secrets.token_bytes(KEY_SIZE_BYTES),
        )
        counted = _counted(minimizer, arguments)
        allowlist = minimizer.allowlist
    lines = explain(allowlist, None if counted is None else counted.tally.withheld)
    if arguments.json:
        out_json(_as_json(allowlist, lines, counted))
        return Exit.DONE
    out(f"{warrant.id} under {warrant.instrument} on {allowlist.resource.name}")
    out(f"allowlist {allowlist.digest}")
    out()
    for line in (*_table(lines, counted), *_withheld(counted)):
        out(line)
    return Exit.DONE


@dataclass(frozen=True)
class Counted:
    """What became of an answer, in counts."""

    tally: Tally
    disclosed: Counter[str]  # values, or keys, by place

    def of(self, each: Explanation) -> int:
        """Give how many values of a field left; variants of one path are counted together."""
        if each.label != f"{each.path} key":
            return 0 if each.treatment is Treatment.WITHHOLD else self.disclosed[each.path]
        # One key that has not its form makes ordinals of all of them.
        left = each.treatment is Treatment.DISCLOSE and not each.malformed
        return self.disclosed[each.label] if left else 0


def _counted(minimizer: Minimizer, arguments: argparse.Namespace) -> Counted:
    if arguments.ndjson:
        return _count(minimizer, read_lines(arguments.answer))
    body = read_answer(arguments.answer)
    with as_document(body):
        return _count(minimizer, [body])


def _count(minimizer: Minimizer, bodies: Iterable[bytes]) -> Counted:
    """Minimize, count what is in the output by its place, and let the output go."""
    places = {entry.field.path for entry in minimizer.allowlist.entries}
    counted = Counted(Tally(), Counter())
    for body in bodies:
        minimized = minimizer.run(body)
        counted.tally.add(minimized.tally)
        if minimized.body is not None:
            _count_places(json.loads(minimized.body), (), places, counted.disclosed)
    return counted


def _count_places(value: object, path: Place, places: set[Place], counts: Counter[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _count_places(item, (*path, Wild.ELEMENTS), places, counts)
    elif isinstance(value, dict):
        members = (*path, Wild.MEMBERS)
        keyed = any(place[: len(members)] == members for place in places)
        if keyed:
            counts[f"{print_path(members)} key"] += len(value)
        for name, item in value.items():
            _count_places(item, members if keyed else (*path, name), places, counts)
    else:
        counts[print_path(path)] += 1


def _table(lines: tuple[Explanation, ...], counted: Counted | None) -> list[str]:
    rows = [["field", "category", "kind", "treatment", "reason"]]
    rows += [[each.label, each.category, each.kind, each.treatment, each.reason] for each in lines]
    if counted is not None:
        counts = ["disclosed", *(str(counted.of(each)) for each in lines)]
        malformed = ["malformed", *(str(each.malformed) for each in lines)]
        rows = [
            [*row[:4], count, bad, row[4]]
            for row, count, bad in zip(rows, counts, malformed, strict=True)
        ]
    heading, *body = table(rows)
    return [paint(heading, Ink.BOLD)] + [
        paint(text, _INK[each.treatment]) for text, each in zip(body, lines, strict=True)
    ]


def _withheld(counted: Counted | None) -> list[str]:
    """Say what records were not there, and why."""
    if counted is None:
        return []
    tally = counted.tally
    rows = [
        [place, reason, str(count)]
        for (reason, place), count in sorted(tally.withheld.items())
        if reason != Reason.MALFORMED
    ]
    seen = f"records: {tally.records_disclosed} of {tally.records_seen} disclosed"
    return ["", seen, *table(rows, indent="  ")]


def _as_json(
    allowlist: Allowlist, lines: tuple[Explanation, ...], counted: Counted | None
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
                **({} if counted is None else {"disclosed": counted.of(each)}),
            }
            for each in lines
        ],
    }
    if counted is not None:
        tally = counted.tally
        document["records"] = {"seen": tally.records_seen, "disclosed": tally.records_disclosed}
        document["withheld"] = [
            {"place": place, "reason": reason, "count": count}
            for (reason, place), count in sorted(tally.withheld.items())
        ]
    return document
