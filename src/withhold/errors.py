"""What can go wrong, by whose fault it is.

Exceptions are for the malformed and the broken. A denial that the law asks for is a value
(`Denial`); `Denied` carries one out of a call that has no other way to say no.

    WithholdError
    ├── CallerError          the caller's: mend the request or the file
    │   ├── ConfigError      a catalogue, policy or deployment file is at fault
    │   ├── WarrantError     a warrant or its signatures are not in the form they must have
    │   ├── BadRequest       a request or a command is not in the form it must have
    │   ├── Unproven         what was given does not prove what it says
    │   └── Denied           the order does not reach this; carries a reason
    ├── StoreError           the store's: its answer can't be used
    │   ├── Malformed        not RFC 8259, not UTF-8, or past a limit
    │   ├── Mismatch         the answer is about somebody else
    │   ├── StoreFailed      unreachable, or a status that means nothing to us
    │   ├── StoreTimeout     it did not answer in time
    │   └── StoreTooLarge    the answer is larger than the limit, as sent or expanded
    └── OwnError             ours: fail closed
        ├── LedgerUnavailable
        ├── DatabaseUnavailable
        └── KeyUnavailable

No message holds a payload value, a token or a credential. This module imports nothing.
"""


class WithholdError(Exception):
    """Any fault that Withhold reports; its text is fit to be shown."""

    def __init__(self, message: str, hint: str = "") -> None:
        """`message`: lowercase, `what: why`; `hint`: what to do, where that helps."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class CallerError(WithholdError):
    """The caller can mend it."""


class Fault:
    """One fault in a file: where it is, what it is and what to write instead."""

    __slots__ = ("file", "hint", "line", "message")

    def __init__(self, file: str, line: int, message: str, hint: str = "") -> None:
        """`line` counts from 1; 0 where the fault is the whole file's."""
        self.file = file
        self.line = line
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """`file:line: message`, then each line of the hint on a line of its own."""
        line = f":{self.line}" if self.line else ""
        hints = "".join(f"\n  hint: {each}" for each in self.hint.splitlines())
        return f"{self.file}{line}: {self.message}{hints}"


class ConfigError(CallerError):
    """Catalogue, policy or deployment are at fault; `faults` lists every one that was found.

    `warnings` are what may explain them, and none of the message.
    """

    def __init__(self, *faults: Fault, warnings: tuple[Fault, ...] = ()) -> None:
        """At least one fault."""
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults
        self.warnings = warnings


class WarrantError(CallerError):
    """A warrant or a signature is not in the form that it must have."""


class BadRequest(CallerError):
    """A request or a command is not in the form that it must have."""


class Unproven(CallerError):
    """A proof, a signature or a copy of the ledger does not prove what it says."""


class Denied(CallerError):
    """The order does not reach this; `reason` is one of the contract's words."""

    def __init__(self, reason: str, message: str = "", hint: str = "") -> None:
        """`reason`: one of the contract's, such as `not-a-target`."""
        super().__init__(message or reason, hint)
        self.reason = reason


class StoreError(WithholdError):
    """A store's answer can't be used; `cause` tells operators why, in a word of `CAUSES`.

    It is for the log alone: callers learn no more than the class of the error.
    """

    CAUSES = (
        "cursor",  # the next page's: no scalar, not where it should be, or it leads nowhere
        "encoding",  # a coding that was not offered, or one that can't be undone
        "expansion",  # what was sent expands to more than `max_expansion` allows
        "interrupted",  # the connection broke in the middle of the exchange
        "line-too-long",
        "mismatch",
        "not-deployed",  # the deployment has no store of this name
        "not-json",  # no JSON, not in UTF-8, or one document was expected and lines came
        "page-lost",  # a later page that the store said it had is absent
        "protocol",  # what came is no HTTP that two readers would read alike
        "redirect",
        "refused",  # nobody listens there
        "status",  # as `status-401`: one that is not in the catalogue
        "timeout",
        "tls",
        "too-large",
        "too-many-pages",
        "unreachable",  # no such name, or no way there
    )
    _usual = "protocol"

    def __init__(self, message: str, hint: str = "", *, cause: str = "") -> None:
        """`cause`: one of `CAUSES`, `status` with its three digits; empty: the class's usual."""
        super().__init__(message, hint)
        self.cause = cause or self._usual


class Malformed(StoreError):
    """The answer is not RFC 8259 JSON in UTF-8, or is past a limit."""

    _usual = "not-json"


class Mismatch(StoreError):
    """The answer is about another subject than the request."""

    _usual = "mismatch"


class StoreFailed(StoreError):
    """The store was not reachable, or answered with a status that means nothing to us."""


class StoreTimeout(StoreError):
    """The store did not answer in time."""

    _usual = "timeout"


class StoreTooLarge(StoreError):
    """The answer, as sent or as expanded, is larger than the limit."""

    _usual = "too-large"


class OwnError(WithholdError):
    """Ours to mend; nothing leaves meanwhile."""


class LedgerUnavailable(OwnError):
    """The receipt could not be made durable."""


class DatabaseUnavailable(OwnError):
    """The database did not answer, or what it last said is too old."""


class KeyUnavailable(OwnError):
    """A key is missing, unreadable or not as private as it must be."""
