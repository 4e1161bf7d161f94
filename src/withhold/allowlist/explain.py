"""Explain: each field of a resource, what a warrant makes of it, why, and which rule decided."""

from collections.abc import Mapping
from dataclasses import dataclass

from withhold.allowlist.model import Allowlist
from withhold.names import Treatment
from withhold.paths import print_path


@dataclass(frozen=True)
class Explanation:
    """One field's line; `rule` is the deciding rule's name, or empty."""

    label: str
    path: str
    category: str
    kind: str
    means: str
    treatment: Treatment
    reason: str
    rule: str
    malformed: int | None  # values in the given answer that had not their form; None without one


def explain(
    allowlist: Allowlist, withheld: Mapping[tuple[str, str], int] | None = None
) -> tuple[Explanation, ...]:
    """Explain every field, by label. `withheld`: the tally of an answer, if there was one."""
    return tuple(
        Explanation(
            label=entry.field.label,
            path=print_path(entry.field.path),
            category=entry.field.category,
            kind=entry.field.form.kind,
            means=entry.field.means,
            treatment=entry.treatment,
            reason=str(entry.reason),
            rule=entry.reason.removeprefix("rule:") if entry.reason.startswith("rule:") else "",
            malformed=None
            if withheld is None
            else withheld.get(("malformed", entry.field.label), 0),
        )
        for entry in allowlist.entries
    )
