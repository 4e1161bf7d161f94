from tests.minimize.resources import IP, TEXT, keys
from withhold.allowlist.model import Entry
from withhold.kinds.form import Form
from withhold.minimize.keys import name_keys
from withhold.names import Kind, Treatment


def entry(form: Form) -> Entry:
    return Entry(keys("$.*", form), Treatment.DISCLOSE, "covered")


def test_keys_leave_in_normal_form_if_all_may() -> None:
    assert name_keys(entry(IP), ["::ffff:192.0.2.1", "2001:DB8::0"]) == (
        ["192.0.2.1", "2001:db8::"],
        2,
        0,
    )
    # They are their own, though they look like ordinals.
    assert name_keys(entry(TEXT), ["1", "2"]) == (["1", "2"], 2, 0)


def test_else_all_of_them_are_ordinals() -> None:
    assert name_keys(None, ["a", "b"]) == (["1", "2"], 0, 0)
    assert name_keys(entry(IP), ["192.0.2.1", "x"]) == (["1", "2"], 0, 1)
    assert name_keys(entry(IP), ["192.0.2.1", "::ffff:192.0.2.1"]) == (["1", "2"], 0, 0)
    assert name_keys(entry(TEXT), ["a", "\ud800", "\udfff"]) == (["1", "2", "3"], 0, 2)


def test_a_key_is_a_string_and_so_never_a_number() -> None:
    for kind in (Kind.NUMBER, Kind.PORT, Kind.BOOLEAN):
        assert name_keys(entry(Form(kind)), ["1", "true"]) == (["1", "2"], 0, 2)


def test_no_keys_have_no_names() -> None:
    assert name_keys(None, []) == ([], 0, 0)
    assert name_keys(entry(TEXT), []) == ([], 0, 0)
