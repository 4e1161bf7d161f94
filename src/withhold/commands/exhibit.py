"""Exhibits: a receipt as a file that proves itself, written and verified as a court does.

`ledger prove` asks a running Withhold (role `audit`). To verify takes the file and keys that came
another way, and nothing else.
"""

import argparse
import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from withhold.commands.options import add_json
from withhold.commands.service import Json, Unreachable, add_token_file, service
from withhold.commands.trust import hint_on
from withhold.digest import digest_of, print_digest
from withhold.errors import BadRequest, Unproven, WithholdError
from withhold.ledger.certificate import write_certificate
from withhold.ledger.copy import Keys, Trusted
from withhold.ledger.court import Verified, verify_body, verify_exhibit
from withhold.ledger.exhibit import MAX_EXHIBIT_BYTES, parse_exhibit, print_exhibit
from withhold.ledger.facts import Facts, facts_of
from withhold.ledger.lines import print_base64
from withhold.names import Digest
from withhold.terminal import (
    Exit,
    Ink,
    complain,
    count,
    out,
    out_json,
    paint,
    printable,
    table,
    warn,
)

# Said of what nobody else has seen: whoever holds the log's key can keep two of it.
UNWITNESSED: Final = "no witness and no trusted checkpoint was given"
UNWITNESSED_HINT: Final = (
    "--witness or --checkpoint: else the log may have been shown to others as another one"
)


def add_arguments(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `prove` to the verbs of `withhold ledger`."""
    proving = kinds.add_parser("prove", help="write a receipt as a file that proves itself")
    proving.add_argument(
        "receipt",
        metavar="RECEIPT|INDEX",
        help="a receipt's id (R-…: then the body can be checked, too), handle or index",
    )
    proving.add_argument(
        "--out",
        type=Path,
        metavar="PROOF.json",
        help="the file; its certificate, PROOF.html, lies beside it (default: H-….json)",
    )
    proving.add_argument(
        "--witnessed",
        action="store_true",
        help="prove by the newest checkpoint that a witness signed",
    )
    add_json(proving)
    add_token_file(proving)
    proving.set_defaults(run=_prove)


def _prove(arguments: argparse.Namespace) -> int:
    path = f"/ledger/receipts/{quote(arguments.receipt, safe='')}"
    document = service(arguments).get(f"{path}?witnessed=true" if arguments.witnessed else path)
    try:
        exhibit = parse_exhibit(json.dumps(document).encode())
        facts = facts_of(exhibit)
    except Unproven as error:
        raise Unreachable(f"the service answered with no proof: {error.message}") from None
    handle = facts.first.public["receipt"]
    proof = arguments.out if arguments.out is not None else Path(f"{handle}.json")
    page = proof.with_suffix(".html")
    if page == proof:
        raise BadRequest("the certificate would take the proof's place", "--out PROOF.json")
    content = print_exhibit(exhibit)
    certificate = write_certificate(facts, file=proof.name, digest=digest_of(content))
    # Neither takes another's place: what was once given to a court stays as it is.
    for place in (proof, page):
        if place.exists():
            message = f"`{place}` is there already, and a proof is never replaced"
            raise WithholdError(message, "name another: --out PROOF.json")
    with proof.open("xb") as file:
        file.write(content)
    with page.open("x", encoding="utf-8") as text:
        text.write(certificate)
    size = facts.checkpoint.size
    if arguments.json:
        out_json({"proof": str(proof), "certificate": str(page), "size": size})
        return Exit.DONE
    out(f"{proof}: receipt {handle}, entry {facts.first.index} of {size}")
    out(f"{page}: the same in words")
    out(f"verify: withhold ledger verify {shlex.quote(str(proof))} --key VKEY")
    return Exit.DONE


def verify_file(arguments: argparse.Namespace, keys: Keys, trusted: Sequence[Trusted]) -> int:
    """Verify what `prove` wrote: `withhold ledger verify FILE`.

    Of `arguments`: `copy` (the file), `body` (a file, or None), `json`. Gives 0 if all of it holds,
    1 if anything does not. Raises: OSError.
    """
    data = _read(arguments.copy, MAX_EXHIBIT_BYTES)
    body = None if arguments.body is None else _digest(arguments.body)
    try:
        found = verify_exhibit(
            data,
            keys.origin,
            keys.log,
            witness_keys=keys.witnesses,
            trusted=[each.note for each in trusted],
        )
        if body is not None:
            verify_body(found.facts, *body)
    except Unproven as error:
        if arguments.json:
            out_json({"verified": False, "fault": error.message})
        complain(Unproven(error.message, error.hint or hint_on(error.message)))
        return Exit.FAULT
    if arguments.json:
        out_json(_as_json(found, keys, is_body=body is not None))
    else:
        for line in table(list(_verified(found, keys, is_body=body is not None))):
            out(line)
    for remark in found.remarks:
        warn(printable(remark))
    if not trusted and not keys.witnesses:
        warn(UNWITNESSED, UNWITNESSED_HINT)
    return Exit.DONE


def _verified(found: Verified, keys: Keys, *, is_body: bool) -> Iterator[tuple[str, str]]:
    facts = found.facts
    public = facts.first.public
    signers = [f"{each.key.name} ({each.key.id.hex()})" for each in found.signed]
    yield paint("verified", Ink.GREEN), printable(f"receipt {public['receipt']}")
    yield "log", printable(f"{facts.origin}, at size {found.checkpoint.size}")
    yield "signed by", printable(", ".join(signers))
    if keys.witnesses:
        yield "witnesses", printable(", ".join(each.name for each in keys.witnesses))
    yield "disclosure", printable(f"{facts.first.type} at {facts.first.at}: {public['outcome']}")
    yield "resource", printable(public["resource"])
    yield "delivery", _ending(facts)
    yield "warrant", printable(f"{public['warrant']}, {public['instrument']}")
    for each in facts.orders:
        event, state = each.public["event"], each.public["state"]
        yield "", printable(f"{event} at {each.at}: {state}")
    if is_body:
        yield "body", "is the one that was released"


def _as_json(found: Verified, keys: Keys, *, is_body: bool) -> Json:
    facts = found.facts
    return {
        "verified": True,
        "origin": facts.origin,
        "size": found.checkpoint.size,
        "root": print_base64(found.checkpoint.root),
        "signed_by": [f"{each.key.name}+{each.key.id.hex()}" for each in found.signed],
        "witnesses": [each.name for each in keys.witnesses],
        "entries": [{"index": each.index, "public": each.public} for each in facts.entries],
        "body": is_body,
        "remarks": list(found.remarks),
    }


def _ending(facts: Facts) -> str:
    if facts.closing is None:
        return "no entry says"
    size = facts.closing.public["size_bytes"]
    left = "" if size is None else f", {count(size, 'byte')}"
    return f"{facts.closing.public['outcome']}{left}"


def _read(path: Path, most: int) -> bytes:
    """Read a file; one that is too large is read no further than that shows."""
    with path.open("rb") as file:
        return file.read(most + 1)


def _digest(path: Path) -> tuple[Digest, int]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return print_digest(digest), file.tell()
