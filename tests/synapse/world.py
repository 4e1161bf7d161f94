"""The world: who is in Synapse, and what they did, before anything is asked of Withhold.

Alice and Carol are targets, Bob, Dave and Erin are not. What a person can choose is a canary, so
that it is known wherever it turns up. The period is March 2024: what is dated by Synapse itself, as
the first events of a room are, lies long after it.
"""

from dataclasses import dataclass
from typing import Any

from tests.synapse.canaries import Canaries
from tests.synapse.conversation import Period, hold
from tests.synapse.homeserver import Homeserver

SINCE_MS = 1_709_251_200_000  # 2024-03-01T00:00:00Z
UNTIL_MS = 1_711_929_600_000  # 2024-04-01T00:00:00Z
WITHIN_MS = 1_710_000_000_000
PERIOD = {"from": "2024-03-01T00:00:00Z", "until": "2024-04-01T00:00:00Z"}

PHONE = "442079460220"  # as Synapse keeps it: Ofcom's numbers for drama
SECOND_PHONE = "441632960961"

# What a value of the world is in its normal form, written by hand; None: it has none.
NORMAL_IP: dict[str, str | None] = {
    "198.51.100.7": "198.51.100.7",
    "2001:DB8::0:7": "2001:db8::7",
    "::ffff:192.0.2.33": "192.0.2.33",
    "203.0.113.77": "203.0.113.77",
    "203.0.113.78": "203.0.113.78",
    "203.0.113.99": "203.0.113.99",
    "unknown": None,
}
NORMAL_PHONE: dict[str, str | None] = {
    PHONE: "+442079460220",
    SECOND_PHONE: "+441632960961",
}


@dataclass(frozen=True)
class World:
    """Who there is, and where."""

    server: Homeserver
    canaries: Canaries
    alice: str
    carol: str
    bob: str
    email: str  # Alice's
    bob_email: str
    bob_phone: str
    den: str  # the room of all of them
    attic: str  # Bob's alone
    absent: str  # an account that was never made
    elsewhere: str  # an account of another server

    def named(self, about: str) -> str:
        """Give the one canary that was planted there."""
        (found,) = [each for each in self.canaries.all if each[8:] == about]
        return found

    @property
    def targets(self) -> list[dict[str, str]]:
        """The targets of a warrant, as it writes them."""
        return [
            {"kind": "id", "value": self.alice},
            {"kind": "id", "value": self.carol},
            {"kind": "phone", "value": "+44 20 7946 0220"},
            {"kind": "email", "value": self.email},
        ]

    @property
    def target_ids(self) -> frozenset[str]:
        """The accounts among them."""
        return frozenset({self.alice, self.carol})


def populate(server: Homeserver) -> World:
    """Put everybody and everything in."""
    new = Canaries()
    email, bob_email = f"{new('email')}@example.test", f"{new('bobs')}@example.test"
    bob_phone = "447700900123"
    # A word is no phone number, and Synapse takes it.
    odd_phone = new("word")
    NORMAL_PHONE[odd_phone] = None
    alice = _account(server, new, "alice", phones=[PHONE, SECOND_PHONE, odd_phone], emails=[email])
    carol = _account(server, new, "carol", phones=[], emails=[])
    bob = _account(server, new, "bob", phones=[bob_phone], emails=[bob_email])
    dave = _account(server, new, "dave", phones=[], emails=[])
    erin = _account(server, new, "erin", phones=[], emails=[])
    _connect_all(server, new, alice, carol, bob)
    den = hold(server, new, (alice, carol, bob, dave, erin), Period(SINCE_MS, UNTIL_MS, WITHIN_MS))
    attic = server.create_room(bob, name=new("atticname"))
    server.say(bob, attic, new("atticmessage"), at_ms=WITHIN_MS)
    return World(
        server=server,
        canaries=new,
        alice=alice,
        carol=carol,
        bob=bob,
        email=email,
        bob_email=bob_email,
        bob_phone=bob_phone,
        den=den,
        attic=attic,
        absent=f"@{new('absent')}:example.test",
        elsewhere=f"@{new('elsewhere')}:elsewhere.test",
    )


def _account(
    server: Homeserver, new: Canaries, name: str, *, phones: list[str], emails: list[str]
) -> str:
    picture: dict[str, Any] = {"avatar_url": f"mxc://example.test/{new(name + 'picture')}"}
    provider = {"auth_provider": new(f"{name}provider"), "external_id": new(f"{name}external")}
    return server.register(
        new(name),
        displayname=new(f"{name}name"),
        phones=phones,
        emails=emails,
        external_ids=[provider],
        **picture,
    )


def _connect_all(server: Homeserver, new: Canaries, alice: str, carol: str, bob: str) -> None:
    """Log devices in, let them connect, and move the connections to where the period ends."""
    connections = [
        (alice, "phone", "198.51.100.7", WITHIN_MS),
        (alice, "first", "::ffff:192.0.2.33", SINCE_MS),
        (alice, "last", "unknown", UNTIL_MS - 1),
        (alice, "late", "203.0.113.77", UNTIL_MS),
        (alice, "early", "203.0.113.78", SINCE_MS - 1),
        (alice, "laptop", "2001:DB8::0:7", WITHIN_MS + 1),
        (carol, "carols", "198.51.100.7", WITHIN_MS + 2),  # from where Alice was, too
        (bob, "bobs", "203.0.113.99", WITHIN_MS),
    ]
    for user, name, ip, _ in connections:
        server.log_in(
            user,
            device_id=new(f"{name}device"),
            device_name=new(f"{name}devicename"),
            ip=ip,
            user_agent=new(f"{name}agent"),
        )
    server.log_in(alice, device_id=new("sparedevice"), device_name=new("sparedevicename"))
    for user, _, ip, seen_ms in connections:
        server.backdate_connection(user, ip, seen_ms=seen_ms)
