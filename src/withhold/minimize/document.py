"""Documents: strict JSON in, compact JSON out. Used by the executable specification.

INVARIANT: no exception that leaves here has another one attached: those of the parsers carry the
payload (`JSONDecodeError.doc`, `UnicodeDecodeError.object`), and `from None` only hides them.
"""

import contextlib
import json
from typing import Final, NoReturn, TypeAlias

import msgspec

from withhold.errors import Malformed
from withhold.kinds.scalar import Number, Scalar

Json: TypeAlias = "Scalar | list[Json] | dict[str, Json]"
Output: TypeAlias = "bool | str | msgspec.Raw | list[Output] | dict[str, Output] | None"

_FAULTY: Final = object()


def is_utf8(body: bytes) -> bool:
    """Tell whether all of `body` is UTF-8: msgspec does not look into what it skips."""
    if body.isascii():
        return True
    with contextlib.suppress(UnicodeDecodeError):
        body.decode("utf-8")
        return True
    return False


def parse_document(body: bytes) -> Json:
    """Parse RFC 8259 JSON in UTF-8; numbers keep their digits, a repeated name's last value counts.

    Raises: Malformed. Source: RFC 8259; §8.1: no byte order mark.
    """
    document: object = _FAULTY
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(
            body.decode("utf-8"), parse_int=Number, parse_float=Number, parse_constant=_refuse
        )
    if document is _FAULTY:
        message = "the answer is not JSON in UTF-8"
        raise Malformed(message)
    return document  # type: ignore[return-value]  # what json.loads makes of those hooks


def output_of(value: Scalar) -> Output:
    """Give a scalar as the encoder takes it: a number is its own digits."""
    return msgspec.Raw(value.text.encode()) if isinstance(value, Number) else value


def print_document(output: Output) -> bytes:
    """Print compact JSON. The fast plan prints with the same encoder: equal values, equal bytes."""
    return msgspec.json.encode(output)


def _refuse(constant: str) -> NoReturn:
    """Refuse `NaN` and `Infinity`, which Python's parser would take."""
    raise ValueError(constant)
