"""What `init` makes can be served, and is not good enough for production."""

from pathlib import Path

import pytest

from tests.running import run
from withhold import config
from withhold.errors import BadRequest
from withhold.starter import CALLERS, SIGNERS, Choices, make_starter

STORES = {"sample": "http://127.0.0.1:8480"}


def test_what_init_makes_passes_the_check(tmp_path: Path) -> None:
    made = run("init", "trial", cwd=tmp_path)
    assert made.code == 0, made.err
    checked = run("check", "-c", "trial/config", cwd=tmp_path)
    assert checked.code == 0, checked.err
    assert "0 faults" in checked.out


def test_what_init_makes_is_not_for_production(tmp_path: Path) -> None:
    run("init", "trial", cwd=tmp_path)
    checked = run("check", "-c", "trial/config/withhold.toml", "--production", cwd=tmp_path)
    assert checked.code == 1
    for name, _, _ in SIGNERS:
        assert f"the signer `{name}` is a test signer" in checked.err


def test_everything_secret_is_its_owners_only(tmp_path: Path) -> None:
    run("init", "trial", cwd=tmp_path)
    secrets = tmp_path / "trial" / "secrets"
    assert secrets.stat().st_mode & 0o777 == 0o700
    files = {path.name: path.stat().st_mode & 0o777 for path in secrets.iterdir()}
    assert set(files.values()) == {0o600}
    assert len(files) == len(SIGNERS) + len(CALLERS)


def test_a_redis_that_is_chosen_is_in_the_file(tmp_path: Path) -> None:
    choices = Choices("x", "127.0.0.1:1", "127.0.0.1:2", STORES, "redis://127.0.0.1:6379/0")
    made = make_starter(tmp_path / "made", choices)
    assert config.load_deployment(made.file).redis_url == "redis://127.0.0.1:6379/0"


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    with pytest.raises(BadRequest, match="is not empty"):
        make_starter(tmp_path, Choices("x", "127.0.0.1:1", "127.0.0.1:2", STORES))
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
