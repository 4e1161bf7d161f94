"""Differences as a person reads them: of a form or a record only what differs of it.

`withhold.allowlist.diff` gives whole values, as text, for each instrument apart. Here they are
taken apart again, and instruments with the same difference are put on one line.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from withhold.allowlist.diff import Change
from withhold.terminal import printable

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"


def joined(changes: Iterable[Change]) -> Iterator[tuple[Change, list[str]]]:
    """Give each difference once, by resource and field, with a row for it: instruments last."""
    alike: dict[tuple[str, ...], list[Change]] = {}
    for each in changes:
        named = "named" if each.named else ""
        key = (each.resource, each.label, named, each.verdict, each.old, each.new)
        alike.setdefault(key, []).append(each)
    for _, same in sorted(alike.items()):
        first = same[0]
        named = " (named)" if first.named else ""
        instruments = ", ".join(each.instrument for each in same)
        shown = f"{difference(first.old, first.new)}{named}"
        row = [first.verdict, first.resource, first.label, shown, instruments]
        yield first, [printable(cell) for cell in row]


def difference(old: str, new: str) -> str:
    """Say what differs between two values, each the text of a JSON value or a plain word."""
    parts = _parts("", _value(old), _value(new))
    return "; ".join(parts) or f"{old} -> {new}"  # all the same but in another order


def _value(text: str) -> Value:
    try:
        value: Value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text  # a plain word, such as `disclose`
    return value


def _parts(name: str, old: Value, new: Value) -> Iterator[str]:
    if old == new and type(old) is type(new):
        return
    before, after = _members(old), _members(new)
    if before is None or after is None:
        yield f"{name} {_text(old)} -> {_text(new)}".lstrip()
        return
    for member in {**before, **after}:
        inner = f"{name} {member}".lstrip()
        yield from _parts(inner, before.get(member), after.get(member))


def _members(value: Value) -> dict[str, Value] | None:
    """Give what can be compared one by one: members, or the records of a list by their place."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        records = [each for each in value if isinstance(each, dict) and "each" in each]
        if len(records) == len(value):
            return {str(each["each"]): each for each in records}
    return None


def _text(value: Value) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, dict):
        members = (f"{name} {_text(each)}" for name, each in value.items() if each is not None)
        return f"{{{', '.join(members)}}}"
    return str(value)
