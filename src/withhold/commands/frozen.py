"""What `freeze` and `thaw` share: how a freeze is named, and where a node keeps its own."""

import argparse
from pathlib import Path

from withhold import config
from withhold.commands.options import add_json, deployment_file
from withhold.commands.service import add_token_file
from withhold.commands.status import frozen
from withhold.errors import BadRequest, ConfigError
from withhold.names import InstrumentName, StoreName
from withhold.ports import Freeze


def add_freeze_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what names a freeze, and where it is put."""
    parser.add_argument("--store", type=StoreName, metavar="NAME", help="only this store")
    parser.add_argument(
        "--instrument", type=InstrumentName, metavar="NAME", help="only under this instrument"
    )
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="PATH",
        help="do it by file in the folder of this deployment's node, without the service",
    )
    add_json(parser)
    add_token_file(parser)


def node_folder(arguments: argparse.Namespace, freeze: Freeze) -> Path:
    """Give the folder of the node's freeze files. Raises: ConfigError, BadRequest."""
    deployment = config.load_deployment(deployment_file(arguments))
    if freeze.store is not None and freeze.store not in deployment.stores:
        message = f"there is no store `{freeze.store}`"
        raise BadRequest(message, f"there are {', '.join(sorted(deployment.stores))}")
    if freeze.instrument is not None:
        _check_instrument(deployment.file.parent, freeze.instrument)
    return config.freezes_folder(deployment)


def _check_instrument(folder: Path, name: InstrumentName) -> None:
    """Refuse a slip of the pen, which would freeze nothing. Raises: BadRequest."""
    try:
        instruments = config.load(folder).bundle.policy.instruments
    except ConfigError:
        return  # a freeze does not wait for a bundle that can be read
    if name not in instruments:
        message = f"there is no instrument `{name}`"
        raise BadRequest(message, f"there are {', '.join(sorted(instruments))}")


def named(freeze: Freeze) -> dict[str, str]:
    """Give what the freeze names, as the control plane is told."""
    members = {"store": freeze.store, "instrument": freeze.instrument}
    return {name: each for name, each in members.items() if each is not None}


def describe(freeze: Freeze) -> str:
    """Say in words what a freeze holds."""
    return frozen({"store": freeze.store, "instrument": freeze.instrument})
