import pytest

from withhold.allowlist.diff import Change, Verdict
from withhold.commands.difference import difference, joined
from withhold.names import InstrumentName, ResourceName


def change(instrument: str, label: str, new: str = "disclose", *, named: bool = False) -> Change:
    return Change(
        InstrumentName(instrument),
        ResourceName("chat/whois"),
        label,
        "withhold",
        new,
        Verdict.WIDER,
        named,
    )


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("disclose", "withhold", "disclose -> withhold"),
        ("1", "2", "1 -> 2"),
        ("True", "False", "true -> false"),
        ("1", "True", "1 -> true"),
        ("None", "{'param': 'a', 'confirm': None}", "none -> {param a}"),
        ("[]", "[404]", "none -> [404]"),
        (
            str({"kind": "timestamp", "unit": "ms", "pattern": None}),
            str({"kind": "timestamp", "unit": "s", "pattern": None}),
            "unit ms -> s",
        ),
        (
            str({"kind": "id", "pattern": None}),
            str({"kind": "text", "pattern": "x"}),
            "kind id -> text; pattern none -> x",
        ),
        (
            str([{"each": "$.a", "time": {"field": "t"}}, {"each": "$.a.b", "time": None}]),
            str([{"each": "$.a", "time": {"field": "u"}}, {"each": "$.a.b", "time": None}]),
            "$.a time field t -> u",
        ),
        ("[]", str([{"each": "$.a", "time": None}]), "$.a none -> {each $.a}"),
        (
            str([{"each": "$.a"}, {"each": "$.b"}]),
            str([{"each": "$.b"}, {"each": "$.a"}]),
            "[{'each': '$.a'}, {'each': '$.b'}] -> [{'each': '$.b'}, {'each': '$.a'}]",
        ),
    ],
)
def test_only_what_differs_is_said(old: str, new: str, shown: str) -> None:
    assert difference(old, new) == shown


def test_instruments_with_the_same_difference_share_a_line() -> None:
    changes = [
        change("order-1", "$.b"),
        change("order-1", "$.a"),
        change("order-2", "$.a"),
        change("order-2", "$.a", named=True),
        change("order-2", "$.b", "tokenize"),
    ]
    assert [row[2:] for _, row in joined(changes)] == [
        ["$.a", "withhold -> disclose", "order-1, order-2"],
        ["$.a", "withhold -> disclose (named)", "order-2"],
        ["$.b", "withhold -> disclose", "order-1"],
        ["$.b", "withhold -> tokenize", "order-2"],
    ]


def test_no_name_can_move_a_cursor() -> None:
    ((_, row),) = joined([change("order-1", "$['\x1b[2J']")])
    assert row[2] == "$['\\x1b[2J']"
