"""Transforms: what a value of each kind costs, on our whole way and by the library alone.

Ours is a document of a thousand values, read, checked, transformed and written; the peer is the
library's own call on a string that is there already. `texts` transform nothing: the difference to
them is the transform.
"""

import base64
import ipaddress
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

import phonenumbers
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from benchmarks.bodies import FIRST_MS, TARGET
from benchmarks.effort import Effort
from benchmarks.figures import OURS, Figure, Result, figure
from benchmarks.timing import alternate
from benchmarks.workloads import KEY, minimizer

SECTION: Final = "transforms"
WORKLOAD: Final = "a value"
LIBRARY: Final = "the library"
COUNT: Final = 1_000
PEOPLE: Final = 20  # different numbers, where they recur


@dataclass(frozen=True)
class Case:
    """Values of one kind, and what a library does with one."""

    name: str
    resource: str
    values: Sequence[str | int]
    peer: str
    call: Callable[[str], object]


def measure(effort: Effort) -> Result:
    """Measure all kinds."""
    return Result(tuple(each for case in cases() for each in _measure(case, effort)))


def cases() -> list[Case]:
    """Make the values: the same in each run."""
    rng = Random(4)
    phones = [f"+44 20 7{rng.randint(100, 999)} {i:04d}" for i in range(COUNT)]
    recurring = [phones[rng.randrange(PEOPLE)] for _ in range(COUNT)]
    v4 = [str(ipaddress.IPv4Address(rng.getrandbits(32))) for _ in range(COUNT)]
    v6 = [str(ipaddress.IPv6Address(rng.getrandbits(128))) for _ in range(COUNT)]
    times_ms = [FIRST_MS + i * 61_001 for i in range(COUNT)]
    texts = [f"2023-11-{i % 28 + 1:02d}T10:{i % 60:02d}:00.{i:03d}+01:00" for i in range(COUNT)]
    return [
        Case("texts", "texts", v6, "str", str),
        Case("phones, all different", "phones", phones, "phonenumbers", _phone),
        Case(f"phones, {PEOPLE} that recur", "phones", recurring, "phonenumbers", _phone),
        Case("addresses, IPv4", "addresses", v4, "ipaddress", _address),
        Case("addresses, IPv6", "addresses", v6, "ipaddress", _address),
        Case("tokens, IPv4", "tokens", v4, "ipaddress + AES", _token),
        Case("timestamps, RFC 3339", "timestamps", texts, "datetime", datetime.fromisoformat),
        Case("days, from ms", "days", times_ms, "datetime", _day),
    ]


def _measure(case: Case, effort: Effort) -> list[Figure]:
    ours = minimizer(case.resource, {"account": TARGET})
    body = json.dumps({"values": case.values}).encode()
    if len(json.loads(ours.minimize(body))["values"]) != len(case.values):
        message = f"{case.name}: some were withheld"
        raise ValueError(message)
    values, call = [str(each) for each in case.values], case.call

    def peer() -> None:
        for value in values:
            call(value)

    engines = {OURS: lambda: ours.minimize(body), LIBRARY: peer}
    measured = f"{case.name} ({case.peer})"
    seconds = alternate(engines, rounds=effort.turns, seconds_per_turn=effort.turn_s)
    return [
        figure(SECTION, WORKLOAD, name, measured, "ns", [s / COUNT * 1e9 for s in turns])
        for name, turns in seconds.items()
    ]


def _phone(text: str) -> str:
    number = phonenumbers.parse(text, None)
    if not phonenumbers.is_possible_number(number):
        raise ValueError
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _token(text: str) -> str:
    packed = ipaddress.ip_address(text).packed.rjust(16, b"\0")
    encryptor = Cipher(algorithms.AES(KEY), modes.ECB()).encryptor()  # noqa: S305 - as the draft says
    return base64.b32encode(encryptor.update(packed)).decode().lower()


def _day(text: str) -> str:
    return datetime.fromtimestamp(int(text) / 1e3).date().isoformat()  # noqa: DTZ006 - a cost only
