"""The fast plan says what the specification says: the same bytes, the same counts."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents import make_case, make_document
from tests.minimize.resources import outcome_of, run_reference
from withhold.errors import Malformed, Mismatch
from withhold.minimize.fast import Plan

DOCUMENTS_PER_CASE = 10


def compare(seed: int) -> list[str]:
    """Compare both engines on some documents of one resource; give what came of each."""
    rng = Random(seed)
    case = make_case(rng)
    plan = Plan(case.allowlist)
    kinds = []
    for _ in range(DOCUMENTS_PER_CASE):
        body = make_document(rng, case.root)
        said = outcome_of(plan, case.scope, body)
        assert said == run_reference(case.allowlist, case.scope, body), (seed, body)
        if isinstance(said, tuple):
            kinds.append("nothing" if said[0] is None else "something")
        else:
            kinds.append(said.__name__)
    return kinds


@given(st.integers(0, 2**64))
def test_the_fast_plan_equals_the_reference(seed: int) -> None:
    compare(seed)


def test_the_fast_plan_equals_the_reference_on_20_000_documents() -> None:
    kinds = [kind for seed in range(2_000) for kind in compare(seed)]
    # A comparison of documents that disclose nothing would prove nothing.
    assert kinds.count("something") > len(kinds) // 2
    assert kinds.count(Mismatch.__name__) > len(kinds) // 100
    assert kinds.count(Malformed.__name__) > len(kinds) // 100


@pytest.mark.deep
def test_the_fast_plan_equals_the_reference_on_100_000_documents() -> None:
    for seed in range(10_000, 20_000):
        compare(seed)
