"""The Python API of the contract (§11), as somebody who has read it would call it."""

import dataclasses
import json
from pathlib import Path

import pytest

import withhold
from withhold.errors import Fault
from withhold.names import InstrumentName

FOLDER = Path(__file__).parent / "cli" / "folder"
CONFIG = FOLDER / "config"
ALICE = {"user_id": "@alice:example.test"}
KEY = bytes(16)


@pytest.fixture(scope="module")
def config() -> withhold.Config:
    return withhold.load(CONFIG)


@pytest.fixture(scope="module")
def warrant() -> withhold.Warrant:
    return withhold.parse_warrant((FOLDER / "W.json").read_bytes())


@pytest.fixture
def body() -> bytes:
    return (FOLDER / "ANSWER.json").read_bytes()


def test_minimizes(config: withhold.Config, warrant: withhold.Warrant, body: bytes) -> None:
    minimizer = config.minimizer(warrant, "chat/whois", params=ALICE, token_key=KEY)
    found = json.loads(minimizer.minimize(body))
    assert found["phone"] == "+442079460220"
    assert found["devices"]["QBUAZIFURK"]["connections"][0]["ip"].startswith("tok_ip_")
    assert b"canary" not in minimizer.minimize(body)
    assert minimizer.allowlist.digest.startswith("sha-256=:")
    assert minimizer.tally.records_seen == 8
    assert minimizer.tally.by_reason() == {"malformed": 2, "out-of-period": 2, "undated": 2}


def test_a_folder_may_be_a_text(warrant: withhold.Warrant) -> None:
    assert withhold.load(str(CONFIG)).allowlist(warrant, "chat/whois").covered


def test_who_is_no_target_is_denied(config: withhold.Config, warrant: withhold.Warrant) -> None:
    with pytest.raises(withhold.Denied) as denied:
        config.minimizer(warrant, "chat/whois", params={"user_id": "@bob:x"}, token_key=KEY)
    assert denied.value.reason == "not-a-target"
    assert "@bob" not in str(denied.value)


def test_what_is_no_answer_is_malformed(config: withhold.Config, warrant: withhold.Warrant) -> None:
    minimizer = config.minimizer(warrant, "chat/whois", params=ALICE, token_key=KEY)
    with pytest.raises(withhold.Malformed):
        minimizer.minimize(b'{"user_id": ')
    with pytest.raises(withhold.Mismatch):
        minimizer.minimize(b'{"user_id": "@bob:example.test"}')


def test_text_is_no_answer(config: withhold.Config, warrant: withhold.Warrant) -> None:
    minimizer = config.minimizer(warrant, "chat/whois", params=ALICE, token_key=KEY)
    with pytest.raises(TypeError, match="an answer is bytes, as the store sent it, not str"):
        minimizer.minimize("{}")  # type: ignore[arg-type] # as somebody without types would


@pytest.mark.parametrize("resource", ["chat/whois", "chat/log"])  # the second tokenizes nothing
def test_a_token_key_has_16_bytes(
    config: withhold.Config, warrant: withhold.Warrant, resource: str
) -> None:
    with pytest.raises(withhold.KeyUnavailable, match="a token key has 16 bytes, not 15"):
        config.minimizer(warrant, resource, params=ALICE, token_key=bytes(15))


def test_an_unknown_instrument_is_told_which_there_are(
    config: withhold.Config, warrant: withhold.Warrant
) -> None:
    other = dataclasses.replace(warrant, instrument=InstrumentName("us-nothing"))
    with pytest.raises(withhold.WarrantError) as refused:
        config.allowlist(other, "chat/whois")
    assert refused.value.hint == "there are `us-sca-subpoena`, `us-search-warrant`"


def test_tokens_need_a_key(config: withhold.Config, warrant: withhold.Warrant) -> None:
    with pytest.raises(withhold.KeyUnavailable):
        config.minimizer(warrant, "chat/whois", params=ALICE)


def test_what_the_catalogue_has_not_is_said(
    config: withhold.Config, warrant: withhold.Warrant
) -> None:
    with pytest.raises(withhold.BadRequest) as bad:
        config.minimizer(warrant, "chat/nothing", params=ALICE)
    assert "chat/whois" in bad.value.hint
    with pytest.raises(withhold.BadRequest):
        config.minimizer(warrant, "chat/whois")


@pytest.mark.parametrize("changed", [{"instrument": "uk-none"}, {"jurisdiction": "UK"}])
def test_a_warrant_that_fits_no_instrument_is_refused(
    config: withhold.Config, changed: dict[str, str]
) -> None:
    claims = {**json.loads((FOLDER / "W.json").read_bytes()), **changed}
    other = withhold.parse_warrant(json.dumps(claims).encode())
    with pytest.raises(withhold.WarrantError):
        config.minimizer(other, "chat/whois", params=ALICE, token_key=KEY)


def test_faults_have_file_and_line() -> None:
    with pytest.raises(withhold.ConfigError) as faulty:
        withhold.load(FOLDER / "faulty")
    places = [(Path(each.file).name, each.line) for each in faulty.value.faults]
    assert places == [("chat.toml", 6), ("chat.toml", 10), ("chat.toml", 11)]
    assert str(FOLDER) in faulty.value.faults[0].file
    assert isinstance(faulty.value.faults[0], Fault)


def test_a_folder_that_is_none_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(withhold.ConfigError, match="there is no such folder"):
        withhold.load(tmp_path)


def test_a_file_that_is_no_file_is_a_fault(tmp_path: Path) -> None:
    for name in ("catalogue", "policy"):
        (tmp_path / name).mkdir()
    (tmp_path / "policy" / "a.toml").mkdir()
    with pytest.raises(withhold.ConfigError, match="can't be read"):
        withhold.load(tmp_path)


def test_a_file_that_is_too_large_is_a_fault(tmp_path: Path) -> None:
    for name in ("catalogue", "policy"):
        (tmp_path / name).mkdir()
    (tmp_path / "policy" / "a.toml").write_bytes(b"#" * (4 * 2**20 + 1))
    with pytest.raises(withhold.ConfigError, match="larger than"):
        withhold.load(tmp_path)


def test_what_is_no_warrant_is_refused() -> None:
    with pytest.raises(withhold.WarrantError):
        withhold.parse_warrant(b"{}")


def test_all_that_is_promised_is_there() -> None:
    assert all(hasattr(withhold, name) for name in withhold.__all__)
    errors = [getattr(withhold, name) for name in withhold.__all__]
    assert all(
        issubclass(each, withhold.WithholdError)
        for each in errors
        if isinstance(each, type) and issubclass(each, Exception)
    )
