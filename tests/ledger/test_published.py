"""The published probes of transparency-dev/merkle: good proofs, and proofs that were tampered with.

They are not kept here. `make test-published TESTDATA=…/merkle/testdata` reads them from a checkout
of that repository (Apache-2.0); `test_tree.py` makes the same tamperings by itself in every run.
"""

import json
import os
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from withhold.errors import Unproven
from withhold.ledger.tree import HASH_BYTES, verify_consistency, verify_inclusion

pytestmark = pytest.mark.published

TESTDATA = "WITHHOLD_MERKLE_TESTDATA"


def probes(kind: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give every probe of a kind."""
    folder = Path(os.environ[TESTDATA]) / kind
    for file in sorted(folder.rglob("*.json")):
        yield file.relative_to(folder), json.loads(file.read_bytes())


def hashes(probe: dict[str, Any], *names: str) -> list[bytes]:
    return [b64decode(probe[name] or "") for name in names]


def proof(probe: dict[str, Any]) -> list[bytes]:
    return [b64decode(each) for each in probe["proof"] or ()]


def is_refused(check: Callable[[], None]) -> bool:
    try:
        check()
    except Unproven:
        return True
    return False


def test_every_published_inclusion_proof_is_judged_as_published() -> None:
    seen = {True: 0, False: 0}
    for name, probe in probes("inclusion"):
        leaf, root = hashes(probe, "leafHash", "root")

        def check(probe: dict[str, Any] = probe, leaf: bytes = leaf, root: bytes = root) -> None:
            verify_inclusion(leaf, probe["leafIdx"], probe["treeSize"], proof(probe), root)

        assert is_refused(check) == probe["wantErr"], name
        seen[probe["wantErr"]] += 1
    assert min(seen.values()) > 0, "there are no probes"


def test_every_published_consistency_proof_is_judged_as_published() -> None:
    seen = {True: 0, False: 0}
    for name, probe in probes("consistency"):
        old, new = hashes(probe, "root1", "root2")

        def check(probe: dict[str, Any] = probe, old: bytes = old, new: bytes = new) -> None:
            verify_consistency(probe["size1"], old, probe["size2"], new, proof(probe))

        # One good probe has a placeholder for a root; we take nothing but SHA-256.
        is_no_root = len(old) not in {0, HASH_BYTES} or len(new) not in {0, HASH_BYTES}
        assert is_refused(check) == (probe["wantErr"] or is_no_root), name
        seen[probe["wantErr"]] += 1
    assert min(seen.values()) > 0, "there are no probes"
