"""Chance: bytes that no two calls share, in whatever thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from withhold.adapters.chance import Chance


@pytest.mark.parametrize(("size", "at_once"), [(16, 1), (8, 3), (32, 256)])
def test_gives_each_of_them_once(size: int, at_once: int) -> None:
    chance = Chance(size, at_once)
    given = [chance() for _ in range(2 * at_once + 1)]
    assert {len(each) for each in given} == {size}
    assert len(set(given)) == len(given)


def test_two_do_not_give_the_same() -> None:
    assert {Chance(16)() for _ in range(50)} & {Chance(16)() for _ in range(50)} == set()


def test_threads_share_one() -> None:
    chance = Chance(16, at_once=2)
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: chance(), range(20_000)))
    assert len(set(given)) == len(given)
