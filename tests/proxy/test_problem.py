import json

import pytest

from withhold import errors
from withhold.proxy.problem import PROBLEMS, problem_of

# Contract §7; the last line is what it leaves to us.
STATUSES = {
    **dict.fromkeys(["bad-request"], 400),
    **dict.fromkeys(["unauthenticated"], 401),
    **dict.fromkeys(
        ["warrant-unknown", "warrant-not-active", "not-a-target", "caller-not-allowed"], 403
    ),
    **dict.fromkeys(["no-such-resource"], 404),
    **dict.fromkeys(["method-not-allowed"], 405),
    **dict.fromkeys(["too-many-requests"], 429),
    **dict.fromkeys(["headers-too-large"], 431),
    **dict.fromkeys(["store-failed", "store-malformed", "store-mismatch", "store-too-large"], 502),
    **dict.fromkeys(["ledger-unavailable", "database-unavailable", "frozen"], 503),
    **dict.fromkeys(["store-timeout"], 504),
    "internal-error": 500,
    "key-unavailable": 503,
    **dict.fromkeys(["not-approved", "approval-expired", "approval-used"], 403),
    **dict.fromkeys(["field-not-named", "token-unknown"], 403),
}


def test_has_the_codes_of_the_contract_and_no_others() -> None:
    assert {code: problem.status for code, problem in PROBLEMS.items()} == STATUSES


@pytest.mark.parametrize("code", sorted(STATUSES))
def test_encodes_as_rfc_9457_says(code: str) -> None:
    problem = json.loads(PROBLEMS[code].encode())
    assert set(problem) == {"type", "title", "status", "code", "detail"}
    assert (problem["type"], problem["status"], problem["code"]) == (
        "about:blank",
        STATUSES[code],
        code,
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BadRequest("x"), "bad-request"),
        (errors.Denied("not-a-target", "canary"), "not-a-target"),
        (errors.Denied("frozen"), "frozen"),
        (errors.Denied("id-in-use"), "internal-error"),
        (errors.StoreFailed("canary"), "store-failed"),
        (errors.StoreTimeout("canary"), "store-timeout"),
        (errors.StoreTooLarge("canary"), "store-too-large"),
        (errors.Malformed("canary"), "store-malformed"),
        (errors.Mismatch("canary"), "store-mismatch"),
        (errors.LedgerUnavailable("canary"), "ledger-unavailable"),
        (errors.DatabaseUnavailable("canary"), "database-unavailable"),
        (errors.KeyUnavailable("canary"), "key-unavailable"),
        (errors.WarrantError("canary"), "internal-error"),
        (errors.WithholdError("canary"), "internal-error"),
    ],
)
def test_tells_an_error_by_its_class_and_nothing_of_its_text(
    error: errors.WithholdError, code: str
) -> None:
    problem = problem_of(error)
    assert problem.code == code
    assert b"canary" not in problem.encode()


def test_a_method_that_is_not_answered_hears_which_is() -> None:
    for method in ("GET", "POST"):
        problem = problem_of(errors.Denied("method-not-allowed"), method)
        assert problem.headers == (("Allow", method),)
        assert problem.detail == f"only {method} is answered"


def test_a_bad_request_says_which_rule_it_broke() -> None:
    problem = problem_of(errors.BadRequest("the header `X` is missing"))
    assert json.loads(problem.encode())["detail"] == "the header `X` is missing"
    assert problem_of(errors.BadRequest("another")).status == 400


def test_says_what_rfc_9110_asks_of_a_401_and_a_405() -> None:
    assert PROBLEMS["unauthenticated"].headers == (("WWW-Authenticate", "Bearer"),)
    assert PROBLEMS["method-not-allowed"].headers == (("Allow", "GET"),)
