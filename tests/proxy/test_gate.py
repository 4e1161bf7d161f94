import pytest

from withhold.errors import Denied
from withhold.names import CallerName
from withhold.proxy.gate import Gate

A, B = CallerName("a"), CallerName("b")


def test_lets_in_so_many_and_again_once_they_left() -> None:
    gate = Gate(2, lambda: 1)
    with gate.enter():
        with gate.enter(), pytest.raises(Denied, match="too-many-requests"), gate.enter():
            pass
        with gate.enter():
            pass


def test_leaves_places_for_other_callers() -> None:
    gate = Gate(4, lambda: 2)
    with gate.enter_as(A), gate.enter_as(A), gate.enter_as(A):
        with pytest.raises(Denied, match="too-many-requests"), gate.enter_as(A):
            pass
        with gate.enter_as(B):
            pass
    with gate.enter_as(A):
        pass


def test_a_single_caller_may_have_them_all() -> None:
    gate = Gate(1, lambda: 1)
    with gate.enter_as(A):
        pass


def test_whoever_fails_leaves_too() -> None:
    gate = Gate(1, lambda: 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.enter(), gate.enter_as(A):
            _ = 1 // 0
