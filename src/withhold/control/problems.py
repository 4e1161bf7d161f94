"""Problems of the control plane: what went wrong, as `application/problem+json`. Pure.

The caller here is an operator with a role, so a message may name what it found: names, states and
places in a document, never a target or any other value of a warrant. Source: RFC 9457.
"""

from http import HTTPStatus
from typing import Final

import msgspec

from withhold.errors import (
    BadRequest,
    ConfigError,
    DatabaseUnavailable,
    Denied,
    KeyUnavailable,
    LedgerUnavailable,
    WarrantError,
    WithholdError,
)

_STATUSES: Final = {
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "role-not-allowed": HTTPStatus.FORBIDDEN,
    "no-such-resource": HTTPStatus.NOT_FOUND,
    "warrant-unknown": HTTPStatus.NOT_FOUND,
    "method-not-allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "id-in-use": HTTPStatus.CONFLICT,
    "changed-meanwhile": HTTPStatus.CONFLICT,
    "wrong-state": HTTPStatus.CONFLICT,
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
_CODES: Final[dict[type[WithholdError], tuple[HTTPStatus, str]]] = {
    BadRequest: (HTTPStatus.BAD_REQUEST, "bad-request"),
    WarrantError: (HTTPStatus.BAD_REQUEST, "bad-warrant"),
    ConfigError: (HTTPStatus.INTERNAL_SERVER_ERROR, "bad-configuration"),
    DatabaseUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "database-unavailable"),
    LedgerUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "ledger-unavailable"),
    KeyUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "key-unavailable"),
}


def problem(error: WithholdError) -> tuple[int, bytes]:
    """Give the status and the body of an error.

    A `Denied` has its reason as its code; one that is not in the table refuses what a signature or
    an instrument says, and is 422.
    """
    status, code = _status_and_code(error)
    members = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "detail": error.message,
    }
    if error.hint:
        members["hint"] = error.hint
    return status.value, msgspec.json.encode(members)


def code_of(error: WithholdError) -> str:
    """Give the stable code of an error."""
    return _status_and_code(error)[1]


def _status_and_code(error: WithholdError) -> tuple[HTTPStatus, str]:
    if isinstance(error, Denied):
        return _STATUSES.get(error.reason, HTTPStatus.UNPROCESSABLE_ENTITY), error.reason
    return _CODES.get(type(error), (HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error"))
