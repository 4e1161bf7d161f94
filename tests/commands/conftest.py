from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.served import Served, serving
from tests.ledger.exhibits import ENTRIES


@pytest.fixture(params=[ENTRIES], ids=[""])
def served(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    with serving(request.param, tmp_path) as made:
        monkeypatch.setenv("WITHHOLD_URL", made.url)
        monkeypatch.setenv("WITHHOLD_TOKEN", "audit")
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.chdir(tmp_path)
        yield made
