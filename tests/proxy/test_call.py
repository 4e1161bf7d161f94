import pytest

from withhold.errors import BadRequest
from withhold.paths import Path, Wild
from withhold.proxy.call import Call, parse_call
from withhold.proxy.target import StorePath

TARGET = b"/stores/shop/x"
WARRANT = (b"withhold-warrant", b"W-1")


def read(*headers: tuple[bytes, bytes]) -> Call:
    return parse_call(TARGET, [WARRANT, *headers])


def test_reads_a_call() -> None:
    assert read() == Call(StorePath("shop", ("x",)), "W-1", None, takes_ndjson=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [WARRANT, WARRANT],
        [(b"withhold-warrant", b"")],
        [(b"withhold-warrant", b"W-1, W-2")],
        [(b"withhold-warrant", b"W\xe9")],
        [(b"withhold-warrant", b"-W")],
        [(b"withhold-warrant", b"W" * 129)],
        [(b"withhold-warrant", b"../W-1")],
    ],
)
def test_needs_the_id_of_one_warrant(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(BadRequest, match="`Withhold-Warrant`"):
        parse_call(TARGET, headers)


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ([b'"$.user_id"'], {("user_id",)}),
        ([b'"$.a", "$.b[*].c"'], {("a",), ("b", Wild.ELEMENTS, "c")}),
        ([b' "$.a" ,\t"$.a" '], {("a",)}),
        ([b'"$.a"', b'"$.b"'], {("a",), ("b",)}),
        ([b"\"$['o\\\\\\\\dd']\""], {("o\\dd",)}),
        ([b""], set()),
    ],
)
def test_reads_a_list_of_strings_as_paths(values: list[bytes], fields: set[Path]) -> None:
    assert read(*((b"withhold-fields", value) for value in values)).fields == frozenset(fields)


@pytest.mark.parametrize(
    "value",
    [
        *(b"$.a", b'"$.a" "$.b"', b'"$.a",', b",", b'"$.a', b'("$.a")', b'"$.a";q=1', b"a", b"1"),
        *(b":JC5h:", b"?1", b"'$.a'", b'"user_id"', b'"$..a"', b'"$.a[0]"', b'"\xc3\xa9"', b'""'),
        *(b'%"$.a"', b"@1"),
    ],
)
def test_refuses_all_else_and_repeats_none_of_it(value: bytes) -> None:
    with pytest.raises(BadRequest, match="`Withhold-Fields` is not a list") as refused:
        read((b"withhold-fields", value))
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    "header",
    [(b"content-length", b"1"), (b"content-length", b"x"), (b"transfer-encoding", b"chunked")],
)
def test_refuses_a_body(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(BadRequest, match="body"):
        read(header)


def test_an_empty_body_is_none() -> None:
    assert read((b"content-length", b"0")) == read()


@pytest.mark.parametrize(
    ("accept", "takes"),
    [
        (b"application/x-ndjson", True),
        (b"text/html, Application/X-NDJSON ; q=0.5", True),
        (b"application/x-ndjson;q=0", False),
        (b"application/x-ndjson;q=0.000", False),
        (b"*/*", False),
        (b"application/json", False),
        (b"\xff", False),
    ],
)
def test_tells_whether_lines_are_taken(accept: bytes, takes: bool) -> None:
    assert read((b"accept", accept)).takes_ndjson is takes
