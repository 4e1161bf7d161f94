import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser

from withhold.html import (
    Html,
    code,
    heading,
    listing,
    page,
    paragraph,
    table,
    terms,
)
from withhold.ledger.style import STYLE
from withhold.report import style as report

HOSTILE = "<script>alert('x')</script>\"&amp;</pre>"
VOID = {"meta"}


class Reader(HTMLParser):
    """Reads a page as a browser does, and finds what does not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open = list[str]()
        self.tags = list[str]()
        self.attributes = list[tuple[str, str | None]]()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def check_page(text: str) -> Reader:
    """Check what every page of ours keeps to."""
    reader = Reader(text)
    assert reader.open == []
    assert not {"script", "img", "link", "iframe", "form", "a", "svg"} & set(reader.tags)
    names = {name for name, _ in reader.attributes}
    assert names <= {"lang", "charset", "http-equiv", "content", "name", "class", "scope"}
    assert reader.tags.count("h1") == reader.tags.count("main") == reader.tags.count("title") == 1
    assert reader.tags.count("table") == reader.tags.count("caption")
    return reader


def test_a_page_fetches_and_runs_nothing() -> None:
    text = page("A title", STYLE, [paragraph("words")])
    check_page(text)
    digest = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert f"<style>{STYLE}</style>" in text
    (policy,) = [
        value for _, value in check_page(text).attributes if value and "default-src" in value
    ]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    for style in (STYLE, report.STYLE):
        assert "url(" not in style
        assert "@import" not in style


def test_what_stands_around_the_title_is_above_the_body() -> None:
    text = page("A title", "", ["body"], above=["over"], below=["under"])
    header = "<header>\nover\n<h1>A title</h1>\nunder\n</header>\n<main>\nbody\n</main>"
    assert header in text


def test_all_text_is_escaped() -> None:
    pieces: list[Html] = [
        heading(HOSTILE),
        paragraph(HOSTILE, "notice"),
        code(HOSTILE),
        listing([HOSTILE]),
        listing([HOSTILE], ordered=True),
        terms([(HOSTILE, HOSTILE)]),
        table(HOSTILE, [HOSTILE], [(HOSTILE, HOSTILE, 7), (3, HOSTILE)]),
    ]
    reader = check_page(page(HOSTILE, STYLE, pieces))
    assert reader.text.count(HOSTILE) == 2 + len(pieces) + 1 + 4


def test_rows_and_columns_are_named_and_numbers_stand_apart() -> None:
    text = table("All.", ["path", "values"], [("$.a", 7), (3, "x")])
    assert re.findall(r'<th scope="(\w+)">([^<]*)</th>', text) == [
        ("col", "path"),
        ("col", "values"),
        ("row", "$.a"),
        ("row", "3"),
    ]
    assert '<td class="count">7</td>' in text
    assert "<td>x</td>" in text


def test_a_list_that_is_ordered_says_so() -> None:
    assert listing(["a"]) == "<ul><li>a</li></ul>"
    assert listing(["a"], ordered=True) == "<ol><li>a</li></ol>"
