import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.deployment.model import (
    CallerEntry,
    Deployment,
    Limits,
    Listen,
    Retention,
    Secret,
    StoreEntry,
    WitnessEntry,
)
from withhold.deployment.parse import parse_deployment
from withhold.errors import ConfigError
from withhold.ledger.note import KeyType, VerifierKey, print_verifier_key
from withhold.names import CallerName, Role, SignerRole, StoreName
from withhold.warrant.model import Signer

FILE = Path("/etc/withhold/withhold.toml")
SHIPPED = Path(__file__).parents[2] / "config" / "withhold.toml"
KEY_1 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
KEY_2 = KEY_1.replace("AAE", "BBE")
WITNESS_KEY = VerifierKey("witness.test/w1", KeyType.COSIGNATURE, bytes(range(32)))
WITNESS = print_verifier_key(WITNESS_KEY)
OF_A_LOG = print_verifier_key(VerifierKey("log.test", KeyType.ED25519, bytes(range(32))))

WHOLE = f"""deployment = "example"
[data_plane]
listen = "127.0.0.1:8470"
[control_plane]
listen = "[::1]:8471"
[cache]
redis_url = "redis://127.0.0.1:6379/0"
[database]
url = "sqlite:///var/withhold.db"
[keys]
path = "var/keys"
[limits]
store_timeout_s = 2
max_line_bytes = 1000
[[store]]
name = "s"
base_url = "http://127.0.0.1:8008/api"
headers = {{ Authorization = "env:S_AUTHORIZATION", X-Key = "file:secrets/s" }}
[[caller]]
name = "service"
token_sha256 = "{"0f" * 32}"
roles = ["disclose"]
stores = ["s"]
[[caller]]
name = "auditor"
token_sha256 = "{"1f" * 32}"
roles = ["audit", "operate"]
[[signer]]
name = "intake-1"
person = "Ines"
role = "intake"
public_key = "{KEY_1}"
[[signer]]
name = "approver-1"
person = "Anna"
role = "approve"
public_key = "{KEY_2}"
[ledger]
origin = "log.example.test/withhold"
[[witness]]
url = "https://witness.test/of-logs/"
key = "{WITNESS}"
"""


def parse(text: str) -> Deployment:
    return parse_deployment(text.encode(), FILE)


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert {fault.file for fault in caught.value.faults} == {str(FILE)}
    return [f"{each.line}: {each.message}" for each in caught.value.faults]


def without(*lines: str) -> str:
    for line in lines:
        assert f"{line}\n" in WHOLE
    return "".join(f"{line}\n" for line in WHOLE.splitlines() if line not in lines)


def test_a_deployment_is_what_its_file_says() -> None:
    found = parse(WHOLE)
    assert found == Deployment(
        file=FILE,
        deployment="example",
        data_plane=Listen("127.0.0.1", 8470),
        control_plane=Listen("::1", 8471),
        redis_url="redis://127.0.0.1:6379/0",
        database_url="sqlite:////etc/withhold/var/withhold.db",
        keys_path=Path("/etc/withhold/var/keys"),
        stores={
            StoreName("s"): StoreEntry(
                StoreName("s"),
                "http://127.0.0.1:8008/api",
                {
                    "Authorization": Secret("env", "S_AUTHORIZATION"),
                    "X-Key": Secret("file", "/etc/withhold/secrets/s"),
                },
            )
        },
        callers=(
            CallerEntry(
                CallerName("service"),
                b"\x0f" * 32,
                frozenset({Role.DISCLOSE}),
                frozenset({StoreName("s")}),
            ),
            CallerEntry(
                CallerName("auditor"),
                b"\x1f" * 32,
                frozenset({Role.AUDIT, Role.OPERATE}),
                frozenset(),
            ),
        ),
        signers=(
            Signer("intake-1", "Ines", SignerRole.INTAKE, bytes(range(32))),
            Signer("approver-1", "Anna", SignerRole.APPROVE, b"\x04\x11\x02" + bytes(range(3, 32))),
        ),
        ledger_origin="log.example.test/withhold",
        witnesses=(WitnessEntry("https://witness.test/of-logs", WITNESS_KEY),),
        limits=Limits(store_timeout_s=2.0, max_line_bytes=1000),
    )


def test_a_deployment_knows_where_its_parts_stand() -> None:
    lines = parse(WHOLE).lines
    assert lines.of(("signer", 1)) == 33
    assert lines.of(("store", 0, "base_url")) == 17


@pytest.mark.parametrize("listen", ["127.0.0.2:8470", "127.0.0.1:8471"])
def test_planes_listen_apart(listen: str) -> None:
    found = parse(WHOLE.replace("[::1]:8471", listen))
    assert found.control_plane != found.data_plane
    assert parse(re.sub(r'listen = ".*"', 'listen = "127.0.0.1:0"', WHOLE)).data_plane.port == 0


def test_what_is_left_out_has_defaults() -> None:
    found = parse(
        without(
            "[cache]",
            'redis_url = "redis://127.0.0.1:6379/0"',
            "[limits]",
            "store_timeout_s = 2",
            "max_line_bytes = 1000",
            "[ledger]",
            'origin = "log.example.test/withhold"',
            "[[witness]]",
            'url = "https://witness.test/of-logs/"',
            f'key = "{WITNESS}"',
        )
    )
    assert found.redis_url is None
    assert found.ledger_origin == "withhold/example"
    assert found.witnesses == ()
    assert found.limits == Limits()
    assert found.retention == Retention(90)
    assert parse(without('redis_url = "redis://127.0.0.1:6379/0"')).redis_url is None
    nameless = parse(without('origin = "log.example.test/withhold"'))
    assert nameless.ledger_origin == "withhold/example"


@pytest.mark.parametrize("days", [0, 1, 36_500])
def test_a_least_age_is_read(days: int) -> None:
    assert parse(f"{WHOLE}\n[retention]\nleast_days = {days}\n").retention == Retention(days)


def test_a_table_of_retention_that_says_nothing_has_the_default() -> None:
    assert parse(f"{WHOLE}\n[retention]\n").retention == Retention(90)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("least_days = -1", "`least_days` is out of range"),
        ("least_days = 36501", "`least_days` is out of range"),
        ("least_days = 1.5", "`least_days` is a decimal number, not an integer"),
        ("least_days = true", "`least_days` is true or false, not an integer"),
        ("days = 1", "`days` is unknown here"),
    ],
)
def test_a_least_age_that_is_none(line: str, fault: str) -> None:
    [found] = faults_of(f"{WHOLE}\n[retention]\n{line}\n")
    assert found.endswith(f": {fault}")


def test_the_shipped_file_is_without_fault() -> None:
    found = parse_deployment(SHIPPED.read_bytes(), SHIPPED)
    assert found.limits == Limits()
    assert found.retention == Retention()
    assert set(found.stores) == {"sample", "synapse"}
    assert {role for caller in found.callers for role in caller.roles} == set(Role)
    assert {signer.role for signer in found.signers} == set(SignerRole)
    assert all(signer.person.startswith("test: ") for signer in found.signers)


def test_what_is_no_toml_is_a_fault() -> None:
    assert faults_of("deployment = example")[0].startswith("1: not TOML")


def test_all_that_is_missing_is_said_at_once() -> None:
    assert faults_of("") == [
        f"1: `{key}` is missing"
        for key in ("deployment", "data_plane", "control_plane", "database", "keys")
    ]
    assert faults_of("[data_plane]\n[[store]]\n[[caller]]\n[[signer]]\n[cache]\n")[5:] == [
        "2: `name` is missing",
        "2: `base_url` is missing",
        *(f"3: `{key}` is missing" for key in ("name", "token_sha256", "roles")),
        *(f"4: `{key}` is missing" for key in ("name", "person", "role", "public_key")),
    ]
    assert faults_of("[[witness]]\n")[5:] == ["1: `url` is missing", "1: `key` is missing"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"example"', '"Example"', "1: `Example` can't be a name"),
        ("[data_plane]", "[dataplane]", "2: `dataplane` is unknown here"),
        ("listen = ", "listne = ", "3: `listne` is unknown here"),
        ("127.0.0.1:8470", "127.0.0.1", "3: `127.0.0.1` is no address to listen on"),
        ("[::1]:8471", "127.0.0.1:8470", "5: both planes listen at the same address"),
        ("[::1]:8471", "0.0.0.0:8470", "5: both planes listen at the same address"),
        ("redis_url", "redis", "7: `redis` is unknown here"),
        ('"redis:', '"http:', "7: the cache's URL is not one of Redis"),
        ("sqlite:///var/withhold.db", "sqlite://", "9: the database's URL is not one"),
        ("store_timeout_s = 2", "store_timeout_s = 0", "13: `store_timeout_s` is out of range"),
        ("store_timeout_s = 2", "store_timeout_ms = 2", "13: `store_timeout_ms` is unknown here"),
        (
            "max_line_bytes = 1000",
            "max_line_bytes = 1.5",
            "14: `max_line_bytes` is a decimal number, not an integer",
        ),
        ('name = "s"', 'nmae = "s"', "16: `nmae` is unknown here"),
        ("http://127.0.0.1:8008", "127.0.0.1:8008", "17: the store's URL is not one"),
        ("env:S_AUTHORIZATION", "Bearer hush", "18: a secret does not stand in this file"),
        ("X-Key", '"X Key"', "18: `X Key` is no header to set for a store"),
        ("X-Key", "Host", "18: `Host` is no header to set for a store"),
        (
            "X-Key",
            "AUTHORIZATION",
            "18: the header `AUTHORIZATION` stands twice: case makes no difference",
        ),
        ('"file:secrets/s"', "1", "18: `X-Key` is an integer, not a string"),
        ("0f" * 32, "0F" * 32, "21: `token_sha256` is not 64 hexadecimal digits"),
        ("0f" * 32, "0f" * 31, "21: `token_sha256` is not 64 hexadecimal digits"),
        ("1f" * 32, "0f" * 32, "26: the token is that of `service`, too"),
        ('"disclose"', '"discloses"', "22: `discloses` is no role"),
        ('["disclose"]', "[]", "22: the caller may do nothing: `roles` is empty"),
        ('stores = ["s"]', 'stores = ["t"]', "23: there is no store `t`"),
        ('stores = ["s"]', "stores = []", "23: the caller reaches nothing: `stores` is empty"),
        ('stores = ["s"]\n', "", "19: `stores` is missing"),
        (
            'name = "auditor"',
            'name = "service"',
            "25: there are two `[[caller]]` named `service`: first in line 20",
        ),
        ('"intake"', '"sign"', "31: `sign` is no signer role"),
        (KEY_1, "AAEC", "32: `public_key` is no Ed25519 key"),
        (KEY_2, KEY_1, "37: the key is that of `intake-1`, too"),
        (
            '"approver-1"',
            '"intake-1"',
            "34: there are two `[[signer]]` named `intake-1`: first in line 29",
        ),
        (
            'person = "Anna"',
            "person = 1979-05-27",
            "35: `person` is a date or a time, not a string",
        ),
        ("origin = ", "orgin = ", "39: `orgin` is unknown here"),
        ('"log.example.test/withhold"', "1", "39: `origin` is an integer, not a string"),
        *(
            (
                '"log.example.test/withhold"',
                f'"{origin}"',
                "39: `origin` is empty, too long, or holds a space, a control or `+`",
            )
            for origin in ("a log", "a\\u00a0log", "a+log", "l" * 1_000)
        ),
        ("log.example.test/withhold", "", "39: `origin` is empty, or has space around it"),
        (
            "[[witness]]",
            "[witness]",
            "40: `witness` is a table, not an array of tables, `[[witness]]`",
        ),
        ('url = "https://witness', 'uri = "https://witness', "41: `uri` is unknown here"),
        ("https://witness.test", "witness.test", "41: the witness's URL is not one"),
        ("https://witness.test", "ftp://witness.test", "41: the witness's URL is not one"),
        ("https://w", "https://u:p@w", "41: a witness's URL holds no user and no password"),
        ("of-logs/", "of-logs?a=b", "41: a witness's URL has no `?` and no `#`"),
        (f'key = "{WITNESS}"\n', "", "40: `key` is missing"),
        (WITNESS, "witness.test", "42: `key` is no verifier key: "),
        (WITNESS, WITNESS.replace("/w1", "/w2"), "42: `key` is no verifier key: "),
        (WITNESS, WITNESS[:-4], "42: `key` is no verifier key: "),
        (WITNESS, OF_A_LOG, "42: `key` is no witness's"),
        (
            f'key = "{WITNESS}"\n',
            f'key = "{WITNESS}"\n[[witness]]\nurl = "http://a"\nkey = "{WITNESS}"\n',
            "45: the key is that of another witness, too",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, fault: str) -> None:
    assert old in WHOLE
    found = faults_of(WHOLE.replace(old, new, 1))
    assert [each for each in found if each == fault or (fault.endswith(": ") and fault in each)]


def test_no_message_shows_what_stands_in_a_secrets_place() -> None:
    text = WHOLE.replace("env:S_AUTHORIZATION", "Bearer hush").replace(
        '"sqlite:///var/withhold.db"', '"postgresql://u:hush@db/w"'
    )
    text = text.replace('"redis://127', '"redis://:hush@127')
    text = text.replace("http://127.0.0.1:8008", "http://u:hush@127.0.0.1:8008")
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert len(caught.value.faults) == 4
    assert "hush" not in str(caught.value)


@given(
    st.integers(0, 1_500),
    st.integers(0, 12),
    st.sampled_from(["", "1", '"', "[", "{}", "true", "\n", "=", "://", "@", ":", "\x00"]),
)
def test_no_change_of_the_file_is_a_traceback(at: int, length: int, new: str) -> None:
    try:
        found = parse(WHOLE[:at] + new + WHOLE[at + length :])
    except ConfigError:
        return
    assert found.keys_path.is_absolute()
