"""The control plane that most of these tests are about."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.control.plane import Plane, plane_on
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.registry import SqlRegistry


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A database of the test's own; `plane` closes it."""
    return Database(f"sqlite:///{tmp_path}/withhold.db")


@pytest.fixture
async def plane(tmp_path: Path, database: Database) -> AsyncIterator[Plane]:
    """A control plane on a real database."""
    folder = tmp_path / "freezes"
    registry, ledger = SqlRegistry(database), SqlLedger(database)
    async with plane_on(registry, ledger, folder, database=database) as made:
        yield made
    database.close()
