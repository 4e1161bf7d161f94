import json

import pytest

from withhold.bench.kernel import Kernel
from withhold.bench.load import Load
from withhold.bench.measure import Measured, shares
from withhold.bench.show import Setting, print_bytes, show, show_kernel

SETTING = Setting("example", "us-search-warrant", "requests 10/s", "SQLite", "in memory")
LOAD = Load(300, 4, 3.0, 100.0, 1.234, 156.7, ((0, 1), (429, 3)))
SHARES = {"store": 0.25, "ledger": 0.5, "rest": 0.25}
FULL = Measured("sample/account", 20, 3_100, 980, LOAD, 512.6, 90.2, SHARES)
NOTHING = Measured("sample/a", 1, 9, 9, Load(0, 1, 1.0, 0.0, 0.0, 0.0, ((0, 1),)), None, None, {})
KERNEL = Kernel("sample/account", 20, 100_000, 49_000, 12, 30, 123.4, 5_678.9, 2_258.0, 2.2, 11.9)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (980, "980 B"),
        (1_240, "1.2 kB"),
        (34_000_000, "34 MB"),
        (1.5e9, "1.5 GB"),
        (3e12, "3000 GB"),
    ],
)
def test_sizes(number: float, text: str) -> None:
    assert print_bytes(number) == text


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(SETTING, [FULL, NOTHING], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "deployment  example, under us-search-warrant"
    assert lines[2:5] == [
        "load        requests 10/s",
        "database    SQLite",
        "cache       in memory",
    ]
    cells = [line.split() for line in lines[6:]]
    assert cells[0][0] == "resource"
    assert " ".join(cells[1]) == (
        "sample/account 20 3.1 kB 980 B 100 1.23 ms 157 ms 513 us 90 MiB 25% 50% 25%"
        " 1 x no answer, 3 x 429"
    )
    assert " ".join(cells[2]) == "sample/a 1 9 B 9 B 0 - - - - - - - 1 x no answer"


def test_the_same_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    show(SETTING, [FULL], as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["instrument"] == "us-search-warrant"
    assert found["machine"]["cores"] >= 1
    (row,) = found["resources"]
    assert row["count"] == 300
    assert row["errors_by_status"] == {"no answer": 1, "429": 3}
    assert row["shares"] == SHARES


def test_the_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    setting = Setting("example", "us-search-warrant", "the minimizer alone", "", "")
    show_kernel(setting, [KERNEL], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert not any(line.startswith(("database", "cache")) for line in lines)
    assert " ".join(lines[-1].split()) == (
        "sample/account 20 100 kB 49 kB 12 123 5,679 2,258 us 2.20 ms 11.90 ms"
    )
    show_kernel(setting, [KERNEL], as_json=True)
    assert json.loads(capsys.readouterr().out)["kernel"][0]["covered"] == 12


def test_shares_of_a_requests_time() -> None:
    found = shares({"request": 2.0, "store": 0.5, "ledger": 1.25})
    assert found == {"store": 0.25, "ledger": 0.625, "rest": 0.125}
    assert shares({"request": 1.0, "store": 0.75, "ledger": 0.5})["rest"] == 0.0
    nan = float("nan")
    assert shares({"request": nan, "store": nan, "ledger": nan}) == {}
    assert shares({"request": 0.0, "store": 0.0, "ledger": 0.0}) == {}
