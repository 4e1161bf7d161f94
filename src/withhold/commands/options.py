"""Options that several commands share, and how they are read."""

import argparse
from pathlib import Path
from typing import Final

from withhold.errors import BadRequest
from withhold.names import ResourceName

DEPLOYMENT_FILE: Final = "withhold.toml"
MAX_INPUT_BYTES: Final = 64 * 2**20  # of a recorded answer; the proxy's own limit is lower


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `-c`, which every command that reads a configuration takes."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=Path("config"),
        metavar="PATH",
        help="the folder of catalogue/, policy/ and withhold.toml, or that file (default: config)",
    )


def config_folder(arguments: argparse.Namespace) -> Path:
    """Give the folder of `-c`, which may name the deployment file in it."""
    path: Path = arguments.config
    return path if path.is_dir() or path.suffix != ".toml" else path.parent


def deployment_file(arguments: argparse.Namespace) -> Path:
    """Give the deployment file of `-c`, which may name its folder."""
    path: Path = arguments.config
    return path / DEPLOYMENT_FILE if path.is_dir() or path.suffix != ".toml" else path


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="write JSON, for a program to read")


def add_resource(parser: argparse.ArgumentParser) -> None:
    """Add `--warrant`, `--resource` and `--param`: what an allowlist and a subject need."""
    parser.add_argument(
        "--warrant",
        type=Path,
        required=True,
        metavar="W.json",
        help="the warrant: its JSON, or the signed document (signatures are not looked at here)",
    )
    parser.add_argument(
        "--resource", type=ResourceName, required=True, metavar="STORE/NAME", help="the resource"
    )
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the resource's path, such as user_id=@alice:example.test",
    )


def params(arguments: argparse.Namespace) -> dict[str, str]:
    """Read the `--param`s. Raises: BadRequest."""
    pairs: dict[str, str] = {}
    for text in arguments.param:
        name, equals, value = text.partition("=")
        if not equals or not name or name in pairs:
            message = "each `--param` is NAME=VALUE, and each name stands once"
            raise BadRequest(message)
        pairs[name] = value
    return pairs
