from withhold.kinds.instant import Instant
from withhold.names import Kind
from withhold.warrant.model import Interval, Target


def test_an_interval_holds_its_beginning_and_not_its_end() -> None:
    interval = Interval(Instant(10), Instant(20, "5"))
    assert interval.holds(Instant(10))
    assert interval.holds(Instant(20, "4999"))
    assert not interval.holds(Instant(9, "999"))
    assert not interval.holds(Instant(20, "5"))


def test_a_targets_repr_is_not_the_person() -> None:
    assert repr(Target(Kind.ID, "@alice:example.test")) == "Target(id)"
