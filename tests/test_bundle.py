import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.written import CATALOGUE, ORDER
from withhold.allowlist.compile import compile_widest
from withhold.bundle import Bundle, bundle_warnings, parse_bundle
from withhold.errors import ConfigError
from withhold.names import Category, InstrumentName, ResourceName, Treatment

CONFIG = Path(__file__).parents[1] / "config"
SHIPPED = {
    f"{folder}/{path.name}": path.read_bytes()
    for folder in ("catalogue", "policy")
    for path in (CONFIG / folder).glob("*.toml")
}

RULE = """[[rule]]
name = "tokens"
kind = "ip"
treatment = "tokenize"
"""
TEST = """[[test]]
name = "what an order shows"
instrument = "order"
resource = "s/r"
discloses = ["$.a"]
tokenizes = ["$.b[*].ip"]
"""
AT = "policy/p.toml:11"  # where the test stands
SMALL = {"catalogue/c.toml": CATALOGUE.encode(), "policy/p.toml": (ORDER + RULE + TEST).encode()}


def faults_of(files: dict[str, bytes]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_bundle(files)
    return [f"{each.file}:{each.line}: {each.message}" for each in caught.value.faults]


def changed(old: str, new: str) -> dict[str, bytes]:
    assert any(old.encode() in text for text in SMALL.values())
    return {name: text.replace(old.encode(), new.encode()) for name, text in SMALL.items()}


def test_a_bundle_is_catalogue_and_policy() -> None:
    bundle = parse_bundle(SMALL)
    assert set(bundle.catalogue.resources) == {"s/r", "s/q"}
    assert set(bundle.policy.instruments) == {"order"}
    assert bundle.digest.startswith("sha-256=:")
    assert len(bundle.policy.tests) == 1


def test_nothing_is_a_bundle_too() -> None:
    bundle = parse_bundle({})
    assert not bundle.catalogue.resources
    assert bundle_warnings(bundle) == ()


def test_every_fault_of_every_file_is_said() -> None:
    files = changed('name = "r"', "nmae = 1") | {"policy/q.toml": b"[[rule]]\n"}
    assert faults_of(files) == [
        "catalogue/c.toml:3: `nmae` is unknown here",
        "policy/p.toml:14: there is no resource `s/r`",
        "policy/q.toml:1: `name` is missing",
        "policy/q.toml:1: `treatment` is missing",
    ]


def test_what_is_no_toml_comes_before_all_that_refers_to_it() -> None:
    files = SMALL | {"catalogue/c.toml": b"store = s", "catalogue/d.toml": b"\xff"}
    assert [fault.partition(": ")[0] for fault in faults_of(files)] == [
        "catalogue/c.toml:1",
        "catalogue/d.toml:1",
    ]


def test_a_file_is_a_catalogue_or_a_policy() -> None:
    assert faults_of(SMALL | {"withhold.toml": b""}) == [
        "withhold.toml:0: the file is in neither `catalogue/` nor `policy/`"
    ]


# --- policy tests


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            'discloses = ["$.a"]',
            'discloses = ["$.a", "$.c"]',
            '`$.c when d is "x"` should be `disclose` and is `withhold` (not-in-instrument)',
        ),
        (
            'discloses = ["$.a"]',
            "discloses = []",
            "`$.a` is `disclose` (covered) and the test does not list it",
        ),
        (
            "tokenizes",
            "generalizes",
            "`$.b[*].ip` should be `generalize` and is `tokenize` (rule:tokens)",
        ),
        (
            'treatment = "tokenize"',
            'treatment = "withhold"',
            "`$.b[*].ip` should be `tokenize` and is `withhold` (rule:tokens)",
        ),
    ],
)
def test_a_bundle_whose_tests_fail_is_not_loaded(old: str, new: str, fault: str) -> None:
    assert faults_of(changed(old, new)) == [f"{AT}: the test `what an order shows` fails: {fault}"]


def test_a_test_does_not_contradict_itself() -> None:
    assert faults_of(changed('tokenizes = ["$.b[*].ip"]', 'tokenizes = ["$.a", "$.b[*].ip"]')) == [
        f"{AT}: the test `what an order shows` fails: `$.a` should be `disclose` and `tokenize`"
    ]


def test_a_test_is_one_fault_with_all_its_fields() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_bundle(changed(TEST.partition("discloses")[2], '= ["$.c"]\n'))
    (fault,) = caught.value.faults
    assert fault.message.splitlines() == [
        "the test `what an order shows` fails:",
        "  `$.a` is `disclose` (covered) and the test does not list it",
        "  `$.b[*].ip` is `tokenize` (rule:tokens) and the test does not list it",
        '  `$.c when d is "x"` should be `disclose` and is `withhold` (not-in-instrument)',
    ]
    assert fault.hint.splitlines() == [
        "add it to `discloses`, if that is meant",
        "add it to `tokenizes`, if that is meant",
    ]


SUBJECTLESS = 'path = "/r/{id}"\nsubject = { param = "id", kind = "id", confirm = false }\n'


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        (
            f"{SUBJECTLESS}snapshot = true\n",
            SUBJECTLESS,
            "say `snapshot = true`, or give it a record with a `time`",
        ),
        (
            SUBJECTLESS,
            'path = "/r/{id}"\n',
            "give the resource, or a record around the field, a `subject`",
        ),
    ],
)
def test_a_test_that_fails_says_what_is_forgotten(old: str, new: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_bundle(changed(old, new))
    (fault,) = caught.value.faults
    assert fault.hint == hint
    (warning,) = caught.value.warnings
    assert (warning.file, warning.line, warning.hint) == ("catalogue/c.toml", 2, hint)
    assert '`$.a`, `$.b[*].ip`, `$.c when d is "x"` can never leave' in warning.message


def test_without_a_policy_test_that_fails_there_are_no_warnings_with_the_faults() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_bundle(changed('name = "r"', "nmae = 1"))
    assert caught.value.warnings == ()


# --- the digest


def test_the_digest_is_of_what_is_said_not_of_how_it_is_laid_out() -> None:
    store, first, second = CATALOGUE.partition("\n")[0], *CATALOGUE.split("[[resource]]")[1:]
    split = {
        "catalogue/1.toml": f"# q\n{store}\n[[resource]]{second}".encode(),
        "catalogue/2.toml": f"{store}\n[[resource]]{first}".replace("\n", "\r\n").encode(),
        "policy/1.toml": TEST.encode(),
        "policy/2.toml": (RULE + ORDER.replace(" = ", "=")).encode(),
    }
    assert parse_bundle(split).digest == parse_bundle(SMALL).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("snapshot = true", "snapshot = true\nabsent = [404]"),
        ('means = "m"', 'means = "n"'),
        ('title = "An order"', 'title = "Another"'),
        ('name = "tokens"', 'name = "tokens-2"'),
        ('name = "what an order shows"', 'name = "what it shows"'),
        ('store = "s"', 'store = "s"\n[[resource]]\nname = "n"\npath = "/n"\n[resource.fields]\n'),
    ],
)
def test_whatever_is_said_differently_has_another_digest(old: str, new: str) -> None:
    assert parse_bundle(changed(old, new)).digest != parse_bundle(SMALL).digest


# --- warnings


def said_of(files: dict[str, bytes]) -> tuple[str, ...]:
    return tuple(
        f"{each.file}:{each.line}: {each.message}" for each in bundle_warnings(parse_bundle(files))
    )


def warnings_of(old: str, new: str) -> tuple[str, ...]:
    return said_of(changed(old, new))


def test_a_plain_bundle_has_no_warnings() -> None:
    assert bundle_warnings(parse_bundle(SMALL)) == ()


def test_keys_without_a_name_are_warned_of() -> None:
    assert warnings_of('"$.z"', '"$.y.*.z.*.x"') == (
        "catalogue/c.toml:17: `s/q`: `$.y.*` has no `key`, so its keys leave as ordinals",
        "catalogue/c.toml:17: `s/q`: `$.y.*.z.*` has no `key`, so its keys leave as ordinals",
    )
    key = '"$.y.*" = { key = { category = "traffic", kind = "id", data = "user", means = "m" } }\n'
    assert warnings_of('"$.z"', key + '"$.y.*.z"') == ()


NOBODY = "no record around it says whom it is about"
NEVER = "no record around it says when it was, and there is no `snapshot`"
ABOUT = 'subject = { param = "id", kind = "id", confirm = false }\n'


@pytest.mark.parametrize(
    ("without", "why"), [(f"{ABOUT}snapshot = true\n", NOBODY), ("snapshot = true\n", NEVER)]
)
def test_fields_that_can_never_leave_are_warned_of(without: str, why: str) -> None:
    head = f'path = "/q/{{id}}"\n{ABOUT}snapshot = true\n'
    warnings = warnings_of(head, head.replace(without, ""))
    assert warnings == (f"catalogue/c.toml:11: `s/q`: `$.z` can never leave: {why}",)


def test_a_data_category_that_is_nearly_one_is_warned_of() -> None:
    files = changed('data = "user.name"', 'data = "user.nmae"')
    one, other = bundle_warnings(parse_bundle(files))
    assert (one.file, one.line, one.hint) == ("catalogue/c.toml", 8, "did you mean `user.name`?")
    assert one.message == (
        "`s/r`: `user.nmae`, the data of `$.a`, is not in the taxonomy: rules by `data` may miss it"
    )
    assert other.line == 17


@pytest.mark.parametrize(
    ("confirm", "kind", "hint"),
    [
        ("$.user_id", "id", "did you mean `$.user.uid`?"),
        ("$.user.uid", "id", None),
        ("$.user_id", "text", None),  # nobody's identifier
        ("$.quite['another thing']", "id", None),
    ],
)
def test_a_confirmation_that_is_nearly_a_field_is_warned_of(
    confirm: str, kind: str, hint: str | None
) -> None:
    text = CATALOGUE.replace("$.z", "$.user.uid").replace('"text"', f'"{kind}"')
    head, mark, tail = text.rpartition("confirm = false")
    assert mark
    files = {"catalogue/c.toml": f'{head}confirm = "{confirm}"{tail}'.encode()}
    found = [(each.line, each.hint) for each in bundle_warnings(parse_bundle(files))]
    assert found == ([] if hint is None else [(14, hint)])


@pytest.mark.parametrize(
    ("after", "hint"),
    [
        ("$.metta.next", "did you mean `$.meta.…`?"),
        ("$.meta.next", None),
        ("$.next", None),
        ("$.quite.other", None),
    ],
)
def test_a_cursor_that_is_nearly_beside_a_field_is_warned_of(after: str, hint: str | None) -> None:
    page = f'page = {{ next = "{after}", param = "from", max = 9 }}\n'
    text = CATALOGUE.replace("$.z", "$.meta.total")
    head, mark, tail = text.rpartition("snapshot = true")
    files = {"catalogue/c.toml": f"{head}{page}{mark}{tail}".encode()}
    found = [(each.line, each.hint) for each in bundle_warnings(parse_bundle(files))]
    assert found == ([] if hint is None else [(15, hint)])


UNMATCHED = "matches no field that an instrument covers"


@pytest.mark.parametrize(
    ("rule", "warning"),
    [
        ('kind = "port"\ntreatment = "withhold"', UNMATCHED),
        ('category = "content"\ntreatment = "withhold"', UNMATCHED),
        ('treatment = "disclose"', "decides nothing: what it lets through was let through"),
    ],
)  # fmt: skip
def test_rules_that_do_nothing_are_warned_of(rule: str, warning: str) -> None:
    more = f'[[rule]]\nname = "idle"\n{rule}\n{RULE}'
    assert warnings_of(RULE, more) == (f"policy/p.toml:7: the rule `idle` {warning}",)


@pytest.mark.parametrize(
    ("title", "warnings"),
    [
        (
            "An empty order",
            ("policy/p.toml:1: the instrument `none` covers nothing, and is no preservation",),
        ),
        ("Preservation request", ()),
        ("European Preservation Order", ()),
    ],
)
def test_instruments_that_cover_nothing_are_warned_of(
    title: str, warnings: tuple[str, ...]
) -> None:
    none = (
        f'[instrument.none]\ntitle = "{title}"\njurisdiction = "US"\ncovers = []\napprovals = 1\n'
    )
    assert warnings_of(ORDER, none + ORDER) == warnings


SECOND = (
    '"$.b[*].ip2" = { category = "identifying", kind = "ip", data = "user", means = "m" }\n"$.c"'
)


def test_tokens_that_a_clear_value_decodes_are_warned_of() -> None:
    some = changed('"$.c"', SECOND)["catalogue/c.toml"]
    only = (ORDER + RULE.replace('kind = "ip"', 'path = "$.b[*].ip"')).encode()
    (warning,) = said_of({"catalogue/c.toml": some, "policy/p.toml": only})
    assert warning == (
        "policy/p.toml:1: `order` tokenizes `$.b[*].ip` of `s/r` and discloses `$.b[*].ip2`"
        " of `s/r`: the clear `ip` decodes the token"
    )


def test_tokens_that_only_a_named_field_decodes_are_warned_of() -> None:
    some = changed('"$.c"', SECOND)["catalogue/c.toml"]
    unless = "unless = { warrant_names_field = true }\n"
    always = RULE.replace("tokens", "always").replace('kind = "ip"', 'path = "$.b[*].ip"')
    bundle = parse_bundle(
        {"catalogue/c.toml": some, "policy/p.toml": (ORDER + RULE + unless + always).encode()}
    )
    assert len(bundle_warnings(bundle)) == 1
    alone = parse_bundle(
        {"catalogue/c.toml": some, "policy/p.toml": (ORDER + RULE + unless).encode()}
    )
    assert bundle_warnings(alone) == ()


def test_a_key_in_the_clear_decodes_tokens_too() -> None:
    key = 'key = { category = "identifying", kind = "ip", data = "user", means = "m" }'
    files = changed('"$.z"', f'"$.y.*" = {{ {key} }}\n"$.y.*.z"')
    assert bundle_warnings(parse_bundle(files)) == ()
    clear = {
        "catalogue/c.toml": files["catalogue/c.toml"],
        "policy/p.toml": (ORDER + RULE + 'resource = "s/r"\n').encode(),
    }
    (warning,) = said_of(clear)
    assert "tokenizes `$.b[*].ip` of `s/r` and discloses `$.y.* key`" in warning


# --- what is shipped


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return parse_bundle(SHIPPED)


def test_what_is_shipped_is_sound_and_without_warnings(shipped: Bundle) -> None:
    assert bundle_warnings(shipped) == ()


def test_every_shipped_instrument_is_tested_against_the_sample_store(shipped: Bundle) -> None:
    tested = {
        test.instrument for test in shipped.policy.tests if test.resource.startswith("sample/")
    }
    assert tested == set(shipped.policy.instruments)


def test_every_resource_is_tested(shipped: Bundle) -> None:
    assert {test.resource for test in shipped.policy.tests} == set(shipped.catalogue.resources)


@pytest.mark.parametrize(
    ("name", "jurisdiction", "covers", "approvals"),
    [
        ("us-sca-subpoena", "US", "subscriber identifying", 1),
        ("us-sca-2703d", "US", "subscriber identifying traffic", 1),
        ("us-search-warrant", "US", "subscriber identifying traffic content", 2),
        ("us-sca-preservation", "US", "", 1),
        ("us-sca-emergency", "US", "subscriber identifying traffic content", 2),
        ("eu-epoc-subscriber", "EU", "subscriber", 1),
        ("eu-epoc-identifying", "EU", "identifying", 1),
        ("eu-epoc-traffic", "EU", "traffic", 1),
        ("eu-epoc-content", "EU", "content", 2),
        ("eu-epoc-pr", "EU", "", 1),
        ("uk-entity-data", "UK", "subscriber", 1),
        ("uk-events-data", "UK", "identifying traffic", 1),
        ("platform-phone-and-ip", "platform", "subscriber identifying", 1),
    ],
)
def test_shipped_instruments_reach_no_further_than_their_law(
    shipped: Bundle, name: str, jurisdiction: str, covers: str, approvals: int
) -> None:
    found = shipped.policy.instruments[InstrumentName(name)]
    assert found.jurisdiction == jurisdiction
    assert found.covers == frozenset(map(Category, covers.split()))
    assert found.approvals == approvals


def test_whatever_reaches_content_takes_two_approvals(shipped: Bundle) -> None:
    for instrument in shipped.policy.instruments.values():
        assert instrument.approvals >= 1 + (Category.CONTENT in instrument.covers)


def test_no_shipped_instrument_gives_an_address_in_the_clear_unasked(shipped: Bundle) -> None:
    for instrument in shipped.policy.instruments.values():
        for resource in shipped.catalogue.resources.values():
            for entry in compile_widest(instrument, shipped.policy, resource).covered:
                clear = entry.treatment is Treatment.DISCLOSE
                assert not (clear and entry.field.form.kind == "ip")


def test_the_platform_gives_nothing_but_phones_and_addresses(shipped: Bundle) -> None:
    instrument = shipped.policy.instruments[InstrumentName("platform-phone-and-ip")]
    for named in (False, True):
        for resource in shipped.catalogue.resources.values():
            allowlist = compile_widest(instrument, shipped.policy, resource, named=named)
            assert {entry.field.form.kind for entry in allowlist.covered} <= {"phone", "ip"}
    account = shipped.catalogue.resources[ResourceName("sample/account")]
    # The account's number is not disclosed, and the answer is still held against it.
    assert account.subject is not None
    assert account.subject.confirm is not None


# --- whatever a file holds


@given(
    st.sampled_from(sorted(SMALL)),
    st.integers(0, 2_000),
    st.integers(0, 12),
    st.sampled_from(["", "1", '"', "[", "{}", "true", "\n", "=", "$", ".*", "[*]", "\x00", "é"]),
)
def test_no_change_of_a_file_is_a_traceback(name: str, at: int, length: int, new: str) -> None:
    text = SMALL[name].decode()
    damaged = text[:at] + new + text[at + length :]
    with contextlib.suppress(ConfigError):
        bundle_warnings(parse_bundle({**SMALL, name: damaged.encode()}))
