"""The plan names what a decoder must look at and nothing else: the rest never becomes an object."""

from collections.abc import Iterator
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.documents import make_case
from tests.minimize.resources import ID, IP, SECONDS, TEXT, allow, keys, leaf, record
from withhold.minimize.plan import Place, lay_out
from withhold.names import Part, Treatment
from withhold.paths import Path, print_path


def places(place: Place) -> Iterator[Place]:
    yield place
    for inner in (*place.names.values(), place.elements, place.members):
        if inner is not None:
            yield from places(inner)


def looked_at(root: Place | None) -> list[str]:
    assert root is not None
    return sorted(print_path(place.path) for place in places(root) if place.readings)


def test_only_what_is_covered_and_what_decides_is_looked_at() -> None:
    allowlist = allow(
        leaf("$[*].a", IP, when=("kind", "m")),
        leaf("$[*].b"),
        leaf("$[*].c.d"),
        leaf("$[*].other.e"),
        keys("$[*].m.*"),
        leaf("$[*].m.*"),
        records=[
            record("$[*]", ["who", "to.whom"], time=("at", SECONDS)),
            record("$[*].other", ["nobody"]),
        ],
        treatments=dict.fromkeys(("$[*].b", "$[*].other.e", "$[*].m.*"), Treatment.WITHHOLD),
    )
    assert looked_at(lay_out(allowlist)) == [
        *("$[*].a", "$[*].at", "$[*].c.d", "$[*].kind", "$[*].to.whom", "$[*].who")
    ]


@given(st.integers(0, 2**64))
def test_a_plan_looks_at_no_other_place(seed: int) -> None:
    case = make_case(Random(seed))
    resource = case.allowlist.resource
    covered = {entry.field.path for entry in case.allowlist.leaves}
    allowed: set[Path] = set(covered)
    for record_ in resource.records:
        if any(path[: len(record_.each)] == record_.each for path in covered):
            names = [] if record_.subject is None else list(record_.subject.fields)
            names += [] if record_.time is None else [record_.time.field]
            allowed |= {(*record_.each, *each) for each in names}
    for entry in case.allowlist.leaves:
        if entry.field.when is not None:
            allowed.add((*entry.field.base, *entry.field.when.field))
    if resource.subject is not None and resource.subject.confirm is not None:
        allowed.add(resource.subject.confirm)
    root = lay_out(case.allowlist)
    if root is not None:
        for place in places(root):
            assert not place.readings or place.path in allowed
            assert place.covered is any(path[: len(place.path)] == place.path for path in covered)
            assert all(leaf.field.part is Part.VALUE for leaf in place.leaves)


def test_what_is_no_tree_is_left_to_the_reference() -> None:
    assert lay_out(allow(leaf("$.a"), leaf("$['a\"b']"))) is None
    assert lay_out(allow(leaf("$.a"), leaf("$['\\\\']"))) is None
    # What tells a variant would have to be within a scalar: it never is.
    assert lay_out(allow(leaf("$[*]", TEXT, when=("kind", "m")))) is None
    assert lay_out(allow(leaf("$[*]", ID))) is not None
