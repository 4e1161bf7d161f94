"""Bodies: what the store answers, the same bytes for everybody and in each run.

`ACCOUNT` is 1 KB, 25 fields of which 6 are covered; `SESSIONS` is 100 KB, 200 records of 20 fields
of which 5 are. All values that are covered are in their normal form already, and every record is
within targets and period: so a peer that only picks fields gives the same answer as ours, and is
spared what ours checks.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from string import ascii_letters, digits
from typing import Any, Final

RECORDS: Final = 200
_LETTERS: Final = ascii_letters + digits + "  .-/"
TARGET: Final = "@u0:example.test"
OTHER_TARGET: Final = "@u1:example.test"
FIRST_MS: Final = 1_700_000_000_000  # 2023-11-14T22:13:20Z, within the warrant's period

ACCOUNT_FIELDS: Final = ("account", "name", "phone", "email", "ip", "created")
SESSION_FIELDS: Final = ("id", "account", "ip", "seen", "agent")
# In the order in which the kernel's lines cover them.
COLUMNS: Final = tuple(f"column_{k}" for k in range(13))
ALL_SESSION_FIELDS: Final = (*SESSION_FIELDS, "port", "score", *COLUMNS)


@dataclass(frozen=True)
class Workload:
    """One answer of the store, and which of it is covered."""

    name: str
    resource: str
    path: str  # of the store; behind `/stores/bench` for ours
    body: bytes
    rows: str | None  # the member that holds the records; None: the whole is one
    covered: tuple[str, ...]

    def filtered(self) -> Any:  # noqa: ANN401 - JSON
        """Give the answer that is expected of all that filter."""
        document = json.loads(self.body)
        if self.rows is None:
            return {name: document[name] for name in self.covered}
        return {self.rows: [{n: row[n] for n in self.covered} for row in document[self.rows]]}


def account() -> bytes:
    """Give the 1 KB of an account."""
    fields: dict[str, Any] = {
        "account": TARGET,
        "name": "Alice Archer",
        "phone": "+442079460220",
        "email": "alice.archer@example.test",
        "ip": "198.51.100.7",
        "created": FIRST_MS,
        "password_hash": "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub",
        "two_factor": True,
        "login_count": 1842,
        "risk_score": 0.71,
    }
    rng = Random(3)
    fields |= {f"column_{k}": _text(rng, rng.randint(12, 36)) for k in range(14)}
    return _padded(fields, 1_024)


def sessions(first: str = TARGET, second: str = OTHER_TARGET) -> list[dict[str, Any]]:
    """Give 200 sessions of 20 fields, half of them of each account."""
    rng = Random(1)
    return [
        {name: _text(rng, rng.randint(4, 23)) for name in COLUMNS}
        | {
            "id": i + 1,
            "account": (first, second)[i % 2],
            "ip": ".".join(str(rng.randint(1, 255)) for _ in range(4)),
            "seen": FIRST_MS + i * 1_000,
            "port": 443,
            "score": 1.5,
            "agent": "Mozilla/5.0 (X11; Linux x86_64)",
        }
        for i in range(RECORDS)
    ]


def lines(count: int) -> bytes:
    """Give NDJSON: `count` sessions of one account, a line each."""
    rows = sessions(TARGET, TARGET)
    made = [json.dumps(rows[i % RECORDS], separators=(",", ":")) for i in range(count)]
    return "".join(f"{line}\n" for line in made).encode()


def _text(rng: Random, length: int) -> str:
    """Give text that is nowhere else: whoever keeps equal strings once is not to be flattered."""
    return "".join(rng.choices(_LETTERS, k=length))


def _padded(fields: dict[str, Any], size_bytes: int) -> bytes:
    """Add the last field so that the whole has this size."""
    left = size_bytes - len(json.dumps({**fields, "padding": ""}).encode())
    return json.dumps({**fields, "padding": "y" * left}).encode()


ACCOUNT: Final = Workload("1 KB", "account", f"/accounts/{TARGET}", account(), None, ACCOUNT_FIELDS)
SESSIONS: Final = Workload(
    "100 KB",
    "account-sessions",
    f"/accounts/{TARGET}/sessions",
    json.dumps({"account": TARGET, "rows": sessions()}, separators=(",", ":")).encode(),
    "rows",
    SESSION_FIELDS,
)
WORKLOADS: Final[Sequence[Workload]] = (ACCOUNT, SESSIONS)
