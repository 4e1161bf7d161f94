"""Lines: many documents of NDJSON at one go, and exactly what each of them would give by itself.

Where the lines end is told before any is decoded, so no line's content can spill into its
neighbours: `{"a":1` and `"b":2}` are two lines that are no JSON, as they would be alone. (Neither
msgspec's `decode_lines` nor an array made of the lines knows it: both take them for one document,
and both take `{} {}` or `{},{}` for two.) What has been decoded is worked as one column. Where one
of the lines is not clear, their halves are tried; a few lines are run one by one, and the first
that is wrong raises what it would raise alone.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Final, TypeAlias

from withhold.minimize.document import is_utf8
from withhold.minimize.fast import Plan
from withhold.minimize.run import Bounds
from withhold.minimize.tally import Tally

BLANK: Final = b" \t\r\n"  # RFC 8259 §2
_FEW: Final = 4  # fewer are not worth another try together

Found: TypeAlias = tuple[bytes, Tally]


def run_lines(plan: Plan, bounds: Bounds, chunk: bytes) -> tuple[bytes | None, Tally]:
    """Give the lines that leave of `chunk`, or None if none does, and the counts.

    `chunk`: whole lines, each with its LF (the last one may lack it); blank ones are none.
    Raises: Malformed, Mismatch; then nothing leaves of the lines before it either.
    """
    lines = BytesIO(chunk).readlines()  # 46 ns a line of 570 bytes, `split` 199
    # LF is no part of any other character: if the whole is UTF-8, every line is, else one is not.
    is_text = is_utf8(chunk)
    found = plan.run_together(bounds, lines) if is_text else None
    if found is None:
        some = [line for line in lines if line.strip(BLANK)]
        found = (_run_apart if is_text else _run_alone)(plan, bounds, some)
    body, tally = found
    return body or None, tally


def _run_apart(plan: Plan, bounds: Bounds, lines: Sequence[bytes]) -> Found:
    """Run lines of which one is odd: in halves, and a few of them one by one."""
    if len(lines) <= _FEW:
        return _run_alone(plan, bounds, lines)
    middle = len(lines) // 2
    out, tally = b"", Tally()
    for half in (lines[:middle], lines[middle:]):
        body, counts = plan.run_together(bounds, half) or _run_apart(plan, bounds, half)
        out += body
        tally.add(counts)
    return out, tally


def _run_alone(plan: Plan, bounds: Bounds, lines: Sequence[bytes]) -> Found:
    """Run lines one by one."""
    out, tally = bytearray(), Tally()
    for line in lines:
        body, counts = plan.run(bounds, line)
        out += b"" if body is None else body + b"\n"
        tally.add(counts)
    return bytes(out), tally
