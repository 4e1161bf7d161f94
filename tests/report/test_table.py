import csv
import io
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from tests.report.day import a_day
from tests.report.test_document import document
from withhold.report.query import Banded, Exact, Suppressed
from withhold.report.table import COLUMNS, NOTICE, write_csv

PERIOD: Final = "2026-03-02T00:00:00Z/2026-03-03T00:00:00Z"
# csv writes no lone carriage return back as it was read, and no name has one.
TEXT: Final = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def numbers(text: str) -> list[dict[str, str]]:
    return [row for row in read(text) if row["measure"] != NOTICE]


def test_lines_are_as_rfc_4180_writes_them() -> None:
    text = write_csv(document(a_day(), Exact()))
    assert text.startswith("period,country,instrument,category,measure,reason,value\r\n")
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")


def test_every_cell_is_a_row() -> None:
    report = document(a_day(), Exact())
    rows = numbers(write_csv(report))
    assert len(rows) == len(report["cells"])
    assert {
        "period": PERIOD,
        "country": "US",
        "instrument": "us-sca-subpoena",
        "category": "",
        "measure": "fields_withheld",
        "reason": "rule:no-mail",
        "value": "1",
    } in rows


def test_what_is_said_of_the_numbers_is_in_the_table() -> None:
    notices = {
        row["reason"]: row["value"]
        for row in read(write_csv(document(a_day(), Exact())))
        if row["measure"] == NOTICE
    }
    assert notices["audience"].startswith("INTERNAL")
    banded = write_csv(document(a_day(), Banded(250), as_of="2027-03-20"))
    assert "50 U.S.C. 1874(a)(3): semiannual" in banded
    assert "within the 180 days before publication: NOT MET" in banded
    assert "at most 180 days: met" in banded


def test_a_number_that_is_not_shown_and_a_band_are_no_numbers() -> None:
    hidden = {row["value"] for row in numbers(write_csv(document(a_day(), Suppressed())))}
    assert "suppressed" in hidden
    banded = {row["value"] for row in numbers(write_csv(document(a_day(), Banded(1000))))}
    assert banded == {"0-999"}


@given(st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT), max_size=5))
def test_whatever_a_name_is_it_comes_back_and_is_no_formula(
    names: list[tuple[str, str, str, str, str]],
) -> None:
    report: dict[str, Any] = document(a_day(), Exact())
    report["cells"] = [
        dict(zip(COLUMNS[1:], [*row, i], strict=True)) for i, row in enumerate(names)
    ]
    rows = numbers(write_csv(report))
    for row, written in zip(names, rows, strict=True):
        for name, text in zip(COLUMNS[1:], row, strict=False):
            cell = written[name]
            assert cell in {text, f"'{text}"}
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
