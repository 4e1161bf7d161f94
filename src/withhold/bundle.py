"""Bundle: catalogue and policy together, one version, one digest. Pure.

A bundle is whole or it is not loaded: every document sound, every reference good, every policy test
passed. Its digest is of what the documents say, however they are laid out or split into files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from withhold.allowlist.compile import compile_widest
from withhold.allowlist.model import Entry
from withhold.catalogue.model import Catalogue
from withhold.catalogue.parse import parse_catalogue
from withhold.digest import digest_of
from withhold.names import Digest, Treatment
from withhold.paths import print_path
from withhold.policy.model import Policy, PolicyTest
from withhold.policy.parse import parse_policy
from withhold.toml.faults import Faults
from withhold.toml.read import read_toml
from withhold.toml.table import Table


@dataclass(frozen=True)
class Bundle:
    """What a security team publishes and every node answers from."""

    catalogue: Catalogue
    policy: Policy
    digest: Digest


def parse_bundle(files: Mapping[str, bytes]) -> Bundle:
    """Parse and test a bundle. `files`: by path in the folder, `catalogue/*.toml`, `policy/*.toml`.

    Raises: ConfigError with every fault, at its file and line.
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
    for test in policy.tests:
        _run(test, catalogue, policy, faults)
    faults.check()
    return Bundle(catalogue, policy, _digest(catalogues, policies))


def _within(read: Mapping[str, Table | None], folder: str) -> list[Table]:
    return [table for name, table in read.items() if name.startswith(folder) and table is not None]


def _run(test: PolicyTest, catalogue: Catalogue, policy: Policy, faults: Faults) -> None:
    """Run a policy test: each field that is not treated as the test says is a fault."""
    instrument = policy.instruments[test.instrument]
    allowlist = compile_widest(instrument, policy, catalogue.resources[test.resource])
    for entry in allowlist.entries:
        expected = _expected(test, entry)
        if len(expected) > 1:
            said = " and ".join(f"`{each}`" for each in expected)
            message = f"the test `{test.name}` expects {said} of `{entry.field.label}`"
            faults.add(test.file, test.line, message, "a field is treated in one way")
        elif expected != [entry.treatment]:
            message = (
                f"the test `{test.name}` fails: `{entry.field.label}` should be `{expected[0]}`"
                f" and is `{entry.treatment}` ({entry.reason})"
            )
            faults.add(test.file, test.line, message)


def _expected(test: PolicyTest, entry: Entry) -> list[Treatment]:
    """Give the treatments that a test expects of a field: one, unless it contradicts itself."""
    names = {entry.field.label, print_path(entry.field.path)}
    said = {
        Treatment.DISCLOSE: test.discloses,
        Treatment.TOKENIZE: test.tokenizes,
        Treatment.GENERALIZE: test.generalizes,
    }
    return [each for each, texts in said.items() if names & set(texts)] or [Treatment.WITHHOLD]


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
    return digest_of(rfc8785.dumps(said))
