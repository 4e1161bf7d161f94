"""Templates: a resource's path, each segment literal or a parameter, and whether two overlap."""

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from withhold.catalogue.model import Param
from withhold.toml.table import Table, Text

Template: TypeAlias = tuple[str | Param, ...]

_PARAM: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
# What a request's segment can never be once it is decoded, or what begins another part of a URL.
_REFUSED: Final = re.compile(r"[%\\?#\x00-\x1f\x7f-\x9f]")


def read_template(table: Table) -> Template | None:
    """Read `path`, such as `/accounts/{account_id}/sessions`."""
    text = table.text("path")
    if text is None:
        return None
    if not text.value.startswith("/"):
        text.fault(f"`{text.value}` does not begin with `/`")
        return None
    segments = [_segment(segment, text) for segment in text.value[1:].split("/")]
    names = [segment.name for segment in segments if isinstance(segment, Param)]
    for name in {name for name in names if names.count(name) > 1}:
        text.fault(f"the parameter `{name}` stands twice in the path")
        return None
    template = tuple(segment for segment in segments if segment is not None)
    return template if len(template) == len(segments) else None


def overlap(one: Sequence[str | Param], other: Sequence[str | Param]) -> bool:
    """Tell whether one request could be for both."""
    return len(one) == len(other) and all(
        a == b or isinstance(a, Param) or isinstance(b, Param)
        for a, b in zip(one, other, strict=True)
    )


def _segment(text: str, path: Text) -> str | Param | None:
    if found := _PARAM.fullmatch(text):
        return Param(found.group(1))
    if "{" in text or "}" in text:
        hint = "a parameter is a whole segment, such as `{account_id}`"
        path.fault(f"`{text}` is neither literal nor a parameter", hint)
    elif text in {"", ".", ".."}:
        path.fault("a segment of the path is empty, `.` or `..`", "no request could be for it")
    elif _REFUSED.search(text):
        hint = "write it as it is when decoded; what follows a `?` is `query`"
        path.fault(f"`{text}` holds a character that no segment may hold", hint)
    else:
        return text
    return None
