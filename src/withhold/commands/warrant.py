r"""Sign, register, approve, suspend, resume, revoke, close, list and show warrants.

Signing happens here, with a key that never leaves this machine; the service is sent the signed
document only. A role is enough to end a warrant's access. To begin it takes intake's signature and
those of approvers, and to resume it takes an approver's signature made just now.

  withhold warrant sign --key intake-1.key --role intake --signer intake-1 \
    --deployment example-prod W.json > W.jws
  withhold warrant register W.jws
  withhold warrant approve W-2026-0117-k7wqz4 --key approver-1.key --signer approver-1

`explain` says what a warrant would let out, before anybody signs it.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from withhold.adapters.keyfiles import load_signer_key
from withhold.clock import read_clock
from withhold.commands.documents import describe, naming, read_document
from withhold.commands.options import add_json
from withhold.commands.service import Service, Unreachable, add_token_file, service
from withhold.errors import BadRequest, WarrantError, WithholdError
from withhold.names import SignerRole
from withhold.terminal import (
    Exit,
    Ink,
    note,
    out,
    out_json,
    paint,
    printable,
    table,
    warn,
)
from withhold.warrant.parse import parse_warrant
from withhold.warrant.signed import add_signature, is_signed, parse_signed

_PRUNED = "the document was pruned: only id, digest and state are left"
_STATES = {"active": Ink.GREEN, "pending": Ink.YELLOW, "suspended": Ink.YELLOW}


class NotSigned(WithholdError):
    """The person at the terminal said no."""


class Pruned(WithholdError):
    """What was asked for is no more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the commands take."""
    verbs = parser.add_subparsers(title="what to do", metavar="VERB", required=True)
    sign = verbs.add_parser(
        "sign", help="sign a warrant's JSON, or add a signature to a signed one"
    )
    sign.add_argument("document", type=Path, metavar="W.json|W.jws", help="what to sign")
    _add_key(sign)
    sign.add_argument(
        "--role",
        required=True,
        choices=[role.value for role in SignerRole],
        metavar="intake|approve",
        help="what the signature means",
    )
    sign.add_argument(
        "--deployment", required=True, metavar="NAME", help="the deployment it is for, and no other"
    )
    sign.set_defaults(run=_sign)

    register = verbs.add_parser("register", help="hand in a signed warrant")
    register.add_argument("document", type=Path, metavar="W.jws", help="the signed document")
    _add_service(register)
    register.set_defaults(run=_register)

    for verb, does, run in (
        ("approve", "see a pending warrant, sign it here, hand in the signature", _approve),
        ("resume", "bring a suspended warrant back, signed anew by an approver", _resume),
    ):
        signing = verbs.add_parser(verb, help=does)
        _add_id(signing)
        _add_key(signing)
        signing.add_argument(
            "--yes", action="store_true", help="sign without asking; needed where no terminal is"
        )
        _add_service(signing)
        signing.set_defaults(run=run)

    for verb, does in (
        ("suspend", "stop a warrant for now"),
        ("revoke", "end a warrant for good: it should not have been followed"),
        ("close", "end a warrant for good: it has been followed; destroys its token key"),
    ):
        moving = verbs.add_parser(verb, help=does)
        _add_id(moving)
        _add_service(moving)
        moving.set_defaults(run=_move, verb=verb)

    listing = verbs.add_parser("list", help="list all warrants, newest first")
    _add_service(listing)
    listing.set_defaults(run=_list)

    showing = verbs.add_parser("show", help="show all that a warrant says, its targets too")
    _add_id(showing)
    showing.add_argument(
        "--document", action="store_true", help="write the signed document and nothing else"
    )
    _add_service(showing)
    showing.set_defaults(run=_show)


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the warrant's id")


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the private key (mode 0600)"
    )
    parser.add_argument(
        "--signer", required=True, metavar="NAME", help="the key's name in the deployment file"
    )


def _add_service(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_token_file(parser)


def _sign(arguments: argparse.Namespace) -> int:
    document, key = read_document(arguments.document), load_signer_key(arguments.key)
    with naming(arguments.document):
        _describe(document)
        signed = add_signature(
            document,
            key,
            key_id=arguments.signer,
            role=SignerRole(arguments.role),
            deployment=arguments.deployment,
            signed_at=read_clock(),
        )
    sys.stdout.buffer.write(signed + b"\n")
    return Exit.DONE


def _register(arguments: argparse.Namespace) -> int:
    document = read_document(arguments.document)
    with naming(arguments.document):  # what is wrong with it can be said without the service
        if not is_signed(document):
            message = "not signed"
            raise WarrantError(message, "`withhold warrant sign` does it")
        parse_signed(document)
    return _show_standing(arguments, service(arguments).post("/warrants", document.strip()))


def _approve(arguments: argparse.Namespace) -> int:
    _refuse_to_sign_unasked(arguments)
    caller, key = service(arguments), load_signer_key(arguments.key)
    document, deployment = _fetch(caller, arguments.id)
    _ask(arguments, document, "approve this warrant")
    signed = add_signature(
        document,
        key,
        key_id=arguments.signer,
        role=SignerRole.APPROVE,
        deployment=deployment,
        signed_at=read_clock(),
    )
    return _show_standing(arguments, caller.post(f"{_path(arguments)}/signatures", signed))


def _resume(arguments: argparse.Namespace) -> int:
    _refuse_to_sign_unasked(arguments)
    caller, key = service(arguments), load_signer_key(arguments.key)
    document, deployment = _fetch(caller, arguments.id)
    _ask(arguments, document, "resume this warrant")
    # A signature of its own over the same payload: the earlier ones are not sent again.
    signed = add_signature(
        parse_signed(document).payload,
        key,
        key_id=arguments.signer,
        role=SignerRole.APPROVE,
        deployment=deployment,
        signed_at=read_clock(),
    )
    return _show_standing(arguments, caller.post(f"{_path(arguments)}/resume", signed))


def _move(arguments: argparse.Namespace) -> int:
    moved = service(arguments).post(f"{_path(arguments)}/{arguments.verb}")
    if arguments.json:
        out_json(moved)
    else:
        out(f"{printable(str(moved['id']))} is {_state(str(moved['state']))}")
    return Exit.DONE


def _list(arguments: argparse.Namespace) -> int:
    listed = service(arguments).get("/warrants")
    if arguments.json:
        out_json(listed)
        return Exit.DONE
    rows = [["id", "state", "instrument", "valid until", "waits for"]]
    for each in listed["warrants"]:
        told = ("pruned", "") if each["pruned"] else (each["instrument"], each["valid"]["until"])
        row = (each["id"], each["state"], *told)
        rows.append([*map(printable, row), printable(each["waits_for"] or "")])
    heading, *lines = table(rows)
    out(paint(heading, Ink.BOLD))
    for line in lines:
        out(line)
    return Exit.DONE


def _show(arguments: argparse.Namespace) -> int:
    found = service(arguments).get(_path(arguments))
    if arguments.document:
        if found["pruned"]:
            raise Pruned(_PRUNED)
        out(json.dumps(found["document"], separators=(",", ":")))
        return Exit.DONE
    if arguments.json:
        out_json(found)
        return Exit.DONE
    if found["pruned"]:
        rows = [("warrant", printable(found["id"])), ("digest", printable(found["digest"]))]
        rows.append(("document", "pruned"))
    else:
        warrant = parse_warrant(json.dumps(found["document"]).encode())
        rows = [(name, printable(text)) for name, text in describe(warrant)]
    for line in table([*rows, *_standing(found)]):
        out(line)
    return Exit.DONE


def _show_standing(arguments: argparse.Namespace, found: Any) -> int:  # noqa: ANN401 - the service's JSON
    if arguments.json:
        out_json(found)
        return Exit.DONE
    for remark in found["remarks"]:
        warn(printable(remark))
    waits_for = f": {printable(found['waits_for'])}" if found["waits_for"] else ""
    out(f"{printable(found['id'])} is {_state(found['state'])}{waits_for}")
    return Exit.DONE


def _standing(found: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - the service's JSON
    rows = [("state", printable(found["state"]))]
    if found["waits_for"]:
        rows.append(("waits for", printable(found["waits_for"])))
    rows += [("in vain", printable(remark)) for remark in found["remarks"]]
    return rows + [
        ("signed", printable(f"{each['at']} by {each['signer']}, {each['role']}"))
        for each in found["signatures"]
    ]


def _state(state: str) -> str:
    return paint(printable(state), Ink.BOLD, _STATES.get(state, Ink.RED))


def _fetch(caller: Service, warrant: str) -> tuple[bytes, str]:
    """Fetch the signed document, and the name of the deployment that a signature is for."""
    found = caller.get(f"/warrants/{quote(warrant, safe='')}")
    if isinstance(found, dict) and found.get("pruned"):
        raise Pruned(_PRUNED)
    try:
        document, deployment = json.dumps(found["document"]).encode(), str(found["deployment"])
    except (KeyError, TypeError):
        document, deployment = b"", ""
    if not document or not deployment:
        message = "the service did not answer with the warrant"
        raise Unreachable(message)
    if parse_signed(document).warrant.id != warrant:
        message = "the service answered with another warrant than the one that was asked for"
        raise Unreachable(message)
    return document, deployment


def _describe(document: bytes) -> None:
    """Show on standard error what is about to be signed."""
    for line in table([(n, printable(t)) for n, t in describe(parse_warrant(document))]):
        note(line)


def _refuse_to_sign_unasked(arguments: argparse.Namespace) -> None:
    """Nobody signs by accident: without a terminal, only `--yes` does. Raises: BadRequest."""
    if not arguments.yes and not sys.stdin.isatty():
        message = "nobody can be asked: this is no terminal"
        raise BadRequest(message, "--yes signs without asking")


def _ask(arguments: argparse.Namespace, document: bytes, what: str) -> None:
    """Show what is signed, and ask the person at the terminal. Raises: NotSigned."""
    _describe(document)
    if arguments.yes:
        return
    sys.stderr.write(f"{what}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        message = "not signed, and nothing was sent"
        raise NotSigned(message)


def _path(arguments: argparse.Namespace) -> str:
    return f"/warrants/{quote(arguments.id, safe='')}"
