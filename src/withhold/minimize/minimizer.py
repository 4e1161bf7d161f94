"""The minimizer: an allowlist, a warrant's targets and period, one request's subject, ready to run.

The same object serves the proxy, the command line and Python callers. It does no I/O and reads no
clock; keep it as long as the warrant and the bundle live. `run` and `run_lines` are safe to call
from several threads at once: a call writes to its own `Run` only, and what calls share (plan,
bounds, codecs) is not written to after it was made, or is safe itself (tokenizer, memo).
`minimize` adds up in `tally`: that is one thread's.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from withhold.allowlist.model import Allowlist
from withhold.catalogue.model import RequestSubject, Resource
from withhold.errors import BadRequest, Denied, KeyUnavailable
from withhold.kinds.memo import Memo
from withhold.kinds.scalar import identity
from withhold.kinds.token import KEY_SIZE_BYTES, Tokenizer
from withhold.minimize.fast import Plan
from withhold.minimize.lines import run_lines
from withhold.minimize.run import bounds_of
from withhold.minimize.scope import Scope
from withhold.minimize.tally import Tally
from withhold.names import Digest, Reason, Treatment
from withhold.paths import Wild
from withhold.warrant.model import Interval, Target

_MAX_PLANS: Final = 1_024  # a plan is a few kilobytes; compiling one takes about a millisecond
_plans: OrderedDict[Digest, Plan] = OrderedDict()


class Minimized(Struct, frozen=True):
    """What a document gave, or lines: `body` is None where nothing stands."""

    body: bytes | None
    tally: Tally

    def __repr__(self) -> str:
        """Show the counts alone (law 6)."""
        return f"Minimized(tally={self.tally})"


class Minimizer:
    """Bytes in, bytes out, never more than is covered."""

    def __init__(
        self,
        allowlist: Allowlist,
        targets: frozenset[Target],
        period: Interval,
        subject: str | None,
        token_key: bytes | None,
        *,
        memo: Memo | None = None,
    ) -> None:
        """Make it ready. `subject`: the request's, in normal form and checked to be a target.

        `memo`: the warrant's, shared by its minimizers and dropped with it; else one of its own.

        Raises: KeyUnavailable if the allowlist tokenizes and there is no `token_key`, or if there
        is one that has not 16 bytes, needed or not.
        """
        tokenizes = any(entry.treatment is Treatment.TOKENIZE for entry in allowlist.leaves)
        if tokenizes and token_key is None:
            message = "the allowlist tokenizes addresses and there is no token key"
            raise KeyUnavailable(message)
        if token_key is not None and len(token_key) != KEY_SIZE_BYTES:
            message = f"a token key has {KEY_SIZE_BYTES} bytes, not {len(token_key)}"
            raise KeyUnavailable(message)
        if (allowlist.resource.subject is None) != (subject is None):
            message = (
                f"`{allowlist.resource.name}` and the request do not agree on who is asked about"
            )
            raise BadRequest(message)
        tokenizer = Tokenizer(token_key) if tokenizes and token_key is not None else None
        self.allowlist = allowlist
        self.tally = Tally()
        memo = Memo() if memo is None else memo
        self._bounds = bounds_of(Scope(targets, period, subject, tokenizer, memo))
        self._plan = _plan_of(allowlist)

    @property
    def empty_root(self) -> bytes:
        """What stands if nothing else does: `{}`, or `[]` where the paths begin with `$[*]`."""
        is_array = any(field.path[0] is Wild.ELEMENTS for field in self.allowlist.resource.fields)
        return b"[]" if is_array else b"{}"

    def run(self, body: bytes) -> Minimized:
        """Minimize one document (one line of NDJSON). `body`: UTF-8 JSON.

        Raises: Malformed, Mismatch.
        """
        return Minimized(*self._plan.run(self._bounds, body))

    def run_lines(self, chunk: bytes) -> Minimized:
        """Minimize whole lines of NDJSON at one go: lines again, each with its LF.

        Equal to running each line that is not blank, and to leaving out those of which nothing
        stands. Raises: as `run` does for the first line that is wrong; then there is no line.
        """
        return Minimized(*run_lines(self._plan, self._bounds, chunk))

    def minimize(self, body: bytes) -> bytes:
        """Give what may leave of `body`, and add its counts to `tally`.

        Raises: Malformed, Mismatch; TypeError for text: what a store sent is bytes.
        """
        if not isinstance(body, bytes):
            message = f"an answer is bytes, as the store sent it, not {type(body).__name__}"  # type: ignore[unreachable] # of a caller without types
            raise TypeError(message)
        minimized = self.run(body)
        self.tally.add(minimized.tally)
        return self.empty_root if minimized.body is None else minimized.body


def subject_of(
    resource: Resource,
    targets: frozenset[Target],
    params: Mapping[str, str],
    memo: Memo | None = None,
) -> str | None:
    """Give the normal form of the request's subject; None if no parameter says it.

    `memo`: the warrant's, if any.

    Raises: BadRequest if the parameters are not those of the resource; Denied `not-a-target`.
    """
    if set(params) != resource.params:
        names = ", ".join(f"`{name}`" for name in sorted(resource.params)) or "none"
        message = f"`{resource.name}` takes other parameters: {names}"
        raise BadRequest(message)
    subject = resource.subject
    if subject is None:
        return None
    value = _target_value(subject, targets, params[subject.param], memo)
    if value is None:
        raise Denied(Reason.NOT_A_TARGET, f"`{subject.param}` is not a target of the warrant")
    return value


def _target_value(
    subject: RequestSubject, targets: frozenset[Target], text: str, memo: Memo | None
) -> str | None:
    value = identity(subject.form, text, memo)
    return value if value is not None and Target(subject.form.kind, value) in targets else None


def _plan_of(allowlist: Allowlist) -> Plan:
    """Give the plan of an allowlist, compiled once while it is in use.

    Content-addressed, so there is nothing to invalidate. Source: contract §8.
    """
    if not allowlist.leaves:
        # Its digest says only that nothing is covered, not where an answer repeats its subject.
        return Plan(allowlist)
    plan = _plans.pop(allowlist.digest, None) or Plan(allowlist)
    _plans[allowlist.digest] = plan
    if len(_plans) > _MAX_PLANS:
        _plans.popitem(last=False)
    return plan
