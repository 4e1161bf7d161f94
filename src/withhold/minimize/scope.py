"""Scope: whom and when a minimizer answers for. What the allowlist leaves to each warrant."""

from dataclasses import dataclass, field

from withhold.kinds.memo import Memo
from withhold.kinds.token import Tokenizer
from withhold.names import Kind
from withhold.warrant.model import Interval, Target


@dataclass(frozen=True)
class Scope:
    """The warrant's targets and period, the request's subject, its tokens' key and its memo."""

    targets: frozenset[Target]
    period: Interval
    # Normal form; None where no parameter says it. Personal, so in no `repr` (law 6).
    subject: str | None = field(repr=False)
    tokenizer: Tokenizer | None  # None where nothing is tokenized
    # The warrant's own, wherever its scopes share one. Not in `repr`, either.
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    def values(self, kind: Kind) -> frozenset[str]:
        """Give the normal forms of the targets of one kind."""
        return frozenset(target.value for target in self.targets if target.kind is kind)
