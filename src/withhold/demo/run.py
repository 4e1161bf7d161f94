"""The demo from beginning to end: set the stage, tell the story, and stay or go."""

import asyncio
import signal
import sys

import httpx

from withhold.adapters.keyfiles import read_private, write_private
from withhold.demo.people import ALICE
from withhold.demo.stage import Stage, stage
from withhold.demo.story import EPOC, tell
from withhold.errors import WithholdError
from withhold.terminal import Ink, out, paint, table


class DemoFailed(WithholdError):
    """Something did not answer as it does."""


async def play(*, once: bool) -> None:
    """Play the demo. `once`: end after the story, do not stay up. Raises: WithholdError."""
    async with stage() as set_up:
        _introduce(set_up)
        try:
            await tell(set_up)
        except httpx.HTTPError as error:
            failed = type(error).__name__
        else:
            failed = ""
        if failed:
            message = f"a request of the demo failed: {failed}"
            raise DemoFailed(message)
        if not once:
            _invite(set_up)
            sys.stdout.flush()  # it may be a file, which somebody reads meanwhile
            await _until_told()


def _introduce(set_up: Stage) -> None:
    out(paint("Withhold discloses what the warrant covers and withholds the rest.", Ink.BOLD))
    out()
    rows = [
        ("store", set_up.urls["store"], "a small messenger that never was"),
        ("proxy", set_up.urls["proxy"], "the only way to it"),
        ("control", set_up.urls["control"], "warrants, signatures, freezes"),
        ("cache", "Redis" if set_up.redis else "in memory", "of compiled allowlists"),
        ("folder", str(set_up.starter.folder)),  # last of its row: it may be long
    ]
    for line in table(rows, indent="  "):
        out(line)


def _invite(set_up: Stage) -> None:
    """Print commands that can be pasted as they stand; no token is in any of them."""
    folder = set_up.starter.folder / "secrets"
    token = read_private(set_up.starter.tokens["disclosure-service"]).decode().strip()
    header = folder / "disclosure-service.header"
    write_private(header, f"Authorization: Bearer {token}\n".encode())
    url = f"{set_up.urls['proxy']}/stores/sample/accounts/{ALICE}"
    out()
    out(paint("It stays up until Ctrl-C. In another terminal:", Ink.BOLD))
    out()
    out(f"  curl -s {set_up.urls['store']}/accounts/{ALICE}")
    out(f"  curl -s -H @{header} \\")
    out(f"    -H 'Withhold-Warrant: {EPOC.id}' {url}")
    out()
    out(f"  export WITHHOLD_URL={set_up.urls['control']}")
    operator = set_up.starter.tokens["operator"]
    for command in ("status", "warrant list", "freeze --store sample", "thaw --store sample"):
        out(f"  withhold {command} --token-file {operator}")


async def _until_told() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
