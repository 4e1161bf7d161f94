import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.resources import ID, resource
from withhold.catalogue.model import Page, Param, RequestSubject
from withhold.errors import BadRequest
from withhold.kinds.form import Form
from withhold.names import Kind
from withhold.proxy.target import StorePath, build_target, match, parse_target, written

USER = resource(("v1", "users", Param("user_id")), "$.id")


def test_takes_a_target_apart_and_drops_its_query() -> None:
    raw = b"/stores/synapse/_synapse/admin/v1/whois/@alice:example.test?dir=b&x=../.."
    assert parse_target(raw) == StorePath(
        "synapse", ("_synapse", "admin", "v1", "whois", "@alice:example.test")
    )


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"%40alice%3aexample.test", "@alice:example.test"),
        (b"%C3%A9t%c3%a9", "été"),
        (b"a%20b", "a b"),
        (b"a+b", "a+b"),
        (b"%e2%82%ac", "€"),
        (b"...", "..."),
        (b"a;b=c", "a;b=c"),
    ],
)
def test_decodes_a_segment_once(raw: bytes, decoded: str) -> None:
    assert parse_target(b"/stores/shop/" + raw).segments == (decoded,)


@pytest.mark.parametrize(
    "segment",
    [
        *(b"", b".", b"..", b"%2e", b"%2E%2e", b".%2e"),
        *(b"a%2fb", b"a%5cb", b"a\\b", b"a%25b", b"%2525", b"%252f"),
        *(b"%00", b"a%0a", b"a%0d%0ab", b"a%1f", b"a%7f", b"a%C2%80", b"a%C2%9f", b"a\tb"),
        *(b"%", b"%4", b"%zz", b"%u0041", b"a%2", b"%-1"),
        *(b"\xc3\xa9", b"a\xff", b"%ff", b"%c3", b"%c0%af", b"%ed%a0%80", b"%f4%90%80%80"),
    ],
)
@pytest.mark.parametrize("around", [b"/stores/shop/%s", b"/stores/shop/v1/%s/x", b"/stores/%s/x"])
def test_refuses_what_a_store_might_read_differently(segment: bytes, around: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_target(around % segment)
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    "raw",
    [b"/stores", b"/Stores/a/b", b"//stores/a", b"http://h/stores/a", b"*", b"", b"?/stores/"],
)
def test_refuses_another_beginning(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_target(raw)


def test_a_message_repeats_nothing_of_the_path() -> None:
    with pytest.raises(BadRequest) as refused:
        parse_target(b"/stores/shop/@canary-7f3a/%2e%2e")
    assert "canary" not in str(refused.value)


def test_matches_whole_segments_only() -> None:
    resources = [USER, resource(("v1", "users", Param("user_id"), "tags"), "$.id", name="tags")]
    found = match(resources, StorePath("shop", ("v1", "users", "@a:b", "tags")))
    assert found == (resources[1], {"user_id": "@a:b"})
    assert match(resources, StorePath("shop", ("v1", "users"))) is None
    assert match(resources, StorePath("shop", ("v1", "user", "@a:b"))) is None
    assert match(resources, StorePath("shop", ("v1", "users", "@a:b", "x"))) is None
    assert match(resources, StorePath("other", ("v1", "users", "@a:b"))) is None


def test_builds_the_target_from_the_template() -> None:
    page = Page(("end",), "from", ("limit", "500"), 10)
    paged = resource(("röom", Param("room")), "$.id", query=(("dir", "f&b"),), page=page)
    params = {"room": "!a b/c?d#e:é"}
    path = "/r%C3%B6om/%21a%20b%2Fc%3Fd%23e%3A%C3%A9"
    assert build_target(paged, params, None) == path + "?dir=f%26b&limit=500"
    assert build_target(paged, params, "t1=&x") == path + "?dir=f%26b&limit=500&from=t1%3D%26x"
    begun = resource(("r",), "$.id", query=(("from", "t0"), ("limit", "9")), page=page)
    assert build_target(begun, {}, None) == "/r?from=t0&limit=500"
    assert build_target(begun, {}, "t1") == "/r?from=t1&limit=500"
    assert build_target(USER, {"user_id": "a-b._~"}, None) == "/v1/users/a-b._~"


def test_writes_the_subject_in_the_form_of_the_store() -> None:
    def about(form: Form) -> dict[str, str]:
        subject = RequestSubject("number", form, None)
        asked = resource((Param("number"), Param("other")), "$.id", subject=subject)
        return written(asked, {"number": "as it came", "other": "x"}, "+442079460220")

    assert about(Form(Kind.PHONE)) == {"number": "+442079460220", "other": "x"}
    assert about(Form(Kind.PHONE, msisdn=True)) == {"number": "442079460220", "other": "x"}
    assert about(ID) == {"number": "+442079460220", "other": "x"}
    assert written(USER, {"user_id": "x"}, None) == {"user_id": "x"}


@given(st.text(min_size=1))
def test_a_value_that_may_enter_comes_out_as_one_segment(value: str) -> None:
    """What is built is taken apart again to the same values, or was refused to begin with."""
    try:
        target = build_target(USER, {"user_id": value}, None)
        parsed = parse_target(b"/stores/shop" + target.encode("ascii"))
    except (BadRequest, UnicodeEncodeError):
        return
    assert match([USER], parsed) == (USER, {"user_id": value})
    assert target.count("/") == 3
