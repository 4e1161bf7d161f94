"""The tables of the documentation, held to the code that they mirror."""

import argparse
import dataclasses
import hashlib
import re
import tomllib
from typing import Any, cast

import httpx
import pytest
from starlette.routing import Route

from tests.docs.tables import DOCS, PAGES, ROOT, column, rows, words
from tests.ledger.exhibits import receipt
from withhold import cli, config
from withhold.bundle import parse_bundle
from withhold.catalogue.forms import _OWNERS
from withhold.control.app import control_plane
from withhold.control.parts import ControlParts
from withhold.control.problems import _CODES, _STATUSES
from withhold.deployment.model import CallerEntry, Limits
from withhold.deployment.parse import parse_deployment
from withhold.ledger.entry import read_public, write_entry
from withhold.ledger.exhibit import _MEMBERS
from withhold.names import CallerName, Category, Kind, Reason, Role, State, Treatment
from withhold.proxy.log import Line
from withhold.proxy.metrics import make_metrics
from withhold.proxy.problem import PROBLEMS
from withhold.toml.table import Table
from withhold.warrant import verify
from withhold.warrant.claims import _OPTIONAL, _REQUIRED
from withhold.warrant.state import FOLLOWS

PACKAGE = ROOT / "src" / "withhold"
MOST_LINES = 150

# What every command has or must be given, and no table repeats.
UNSAID = {"--help", "--json", "--config", "--token-file", "--warrant", "--resource", "--param"}
PATHS_OF_DATA = {"fields", "headers", "query"}  # tables whose keys are the writer's to choose


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_is_short_and_its_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in linked if not (path.parent / link).exists()] == []
    if path.parent == DOCS and path.name not in {"properties.md", "reference.md"}:  # of rows
        assert text.count("\n") <= MOST_LINES


def test_the_index_leads_to_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in index} == set()


def test_every_problem_is_documented_with_its_status() -> None:
    said = [(*words(code), int(status)) for code, status, _ in rows("calling.md", "code")]
    assert said == [(problem.code, problem.status) for problem in PROBLEMS.values()]


def test_every_refusal_of_the_control_plane_is_documented() -> None:
    said = column("warrants.md", "code")
    named = re.compile(r'Den(?:ied|ial)\(\s*"([a-z-]+)"')
    sources = [*PACKAGE.glob("control/*.py"), PACKAGE / "adapters" / "registry.py"]
    raised = {each for path in sources for each in named.findall(path.read_text(encoding="utf-8"))}
    verdicts = {v for name, v in vars(verify).items() if name.isupper() and name[0] != "_"} - {
        verify.NEEDS_INTAKE
    }
    codes = {code for _, code in _CODES.values()} | {"internal-error"}
    assert set(said) == raised | verdicts | codes | set(_STATUSES)
    for row in rows("warrants.md", "code"):
        refused = words(row[0])
        statuses = [int(status) for status in row[1].split(", ")]
        for code, status in zip(refused, statuses * (len(refused) // len(statuses)), strict=True):
            known = {code: status for status, code in _CODES.values()} | _STATUSES
            otherwise = 500 if code == "internal-error" else 422
            assert status == known.get(code, otherwise), code


@pytest.mark.parametrize(
    ("first", "under", "known"),
    [
        ("category", "Catalogue", list(Category)),
        ("kind", "Catalogue", list(Kind)),
        ("treatment", "Policy", list(Treatment)),
        ("reason", "Policy", [*Reason, "rule:NAME"]),
    ],
)
def test_the_vocabularies_are_documented(first: str, under: str, known: list[str]) -> None:
    assert sorted(column("formats.md", first, under)) == sorted(known)


def test_the_options_of_kinds_are_documented() -> None:
    said = {
        (option, words(kind)[0])
        for kind, _, options in rows("formats.md", "kind", "Catalogue")
        for option in words(options)
        if option in _OWNERS
    }
    assert said == set(_OWNERS.items())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Every key that a parser looks for from now on, and whether it must be there."""
    keys: dict[str, bool] = {}
    has = Table._has

    def noting(table: Table, key: str, *, required: bool) -> bool:
        named = [part for part in (*table.path, key) if isinstance(part, str)]
        for i in range(1, len(named)):
            if named[i - 1] in PATHS_OF_DATA or named[:i] == ["instrument"]:
                named[i] = "*"
        name = ".".join(named)
        keys[name] = keys.get(name, True) and required
        return has(table, key, required=required)

    monkeypatch.setattr(Table, "_has", noting)
    return keys


def documented_keys(page: str, under: str) -> dict[str, bool]:
    """The keys of a table, and whether it says that they are required."""
    return {words(key)[0]: said == "required" for key, said, _ in rows(page, "key", under)}


def are_documented(asked: dict[str, bool], said: dict[str, bool]) -> None:
    assert sorted(asked) == sorted(said)
    # These are asked for where they stand, and so are always there.
    always = {key for key in said if key.rpartition(".")[2] in {"*", "when", "key"}}
    assert {key: said[key] for key in said.keys() - always} == {
        key: asked[key] for key in asked.keys() - always
    }


def test_every_key_of_catalogue_and_policy_is_documented(asked: dict[str, bool]) -> None:
    parse_bundle(config.read_bundle(ROOT / "config"))
    # The options stand in the table of kinds, and a `key` has the keys of a field.
    plain = {
        key: required
        for key, required in asked.items()
        if key.rpartition(".")[2] not in _OWNERS and ".*.key." not in key
    }
    policy = {key for key in plain if key.partition(".")[0] in {"instrument", "rule", "test"}}
    are_documented(
        {key: plain[key] for key in plain.keys() - policy},
        documented_keys("formats.md", "Catalogue"),
    )
    are_documented({key: plain[key] for key in policy}, documented_keys("formats.md", "Policy"))


# What the shipped file only tells of: a witness would be asked.
_LEFT_OUT = b"""
[ledger]
origin = "log.example.test"
[[witness]]
url = "https://witness.example.test"
key = "witness.example.test+b5313a52+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
"""


def test_every_setting_is_documented(asked: dict[str, bool]) -> None:
    file = ROOT / "config" / "withhold.toml"
    parse_deployment(file.read_bytes() + _LEFT_OUT, file)
    are_documented(asked, documented_keys("reference.md", "The deployment file"))


def test_every_limit_is_documented_with_its_default() -> None:
    said = {words(key)[0]: default for key, default, _ in rows("reference.md", "key")}
    for name, default in dataclasses.asdict(Limits()).items():
        assert said[f"limits.{name}"] == str(default)


def parsers(name: str) -> dict[str, argparse.ArgumentParser]:
    """The parser of a command, or those of its verbs."""
    inner = _choices(cli.parser(name))[name]
    verbs = {f"{name} {verb}": parser for verb, parser in _choices(inner).items()}
    return verbs or {name: inner}


def _choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found[0].choices) if found else {}


def test_every_command_is_documented_with_its_options() -> None:
    known = {
        name: {option.option_strings[-1] for option in parser._actions if option.option_strings}
        for command in cli.COMMANDS
        for name, parser in parsers(command).items()
    }
    said = {words(command)[0]: words(options) for command, options, _ in rows(*COMMAND_TABLE)}
    assert sorted(said) == sorted(known)
    for name, options in said.items():
        like = [options for other in options if other in _LIKE for options in said[_LIKE[other]]]
        named = {each for each in (*options, *like) if each.startswith("--")}
        assert named - UNSAID == known[name] - UNSAID, name
        assert "-c" not in options or "--config" in known[name]


COMMAND_TABLE = ("reference.md", "command")
_LIKE = {"approve": "warrant approve", "freeze": "freeze"}  # "as `freeze`"


async def test_every_request_of_the_control_plane_is_documented_with_its_roles() -> None:
    said = {
        tuple(words(request)[0].split(" ")): set(words(roles))
        for request, roles, _ in rows("reference.md", "request")
    }
    app = control_plane(cast("ControlParts", _Parts()))
    routes = [route for route in app.routes if isinstance(route, Route)]
    known = {
        (method, route.path)
        for route in routes
        for method in (route.methods or ())
        if method != "HEAD" and not route.path.endswith(("z", "/metrics"))
    }
    assert set(said) == known
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://withhold.test") as client:
        for (method, path), roles in said.items():
            for role in Role:
                headers = {"Authorization": f"Bearer {role}"}
                answer = await client.request(method, path, headers=headers)
                is_refused = answer.json()["code"] == "role-not-allowed"
                assert is_refused is (role not in roles), (method, path, role)


class _Parts:
    """The callers, one for each role; whoever is let in finds nothing."""

    def callers(self) -> list[CallerEntry]:
        """Give a caller of each role, whose token is the role's name."""
        return [
            CallerEntry(CallerName(role), digest, frozenset({role}), frozenset())
            for role in Role
            for digest in [hashlib.sha256(role.encode()).digest()]
        ]

    def refused(self, _caller: CallerName, _code: str) -> None:
        """Refusals are counted elsewhere."""

    def __getattr__(self, name: str) -> None:
        return None


def test_every_metric_is_documented_with_its_labels() -> None:
    metrics = vars(make_metrics())
    known: dict[str, tuple[str, ...]] = {}
    for each in (cast("Any", metric) for name, metric in metrics.items() if name != "registry"):
        total = "_total" if each._type == "counter" else ""
        known[f"{each._name}{total}"] = tuple(each._labelnames)
    said = {
        words(name)[0]: tuple(words(labels))
        for name, labels, _ in rows("reference.md", "metric", "Metrics")
    }
    assert said == known


def test_every_event_that_is_logged_is_documented() -> None:
    called = re.compile(r'(?:_log\.\w+|_changed|_frozen|LogRecord)\((?:_log.*)?\s*"([a-z-]+)"')
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    known = {event for source in sources for event in called.findall(source)}
    assert set(column("reference.md", "event", "Logs")) == known


@pytest.mark.parametrize(
    ("page", "first", "known"),
    [
        ("reference.md", "member of `request`", [f.name for f in dataclasses.fields(Line)]),
        ("proofs.md", "member", list(_MEMBERS)),
        ("warrants.md", "member", [*_REQUIRED, *_OPTIONAL]),
        ("warrants.md", "state", list(State)),
    ],
)
def test_every_member_is_documented(page: str, first: str, known: list[str]) -> None:
    assert column(page, first) == known


def test_every_member_of_an_entry_is_documented() -> None:
    entry = receipt()
    public = read_public(write_entry(entry, bytes(32)).public)
    assert sorted(column("auditing.md", "member")) == sorted([*public, *entry.sealed])


def test_what_a_warrant_must_have_and_may_become_is_documented() -> None:
    required = [words(name)[0] for name, said, _ in rows("warrants.md", "member") if said]
    assert tuple(required) == _REQUIRED
    said = {words(state)[0]: set(words(to)) for state, to, _ in rows("warrants.md", "state")}
    assert said == dict(FOLLOWS)


def test_every_room_is_documented_and_in_the_order_of_the_layers() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix in {"", ".py"}}
    said = column("architecture.md", "room")
    assert {room for room in rooms if not room.startswith("_")} - {"py", "shipped"} == set(said)
    layers = _contract("layers")["layers"]
    floor = {room: i for i, layer in enumerate(layers) for room in re.findall(r"\w+", layer)}
    floors = [floor[room] for room in said if room in floor]
    assert floors == sorted(floors)


def test_the_rooms_that_are_said_to_be_pure_are() -> None:
    said = {words(room)[0] for room, what in rows("architecture.md", "room") if "pure:" in what}
    pure = {name.removeprefix("withhold.") for name in _contract("pure")["source_modules"]}
    assert pure <= said


def _contract(name: str) -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    return next(cast("dict[str, Any]", each) for each in contracts if each["id"] == name)
