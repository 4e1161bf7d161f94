"""What `check` finds in a deployment, each at its line."""

import json
import shutil
from pathlib import Path

import pytest

from tests.running import Done, run

PREPARED = Path(__file__).parents[1] / "cli" / "folder"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(PREPARED, tmp_path, dirs_exist_ok=True)
    assert run("keys", "init", cwd=tmp_path).code == 0
    return tmp_path


def check(folder: Path, *more: str) -> tuple[int, list[str]]:
    done: Done = run("check", *more, cwd=folder)
    return done.code, [line for line in done.err.splitlines() if not line.startswith("hint:")]


def change(folder: Path, old: str, new: str) -> int:
    """Change the deployment file; gives the line of what is new."""
    file = folder / "config" / "withhold.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


def test_a_faulty_deployment_is_a_fault(folder: Path) -> None:
    line = change(folder, '"127.0.0.1:8470"', '"nowhere"')
    code, said = check(folder)
    assert code == 1
    assert said[0].startswith(f"error: config/withhold.toml:{line}: ")


def test_a_secret_that_can_not_be_read_is_a_fault(folder: Path) -> None:
    url = 'base_url = "http://127.0.0.1:8008"'
    line = change(folder, url, f'{url}\nheaders = {{ X-Key = "env:WITHHOLD_NO_SUCH" }}')
    place = f"config/withhold.toml:{line + 1}"
    said = f"error: {place}: the environment variable `WITHHOLD_NO_SUCH` is not set"
    assert check(folder) == (1, [said])


def test_an_unread_secret_is_said_once_in_production_too(folder: Path) -> None:
    change(folder, '"sqlite:///var/withhold.db"', '"env:WITHHOLD_NO_SUCH"')
    code, said = check(folder, "--production")
    assert code == 1
    assert len(said) == 1


def test_a_store_that_no_catalogue_knows_is_a_fault(folder: Path) -> None:
    change(
        folder,
        "[[caller]]",
        '[[store]]\nname = "other"\nbase_url = "http://127.0.0.1:1"\n\n[[caller]]',
    )
    code, said = check(folder)
    assert code == 1
    assert said[0].endswith("no catalogue knows the store `other`")


def test_a_store_that_is_not_deployed_is_a_warning(folder: Path) -> None:
    catalogue = folder / "config" / "catalogue"
    text = (catalogue / "chat.toml").read_text().replace('"chat"', '"talk"')
    (catalogue / "talk.toml").write_text(text.replace("/admin/", "/talk/"))
    code, said = check(folder)
    assert code == 0
    message = "the catalogue's store `talk` is not in the deployment: it can't be asked"
    assert said == [f"warning: config/withhold.toml: {message}"]


def test_keys_that_others_can_read_are_a_fault(folder: Path) -> None:
    (folder / "config" / "var" / "keys" / "cache-1.key").chmod(0o644)
    code, said = check(folder)
    assert code == 1
    assert "can be read or changed by others" in said[0]


def test_warnings_of_the_bundle_are_said(folder: Path) -> None:
    rules = folder / "config" / "policy" / "orders.toml"
    rules.write_text(
        rules.read_text() + '\n[[rule]]\nname = "idle"\nkind = "email"\ntreatment = "withhold"\n'
    )
    code, said = check(folder)
    assert code == 0
    assert len(said) == 1
    assert "idle" in said[0]
    done = run("check", "--json", cwd=folder)
    assert [each["file"] for each in json.loads(done.out)["warnings"]] == [
        "config/policy/orders.toml"
    ]


def test_a_failing_policy_test_hides_no_warning(folder: Path) -> None:
    catalogue = folder / "config" / "catalogue" / "chat.toml"
    catalogue.write_text(catalogue.read_text().replace("snapshot = true\n", ""))
    code, said = check(folder)
    assert code == 1
    assert [line.partition(":")[0] for line in said if line[0] != " "] == ["warning", "error"]
    assert said[0].startswith("warning: config/catalogue/chat.toml:4: ")
    assert "can never leave" in said[0]


def test_production_asks_for_a_deployment(folder: Path) -> None:
    (folder / "config" / "withhold.toml").unlink()
    code, said = check(folder, "--production")
    assert code == 1
    assert "can't be read" in said[0]
