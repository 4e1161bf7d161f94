"""Receipts: what was disclosed, listed and shown, and its sealed parts opened.

The verb `ledger show`; it asks a running Withhold (role `audit`).
"""

import argparse
import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, urlencode

from withhold.canonical import write_canonical
from withhold.commands.options import add_json
from withhold.commands.service import Json, Service, Unreachable, add_token_file, service
from withhold.errors import BadRequest, Unproven
from withhold.ledger.entry import open_sealed
from withhold.terminal import Exit, Ink, count, out, out_json, paint, printable, table, warn

_TARGET: Final = "--target is KIND=VALUE, such as phone=+442079460220"


def add_arguments(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `show` to the verbs of `withhold ledger`."""
    showing = kinds.add_parser("show", help="list disclosures, or show one, or its sealed parts")
    showing.add_argument(
        "receipt",
        nargs="?",
        metavar="RECEIPT|INDEX",
        help="a receipt's id (R-…), its handle (H-…), or any entry's index; without: list the last",
    )
    showing.add_argument(
        "--sealed",
        action="store_true",
        help="open the sealed parts: who asked, what was withheld; the log says that you did",
    )
    showing.add_argument(
        "--target",
        metavar="KIND=VALUE",
        help="ask whether this disclosure was about somebody; the log says that somebody asked",
    )
    showing.add_argument("--warrant", metavar="ID", help="list those under one warrant")
    showing.add_argument("--since", type=int, metavar="INDEX", help="list those from this entry on")
    showing.add_argument(
        "--limit", type=int, metavar="N", help="list so many at most (default: 50)"
    )
    add_json(showing)
    add_token_file(showing)
    showing.set_defaults(run=_show)


def _show(arguments: argparse.Namespace) -> int:
    listing = {name: getattr(arguments, name) for name in ("warrant", "since", "limit")}
    named = {name: value for name, value in listing.items() if value is not None}
    if arguments.receipt is None:
        if arguments.sealed or arguments.target is not None:
            raise BadRequest("of which receipt? `--sealed` and `--target` take one")
        return _list(arguments, named)
    if named:
        raise BadRequest(f"`--{next(iter(named))}` is for lists, and a receipt was named")
    if arguments.sealed and arguments.target is not None:
        raise BadRequest("`--sealed` and `--target` are two questions")
    return _show_one(arguments, f"/ledger/receipts/{quote(arguments.receipt, safe='')}")


def _show_one(arguments: argparse.Namespace, path: str) -> int:
    if arguments.target is not None:
        return _ask(arguments, path)
    if arguments.sealed:
        return _open(arguments, path)
    asked = service(arguments)
    document = _alone(asked, arguments.receipt) or asked.get(path)
    if arguments.json:
        out_json(document)
        return Exit.DONE
    is_alone = "public" in document
    for entry in [document] if is_alone else [*document["warrant"], *document["entries"]]:
        _show_entry(entry["index"], entry["public"])
    return Exit.DONE


def _alone(asked: Service, index: str) -> Json:
    """Give an entry that is of no disclosure; None where it is of one, pruned, or not there.

    `index`: as it was typed; a receipt's id is no index.
    """
    if not (index.isascii() and index.isdecimal()):
        return None
    found = asked.get(f"/ledger/entries?{urlencode({'since': index, 'limit': 1})}")["entries"]
    is_alone = found and found[0]["public"] is not None and "receipt" not in found[0]["public"]
    return found[0] if is_alone else None


def _list(arguments: argparse.Namespace, named: Mapping[str, str | int]) -> int:
    query = f"?{urlencode(named)}" if named else ""
    found = service(arguments).get(f"/ledger/receipts{query}")
    if arguments.json:
        out_json(found)
        return Exit.DONE
    rows = [["entry", "at", "receipt", "warrant", "resource", "outcome", "delivery", "bytes"]]
    rows += [_row(each) for each in found["receipts"]]
    heading, *lines = table(rows)
    out(paint(heading, Ink.BOLD))
    for line in lines:
        out(line)
    if found["next"] is not None:
        out(f"more: --since {found['next']}")
    return Exit.DONE


def _row(receipt: Json) -> list[str]:
    first = receipt["entries"][0]
    closed = [each["public"] for each in receipt["entries"] if each["public"]["type"] == "closing"]
    size = closed[0]["size_bytes"] if closed else None
    cells = [
        first["index"],
        first["public"]["at"],
        receipt["receipt"],
        first["public"]["warrant"],
        first["public"]["resource"],
        first["public"]["outcome"],
        closed[0]["outcome"] if closed else "-",
        "-" if size is None else size,
    ]
    return [printable(str(cell)) for cell in cells]


def _open(arguments: argparse.Namespace, path: str) -> int:
    found = service(arguments).get(f"{path}/sealed")
    for each in found["entries"]:
        _check_opened(each)
    if arguments.json:
        out_json(found)
        return Exit.DONE
    for each in found["entries"]:
        _show_entry(each["index"], each["public"] or {})
        if each["sealed"] is None:
            out("  the sealed part was pruned")
            continue
        out(paint("  sealed" if each["sealed"] else "  sealed: nothing", Ink.BOLD))
        for line in table(list(_members(each["sealed"])), indent="    "):
            out(line)
    warn(f"entry {found['reading']} of the log says that you opened this")
    return Exit.DONE


def _check_opened(entry: Json) -> None:
    """Check that a sealed part is the one that the public part commits to."""
    if entry["sealed"] is None or entry["public"] is None:
        return
    salt = b64decode(entry["salt"])
    try:
        open_sealed(write_canonical(entry["public"]), write_canonical(entry["sealed"]), salt)
    except Unproven as error:
        raise Unreachable(f"entry {entry['index']}: {error.message}") from None


def _ask(arguments: argparse.Namespace, path: str) -> int:
    kind, equals, value = arguments.target.partition("=")
    if not equals:
        raise BadRequest(_TARGET)
    body = json.dumps({"kind": kind, "value": value}).encode()
    found = service(arguments).post(f"{path}/target", body)
    if arguments.json:
        out_json(found)
    elif found["is_target"]:
        out(f"yes: one of the {count(found['targets'], 'target')} of this disclosure")
    else:
        out(f"no: none of the {count(found['targets'], 'target')} of this disclosure")
    warn(f"entry {found['reading']} of the log says that you asked")
    return Exit.DONE


def _show_entry(index: int, public: Json) -> None:
    kind = public.get("type", "of a type that was pruned")
    out(paint(f"entry {index}: {printable(str(kind))}", Ink.BOLD))
    for line in table(list(_members(public)), indent="  "):
        out(line)


def _members(part: Json) -> Iterator[tuple[str, str]]:
    """Give the members of a part, in words."""
    for name, value in part.items():
        if name != "type":
            yield printable(name), printable(_words(value))


def _words(value: Json) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_words(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return str(value)
