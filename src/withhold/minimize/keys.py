"""Keys: what the members of an object that is keyed by data are called on their way out."""

from collections.abc import Sequence

from withhold.allowlist.model import Entry
from withhold.kinds.scalar import normal_form


def name_keys(entry: Entry | None, keys: Sequence[str]) -> tuple[list[str], int]:
    """Give a name for each key, and how many keys had not the form that their kind promises.

    `entry` lets keys out, None does not. All keys leave in normal form if all may and no two become
    one; else all of them are ordinals: `"1"`, `"2"`, … in the output's order (contract §4).
    """
    ordinals = [str(i + 1) for i in range(len(keys))]
    if entry is None:
        return ordinals, 0
    forms = [normal_form(entry.field.form, key) for key in keys]
    names = [form for form in forms if isinstance(form, str)]
    return (names if len(set(names)) == len(keys) else ordinals), len(keys) - len(names)
