"""The scene: a deployment's rules, bounds, cache and kind of database, and nothing else of it.

Keys, signers, callers and the warrant are made for this once and thrown away with the folder. Of
the deployment's own files only catalogue, policy and deployment file are read. Nothing is written
but in the folder and, where there is a Redis, there: allowlists that are authenticated by a key
which nobody has afterwards.
"""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from withhold.adapters.keyfiles import make_keys, make_token
from withhold.bench.values import PERIOD
from withhold.clock import read_clock
from withhold.deployment.model import Deployment, Limits, Secret
from withhold.keyring import print_public_key, token_digest
from withhold.kinds.instant import Instant, print_instant
from withhold.names import Role, SignerRole, StoreName
from withhold.policy.model import Instrument
from withhold.starter import TEST_PERSON, caller_block, signer_block
from withhold.warrant.model import Target
from withhold.warrant.signed import add_signature

DEPLOYMENT: Final = "bench"
CALLER: Final = "bench"
OPERATOR: Final = "bench-operator"
INTAKE: Final = "bench-intake"

_DAY_S: Final = 86_400


@dataclass(frozen=True)
class Scene:
    """A working folder, and what opens it: known to this process alone."""

    file: Path  # the deployment file
    warrant_id: str
    warrant: bytes  # signed by intake and by as many as the instrument asks
    caller: str  # a token with the role `disclose`
    operator: str  # one with the role `operate`

    def __repr__(self) -> str:
        """Show no token (law 6)."""
        return f"Scene(file={self.file})"


@dataclass(frozen=True)
class Props:
    """What differs between one scene and another."""

    deployment: Deployment  # the one that is measured
    bundle: Mapping[str, bytes]  # its files, by their path in the folder
    instrument: Instrument
    targets: frozenset[Target]
    stores: Sequence[StoreName]
    database_url: Secret | None = None  # a scratch database; None: an SQLite file in the folder


def set_scene(folder: Path, props: Props, store_url: str) -> Scene:
    """Write everything into a folder. `store_url`: each store is a path beneath it.

    Raises: KeyUnavailable, OSError.
    """
    config = folder / "config"
    for name, content in props.bundle.items():
        file = config / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    make_keys(folder / "keys")
    approvers = [f"bench-approver-{n + 1}" for n in range(props.instrument.approvals)]
    signers = {name: Ed25519PrivateKey.generate() for name in (INTAKE, *approvers)}
    caller, operator = make_token(), make_token()
    lines = [*_deployment(props), *_stores(props, store_url), *_signers(signers)]
    lines += ["", *caller_block(CALLER, token_digest(caller), [Role.DISCLOSE], props.stores)]
    lines += ["", *caller_block(OPERATOR, token_digest(operator), [Role.OPERATE], [])]
    file = config / "withhold.toml"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    warrant = f"W-BENCH-{secrets.token_hex(8)}"
    document = json.dumps(_claims(warrant, props)).encode()
    return Scene(file, warrant, _sign(document, signers), caller, operator)


def _deployment(props: Props) -> list[str]:
    deployment = props.deployment
    redis = deployment.redis_url
    database = "sqlite:///../withhold.db"
    if props.database_url is not None:
        database = _reference(props.database_url)
    return [
        f"deployment = {_quoted(DEPLOYMENT)}",
        'data_plane = { listen = "127.0.0.1:0" }',
        'control_plane = { listen = "127.0.0.1:0" }',
        *([] if redis is None else [f"cache = {{ redis_url = {_quoted(_reference(redis))} }}"]),
        f"database = {{ url = {_quoted(database)} }}",
        'keys = { path = "../keys" }',
        "[limits]",
        *(f"{each.name} = {getattr(deployment.limits, each.name)}" for each in fields(Limits)),
    ]


def _stores(props: Props, store_url: str) -> Iterable[str]:
    for name in props.stores:
        url = f"{store_url}/{name}"
        yield from ("[[store]]", f"name = {_quoted(name)}", f"base_url = {_quoted(url)}")


def _signers(signers: Mapping[str, Ed25519PrivateKey]) -> Iterable[str]:
    for name, key in signers.items():
        person, role = f"{TEST_PERSON}{name}", _role(name)
        yield from signer_block(name, person, role, print_public_key(key))


def _sign(document: bytes, signers: Mapping[str, Ed25519PrivateKey]) -> bytes:
    for name, key in signers.items():
        document = add_signature(
            document,
            key,
            key_id=name,
            role=_role(name),
            deployment=DEPLOYMENT,
            signed_at=read_clock(),
        )
    return document


def _role(name: str) -> SignerRole:
    return SignerRole.INTAKE if name == INTAKE else SignerRole.APPROVE


def _claims(warrant: str, props: Props) -> dict[str, Any]:
    """Give what the warrant says: all that its instrument covers, from yesterday until tomorrow."""
    now_s = read_clock().second
    targets = sorted((str(each.kind), each.value) for each in props.targets)
    return {
        "id": warrant,
        "instrument": props.instrument.name,
        "jurisdiction": props.instrument.jurisdiction,
        "authority": "nobody: this is a benchmark",
        "reference": "bench",
        "targets": [{"kind": kind, "value": value} for kind, value in targets],
        "categories": [],
        "fields": [],
        "period": {
            "from": print_instant(PERIOD.since),
            "until": print_instant(PERIOD.until),
        },
        "valid": {
            "from": print_instant(Instant(now_s - _DAY_S)),
            "until": print_instant(Instant(now_s + _DAY_S)),
        },
        "callers": [CALLER],
    }


def _reference(value: Secret | str) -> str:
    """Write a reference as it stood, so that a secret stays where it is."""
    return f"{value.scheme}:{value.place}" if isinstance(value, Secret) else value


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
