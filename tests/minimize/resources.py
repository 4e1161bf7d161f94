"""Small resources written by hand, and both engines run over one document at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tests.documents import PERIOD
from withhold.allowlist.model import Allowlist, Entry
from withhold.catalogue.model import (
    Field,
    Record,
    RecordSubject,
    RecordTime,
    RequestSubject,
    Resource,
    When,
)
from withhold.errors import Malformed, Mismatch, WithholdError
from withhold.kinds.form import Form
from withhold.kinds.token import Tokenizer
from withhold.minimize import reference
from withhold.minimize.document import is_utf8
from withhold.minimize.fast import Plan
from withhold.minimize.run import bounds_of
from withhold.minimize.scope import Scope
from withhold.minimize.tally import Tally
from withhold.names import Category, Kind, Part, StoreName, Treatment, Unit
from withhold.paths import parse_names, parse_path
from withhold.warrant.model import Target

TEXT, ID, IP, PHONE = Form(Kind.TEXT), Form(Kind.ID), Form(Kind.IP), Form(Kind.PHONE)
EMAIL, PORT, NUMBER, BOOLEAN = (
    Form(kind) for kind in (Kind.EMAIL, Kind.PORT, Kind.NUMBER, Kind.BOOLEAN)
)
SECONDS, MILLISECONDS, RFC3339 = (
    Form(Kind.TIMESTAMP, unit=unit) for unit in (Unit.SECONDS, Unit.MILLISECONDS, Unit.RFC3339)
)
ALICE = Target(Kind.ID, "@alice:example.test")
TOKEN_KEY = bytes(range(16))
SCOPE = Scope(frozenset({ALICE}), PERIOD, None, Tokenizer(TOKEN_KEY))

Outcome = tuple[bytes | None, Tally] | type[WithholdError]


def leaf(path: str, form: Form = TEXT, when: tuple[str, str | int | bool] | None = None) -> Field:
    """Declare a leaf, or one variant of it."""
    told = None if when is None else When(parse_names(when[0]), when[1])
    return Field(parse_path(path), Category.TRAFFIC, form, "user", "", when=told)


def keys(path: str, form: Form = ID) -> Field:
    """Declare the keys of a map, whose members stand at `path`."""
    return Field(parse_path(path), Category.TRAFFIC, form, "user", "", Part.KEY)


def record(
    each: str,
    subject: Sequence[str] | None = None,
    form: Form = ID,
    *,
    time: tuple[str, Form] | None = None,
) -> Record:
    """Declare a record; `subject`: any of these, an empty one is the element itself."""
    whom = (
        None
        if subject is None
        else RecordSubject(tuple(parse_names(s) if s else () for s in subject), form)
    )
    when = None if time is None else RecordTime(parse_names(time[0]), time[1])
    return Record(parse_path(each), whom, when)


def allow(
    *fields: Field,
    records: Sequence[Record] = (),
    confirm: str | None = None,
    subject: RequestSubject | None = None,
    treatments: Mapping[str, Treatment] | None = None,
) -> Allowlist:
    """Make an allowlist: `treatments` by label, what it leaves out is disclosed.

    `confirm`: where the answer repeats an id that the request is about.
    """
    if confirm is not None:
        subject = RequestSubject("user_id", ID, parse_path(confirm))
    resource = Resource(
        store=StoreName("synapse"),
        short_name="made-up",
        template=("made-up",),
        subject=subject,
        query=(),
        page=None,
        absent=frozenset(),
        snapshot=True,
        resolves=None,
        fields=fields,
        records=tuple(sorted(records, key=lambda r: len(r.each))),
    )
    decided = treatments or {}
    entries = [Entry(f, decided.get(f.label, Treatment.DISCLOSE), "covered") for f in fields]
    return Allowlist(resource, tuple(entries))


def about(subject: str | None, *targets: Target, scope: Scope = SCOPE) -> Scope:
    """Give a scope for a request about `subject`, with these targets beside Alice."""
    return replace(scope, subject=subject, targets=scope.targets | frozenset(targets))


def run_fast(allowlist: Allowlist, scope: Scope, body: bytes) -> Outcome:
    """Give what the fast plan says; an error is told by its class."""
    plan = Plan(allowlist)
    return outcome_of(plan, scope, body)


def outcome_of(plan: Plan, scope: Scope, body: bytes) -> Outcome:
    """Give what a plan says; an error is told by its class. Twice together it must say the same."""
    bounds = bounds_of(scope)
    outcome: Outcome
    try:
        outcome = _checked(plan.run(bounds, body))
    except (Malformed, Mismatch) as error:
        outcome = type(error)
    together = plan.run_together(bounds, [body, body]) if is_utf8(body) else None
    if together is not None:
        assert isinstance(outcome, tuple)
        out, tally = outcome
        twice = Tally()
        twice.add(tally)
        twice.add(tally)
        assert _checked(together) == (b"" if out is None else (out + b"\n") * 2, twice)
    return outcome


def _checked(outcome: tuple[bytes | None, Tally]) -> tuple[bytes | None, Tally]:
    """Give the outcome if its counts are some: a Counter with a zero equals one without.

    And numbers: `True` equals 1, and is another JSON.
    """
    for counts in (outcome[1].disclosed, outcome[1].withheld):
        assert all(counts.values())
        assert {type(count) for count in counts.values()} <= {int}
    return outcome


def run_reference(allowlist: Allowlist, scope: Scope, body: bytes) -> Outcome:
    """Give what the executable specification says; an error is told by its class."""
    try:
        return _checked(reference.minimize(allowlist, scope, body))
    except (Malformed, Mismatch) as error:
        return type(error)


def run_both(allowlist: Allowlist, body: bytes | str, scope: Scope = SCOPE) -> Outcome:
    """Give what both engines say, which must be the same."""
    data = body.encode() if isinstance(body, str) else body
    said, specified = run_fast(allowlist, scope, data), run_reference(allowlist, scope, data)
    assert said == specified
    return said


def disclosed(allowlist: Allowlist, body: bytes | str, scope: Scope = SCOPE) -> str | None:
    """Give what leaves, as text; None if nothing does."""
    outcome = run_both(allowlist, body, scope)
    assert isinstance(outcome, tuple), "the document was refused"
    return None if outcome[0] is None else outcome[0].decode()


def withheld(allowlist: Allowlist, body: bytes | str, scope: Scope = SCOPE) -> dict[str, int]:
    """Give what the tally says was withheld, as `reason place` → count."""
    outcome = run_both(allowlist, body, scope)
    assert isinstance(outcome, tuple), "the document was refused"
    return {f"{reason} {place}": n for (reason, place), n in outcome[1].withheld.items()}


def counted(allowlist: Allowlist, body: bytes | str, scope: Scope = SCOPE) -> dict[str, int]:
    """Give what the tally says was disclosed, by label."""
    outcome = run_both(allowlist, body, scope)
    assert isinstance(outcome, tuple), "the document was refused"
    return dict(outcome[1].disclosed)
