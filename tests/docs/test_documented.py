"""The documentation, held to what it documents: its sessions are run, its tables compared."""

import shutil
from pathlib import Path

import pytest

from tests.docs.console import NEEDS, Command, Demo, Session, Write, fits, steps_of

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("README.md")])
MISSING = [name for name in NEEDS if shutil.which(name) is None]
MOST_LINES = 150


@pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)}")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_it_shows(page: Path, tmp_path: Path) -> None:
    with Session(tmp_path) as session:
        for step in steps_of(page.read_text(encoding="utf-8")):
            match step:
                case Demo():
                    session.demo()
                case Write():
                    session.write(step)
                case Command(line, text, shown):
                    printed, code = session.run(step)
                    place = f"{page.name}:{line}: {text} [exit {code}]"
                    assert fits(shown, printed), f"{place}\n{printed}\ninstead of\n{shown}"
                    assert code == 0 or shown.strip(), f"{place} failed without a word"
