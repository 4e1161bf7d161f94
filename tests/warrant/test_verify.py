import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warrants import (
    APPROVER,
    DEPLOYMENT,
    INTAKE,
    SECOND,
    SIGNERS,
    SUBPOENA,
    Pen,
    approved,
    payload,
    pen,
)
from withhold.errors import WarrantError
from withhold.names import Category, InstrumentName, SignerRole
from withhold.policy.model import Instrument
from withhold.warrant.model import ApprovedWarrant, Signer
from withhold.warrant.signed import parse_signed, print_signed
from withhold.warrant.verify import (
    BAD_SIGNATURE,
    NEEDS_APPROVAL,
    NEEDS_INTAKE,
    SAME_SIGNER,
    UNKNOWN_SIGNER,
    WRONG_DEPLOYMENT,
    WRONG_INSTRUMENT,
    WRONG_JURISDICTION,
    WRONG_ROLE,
    Denial,
    remarks_on,
    verify_warrant,
)


def verify(
    document: bytes,
    signers: tuple[Signer, ...] = SIGNERS,
    instrument: Instrument = SUBPOENA,
    deployment: str = DEPLOYMENT,
) -> ApprovedWarrant | Denial:
    return verify_warrant(parse_signed(document), signers, instrument, deployment)


def reason(found: ApprovedWarrant | Denial) -> str:
    return found.reason if isinstance(found, Denial) else "approved"


def asks(approvals: int) -> Instrument:
    return dataclasses.replace(SUBPOENA, approvals=approvals)


def test_intake_and_an_approver_make_a_warrant_that_is_believed() -> None:
    found = verify(approved())
    assert isinstance(found, ApprovedWarrant)
    assert found.warrant == parse_signed(approved()).warrant
    assert (found.intake, found.approvers) == ("intake-1", ("approver-1",))


def test_the_order_of_signatures_does_not_matter() -> None:
    assert isinstance(verify(INTAKE.sign(APPROVER.sign(payload()))), ApprovedWarrant)


def test_more_approvals_than_asked_for_are_welcome() -> None:
    found = verify(SECOND.sign(approved()))
    assert isinstance(found, ApprovedWarrant)
    assert found.approvers == ("approver-1", "approver-2")


@pytest.mark.parametrize(
    ("document", "approvals", "expected"),
    [
        (INTAKE.sign(payload()), 1, Denial(NEEDS_APPROVAL, "needs 1 more approval")),
        (INTAKE.sign(payload()), 2, Denial(NEEDS_APPROVAL, "needs 2 more approvals")),
        (approved(), 2, Denial(NEEDS_APPROVAL, "needs 1 more approval")),
        (APPROVER.sign(payload()), 1, Denial(NEEDS_INTAKE, "needs the signature of intake")),
        (SECOND.sign(approved()), 2, None),
    ],
)
def test_a_warrant_that_waits_says_what_for(
    document: bytes, approvals: int, expected: Denial | None
) -> None:
    found = verify(document, instrument=asks(approvals))
    assert found == expected or (expected is None and isinstance(found, ApprovedWarrant))


def test_one_bad_signature_refuses_all_however_many_are_good() -> None:
    signed = parse_signed(SECOND.sign(approved()))
    broken = dataclasses.replace(signed.signatures[2], value=bytes(64))
    document = print_signed(signed.payload, (*signed.signatures[:2], broken))
    assert reason(verify(approved())) == "approved"
    assert reason(verify(document)) == BAD_SIGNATURE


def test_a_key_that_is_not_the_signers_is_refused() -> None:
    imposter = Pen(APPROVER.signer, pen("x", SignerRole.APPROVE, 9).key)
    assert reason(verify(imposter.sign(INTAKE.sign(payload())))) == BAD_SIGNATURE


def test_a_payload_that_was_replaced_is_refused() -> None:
    signed = parse_signed(approved())
    other = payload(targets=[{"kind": "id", "value": "@bob:example.test"}])
    assert reason(verify(print_signed(other, signed.signatures))) == BAD_SIGNATURE
    # intake signs anew, the old approval is carried over
    new = parse_signed(INTAKE.sign(other)).signatures
    mixed = print_signed(other, (*new, signed.signatures[1]))
    assert reason(verify(mixed)) == BAD_SIGNATURE


def test_a_header_that_was_replaced_is_refused() -> None:
    signed = parse_signed(approved())
    one, two = signed.signatures
    swapped = (dataclasses.replace(one, protected=two.protected), two)
    assert reason(verify(print_signed(signed.payload, swapped[:1]))) == BAD_SIGNATURE


def test_signers_are_those_now_in_force() -> None:
    assert reason(verify(approved(), signers=(INTAKE.signer,))) == UNKNOWN_SIGNER
    assert reason(verify(approved(), signers=())) == UNKNOWN_SIGNER
    renewed = dataclasses.replace(APPROVER.signer, public_key=SECOND.signer.public_key)
    assert reason(verify(approved(), signers=(INTAKE.signer, renewed))) == BAD_SIGNATURE


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("anna.smith-2", "signature 1 is by `anna.smith-2`, no signer in force"),
        ("anna smith", "signature 1 is by no signer in force"),
        ("anna\x1b[2J", "signature 1 is by no signer in force"),
        ("a" * 65, "signature 1 is by no signer in force"),
    ],
)
def test_an_unknown_signer_is_named_where_it_is_a_name(name: str, shown: str) -> None:
    other = dataclasses.replace(INTAKE, signer=dataclasses.replace(INTAKE.signer, name=name))
    found = verify(other.sign(payload()))
    assert isinstance(found, Denial)
    assert found.message == shown


def test_two_signers_of_one_name_are_nobody() -> None:
    assert reason(verify(approved(), signers=(*SIGNERS, APPROVER.signer))) == UNKNOWN_SIGNER


def test_a_public_key_that_is_none_verifies_nothing() -> None:
    short = dataclasses.replace(APPROVER.signer, public_key=bytes(31))
    assert reason(verify(approved(), signers=(INTAKE.signer, short))) == BAD_SIGNATURE


@pytest.mark.parametrize(
    "other",
    [
        pen("approver-9", SignerRole.APPROVE, 2),  # the key of approver-1
        pen("approver-9", SignerRole.APPROVE, 9, person="person of approver-1"),
        pen("approver-9", SignerRole.APPROVE, 9, person=" Person  OF approver-1"),
        pen("approver-9", SignerRole.APPROVE, 9, person="person\u200b of\u00a0approver\u00ad-1"),
        pen("approver-9", SignerRole.APPROVE, 9, person="\uff50erson of approver-1"),
        pen("approver-9", SignerRole.APPROVE, 9, person="person of intake-1"),
        pen("approver-9", SignerRole.APPROVE, 1),  # the key of intake-1
        pen("intake-2", SignerRole.INTAKE, 9, person="person of approver-1"),
    ],
)
def test_nobody_counts_twice(other: Pen) -> None:
    document = other.sign(approved())
    assert reason(verify(document, (*SIGNERS, other.signer), asks(2))) == SAME_SIGNER


def test_the_same_signature_twice_is_one() -> None:
    signed = parse_signed(approved())
    one, two = signed.signatures
    document = print_signed(signed.payload, (one, two, two))
    assert reason(verify(document, instrument=asks(2))) == SAME_SIGNER


def test_intake_signs_once() -> None:
    second = pen("intake-2", SignerRole.INTAKE, 9)
    found = verify(second.sign(approved()), (*SIGNERS, second.signer))
    assert reason(found) == SAME_SIGNER


def test_a_role_is_the_signers_own() -> None:
    document = INTAKE.sign(APPROVER.sign(payload()), role=SignerRole.APPROVE)
    assert reason(verify(document)) == WRONG_ROLE
    assert (
        reason(verify(SECOND.sign(APPROVER.sign(payload()), role=SignerRole.INTAKE))) == WRONG_ROLE
    )


def test_a_signature_for_another_deployment_is_refused() -> None:
    refused = verify(approved(), deployment="example-prod")
    assert reason(refused) == WRONG_DEPLOYMENT
    assert isinstance(refused, Denial)
    assert refused.hint == "sign with `--deployment example-prod`"
    mixed = APPROVER.sign(INTAKE.sign(payload()), deployment="example-prod")
    assert reason(verify(mixed)) == WRONG_DEPLOYMENT


def test_the_instrument_and_its_jurisdiction_are_the_warrants() -> None:
    other = dataclasses.replace(SUBPOENA, name=InstrumentName("us-search-warrant"))
    assert reason(verify(approved(), instrument=other)) == WRONG_INSTRUMENT
    assert reason(verify(approved(jurisdiction="EU"))) == WRONG_JURISDICTION


def test_categories_beyond_the_instrument_are_no_fault_but_a_remark() -> None:
    found = verify(approved(categories=["subscriber", "traffic", "content"]))
    assert isinstance(found, ApprovedWarrant)
    assert remarks_on(found.warrant, SUBPOENA) == (
        "`content` is not covered by `us-sca-subpoena`",
        "`traffic` is not covered by `us-sca-subpoena`",
    )
    assert remarks_on(parse_signed(approved()).warrant, SUBPOENA) == ()
    assert Category.CONTENT not in SUBPOENA.covers


DOCUMENT = approved()


@given(st.integers(0, len(DOCUMENT) * 8 - 1))
def test_any_flipped_bit_is_found(bit: int) -> None:
    flipped = bytearray(DOCUMENT)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        found = verify(bytes(flipped))
    except WarrantError:
        return
    assert isinstance(found, Denial)


@given(st.data())
def test_any_other_signature_is_found(data: st.DataObject) -> None:
    document = json.loads(DOCUMENT)
    at = data.draw(st.integers(0, 1))
    signed = parse_signed(DOCUMENT)
    value = data.draw(st.binary(min_size=64, max_size=64))
    signatures = list(signed.signatures)
    if signatures[at].value == value:
        return
    signatures[at] = dataclasses.replace(signatures[at], value=value)
    assert document["payload"]
    assert reason(verify(print_signed(signed.payload, signatures))) == BAD_SIGNATURE
