"""No pattern of ours is quadratic in hostile input: told from the patterns themselves, not by time.

A pattern that is *deterministic* (Brüggemann-Klein and Wood, 1998: after each character at most one
place of the pattern takes the next one) is matched in time linear in the text, however greedy it
is: whatever else is tried fails at its first character. A pattern that is searched for is tried at
every place, so it must also be short, or end where the next trial begins.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import withhold
from tests.minimize.resources import NUMBER, PORT, SECONDS, allow, leaf, run_both
from withhold.errors import WarrantError
from withhold.kinds.form import Form
from withhold.kinds.scalar import MALFORMED, Number, instant, normal_form
from withhold.names import Kind, Unit
from withhold.warrant.document import read_object

_parser: Final[Any] = importlib.import_module("re._parser")
_CHARACTERS: Final = [chr(i) for i in range(0x250)] + list("\u0664\u2028\ud800\uff11\U0010ffff")
_MANY: Final = 64  # a fixed number of repetitions up to this is written out

_SHORT: Final = 64  # characters that a pattern takes at most, to be tried anywhere

# What is neither deterministic nor short, and why it is bounded all the same.
AMBIGUOUS: Final = {
    "withhold.catalogue.forms._PIECE": "of a pattern, which has at most 256 characters",
    "withhold.bench.example._PIECE": "likewise, and of a catalogue that was checked",
    "withhold.bench.example._REPEATED": "likewise",
    "withhold.toml.lines._TOKEN": "a text in three quotes that nothing closes ends the scan",
}
# What is searched for though it is not short, and why no place is gone over twice.
SEARCHED: Final = {
    "withhold.catalogue.forms._PIECE": "as above",
    "withhold.bench.example._PIECE": "as above",
    "withhold.toml.read._PLACE": "begins with ` (at `, which it holds only there",
    "withhold.warrant.document._TOKEN": "takes an open string to its end, so that no trial fails",
}
INLINE: Final = {
    ("toml/table.py", "sub"): "the name of a class of ours",
    ("proxy/call.py", "fullmatch"): "deterministic",
    ("bench/example.py", "fullmatch"): "a pattern of the catalogue and a value made for it",
}


def patterns() -> dict[str, re.Pattern[Any]]:
    """Give every pattern that a module of ours holds, by where it stands."""
    found = {}
    for module in pkgutil.walk_packages(withhold.__path__, "withhold."):
        if not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern):
                    found[f"{module.name}.{name}"] = value
    return found


class Part(NamedTuple):
    """A piece of a pattern as an automaton: where it begins and ends, and if it may be nothing."""

    first: frozenset[int]
    last: frozenset[int]
    nullable: bool


class Automaton:
    """The places of a pattern, the characters that each takes, and what may follow it."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        text = pattern.pattern
        self.flags = pattern.flags
        self.takes: list[frozenset[str]] = []
        self.follow: list[set[int]] = []
        self.is_doubled = False
        self.is_bytes = isinstance(text, bytes)
        self.whole = self.sequence(list(_parser.parse(text, pattern.flags)))

    def sequence(self, items: list[Any]) -> Part:
        part = Part(frozenset(), frozenset(), nullable=True)
        for op, argument in items:
            part = self.then(part, self.one(str(op), argument))
        return part

    def lead(self, places: frozenset[int], following: frozenset[int]) -> None:
        """Let `following` come after; two ways from a place to another are one too many."""
        for place in places:
            self.is_doubled |= bool(self.follow[place] & following)
            self.follow[place] |= following

    def then(self, one: Part, other: Part) -> Part:
        self.lead(one.last, other.first)
        return Part(
            one.first | other.first if one.nullable else one.first,
            one.last | other.last if other.nullable else other.last,
            one.nullable and other.nullable,
        )

    def one(self, op: str, argument: Any) -> Part:  # noqa: ANN401 - a node of a parser without types
        match op:
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self.repeated(*argument)
            case "SUBPATTERN":
                return self.sequence(list(argument[3]))
            case "BRANCH":
                parts = [self.sequence(list(each)) for each in argument[1]]
                return Part(
                    frozenset().union(*(part.first for part in parts)),
                    frozenset().union(*(part.last for part in parts)),
                    any(part.nullable for part in parts),
                )
            case "AT" | "ASSERT" | "ASSERT_NOT":
                return Part(frozenset(), frozenset(), nullable=True)
        place = len(self.takes)
        self.takes.append(frozenset(c for c in _CHARACTERS if self.is_in(c, op, argument)))
        self.follow.append(set())
        return Part(frozenset({place}), frozenset({place}), nullable=False)

    def repeated(self, least: int, most: int, items: Any) -> Part:  # noqa: ANN401 - likewise
        if least == most <= _MANY:
            return self.sequence(list(items) * least)
        part = self.sequence(list(items))
        if most > 1:
            self.lead(part.last, part.first)
        return part._replace(nullable=part.nullable or least == 0)

    def is_in(self, c: str, op: str, argument: Any) -> bool:  # noqa: ANN401 - likewise
        match op:
            case "LITERAL":
                same = chr(argument) == c
                return same or (
                    bool(self.flags & re.IGNORECASE) and chr(argument).lower() == c.lower()
                )
            case "NOT_LITERAL":
                return chr(argument) != c
            case "ANY":
                return bool(self.flags & re.DOTALL) or c != "\n"
            case "RANGE":
                return bool(argument[0] <= ord(c) <= argument[1])
            case "CATEGORY":
                name = str(argument).removeprefix("CATEGORY_")
                letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.removeprefix("NOT_")]
                ascii_only = self.flags & re.ASCII or self.is_bytes
                fits = re.match(f"\\{letter}", c, re.ASCII if ascii_only else 0) is not None
                return fits is not name.startswith("NOT_")
            case "IN":
                negated = str(argument[0][0]) == "NEGATE"
                fits = any(self.is_in(c, str(inner), each) for inner, each in argument[negated:])
                return fits is not negated
        raise NotImplementedError(op)

    def choices(self) -> Iterator[set[int]]:
        yield set(self.whole.first)
        yield from self.follow

    def is_deterministic(self) -> bool:
        return not self.is_doubled and not any(
            self.takes[one] & self.takes[other]
            for choice in self.choices()
            for one in choice
            for other in choice
            if one < other
        )


ALL: Final = patterns()


def width(pattern: re.Pattern[Any]) -> int:
    most: int = _parser.parse(pattern.pattern, pattern.flags).getwidth()[1]
    return most


def test_there_are_patterns() -> None:
    assert len(ALL) > 40
    assert set(ALL) >= {*AMBIGUOUS, *SEARCHED} - {n for n in ALL if n.startswith("withhold.bench")}


@pytest.mark.parametrize("name", ALL)
def test_a_pattern_is_deterministic_or_short(name: str) -> None:
    pattern = ALL[name]
    if name not in AMBIGUOUS:
        assert Automaton(pattern).is_deterministic() or width(pattern) <= _SHORT


def test_a_pattern_that_is_searched_for_is_short() -> None:
    found, inline = set(), set()
    for path in sorted(Path("src/withhold").rglob("*.py")):
        module = ".".join(path.relative_to("src").with_suffix("").parts)
        text = path.read_text()
        for use in re.finditer(
            r"\b(_[A-Z0-9_]+)\.(?:search|sub|subn|finditer|findall|split)\(", text
        ):
            if f"{module}.{use.group(1)}" in ALL:
                found.add(f"{module}.{use.group(1)}")
        for use in re.finditer(
            r"\bre\.(match|fullmatch|search|sub|finditer|findall|split)\(", text
        ):
            inline.add((str(path.relative_to("src/withhold")), use.group(1)))
    assert inline <= set(INLINE)
    assert len(found) > 10
    assert {name for name in found if width(ALL[name]) > _SHORT} <= set(SEARCHED)


@pytest.mark.parametrize(
    ("text", "is_deterministic"),
    [
        ("(a+)+", False),
        ("(?:[ab]c?|[bc])*d", False),
        ("a*a*", False),
        ("[a-z]*[0-9a]x*", False),
        ("(?:a|ab)c", True),  # read as `a(?:|b)c`
        ("(?:a*)*b", False),
        ("(?:ab?)+", True),
        (r".*\n?", True),
        ("a{2,5}a", False),
        ("a{3}a", True),
        ("[a-z]+(?:-[a-z]+)*", True),
        ("(?i:a)*b", True),
        ('"(?:[^"]|x)*"', False),
        (r"\d+\s*\w", False),
        (r"\S+\s", True),
        ("^a$|b", True),
    ],
)
def test_the_check_tells_them_apart(text: str, is_deterministic: bool) -> None:
    assert Automaton(re.compile(text)).is_deterministic() is is_deterministic


# --- what is converted is short ------------------------------------------------------------------

LONG: Final = 1_000_000


@pytest.mark.parametrize("kind", [k for k in Kind if k is not Kind.TIMESTAMP])
@pytest.mark.parametrize(
    "text", ["1", "0", "+1", "(", " ", "a", "@", ":", "::1", "1.", "\u0661", "-"]
)
def test_a_value_of_a_million_characters_is_told_at_once(kind: Kind, text: str) -> None:
    """Python refuses to convert so many digits, with an error: there is none, so none are."""
    value = text * (LONG // len(text))
    for form in (Form(kind), Form(kind, pattern="[0-9]+" if kind is Kind.ID else None)):
        found = normal_form(form, value)
        assert found in (MALFORMED, value)
        assert (found == value) is (kind is Kind.TEXT or (kind is Kind.ID and form.pattern is None))
        normal_form(form, Number(value))


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("text", ["1", "0", "-1", "1e", "2026-06-01T00:00:00.", "2026"])
def test_a_moment_of_a_million_digits_is_told_at_once(unit: Unit, text: str) -> None:
    form = Form(Kind.TIMESTAMP, unit=unit)
    for value in (text + "1" * LONG, f"{text}{'0' * LONG}1Z"):
        found = instant(form, value)
        assert (found is not None) is (unit is Unit.RFC3339 and value[-1] == "Z" and "." in text)
        assert instant(form, Number(value)) is None


def test_numbers_of_any_length_and_exponent_stay_their_digits() -> None:
    allowlist = allow(leaf("$[*].a", NUMBER), leaf("$[*].t", SECONDS), leaf("$[*].p", PORT))
    for number in ("1" * LONG, "1e" + "9" * LONG, "0." + "1" * LONG, "-" + "1" * LONG + "e-1"):
        outcome = run_both(allowlist, f'[{{"a":{number}}},{{"t":{number}}},{{"p":{number}}}]')
        assert isinstance(outcome, tuple)
        assert outcome[0] == f'[{{"a":{number}}}]'.encode()


def test_a_string_that_nothing_closes_is_gone_over_once() -> None:
    """Half a megabyte of what took eight minutes; the depth behind it is no one's."""
    for text in (b'\\"', b"\\", b'"', b'"\\', b'["', b'\\\\"'):
        with pytest.raises(WarrantError):
            read_object(b'{"' + text * (500_000 // len(text)), "it", 524_288)
