"""Say what is served and by whom, what is frozen and what waits for a person.

Exit code 1 if anything is wrong: the database, Redis or the data plane does not answer as it must.
A freeze is somebody's decision and not a fault; it is shown and does not change the code.

  withhold status --token-file operator.token
"""

import argparse

from withhold.commands.options import add_json
from withhold.commands.service import Json, add_token_file, service
from withhold.terminal import Exit, Ink, out, out_json, paint, printable, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_json(parser)
    add_token_file(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask the service and say what it said."""
    status = service(arguments).get("/status")
    if arguments.json:
        out_json(status)
    else:
        for line in describe(status):
            out(line)
    return Exit.DONE if all(said == "ok" for said in status["health"].values()) else Exit.FAULT


def describe(status: Json) -> list[str]:
    """Give the lines of a status."""
    rows = [
        ("deployment", printable(status["deployment"])),
        ("software", printable(status["software"])),
        ("bundle", printable(status["bundle"])),
        *((printable(name), _health(said)) for name, said in status["health"].items()),
        ("warrants", _counts(status["warrants"])),
    ]
    rows += [("frozen", paint(frozen(each), Ink.YELLOW)) for each in status["freezes"]]
    rows += [
        ("waiting", f"{printable(each['id'])}: {printable(each['for'])}")
        for each in status["waiting"]
    ]
    return table(rows)


def frozen(freeze: Json) -> str:
    """Say in words what a freeze holds."""
    store, instrument = freeze["store"], freeze["instrument"]
    if store is None and instrument is None:
        return "everything"
    of_store = "" if store is None else f"store {printable(store)}"
    under = "" if instrument is None else f"instrument {printable(instrument)}"
    return " and ".join(part for part in (of_store, under) if part)


def _health(said: str) -> str:
    return paint(printable(said), Ink.GREEN if said == "ok" else Ink.RED)


def _counts(counts: Json) -> str:
    found = [f"{number} {printable(name)}" for name, number in counts.items() if number]
    return ", ".join(found) or "none"
