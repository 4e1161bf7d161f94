import pytest

from tests.catalogue.written import ABOUT, HEAD, A, faults_of, field, resource_of


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        (
            field("$.a") + field("$.a.b"),
            ["9: `$.a.b` lies beneath `$.a`, which is a leaf"],
        ),
        (
            field("$.a.b") + field("$.a"),
            ["9: `$.a` is a container: `$.a.b` lies beneath it"],
        ),
        (
            field("$.a[*]") + field("$.a.b"),
            ["9: `$.a.b` and `$.a[*]` can't both be"],
        ),
        (
            field("$.a.b") + field("$.a.*"),
            ["9: `$.a.*` and `$.a.b` can't both be"],
        ),
        (
            field("$.a.*") + field("$.a[*]"),
            ["9: `$.a[*]` and `$.a.*` can't both be"],
        ),
        (
            field("$[*].x") + field("$.a"),
            ["9: `$.a` and `$[*]` can't both be"],
        ),
        (
            field("$.a.b") + '"$.c" = { when = { field = "a", is = 1 }, category = "content",'
            ' kind = "text", data = "user", means = "m" }\n',
            ["9: `$.a`, which tells a variant, is a container: `$.a.b` lies beneath it"],
        ),
    ],
)
def test_a_place_is_one_thing(fields: str, faults: list[str]) -> None:
    assert faults_of(HEAD + ABOUT + "[resource.fields]\n" + fields) == faults


def test_a_subject_is_repeated_at_a_leaf() -> None:
    about = ABOUT.replace("false", '"$.a"')
    what = "`$.a`, where the answer repeats its subject, is a container: `$.a.b` lies beneath it"
    assert faults_of(HEAD + about + "[resource.fields]\n" + field("$.a.b")) == [f"6: {what}"]
    assert resource_of(HEAD + about + A).subject is not None
