"""Whom an auditor believes: verifier keys, a log's name, checkpoints that came another way.

All are arguments: what is verified does not say by whom it is to be believed.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from withhold.errors import BadRequest, Unproven
from withhold.ledger.copy import Trusted
from withhold.ledger.exhibit import MAX_EXHIBIT_BYTES, parse_exhibit
from withhold.ledger.note import KeyType, VerifierKey, parse_verifier_key
from withhold.ledger.proof import HEADER, parse_proof

_MAX_KEYS_BYTES: Final = 65_536

# Faults that often have a harmless cause, as the ledger says them.
UNKNOWN_SIGNER: Final = "has no signature of a known key"
NO_JSON: Final = "is not JSON in UTF-8"


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add `--key`, `--origin`, `--checkpoint`, `--witness`."""
    parser.add_argument(
        "--key",
        action="append",
        required=True,
        metavar="VKEY|FILE",
        help="a key of the log, or a file of them, one a line; retired ones too",
    )
    parser.add_argument(
        "--origin", metavar="NAME", help="what the log is called (default: as its key)"
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoint that you trust: a note, a proof, or a later receipt's proof",
    )
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="VKEY|FILE",
        help="a key of a witness that you trust, or a file of them",
    )


def log_keys(arguments: argparse.Namespace) -> tuple[VerifierKey, ...]:
    """Read the keys of the log. Raises: BadRequest, OSError."""
    return _keys(arguments.key, KeyType.ED25519, "`--key` takes a log's key, and this is no such")


def witness_keys(arguments: argparse.Namespace) -> tuple[VerifierKey, ...]:
    """Read the keys of witnesses. Raises: BadRequest, OSError."""
    wrong = "`--witness` takes a key for cosignatures, and this is no such"
    return _keys(arguments.witness, KeyType.COSIGNATURE, wrong)


def origin_of(arguments: argparse.Namespace, keys: Iterable[VerifierKey]) -> str:
    """Give the log's name. Raises: BadRequest, where the keys have several."""
    names = sorted({key.name for key in keys})
    if arguments.origin is None and len(names) > 1:
        raise BadRequest("the keys have several names: say which the log's is", "--origin NAME")
    return str(arguments.origin or names[0])


def trusted(arguments: argparse.Namespace) -> tuple[Trusted, ...]:
    """Read the checkpoints. Raises: BadRequest, OSError.

    `arguments`: `checkpoint`, and `copy`, what is verified: of itself it is no proof.
    """
    verified = arguments.copy.resolve()
    for path in arguments.checkpoint:
        if path.resolve().is_relative_to(verified):
            message = f"`{path}` is of what is verified: of itself it proves nothing"
            raise BadRequest(message, "--checkpoint takes one that came another way, or was kept")
    return tuple(each for path in arguments.checkpoint for each in _checkpoints(path))


def hint_on(fault: str) -> str:
    """Say what to try before a fault is taken for a forgery, or nothing."""
    if UNKNOWN_SIGNER in fault:
        return "give --key every key that the log has had: one that was retired may have signed it"
    if NO_JSON in fault:
        return "a proof is the `.json` that `withhold ledger prove` wrote; its `.html` is none"
    return ""


def _keys(given: Sequence[str], kind: KeyType, wrong: str) -> tuple[VerifierKey, ...]:
    found: dict[tuple[str, bytes], VerifierKey] = {}
    for text in _texts(given):
        try:
            key = parse_verifier_key(text)
        except Unproven as error:
            hint = "no file has this name, or it holds no keys; `withhold keys show` prints a log's"
            raise BadRequest(error.message, error.hint or hint) from None
        if key.type is not kind:
            raise BadRequest(wrong)
        if found.setdefault((key.name, key.id), key) != key:
            raise BadRequest("two keys have one name and one id")
    if given and not found:
        raise BadRequest("there is no key in the file that was named")
    return tuple(found.values())


def _texts(given: Sequence[str]) -> Iterable[str]:
    for each in given:
        path = Path(each)
        if not path.exists() or path.is_dir():  # a pipe of the shell is read, too
            yield each
            continue
        with path.open("rb") as file:
            text = file.read(_MAX_KEYS_BYTES).decode(errors="replace")
        yield from filter(None, map(str.strip, text.splitlines()))


def _checkpoints(path: Path) -> Iterable[Trusted]:
    with path.open("rb") as file:
        data = file.read(MAX_EXHIBIT_BYTES + 1)
    try:
        if data.lstrip().startswith(b"{"):
            return [Trusted(str(path), note) for note in _notes_of_exhibit(data)]
        if data.startswith(HEADER.encode()):
            return [Trusted(str(path), parse_proof(data).checkpoint)]
    except Unproven as error:
        raise BadRequest(f"`{path}` is no checkpoint: {error.message}") from None
    return [Trusted(str(path), data)]


def _notes_of_exhibit(data: bytes) -> Iterable[bytes]:
    """Give the checkpoints of a receipt's proof; only these are looked at. Raises: Unproven."""
    exhibit = parse_exhibit(data)
    proofs = [parse_proof(each.proof.encode()) for each in (*exhibit.entries, *exhibit.warrant)]
    return list(dict.fromkeys(proof.checkpoint for proof in proofs))
