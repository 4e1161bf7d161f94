from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.durable import Durable, opened


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
async def durable(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Durable]:
    """Each test that asks for it runs on all three: what holds for one must hold for its twin."""
    kind: str = request.param
    url: str = request.getfixturevalue("postgresql_url") if kind == "postgresql" else ""
    async with opened(kind, tmp_path, url) as found:
        yield found
