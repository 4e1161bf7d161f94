from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.durable import Durable, opened


@pytest.fixture(params=["sqlite", "memory"])
async def durable(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Durable]:
    """Each test that asks for it runs twice: what holds for one must hold for its twin."""
    async with opened(request.param, tmp_path) as found:
        yield found
