import pytest

from tests.catalogue.written import HEAD, A, faults_of, resource_of
from withhold.catalogue.model import Param
from withhold.catalogue.template import overlap


def with_path(path: str) -> str:
    return HEAD.replace("/r/{id}", path) + A


def test_segments_are_literal_or_parameters() -> None:
    found = resource_of(with_path("/_m/ä b/{user_id}/v1")).template
    assert found == ("_m", "ä b", Param("user_id"), "v1")
    assert resource_of(with_path("/{a}/{b}")).params == {"a", "b"}


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("r/{id}", "`r/{id}` does not begin with `/`"),
        ("/", "a segment of the path is empty, `.` or `..`"),
        ("/r/", "a segment of the path is empty, `.` or `..`"),
        ("/r//x", "a segment of the path is empty, `.` or `..`"),
        ("/r/../x", "a segment of the path is empty, `.` or `..`"),
        ("/r/x{id}", "`x{id}` is neither literal nor a parameter"),
        ("/r/{}", "`{}` is neither literal nor a parameter"),
        ("/r/{ID}", "`{ID}` is neither literal nor a parameter"),
        ("/r/id}", "`id}` is neither literal nor a parameter"),
        ("/r/a%20b", "`a%20b` holds a character that no segment may hold"),
        ("/r?x=1", "`r?x=1` holds a character that no segment may hold"),
        ("/r#x", "`r#x` holds a character that no segment may hold"),
        ("/{id}/{id}", "the parameter `id` stands twice in the path"),
    ],
)
def test_what_no_request_could_be_for_is_a_fault(path: str, fault: str) -> None:
    assert faults_of(with_path(path)) == [f"5: {fault}"]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (("a", "b"), ("a", "b"), True),
        (("a", Param("x")), ("a", Param("y")), True),
        (("a", Param("x")), ("a", "b"), True),
        (("a", Param("x")), (Param("y"), "b"), True),
        (("a", "b"), ("a", "c"), False),
        (("a", Param("x")), ("b", Param("x")), False),
        (("a",), ("a", Param("x")), False),
    ],
)
def test_templates_overlap_if_one_request_fits_both(
    one: tuple[str | Param, ...], other: tuple[str | Param, ...], both: bool
) -> None:
    assert overlap(one, other) is both
    assert overlap(other, one) is both
