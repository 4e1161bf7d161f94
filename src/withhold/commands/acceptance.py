"""Accepting: serve a database that is not a continuation of what this machine saw of the log.

The verb `ledger accept`, for after a backup was restored on purpose. Receipts that were given out
since that backup are then in no log, and what was revoked since is in force again, so nothing else
does this. The log says that it was done, and what had been seen before.
"""

import argparse
import asyncio
import sys
from functools import partial
from pathlib import Path

from withhold import config
from withhold.adapters.anchor import read_anchor, replace_anchor
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.log import check_growth, read_frontier
from withhold.adapters.schema import read_clock_text
from withhold.commands.options import deployment_file
from withhold.deployment.model import Deployment
from withhold.errors import BadRequest, LedgerUnavailable, WithholdError
from withhold.ledger.entry import Entry, EntryType
from withhold.ledger.lines import print_base64
from withhold.ledger.tree import Frontier
from withhold.terminal import Exit, note, out, out_json, table


class NotAcceptedError(WithholdError):
    """The person at the terminal said no."""


def accept(arguments: argparse.Namespace) -> int:
    """Show what was seen and what there is, and accept it. Raises: BadRequest, OwnError."""
    deployment = config.load_deployment(deployment_file(arguments))
    anchor = config.anchor_file(deployment)
    return asyncio.run(_accept(arguments, deployment, anchor))


def entry_of_restore(at: str, had: Frontier | None, found: Frontier) -> Entry:
    """Tell that another log was accepted. `had`: what was seen before; None: nobody can say."""
    return Entry(
        EntryType.RESTORE,
        at,
        {
            "had": None if had is None else had.size,
            "had_root": None if had is None else print_base64(had.root),
            "size": found.size,
            "root": print_base64(found.root),
        },
    )


async def _accept(arguments: argparse.Namespace, deployment: Deployment, anchor: Path) -> int:
    url = config.read_reference(deployment.database_url)
    database = await asyncio.to_thread(Database, url)
    try:
        had = _noted(anchor)
        found = await database.read(read_frontier)
        why = "the note of what was seen is damaged"
        if had is not None:
            try:
                await database.read(partial(check_growth, seen=had, now=found))
            except LedgerUnavailable as error:
                why = error.message
            else:
                return _say(arguments, had, found, None)
        await asyncio.to_thread(_ask, arguments, had, found, why)
        ledger = SqlLedger(database)
        at = await database.read(read_clock_text)
        index = await ledger.append(entry_of_restore(at, had, found))
        # CRASH: the log says that it was accepted, and is refused as before: to be done again.
        replace_anchor(anchor, await ledger.frontier())
    finally:
        await asyncio.to_thread(database.close)
    return _say(arguments, had, found, index)


def _noted(anchor: Path) -> Frontier | None:
    try:
        return read_anchor(anchor)
    except LedgerUnavailable:
        return None


def _ask(arguments: argparse.Namespace, had: Frontier | None, found: Frontier, why: str) -> None:
    """Show what would be accepted, and ask. Raises: BadRequest, NotAcceptedError."""
    for line in table([("seen", _shown(had)), ("found", _shown(found)), ("refused", why)]):
        note(line)
    note("receipts since then are in no log; what was revoked since then is in force again")
    note("stop every node first, and do this on every machine")
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        message = "nobody can be asked: this is no terminal"
        raise BadRequest(message, "--yes accepts without asking")
    sys.stderr.write("accept this database? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        message = "not accepted, and nothing was changed"
        raise NotAcceptedError(message)


def _say(
    arguments: argparse.Namespace, had: Frontier | None, found: Frontier, index: int | None
) -> int:
    if arguments.json:
        sizes = {"had": None if had is None else had.size, "size": found.size}
        out_json({"accepted": index is not None, **sizes, "entry": index})
    elif index is None:
        out(f"nothing to accept: the log goes on from what was seen, size {found.size}")
    else:
        out(f"accepted: entry {index} of the log says so")
    return Exit.DONE


def _shown(frontier: Frontier | None) -> str:
    return "-" if frontier is None else f"size {frontier.size}, root {print_base64(frontier.root)}"
