"""`withhold`, with every logger of every library at its most verbose, for who looks for leaks.

Run as a program: the same command line, and nothing else changed.
"""

import logging
import sys
from unittest.mock import patch

from withhold.cli import main
from withhold.commands import serve
from withhold.serve.log import configure


def _configure_loudly() -> None:
    configure(logging.DEBUG)
    logging.getLogger().setLevel(logging.NOTSET)


if __name__ == "__main__":
    with patch.object(serve, "configure", _configure_loudly):
        sys.exit(main())
