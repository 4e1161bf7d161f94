import sys

import pytest

from withhold.adapters.database import Database
from withhold.errors import DatabaseUnavailable


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "the database's URL is not one"),
        ("withhold.db", "the database's URL is not one"),
        ("sqlite://host:port/x", "the database's URL is not one"),
        ("mysql://root:hunter2@db/x", "begins with neither `sqlite` nor `postgresql`"),
        ("sqlite://", "a database in memory keeps nothing"),
        ("sqlite:///:memory:", "a database in memory keeps nothing"),
        ("sqlite:////dev/null/x.db", "the database's file can't be made"),
        ("sqlite+nodriver:///x.db", "the database's driver is unknown"),
        ("postgresql+psycopg2://u:hunter2@db/x", "the database's driver is unknown"),
        ("postgresql://u:hunter2@db/x?nonsense=1", "the database's URL is not one"),
        ("postgresql://u:hunter2@db/x?connect_timeout=soon", "can't be connected to"),
    ],
)
def test_a_url_that_cannot_be_served_is_refused(url: str, message: str) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        Database(url)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "withhold.adapters.postgresql", raising=False)
    monkeypatch.delattr("withhold.adapters.postgresql", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DatabaseUnavailable, match=r"a driver: `pip install 'withhold\[postgr"):
        Database("postgresql://u:hunter2@db/x")
