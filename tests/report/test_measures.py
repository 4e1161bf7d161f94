"""The documentation says of each measure what the pages say."""

import json

from tests.docs.tables import rows, words
from tests.report.day import a_day
from tests.report.test_document import document
from withhold.report.document import write_json
from withhold.report.measures import BY_REASON, MEANINGS, Measure
from withhold.report.query import Banded, Exact


def test_every_measure_is_documented_in_the_words_of_the_page() -> None:
    said = {words(name)[0]: says for name, says in rows("reporting.md", "measure")}
    assert said == {measure.value: meaning.says for measure, meaning in MEANINGS.items()}
    assert list(MEANINGS) == list(Measure)


def test_every_member_of_the_document_is_documented() -> None:
    said = [word for name, _ in rows("reporting.md", "member") for word in words(name)]
    assert said == list(document(a_day(), Exact()))


def test_a_reason_stands_where_the_measure_has_reasons() -> None:
    for cell in document(a_day(), Exact())["cells"]:
        assert (cell["reason"] is not None) is (cell["measure"] in BY_REASON)


def test_json_is_the_document() -> None:
    report = document(a_day(), Banded(100))
    text = write_json(report)
    assert json.loads(text) == report
    assert text.endswith("}\n")
