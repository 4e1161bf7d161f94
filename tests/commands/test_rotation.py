import asyncio
import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, insert, select

from tests.running import Done, run
from withhold.adapters.database import Database
from withhold.adapters.entering import Fact, Found, enter
from withhold.adapters.keyfiles import KeyFolder, load_keys, make_next_key, retire_key
from withhold.adapters.log import decode_owed
from withhold.adapters.schema import owed, token_keys, warrants
from withhold.adapters.token_keys import SqlTokenKeys
from withhold.commands import rotation
from withhold.keyring import KeyKind, known_keys, ledger_keys
from withhold.ledger.note import parse_verifier_key
from withhold.names import WarrantId
from withhold.terminal import Exit

PREPARED = Path(__file__).parents[1] / "cli" / "folder"
IDS = [WarrantId(f"W-{number}") for number in range(1, 4)]
Result = TypeVar("Result")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to run commands in, with keys and three warrants that have none yet."""
    shutil.copytree(PREPARED / "config", tmp_path / "config")
    assert keys(tmp_path, "init").code == Exit.DONE
    database = Database(url(tmp_path))
    asyncio.run(database.write(lambda it: it.execute(insert(warrants), ROWS).rowcount))
    database.close()
    return tmp_path


ROWS: list[dict[str, Any]] = [
    {"id": name, "number": i, "document": b"{}", "digest": "", "state": "active"}
    for i, name in enumerate(IDS, 1)
]


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'config' / 'var' / 'withhold.db'}"


def key_folder(folder: Path) -> Path:
    return folder / "config" / "var" / "keys"


def keys(folder: Path, *words: str) -> Done:
    return run("keys", *words, cwd=folder)


def on_node(folder: Path, work: Callable[[SqlTokenKeys], Awaitable[Result]]) -> Result:
    """Do something as a node would that has just started."""

    async def working() -> Result:
        ring = KeyFolder(key_folder(folder))
        database = Database(url(folder))
        try:
            return await work(SqlTokenKeys(database, lambda: ring.ring, ring.reload))
        finally:
            database.close()

    return asyncio.run(working())


def token_keys_of(folder: Path) -> list[bytes]:
    async def each(node: SqlTokenKeys) -> list[bytes]:
        return [await node.token_key(name) for name in IDS]

    return on_node(folder, each)


def test_a_rotation_from_first_to_last(folder: Path) -> None:
    made = token_keys_of(folder)
    done = keys(folder, "rotate", "encryption")
    path = key_folder(folder) / "encryption-2.key"
    assert done == Done(
        Exit.DONE,
        f"made {path}: used from now on\nwrapped 3 token keys by version 2\n",
        "next: when every node has it: `withhold keys destroy encryption 1`\n",
    )
    assert token_keys_of(folder) == made
    done = keys(folder, "list")
    assert done.out.splitlines()[:3] == [
        "kind        version",
        "encryption  2        newest, wraps 3 token keys",
        "encryption  1        wraps 0 token keys",
    ]
    done = keys(folder, "destroy", "encryption", "1")
    assert (done.code, done.out) == (Exit.DONE, "destroyed version 1 of the encryption key\n")
    assert "backups of the database from before the rotation" in done.err
    assert sorted(load_keys(key_folder(folder)).encryption) == [2]
    assert token_keys_of(folder) == made


def test_what_is_still_in_use_is_not_destroyed(folder: Path) -> None:
    made = token_keys_of(folder)
    done = keys(folder, "rotate", "encryption", "--no-rewrap")
    assert done.out.endswith("encryption-2.key: used from now on\n")
    assert done.err == "next: copy it to every node's folder, then `withhold keys rewrap`\n"
    done = keys(folder, "destroy", "encryption", "1")
    assert (done.code, done.out) == (Exit.FAILED, "")
    assert done.err == (
        "error: version 1 of the encryption key is still in use: it wraps 3 token keys\n"
        "hint: `withhold keys rewrap` wraps all by the newest\n"
    )
    assert keys(folder, "rewrap") == Done(Exit.DONE, "wrapped 3 token keys by version 2\n", "")
    assert keys(folder, "rewrap").out == "wrapped 0 token keys by version 2\n"
    assert keys(folder, "destroy", "encryption", "1").code == Exit.DONE
    assert token_keys_of(folder) == made


def test_a_version_that_nodes_may_still_wrap_by_is_not_destroyed(folder: Path) -> None:
    keys(folder, "rotate", "encryption", "--no-rewrap")
    done = keys(folder, "destroy", "encryption", "1")
    assert done.code == Exit.FAILED
    assert "is still in use: nodes may wrap by it" in done.err
    assert sorted(load_keys(key_folder(folder)).encryption) == [1, 2]


@pytest.mark.parametrize("kind", KeyKind)
def test_every_kind_is_rotated_and_the_older_version_destroyed(folder: Path, kind: KeyKind) -> None:
    done = keys(folder, "rotate", kind, "--json")
    assert done.code == Exit.DONE
    said = json.loads(done.out)
    wrapped = {"rewrapped": 0, "not_opened": []} if kind is KeyKind.ENCRYPTION else {}
    path = str(key_folder(folder) / f"{kind}-2.key")
    assert said == {"kind": kind, "version": 2, "file": path, **wrapped}
    assert done.err.startswith("next: ")
    assert "{" not in done.err
    done = keys(folder, "destroy", kind, "2")
    assert done.code == Exit.FAILED
    assert f"version 2 of the {kind} key is not older than the newest" in done.err
    done = keys(folder, "destroy", kind, "1", "--json")
    assert json.loads(done.out) == {"kind": kind, "destroyed": 1}
    assert "backup" in done.err
    assert sorted(load_keys(key_folder(folder)).of(kind)) == [2]
    done = keys(folder, "destroy", kind, "1")
    assert done.err.startswith(f"error: there is no version 1 of the {kind} key\n")


def owed_keys(folder: Path) -> list[tuple[object, ...]]:
    """What the ledger is owed of keys, in order."""

    def read(connection: Connection) -> list[tuple[object, ...]]:
        rows = connection.execute(select(owed.c.entry).order_by(owed.c.sequence)).scalars()
        entries = [decode_owed(bytes(row)) for row in rows]
        return [tuple(e.public[name] for name in NAMES) for e in entries if e.type == "key"]

    database = Database(url(folder))
    found = database.read_now(read)
    database.close()
    return found


NAMES = ("event", "kind", "version", "public_key")


def test_the_ledger_is_owed_each_rotation_and_destruction_once(folder: Path) -> None:
    keys(folder, "rotate", "encryption")
    keys(folder, "rotate", "ledger")
    old, new = keys(folder, "show").out.splitlines()
    keys(folder, "destroy", "ledger", "1")
    keys(folder, "destroy", "ledger", "1")
    keys(folder, "destroy", "ledger", "2")
    assert owed_keys(folder) == [
        ("rotated", "encryption", 2, None),
        ("rotated", "ledger", 2, new),
        ("destroyed", "ledger", 1, old),
    ]
    # A node that finds the folder as it is now says what is new to the ledger, and no more.
    find_keys(folder)
    said = owed_keys(folder)[3:]
    assert said == [("made", kind, 1, None) for kind in ("cache", "commitment", "encryption")]
    find_keys(folder)
    assert len(owed_keys(folder)) == 6


def find_keys(folder: Path) -> None:
    """Do as a node does that looks at the folder."""
    known = known_keys(load_keys(key_folder(folder)), "withhold/example-test")
    facts = {
        f"{kind} {version}": Fact(
            {"kind": kind, "version": version, "key_id": None, "public_key": public}
        )
        for (kind, version), public in known.items()
    }
    database = Database(url(folder))
    asyncio.run(enter(database, Found.KEY, facts))
    database.close()


def test_what_a_node_was_quicker_to_say_is_not_said_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*arguments: Any, **named: Any) -> int:  # noqa: ANN401 - as they come
        version = make_next_key(*arguments, **named)
        find_keys_in_thread(folder)
        return version

    monkeypatch.setattr(rotation, "make_next_key", made)
    keys(folder, "rotate", "cache")
    assert [said for said in owed_keys(folder) if said[1:3] == ("cache", 2)] == [
        ("made", "cache", 2, None)
    ]


def find_keys_in_thread(folder: Path) -> None:
    thread = threading.Thread(target=find_keys, args=(folder,))
    thread.start()
    thread.join()


def test_a_destruction_that_ended_halfway_is_told_by_the_next(folder: Path) -> None:
    keys(folder, "rotate", "ledger")
    find_keys(folder)
    old = keys(folder, "show").out.splitlines()[0]
    retire_key(key_folder(folder), KeyKind.LEDGER, 1)
    assert keys(folder, "destroy", "ledger", "1").code == Exit.DONE
    assert owed_keys(folder)[-1] == ("destroyed", "ledger", 1, old)
    assert list(key_folder(folder).glob(".ledger*")) == []


def test_what_others_verify_with_is_shown(folder: Path) -> None:
    keys(folder, "rotate", "ledger")
    printed = keys(folder, "show").out.splitlines()
    of_ring = ledger_keys(load_keys(key_folder(folder))).values()
    shown = [parse_verifier_key(line) for line in printed]
    assert [key.public_key for key in shown] == [
        key.public_key().public_bytes_raw() for key in of_ring
    ]
    assert {key.name for key in shown} == {"withhold/example-test"}
    assert json.loads(keys(folder, "show", "--json").out) == {
        "origin": "withhold/example-test",
        "keys": [{"version": i, "verifier_key": key} for i, key in enumerate(printed, 1)],
    }


def test_what_wraps_token_keys_and_is_missing_is_told(folder: Path) -> None:
    token_keys_of(folder)
    keys(folder, "rotate", "encryption", "--no-rewrap")
    (key_folder(folder) / "encryption-1.key").unlink()
    done = keys(folder, "list")
    assert done.code == Exit.FAULT
    assert done.err == (
        "warning: version 1 of the encryption key is missing: 3 token keys can't be opened\n"
    )
    said = json.loads(keys(folder, "list", "--json").out)
    assert said["missing"] == [1]
    assert said["keys"][0] == {
        "kind": "encryption",
        "version": 2,
        "newest": True,
        "token_keys": 0,
    }
    done = keys(folder, "rewrap")
    assert (done.code, done.out) == (Exit.FAULT, "wrapped 0 token keys by version 2\n")
    assert "warning: did not open: the token keys of `W-1`, `W-2`, `W-3`\n" in done.err


def test_of_many_warrants_some_are_named(folder: Path) -> None:
    more: list[dict[str, Any]] = [
        {**ROWS[0], "id": f"X-{number:02}", "number": 100 + number} for number in range(20)
    ]
    lost = [{"warrant": row["id"], "wrapped": bytes(24), "wrapped_by": 1, "at": ""} for row in more]
    database = Database(url(folder))
    asyncio.run(database.write(lambda it: it.execute(insert(warrants), more).rowcount))
    asyncio.run(database.write(lambda it: it.execute(insert(token_keys), lost).rowcount))
    database.close()
    done = keys(folder, "rotate", "encryption", "--json")
    assert done.code == Exit.FAULT
    assert json.loads(done.out)["not_opened"] == [row["id"] for row in more]
    assert "`X-09` and 10 more\n" in done.err


def test_no_database_no_change(folder: Path) -> None:
    for path in (folder / "config" / "var").glob("withhold.db*"):
        path.unlink()
    (folder / "config" / "var" / "withhold.db").mkdir()
    (key_folder(folder) / "cache-2.key").write_bytes(bytes(range(32)))
    (key_folder(folder) / "cache-2.key").chmod(0o600)
    ring = load_keys(key_folder(folder))
    for words in ("rotate encryption", "rotate ledger", "rewrap", "destroy cache 1"):
        assert keys(folder, *words.split()).code == Exit.FAILED
    assert load_keys(key_folder(folder)) == ring
    done = keys(folder, "list")
    assert done.code == Exit.FAILED
    assert done.out.splitlines()[1] == "encryption  1        newest"
    assert done.err.startswith("error: the database")


def test_a_number_that_another_machine_has_given_is_not_given_again(folder: Path) -> None:
    token_keys_of(folder)
    keys(folder, "rotate", "encryption")
    # This machine never got the new version.
    (key_folder(folder) / "encryption-2.key").rename(folder / "elsewhere")
    done = keys(folder, "rotate", "encryption", "--json")
    assert json.loads(done.out)["version"] == 3
    assert json.loads(done.out)["not_opened"] == IDS
    assert done.code == Exit.FAULT
    (folder / "elsewhere").rename(key_folder(folder) / "encryption-2.key")
    assert keys(folder, "rewrap").out == "wrapped 3 token keys by version 3\n"


def test_a_database_that_a_secret_names_is_opened(folder: Path) -> None:
    file = folder / "config" / "withhold.toml"
    text = file.read_text()
    file.write_text(text.replace('url = "sqlite:///var/withhold.db"', 'url = "env:DATABASE"'))
    assert "is not set" in keys(folder, "rewrap").err
    secret = folder / "secret"
    secret.write_text(url(folder))
    secret.chmod(0o600)
    file.write_text(text.replace('"sqlite:///var/withhold.db"', f'"file:{secret}"'))
    assert keys(folder, "rewrap").code == Exit.DONE


@pytest.mark.parametrize(
    "words",
    [
        ["rotate"],
        ["rotate", "token"],
        ["destroy", "cache"],
        ["destroy", "cache", "one"],
        ["destroy", "cache", "1", "2"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_said(folder: Path, words: list[str]) -> None:
    done = keys(folder, *words)
    assert done.code == Exit.USAGE
    assert done.err.startswith("error: ")


@pytest.mark.parametrize("version", ["0", "-1"])
def test_there_is_no_version_before_the_first(folder: Path, version: str) -> None:
    keys(folder, "rotate", "cache")
    done = keys(folder, "destroy", "cache", "--", version)
    assert (done.code, done.out) == (Exit.FAILED, "")
    assert "there is no version" in done.err


def test_no_output_holds_a_key(folder: Path) -> None:
    secret = [
        form
        for key in token_keys_of(folder)
        + [next(iter(load_keys(key_folder(folder)).of(kind).values())) for kind in KeyKind]
        for form in (key.hex(), str(key))
    ]
    for words in (["rotate", "encryption"], ["list"], ["list", "--json"], ["show"], ["rewrap"]):
        done = keys(folder, *words)
        assert not any(form in done.out + done.err for form in secret)


# A rotation that is killed just before one of the steps that change anything.
KILLED = """
import os, signal, sys
from withhold.adapters.database import Database
from withhold.cli import main

left = int(sys.argv[1])

def mortal(call):
    def counted(*arguments, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return call(*arguments, **named)
    return counted

os.link = mortal(os.link)
os.fsync = mortal(os.fsync)
Database._commit = mortal(Database._commit)
Database.scrub = mortal(Database.scrub)
sys.exit(main(["keys", "rotate", "encryption"]))
"""


def test_a_rotation_that_is_killed_at_any_step_can_be_done_again(folder: Path) -> None:
    made = token_keys_of(folder)
    step, newest = 0, 1
    while True:
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(step)],
            cwd=folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr
        ring = load_keys(key_folder(folder))
        assert ring.encryption_version - newest in {0, 1}
        newest = ring.encryption_version
        assert token_keys_of(folder) == made
        if done.returncode == 0:
            break
        step += 1
    assert step >= 5
    assert keys(folder, "rewrap").code == Exit.DONE
    for version in sorted(ring.encryption)[:-1]:
        assert keys(folder, "destroy", "encryption", str(version)).code == Exit.DONE
    assert token_keys_of(folder) == made


async def test_a_node_that_runs_goes_on_through_a_rotation(folder: Path) -> None:
    now_ns = 0
    ring = KeyFolder(key_folder(folder), lambda: now_ns)
    database = Database(url(folder))
    node = SqlTokenKeys(database, lambda: ring.ring, ring.reload)
    first = await node.token_key(IDS[0])
    done = await asyncio.to_thread(keys, folder, "rotate", "encryption")
    assert done.code == Exit.DONE
    # It has not looked at the folder since, and finds both what was and what it must use now.
    assert await node.token_key(IDS[0]) == first
    second = await node.token_key(IDS[1])
    assert await node.wrapped_by() == {2: 2}
    done = await asyncio.to_thread(keys, folder, "destroy", "encryption", "1")
    assert done.code == Exit.DONE
    now_ns += 1_000_000_000
    assert [await node.token_key(name) for name in IDS[:2]] == [first, second]
    assert sorted(ring.ring.encryption) == [2]
    database.close()
