"""Bundle: catalogue and policy together, one version, one digest. Pure.

A bundle is whole or it is not loaded: every document sound, every reference good, every policy test
passed. Its digest is of what the documents say, however they are laid out or split into files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from withhold.allowlist.compile import compile_widest
from withhold.allowlist.doubts import NEEDS, Places, find_doubts
from withhold.allowlist.model import Entry
from withhold.canonical import write_canonical
from withhold.catalogue.model import Catalogue
from withhold.catalogue.parse import parse_catalogue
from withhold.digest import digest_of
from withhold.errors import Fault
from withhold.names import Digest, Treatment
from withhold.paths import parse_path, print_path
from withhold.policy.model import Policy, PolicyTest
from withhold.policy.parse import parse_policy
from withhold.toml.faults import Faults
from withhold.toml.read import read_toml
from withhold.toml.table import Table

_LISTS: Final = {
    Treatment.DISCLOSE: "discloses",
    Treatment.TOKENIZE: "tokenizes",
    Treatment.GENERALIZE: "generalizes",
}


@dataclass(frozen=True)
class Bundle:
    """What a security team publishes and every node answers from."""

    catalogue: Catalogue
    policy: Policy
    digest: Digest
    places: Places = field(default_factory=dict, repr=False, compare=False)


def parse_bundle(files: Mapping[str, bytes]) -> Bundle:
    """Parse and test a bundle. `files`: by path in the folder, `catalogue/*.toml`, `policy/*.toml`.

    Raises: ConfigError with every fault, at its file and line; where only policy tests fail, with
    the warnings too.
    """
    faults = Faults()
    read = {name: read_toml(name, files[name], faults) for name in sorted(files)}
    for name in read:
        if not name.startswith(("catalogue/", "policy/")):
            faults.add(name, 0, "the file is in neither `catalogue/` nor `policy/`")
    faults.check()  # what is no TOML may be what everything else refers to
    catalogues = _within(read, "catalogue/")
    policies = _within(read, "policy/")
    resources = parse_catalogue(catalogues)
    policy = parse_policy(policies, resources)
    faults.check()
    catalogue = Catalogue({name: each for name, each in resources.items() if each is not None})
    digest = _digest(catalogues, policies)
    bundle = Bundle(catalogue, policy, digest, _places(catalogues, policies))
    for test in policy.tests:
        _run(test, catalogue, policy, faults)
    if faults:
        raise faults.error(bundle_warnings(bundle))  # they may say why a test fails
    return bundle


def bundle_warnings(bundle: Bundle) -> tuple[Fault, ...]:
    """Give what is no fault and may not be meant, by file and line."""
    found = find_doubts(bundle.catalogue, bundle.policy, bundle.places)
    return tuple(sorted(found, key=lambda fault: (fault.file, fault.line)))


def _within(read: Mapping[str, Table | None], folder: str) -> list[Table]:
    return [table for name, table in read.items() if name.startswith(folder) and table is not None]


def _run(test: PolicyTest, catalogue: Catalogue, policy: Policy, faults: Faults) -> None:
    """Run a policy test: all fields that are not treated as it says are one fault."""
    instrument = policy.instruments[test.instrument]
    allowlist = compile_widest(instrument, policy, catalogue.resources[test.resource])
    said: list[str] = []
    hints: dict[str, None] = {}
    for entry in allowlist.entries:
        expected = _expected(test, entry)
        if expected != [entry.treatment]:
            message, hint = _explain(expected, entry)
            said.append(message)
            if hint:
                hints[hint] = None
    if said:
        lines = " " + said[0] if len(said) == 1 else "".join(f"\n  {each}" for each in said)
        message = f"the test `{test.name}` fails:{lines}"
        faults.add(test.file, test.line, message, "\n".join(hints))


def _explain(expected: list[Treatment], entry: Entry) -> tuple[str, str]:
    """Say how a field is treated, how it should be, and what could be done about it."""
    field = f"`{entry.field.label}`"
    if len(expected) > 1:
        both = " and ".join(f"`{each}`" for each in expected)
        return f"{field} should be {both}", "a field is treated in one way"
    done = f"is `{entry.treatment}` ({entry.reason})"
    if expected == [Treatment.WITHHOLD]:
        hint = f"add it to `{_LISTS[entry.treatment]}`, if that is meant"
        return f"{field} {done} and the test does not list it", hint
    return f"{field} should be `{expected[0]}` and {done}", NEEDS.get(entry.reason, "")


def _expected(test: PolicyTest, entry: Entry) -> list[Treatment]:
    """Give the treatments that a test expects of a field: one, unless it contradicts itself."""
    names = {entry.field.label, print_path(entry.field.path)}
    said = {
        Treatment.DISCLOSE: test.discloses,
        Treatment.TOKENIZE: test.tokenizes,
        Treatment.GENERALIZE: test.generalizes,
    }
    return [each for each, texts in said.items() if names & set(texts)] or [Treatment.WITHHOLD]


def _places(catalogues: Iterable[Table], policies: Iterable[Table]) -> Places:
    """Give where everything stands that documents without a fault declare."""
    found: dict[tuple[str, ...], tuple[str, int]] = {}
    for document in catalogues:
        for table in document.tables("resource"):
            name = f"{document.members['store']}/{table.members['name']}"
            found["resource", name] = (table.source.file, table.line())
            for key in ("subject", "page"):
                found[key, name] = (table.source.file, table.line(key))
            fields = table.table("fields")
            for key, _ in () if fields is None else fields.each():
                path = print_path(parse_path(key))
                found["field", name, path] = (table.source.file, table.line("fields", key))
    for document in policies:
        instruments = document.table("instrument", required=False)
        for key, _ in () if instruments is None else instruments.each():
            found["instrument", key] = (document.source.file, document.line("instrument", key))
        for table in document.tables("rule"):
            found["rule", str(table.members["name"])] = (table.source.file, table.line())
    return found


def _digest(catalogues: Iterable[Table], policies: Iterable[Table]) -> Digest:
    """Give the digest of what documents say. Source: RFC 8785 (canonical JSON).

    Everything stands under its name, so that neither files nor their order are in it.
    """
    said: dict[str, dict[str, Any]] = {"resource": {}, "instrument": {}, "rule": {}, "test": {}}
    for document in catalogues:
        for resource in document.tables("resource"):
            name = f"{document.members['store']}/{resource.members['name']}"
            said["resource"][name] = resource.members
    for document in policies:
        instruments = document.table("instrument", required=False)
        if instruments is not None:
            said["instrument"] |= instruments.members
        for key in ("rule", "test"):
            for table in document.tables(key):
                said[key][str(table.members["name"])] = table.members
    return digest_of(write_canonical(said))
