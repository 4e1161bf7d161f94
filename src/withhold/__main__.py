"""`python -m withhold`."""

import sys

from withhold.cli import main

sys.exit(main())
