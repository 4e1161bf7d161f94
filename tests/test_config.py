from pathlib import Path

import pytest

from withhold import config
from withhold.deployment.model import Secret
from withhold.errors import ConfigError, KeyUnavailable

FOLDER = Path(__file__).parent / "cli" / "folder" / "config"


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "Bearer canary")
    assert config.read_secret(Secret("env", "A_SECRET")) == "Bearer canary"


@pytest.mark.parametrize("value", [None, ""])
def test_a_secret_that_is_not_set_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("A_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("A_SECRET", value)
    with pytest.raises(KeyUnavailable, match="`A_SECRET` is not set"):
        config.read_secret(Secret("env", "A_SECRET"))


def test_a_secret_comes_from_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("canary\r\n")
    file.chmod(0o600)
    assert config.read_secret(Secret("file", str(file))) == "canary"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_can_read_is_no_secret(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_text("canary")
    file.chmod(mode)
    with pytest.raises(KeyUnavailable) as refused:
        config.read_secret(Secret("file", str(file)))
    assert "canary" not in f"{refused.value.message} {refused.value.hint}"


def test_an_empty_file_and_none_are_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    with pytest.raises(KeyUnavailable):
        config.read_secret(Secret("file", str(file)))
    file.write_text("\n")
    file.chmod(0o600)
    with pytest.raises(KeyUnavailable, match="is empty"):
        config.read_secret(Secret("file", str(file)))


def test_deployment_faults_name_the_file_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("withhold.toml").write_text('deployment = "x"\nsurprise = 1\n')
    with pytest.raises(ConfigError) as faulty:
        config.load_deployment("withhold.toml")
    assert {fault.file for fault in faulty.value.faults} == {"withhold.toml"}
    with pytest.raises(ConfigError, match="can't be read"):
        config.load_deployment("missing.toml")


def test_keys_that_were_never_made_are_said_so() -> None:
    deployment = config.load_deployment(FOLDER / "withhold.toml")
    with pytest.raises(KeyUnavailable) as missing:
        config.open_keys(deployment)
    assert "keys init" in missing.value.hint
    assert config.freezes_folder(deployment) == FOLDER / "var" / "freezes"
    assert config.anchor_file(deployment) == FOLDER / "var" / "ledger.anchor"


def test_the_shipped_configuration_is_whole() -> None:
    bundle = config.load(config.shipped()).bundle
    assert "sample/account" in bundle.catalogue.resources


def test_a_wheel_ships_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_WHEEL", tmp_path)
    assert config.shipped() == tmp_path


# --- Callers and signers, while a node runs ---

MORE = """
[[caller]]
name = "auditor"
token_sha256 = "aaaac10f23c5b5bc1167bda84b833e5c057a77d2e0b2a1c0d4f9a1f0b6a6b3c1"
roles = ["audit"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "withhold.toml"
    path.write_bytes((FOLDER / "withhold.toml").read_bytes())
    return path


def names(people: config.People) -> list[str]:
    return [*(each.name for each in people.callers), *(each.name for each in people.signers)]


BEFORE = ["disclosure-service", "intake-1", "approver-1"]


def test_who_is_added_is_in_force_once_the_file_stays_as_it_is(file: Path) -> None:
    people = config.People(config.load_deployment(file))
    people.look()
    assert names(people) == BEFORE
    with file.open("a") as added:
        added.write(MORE)
        added.flush()
        people.look()  # it may still be written
        assert names(people) == BEFORE
        added.write("# more\n")
    people.look()
    assert names(people) == BEFORE
    people.look()
    assert names(people) == ["disclosure-service", "auditor", "intake-1", "approver-1"]


def test_who_is_taken_out_is_gone(file: Path) -> None:
    people = config.People(config.load_deployment(file))
    text = file.read_text()
    file.write_text(text[: text.index("[[signer]]")])
    for _ in range(2):
        people.look()
    assert names(people) == ["disclosure-service"]


@pytest.mark.parametrize("fault", ["[[caller]]\nname = 'canary'\n", None])
def test_a_file_at_fault_changes_nothing(
    file: Path, fault: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    people = config.People(config.load_deployment(file))
    signers = people.signers
    if fault is None:
        file.unlink()
    else:
        file.write_text(file.read_text() + fault)
    for _ in range(4):
        people.look()
    assert names(people) == BEFORE
    assert people.signers is signers
    assert len(caplog.messages) == (fault is not None)
    assert "canary" not in caplog.text
