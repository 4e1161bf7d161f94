"""Problems: the one table from what went wrong to what the caller is told. Pure.

Every text here is fixed, except that a `BadRequest` says which rule of ours the request broke; no
text holds anything of the request or of the store's answer. Source: RFC 9457 (problem details).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from withhold.errors import (
    BadRequest,
    DatabaseUnavailable,
    Denied,
    KeyUnavailable,
    LedgerUnavailable,
    Malformed,
    Mismatch,
    StoreFailed,
    StoreTimeout,
    StoreTooLarge,
    WithholdError,
)

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a caller is told: a status, a stable code and one sentence."""

    status: int
    code: str
    detail: str
    headers: Headers = ()

    def encode(self) -> bytes:
        """Give the `application/problem+json` body; `type` is `about:blank` (RFC 9457 §4.2.1)."""
        title = HTTPStatus(self.status).phrase
        members = {"type": "about:blank", "title": title, "status": self.status}
        return msgspec.json.encode({**members, "code": self.code, "detail": self.detail})


# RFC 9110 §15.5.2 and §15.5.6: a 401 names the scheme, a 405 the methods.
_TABLE: Final = (
    Problem(400, "bad-request", "the request is not in the form it must have"),
    Problem(
        *(401, "unauthenticated", "a bearer token of a known caller is required"),
        (("WWW-Authenticate", "Bearer"),),
    ),
    Problem(403, "warrant-unknown", "the warrant is not known"),
    Problem(403, "warrant-not-active", "the warrant is not active, or this is not its time"),
    Problem(403, "not-a-target", "the subject of the request is not a target of the warrant"),
    Problem(403, "caller-not-allowed", "the caller may not ask this store for disclosures"),
    Problem(403, "not-approved", "the approval is not by an approver in force, or not for this"),
    Problem(403, "approval-expired", "the approval is no longer valid"),
    Problem(403, "approval-used", "the approval was used before"),
    Problem(403, "field-not-named", "the warrant does not name this field, or does not show it"),
    Problem(403, "token-unknown", "the token is of nobody that the warrant is about"),
    Problem(404, "no-such-resource", "no resource in the catalogue has this path"),
    Problem(405, "method-not-allowed", "only GET is answered", (("Allow", "GET"),)),
    Problem(429, "too-many-requests", "too many requests are under way"),
    Problem(431, "headers-too-large", "the request's headers are larger than the limit"),
    Problem(500, "internal-error", "something went wrong here; nothing was disclosed"),
    Problem(502, "store-failed", "the store could not be reached, or refused"),
    Problem(502, "store-malformed", "the store's answer is not in the form it must have"),
    Problem(502, "store-mismatch", "the store's answer is not about the subject asked for"),
    Problem(502, "store-too-large", "the store's answer is larger than the limit"),
    Problem(503, "ledger-unavailable", "the receipt could not be made durable"),
    Problem(503, "database-unavailable", "the state of the warrant could not be told"),
    Problem(503, "key-unavailable", "the warrant's token key could not be had"),
    Problem(503, "frozen", "disclosure is frozen"),
    Problem(504, "store-timeout", "the store did not answer in time"),
)
PROBLEMS: Final[Mapping[str, Problem]] = {problem.code: problem for problem in _TABLE}

# No class here is a subclass of another.
_CODES: Final[Mapping[type[WithholdError], str]] = {
    BadRequest: "bad-request",
    StoreFailed: "store-failed",
    Malformed: "store-malformed",
    Mismatch: "store-mismatch",
    StoreTooLarge: "store-too-large",
    StoreTimeout: "store-timeout",
    LedgerUnavailable: "ledger-unavailable",
    DatabaseUnavailable: "database-unavailable",
    KeyUnavailable: "key-unavailable",
}


def problem_of(error: WithholdError, method: str = "GET") -> Problem:
    """Give what the caller is told of an error; one that nobody foresaw is ours.

    The reason of a `Denied` is the code; `method`: the one that is answered there.
    """
    code = error.reason if isinstance(error, Denied) else _CODES.get(type(error), "")
    problem = PROBLEMS.get(code, PROBLEMS["internal-error"])
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return Problem(problem.status, code, f"only {method} is answered", (("Allow", method),))
    if isinstance(error, BadRequest):
        return Problem(problem.status, problem.code, error.message)
    return problem
