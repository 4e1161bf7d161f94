"""Mirroring: a folder follows the log of a running Withhold. The verb `ledger export`.

Only what is new is fetched, and of the tree only its entries: tiles are hashed here. The folder is
touched when what was fetched makes, on top of what was there, the root that the log signed; so a
log that was rewritten is found out, and the old copy kept.
"""

import argparse
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from withhold.adapters.copies import Stage, read_files, staged
from withhold.canonical import write_canonical
from withhold.commands.service import Service, Unreachable, service
from withhold.commands.trust import log_keys, origin_of
from withhold.errors import BadRequest, Unproven
from withhold.ledger.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from withhold.ledger.growth import extend_statements, extend_tiles, outgrown, root_of_copy
from withhold.ledger.note import parse_note
from withhold.ledger.tiles import CHECKPOINT_PATH, WIDTH
from withhold.ledger.walk import WITNESSED_PATH, Files
from withhold.terminal import Exit, note, out, out_json, printable

PAGE: Final = 1_024  # public parts that are asked for at once

_KEEP: Final = "the copy is as it was; keep it: it shows what the log was"
_VERIFY: Final = "`withhold ledger verify` says where; export into another folder"


@dataclass(frozen=True, slots=True)
class _Head:
    """What the log says of itself now."""

    checkpoint: Checkpoint
    note: bytes
    witnessed: bytes | None


def export(arguments: argparse.Namespace) -> int:
    """Write a copy, or bring one up to date. Raises: Unproven, Unreachable, Refused, OSError."""
    folder: Path = arguments.folder
    with staged(folder) as stage, service(arguments).connected() as caller:
        files = read_files(folder)
        head = _ask(arguments, caller)
        had = _old_size(arguments, files, head.checkpoint)
        with_entries = arguments.entries or files.has_statements
        paths = _fetch_tiles(stage, caller, head.checkpoint, had, files)
        if with_entries:
            paths += _fetch_statements(stage, caller, head.checkpoint.size, had, files)
        _publish(stage, head, paths)
    size, origin = head.checkpoint.size, head.checkpoint.origin
    if arguments.json:
        facts = {"folder": str(folder), "origin": origin, "size": size, "had": had}
        out_json({**facts, "entries": with_entries})
    else:
        what = "hashes and public parts" if with_entries else "hashes only"
        out(f"{folder}: the log {printable(origin)}, size {size}, {size - had} new; {what}")
        if head.witnessed is None:
            note("no witness has signed this log: its end is proven by a later checkpoint only")
    return Exit.DONE


def _ask(arguments: argparse.Namespace, caller: Service) -> _Head:
    """Ask what the log is now. What witnesses signed is asked for first: it must not be newer."""
    witnessed = caller.fetch("/ledger/witnessed") or None
    signed = caller.fetch("/ledger/checkpoint")
    if arguments.key:
        keys = log_keys(arguments)
        return _Head(verify_checkpoint(signed, origin_of(arguments, keys), keys), signed, witnessed)
    return _Head(parse_checkpoint(parse_note(signed).text), signed, witnessed)


def _old_size(arguments: argparse.Namespace, files: Files, new: Checkpoint) -> int:
    """Tell how much of the log is there already. Raises: BadRequest, Unproven."""
    if arguments.since_size is not None:
        if files.paths:
            raise BadRequest("`--since-size` is for an empty folder: others know how far they are")
        if not 0 <= arguments.since_size <= new.size:
            raise BadRequest(f"the log's size is {new.size}, less than `--since-size`")
        return int(arguments.since_size)
    if not files.paths:
        return 0
    data = files.get(CHECKPOINT_PATH)
    if data is None:
        raise BadRequest("the folder is not empty, and holds no copy of a log")
    old = parse_checkpoint(parse_note(data).text)
    if old.origin != new.origin:
        raise Unproven("the folder holds a copy of another log", _KEEP)
    if old.size > new.size:
        message = f"the log was set back: it had {old.size} entries, and has {new.size}"
        raise Unproven(message, _KEEP)
    if not _is_whole(old, files):
        raise Unproven("the copy that is there is damaged", _VERIFY)
    return old.size


def _is_whole(old: Checkpoint, files: Files) -> bool:
    """Tell whether what the log is extended from is there; `verify` looks at all of it."""
    try:
        return root_of_copy(old.size, files.read) == old.root
    except Unproven:
        return False


def _fetch_tiles(
    stage: Stage, caller: Service, new: Checkpoint, had: int, files: Files
) -> list[str]:
    """Write the tiles and bundles that are new, and check that all together are the log."""

    def there(path: str) -> bytes:
        return caller.fetch(f"/ledger/{path}")

    # Without a copy of what was before, its right edge is the log's own.
    here = files.read if files.paths else there
    paths = []
    for path, data in extend_tiles(had, new.size, here, there):
        stage.write(path, data)
        paths.append(path)
    written = frozenset(paths)

    def read(path: str) -> bytes:
        return stage.read(path) if path in written else here(path)

    if root_of_copy(new.size, read) != new.root:
        if had and files.paths and root_of_copy(had, there) != root_of_copy(had, here):
            raise Unproven(f"the log was rewritten: its first {had} entries are others", _KEEP)
        raise Unproven("what the log gave is not what it signed", _KEEP)
    return paths


def _fetch_statements(
    stage: Stage, caller: Service, size: int, had: int, files: Files
) -> list[str]:
    """Write the public parts that are new: all, where there were none."""
    if not files.has_statements:
        had = had // WIDTH * WIDTH if not files.paths else 0

    def publics(first: int, count: int) -> Sequence[bytes | None]:
        found: list[bytes | None] = []
        while len(found) < count:
            found += _page(caller, first + len(found), min(PAGE, count - len(found)))
        return found

    paths = []
    for path, data in extend_statements(had, size, files.read, stage.read, publics):
        stage.write(path, data)
        paths.append(path)
    return paths


def _page(caller: Service, since: int, limit: int) -> list[bytes | None]:
    answer = caller.get(f"/ledger/entries?since={since}&limit={limit}")
    found: list[tuple[int, bytes | None]] = []
    with contextlib.suppress(KeyError, TypeError, ValueError):
        for each in answer["entries"]:
            public = each["public"]
            found.append((each["index"], None if public is None else write_canonical(public)))
    if not found or [index for index, _ in found] != [*range(since, since + len(found))]:
        message = "the service did not answer with entries of the ledger"
        raise Unreachable(message)
    return [public for _, public in found]


def _publish(stage: Stage, head: _Head, paths: Sequence[str]) -> None:
    """Move all to its place; the checkpoint last, and then remove what has outgrown."""
    heads = [CHECKPOINT_PATH]
    if head.witnessed is not None:
        stage.write(WITNESSED_PATH, head.witnessed)
        heads = [CHECKPOINT_PATH, WITNESSED_PATH]
    stage.write(CHECKPOINT_PATH, head.note)
    for path in paths:
        stage.publish(path)
    stage.settle()
    for path in heads:
        stage.publish(path)
    stage.settle()
    stage.remove(outgrown(read_files(stage.folder).paths, head.checkpoint.size))
