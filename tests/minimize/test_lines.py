"""Many lines at one go give what each of them gives by itself, however they are broken."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents import Case, make_case, make_document
from tests.minimize.resources import (
    ALICE,
    ID,
    MILLISECONDS,
    SCOPE,
    TEXT,
    Outcome,
    about,
    allow,
    leaf,
    record,
)
from withhold.errors import Malformed, Mismatch
from withhold.minimize.fast import Plan
from withhold.minimize.lines import BLANK, run_lines
from withhold.minimize.run import bounds_of
from withhold.minimize.scope import Scope
from withhold.minimize.tally import Tally

PAIR = allow(leaf("$.a", ID), leaf("$.b", ID))
ROWS = allow(leaf("$[*].a", ID))
CONFIRMED = allow(leaf("$.a"), confirm="$.user_id")
ME = about(ALICE.value)


def at_one_go(plan: Plan, scope: Scope, chunk: bytes) -> Outcome:
    """Give what all lines give together; an error is told by its class."""
    try:
        return run_lines(plan, bounds_of(scope), chunk)
    except (Malformed, Mismatch) as error:
        return type(error)


def one_by_one(plan: Plan, scope: Scope, chunk: bytes) -> Outcome:
    """Give what the lines give one after the other, until one is wrong."""
    out, tally = b"", Tally()
    try:
        for line in chunk.split(b"\n"):
            if line.strip(b" \t\r"):
                body, counts = plan.run(bounds_of(scope), line)
                tally.add(counts)
                out += b"" if body is None else body + b"\n"
    except (Malformed, Mismatch) as error:
        return type(error)
    return out or None, tally


def check(plan: Plan, scope: Scope, chunk: bytes) -> Outcome:
    """Give what both say, which must be the same."""
    outcome = at_one_go(plan, scope, chunk)
    assert outcome == one_by_one(plan, scope, chunk), chunk
    return outcome


@pytest.mark.parametrize(
    ("chunk", "out"),
    [
        (b"", None),
        (b"\n", None),
        (b" \r\n\t\n", None),
        (b"{}\n", None),
        (b'{"a":"1"}', b'{"a":"1"}\n'),
        (b'{"a":"1"}\n{"b":"2"}\n', b'{"a":"1"}\n{"b":"2"}\n'),
        (b'{"a":"1"}\r\n \n\n {"c":"2"}\t\n{"b":"3"}', b'{"a":"1"}\n{"b":"3"}\n'),
        (b'null\n{"a":1}\nnull\n', b'{"a":1}\n'),
        (b'{"a":1}\n[]\n"x"\n', b'{"a":1}\n'),
        (b'{"a":0}\n' * 20, b'{"a":0}\n' * 20),  # the reference's
    ],
)
def test_gives_lines(chunk: bytes, out: bytes | None) -> None:
    outcome = check(Plan(PAIR), SCOPE, chunk)
    assert isinstance(outcome, tuple)
    assert outcome[0] == out


def test_gives_text_of_any_script() -> None:
    chunk = '{"b":"é","c":"日"}\n{"a":"😀"}\n'.encode()
    assert check(Plan(PAIR), SCOPE, chunk) == (
        '{"b":"é"}\n{"a":"😀"}\n'.encode(),
        check(Plan(PAIR), SCOPE, b'{"b":1}\n{"a":1}\n')[1],  # type: ignore[index]  # a tuple
    )


# Each would be well-formed lines if only the ends of some were read away, or put in.
JOINED = [
    b'{"a":"1"\n"b":"2"}\n',
    b'{"a":"1"\n,"b":"2"}\n',
    b'{"a":"1",\n"b":"2"}\n',
    b'{"a":\n"1"}\n',
    b'{"a":"1\n","b":"2"}\n',
    b'{"a":"1"} {"b":"2"}\n',
    b'{"a":"1"}{"b":"2"}\n',
    b'{"a":"1"},{"b":"2"}\n',
    b'{"a":"1"},\n{"b":"2"}\n',
    b'{"a":"1"}\n,{"b":"2"}\n',
    b'[{"a":"1"}\n{"b":"2"}]\n',
    b'{}{"a":"1"}\n{"x":[{}\n{}]}\n',
    b'{},{}\n{"x":[{}\n{}]}\n',
    b'{} {}\n{"a":\n"1"}\n',
    b'{"a":"1"}\n]\n[{"a":"1"}\n',
    b'{"a":"1"}\x0b{"b":"2"}\n',
    b'{"a":"1"}\x1e\n',
    b'{"a":"1"}\n\x0c\n',
    b'{"a":"1"}\n\xc3\n\xa9\n',
    b'{"c":"\xc3\n\xa9"}\n',
    b'{"a":"1"}\x00\n',
    b'\xef\xbb\xbf{"a":"1"}\n',
]


@pytest.mark.parametrize("joined", JOINED)
@pytest.mark.parametrize("around", [0, 1, 9])
@pytest.mark.parametrize("allowlist", [PAIR, ROWS], ids=["object", "array"])
def test_no_line_spills_into_its_neighbours(joined: bytes, around: int, allowlist: object) -> None:
    good = b'{"a":"0"}\n' * around
    plan = Plan(PAIR if allowlist is PAIR else ROWS)
    assert check(plan, SCOPE, good + joined + good) is Malformed


def test_the_first_line_that_is_wrong_tells_what_is_wrong() -> None:
    mine, other, broken = (
        b'{"user_id":"@alice:example.test","a":"x"}\n',
        b'{"user_id":"@eve:example.test","a":"x"}\n',
        b'{"user_id":\n',
    )
    plan = Plan(CONFIRMED)
    for few in (1, 20):
        assert check(plan, ME, mine * few) == (
            b'{"a":"x"}\n' * few,
            Tally(disclosed=Counter({"$.a": few})),
        )
        assert check(plan, ME, mine * few + other + mine * few + broken) is Mismatch
        assert check(plan, ME, mine * few + broken + other + mine * few) is Malformed
        assert check(plan, ME, mine * few + b"\xff\n" + other) is Malformed
        assert check(plan, ME, other + mine * few + b"\xff\n") is Mismatch


def test_where_nothing_is_covered_lines_are_read_all_the_same() -> None:
    plan = Plan(allow())
    assert check(plan, SCOPE, b'{"a":1}\n' * 9) == (None, Tally())
    assert check(plan, SCOPE, b'{"a":1}\n' * 9 + b"x\n") is Malformed


def test_records_are_told_from_one_another() -> None:
    allowlist = allow(
        leaf("$.n", ID),
        leaf("$.text", TEXT),
        records=[record("$", ["who"], time=("at", MILLISECONDS))],
    )
    alice, eve = f'"{ALICE.value}"', '"@eve:example.test"'
    lines = [
        f'{{"who":{who},"at":{at},"n":{n + 1},"text":{text}}}\n'
        for n, (who, at, text) in enumerate(
            (who, at, text)
            for who in (alice, eve, "null", "1.5")
            for at in (1_780_272_000_000, 1, '"x"', "{}")
            for text in ('"x"', "null", "1", '"\\ud800"')
        )
    ]
    outcome = check(Plan(allowlist), SCOPE, "".join(lines).encode())
    assert isinstance(outcome, tuple)
    assert outcome[0] == (b'{"n":1,"text":"x"}\n{"n":2,"text":null}\n{"n":3}\n{"n":4}\n')
    assert outcome[1].records_seen == len(lines)


def test_an_odd_line_leaves_the_others_their_speed() -> None:
    """What is odd is found by halves: of so many lines a handful is run by itself."""
    alone: list[bytes] = []

    class Watched(Plan):
        def run(self, bounds: object, body: bytes) -> tuple[bytes | None, Tally]:
            alone.append(body)
            return super().run(bounds, body)  # type: ignore[arg-type]  # they are

    chunk = b'{"a":1}\n' * 700 + b'{"a":0}\n' + b'{"a":1}\n' * 300
    body, _ = run_lines(Watched(PAIR), bounds_of(SCOPE), chunk.replace(b"\n", b"\n\n"))
    assert body == chunk
    assert b'{"a":0}\n' in alone
    assert len(alone) <= 4


# --- Generated ----------------------------------------------------------------------------------


def damage(rng: Random, chunk: bytes) -> bytes:
    """Put in or take away what ends a line, or what joins documents."""
    for _ in range(rng.randint(0, 3)):
        at = rng.randrange(len(chunk) + 1)
        put = rng.choice([b"\n", b"\n", b"\r\n", b" \n \n", b",", b" ", b"{}", b"\n{}\n", b"\xff"])
        ends = [i for i, byte in enumerate(chunk) if byte == ord("\n")]
        if ends and rng.random() < 0.5:
            at = rng.choice(ends)
            put = rng.choice([b"", b" ", b",", b"\r\n", b"\n\n"])
            chunk = chunk[:at] + put + chunk[at + 1 :]
        else:
            chunk = chunk[:at] + put + chunk[at:]
    return chunk


def some_lines(rng: Random, case: Case) -> bytes:
    """Make lines of a resource, most of them whole documents."""
    count = rng.choice([0, 1, 2, 3, 5, 9, 40])
    lines = [make_document(rng, case.root) for _ in range(count)]
    spread = rng.random() < 0.1  # documents that have ends of lines within, as a whole answer may
    lines = [line if spread else line.replace(b"\n", b" ") for line in lines]
    return rng.choice([b"\n", b"\n", b"\r\n", b"\n\n"]).join(lines) + rng.choice([b"", b"\n"])


def compare(seed: int) -> list[str]:
    rng = Random(seed)
    case = make_case(rng)
    plan = Plan(case.allowlist)
    kinds = []
    for is_damaged in (False, False, True, True):
        chunk = some_lines(rng, case)
        outcome = check(plan, case.scope, damage(rng, chunk) if is_damaged else chunk)
        if isinstance(outcome, tuple):
            kinds.append("nothing" if outcome[0] is None else "something")
        else:
            kinds.append(outcome.__name__)
    return kinds


@given(st.integers(0, 2**64))
def test_lines_together_equal_lines_alone(seed: int) -> None:
    compare(seed)


def test_lines_together_equal_lines_alone_many_times() -> None:
    kinds = [kind for seed in range(400) for kind in compare(seed)]
    # A comparison of lines that are refused would prove little.
    assert kinds.count("something") > len(kinds) // 5
    assert kinds.count(Mismatch.__name__) > len(kinds) // 100
    assert kinds.count(Malformed.__name__) > len(kinds) // 10


@given(
    st.lists(
        st.sampled_from(
            [
                b'{"a":1',
                b'{"a":1}',
                b'"b":2}',
                b",",
                b"\n",
                b"\n",
                b" ",
                b"{}",
                b"[",
                b"]",
                b'"',
                b"\r",
            ]
        ),
        max_size=24,
    ).map(b"".join)
)
def test_however_documents_are_torn_and_joined(chunk: bytes) -> None:
    check(Plan(PAIR), SCOPE, chunk)
    check(Plan(ROWS), SCOPE, chunk)


@pytest.mark.deep
def test_lines_together_equal_lines_alone_very_many_times() -> None:
    for seed in range(10_000, 40_000):
        compare(seed)


def test_blank_is_what_json_takes_for_white_space() -> None:
    plan = Plan(PAIR)
    for byte in range(256):
        is_blank = bytes([byte]) in [bytes([each]) for each in BLANK]
        outcome = check(plan, SCOPE, bytes([byte]) + b"\n")
        # A digit is a document, of a type that is not covered.
        assert (outcome == (None, Tally())) == is_blank or byte in b"0123456789"
