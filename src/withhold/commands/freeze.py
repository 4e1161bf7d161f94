"""Stop disclosures at once: all of them, of one store, under one instrument, or of both together.

Nodes stop within a second, streams included. Through the running service (WITHHOLD_URL), or with
-c straight into the node's own folder, which works with database, Redis and control plane down;
it then holds for the nodes that share that folder.

  withhold freeze
  withhold freeze --store synapse --instrument us-sca-subpoena
  withhold freeze -c config/withhold.toml
"""

import argparse
import json

from withhold.adapters.freezes import add_freeze, make_folder
from withhold.commands.frozen import add_freeze_arguments, describe, named, node_folder
from withhold.commands.service import service
from withhold.ports import Freeze
from withhold.terminal import Exit, out, out_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_freeze_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Put the freeze in force."""
    freeze = Freeze(arguments.store, arguments.instrument)
    if arguments.config is not None:
        folder = node_folder(arguments, freeze)
        make_folder(folder)
        add_freeze(folder, freeze)
        where = f"by file in {folder}"
    else:
        service(arguments).post("/freezes", json.dumps(named(freeze)).encode())
        where = "on all nodes"
    if arguments.json:
        out_json({"frozen": describe(freeze), "where": where})
    else:
        out(f"frozen {where}: {describe(freeze)}")
    return Exit.DONE
