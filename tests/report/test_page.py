"""The page: well-formed, escaped, self-contained, and with names for all that it shows."""

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.day import a_day
from tests.report.logs import Log
from tests.report.test_document import document
from withhold.report.page import HIDDEN, write_html
from withhold.report.query import Banded, Exact, Form, Suppressed

VOID: Final = {"meta", "rect"}
FORMS: Final = [Exact(), Suppressed(), Banded(500), Banded(100)]


class Page(HTMLParser):
    """Every element must be closed where it was opened, and may have only what we give it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, tag: str, name: str) -> list[str]:
        return [v for t, n, v in self.attributes if (t, n) == (tag, name)]


def page(form: Form, log: Log | None = None, *countries: str) -> tuple[str, Page]:
    text = write_html(document(log or a_day(), form, *countries))
    return text, Page(text)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_page_is_well_formed_and_stands_alone(form: Form) -> None:
    text, parsed = page(form)
    assert text.startswith("<!DOCTYPE html>\n")
    fetching = {"script", "link", "img", "iframe", "object", "embed", "form", "base", "use", "a"}
    assert not fetching & parsed.tags.keys()
    names = {name for _, name, _ in parsed.attributes}
    assert not {name for name in names if name.startswith("on")} | {"src", "href", "style"} & names
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_allows_the_one_style_and_nothing_else() -> None:
    text, parsed = page(Exact())
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(style) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert (
        "default-src 'none'; style-src 'sha256-" + digest + "'; base-uri 'none'; form-action 'none'"
    ) in parsed.values("meta", "content")


def test_it_is_made_for_paper_and_for_the_dark() -> None:
    text, _ = page(Exact())
    assert "@media print" in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_tables_and_charts_have_names(form: Form) -> None:
    text, parsed = page(form)
    assert parsed.tags["table"] == parsed.tags["caption"] == parsed.tags["thead"] > 0
    assert set(parsed.values("th", "scope")) == {"col", "row"}
    assert len(parsed.values("th", "scope")) == parsed.tags["th"]
    assert parsed.tags["svg"] == parsed.tags["figcaption"] == parsed.tags["desc"] > 0
    assert parsed.values("svg", "role") == ["img"] * parsed.tags["svg"]
    ids = [value for _, name, value in parsed.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    labelled = " ".join(parsed.values("svg", "aria-labelledby")).split()
    assert sorted(labelled) == sorted(ids)
    assert [int(n) for n in re.findall(r"<h(\d)>", text)][:2] == [1, 2]
    assert parsed.values("html", "lang") == ["en"]


def test_a_row_has_as_many_cells_as_there_are_columns() -> None:
    text, _ = page(Suppressed())
    for table in re.findall(r"<table>.*?</table>", text, re.DOTALL):
        widths = {len(re.findall(r"<t[hd]\b", row)) for row in re.findall(r"<tr.*?</tr>", table)}
        assert len(widths) == 1


def test_an_internal_page_says_so_at_its_head() -> None:
    assert "INTERNAL" in " ".join(page(Exact())[1].texts)
    assert "INTERNAL" not in page(Suppressed())[0]


def test_the_numbers_are_there_and_the_hidden_ones_are_not() -> None:
    text, _ = page(Exact())
    assert '<th scope="row">EU, eu-epoc-subscriber</th><td>3</td><td>1</td><td>1</td>' in text
    assert f">{HIDDEN}<" not in text
    text, _ = page(Suppressed())
    assert f'<td class="no">{HIDDEN}</td>' in text


def test_the_statute_and_its_conditions_are_named() -> None:
    text, _ = page(Banded(100))
    assert "50 U.S.C. 1874(a)(4)" in text
    assert "<strong>not met</strong>" in text
    assert "<td>0-99</td>" in text


def test_of_some_countries_only_these_are_shown() -> None:
    text, parsed = page(Exact(), None, "EU")
    assert "Of these countries only: EU." in text
    assert "us-sca-subpoena" not in " ".join(parsed.texts)
    assert page(Exact(), None, "nowhere")[1].tags["svg"] == 0


def test_a_log_of_nothing_is_a_page_of_noughts() -> None:
    text, parsed = page(Suppressed(), Log())
    assert parsed.tags["table"] > 0
    assert f">{HIDDEN}<" not in text


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(FORMS))
def test_whatever_a_name_is_it_is_text(name: str, form: Form) -> None:
    report: dict[str, Any] = document(a_day(), form)
    names = ("country", "instrument", "reason")
    report["cells"] = [
        {**cell, **{each: f"{cell[each]}<x {name}" for each in names if cell[each]}}
        for cell in report["cells"]
    ]
    report |= {"deployment": f"<script>{name}", "software": f"&{name}", "countries": [f'"{name}']}
    report["log"] = {"size": 1, "root": f"<i>{name}", "checkpoint": f"</pre>{name}"}
    report["notes"] = [{"about": "x", "says": f"<b>{name}"}]
    parsed = Page(write_html(report))
    assert not {"x", "script", "i", "b"} & parsed.tags.keys()
    assert parsed.tags["title"] == 1 + parsed.tags["svg"]
