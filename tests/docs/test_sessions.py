"""The sessions of the documentation and the README, run as they are read."""

import shutil
from pathlib import Path

import pytest

from tests.docs.console import NEEDS, Command, Demo, Session, Write, fits, steps_of
from tests.docs.tables import PAGES, ROOT

SESSIONS = [page for page in PAGES if any(steps_of((ROOT / page).read_text(encoding="utf-8")))]


@pytest.mark.parametrize("page", SESSIONS, ids=str)
def test_the_commands_of_a_page_do_what_it_shows(page: str, tmp_path: Path) -> None:
    read = (ROOT / page).read_text(encoding="utf-8")
    missing = [name for name in NEEDS if name in f"bash {read}" and shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")
    with Session(tmp_path) as session:
        for step in steps_of(read):
            match step:
                case Demo():
                    session.demo()
                case Write():
                    session.write(step)
                case Command(line, text, shown):
                    printed, code = session.run(step)
                    place = f"{page}:{line}: {text} [exit {code}]"
                    assert fits(shown, printed), f"{place}\n{printed}\ninstead of\n{shown}"
                    assert code == 0 or shown.strip(), f"{place} failed without a word"


@pytest.mark.parametrize(
    ("shown", "printed", "fitting"),
    [
        ("a\n", "a\n", True),
        ("a\n\n", "a\n", True),
        ("a\n", "a\nb\n", False),
        ("", "a\n", False),
        ("a…\n", "abc\n", True),
        ("a…c\n", "ab\n", False),
        ("…\n", "", True),
        ("a\n…\n", "a\nb\nc\n", True),
        ("a\n…\nc\n", "a\nb\n", False),
        ("(a)\n", "a\n", False),
    ],
)
def test_what_is_shown_is_what_is_printed(shown: str, printed: str, *, fitting: bool) -> None:
    assert fits(shown, printed) is fitting
