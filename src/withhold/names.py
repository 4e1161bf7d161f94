"""The contract's small vocabularies (§2), as types."""

from enum import StrEnum
from typing import NewType

StoreName = NewType("StoreName", str)
ResourceName = NewType("ResourceName", str)  # "store/name", as policies and warrants write it
InstrumentName = NewType("InstrumentName", str)
WarrantId = NewType("WarrantId", str)
CallerName = NewType("CallerName", str)
Digest = NewType("Digest", str)  # RFC 9530 form: "sha-256=:<base64>:"


class Category(StrEnum):
    """What an order may ask for.

    Source: ETSI TS 103 120 `RequestType`; Regulation (EU) 2023/1543 Art. 3.
    """

    SUBSCRIBER = "subscriber"
    IDENTIFYING = "identifying"
    TRAFFIC = "traffic"
    CONTENT = "content"


class Kind(StrEnum):
    """What a value is."""

    PHONE = "phone"
    IP = "ip"
    PORT = "port"
    TIMESTAMP = "timestamp"
    EMAIL = "email"
    ID = "id"
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"


class Unit(StrEnum):
    """How a timestamp is written."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    RFC3339 = "rfc3339"


class Treatment(StrEnum):
    """What happens to a value on its way out; the default is `withhold`."""

    DISCLOSE = "disclose"
    TOKENIZE = "tokenize"
    GENERALIZE = "generalize"
    WITHHOLD = "withhold"


class Reason(StrEnum):
    """Why a value leaves or stays; a rule's decision is `rule:<name>` and so not listed here."""

    COVERED = "covered"
    NOT_IN_INSTRUMENT = "not-in-instrument"
    NOT_IN_WARRANT = "not-in-warrant"
    NOT_REQUESTED = "not-requested"
    NOT_A_TARGET = "not-a-target"
    OUT_OF_PERIOD = "out-of-period"
    UNDATED = "undated"
    NO_SUBJECT = "no-subject"
    MALFORMED = "malformed"


class Part(StrEnum):
    """Which part of a member a field is: its value, or (where data keys an object) its key."""

    VALUE = "value"
    KEY = "key"


class State(StrEnum):
    """Where a warrant is in its life (contract §6)."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"
    CLOSED = "closed"


class Role(StrEnum):
    """What a caller may do (contract §12)."""

    DISCLOSE = "disclose"
    TUNE = "tune"
    REVEAL = "reveal"
    AUDIT = "audit"
    OPERATE = "operate"


class SignerRole(StrEnum):
    """What a signer's signature on a warrant means."""

    INTAKE = "intake"
    APPROVE = "approve"
