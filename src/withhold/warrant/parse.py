"""Warrants from files: the JSON itself, or a JWS that carries it."""

from withhold.warrant.claims import parse_claims
from withhold.warrant.model import Warrant
from withhold.warrant.signed import is_signed, parse_signed


def parse_warrant(data: bytes) -> Warrant:
    """Read what a warrant says, from its JSON or from the payload of a JWS.

    Believed by nobody: of a JWS only the form is checked, no signature is verified. This is enough
    for `redact`, `explain` and a Python caller, never for the data plane, which takes only what
    `verify_warrant` gives. `digest` is of the payload's bytes. Raises: WarrantError.
    """
    return parse_signed(data).warrant if is_signed(data) else parse_claims(data)
