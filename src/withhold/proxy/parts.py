"""Parts: what a data plane is made of. Built by the wiring, the same objects for every request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from withhold.adapters.refusals import Refusals
from withhold.bundle import Bundle
from withhold.deployment.model import CallerEntry, Limits
from withhold.keyring import KeyRing
from withhold.kinds.instant import Instant
from withhold.ledger.receipt import ReceiptId
from withhold.names import StoreName
from withhold.ports import Cache, Ledger, Registry, Store, TokenKeys
from withhold.proxy.closings import Closings
from withhold.proxy.warrants import Standing
from withhold.warrant.model import Signer


@dataclass(frozen=True)
class Parts:
    """The components, real ones all of them."""

    deployment: str  # the name that signatures are made for
    software: str  # as receipts name it, such as `withhold/0.1.0`
    limits: Limits
    callers: Callable[[], Sequence[CallerEntry]]  # those that there are now
    signers: Callable[[], Sequence[Signer]]  # those in force; the same object until they change
    bundle: Callable[[], Bundle | None]  # the one in force; None: none yet
    registry: Registry
    standing: Standing
    ledger: Ledger
    closings: Closings
    refusals: Refusals
    ring: Callable[[], KeyRing]  # the deployment's keys; the same object until they change
    token_keys: TokenKeys
    cache: Cache
    stores: Mapping[StoreName, Store]
    now: Callable[[], Instant]  # this node's clock, for receipts; the database's decides
    new_receipt_id: Callable[[], ReceiptId]
    new_request_id: Callable[[], str]  # for the log
