"""Rotating a deployment's own keys: the verbs of `withhold keys` that list, add and end versions.

The files are changed here, and each node takes note within a second. Token keys are wrapped anew
in the database, beside the nodes that run. Whatever a crash leaves half done can be done again.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from withhold import config
from withhold.adapters.database import Database
from withhold.adapters.entering import Fact, key_facts, key_name, tell_destroyed, tell_rotated
from withhold.adapters.keyfiles import destroy_key, load_keys, make_next_key, retire_key
from withhold.adapters.token_keys import Rewrapped, SqlTokenKeys
from withhold.commands.options import deployment_file
from withhold.deployment.model import Deployment
from withhold.errors import DatabaseUnavailable, KeyUnavailable
from withhold.keyring import KeyKind, KeyRing, verifier_keys
from withhold.ledger.note import print_verifier_key
from withhold.terminal import Exit, complain, count, note, out, out_json, table, warn

_NAMED: Final = 10  # warrants in one line
_MADE: Final = {
    KeyKind.ENCRYPTION: "when every node has it: `withhold keys destroy encryption {older}`",
    KeyKind.CACHE: "version {older} is of no use any more: `withhold keys destroy cache {older}`",
    KeyKind.LEDGER: (
        "both sign from now on; publish what `withhold keys show` prints, and destroy version "
        "{older} when all who verify have it"
    ),
    KeyKind.COMMITMENT: "keep version {older} for as long as the ledger's targets are to be told",
}
_DESTROYED: Final = {
    KeyKind.ENCRYPTION: (
        "a backup of the keys still holds it, and opens token keys in backups of the database "
        "from before the rotation, those of closed warrants too"
    ),
    KeyKind.CACHE: "a backup of the keys still holds it; nothing that it makes is believed",
    KeyKind.LEDGER: (
        "what it signed stays good. A backup of the keys still holds it, and who has that can sign "
        "for all who have not changed over"
    ),
    KeyKind.COMMITMENT: (
        "whom the ledger names by it can't be told any more, except with a backup of the keys"
    ),
}


def list_keys(arguments: argparse.Namespace) -> int:
    """Say which versions there are, and how many token keys are wrapped by which."""
    deployment = _deployment(arguments)
    ring = load_keys(deployment.keys_path)
    code, wraps = Exit.DONE, None
    try:
        wraps = asyncio.run(_wrapped_by(deployment))
    except DatabaseUnavailable as error:
        complain(error)
        code = Exit.FAILED
    keys = list(_described(ring, wraps))
    missing = sorted((wraps or {}).keys() - ring.encryption.keys())
    if arguments.json:
        out_json({"folder": str(deployment.keys_path), "keys": keys, "missing": missing})
    else:
        rows = [(each["kind"], str(each["version"]), _use(each)) for each in keys]
        for line in table([("kind", "version", ""), *rows]):
            out(line)
    for version in missing:
        wrapped = count((wraps or {})[version], "token key")
        warn(f"version {version} of the encryption key is missing: {wrapped} can't be opened")
        code = Exit.FAULT
    return code


def show(arguments: argparse.Namespace) -> int:
    """Print what others verify the ledger's checkpoints with, a vkey a line, the oldest first."""
    deployment = _deployment(arguments)
    origin = deployment.ledger_origin
    keys = verifier_keys(load_keys(deployment.keys_path), origin)
    printed = {version: print_verifier_key(key) for version, key in keys.items()}
    if arguments.json:
        shown = [{"version": version, "verifier_key": key} for version, key in printed.items()]
        out_json({"origin": origin, "keys": shown})
    else:
        for key in printed.values():
            out(key)
    return Exit.DONE


def rotate(arguments: argparse.Namespace) -> int:
    """Make the next version of a key; wrap all token keys by it, if that is what it is for."""
    deployment, kind = _deployment(arguments), KeyKind(arguments.kind)
    folder = deployment.keys_path
    older = max(load_keys(folder).of(kind))
    version, done = asyncio.run(_rotate(deployment, kind, rewraps=arguments.rewrap))
    path = folder / f"{kind}-{version}.key"
    if arguments.json:
        out_json({"kind": kind.value, "version": version, "file": str(path), **_facts(done)})
    else:
        out(f"made {path}: used from now on")
        _say(done)
    if kind is KeyKind.ENCRYPTION and done is None:
        note("next: copy it to every node's folder, then `withhold keys rewrap`")
    else:
        note(f"next: {_MADE[kind].format(older=older)}")
    return _code(done)


def rewrap(arguments: argparse.Namespace) -> int:
    """Wrap all token keys by the newest version."""
    done = asyncio.run(_rewrap(_deployment(arguments)))
    if arguments.json:
        out_json({"version": done.version, **_facts(done)})
    else:
        _say(done)
    return _code(done)


def destroy(arguments: argparse.Namespace) -> int:
    """Destroy an older version that is not needed any more."""
    deployment, kind = _deployment(arguments), KeyKind(arguments.kind)
    asyncio.run(_destroy(deployment, kind, arguments.version))
    if arguments.json:
        out_json({"kind": kind.value, "destroyed": arguments.version})
    else:
        out(f"destroyed version {arguments.version} of the {kind} key")
    note(f"note: {_DESTROYED[kind]}")
    return Exit.DONE


async def _rotate(
    deployment: Deployment, kind: KeyKind, *, rewraps: bool
) -> tuple[int, Rewrapped | None]:
    async with _opened(deployment) as (database, token_keys):
        known = 0
        if kind is KeyKind.ENCRYPTION:
            # A number that another machine's folder has, or had, is not given to another key.
            known = max(await token_keys.in_force(), *(await token_keys.wrapped_by()), 0)
        version = make_next_key(deployment.keys_path, kind, above=known)
        # CRASH: nodes use it, and one of them tells the ledger that it was made.
        name, fact = _named(deployment, kind, version)
        await database.write(partial(tell_rotated, name=name, fact=fact))
        if kind is KeyKind.ENCRYPTION and rewraps:
            return version, await token_keys.rewrap()
        return version, None


async def _destroy(deployment: Deployment, kind: KeyKind, version: int) -> None:
    folder = deployment.keys_path
    async with _opened(deployment) as (database, token_keys):
        if kind is KeyKind.ENCRYPTION and version < load_keys(folder).encryption_version:
            await _check_unused(token_keys, version)
        name, fact = _named(deployment, kind, version)
        retire_key(folder, kind, version)
        # CRASH: it is no key any more and nobody was told; the same command tells it.
        await database.write(partial(tell_destroyed, name=name, fact=fact))
        # CRASH: told, and its bytes are there; the same command ends them, and tells it twice.
        destroy_key(folder, kind, version)


def _named(deployment: Deployment, kind: KeyKind, version: int) -> tuple[str, Fact]:
    """Give what the ledger calls a key and says of it: as nodes do that find it."""
    facts = key_facts(load_keys(deployment.keys_path), deployment.ledger_origin)
    name = key_name(kind, version)
    gone = {"kind": kind.value, "version": version, "key_id": None, "public_key": None}
    return name, facts.get(name, Fact(gone))


async def _rewrap(deployment: Deployment) -> Rewrapped:
    async with _opened(deployment) as (_, token_keys):
        return await token_keys.rewrap()


async def _wrapped_by(deployment: Deployment) -> Mapping[int, int]:
    async with _opened(deployment) as (_, token_keys):
        return await token_keys.wrapped_by()


async def _check_unused(token_keys: SqlTokenKeys, version: int) -> None:
    """Check that no token key is wrapped by a version, nor will ever be. Raises: KeyUnavailable."""
    wraps = (await token_keys.wrapped_by()).get(version, 0)
    if wraps or await token_keys.in_force() <= version:
        reason = f"it wraps {count(wraps, 'token key')}" if wraps else "nodes may wrap by it"
        message = f"version {version} of the encryption key is still in use: {reason}"
        raise KeyUnavailable(message, "`withhold keys rewrap` wraps all by the newest")


@asynccontextmanager
async def _opened(deployment: Deployment) -> AsyncIterator[tuple[Database, SqlTokenKeys]]:
    url = config.read_reference(deployment.database_url)
    database = await asyncio.to_thread(Database, url)
    try:
        yield database, SqlTokenKeys(database, partial(load_keys, deployment.keys_path))
    finally:
        await asyncio.to_thread(database.close)


def _described(ring: KeyRing, wraps: Mapping[int, int] | None) -> list[dict[str, Any]]:
    """Give each version; `token_keys`: how many it wraps, None of other kinds or if unknown."""
    return [
        {
            "kind": kind.value,
            "version": version,
            "newest": version == max(ring.of(kind)),
            "token_keys": (
                wraps.get(version, 0) if kind is KeyKind.ENCRYPTION and wraps is not None else None
            ),
        }
        for kind in KeyKind
        for version in sorted(ring.of(kind), reverse=True)
    ]


def _use(key: Mapping[str, Any]) -> str:
    wraps = key["token_keys"]
    said = ["newest"] if key["newest"] else []
    said += [] if wraps is None else [f"wraps {count(wraps, 'token key')}"]
    return ", ".join(said)


def _facts(done: Rewrapped | None) -> dict[str, Any]:
    return {} if done is None else {"rewrapped": done.count, "not_opened": list(done.closed)}


def _say(done: Rewrapped | None) -> None:
    if done is not None:
        out(f"wrapped {count(done.count, 'token key')} by version {done.version}")


def _code(done: Rewrapped | None) -> int:
    """Give the exit code, and name the warrants whose keys stay as they are."""
    if done is None or not done.closed:
        return Exit.DONE
    names = ", ".join(f"`{warrant}`" for warrant in done.closed[:_NAMED])
    more = f" and {len(done.closed) - _NAMED} more" if len(done.closed) > _NAMED else ""
    hint = "they are damaged, or the version that wraps them is missing: see `withhold keys list`"
    warn(f"did not open: the token keys of {names}{more}", hint)
    return Exit.FAULT


def _deployment(arguments: argparse.Namespace) -> Deployment:
    return config.load_deployment(deployment_file(arguments))
