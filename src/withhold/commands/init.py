"""Make a working folder: configuration, keys, test callers and test signers.

The configuration is the one that comes with Withhold. The signers are nobody: their private keys
lie in the folder, and `check --production` refuses them.

  withhold init trial
  withhold serve -c trial/config
"""

import argparse
from pathlib import Path

from withhold.commands.options import add_json
from withhold.starter import SAMPLE_STORE, Choices, make_starter
from withhold.terminal import Exit, out, out_json, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new or an empty folder")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the folder and say what is in it."""
    starter = make_starter(
        arguments.folder,
        Choices(
            deployment="example-trial",
            data_plane="127.0.0.1:8470",
            control_plane="127.0.0.1:8471",
            stores={SAMPLE_STORE: "http://127.0.0.1:8480"},
        ),
    )
    if arguments.json:
        out_json(
            {
                "file": str(starter.file),
                "signers": {name: str(path) for name, path in starter.signers.items()},
                "tokens": {name: str(path) for name, path in starter.tokens.items()},
            }
        )
        return Exit.DONE
    rows = [
        ("deployment", str(starter.file)),
        *((f"key of {name}", str(path)) for name, path in starter.signers.items()),
        *((f"token of {name}", str(path)) for name, path in starter.tokens.items()),
    ]
    for line in table(rows):
        out(line)
    return Exit.DONE
