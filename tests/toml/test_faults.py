import pytest

from withhold.toml.faults import did_you_mean, nearest


@pytest.mark.parametrize(
    ("text", "known", "hint"),
    [
        ("knid", {"kind", "data"}, "did you mean `kind`?"),
        ("xyz", {"kind", "data"}, "known: `data`, `kind`"),
        ("xyz", set[str](), ""),
    ],
)
def test_the_nearest_word_is_the_hint(text: str, known: set[str], hint: str) -> None:
    assert did_you_mean(text, known) == hint


def test_how_near_a_word_must_be_can_be_said() -> None:
    assert nearest("meaning", {"means"}) == "means"
    assert nearest("meaning", {"means"}, 0.9) is None
