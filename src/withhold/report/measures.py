"""What a report counts: each measure, what it is called and what exactly it counts.

The documentation (docs/reporting.md) and every page that is rendered repeat these sentences.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Measure(StrEnum):
    """One number of a report, as JSON and CSV name it."""

    ORDERS_RECEIVED = "orders_received"
    ORDERS_UNDECIDED = "orders_undecided"
    ORDERS_REFUSED = "orders_refused"
    ORDERS_APPROVED = "orders_approved"
    ORDERS_COMPLIED = "orders_complied"
    ORDERS_COMPLIED_WHOLE = "orders_complied_whole"
    ORDERS_COMPLIED_PART = "orders_complied_part"
    ORDERS_NOT_COMPLIED = "orders_not_complied"
    PEOPLE_AFFECTED = "people_affected"
    DISCLOSURES_MADE = "disclosures_made"
    DISCLOSURES_COMPLETE = "disclosures_complete"
    DISCLOSURES_INCOMPLETE = "disclosures_incomplete"
    DISCLOSURES_UNKNOWN = "disclosures_unknown"
    DISCLOSURES_HELD_BACK = "disclosures_held_back"
    STORE_FAILURES = "store_failures"
    REVEALS = "reveals"
    FIELDS_REQUESTED = "fields_requested"
    FIELDS_AUTHORISED = "fields_authorised"
    FIELDS_DISCLOSED = "fields_disclosed"
    FIELDS_TOKENIZED = "fields_tokenized"
    FIELDS_GENERALIZED = "fields_generalized"
    FIELDS_WITHHELD = "fields_withheld"
    VALUES_DISCLOSED = "values_disclosed"
    VALUES_TOKENIZED = "values_tokenized"
    VALUES_GENERALIZED = "values_generalized"
    VALUES_WITHHELD = "values_withheld"
    RECORDS_DISCLOSED = "records_disclosed"
    RECORDS_WITHHELD = "records_withheld"
    REFUSALS = "refusals"
    FREEZES = "freezes"
    ORDERS_UNDER_SECRECY = "orders_under_secrecy"
    SELECTORS_TARGETED = "selectors_targeted"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What people call a measure, and what it counts."""

    title: str
    says: str


MEANINGS: Final[Mapping[Measure, Meaning]] = {
    Measure.ORDERS_RECEIVED: Meaning("Received", "orders registered in the period"),
    Measure.ORDERS_UNDECIDED: Meaning(
        "Undecided", "of these, neither approved nor refused when the report was made"
    ),
    Measure.ORDERS_REFUSED: Meaning("Refused", "of these, revoked without ever having been active"),
    Measure.ORDERS_APPROVED: Meaning(
        "Approved", "of these, active at some time, whatever became of them later"
    ),
    Measure.ORDERS_COMPLIED: Meaning(
        "Complied with",
        "of those approved, followed by at least one disclosure before the report was made; an "
        "answer that the store holds nothing is one",
    ),
    Measure.ORDERS_COMPLIED_WHOLE: Meaning(
        "In whole", "complied with, and nothing that makes it `in part` happened"
    ),
    Measure.ORDERS_COMPLIED_PART: Meaning(
        "In part",
        "complied with, but in some disclosure a field that the order asks for was withheld by the "
        "instrument, a rule or the form of the resource, a covered value or record was withheld as "
        "malformed, undated or of no known subject, or the delivery broke or its end is not known. "
        "Records of other people or of another time never make an order complied with in part",
    ),
    Measure.ORDERS_NOT_COMPLIED: Meaning(
        "Not complied with", "of those approved, followed by no disclosure (yet)"
    ),
    Measure.PEOPLE_AFFECTED: Meaning(
        "People affected",
        "identifiers that the orders complied with name, order by order: whoever is named by two "
        "identifiers, or by two orders, counts twice",
    ),
    Measure.DISCLOSURES_MADE: Meaning(
        "Disclosures", "requests of the period whose answer was released and not held back"
    ),
    Measure.DISCLOSURES_COMPLETE: Meaning(
        "Complete", "of these, every byte was handed over to the connection"
    ),
    Measure.DISCLOSURES_INCOMPLETE: Meaning("Incomplete", "of these, the delivery broke off"),
    Measure.DISCLOSURES_UNKNOWN: Meaning(
        "Delivery unknown", "of these, the log does not say how the delivery ended"
    ),
    Measure.DISCLOSURES_HELD_BACK: Meaning(
        "Held back", "answers that were entered as released, of which no byte was sent"
    ),
    Measure.STORE_FAILURES: Meaning(
        "Store failures", "requests to which the store gave no answer that could be used, by code"
    ),
    Measure.REVEALS: Meaning("Reveals", "tokens whose value was disclosed"),
    Measure.FIELDS_REQUESTED: Meaning(
        "Fields requested", "fields that order and request ask for, in all disclosures together"
    ),
    Measure.FIELDS_AUTHORISED: Meaning(
        "Fields authorised", "of these, fields that could leave, in whatever form"
    ),
    Measure.FIELDS_DISCLOSED: Meaning("Fields disclosed", "fields of which a value left as it is"),
    Measure.FIELDS_TOKENIZED: Meaning("Fields tokenized", "fields of which a value left as token"),
    Measure.FIELDS_GENERALIZED: Meaning(
        "Fields generalized", "fields of which a value left in a coarser form"
    ),
    Measure.FIELDS_WITHHELD: Meaning(
        "Fields withheld", "fields of the resources that could not leave, by reason"
    ),
    Measure.VALUES_DISCLOSED: Meaning("Values disclosed", "values that left as they are"),
    Measure.VALUES_TOKENIZED: Meaning("Values tokenized", "values that left as tokens"),
    Measure.VALUES_GENERALIZED: Meaning("Values generalized", "values that left in a coarser form"),
    Measure.VALUES_WITHHELD: Meaning(
        "Values withheld", "covered values that had not the form they must have"
    ),
    Measure.RECORDS_DISCLOSED: Meaning("Records disclosed", "records that left"),
    Measure.RECORDS_WITHHELD: Meaning(
        "Records withheld", "records of covered resources that did not leave, by reason"
    ),
    Measure.REFUSALS: Meaning(
        "Refusals", "authenticated requests that were refused before a store was asked, by code"
    ),
    Measure.FREEZES: Meaning("Freezes", "freezes put in force"),
    Measure.ORDERS_UNDER_SECRECY: Meaning(
        "Under secrecy", "orders received whose secrecy had not ended; in internal reports only"
    ),
    Measure.SELECTORS_TARGETED: Meaning(
        "Selectors targeted", "identifiers that the orders received name, order by order"
    ),
}

# Measures whose cells have a reason or a code; they have no cell for all reasons together.
BY_REASON: Final = frozenset(
    {
        Measure.FIELDS_WITHHELD,
        Measure.VALUES_WITHHELD,
        Measure.RECORDS_WITHHELD,
        Measure.STORE_FAILURES,
        Measure.REFUSALS,
    }
)
