"""Keys: what the members of an object that is keyed by data are called on their way out."""

from collections.abc import Sequence
from typing import NamedTuple

from withhold.allowlist.model import Entry
from withhold.kinds.scalar import normal_form


class Named(NamedTuple):
    """A name for each key, and how many keys are disclosed so, and had not their kind's form."""

    names: list[str]
    disclosed: int  # all of them or none
    malformed: int


def name_keys(entry: Entry | None, keys: Sequence[str]) -> Named:
    """Give a name for each key, in their order.

    `entry` lets keys out, None does not. All keys leave in normal form if all may and no two become
    one; else all of them are ordinals: `"1"`, `"2"`, … in the output's order (contract §4).
    """
    ordinals = [str(i + 1) for i in range(len(keys))]
    if entry is None:
        return Named(ordinals, 0, 0)
    forms = [normal_form(entry.field.form, key) for key in keys]
    names = [form for form in forms if isinstance(form, str)]
    if len(set(names)) == len(keys):
        return Named(names, len(names), 0)
    return Named(ordinals, 0, len(keys) - len(names))
