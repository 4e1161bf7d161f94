"""Show it: a sample store and a whole Withhold before it, on free ports of this machine.

Warrants are signed, registered and approved, then a few disclosures are printed before and after.
It stays up until Ctrl-C, with commands to paste; everything is in a temporary folder and goes with
it. Nothing else is needed; a redis-server is used where there is one.

  withhold demo --once
"""

import argparse
import asyncio
import logging

from withhold.demo.run import play
from withhold.terminal import Exit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--once", action="store_true", help="print the disclosures and end")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play the demo."""
    # What is to be seen is what is printed; nobody operates this node.
    logging.disable()
    asyncio.run(play(once=arguments.once))
    return Exit.DONE
