import pytest

from withhold.errors import Denied, Malformed, StoreError, StoreFailed, StoreTimeout
from withhold.proxy.log import cause_of


@pytest.mark.parametrize("cause", [*StoreError.CAUSES, "status-401"])
def test_a_cause_is_a_fixed_word_or_a_status(cause: str) -> None:
    assert cause_of(StoreFailed("canary", cause=cause)) == cause


@pytest.mark.parametrize("cause", ["canary", "status-4012", "status-canary", "timeout canary"])
def test_no_other_word_is_logged(cause: str) -> None:
    assert cause_of(StoreFailed("x", cause=cause)) == ""


def test_each_class_has_a_usual_cause() -> None:
    assert cause_of(Malformed("x")) == "not-json"
    assert cause_of(StoreTimeout("x")) == "timeout"
    assert cause_of(Denied("not-a-target")) == ""
