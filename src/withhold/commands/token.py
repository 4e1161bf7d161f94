r"""Turn the token of an address back into the address: a disclosure of its own, with its receipt.

It takes two people and a warrant that is active and names the field. An approver signs, on a
machine of their own, that a caller may learn what one token stands for, and why; within the hour
the caller has it revealed, once. The caller needs the role `reveal`, and to be one of the
warrant's callers.

  withhold token sign tok_ip_… --warrant W-2026-0117-k7wqz4 --caller analyst-1 \
    --field 'synapse/whois:$.devices.*.sessions[*].connections[*].ip' \
    --reason 'attributed in 26-SW-70123' \
    --signer approver-1 --key approver-1.key --deployment example-prod > reveal.jws
  withhold token reveal tok_ip_… --approval reveal.jws

`reveal` asks the data plane, at WITHHOLD_DATA_URL (http://127.0.0.1:8470 unless set): it alone has
the keys.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from withhold.adapters.keyfiles import load_signer_key
from withhold.clock import read_clock
from withhold.commands.options import add_json
from withhold.commands.service import Unreachable, add_token_file, data_service
from withhold.errors import BadRequest, WarrantError
from withhold.kinds.instant import Instant, print_instant
from withhold.kinds.token import key_id_of
from withhold.names import CallerName, WarrantId
from withhold.paths import print_path
from withhold.terminal import Exit, note, out, out_json, printable, table
from withhold.warrant.claims import parse_field
from withhold.warrant.reveal import (
    LASTS_S,
    MAX_DOCUMENT_BYTES,
    Approval,
    parse_approval,
    sign_approval,
)

_MINUTE_S: Final = 60
_DEFAULT_MINUTES: Final = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the commands take."""
    verbs = parser.add_subparsers(title="what to do", metavar="VERB", required=True)
    sign = verbs.add_parser("sign", help="approve, as a second person, that one token is revealed")
    _add_token(sign)
    for option, metavar, does in (
        ("--warrant", "ID", "the warrant that names the field"),
        ("--field", "STORE/NAME:PATH", "the field that the token stood in"),
        ("--reason", "TEXT", "why: it stays in the ledger's sealed part"),
        ("--caller", "NAME", "who may have it revealed, as the deployment file says"),
        ("--signer", "NAME", "the key's name in the deployment file"),
        ("--deployment", "NAME", "the deployment it is for, and no other"),
    ):
        sign.add_argument(option, required=True, metavar=metavar, help=does)
    sign.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the private key (mode 0600)"
    )
    sign.add_argument(
        "--minutes",
        type=int,
        default=_DEFAULT_MINUTES,
        metavar="N",
        help=f"how long it may be used, at most {LASTS_S // _MINUTE_S} (default: %(default)s)",
    )
    sign.set_defaults(run=_sign)

    reveal = verbs.add_parser("reveal", help="learn the address, with the approval of another")
    _add_token(reveal)
    reveal.add_argument(
        "--approval", type=Path, required=True, metavar="FILE", help="what `token sign` wrote"
    )
    add_json(reveal)
    add_token_file(reveal)
    reveal.set_defaults(run=_reveal)


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("token", metavar="TOKEN", help="as the disclosure has it: tok_ip_…")


def _sign(arguments: argparse.Namespace) -> int:
    if key_id_of(arguments.token) is None:
        message = "this is no token of an address"
        raise BadRequest(message, "it begins with `tok_ip_`; copy it whole")
    if not 0 < arguments.minutes * _MINUTE_S <= LASTS_S:
        message = f"`--minutes` is 1 to {LASTS_S // _MINUTE_S}"
        raise BadRequest(message)
    key, now = load_signer_key(arguments.key), read_clock()
    resource, colon, path = arguments.field.partition(":")
    if not colon:
        message = "`--field` is STORE/NAME:PATH"
        raise BadRequest(message, "such as 'sample/sessions:$.sessions[*].ip', in quotes")
    approval = Approval(
        warrant=WarrantId(arguments.warrant),
        token=arguments.token,
        named=parse_field({"resource": resource, "path": path}, "--field"),
        reason=arguments.reason,
        caller=CallerName(arguments.caller),
        expires=Instant(now.second + arguments.minutes * _MINUTE_S),
    )
    document = sign_approval(
        approval, key, key_id=arguments.signer, deployment=arguments.deployment, signed_at=now
    )
    for line in table([(name, printable(text)) for name, text in _described(approval)]):
        note(line)
    sys.stdout.buffer.write(document + b"\n")
    return Exit.DONE


def _reveal(arguments: argparse.Namespace) -> int:
    with arguments.approval.open("rb") as file:
        document = file.read(MAX_DOCUMENT_BYTES + 1).strip()
    approval = parse_approval(document).approval
    if approval.token != arguments.token:
        message = "the approval is for another token"
        raise WarrantError(message, "ask the approver for one of this token")
    revealed, receipt = data_service(arguments).post_for_receipt("/reveal", document)
    if not isinstance(revealed, dict) or not isinstance(revealed.get("ip"), str):
        message = "the service did not answer with an address"
        raise Unreachable(message)
    if arguments.json:
        out_json({"ip": revealed["ip"], "receipt": receipt})
        return Exit.DONE
    out(printable(revealed["ip"]))
    note(f"receipt {printable(receipt)}: keep it with what you hand over")
    return Exit.DONE


def _described(approval: Approval) -> list[tuple[str, str]]:
    """Say what is signed, on standard error: the person who signs must have seen it."""
    return [
        ("token", approval.token),
        ("warrant", approval.warrant),
        ("field", f"{approval.named.resource} {print_path(approval.named.path)}"),
        ("caller", approval.caller),
        ("reason", approval.reason),
        ("until", print_instant(approval.expires)),
    ]
