import pytest

from tests.catalogue.written import HEAD, faults_of, field, hints_of, resource_of
from withhold.catalogue.fields import is_data
from withhold.catalogue.model import When
from withhold.kinds.form import Form
from withhold.names import Category, Kind, Part

FIELDS = HEAD + "[resource.fields]\n"  # what follows begins in line 7
WHEN = '{ field = "b", is = 1 }'
REST = 'category = "content", kind = "text", data = "user", means = "m"'


def variant(when: str, rest: str = REST) -> str:
    return f"{{ when = {when}, {rest} }}"


def test_a_field_is_what_it_says() -> None:
    (found,) = resource_of(
        FIELDS + '"$[\'b\']" = { category = "traffic", kind = "id", pattern = "[0-9]+",'
        ' data = "user.device.device_id", means = "the id" }'
    ).fields
    assert found.path == ("b",)
    assert found.category is Category.TRAFFIC
    assert found.form == Form(Kind.ID, pattern="[0-9]+")
    assert found.data == "user.device.device_id"
    assert found.means == "the id"
    assert found.part is Part.VALUE
    assert found.when is None


def test_members_of_a_map_have_keys_and_may_be_scalars() -> None:
    key = f"key = {{ {REST} }}"
    keys_only = resource_of(FIELDS + f'"$.a.*" = {{ {key} }}\n').fields
    assert [each.part for each in keys_only] == [Part.KEY]
    both = resource_of(FIELDS + f'"$.a.*" = {{ {key}, {REST} }}\n').fields
    assert [each.label for each in both] == ["$.a.*", "$.a.* key"]


def test_variants_are_fields_of_their_own() -> None:
    found = resource_of(
        FIELDS
        + '"$.a" = [\n'
        + "".join(
            variant(f'{{ field = "b.c", is = {value} }}') + ",\n"
            for value in ('"x"', '""', "1", "true", "false", "-9007199254740991")
        )
        + "]"
    ).fields
    assert {each.when for each in found} == {
        When(("b", "c"), value) for value in ("x", "", 1, True, False, -(2**53) + 1)
    }
    assert [each.label for each in found if each.when and each.when.value is True] == [
        "$.a when b.c is true"
    ]


def test_a_field_may_be_one_variant() -> None:
    (found,) = resource_of(
        FIELDS + '"$.a[*].b" = ' + variant('{ field = "medium", is = "x" }')
    ).fields
    assert found.when == When(("medium",), "x")


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        (field("a"), ["7: `a` does not begin with `$`"]),
        (field("$"), ["7: `$` is the whole answer and no field"]),
        (
            field("$.a[0]"),
            ["7: `$.a[0]` is not a path at `[0]`: use `.name`, `['odd.name']`, `[*]` or `.*`"],
        ),
        (
            field("$..a"),
            ["7: `$..a` is not a path at `..a`: use `.name`, `['odd.name']`, `[*]` or `.*`"],
        ),
        (field("$" + ".a" * 40), ["7: the path has more than 32 segments"]),
        (field("$.a") + field("$['a']"), ["8: `$['a']` is declared twice: first in line 7"]),
        ('"$.a" = "text"\n', ["7: `$.a` is a string, not a table"]),
        (
            '"$.a" = {}\n',
            [f"7: `{key}` is missing" for key in ("category", "kind", "data", "means")],
        ),
        (f'"$.a" = {{ {REST}, unti = "s" }}\n', ["7: `unti` is unknown here"]),
        (
            f'"$.a" = {{\n {REST.replace("content", "contents")} }}\n'.replace("{\n", "{"),
            ["7: `contents` is no category"],
        ),
        (
            f'"$.a" = {{ {REST.replace(chr(34) + "user", chr(34) + "usr")} }}\n',
            ["7: `usr` is no data category"],
        ),
        (
            '"$.a" = { category = "content", kind = "text", data = "user", means = 1 }\n',
            ["7: `means` is an integer, not a string"],
        ),
    ],
)
def test_what_is_wrong_with_a_field_is_said(fields: str, faults: list[str]) -> None:
    assert faults_of(FIELDS + fields) == faults


@pytest.mark.parametrize(
    ("path", "key", "fault"),
    [
        ("$.a", f"{{ {REST} }}", "`$.a` has no keys: it does not end in `.*`"),
        ("$.a[*]", f"{{ {REST} }}", "`$.a[*]` has no keys: it does not end in `.*`"),
        ("$.a.*", '"id"', "`key` is a string, not a table"),
        ("$.a.*", f"{{ {REST}, x = 1 }}", "`x` is unknown here"),
        (
            "$.a.*",
            f"{{ {REST} }}".replace("text", "number"),
            "the key of an object can't be of kind `number`",
        ),
    ],
)
def test_what_is_wrong_with_keys_is_said(path: str, key: str, fault: str) -> None:
    assert faults_of(FIELDS + f'"{path}" = {{ key = {key} }}\n') == [f"7: {fault}"]


@pytest.mark.parametrize(
    ("when", "fault"),
    [
        ('"b"', "`when` is a string, not a table"),
        ('{ field = "b" }', "`is` is missing"),
        ("{ is = 1 }", "`field` is missing"),
        ('{ field = "b", is = 1, not = 2 }', "`not` is unknown here"),
        (
            '{ field = "b", is = 1.5 }',
            "`is` is a decimal number, not a string, an integer, true or false",
        ),
        ('{ field = "b", is = [] }', "`is` is an array, not a string, an integer, true or false"),
        ('{ field = "b", is = 9007199254740992 }', "`is` is out of range"),
        ('{ field = "b", is = "\\n" }', "`is` holds a control character or a line's end"),
        ('{ field = "b[*]", is = 1 }', "`b[*]` holds a wildcard: one value is meant here"),
        (
            '{ field = "$.b", is = 1 }',
            "`$.b` is not a path from the element: write a member's name such as `last_seen`",
        ),
    ],
)
def test_what_is_wrong_with_when_is_said(when: str, fault: str) -> None:
    assert faults_of(FIELDS + '"$.a" = ' + variant(when)) == [f"7: {fault}"]


@pytest.mark.parametrize(
    ("variants", "faults"),
    [
        ([], ["7: `$.a` has no variants"]),
        ([f"{{ {REST} }}"], ["8: `when` is missing"]),
        (["1"], ["8: `$.a`, element 1, is an integer, not a table"]),
        ([variant(WHEN, f"{REST}, key = {{}}")], ["8: `key` is unknown here"]),
        (
            [variant(WHEN), variant('{ field = "c", is = 2 }')],
            ["9: the variants of a path look at different fields"],
        ),
        (
            [variant(WHEN), variant(WHEN.replace("b", "['b']"))],
            ["9: two variants of a path fit the same value"],
        ),
        (
            [variant(WHEN, 'category = "content"')],
            [f"8: `{key}` is missing" for key in ("kind", "data", "means")],
        ),
    ],
)
def test_what_is_wrong_with_variants_is_said(variants: list[str], faults: list[str]) -> None:
    lines = "".join(f"\n{each}," for each in variants)
    assert faults_of(FIELDS + f'"$.a" = [{lines}]\n') == faults


@pytest.mark.parametrize("path", ["$.a[*]", "$.a.*"])
def test_an_element_has_no_variants(path: str) -> None:
    faults = [f"7: `{path}` is an element and can't have variants"]
    assert faults_of(FIELDS + f'"{path}" = {variant(WHEN)}') == faults
    assert faults_of(FIELDS + f'"{path}" = [{variant(WHEN)}]') == faults


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        (field("$.a").replace("subscriber", "subscribe"), "did you mean `subscriber`?"),
        (field("$.a").replace("means", "mean"), "did you mean `means`?"),
        (field("$"), "name the leaves in it; an answer that is an array begins with `$[*]`"),
        (field("$.a", 'kind = "timestamp"'), "how the store writes it: `s`, `ms`, `us`, `rfc3339`"),
    ],
)
def test_what_to_write_instead_is_said(fields: str, hint: str) -> None:
    assert hint in hints_of(FIELDS + fields)


@pytest.mark.parametrize(
    "text", ["user", "system", "user.contact.email", "user.device.ip_address", "user.x1.y_2"]
)
def test_a_data_category_has_the_form_of_fideslang(text: str) -> None:
    assert is_data(text)


@pytest.mark.parametrize(
    "text", ["", "users", "person", "user.", "user..x", "user.X", "user.1", "user.a b", "user._a"]
)
def test_what_has_not_that_form_is_no_data_category(text: str) -> None:
    assert not is_data(text)
