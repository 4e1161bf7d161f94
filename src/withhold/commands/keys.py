"""Make, rotate and destroy keys: a deployment's own, a signer's pair, a caller's token.

Private keys go to new files (mode 0600), and a key that is there is never replaced. What the
deployment file needs of a signer or a caller is printed as a block to paste into it. A deployment
has keys of four kinds: encryption, cache, ledger, commitment; each is rotated by a newer version.

  withhold keys init
  withhold keys rotate encryption
  withhold keys destroy encryption 1
  withhold keys signer approver-1 --role approve --person "A. Approver"
  withhold keys caller disclosure-service --role disclose --store synapse
"""

import argparse
from pathlib import Path

from withhold import config
from withhold.adapters.keyfiles import make_keys, make_signer_key, make_token, write_private
from withhold.commands import rotation
from withhold.commands.options import add_config, add_json, deployment_file
from withhold.errors import BadRequest
from withhold.keyring import KeyKind, print_public_key, token_digest
from withhold.names import Role, SignerRole
from withhold.starter import caller_block, signer_block
from withhold.terminal import Exit, note, out, out_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the commands take."""
    kinds = parser.add_subparsers(title="what to do", metavar="VERB", required=True)
    init = kinds.add_parser("init", help="make the deployment's own keys, where one is missing")
    add_config(init)
    add_json(init)
    init.set_defaults(run=_init)
    _add_rotation(kinds)

    signer = kinds.add_parser("signer", help="make a signer's pair of keys")
    signer.add_argument("name", metavar="NAME", help="what the deployment file calls the signer")
    signer.add_argument(
        "--role",
        choices=[role.value for role in SignerRole],
        default=SignerRole.APPROVE.value,
        metavar="intake|approve",
        help="what the signatures mean (default: approve)",
    )
    signer.add_argument("--person", default="", metavar="TEXT", help="whose key it is")
    signer.add_argument(
        "--out", type=Path, metavar="FILE", help="the new private key (default: NAME.key)"
    )
    add_json(signer)
    signer.set_defaults(run=_signer)

    caller = kinds.add_parser("caller", help="make a caller's token; it is printed once")
    caller.add_argument("name", metavar="NAME", help="what the deployment file calls the caller")
    caller.add_argument(
        "--role",
        choices=[role.value for role in Role],
        action="append",
        metavar="|".join(Role),
        help="what the caller may do, more than once if need be (default: disclose)",
    )
    caller.add_argument(
        "--store", action="append", default=[], metavar="NAME", help="a store it may ask"
    )
    caller.add_argument(
        "--out", type=Path, metavar="FILE", help="write the token to a new file, do not print it"
    )
    add_json(caller)
    caller.set_defaults(run=_caller)


def _add_rotation(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    listed = kinds.add_parser("list", help="list the versions, and what each still wraps")
    listed.set_defaults(run=rotation.list_keys)
    show = kinds.add_parser("show", help="print the public keys that the ledger is verified with")
    show.set_defaults(run=rotation.show)
    rotate = kinds.add_parser("rotate", help="make a newer version, without stopping")
    rotate.add_argument(
        "--no-rewrap",
        dest="rewrap",
        action="store_false",
        help="of encryption: wrap no token keys by it yet",
    )
    rotate.set_defaults(run=rotation.rotate)
    rewrap = kinds.add_parser("rewrap", help="wrap all token keys by the newest encryption key")
    rewrap.set_defaults(run=rotation.rewrap)
    destroy = kinds.add_parser("destroy", help="destroy an older version for good")
    destroy.set_defaults(run=rotation.destroy)
    for each in (rotate, destroy):
        each.add_argument(
            "kind",
            choices=[kind.value for kind in KeyKind],
            metavar="KIND",
            help=" | ".join(KeyKind),
        )
    destroy.add_argument("version", type=int, metavar="VERSION", help="as `keys list` shows it")
    for each in (listed, show, rotate, rewrap, destroy):
        add_config(each)
        add_json(each)


def _init(arguments: argparse.Namespace) -> int:
    folder = config.load_deployment(deployment_file(arguments)).keys_path
    made = make_keys(folder)
    if arguments.json:
        out_json({"folder": str(folder), "made": [path.name for path in made]})
        return Exit.DONE
    for path in made:
        out(f"made {path}")
    if not made:
        out(f"nothing to make: all keys are in {folder}")
    return Exit.DONE


def _signer(arguments: argparse.Namespace) -> int:
    path: Path = arguments.out or Path(f"{_name(arguments)}.key")
    public = print_public_key(make_signer_key(path))
    if arguments.json:
        out_json({"name": arguments.name, "public_key": public, "file": str(path)})
        return Exit.DONE
    person = arguments.person or arguments.name
    for line in signer_block(arguments.name, person, SignerRole(arguments.role), public):
        out(line)
    note(f"made {path}: the private key, which never leaves its owner")
    return Exit.DONE


def _caller(arguments: argparse.Namespace) -> int:
    token, name = make_token(), _name(arguments)
    if arguments.out is not None:
        write_private(arguments.out, f"{token}\n".encode())
    if arguments.json:
        shown = {} if arguments.out is not None else {"token": token}
        out_json({"name": name, "token_sha256": token_digest(token), **shown})
        return Exit.DONE
    roles = [Role(each) for each in arguments.role or [Role.DISCLOSE]]
    if arguments.out is None:
        out(token)
    else:
        note(f"made {arguments.out}: the token")
    note("for the deployment file:")
    for line in caller_block(name, token_digest(token), roles, arguments.store):
        note(line)
    return Exit.DONE


def _name(arguments: argparse.Namespace) -> str:
    name: str = arguments.name
    if not name or not name.isprintable() or "/" in name:
        message = "a name is one word or more, without `/`"
        raise BadRequest(message)
    return name
