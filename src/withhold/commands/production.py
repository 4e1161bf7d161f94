"""What is good enough to try things out, and not to disclose anything about anybody. Pure.

`check --production` refuses these; each fault says where in the deployment file it stands.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from withhold.deployment.model import Deployment
from withhold.names import Role, SignerRole
from withhold.policy.model import Policy
from withhold.starter import TEST_PERSON
from withhold.toml.lines import KeyPath
from withhold.warrant.model import Signer
from withhold.warrant.verify import person_of

# Whoever holds the first must not hold any of the others: nobody watches over himself.
APART: Final = {
    Role.DISCLOSE: frozenset({Role.OPERATE, Role.TUNE, Role.AUDIT}),
    Role.AUDIT: frozenset({Role.OPERATE, Role.TUNE, Role.REVEAL}),
}
LEAST_DAYS: Final = 30  # what one caller does in a month, others notice
_ENCRYPTED: Final = frozenset({"require", "verify-ca", "verify-full"})  # libpq's `sslmode`


class Weakness(NamedTuple):
    """One thing that production must not have. `at`: where it stands in the deployment file."""

    at: KeyPath
    message: str
    hint: str


def weaknesses(
    deployment: Deployment, policy: Policy, database_url: str, redis_url: str
) -> Iterator[Weakness]:
    """Give everything that is not good enough.

    `database_url`, `redis_url`: as meant, secrets read; empty where there is none, or it is unread.
    """
    yield from _plain_http(deployment)
    yield from _plain_servers(database_url, redis_url)
    yield from _roles_in_one_hand(deployment)
    yield from _persons(deployment.signers)
    yield from _too_few(deployment.signers, policy)
    yield from _witnesses(deployment)
    yield from _retention(deployment)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine's own, so that nothing leaves it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _plain_http(deployment: Deployment) -> Iterator[Weakness]:
    planes = {"data_plane": deployment.data_plane, "control_plane": deployment.control_plane}
    for name, listen in planes.items():
        if not is_loopback(listen.host):
            yield Weakness(
                (name, "listen"),
                f"`{name}` is plain HTTP beyond this machine",
                "listen on 127.0.0.1, and let a TLS proxy of yours take it from there",
            )
    for i, entry in enumerate(deployment.stores.values()):
        url = urlsplit(entry.base_url)
        if url.scheme != "https" and not is_loopback(url.hostname or ""):
            message = f"the store `{entry.name}` is called by plain HTTP"
            yield Weakness(("store", i, "base_url"), message, "give it an https `base_url`")


def _plain_servers(database_url: str, redis_url: str) -> Iterator[Weakness]:
    database = urlsplit(database_url)
    asked = parse_qs(database.query)
    places = [
        database.netloc.rpartition("@")[2],
        *asked.get("host", []),
        *asked.get("hostaddr", []),
    ]
    hosts = [_without_port(unquote(host)) for place in places for host in place.split(",") if host]
    remote = any(not host.startswith("/") and not is_loopback(host) for host in hosts)
    if remote and asked.get("sslmode", [""])[-1] not in _ENCRYPTED:
        message = "the database is called without TLS"
        yield Weakness(("database", "url"), message, "add `?sslmode=verify-full` to its URL")
    redis = urlsplit(redis_url)
    hosts = redis.netloc.rpartition("@")[2].split(",")
    remote = any(host and not is_loopback(_without_port(host)) for host in hosts)
    if remote and not redis.scheme.startswith("rediss"):
        message = "Redis is called without TLS"
        yield Weakness(("cache", "redis_url"), message, "give it a `rediss` URL")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


def _roles_in_one_hand(deployment: Deployment) -> Iterator[Weakness]:
    for i, caller in enumerate(deployment.callers):
        for role, others in APART.items():
            both = sorted(others & caller.roles)
            if role in caller.roles and both:
                message = f"the caller `{caller.name}` may both `{role}` and `{both[0]}`"
                yield Weakness(("caller", i, "roles"), message, "make two callers of it")


def _persons(signers: Iterable[Signer]) -> Iterator[Weakness]:
    roles: dict[str, set[SignerRole]] = defaultdict(set)
    for i, signer in enumerate(signers):
        if signer.person.startswith(TEST_PERSON):
            message = f"the signer `{signer.name}` is a test signer"
            yield Weakness(("signer", i, "person"), message, "`withhold keys signer` makes a key")
        held = roles[person_of(signer)]
        if held and signer.role not in held:
            message = f"the person of `{signer.name}` signs both as intake and as approver"
            yield Weakness(("signer", i, "person"), message, "these must be two persons")
        held.add(signer.role)


def _witnesses(deployment: Deployment) -> Iterator[Weakness]:
    """Ask for a witness: without one, who holds the key can show two logs, one to each reader."""
    if not deployment.witnesses:
        message = "no witness signs the ledger's checkpoints"
        hint = "add a `[[witness]]`: its `url` and `key`, as its operator publishes them"
        yield Weakness(("ledger",), message, hint)
    for i, witness in enumerate(deployment.witnesses):
        url = urlsplit(witness.url)
        if url.scheme != "https" and not is_loopback(url.hostname or ""):
            message = f"the witness `{witness.key.name}` is asked by plain HTTP"
            yield Weakness(("witness", i, "url"), message, "give it an https `url`")


def _retention(deployment: Deployment) -> Iterator[Weakness]:
    """Ask for a least age: without one, a caller destroys at once what tells of what it did."""
    days = deployment.retention.least_days
    if days < LEAST_DAYS:
        message = f"what is {days} days old can be pruned"
        hint = f"set `least_days` to {LEAST_DAYS} or more"
        yield Weakness(("retention", "least_days"), message, hint)


def _too_few(signers: Iterable[Signer], policy: Policy) -> Iterator[Weakness]:
    persons = {
        role: {person_of(each) for each in signers if each.role is role} for role in SignerRole
    }
    if not persons[SignerRole.INTAKE]:
        yield Weakness(("signer",), "nobody can sign as intake", "list a signer with that role")
    approvers = len(persons[SignerRole.APPROVE])
    for instrument in policy.instruments.values():
        if instrument.approvals > approvers:
            asked = f"`{instrument.name}` asks for {instrument.approvals} approvals"
            message = f"{asked}, and the persons who can approve are {approvers}"
            yield Weakness(("signer",), message, "list more signers with the role `approve`")
