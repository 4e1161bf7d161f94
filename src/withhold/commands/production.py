"""What is good enough to try things out, and not to disclose anything about anybody. Pure.

`check --production` refuses these; each fault names what in the deployment file it is about.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from withhold.deployment.model import Deployment
from withhold.names import Role, SignerRole
from withhold.policy.model import Policy
from withhold.starter import TEST_PERSON
from withhold.warrant.model import Signer

# Whoever holds the first must not hold any of the others: nobody watches over himself.
APART: Final = {
    Role.DISCLOSE: frozenset({Role.OPERATE, Role.TUNE, Role.AUDIT}),
    Role.AUDIT: frozenset({Role.OPERATE, Role.TUNE, Role.REVEAL}),
}
_ENCRYPTED: Final = frozenset({"require", "verify-ca", "verify-full"})  # libpq's `sslmode`


def production_faults(
    deployment: Deployment, policy: Policy, database_url: str, redis_url: str | None
) -> Iterator[tuple[str, str]]:
    """Give each fault and a hint. The URLs are those meant, their secrets read."""
    yield from _plain_http(deployment)
    yield from _plain_servers(database_url, redis_url)
    yield from _roles(deployment)
    yield from _signers(deployment.signers, policy)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine's own, so that nothing leaves it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _plain_http(deployment: Deployment) -> Iterator[tuple[str, str]]:
    for name, listen in (
        ("data_plane", deployment.data_plane),
        ("control_plane", deployment.control_plane),
    ):
        if not is_loopback(listen.host):
            yield (
                f"`{name}.listen` is plain HTTP beyond this machine",
                "listen on 127.0.0.1, and let a TLS proxy of yours take it from there",
            )
    for entry in deployment.stores.values():
        url = urlsplit(entry.base_url)
        if url.scheme != "https" and not is_loopback(url.hostname or ""):
            yield f"the store `{entry.name}` is called by plain HTTP", "give it an https `base_url`"


def _plain_servers(database_url: str, redis_url: str | None) -> Iterator[tuple[str, str]]:
    database = urlsplit(database_url)
    modes = parse_qs(database.query).get("sslmode", [])
    if database.hostname and not is_loopback(database.hostname) and not _ENCRYPTED & set(modes):
        yield "the database is called without TLS", "add `?sslmode=verify-full` to its URL"
    if redis_url is not None:
        redis = urlsplit(redis_url)
        hosts = [host.rpartition(":")[0] for host in redis.netloc.rpartition("@")[2].split(",")]
        remote = any(host and not is_loopback(host) for host in hosts)
        if redis.scheme.startswith("redis") and not redis.scheme.startswith("rediss") and remote:
            yield "Redis is called without TLS", "give it a rediss URL"


def _roles(deployment: Deployment) -> Iterator[tuple[str, str]]:
    for caller in deployment.callers:
        for role, others in APART.items():
            both = sorted(others & caller.roles)
            if role in caller.roles and both:
                yield (
                    f"the caller `{caller.name}` may both `{role}` and `{both[0]}`",
                    "these must be apart: make two callers",
                )


def _signers(signers: Iterable[Signer], policy: Policy) -> Iterator[tuple[str, str]]:
    roles: dict[str, set[SignerRole]] = defaultdict(set)
    for signer in signers:
        roles[" ".join(signer.person.split()).casefold()].add(signer.role)
        if signer.person.startswith(TEST_PERSON):
            yield (
                f"the signer `{signer.name}` is a test signer",
                "`withhold keys signer` makes real",
            )
        if len(roles[" ".join(signer.person.split()).casefold()]) > 1:
            yield (
                f"the person of the signer `{signer.name}` signs as intake and approves",
                "these must be apart",
            )
    if not any(SignerRole.INTAKE in held for held in roles.values()):
        yield "nobody can sign as intake", "`withhold keys signer NAME --role intake` makes a key"
    approvers = sum(SignerRole.APPROVE in held for held in roles.values())
    for instrument in policy.instruments.values():
        if instrument.approvals > approvers:
            asked = f"`{instrument.name}` asks for {instrument.approvals} approvals"
            yield (
                f"{asked} and {approvers} persons can approve",
                "list more signers with the role `approve`",
            )
