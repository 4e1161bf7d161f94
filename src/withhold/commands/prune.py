r"""Make what was kept long enough to be no more; the log verifies as before.

  sealed    of entries of before DATE: who asked, whom it was about, what was withheld
  keys      the token keys of warrants that were over before DATE: destroyed for good
  warrants  the documents of warrants that were over before DATE; id, digest and state stay
  all       these three
  public    of disclosures of before DATE, also what was disclosed: only their leaves stay

A warrant that is not over is a hold: nothing about it is touched. DATE is at least as long ago as
`[retention] least_days` of the deployment file says; who pruned, looked or revealed always stays.
Each batch is entered in the log; what breaks off is finished by doing it again. Backups hold what
they held: see docs/retention.md.

  withhold prune --before 2024-01-01 --dry-run
  withhold prune --before 2024-01-01 --what sealed
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Final

from withhold.adapters.pruning import What
from withhold.commands.options import add_json
from withhold.commands.service import Service, Unreachable, add_token_file, service
from withhold.errors import BadRequest
from withhold.kinds.instant import parse_from, print_instant
from withhold.terminal import Exit, out, out_json, table

_ALL: Final = (What.SEALED, What.KEYS, What.WARRANTS)
_CHOICES: Final[Mapping[str, Sequence[What]]] = {
    **{what.value: (what,) for what in What},
    "all": _ALL,
}
_MEANS: Final = {
    What.SEALED: "sealed parts of entries",
    What.KEYS: "token keys",
    What.WARRANTS: "documents of warrants",
    What.PUBLIC: "entries of disclosures, to their leaves",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--before", required=True, metavar="DATE", help="a day (UTC), or an RFC 3339 date-time"
    )
    parser.add_argument(
        "--what",
        choices=list(_CHOICES),
        default="all",
        metavar="WHAT",
        help=f"{' | '.join(_CHOICES)} (default: all)",
    )
    parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    add_json(parser)
    add_token_file(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prune batch by batch, and say how much it was."""
    before = parse_from(arguments.before)
    if before is None:
        message = "`--before` is neither a day nor a time with an offset"
        raise BadRequest(message, "such as 2024-01-01")
    caller = service(arguments)
    request = {"before": print_instant(before), "dry_run": arguments.dry_run}
    counts = {
        what: _prune(caller, {**request, "what": what.value}) for what in _CHOICES[arguments.what]
    }
    if arguments.json:
        out_json({**request, "pruned": {what.value: count for what, count in counts.items()}})
        return Exit.DONE
    out("would be pruned:" if arguments.dry_run else "pruned:")
    for line in table([(f"{count}", _MEANS[what]) for what, count in counts.items()]):
        out(line)
    return Exit.DONE


def _prune(caller: Service, request: Mapping[str, object]) -> int:
    """Prune all of one thing; gives how many."""
    count, since = 0, 0
    while True:
        body = json.dumps({**request, "since": since}).encode()
        batch = caller.post("/prune", body)
        try:
            count += int(batch["count"])
            following = batch["next"]
        except (KeyError, TypeError, ValueError):
            following = since
        if following is None:
            return count
        if not isinstance(following, int) or following <= since:
            message = "the service did not answer with how far it is"
            raise Unreachable(message)
        since = following
