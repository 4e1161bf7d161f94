"""Parts: what the control plane is made of. Built by the wiring, the same for every request."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from withhold.adapters.pruning import Pruning
from withhold.control.warrants import Office
from withhold.deployment.model import CallerEntry
from withhold.kinds.instant import Instant
from withhold.ledger.note import Signer
from withhold.names import CallerName, Role, StoreName, WarrantId
from withhold.ports import Ledger
from withhold.warrant.model import Target

Handler: TypeAlias = Callable[[Request, CallerEntry], Awaitable[Response]]
Methods: TypeAlias = Mapping[str, tuple[Handler, frozenset[Role]]]  # by method: who may use it
Routes: TypeAlias = Mapping[str, Methods]  # by path
OPERATE = frozenset({Role.OPERATE})
AUDIT = frozenset({Role.AUDIT})
LOOK = frozenset({Role.OPERATE, Role.AUDIT})
TUNE = frozenset({Role.TUNE, Role.OPERATE})
Probe: TypeAlias = Callable[[], Awaitable[str]]  # "ok", or in a few words what is wrong


@dataclass(frozen=True)
class ControlParts:
    """What the control plane is made of."""

    office: Office
    callers: Callable[[], Sequence[CallerEntry]]  # those that there are now
    files: Mapping[str, bytes]  # the bundle, as it was read
    stores: frozenset[StoreName]
    software: str
    probes: Mapping[str, Probe]  # by what they look at: `database`, `redis`, …
    destroy_key: Callable[[WarrantId], Awaitable[str | None]]  # a warrant's token key
    ledger: Ledger
    origin: str  # what the log is called
    log_signers: Callable[[], Sequence[Signer]]  # of its checkpoints and receipts
    opens_target: Callable[[str, WarrantId, Target], bool]  # a commitment, and to whom it may be
    refused: Callable[[CallerName, str], None]  # told the code of what a caller was refused
    now: Callable[[], Instant]  # this node's clock
    freezes: Path  # the folder of this node's freeze files
    metrics: Callable[[], tuple[bytes, str]]  # body and content type
    pruning: Pruning
