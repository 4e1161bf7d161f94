from dataclasses import replace
from pathlib import Path

import pytest

from tests.warrants import APPROVER, INTAKE, SECOND, SUBPOENA
from withhold.commands.production import is_loopback, weaknesses
from withhold.deployment.model import (
    CallerEntry,
    Deployment,
    Listen,
    Retention,
    StoreEntry,
    WitnessEntry,
)
from withhold.ledger.note import KeyType, VerifierKey
from withhold.names import CallerName, InstrumentName, Role, SignerRole, StoreName
from withhold.policy.model import Policy

SEARCH = replace(SUBPOENA, name=InstrumentName("us-search-warrant"), approvals=2)
POLICY = Policy({each.name: each for each in (SUBPOENA, SEARCH)}, (), ())


def caller(name: str, *roles: Role) -> CallerEntry:
    return CallerEntry(CallerName(name), bytes(32), frozenset(roles), frozenset())


def witness(url: str) -> WitnessEntry:
    return WitnessEntry(url, VerifierKey("witness.test", KeyType.COSIGNATURE, bytes(32)))


GOOD = Deployment(
    file=Path("/etc/withhold/withhold.toml"),
    deployment="example-prod",
    data_plane=Listen("127.0.0.1", 8470),
    control_plane=Listen("::1", 8471),
    redis_url=None,
    database_url="",
    keys_path=Path("/var/keys"),
    stores={StoreName("a"): StoreEntry(StoreName("a"), "https://a.internal")},
    callers=(caller("service", Role.DISCLOSE), caller("ops", Role.OPERATE, Role.TUNE)),
    signers=(INTAKE.signer, APPROVER.signer, SECOND.signer),
    witnesses=(witness("https://witness.test"),),
)
SQLITE = "sqlite:////var/withhold.db"


def found(
    deployment: Deployment = GOOD, database_url: str = SQLITE, redis_url: str = ""
) -> list[tuple[object, str]]:
    return [(at, text) for at, text, _ in weaknesses(deployment, POLICY, database_url, redis_url)]


def test_what_is_good_enough_passes() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - all of them
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.test", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_and_no_other(host: str, own: bool) -> None:
    assert is_loopback(host) == own


@pytest.mark.parametrize("name", ["data_plane", "control_plane"])
def test_refuses_plain_http_beyond_this_machine(name: str) -> None:
    everywhere = Listen("0.0.0.0", 1)  # noqa: S104 - what is to be refused
    exposed = {
        "data_plane": replace(GOOD, data_plane=everywhere),
        "control_plane": replace(GOOD, control_plane=everywhere),
    }[name]
    message = f"`{name}` is plain HTTP beyond this machine"
    assert found(exposed) == [((name, "listen"), message)]


def test_refuses_a_store_by_plain_http() -> None:
    entry = StoreEntry(StoreName("b"), "http://b.internal")
    near = StoreEntry(StoreName("c"), "http://127.0.0.1:8008")
    stores = {each.name: each for each in (near, entry)}
    message = "the store `b` is called by plain HTTP"
    assert found(replace(GOOD, stores=stores)) == [(("store", 1, "base_url"), message)]


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("postgresql:///withhold", True),
        ("postgresql://127.0.0.1/withhold", True),
        ("postgresql://u:p@db.internal/withhold?sslmode=verify-full", True),
        ("postgresql://u:p@db.internal/withhold?sslmode=prefer", False),
        ("postgresql://u:p@db.internal/withhold", False),
        ("postgresql://127.0.0.1:5432,db.internal:5432/withhold", False),
        ("postgresql://a.internal,b.internal/withhold?sslmode=verify-full", True),
        ("postgresql:///withhold?host=db.internal", False),
        ("postgresql://%2Frun%2Fpostgresql/withhold?hostaddr=10.0.0.1", False),
        ("postgresql:///withhold?host=/run/postgresql", True),
        ("postgresql://db.internal/w?sslmode=verify-full&sslmode=disable", False),
    ],
)
def test_refuses_a_database_without_tls(url: str, good: bool) -> None:
    assert (found(database_url=url) == []) == good


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("unix:///run/redis.sock?db=0", True),
        ("redis://127.0.0.1:6379/0", True),
        ("redis://[::1]:6379/0", True),
        ("rediss://:p@cache.internal:6379/0", True),
        ("rediss+cluster://a.internal:1,b.internal:2", True),
        ("redis://:p@cache.internal:6379/0", False),
        ("redis+sentinel://127.0.0.1:1,b.internal:2/main", False),
    ],
)
def test_refuses_a_redis_without_tls(url: str, good: bool) -> None:
    assert (found(redis_url=url) == []) == good


@pytest.mark.parametrize(
    ("roles", "good"),
    [
        ((Role.DISCLOSE,), True),
        ((Role.OPERATE, Role.TUNE, Role.REVEAL), True),
        ((Role.DISCLOSE, Role.OPERATE), False),
        ((Role.AUDIT, Role.REVEAL), False),
    ],
)
def test_refuses_roles_that_must_be_apart(roles: tuple[Role, ...], good: bool) -> None:
    assert (found(replace(GOOD, callers=(caller("x", *roles),))) == []) == good


def test_refuses_one_person_who_takes_in_and_approves() -> None:
    same = replace(APPROVER.signer, person=f" {INTAKE.signer.person.upper()} ")
    at = ("signer", 1, "person")
    message = "the person of `approver-1` signs both as intake and as approver"
    assert found(replace(GOOD, signers=(INTAKE.signer, same, SECOND.signer))) == [(at, message)]


def test_refuses_test_signers() -> None:
    test = replace(SECOND.signer, person="test: Abel Approver")
    message = "the signer `approver-2` is a test signer"
    signers = (INTAKE.signer, APPROVER.signer, test)
    assert found(replace(GOOD, signers=signers)) == [(("signer", 2, "person"), message)]


def test_refuses_too_few_signers() -> None:
    assert [text for _, text in found(replace(GOOD, signers=(APPROVER.signer, SECOND.signer)))] == [
        "nobody can sign as intake"
    ]
    one = "`us-search-warrant` asks for 2 approvals, and the persons who can approve are 1"
    assert [text for _, text in found(replace(GOOD, signers=(INTAKE.signer, APPROVER.signer)))] == [
        one
    ]


def test_two_keys_of_one_person_are_one_approver() -> None:
    again = replace(SECOND.signer, person=APPROVER.signer.person, role=SignerRole.APPROVE)
    assert len(found(replace(GOOD, signers=(INTAKE.signer, APPROVER.signer, again)))) == 1


def test_somebody_else_witnesses_the_log() -> None:
    message = "no witness signs the ledger's checkpoints"
    assert found(replace(GOOD, witnesses=())) == [(("ledger",), message)]


@pytest.mark.parametrize(("days", "enough"), [(0, False), (29, False), (30, True), (36_500, True)])
def test_nothing_of_this_month_can_be_pruned(days: int, enough: bool) -> None:
    told = (("retention", "least_days"), f"what is {days} days old can be pruned")
    assert found(replace(GOOD, retention=Retention(days))) == ([] if enough else [told])


def test_a_witness_is_not_asked_in_the_clear() -> None:
    asked = replace(GOOD, witnesses=(*GOOD.witnesses, witness("http://witness.test")))
    message = "the witness `witness.test` is asked by plain HTTP"
    assert found(asked) == [(("witness", 1, "url"), message)]
    assert found(replace(GOOD, witnesses=(witness("http://127.0.0.1:8080"),))) == []
