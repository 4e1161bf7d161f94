"""Bundle: catalogue and policy together, one version, one digest. Pure.

A bundle is whole or it is not loaded: every document sound, every reference good, every policy test
passed. Its digest is of what the documents say, however they are laid out or split into files.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from withhold.allowlist.compile import compile_widest, matches
from withhold.allowlist.model import Entry
from withhold.catalogue.model import Catalogue, Resource
from withhold.catalogue.parse import parse_catalogue
from withhold.digest import digest_of
from withhold.names import Category, Digest, InstrumentName, Kind, Part, Reason, Treatment
from withhold.paths import Wild, print_path
from withhold.policy.model import Instrument, Policy, PolicyTest
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


def bundle_warnings(bundle: Bundle) -> tuple[str, ...]:
    """Give what is no fault and may not be meant, each in one line."""
    resources = list(bundle.catalogue.resources.values())
    found = (
        *_nameless_keys(resources),
        *_unreachable(resources),
        *_idle_rules(bundle),
        *_empty_instruments(bundle.policy),
        *_decodable_tokens(bundle),
    )
    return tuple(dict.fromkeys(found))


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


def _nameless_keys(resources: Iterable[Resource]) -> Iterator[str]:
    for resource in resources:
        maps = {
            field.path[: i + 1]
            for field in resource.fields
            for i, segment in enumerate(field.path)
            if segment is Wild.MEMBERS
        }
        keyed = {field.path for field in resource.fields if field.part is Part.KEY}
        for path in sorted(map(print_path, maps - keyed)):
            yield f"`{resource.name}`: `{path}` has no `key`, so its keys leave as ordinals"


def _unreachable(resources: Iterable[Resource]) -> Iterator[str]:
    """Find fields that no instrument could let out: their place lacks somebody, or a time."""
    everything = Instrument(InstrumentName(""), "", "", frozenset(Category), 1)
    needs = {
        Reason.NO_SUBJECT: "no record around it says whom it is about",
        Reason.UNDATED: "no record around it says when it was, and there is no `snapshot`",
    }
    for resource in resources:
        for entry in compile_widest(everything, Policy({}, (), ()), resource).entries:
            if entry.treatment is Treatment.WITHHOLD:
                need = needs[Reason(entry.reason)]
                yield f"`{resource.name}`: `{entry.field.label}` can never leave: {need}"


def _idle_rules(bundle: Bundle) -> Iterator[str]:
    for rule in bundle.policy.rules:
        if rule.treatment is Treatment.DISCLOSE:
            yield f"the rule `{rule.name}` decides nothing: what it lets through was let through"
        elif not any(
            field.category in instrument.covers and matches(rule, field, resource, instrument)
            for resource in bundle.catalogue.resources.values()
            for field in resource.fields
            for instrument in bundle.policy.instruments.values()
        ):
            yield f"the rule `{rule.name}` matches no field that an instrument covers"


def _empty_instruments(policy: Policy) -> Iterator[str]:
    for instrument in policy.instruments.values():
        words = f"{instrument.name} {instrument.title}".lower()
        if not instrument.covers and "preserv" not in words:
            yield f"the instrument `{instrument.name}` covers nothing, and is no preservation"


def _decodable_tokens(bundle: Bundle) -> Iterator[str]:
    """Find instruments whose answers show in the clear what other answers tokenize.

    A warrant either names no field, or gets none that it does not name: two sets of allowlists.
    """
    for instrument in bundle.policy.instruments.values():
        for named in (False, True):
            places: dict[tuple[Kind, Treatment], str] = {}
            for resource in bundle.catalogue.resources.values():
                for entry in compile_widest(
                    instrument, bundle.policy, resource, named=named
                ).covered:
                    # Of keys only the clear ones count: any other treatment makes them ordinals.
                    if entry.field.part is Part.VALUE or entry.treatment is Treatment.DISCLOSE:
                        place = f"`{entry.field.label}` of `{resource.name}`"
                        places.setdefault((entry.field.form.kind, entry.treatment), place)
            for (kind, treatment), place in places.items():
                clear = places.get((kind, Treatment.DISCLOSE))
                if treatment is Treatment.TOKENIZE and clear is not None:
                    yield (
                        f"`{instrument.name}` tokenizes {place} and discloses {clear}:"
                        f" the clear `{kind}` decodes the token"
                    )


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
