"""One worker of a supervisor: `python -m withhold.serve.worker FILE PLANE FD LIFELINE DRAIN`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from socket import socket

from withhold import config
from withhold.errors import WithholdError
from withhold.serve import loop
from withhold.serve.log import configure
from withhold.serve.run import serve_here
from withhold.terminal import Exit, complain
from withhold.wiring import Plane


def main(arguments: Sequence[str]) -> int:
    """Serve one plane on an inherited socket until told to stop."""
    file, plane, descriptor, lifeline, drain_s = arguments
    configure()
    try:
        loop.run(
            serve_here(
                config.load_deployment(Path(file)),
                {Plane(plane): socket(fileno=int(descriptor))},
                shared=True,
                lifeline=int(lifeline),
                drain_s=float(drain_s),
            )
        )
    except WithholdError as error:
        complain(error)
        return Exit.FAILED
    return Exit.DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
