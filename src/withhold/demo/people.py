"""The people of the sample store, who never were, and all that it holds of them.

The same data each time: `config/catalogue/sample.toml` describes it. Whatever the catalogue does
not declare holds `CANARY`, so that anybody can see, and a test does, that none of it ever leaves.
Numbers and addresses are from the ranges that are set aside for examples (Ofcom's for drama, RFC
5737, RFC 3849).
"""

from typing import Any, Final

CANARY: Final = "canary"

ALICE: Final = "u-10001"
BOB: Final = "u-10002"
CAROL: Final = "u-10003"

MARCH_2026: Final = 1_772_323_200  # 2026-03-01T00:00:00Z
DAY: Final = 86_400

ACCOUNTS: Final[dict[str, dict[str, Any]]] = {
    ALICE: {
        "account_id": ALICE,
        "name": "Alice Archer",
        "phone": "020 7946 0220",
        "created_at": "2024-05-06T07:08:09+01:00",
        "created_from": "198.51.100.7",
        "two_factor": True,
        "payment": {"method": "card", "card_last4": "4242"},
        "contacts": [
            {"medium": "email", "address": "Alice.Archer@Example.TEST", "verified": True},
            {"medium": "pigeon", "address": f"{CANARY}: a loft in Kent", "verified": False},
        ],
        "password_hash": f"{CANARY}$argon2id$v=19$m=65536",
        "risk_score": f"{CANARY}: 0.71",
        "contact_book": [f"{CANARY}: +44 20 7946 0999"],
    },
    BOB: {
        "account_id": BOB,
        "name": "Bob Butler",
        "phone": "020 7946 0331",
        "created_at": "2023-01-02T03:04:05Z",
        "created_from": "2001:db8::b0b",
        "two_factor": False,
        "payment": {"method": "invoice", "card_last4": None},
        "contacts": [],
        "password_hash": f"{CANARY}$argon2id$v=19$m=65536",
        "risk_score": f"{CANARY}: 0.05",
        "contact_book": [],
    },
}

PHONES: Final[dict[str, dict[str, Any]]] = {
    "+442079460220": {
        "phone": "+44 20 7946 0220",
        "account_id": ALICE,
        "since": "2024-05-06T07:08:09+01:00",
        "carrier_note": f"{CANARY}: ported twice",
    }
}

GROUPS: Final[dict[str, dict[str, Any]]] = {
    "g-1": {"members": [CAROL, ALICE, BOB], "total": 3, "topic": f"{CANARY}: surprise party"}
}


def sessions(account: str) -> dict[str, Any]:
    """Give the sessions of an account: some of March 2026, one before and one after it."""
    rows = [
        ("QBUAZIFURK", "203.0.113.5", 40_112, -9 * DAY),
        ("QBUAZIFURK", "198.51.100.7", 50_341, 3 * DAY + 3_661),
        ("TABLET0042", "198.51.100.7", 50_342, 12 * DAY + 7_322),
        ("QBUAZIFURK", "2001:0db8:0:0::5", 61_000, 40 * DAY),
    ]
    return {
        "account_id": account,
        "count": f"{CANARY}: {len(rows)}",
        "sessions": [
            {
                "device": device,
                "ip": ip,
                "port": port,
                "last_seen": (MARCH_2026 + offset) * 1_000,
                "client": "Sampler/2.1",
                "location": {"country": "GB", "street": f"{CANARY}: 1 High Street"},
                "refresh_token": f"{CANARY}-{port}",
            }
            for device, ip, port, offset in rows
        ],
    }


def devices(account: str) -> dict[str, Any]:
    """Give the devices of an account, keyed by device."""
    return {
        "account_id": account,
        "devices": {
            "QBUAZIFURK": {
                "model": "Sample One",
                "registered_at": MARCH_2026 - 400 * DAY,
                "last_seen": MARCH_2026 + 3 * DAY,
                "push_token": f"{CANARY}-push",
                "trusted_by": [f"{CANARY}: {CAROL}"],
                "connections": [
                    {"ip": "198.51.100.7", "port": 50_341, "at": (MARCH_2026 + 3 * DAY) * 1_000},
                    {"ip": "203.0.113.5", "port": 40_112, "at": (MARCH_2026 - 9 * DAY) * 1_000},
                ],
            },
            "OLDPHONE77": {
                "model": f"{CANARY}: not seen in the period",
                "registered_at": MARCH_2026 - 900 * DAY,
                "last_seen": MARCH_2026 - 300 * DAY,
                "push_token": f"{CANARY}-push",
                "trusted_by": [],
                "connections": [],
            },
        },
    }


def messages(account: str) -> dict[str, Any]:
    """Give the messages of an account; among them one that passed between two others."""
    other = BOB if account == ALICE else ALICE
    rows: list[dict[str, Any]] = [
        {
            "id": "m-1",
            "sender": account,
            "recipient": other,
            "sent_at": MARCH_2026 - 2 * DAY,
            "body": f"{CANARY}: before the period",
        },
        {
            "id": "m-2",
            "sender": account,
            "recipient": other,
            "sent_at": MARCH_2026 + 4 * DAY,
            "body": "The parcel is under the bench.",
            "reactions": {CAROL: f"{CANARY}: thumbs up"},
            "moderation": f"{CANARY}: flagged",
        },
        {
            "id": "m-3",
            "sender": CAROL,
            "recipient": "u-10004",
            "sent_at": MARCH_2026 + 5 * DAY,
            "body": f"{CANARY}: between two others",
        },
    ]
    return {"messages": rows, "cursor": f"{CANARY}-cursor"}


def calls(account: str) -> list[dict[str, Any]]:
    """Give the calls of an account, oldest first: more than one page of them."""
    return [
        {
            "id": f"c-{number}",
            "from": "+44 20 7946 0220",
            "to": f"+44 20 7946 0{300 + number}",
            "started_at": f"2026-03-{number + 1:02d}T10:00:00Z",
            "duration": 60 * number + 1,
            "relay_ip": "198.51.100.7",
            "quality": f"{CANARY}: {account} and the other end",
        }
        for number in range(7)
    ]


def events(account: str, count: int) -> list[dict[str, Any]]:
    """Give the event log of an account: `count` lines, oldest first, a minute between two."""
    kinds = (
        ("login", "198.51.100.7"),
        ("message", "See you at noon."),
        ("phone-changed", "+44 20 7946 0220"),
        ("email-changed", "alice@example.test"),
        ("unknown", f"{CANARY}: an event that the catalogue does not know"),
    )
    return [
        {
            "account": account,
            "at": (MARCH_2026 + 60 * number) * 1_000_000,
            "event": kinds[number % len(kinds)][0],
            "detail": kinds[number % len(kinds)][1],
            "shard": f"{CANARY}-{number % 7}",
            "raw": {"line": f"{CANARY} {number}"},
        }
        for number in range(count)
    ]
