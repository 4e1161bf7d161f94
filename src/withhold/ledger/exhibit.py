"""Exhibits: the receipt of one disclosure as one JSON file that proves itself. Pure.

It shows the entries of the disclosure and those of its warrant, each with its proof that the log
holds it; of every other case it holds hashes only. All of it is signed by the log's keys, so that
nothing can be left out of it either. What is read here is believed by nobody: see `court`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from withhold.canonical import write_canonical
from withhold.errors import Unproven
from withhold.ledger.entry import Json
from withhold.ledger.note import NoteSignature, Signer, parse_signatures, print_signatures, sign
from withhold.ledger.receipt import ReceiptId

FORMAT: Final = "withhold-receipt/1"
MAX_EXHIBIT_BYTES: Final = 64 * 2**20
MAX_SHOWN: Final = 10_000  # entries of a disclosure, and of a warrant

_MEMBERS: Final = ("format", "origin", "receipt", "entries", "warrant", "signatures")
_SHOWN: Final = ("index", "public", "proof")


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry that is shown. `proof`: a text of c2sp.org/tlog-proof, as it stands alone."""

    index: int
    public: Mapping[str, Json]
    proof: str


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A receipt with its proofs, none of it verified.

    `receipt`: the id, which opens the commitment to the body; None where only the log spoke.
    """

    origin: str
    receipt: ReceiptId | None
    entries: tuple[Shown, ...]  # of the disclosure, in the order of the log
    warrant: tuple[Shown, ...]  # what became of its warrant, likewise
    signatures: tuple[NoteSignature, ...] = ()


def statement_of(exhibit: Exhibit) -> bytes:
    """Give the bytes that the log's keys sign: a line with the format's name, and one of JSON.

    The JSON is the file's without `signatures`, canonical (RFC 8785). No checkpoint reads like
    this, whatever the log is called: the second line of one is a number.
    """
    members = as_json(exhibit)
    del members["signatures"]
    return f"{FORMAT}\n".encode() + write_canonical(members) + b"\n"


def sign_exhibit(exhibit: Exhibit, signers: Sequence[Signer]) -> Exhibit:
    """Give the exhibit signed by each, and by nobody else."""
    statement = statement_of(exhibit)
    signatures = tuple(sign(statement, signer) for signer in signers)
    return Exhibit(exhibit.origin, exhibit.receipt, exhibit.entries, exhibit.warrant, signatures)


def as_json(exhibit: Exhibit) -> dict[str, Json]:
    """Give the members of the file."""
    return {
        "format": FORMAT,
        "origin": exhibit.origin,
        "receipt": exhibit.receipt,
        "entries": [_shown_as_json(each) for each in exhibit.entries],
        "warrant": [_shown_as_json(each) for each in exhibit.warrant],
        "signatures": print_signatures(exhibit.signatures).splitlines(),
    }


def print_exhibit(exhibit: Exhibit) -> bytes:
    """Give the file, for people to read too; `parse_exhibit` reads it back."""
    return json.dumps(as_json(exhibit), indent=2, ensure_ascii=False).encode() + b"\n"


def parse_exhibit(data: bytes) -> Exhibit:
    """Read the file; nothing is believed yet. Raises: Unproven.

    How the JSON is laid out makes no difference; a member that is unknown, missing or there twice
    does, and so does a number that is no integer.
    """
    if len(data) > MAX_EXHIBIT_BYTES:
        raise Unproven(f"the file has more than {MAX_EXHIBIT_BYTES} bytes")
    members = _members(_read(data), "the file", _MEMBERS)
    if members["format"] != FORMAT:
        raise Unproven(f"the file's `format` is not `{FORMAT}`")
    receipt = members["receipt"]
    lines = [_text(line, "a signature") for line in _array(members["signatures"], "signatures")]
    if any("\n" in line for line in lines) or len(set(lines)) < len(lines):
        raise Unproven("a signature is more than one line, or is there twice")
    return Exhibit(
        origin=_text(members["origin"], "`origin`"),
        receipt=None if receipt is None else ReceiptId(_text(receipt, "`receipt`")),
        entries=_all_shown(members["entries"], "entries"),
        warrant=_all_shown(members["warrant"], "warrant"),
        signatures=parse_signatures("".join(f"{line}\n" for line in lines)),
    )


def _shown_as_json(shown: Shown) -> dict[str, Json]:
    return {"index": shown.index, "public": dict(shown.public), "proof": shown.proof}


def _read(data: bytes) -> Json:
    try:
        found = json.loads(
            data.decode(),
            object_pairs_hook=_once,
            parse_float=_refuse,
            parse_constant=_refuse,
        )
        write_canonical(found)  # neither half characters nor integers that others would round
    except (ValueError, RecursionError):
        # The error's text may quote what it read.
        message = "the file is not JSON in UTF-8 with each name once and integers up to 2**53"
        raise Unproven(message) from None
    return found


def _all_shown(found: Json, name: str) -> tuple[Shown, ...]:
    array = _array(found, name)
    if len(array) > MAX_SHOWN:
        raise Unproven(f"`{name}` has more than {MAX_SHOWN} entries")
    return tuple(_shown(each, f"an entry of `{name}`") for each in array)


def _shown(found: Json, what: str) -> Shown:
    members = _members(found, what, _SHOWN)
    index, public = members["index"], members["public"]
    # In Python `True` is an integer.
    if type(index) is not int or not isinstance(public, dict):
        raise Unproven(f"{what} has an `index` that is no integer, or a `public` that is no object")
    return Shown(index, public, _text(members["proof"], f"the proof of {what}"))


def _members(found: Json, what: str, names: Sequence[str]) -> dict[str, Json]:
    if not isinstance(found, dict) or sorted(found) != sorted(names):
        listed = ", ".join(f"`{name}`" for name in names)
        raise Unproven(f"{what} does not have exactly the members {listed}")
    return found


def _array(found: Json, name: str) -> list[Json]:
    if not isinstance(found, list):
        raise Unproven(f"`{name}` is not an array")
    return found


def _text(found: Json, what: str) -> str:
    if not isinstance(found, str):
        raise Unproven(f"{what} is not a string")
    return found


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _refuse(_number: str) -> float:
    raise ValueError
