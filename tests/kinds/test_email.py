import pytest

from withhold.kinds.email import parse_email


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice@example.test", "alice@example.test"),
        ("alice@EXAMPLE.Test", "alice@example.test"),
        ("Alice@example.test", "Alice@example.test"),  # whose case matters is the domain's to say
        (" alice@example.test\t", "alice@example.test"),
        ("\r\nalice+tag@example.test\u00a0", "alice+tag@example.test"),
        ("élise@BÜCHER.example", "élise@bücher.example"),
        ("a!#$%&'*/=?^_`{|}~-.b@example", "a!#$%&'*/=?^_`{|}~-.b@example"),
    ],
)
def test_space_around_is_gone_and_the_domain_in_lower_case(text: str, expected: str) -> None:
    assert parse_email(text) == expected
    assert parse_email(expected) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", "alice", "@", "@example.test", "alice@", "alice@@example.test", "a@b@example.test",
     "al ice@example.test",
     "alice@exa mple.test", "alice@example.test, bob@example.test", "alice@exa\x00mple.test",
     "alice\x7f@example.test",
     "a" * 257 + "@example.test", "alice@" + "e" * 256, '"a b"@example.test'],
)  # fmt: skip
def test_what_is_no_address_is_none(text: str) -> None:
    assert parse_email(text) is None
