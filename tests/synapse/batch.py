"""`withhold`, several commands one after another in one process: most of a command is its start.

Reads `[[out, word, …], …]` as JSON from standard input; what a command prints goes to the file
`out`. Ends with the exit code of the first command that fails.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from withhold.cli import main

if __name__ == "__main__":
    for out, *words in json.load(sys.stdin):
        with (
            Path(out).open("wb") as file,
            io.TextIOWrapper(file, encoding="utf-8") as printed,
            contextlib.redirect_stdout(printed),
        ):
            code = main(words)
        if code:
            sys.exit(code)
