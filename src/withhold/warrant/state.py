"""States: which may follow which in a warrant's life (contract §6). A table, and nothing else.

What makes access end is allowed from everywhere it could still begin: a pending warrant can be
revoked or closed, so that nobody has to let it become active first.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from withhold.kinds.instant import Instant
from withhold.names import State
from withhold.warrant.model import Interval

FOLLOWS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.PENDING: frozenset({State.ACTIVE, State.REVOKED, State.CLOSED}),
        State.ACTIVE: frozenset({State.SUSPENDED, State.REVOKED, State.EXPIRED, State.CLOSED}),
        State.SUSPENDED: frozenset({State.ACTIVE, State.REVOKED, State.CLOSED}),
        State.REVOKED: frozenset(),
        State.EXPIRED: frozenset(),
        State.CLOSED: frozenset(),
    }
)


def may_follow(state: State, to: State) -> bool:
    """Tell whether a warrant in `state` may be brought into `to`."""
    return to in FOLLOWS[state]


def comes_before(to: State) -> frozenset[State]:
    """Give the states from which `to` may be reached: what `Registry.move` calls `allowed`."""
    return frozenset(state for state in State if may_follow(state, to))


def state_at(state: State, valid: Interval, now: Instant) -> State:
    """Give the state as it is at `now`: an active warrant past its validity has expired.

    The registry may not have been told yet; nothing waits for that.
    """
    return State.EXPIRED if state is State.ACTIVE and now >= valid.until else state
