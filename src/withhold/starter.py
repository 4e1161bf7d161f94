"""A working folder: configuration, keys, test signers and test callers, ready to be served.

`withhold init` makes one to work in, the demo one to throw away. Its signers are for trying out:
`check --production` refuses them by the mark that stands before their persons' names.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from withhold.adapters.keyfiles import make_keys, make_signer_key, make_token, write_private
from withhold.config import FOLDERS, shipped
from withhold.errors import BadRequest
from withhold.keyring import print_public_key, token_digest
from withhold.names import Role, SignerRole

SAMPLE_STORE: Final = "sample"
TEST_PERSON: Final = "test: "  # before the name of a person who does not exist

SIGNERS: Final = (
    ("intake-1", "Ines Intake", SignerRole.INTAKE),
    ("approver-1", "Anna Approver", SignerRole.APPROVE),
    ("approver-2", "Abel Approver", SignerRole.APPROVE),
)
CALLERS: Final = (
    ("disclosure-service", (Role.DISCLOSE,)),
    ("operator", (Role.OPERATE,)),
    ("auditor", (Role.AUDIT,)),
    ("security", (Role.TUNE,)),
)


@dataclass(frozen=True)
class Starter:
    """Where everything is. Tokens and private keys are in files that only their owner can read."""

    folder: Path
    file: Path  # the deployment file
    signers: Mapping[str, Path]  # private keys by name
    tokens: Mapping[str, Path]  # tokens by caller


@dataclass(frozen=True)
class Choices:
    """What differs between one working folder and the next."""

    deployment: str
    data_plane: str
    control_plane: str
    stores: Mapping[str, str]  # base URL by name
    redis_url: str | None = None


def make_starter(folder: Path, choices: Choices) -> Starter:
    """Make a working folder; `folder` must be empty or missing.

    Raises: BadRequest, KeyUnavailable, OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        message = f"`{folder}` is not empty"
        raise BadRequest(message, "name a new folder")
    config = folder / "config"
    for name in FOLDERS:
        _copy(shipped() / name, config / name)
    var = config / "var"
    make_keys(var / "keys")
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    blocks = [*_callers(secrets, list(choices.stores)), *_signers(secrets)]
    file = config / "withhold.toml"
    file.write_text("\n".join([*_deployment(choices), *blocks, ""]), encoding="utf-8")
    return Starter(
        folder,
        file,
        {name: secrets / f"{name}.key" for name, _, _ in SIGNERS},
        {name: secrets / f"{name}.token" for name, _ in CALLERS},
    )


def signer_block(name: str, person: str, role: SignerRole, public_key: str) -> list[str]:
    """Give a `[[signer]]` of the deployment file."""
    return [
        "[[signer]]",
        f"name = {_quoted(name)}",
        f"person = {_quoted(person)}",
        f"role = {_quoted(role)}",
        f"public_key = {_quoted(public_key)}",
    ]


def caller_block(name: str, digest: str, roles: Sequence[Role], stores: Sequence[str]) -> list[str]:
    """Give a `[[caller]]` of the deployment file."""
    return [
        "[[caller]]",
        f"name = {_quoted(name)}",
        f"token_sha256 = {_quoted(digest)}",
        f"roles = [{', '.join(map(_quoted, roles))}]",
        f"stores = [{', '.join(map(_quoted, stores))}]",
    ]


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in sorted(source.glob("*.toml")):
        shutil.copyfile(path, target / path.name)


def _deployment(choices: Choices) -> list[str]:
    redis = f"redis_url = {_quoted(choices.redis_url)}" if choices.redis_url else None
    stores = [
        line
        for name, url in choices.stores.items()
        for line in ("", "[[store]]", f"name = {_quoted(name)}", f"base_url = {_quoted(url)}")
    ]
    return [
        "# Made to try things out: its signers are nobody, and `check --production` refuses them.",
        f"deployment = {_quoted(choices.deployment)}",
        "",
        "[data_plane]",
        f"listen = {_quoted(choices.data_plane)}",
        "",
        "[control_plane]",
        f"listen = {_quoted(choices.control_plane)}",
        "",
        "[cache]",
        redis or '# redis_url = "redis://127.0.0.1:6379/0" # left out: in memory',
        "",
        "[database]",
        'url = "sqlite:///var/withhold.db"',
        "",
        "[keys]",
        'path = "var/keys"',
        *stores,
    ]


def _callers(secrets: Path, stores: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for name, roles in CALLERS:
        token = make_token()
        write_private(secrets / f"{name}.token", f"{token}\n".encode())
        reaches = stores if Role.DISCLOSE in roles else ()
        lines += ["", *caller_block(name, token_digest(token), roles, reaches)]
    return lines


def _signers(secrets: Path) -> list[str]:
    lines: list[str] = []
    for name, person, role in SIGNERS:
        public = print_public_key(make_signer_key(secrets / f"{name}.key"))
        lines += ["", *signer_block(name, f"{TEST_PERSON}{person}", role, public)]
    return lines


def _quoted(text: str) -> str:
    """Give a TOML basic string."""
    return json.dumps(str(text), ensure_ascii=False)
