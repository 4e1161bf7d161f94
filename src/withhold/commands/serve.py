"""Run both planes: the proxy for callers, and the API for warrants and freezes.

With one worker both run in this process. With more, each worker is a process of its own that
serves the proxy, one serves the API, and any that dies is started anew. What happens is logged to
standard error, one JSON object a line. SIGTERM and SIGINT let requests under way end first.

  withhold serve
  withhold serve -c /etc/withhold/withhold.toml --workers 4
"""

import argparse

from withhold.commands.options import add_config, deployment_file
from withhold.errors import BadRequest
from withhold.serve.log import configure
from withhold.serve.run import serve
from withhold.terminal import Exit

MAX_WORKERS = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes for the proxy (default: 1)"
    )
    add_config(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    if not 1 <= arguments.workers <= MAX_WORKERS:
        message = f"`--workers` is a number from 1 to {MAX_WORKERS}"
        raise BadRequest(message)
    configure()
    serve(deployment_file(arguments), arguments.workers)
    return Exit.DONE
