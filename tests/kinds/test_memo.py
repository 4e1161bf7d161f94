import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from withhold.kinds.memo import MAX_ENTRIES, Memo
from withhold.kinds.phone import parse_phone

ALICE = "+442079460220"


def national(i: int) -> str:
    return f"020 7946 {i:04}"


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.text("0123456789 +-.()/", max_size=20),
                st.sampled_from([ALICE, "020 7946 0220", "+44 (0)20 7946 0220", "7946 0220", "x"]),
            ),
            st.sampled_from([None, "GB", "US"]),
            st.booleans(),
        )
    )
)
def test_it_reads_what_the_kind_reads_the_first_time_and_again(
    asked: list[tuple[str, str | None, bool]],
) -> None:
    memo = Memo()
    for text, region, msisdn in asked * 2:
        expected = parse_phone(text, region, msisdn=msisdn)
        assert memo.phone(text, region, msisdn=msisdn) == expected


def test_the_same_text_is_another_number_elsewhere() -> None:
    memo = Memo()
    text = "(650) 253-0000"
    assert memo.phone(text, "US") == "+16502530000"
    assert memo.phone(text, "GB") == parse_phone(text, "GB") != "+16502530000"
    assert memo.phone(text) is None


def test_it_remembers_what_libphonenumber_read_and_nothing_else() -> None:
    memo = Memo()
    for _ in range(2):
        for text in (ALICE, "+44 20 7946 0220", "anonymous", "0" * 41, "0" * 1_000_000, ""):
            memo.phone(text, "GB")
    assert memo._found == {}
    memo.phone(national(220), "GB")
    memo.phone("7946 0220", "GB")
    assert memo._found == {("GB", False, national(220)): ALICE, ("GB", False, "7946 0220"): None}


def test_what_it_remembers_is_not_asked_again() -> None:
    memo = Memo()
    memo._found["GB", False, national(220)] = "+440000000000"
    assert memo.phone(national(220), "GB") == "+440000000000"
    assert Memo().phone(national(220), "GB") == ALICE


def test_it_is_bounded_in_number_and_in_length() -> None:
    memo = Memo()
    most = 0
    for i in range(MAX_ENTRIES + 5):
        assert memo.phone(national(i), "GB") == f"+44207946{i:04}"
        most = max(most, len(memo._found))
    assert most == MAX_ENTRIES
    assert len(memo._found) == 5
    memo.phone(" " * 27 + national(220), "GB")
    memo.phone(" " * 28 + national(220), "GB")
    assert max(len(text) for _region, _msisdn, text in memo._found) == 40


def test_it_shows_nothing_and_is_gone_with_who_holds_it() -> None:
    class Watched(Memo):
        __slots__ = ("__weakref__",)

    memo = Watched()
    memo.phone(national(220), "GB")
    assert "7946" not in repr(memo) + str(memo)
    watch = weakref.ref(memo)
    del memo
    gc.collect()
    assert watch() is None


def test_threads_share_it() -> None:
    memo = Memo()
    texts = [national(i % (MAX_ENTRIES + 100)) for i in range(3 * MAX_ENTRIES)]

    def read(_: int) -> list[str | None]:
        return [memo.phone(text, "GB") for text in texts]

    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(read, range(3)))
    assert results == [[f"+44{text[1:].replace(' ', '')}" for text in texts]] * 3
    assert len(memo._found) <= MAX_ENTRIES + 3
