"""The ledger outside: copies of the log, their verification, and receipts for a court.

`verify` asks nobody: it takes a copy (or a receipt's proof), the log's key, and checkpoints or
witnesses' keys that came another way. `export` and `show` ask a running Withhold. `accept` is for
the machine of a node, after its database was restored from a backup.

  withhold ledger export copy --token-file auditor.token
  withhold ledger verify copy --key VKEY --checkpoint noted-last-month
  withhold ledger show
  withhold ledger prove R-…
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from withhold.adapters.copies import read_files
from withhold.commands import exhibit, receipts
from withhold.commands.acceptance import accept
from withhold.commands.mirror import export
from withhold.commands.options import add_config, add_json
from withhold.commands.service import add_token_file
from withhold.commands.trust import add_trust, hint_on, log_keys, origin_of, trusted, witness_keys
from withhold.errors import BadRequest
from withhold.ledger.copy import Keys, Verdict, verify_copy
from withhold.ledger.findings import Finding
from withhold.ledger.lines import print_base64
from withhold.terminal import Exit, Ink, count, out, out_json, paint, printable, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the commands take."""
    kinds = parser.add_subparsers(title="what to do", metavar="VERB", required=True)
    _add_verify(kinds)
    receipts.add_arguments(kinds)
    exhibit.add_arguments(kinds)
    _add_export(kinds)
    accepting = kinds.add_parser("accept", help="serve a database that was set back on purpose")
    accepting.add_argument(
        "--yes", action="store_true", help="accept without asking; needed where no terminal is"
    )
    add_config(accepting)
    add_json(accepting)
    accepting.set_defaults(run=accept)


def _add_verify(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verifying = kinds.add_parser("verify", help="verify a copy, or a receipt's proof, offline")
    verifying.add_argument(
        "copy", type=Path, metavar="COPY", help="the folder of a copy, or the file of a proof"
    )
    add_trust(verifying)
    verifying.add_argument(
        "--body", type=Path, metavar="FILE", help="of a proof: the answer that was received"
    )
    add_json(verifying)
    verifying.set_defaults(run=_verify)


def _add_export(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    exporting = kinds.add_parser("export", help="copy the log into a folder, or what is new of it")
    exporting.add_argument("folder", type=Path, metavar="DIR", help="the copy, new or to go on")
    exporting.add_argument(
        "--entries",
        action="store_true",
        help="public parts, too: who sees them sees what was disclosed (role audit)",
    )
    exporting.add_argument(
        "--since-size",
        type=int,
        metavar="N",
        help="leave out what a copy of this size has: to be laid over one",
    )
    exporting.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VKEY|FILE",
        help="verify what the log signs before anything is written",
    )
    exporting.add_argument("--origin", metavar="NAME", help="as `verify` takes it")
    add_json(exporting)
    add_token_file(exporting)
    exporting.set_defaults(run=export)


def _verify(arguments: argparse.Namespace) -> int:
    """Verify a copy, or have a proof verified. Raises: BadRequest, OSError."""
    log = log_keys(arguments)
    keys = Keys(origin_of(arguments, log), log, witness_keys(arguments))
    if not arguments.copy.exists():
        raise BadRequest(f"there is no folder or file `{arguments.copy}`")
    if not arguments.copy.is_dir():
        return exhibit.verify_file(arguments, keys, trusted(arguments))
    if arguments.body is not None:
        raise BadRequest("`--body` is for the proof of one receipt, and this is a copy")
    found = verify_copy(read_files(arguments.copy), keys, trusted(arguments))
    if arguments.json:
        out_json(_as_json(found))
    else:
        for line in _described(found):
            out(line)
    return Exit.FAULT if found.faults else Exit.DONE


def _described(found: Verdict) -> list[str]:
    """Give the lines of a verdict."""
    rows = []
    if found.checkpoint is not None:
        rows.append(("log", printable(found.checkpoint.origin)))
        rows.append(("size", str(found.checkpoint.size)))
    rows.append(("whole", _whole(found)))
    rows.append(("shown", _shown(found)))
    rows += [
        ("witnessed", f"by {printable(each.witness)}, size {each.size}, at {_time(each.time_s)}")
        for each in found.sightings
    ]
    rows.append(("end", _end(found)))
    lines = table(rows)
    lines += [f"{paint('warning:', Ink.YELLOW)} {_printed(each)}" for each in found.warnings]
    lines += [f"{paint('fault:', Ink.RED, Ink.BOLD)} {_printed(each)}" for each in found.faults]
    hints = dict.fromkeys(filter(None, (hint_on(each.message) for each in found.faults)))
    lines += [f"{paint('hint:', Ink.DIM)} {each}" for each in hints]
    return lines


def _whole(found: Verdict) -> str:
    size = 0 if found.checkpoint is None else found.checkpoint.size
    if not found.faults:
        return paint("all of it", Ink.GREEN)
    return f"the first {found.whole} of {size} entries; {count(len(found.faults), 'fault')}"


def _shown(found: Verdict) -> str:
    if found.statements is None:
        return "hashes only"
    return f"the public parts of {found.statements} entries"


def _end(found: Verdict) -> str:
    size = 0 if found.checkpoint is None else found.checkpoint.size
    if found.proven == size and size:
        return "proven"
    if found.proven:
        return f"proven up to size {found.proven}; who holds the key can have cut off what follows"
    return "unproven: no checkpoint from elsewhere agrees; who holds the key can have cut it off"


def _time(time_s: int) -> str:
    try:
        return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{time_s} s after 1970"


def _printed(finding: Finding) -> str:
    return f"{printable(finding.place)}: {printable(finding.message)}"


def _as_json(found: Verdict) -> object:
    head = found.checkpoint
    return {
        "whole": not found.faults,
        "origin": None if head is None else head.origin,
        "size": None if head is None else head.size,
        "root": None if head is None else print_base64(head.root),
        "whole_to": found.whole,
        "proven_to": found.proven,
        "public_parts": found.statements,
        "witnesses": [
            {"name": each.witness, "size": each.size, "time_s": each.time_s}
            for each in found.sightings
        ],
        "faults": [_finding(each) for each in found.faults],
        "warnings": [_finding(each) for each in found.warnings],
    }


def _finding(finding: Finding) -> object:
    return {"place": finding.place, "entry": finding.index, "message": finding.message}
