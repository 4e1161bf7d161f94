from dataclasses import replace
from pathlib import Path

from withhold import config, parse_warrant
from withhold.control.remarks import remarks
from withhold.names import CallerName, Category, ResourceName
from withhold.paths import parse_path
from withhold.warrant.model import NamedField

FOLDER = Path(__file__).parents[1] / "cli" / "folder"
BUNDLE = config.load(FOLDER / "config").bundle
WARRANT = parse_warrant((FOLDER / "W.json").read_bytes())
CALLERS = (CallerName("disclosure-service"),)


def named(resource: str, path: str) -> NamedField:
    return NamedField(ResourceName(resource), parse_path(path))


def test_nothing_is_said_of_what_can_be_followed() -> None:
    fields = frozenset({named("chat/whois", "$.phone"), named("chat/whois", "$.devices.*")})
    assert remarks(replace(WARRANT, fields=fields), BUNDLE, CALLERS) == ()


def test_says_what_is_asked_in_vain() -> None:
    warrant = replace(
        WARRANT,
        categories=frozenset({Category.CONTENT, Category.SUBSCRIBER}),
        fields=frozenset({named("chat/whois", "$.fone"), named("chat/none", "$.x")}),
        callers=frozenset({CallerName("nobody")}),
    )
    assert remarks(warrant, BUNDLE, CALLERS) == (
        "`content` is not covered by `us-sca-subpoena`",
        "`chat/none` is no resource of the catalogue",
        "nothing is declared at `$.fone` in `chat/whois`",
        "`nobody` is no caller of this deployment",
    )


def test_an_instrument_that_is_gone_covers_nothing_to_remark_on() -> None:
    gone = replace(WARRANT, instrument=WARRANT.instrument.__class__("gone"))
    assert remarks(gone, BUNDLE, CALLERS) == ()
