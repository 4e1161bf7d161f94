"""Parts: what a data plane is made of. Built by the wiring, the same objects for every request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from withhold.adapters.refusals import Refusals
from withhold.bundle import Bundle
from withhold.deployment.model import CallerEntry, Limits
from withhold.kinds.instant import Instant
from withhold.ledger.receipt import ReceiptId
from withhold.names import StoreName, WarrantId
from withhold.ports import Cache, Ledger, Registry, Store, TokenKeys
from withhold.proxy.closings import Closings
from withhold.proxy.warrants import Standing
from withhold.warrant.model import Signer, Target


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
    commit_target: Callable[[WarrantId, Target], str]  # keyed: see `keyring`
    token_keys: TokenKeys
    cache: Cache
    cache_key: Callable[[], bytes]  # authenticates what the cache holds; 32 bytes
    stores: Mapping[StoreName, Store]
    now: Callable[[], Instant]  # this node's clock, for receipts; the database's decides
    new_receipt_id: Callable[[], ReceiptId]
