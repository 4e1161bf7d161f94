import hashlib

import pytest

from withhold.authenticate import authenticate
from withhold.deployment.model import CallerEntry
from withhold.names import CallerName, Role


def caller(name: str, token: str) -> CallerEntry:
    digest = hashlib.sha256(token.encode()).digest()
    return CallerEntry(CallerName(name), digest, frozenset({Role.DISCLOSE}), frozenset())


ALICE, BOB = caller("alice", "token-a"), caller("bob", "token-b==")


def ask(*values: bytes) -> CallerEntry | None:
    return authenticate([(b"authorization", value) for value in values], [ALICE, BOB])


def test_knows_a_caller_by_its_token() -> None:
    assert ask(b"Bearer token-a") is ALICE
    assert ask(b"bEARER  token-b==") is BOB
    assert authenticate([(b"x", b"y"), (b"authorization", b"Bearer token-a")], [ALICE]) is ALICE


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [b"token-a"],
        [b"Basic token-a"],
        [b"Bearertoken-a"],
        [b"Bearer\ttoken-a"],
        [b"Bearer token-a "],
        [b"Bearer token-a x"],
        [b"Bearer token-a,"],
        [b'Bearer "token-a"'],
        [b"Bearer token-b"],
        [b"Bearer TOKEN-A"],
        [b"Bearer token-\xe9"],
        [b"Bearer token-a\n"],
        [b"Bearer " + b"a" * 513],
        [b"Bearer token-a", b"Bearer token-a"],
        [b"Bearer token-a", b"Basic x"],
    ],
)
def test_knows_nobody_otherwise(values: list[bytes]) -> None:
    assert ask(*values) is None


def test_a_token_of_two_callers_is_nobodys() -> None:
    assert (
        authenticate([(b"authorization", b"Bearer t")], [caller("a", "t"), caller("b", "t")])
        is None
    )
