"""A day counted by hand: every number of it is here, and every other one is nought."""

from typing import Final

from tests.report.day import a_day
from tests.report.logs import instant
from withhold.report.cells import ALL, Cell, Scope, make_table
from withhold.report.measures import Measure

AS_OF: Final = instant("2026-03-04")
US, EU, UK = Scope("US"), Scope("EU"), Scope("UK")
SUBPOENA, SEARCH = Scope("US", "us-sca-subpoena"), Scope("US", "us-search-warrant")
EPOC, ENTITY = Scope("EU", "eu-epoc-subscriber"), Scope("UK", "uk-entity-data")


def asked(category: str, country: str = "") -> Scope:
    return Scope(country, category=category)


ORDERS: Final = {
    # received, undecided, refused, approved, not complied, complied, in whole, in part, people
    ALL: (7, 1, 1, 5, 1, 4, 2, 2, 5),
    US: (3, 0, 0, 3, 0, 3, 1, 2, 4),
    EU: (3, 1, 1, 1, 1, 0, 0, 0, 0),
    UK: (1, 0, 0, 1, 0, 1, 1, 0, 1),
    SUBPOENA: (2, 0, 0, 2, 0, 2, 1, 1, 3),
    SEARCH: (1, 0, 0, 1, 0, 1, 0, 1, 1),  # OLD is of the day before
    EPOC: (3, 1, 1, 1, 1, 0, 0, 0, 0),
    ENTITY: (1, 0, 0, 1, 0, 1, 1, 0, 1),
    asked("subscriber"): (6, 1, 1, 4, 1, 3, 2, 1, 4),
    asked("identifying"): (1, 0, 0, 1, 0, 1, 1, 0, 2),
    asked("content"): (1, 0, 0, 1, 0, 1, 0, 1, 1),
    asked("subscriber", "US"): (2, 0, 0, 2, 0, 2, 1, 1, 3),
    asked("identifying", "US"): (1, 0, 0, 1, 0, 1, 1, 0, 2),
    asked("content", "US"): (1, 0, 0, 1, 0, 1, 0, 1, 1),
    asked("subscriber", "EU"): (3, 1, 1, 1, 1, 0, 0, 0, 0),
    asked("subscriber", "UK"): (1, 0, 0, 1, 0, 1, 1, 0, 1),
}
ORDER_MEASURES: Final = (
    Measure.ORDERS_RECEIVED,
    Measure.ORDERS_UNDECIDED,
    Measure.ORDERS_REFUSED,
    Measure.ORDERS_APPROVED,
    Measure.ORDERS_NOT_COMPLIED,
    Measure.ORDERS_COMPLIED,
    Measure.ORDERS_COMPLIED_WHOLE,
    Measure.ORDERS_COMPLIED_PART,
    Measure.PEOPLE_AFFECTED,
)
THINGS: Final = {
    # made, complete, incomplete, unknown, held back, reveals
    # fields requested, authorised, disclosed, tokenized, generalized
    # values disclosed, tokenized, generalized; records
    ALL: (5, 3, 1, 1, 1, 1, 11, 9, 6, 1, 1, 13, 2, 7, 9),
    US: (4, 2, 1, 1, 0, 1, 10, 8, 5, 1, 1, 12, 2, 7, 9),
    EU: (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    UK: (1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0),
    SUBPOENA: (2, 2, 0, 0, 0, 0, 4 + 3, 4 + 1, 2 + 1, 1, 0, 3 + 1, 2, 0, 2),
    SEARCH: (2, 0, 1, 1, 0, 1, 2 + 1, 2 + 1, 1 + 1, 0, 1, 7 + 1, 0, 7, 7),
    EPOC: (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    ENTITY: (1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0),
}
THING_MEASURES: Final = (
    Measure.DISCLOSURES_MADE,
    Measure.DISCLOSURES_COMPLETE,
    Measure.DISCLOSURES_INCOMPLETE,
    Measure.DISCLOSURES_UNKNOWN,
    Measure.DISCLOSURES_HELD_BACK,
    Measure.REVEALS,
    Measure.FIELDS_REQUESTED,
    Measure.FIELDS_AUTHORISED,
    Measure.FIELDS_DISCLOSED,
    Measure.FIELDS_TOKENIZED,
    Measure.FIELDS_GENERALIZED,
    Measure.VALUES_DISCLOSED,
    Measure.VALUES_TOKENIZED,
    Measure.VALUES_GENERALIZED,
    Measure.RECORDS_DISCLOSED,
)
BY_REASON: Final = {
    (Measure.FIELDS_WITHHELD, "not-in-warrant"): (2, (ALL, US, SUBPOENA)),
    (Measure.FIELDS_WITHHELD, "not-in-instrument"): (4 + 4, (ALL, US, SUBPOENA)),
    (Measure.FIELDS_WITHHELD, "rule:no-mail"): (1, (ALL, US, SUBPOENA)),
    (Measure.RECORDS_WITHHELD, "not-a-target"): (5, (ALL, US, SUBPOENA)),
    (Measure.RECORDS_WITHHELD, "out-of-period"): (1, (ALL, US, SUBPOENA)),
    (Measure.VALUES_WITHHELD, "malformed"): (2, (ALL, US, SEARCH)),
    (Measure.STORE_FAILURES, "store-failed"): (1, (ALL, US, SEARCH)),
    (Measure.REFUSALS, "not-a-target"): (3, (ALL,)),
    (Measure.REFUSALS, "warrant-unknown"): (1, (ALL,)),
}
EXACT: Final = {
    **{
        Cell(measure, scope): number
        for scope, row in ORDERS.items()
        for measure, number in zip(ORDER_MEASURES, row, strict=True)
    },
    **{
        Cell(measure, scope): number
        for scope, row in THINGS.items()
        for measure, number in zip(THING_MEASURES, row, strict=True)
    },
    **{
        Cell(measure, scope, reason): number
        for (measure, reason), (number, scopes) in BY_REASON.items()
        for scope in scopes
    },
    Cell(Measure.FREEZES): 1,
    Cell(Measure.ORDERS_UNDER_SECRECY): 1,
    Cell(Measure.ORDERS_UNDER_SECRECY, UK): 1,
}


def test_every_number_of_the_day_is_as_counted_by_hand() -> None:
    table = make_table(a_day().count(), AS_OF, internal=True)
    found = {cell: number for cell, number in table.values.items() if number}
    assert found == {cell: number for cell, number in EXACT.items() if number}
    assert EXACT.keys() <= table.values.keys()  # noughts are said, not left out


def test_the_day_without_its_secret_is_a_day_that_had_none() -> None:
    told = make_table(a_day().count(), AS_OF, internal=False)
    without = make_table(a_day(secret=False).count(), AS_OF, internal=False)
    assert told.values == without.values
    assert (told.atoms, told.orders_in) == (without.atoms, without.orders_in)
    assert "UK" not in {cell.scope.country for cell in told.values}
    assert not any(cell.measure is Measure.ORDERS_UNDER_SECRECY for cell in told.values)
    assert told.values[Cell(Measure.ORDERS_RECEIVED)] == 6


def test_secrecy_ends_when_it_ends() -> None:
    at_the_end = instant("2026-12-31")
    values = make_table(a_day().count(), at_the_end, internal=False).values
    assert values[Cell(Measure.ORDERS_RECEIVED, UK)] == 1
