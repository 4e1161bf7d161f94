from tests.catalogue.written import HEAD, field, resource_of
from withhold.paths import Wild, parse_path

STAMP = 'kind = "timestamp", unit = "s"'
RESOURCE = resource_of(
    HEAD
    + "[resource.fields]\n"
    + field("$.a", 'when = { field = "b", is = "x" }, kind = "text"')
    + field("$.c[*].d.e", 'when = { field = "d[\'f g\']", is = true }, kind = "text"')
    + field("$.c[*].at", STAMP)
    + field("$.at", STAMP)
    + '[[resource.records]]\neach = "$.c[*]"\ntime = "at"\n'
    + '[[resource.records]]\neach = "$"\ntime = "at"\n'
)


def test_a_label_tells_variants_apart() -> None:
    assert [each.label for each in RESOURCE.fields] == [
        '$.a when b is "x"',
        "$.at",
        "$.c[*].at",
        "$.c[*].d.e when d['f g'] is true",
    ]


def test_a_variant_looks_from_the_innermost_element() -> None:
    assert [each.base for each in RESOURCE.fields] == [
        (), (), ("c", Wild.ELEMENTS), ("c", Wild.ELEMENTS)
    ]  # fmt: skip


def test_records_around_a_field_are_listed_from_the_outside() -> None:
    around = RESOURCE.records_around(parse_path("$.c[*].at"))
    assert [len(each.each) for each in around] == [0, 2]
    assert [len(each.each) for each in RESOURCE.records_around(parse_path("$.at"))] == [0]


def test_a_resource_has_a_name_and_parameters() -> None:
    assert RESOURCE.name == "s/r"
    assert RESOURCE.params == {"id"}
