from pathlib import Path

import pytest

from withhold.adapters.database import Database
from withhold.adapters.entering import Found, bundle_facts, enter
from withhold.bench.scratch import NotScratch, check_scratch, parent_of
from withhold.digest import digest_of
from withhold.errors import BadRequest


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def test_the_folder_is_that_of_the_database_or_of_what_there_is_of_it(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    assert parent_of(url_of(tmp_path / "var" / "withhold.db")) == tmp_path / "var"
    assert parent_of(f"{url_of(tmp_path / 'var' / 'withhold.db')}?x=1") == tmp_path / "var"
    assert parent_of(url_of(tmp_path / "not" / "yet" / "withhold.db")) == tmp_path
    assert parent_of("postgresql://db/withhold") is None


def test_a_new_database_is_one_to_scratch_in(tmp_path: Path) -> None:
    check_scratch(url_of(tmp_path / "new.db"), url_of(tmp_path / "theirs.db"))


def test_the_deployments_own_is_not_opened(tmp_path: Path) -> None:
    url = url_of(tmp_path / "theirs.db")
    with pytest.raises(BadRequest, match="the deployment's own"):
        check_scratch(url, url)
    assert list(tmp_path.iterdir()) == []


async def test_one_that_holds_a_log_is_refused(tmp_path: Path) -> None:
    url = url_of(tmp_path / "used.db")
    database = Database(url)
    await enter(database, Found.BUNDLE, bundle_facts(digest_of(b""), "withhold/1"))
    database.close()
    with pytest.raises(NotScratch, match="holds warrants or a log"):
        check_scratch(url, url_of(tmp_path / "theirs.db"))
