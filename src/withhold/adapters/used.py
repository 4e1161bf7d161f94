"""Used: what serves one append and no other. An approval is signed once and is not a licence."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from withhold.adapters.schema import used
from withhold.errors import Denied, WithholdError
from withhold.ports import Condition


def use_once(
    connection: Connection,
    conditions: Sequence[Condition | None],
    denials: Sequence[WithholdError | None],
) -> Sequence[WithholdError | None]:
    """Use up what those appends name that may happen; refuse those whose was used before.

    Whoever calls holds the log, so that nobody else uses anything meanwhile.
    """
    checked = list(denials)
    for i, condition in enumerate(conditions):
        if checked[i] is not None or condition is None or condition.once is None:
            continue
        same = select(used.c.digest).where(used.c.digest == condition.once)
        if connection.execute(same).first() is not None:
            checked[i] = used_before()
        else:
            connection.execute(insert(used).values(digest=condition.once))
            # CRASH, or a failed commit: it is not used up. An append that was believed to have
            # failed may have used it: nothing was answered, and it takes another approval.
    return checked


def used_before() -> Denied:
    """Say that what serves once was used before."""
    return Denied("approval-used", "the approval was used before", "ask for another one")
