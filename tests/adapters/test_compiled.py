from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, bindparam, event, select

from tests.kept import kept, make_table, names
from withhold.adapters.compiled import MAX_ROWS, compiled, insert_rows, padded
from withhold.adapters.database import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url, busy_timeout_s=30.0)
    await make_table(found)
    yield found
    found.close()


async def put(database: Database, count: int) -> int:
    """Insert so many rows, and give how many statements it took."""
    seen: list[str] = []

    def note(*said: object) -> None:
        seen.append(str(said[2]))

    def work(connection: Connection) -> None:
        insert_rows(connection, kept, [(i + 1, f"{i}") for i in range(count)])

    event.listen(database._writer, "before_cursor_execute", note)
    await database.write(work)
    event.remove(database._writer, "before_cursor_execute", note)
    return sum(statement.startswith("INSERT") for statement in seen)


@pytest.mark.parametrize(
    ("count", "statements"),
    [(0, 0), (1, 1), (2, 1), (3, 2), (MAX_ROWS, 1), (MAX_ROWS + 1, 2), (2 * MAX_ROWS + 7, 5)],
)
async def test_rows_go_by_the_hundred(database: Database, count: int, statements: int) -> None:
    assert await put(database, count) == statements
    assert await names(database) == [f"{i}" for i in range(count)]


async def test_a_statement_takes_what_it_names_and_what_it_says_itself(database: Database) -> None:
    await put(database, 5)
    after = bindparam("after", type_=kept.c.number.type)
    asked = select(kept.c.name).where(kept.c.number > after, kept.c.name != "4")

    def work(connection: Connection) -> list[list[str]]:
        made = compiled(connection, asked)
        assert compiled(connection, asked) is made
        return [list(made.run(connection, {"after": i}).scalars()) for i in (2, 4)]

    assert await database.read(work) == [["2", "3"], []]


def test_a_list_is_as_long_as_a_power_of_two_and_names_the_same() -> None:
    assert padded([]) == [""]
    assert padded(["a"]) == ["a"]
    assert padded(["a", "b"]) == ["a", "b"]
    assert padded(["a", "b", "c"]) == ["a", "b", "c", "c"]
    assert [len(padded(["a"] * count)) for count in (5, 8, 9)] == [8, 8, 16]
