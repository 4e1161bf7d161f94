"""The bytes of an allowlist: whatever decides changes them, and nothing else does."""

import base64
import hashlib
import json
from dataclasses import replace

from tests.allowlist.bundles import (
    ID,
    IP,
    PAGE,
    RESOLVES,
    TEXT,
    TIME,
    field,
    instrument,
    policy,
    resource,
    rule,
    warrant,
)
from withhold.allowlist import canonical
from withhold.allowlist.canonical import allowlist_bytes, allowlist_digest
from withhold.allowlist.compile import compile_allowlist
from withhold.allowlist.model import Allowlist, Entry
from withhold.catalogue.model import (
    Param,
    Record,
    RecordSubject,
    RecordTime,
    RequestSubject,
    Resource,
    When,
)
from withhold.kinds.form import Form
from withhold.names import Category, Kind, Part, StoreName, Treatment, Unit
from withhold.paths import parse_path

EVENT = Record(
    parse_path("$.l[*]"), RecordSubject((("a",), ("b", "c")), ID), RecordTime(("t",), TIME)
)
ELSEWHERE = Record(parse_path("$.k[*]"), RecordSubject((("a",),), ID), None)
BASE = resource(
    field("$.l[*].ip", IP),
    field("$.l[*].v", when=When(("k",), "m")),
    field("$.m.*", ID, part=Part.KEY),
    field("$.m.*"),
    field("$.w"),
    records=(EVENT, ELSEWHERE),
    absent=frozenset({404, 410}),
    query=(("dir", "f"),),
    page=PAGE,
    resolves=RESOLVES,
)
WITHHELD = frozenset({"$.w"})


def allowlist(of: Resource = BASE, withheld: frozenset[str] = WITHHELD) -> Allowlist:
    return Allowlist(
        of,
        tuple(
            Entry(f, Treatment.WITHHOLD if f.label in withheld else Treatment.DISCLOSE, "covered")
            for f in of.fields
        ),
    )


def encode(of: Allowlist) -> bytes:
    return allowlist_bytes(of.resource, ((e.field, e.treatment) for e in of.covered))


def with_field(label: str, **changes: object) -> Allowlist:
    fields = tuple(
        replace(f, **changes) if f.label == label else f  # type: ignore[arg-type]  # by name
        for f in BASE.fields
    )
    return allowlist(replace(BASE, fields=fields))


def with_record(**changes: object) -> Allowlist:
    event = replace(EVENT, **changes)  # type: ignore[arg-type]  # by name
    return allowlist(replace(BASE, records=(event, ELSEWHERE)))


def with_resource(**changes: object) -> Allowlist:
    return allowlist(replace(BASE, **changes))  # type: ignore[arg-type]  # by name


def with_treatment(label: str, treatment: Treatment) -> Allowlist:

    entries = [
        replace(e, treatment=treatment) if e.field.label == label else e
        for e in allowlist().entries
    ]
    return Allowlist(BASE, tuple(entries))


V = '$.l[*].v when k is "m"'
SUBJECT = RequestSubject("user_id", ID, None)
DECIDES = {
    "one field fewer": allowlist(withheld=WITHHELD | {"$.l[*].ip"}),
    "no key": allowlist(withheld=WITHHELD | {"$.m.* key"}),
    "one field more": allowlist(withheld=frozenset()),
    "tokenized": with_treatment("$.l[*].ip", Treatment.TOKENIZE),
    "generalized": with_treatment("$.l[*].ip", Treatment.GENERALIZE),
    "another path": with_field("$.l[*].ip", path=parse_path("$.l[*].ip2")),
    "another wildcard": with_field("$.l[*].ip", path=parse_path("$.l.*.ip")),
    "another part": with_field("$.m.* key", part=Part.VALUE),
    "another kind": with_field("$.l[*].ip", form=TEXT),
    "a pattern": with_field("$.m.* key", form=Form(Kind.ID, pattern="x")),
    "another pattern": with_field("$.m.* key", form=Form(Kind.ID, pattern="y")),
    "a phone": with_field("$.l[*].ip", form=Form(Kind.PHONE)),
    "a region": with_field("$.l[*].ip", form=Form(Kind.PHONE, region="GB")),
    "another region": with_field("$.l[*].ip", form=Form(Kind.PHONE, region="US")),
    "an msisdn": with_field("$.l[*].ip", form=Form(Kind.PHONE, msisdn=True)),
    "seconds": with_field("$.l[*].ip", form=Form(Kind.TIMESTAMP, unit=Unit.SECONDS)),
    "microseconds": with_field("$.l[*].ip", form=Form(Kind.TIMESTAMP, unit=Unit.MICROSECONDS)),
    "no variant": with_field(V, when=None),
    "another neighbour": with_field(V, when=When(("k2",), "m")),
    "a deeper neighbour": with_field(V, when=When(("k", "k"), "m")),
    "another variant": with_field(V, when=When(("k",), "n")),
    "a number tells": with_field(V, when=When(("k",), 1)),
    "a number's text tells": with_field(V, when=When(("k",), "1")),
    "true tells": with_field(V, when=When(("k",), True)),
    "another record": with_record(each=parse_path("$.l")),
    "no record": with_resource(records=(ELSEWHERE,)),
    "one record more": with_resource(records=(Record((), None, RecordTime(("t",), TIME)), EVENT)),
    "no subject": with_record(subject=None),
    "one subject": with_record(subject=RecordSubject((("a",),), ID)),
    "another subject": with_record(subject=RecordSubject((("a",), ("b", "d")), ID)),
    "the element itself": with_record(subject=RecordSubject(((), ("b", "c")), ID)),
    "another kind of subject": with_record(subject=RecordSubject((("a",), ("b", "c")), IP)),
    "no time": with_record(time=None),
    "another time": with_record(time=RecordTime(("t2",), TIME)),
    "another unit": with_record(time=RecordTime(("t",), Form(Kind.TIMESTAMP, unit=Unit.SECONDS))),
    "another store": with_resource(store=StoreName("synapse2")),
    "another name": with_resource(short_name="whois2"),
    "another path of the store": with_resource(template=("v2", "whois", Param("user_id"))),
    "a fixed segment": with_resource(template=("v1", "whois", "user_id")),
    "nobody asked about": with_resource(subject=None),
    "another parameter": with_resource(subject=replace(SUBJECT, param="other")),
    "another kind asked about": with_resource(subject=replace(SUBJECT, form=IP)),
    "an answer that repeats": with_resource(subject=replace(SUBJECT, confirm=parse_path("$.w"))),
    "that repeats elsewhere": with_resource(subject=replace(SUBJECT, confirm=parse_path("$.v"))),
    "no query": with_resource(query=()),
    "another query": with_resource(query=(("dir", "b"),)),
    "no pages": with_resource(page=None),
    "more pages": with_resource(page=replace(PAGE, max=4)),
    "another cursor": with_resource(page=replace(PAGE, next=("next",))),
    "another parameter of pages": with_resource(page=replace(PAGE, param="since")),
    "no limit": with_resource(page=replace(PAGE, limit=None)),
    "another limit": with_resource(page=replace(PAGE, limit=("limit", "100"))),
    "another status of absence": with_resource(absent=frozenset({404})),
    "not as of now": with_resource(snapshot=False),
    "no lookup": with_resource(resolves=None),
    "another lookup": with_resource(resolves=replace(RESOLVES, to=parse_path("$.id"))),
    "another kind looked up": with_resource(resolves=replace(RESOLVES, form=IP)),
}  # fmt: skip
DECIDES_NOTHING = {
    "the same": allowlist(),
    "means": with_field("$.l[*].ip", means="something else"),
    "data": with_field("$.l[*].ip", data="user.device"),
    "category": with_field("$.l[*].ip", category=Category.CONTENT),
    "reasons": Allowlist(BASE, tuple(replace(e, reason="rule:x") for e in allowlist().entries)),
    "a withheld field": with_field("$.w", form=IP, when=None, means="else"),
    "no withheld field": allowlist(replace(BASE, fields=BASE.fields[:-1])),
    "a record around nothing": with_resource(records=(EVENT,)),
    "order of subjects": with_record(subject=RecordSubject((("b", "c"), ("a",)), ID)),
    "order of statuses": with_resource(absent=frozenset({410, 404})),
}


def test_whatever_decides_changes_the_bytes() -> None:
    digests = {name: each.digest for name, each in DECIDES.items()}
    digests["the same"] = allowlist().digest
    assert len(set(digests.values())) == len(digests)


def test_nothing_else_does() -> None:
    assert BASE.fields[-1].label == "$.w"
    for name, each in DECIDES_NOTHING.items():
        assert encode(each) == encode(allowlist()), name


def test_subjects_stand_in_one_order() -> None:
    names = [(name,) for name in ("h", "b", "f", "a", "g", "c", "e", "d")]
    data = encode(with_record(subject=RecordSubject((*names, ("c", "c"), ()), ID)))
    assert json.loads(data)["fields"][0]["records"][0]["subject"]["any"] == [
        *("", "a", "b", "c", "c.c", "d", "e", "f", "g", "h")
    ]


def test_every_member_of_what_decides_is_tried_above() -> None:
    members = set(json.loads(encode(allowlist())))
    members |= {name for one in json.loads(encode(allowlist()))["fields"] for name in one}
    assert members == {
        *(
            "compiler",
            "resource",
            "fields",
            "path",
            "subject",
            "query",
            "page",
            "absent",
            "snapshot",
        ),
        *("resolves", "part", "form", "when", "records", "treatment"),
    }


def test_with_nothing_covered_nothing_else_decides() -> None:
    nothing = allowlist(withheld=frozenset(f.label for f in BASE.fields))
    other = replace(nothing.resource, snapshot=False, query=(), records=(), fields=())
    assert encode(nothing) == encode(Allowlist(other, ()))
    assert json.loads(encode(nothing)) == {
        "compiler": canonical.COMPILER_VERSION,
        "fields": [],
        "resource": "synapse/whois",
    }


def test_declaring_in_another_order_changes_nothing() -> None:

    rules = [
        rule(Treatment.TOKENIZE, "t", kind=Kind.IP),
        rule(Treatment.WITHHOLD, "w", path=parse_path("$.w")),
    ]
    one = compile_allowlist(warrant(), instrument(), policy(*rules), BASE)
    two = compile_allowlist(warrant(), instrument(), policy(*rules[::-1]), BASE)
    assert one.digest == two.digest


def test_targets_and_period_change_nothing() -> None:
    one = warrant()
    two = replace(one, targets=frozenset(), period=replace(one.period, since=one.period.until))
    assert (
        compile_allowlist(one, instrument(), policy(), BASE).digest
        == compile_allowlist(two, instrument(), policy(), BASE).digest
    )


def test_the_digest_is_sha_256_as_rfc_9530_writes_it() -> None:
    digest = base64.b64encode(hashlib.sha256(encode(allowlist())).digest()).decode()
    assert allowlist().digest == f"sha-256=:{digest}:"
    covered = [(e.field, e.treatment) for e in allowlist().covered]
    assert allowlist_digest(BASE, iter(covered)) == allowlist().digest


def test_the_bytes_are_canonical_json() -> None:
    data = encode(allowlist())
    again = json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert data == again.encode()
