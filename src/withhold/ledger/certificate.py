"""Certificates: an exhibit in words, for people who must rely on it. Pure.

It says nothing that the file beside it does not say: the file proves, the page explains, and how to
verify the one is most of what stands on the other.
"""

import shlex
from collections.abc import Iterator
from typing import Final

from withhold.html import (
    Html,
    code,
    heading,
    listing,
    page,
    paragraph,
    table,
    terms,
)
from withhold.ledger.entry import EntryType, Json
from withhold.ledger.facts import Facts, Proved
from withhold.ledger.lines import print_base64
from withhold.ledger.note import parse_note
from withhold.ledger.receipt import DISCLOSED, Ending
from withhold.ledger.style import STYLE
from withhold.names import Digest

TREATMENTS: Final = {
    "disclosed": "as the store gave it (phone, ip and email in normal form)",
    "tokenized": "as a token",
    "generalized": "as a range of addresses, or as a day",
}
ENDINGS: Final = {
    Ending.COMPLETE: "All of it was handed over to the recipient's connection.",
    Ending.INCOMPLETE: "It broke off before its end.",
    Ending.NOT_SENT: "It was held back at the last moment: nothing was sent.",
    Ending.UNKNOWN: "The node ended before it could say: whether it was delivered is not known.",
}
NO_ENDING: Final = (
    "No entry of the log says so up to the checkpoint below: whether it was delivered is not known."
)
# A line break within a paragraph is a space to whoever reads the page.
NOT_PROVED: Final = """\
That the store told the truth, or that it held nothing else.

That the order was lawful. It proves which order was registered and who could use it.

That the recipient received or read it: handed over to the connection is what a proxy knows.

What happened to the data afterwards.

What the log said after the checkpoint below. A newer proof may show more.

That the log was shown to others as it was to you. A witness's signature, or a checkpoint that you
hold from elsewhere, does: see how to verify.

When, beyond the word of the clock of the machine that wrote the entry. A witness's signature bounds
the time from above."""

STEPS: Final = """\
For each entry of `entries` and `warrant`, write `public` as canonical JSON (RFC 8785) and take its
SHA-256: the leaf, 32 bytes.

Give leaf, VKEY and the text `proof` to any verifier of c2sp.org/tlog-proof. The text holds the
index, the way to the root (RFC 6962) and the signed checkpoint. All proofs of the file must hold
the same checkpoint.

Take `signatures` out of the file and write what remains as canonical JSON; before it a line
`withhold-receipt/1`, after it a line feed. Each signature, a line of c2sp.org/signed-note, is an
Ed25519 signature of these bytes. So nothing was left out of the file.

If `receipt` is not null: the handle of the entries is `H-` and the lower-case base32 of the first
16 bytes of the SHA-256 of `withhold handle v1`, a zero byte, and `receipt`.

Compare the checkpoint with one that you trust: of the same size it must have the same root.
Signatures of witnesses in it (c2sp.org/tlog-cosignature) say who else saw it."""

_CHECK_BODY: Final = """\
printf 'withhold body v1\\0%s\\0sha-256=:%s:' {receipt} \\
  "$(openssl dgst -sha256 -binary BODY | base64)" | openssl dgst -sha256 -binary | base64"""


def write_certificate(facts: Facts, *, file: str, digest: Digest) -> str:
    """Write the page. `file`: what the exhibit is called; `digest`: of its bytes."""
    title = f"Certificate of receipt {facts.first.public['receipt']}"
    return page(
        title,
        STYLE,
        [
            paragraph(
                "Confidential: it names an order. This page repeats in words what the file"
                f" {file} proves; only the file proves it. The file's SHA-256 is {digest}.",
                "notice",
            ),
            *_released(facts),
            *_delivered(facts),
            *_order(facts),
            *_means(facts),
            *_body(facts, file),
            *_log(facts),
            *_verify(facts, file),
            heading("What this does not prove"),
            listing(NOT_PROVED.split("\n\n")),
        ],
    )


def _released(facts: Facts) -> Iterator[Html]:
    first, released = facts.first, facts.released
    store, _, resource = str(first.public["resource"]).partition("/")
    yield heading("What was released")
    yield terms(
        [
            ("from the store", store),
            ("resource", resource),
            ("as of", f"{first.at} (the store's answer was read just before)"),
            ("outcome", _outcome(first)),
        ]
    )
    rows = [
        (label, words, count)
        for treatment, words in TREATMENTS.items()
        for label, count in sorted(released.get(treatment, {}).items())
    ]
    if rows:
        yield table(
            "Values that left, by the catalogue's path of the field. Nothing else did.",
            ["path", "how", "values"],
            rows,
        )
        yield paragraph(f"Records that left: {released['records_disclosed']}.")
    elif first.type == EntryType.OPENING and facts.closing is None:
        yield paragraph("A stream was begun; what it released its closing entry would say.")
    else:
        yield paragraph("No value left.")


def _outcome(first: Proved) -> str:
    outcome = str(first.public["outcome"])
    if outcome != DISCLOSED:
        return f"{outcome}: the store's answer could not be used, and nothing of it left"
    return {
        EntryType.OPENING.value: "a stream was opened",
        EntryType.REVEAL.value: "the value of one token was disclosed",
    }.get(first.type, "released for sending")


def _delivered(facts: Facts) -> Iterator[Html]:
    yield heading("What became of it")
    closing = facts.closing
    if closing is None:
        is_failure = facts.first.public["outcome"] != DISCLOSED
        yield paragraph("There was nothing to deliver." if is_failure else NO_ENDING)
        return
    size = closing.public["size_bytes"]
    yield paragraph(
        f"{ENDINGS[Ending(closing.public['outcome'])]} Bytes handed over: "
        f"{'unknown' if size is None else size}. Entered at {closing.at}."
    )


def _order(facts: Facts) -> Iterator[Html]:
    public = facts.first.public
    yield heading("Under which order")
    rows = [
        ("warrant", str(public["warrant"])),
        ("instrument", str(public["instrument"])),
        ("digest of what was signed", str(public["warrant_digest"])),
    ]
    signed = [each.public for each in facts.orders if "digest" in each.public]
    if signed:
        rows += _claims(signed[0])
    yield terms(rows)
    if facts.orders:
        yield table(
            "What the log says became of the warrant, up to the checkpoint below.",
            ["entry", "event", "state after it", "at"],
            [
                (each.index, str(each.public["event"]), str(each.public["state"]), each.at)
                for each in facts.orders
            ],
        )
    else:
        yield paragraph("The file shows no entry about the warrant.")


def _claims(public: Json) -> list[tuple[str, str]]:
    rows = [
        ("jurisdiction", public["jurisdiction"]),
        ("categories", ", ".join(public["categories"]) or "none"),
        ("fields named", str(public["fields"] or "none: all of these categories")),
        ("targets named", str(public["targets"])),
        ("valid", f"from {public['valid_from']} until before {public['valid_until']}"),
    ]
    for name, words in (("served_at", "served"), ("secrecy_until", "secret until")):
        if public[name] is not None:
            rows.append((words, public[name]))
    return rows


def _means(facts: Facts) -> Iterator[Html]:
    public = facts.first.public
    yield heading("By which software and rules")
    names = {
        "software": "software",
        "bundle": "bundle: catalogue and policy together",
        "allowlist": "allowlist: all that decided what may leave",
    }
    rows = [(words, str(public[name])) for name, words in names.items() if name in public]
    rows += [
        (f"fields that could leave: {treatment}", str(count))
        for treatment, count in sorted(public.get("authorised", {}).items())
    ]
    yield terms(rows)
    yield paragraph(
        "The allowlist's digest is a function of warrant, bundle and resource: whoever has the"
        " bundle of that digest and the signed order computes it again with `withhold explain`."
    )


def _body(facts: Facts, file: str) -> Iterator[Html]:
    released = facts.released
    yield heading("Is this what was sent?")
    if released.get("body") is None:
        yield paragraph("The log commits to no body.")
        return
    yield terms(
        [
            ("size in bytes", str(released["size_bytes"])),
            ("commitment to the body", str(released["body"])),
        ]
    )
    if facts.receipt is None:
        yield paragraph(
            "The receipt's id opens the commitment. The recipient has it (Withhold-Receipt);"
            " this file does not."
        )
        return
    yield paragraph(
        f"The receipt's id, {facts.receipt}, opens the commitment. For the body as it was"
        " received, byte for byte, either of these checks it; the second prints what stands in the"
        " commitment between the colons:"
    )
    yield code(f"withhold ledger verify {shlex.quote(file)} --key VKEY --body BODY")
    yield code(_CHECK_BODY.format(receipt=shlex.quote(facts.receipt)))


def _log(facts: Facts) -> Iterator[Html]:
    yield heading("Where it stands in the log")
    yield terms(
        [
            ("log", facts.origin),
            ("entries of the log at the checkpoint", str(facts.checkpoint.size)),
            ("root of its tree", print_base64(facts.checkpoint.root)),
            ("signed as a whole by", _names(facts, of_note=False)),
            ("checkpoint signed by", _names(facts, of_note=True)),
        ]
    )
    yield table(
        "Entries that the file shows. Each leaf is the SHA-256 of the entry's public part.",
        ["entry", "type", "leaf"],
        [(each.index, each.type, each.leaf.hex()) for each in facts.entries],
    )


def _names(facts: Facts, *, of_note: bool) -> str:
    signatures = parse_note(facts.note).signatures if of_note else facts.signatures
    return ", ".join(f"{each.name} (key {each.key_id.hex()})" for each in signatures)


def _verify(facts: Facts, file: str) -> Iterator[Html]:
    name = shlex.quote(file)
    yield heading("How to verify it, offline")
    yield paragraph(
        f"You need the log's public key (VKEY, it begins with {facts.origin}+) from somewhere else"
        " than this page: where the operator publishes it, from a regulator, or from a witness."
    )
    yield code(
        f"withhold ledger verify {name} --key VKEY\n"
        f"withhold ledger verify {name} --key VKEY --witness WITNESS_VKEY\n"
        f"withhold ledger verify {name} --key VKEY --checkpoint CHECKPOINT"
    )
    yield paragraph("Without Withhold, with tools of other makers:")
    yield listing(STEPS.split("\n\n"), ordered=True)
