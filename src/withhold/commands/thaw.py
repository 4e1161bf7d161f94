"""Lift a freeze: exactly the one that is named, in the same words in which it was put in force.

Through the running service (WITHHOLD_URL) it is lifted in the database and, where it was made by
file, on the control plane's own machine; with -c by removing the file from a node's folder.

  withhold thaw --store synapse
"""

import argparse

from withhold.adapters.freezes import make_folder, remove_freeze
from withhold.commands.frozen import add_freeze_arguments, describe, named, node_folder
from withhold.commands.service import service
from withhold.commands.status import frozen
from withhold.ports import Freeze
from withhold.terminal import Exit, out, out_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_freeze_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Lift the freeze."""
    freeze = Freeze(arguments.store, arguments.instrument)
    still: list[str] = []
    if arguments.config is not None:
        folder = node_folder(arguments, freeze)
        make_folder(folder)
        remove_freeze(folder, freeze)
        where = f"by file in {folder}"
    else:
        answer = service(arguments).delete("/freezes", named(freeze))
        still = [frozen(each) for each in answer["freezes"]]
        where = "on all nodes, and by file on the control plane's machine"
    if arguments.json:
        out_json({"thawed": describe(freeze), "where": where, "still_frozen": still})
        return Exit.DONE
    out(f"thawed {where}: {describe(freeze)}")
    for each in still:
        out(f"still frozen: {each}")
    return Exit.DONE
