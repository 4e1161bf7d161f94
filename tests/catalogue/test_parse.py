from pathlib import Path

import pytest

from tests.catalogue.written import ABOUT, HEAD, A, faults_of, field, read, resource_of
from withhold.catalogue.model import Page, Param, RequestSubject, Resolves
from withhold.catalogue.parse import MAX_RESOURCES
from withhold.kinds.form import Form
from withhold.names import Kind, Unit

CONFIG = Path(__file__).parents[2] / "config" / "catalogue"

CONTRACT = """
store = "synapse"

[[resource]]
name = "whois"
path = "/_synapse/admin/v1/whois/{user_id}"
subject = { param = "user_id", kind = "id", confirm = "$.user_id" }
snapshot = true
absent = [404]

[resource.fields]
"$.user_id"                                        = { category = "subscriber",  kind = "id", data = "user.unique_id", means = "Matrix ID of the account" }
"$.devices.*"                                      = { key = { category = "identifying", kind = "id", data = "user.device.device_id", means = "device id" } }
"$.devices.*.sessions[*].connections[*].ip"        = { category = "identifying", kind = "ip", data = "user.device.ip_address", means = "address the client connected from" }
"$.devices.*.sessions[*].connections[*].last_seen" = { category = "identifying", kind = "timestamp", unit = "ms", data = "user.telemetry", means = "last request on this connection" }

[[resource.records]]
each = "$.devices.*.sessions[*].connections[*]"
time = "last_seen"
"""  # noqa: E501 - the contract's own example


def test_the_example_of_the_contract_is_read() -> None:
    resource = resource_of(CONTRACT)
    assert resource.name == "synapse/whois"
    assert resource.template == ("_synapse", "admin", "v1", "whois", Param("user_id"))
    assert resource.subject == RequestSubject("user_id", Form(Kind.ID), ("user_id",))
    assert resource.snapshot
    assert resource.absent == frozenset({404})
    assert resource.query == ()
    assert resource.page is None
    assert resource.resolves is None
    assert [each.label for each in resource.fields] == [
        "$.devices.* key",
        "$.devices.*.sessions[*].connections[*].ip",
        "$.devices.*.sessions[*].connections[*].last_seen",
        "$.user_id",
    ]
    (record,) = resource.records
    assert record.subject is None
    assert record.time is not None
    assert record.time.form == Form(Kind.TIMESTAMP, unit=Unit.MILLISECONDS)


@pytest.mark.parametrize("file", sorted(CONFIG.glob("*.toml")), ids=lambda path: path.name)
def test_the_shipped_catalogues_are_without_fault(file: Path) -> None:
    resources, faults = read(file.read_text(encoding="utf-8"))
    assert faults == []
    assert None not in resources.values()
    assert {name.partition("/")[0] for name in resources} == {file.stem}


def test_the_sample_shows_every_shape() -> None:
    resources, _ = read((CONFIG / "sample.toml").read_text(encoding="utf-8"))
    found = [each for each in resources.values() if each is not None]
    fields = [each for resource in found for each in resource.fields]
    records = [each for resource in found for each in resource.records]
    assert {each.form.unit for each in fields if each.form.unit} == set(Unit)
    assert {each.form.kind for each in fields} == set(Kind)
    assert any(each.when is not None for each in fields)
    assert any(resource.page for resource in found)
    assert any(resource.resolves for resource in found)
    assert any(resource.subject is None for resource in found)
    assert {each.each for each in records} >= {(), ("devices", *records[0].each[1:])}
    subjects = [each.subject.fields for each in records if each.subject is not None]
    assert ((),) in subjects
    assert (("sender",), ("recipient",)) in subjects


def test_a_paged_lookup_is_read() -> None:
    resource = resource_of(
        HEAD
        + ABOUT
        + """query = { z = "1", a = 2 }
page = { next = "$.end", param = "from", limit = { param = "limit", value = 500 }, max = 200 }
resolves = { to = "$.a[*].b", kind = "phone" }
[resource.fields]
"""
        + field("$.a[*].b", 'kind = "phone"')
        + field("$.c")
    )
    assert resource.query == (("a", "2"), ("z", "1"))
    assert resource.page == Page(("end",), "from", ("limit", "500"), 200)
    assert resource.resolves is not None
    assert resource.resolves == Resolves(resource.fields[0].path, Form(Kind.PHONE))


def test_records_are_listed_from_the_outside() -> None:
    resource = resource_of(
        HEAD
        + "[resource.fields]\n"
        + field("$.b[*].t", 'kind = "timestamp", unit = "s"')
        + field("$.b[*].c[*].t", 'kind = "timestamp", unit = "s"')
        + field("$.t", 'kind = "timestamp", unit = "s"')
        + '[[resource.records]]\neach = "$.b[*].c[*]"\ntime = "t"\n'
        + '[[resource.records]]\neach = "$.b[*]"\ntime = "t"\n'
        + '[[resource.records]]\neach = "$"\ntime = "t"\n'
    )
    assert [len(each.each) for each in resource.records] == [0, 2, 4]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["1: `store` is missing", "1: a catalogue without `[[resource]]` describes nothing"]),
        (
            'store = "S"\n[[resource]]\n',
            [
                "1: `S` can't be a name",
                "2: `name` is missing",
                "2: `path` is missing",
                "2: `fields` is missing",
            ],
        ),
        (HEAD + "snapshots = true\n" + A, ["6: `snapshots` is unknown here"]),
        (HEAD + A + "[resources]\n", ["8: `resources` is unknown here"]),
        (HEAD + 'methd = "GET"\n' + A, ["6: `methd` is unknown here"]),
        (
            HEAD + A + HEAD.partition("\n")[2],
            [
                "10: `s/r` is declared twice: first in 0.toml:4",
                "9: `fields` is missing",
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_catalogue_is_said(text: str, faults: list[str]) -> None:
    assert sorted(faults_of(text)) == sorted(faults)


def test_unknown_keys_are_guessed() -> None:
    _, faults = read(HEAD + "snapshots = true\n" + A)
    assert faults == ["0.toml:6: `snapshots` is unknown here | did you mean `snapshot`?"]


def test_a_store_may_be_described_in_several_files() -> None:
    other = HEAD.replace('"r"', '"q"').replace("/r/", "/q/")
    resources, faults = read(HEAD + A, other + A)
    assert faults == []
    assert list(resources) == ["s/r", "s/q"]


def test_a_resource_stands_once_in_all_files() -> None:
    _, faults = read(HEAD + A, HEAD.replace("/r/", "/q/") + A)
    assert faults == ["1.toml:4: `s/r` is declared twice: first in 0.toml:4"]


def test_paths_that_a_request_could_fit_twice_are_a_fault() -> None:
    other = HEAD.replace('"r"', '"q"').replace("/r/{id}", "/{x}/y")
    _, faults = read(HEAD + A, other + A)
    place = "the path overlaps that of another resource, in 0.toml:5"
    assert faults == [f"1.toml:5: {place} | a request could be for either"]


def test_paths_of_two_stores_never_overlap() -> None:
    _, faults = read(HEAD + A, HEAD.replace('"s"', '"t"') + A)
    assert faults == []


def test_there_is_a_bound_on_resources() -> None:
    many = "".join(
        HEAD.partition("\n")[2].replace('"r"', f'"r{i}"').replace("/r/", f"/r{i}/") + A
        for i in range(MAX_RESOURCES + 1)
    )
    _, faults = read('store = "s"\n' + many)
    assert [fault.partition(": ")[2] for fault in faults] == [
        f"there are more than {MAX_RESOURCES} resources"
    ]


def test_a_resource_at_fault_stays_known_by_its_name() -> None:
    resources, faults = read(HEAD + "absent = 404\n" + A)
    assert faults
    assert resources == {"s/r": None}


PAGE = 'page = { next = "$.next", param = "from", max = 2 }\n[resource.fields]\n'


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        (field("$.next"), ["6: the cursor is declared as a field"]),
        (field("$.next.x"), ["6: the cursor is a container: `$.next.x` lies beneath it"]),
        (field("$.a.*.b"), ["8: the pages of `$.a.*.b` don't join"]),
        (field("$.a[*].b.*") + field("$.c"), []),
    ],
)
def test_pages_join_and_their_cursor_never_leaves(fields: str, faults: list[str]) -> None:
    assert faults_of(HEAD + PAGE + fields) == faults


@pytest.mark.parametrize(
    ("resolves", "faults"),
    [
        ('{ to = "$.b", kind = "id" }', ["7: `$.b` is not declared"]),
        ('{ to = "$.a", kind = "id" }', ["7: the identifier is declared as `text`, not `id`"]),
    ],
)
def test_a_lookup_leads_to_a_declared_identifier(resolves: str, faults: list[str]) -> None:
    assert faults_of(HEAD + ABOUT + f"resolves = {resolves}\n" + A) == faults
