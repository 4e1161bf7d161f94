import pytest

from withhold.kinds.instant import Instant
from withhold.names import State
from withhold.warrant.model import Interval
from withhold.warrant.state import FOLLOWS, comes_before, may_follow, state_at

FINAL = {State.REVOKED, State.EXPIRED, State.CLOSED}


def test_the_last_three_are_final() -> None:
    assert {state for state in State if not FOLLOWS[state]} == FINAL


def test_nothing_follows_itself_and_nothing_returns_to_pending() -> None:
    assert not any(may_follow(state, state) for state in State)
    assert comes_before(State.PENDING) == frozenset()


@pytest.mark.parametrize(
    ("to", "allowed"),
    [
        (State.ACTIVE, {State.PENDING, State.SUSPENDED}),
        (State.SUSPENDED, {State.ACTIVE}),
        (State.REVOKED, {State.PENDING, State.ACTIVE, State.SUSPENDED}),
        (State.EXPIRED, {State.ACTIVE}),
        (State.CLOSED, {State.PENDING, State.ACTIVE, State.SUSPENDED}),
    ],
)
def test_from_where_a_state_is_reached(to: State, allowed: set[State]) -> None:
    assert comes_before(to) == allowed


def test_only_an_active_warrant_expires_and_at_the_instant_that_validity_ends() -> None:
    valid = Interval(Instant(10), Instant(20))
    assert state_at(State.ACTIVE, valid, Instant(19, "999")) is State.ACTIVE
    assert state_at(State.ACTIVE, valid, Instant(20)) is State.EXPIRED
    assert state_at(State.SUSPENDED, valid, Instant(30)) is State.SUSPENDED
