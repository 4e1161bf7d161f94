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

from withhold.commands.frozen import add_freeze_arguments, freeze_of, node_freezes, report
from withhold.commands.service import service
from withhold.terminal import Exit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_freeze_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Put the freeze in force."""
    freeze = freeze_of(arguments)
    if arguments.config is not None:
        node_freezes(arguments).freeze(freeze)
    else:
        named = {"store": freeze.store, "instrument": freeze.instrument}
        body = {name: each for name, each in named.items() if each is not None}
        service(arguments).post("/freezes", json.dumps(body).encode())
    report(arguments, "frozen", freeze)
    return Exit.DONE
