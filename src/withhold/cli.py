"""The command line: `withhold COMMAND …` (contract §9).

Each command is a module of `withhold.commands`, loaded when it is asked for, so that `--help` and
`freeze` do not wait for what they don't need. Every `WithholdError` ends here: as `error:`, `hint:`
and an exit code.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

from withhold.errors import BadRequest, WithholdError
from withhold.terminal import Exit, complain, note

# The command, its module, and what it does: the parser and a test of the documentation read it.
COMMANDS: Final = {
    "serve": ("serve", "run both planes: the proxy, and the API for warrants and freezes"),
    "demo": ("demo", "everything on this machine with sample stores: disclosures before and after"),
    "init": ("init", "make a working folder: configuration, keys, test signers"),
    "check": ("check", "find the faults of catalogue, policy, its tests and the deployment"),
    "redact": ("redact", "minimize a recorded answer, without any service"),
    "explain": ("explain", "say of each field whether it leaves, why, and which rule decided"),
    "diff": ("diff", "say what is newly disclosed or withheld under another configuration"),
    "learn": ("learn", "list what a recorded answer holds and no catalogue declares"),
    "warrant": ("warrant", "sign, register, approve, suspend, resume, revoke, close, list, show"),
    "freeze": ("freeze", "stop disclosures at once: all, of one store, under one instrument"),
    "thaw": ("thaw", "lift a freeze"),
    "token": ("token", "turn an address's token back into the address, with a second person"),
    "keys": ("keys", "make the keys of a deployment, of a signer, of a caller"),
    "report": ("report", "the transparency report of a period: HTML, CSV or JSON"),
    "ledger": ("ledger", "verify, show, prove, export: what was disclosed, and that it is whole"),
    "bench": ("bench", "measure a deployment on this machine, before a synthetic store"),
    "prune": ("prune", "make what was kept long enough to be no more; the log still verifies"),
    "status": ("status", "say what is served and by whom, what is frozen, what waits for a person"),
}

ENDING: Final = """exit codes: 0 done; 1 a check found a fault; 2 wrong use; 3 could not do it

Commands that talk to a running Withhold take its address from WITHHOLD_URL (the control plane's,
http://127.0.0.1:8471 unless set) and a caller's token from WITHHOLD_TOKEN or --token-file."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaints read like all others."""

    def error(self, message: str) -> NoReturn:
        """Write `error:` and `hint:`, and leave with the code for wrong use."""
        complain(BadRequest(message, f"{self.prog} --help"))
        sys.exit(Exit.USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    chosen = parser(words[0] if words else "").parse_args(words)
    if "run" not in chosen:
        parser("").print_help(sys.stderr)
        return Exit.USAGE
    try:
        code: int = chosen.run(chosen)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has had enough of it. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except KeyboardInterrupt:
        note()
        return 130  # 128 + SIGINT, as a shell has it
    except WithholdError as error:
        complain(error)
        return Exit.USAGE if isinstance(error, BadRequest) else Exit.FAILED
    except OSError as error:
        # `strerror` and the path that was named; an OSError's text holds nothing that was read.
        place = f"`{error.filename}`: " if error.filename else ""
        complain(WithholdError(f"{place}{(error.strerror or 'input or output failed').lower()}"))
        return Exit.FAILED
    return code


def parser(command: str) -> Parser:
    """Build the parser: of `command` in full, of all others their names only."""
    root = Parser(
        prog="withhold",
        description="It discloses what the warrant covers and withholds the rest.",
        epilog=ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"withhold {_version()}")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for name, (module, does) in COMMANDS.items():
        loaded: Any = import_module(f"withhold.commands.{module}") if name == command else None
        about = (loaded.__doc__ or "").strip() if loaded is not None else does
        inner = commands.add_parser(
            name, help=does, description=about, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if loaded is not None:
            loaded.add_arguments(inner)
            inner.set_defaults(command=name)
    return root


def _version() -> str:
    return str(import_module("withhold").__version__)
