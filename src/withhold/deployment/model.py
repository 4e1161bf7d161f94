"""The deployment as values. Secrets are not in it: they are references, read when needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from withhold.ledger.note import VerifierKey
from withhold.names import CallerName, Role, StoreName
from withhold.toml.lines import Lines
from withhold.warrant.model import Signer


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is: `env:NAME` or `file:PATH`; never the secret itself."""

    scheme: str  # "env" or "file"
    place: str  # a variable's name, or an absolute path


@dataclass(frozen=True, slots=True)
class Listen:
    """A TCP address to listen on."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds, each with a default that suits most stores (`[limits]` in the file)."""

    store_timeout_s: float = 10.0  # to the answer's head, and between two of its pieces
    answer_timeout_s: float = 60.0  # for a whole answer that is no stream, pages included
    max_answer_bytes: int = 16 * 2**20  # decoded, all pages together; a stream has no such bound
    max_line_bytes: int = 2**20  # one line of a stream
    max_expansion: int = 200  # decoded bytes per encoded byte, beyond the first mebibyte
    max_header_bytes: int = 16 * 2**10  # request line and headers of a caller
    max_concurrency: int = 256  # requests under way; more are 429
    store_connections: int = 64  # to one store


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept stays whoever asks (`[retention]` in the file)."""

    least_days: int = 90  # before that nothing can be pruned


@dataclass(frozen=True)
class StoreEntry:
    """One `[[store]]`."""

    name: StoreName
    base_url: str
    headers: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True)
class CallerEntry:
    """One `[[caller]]`; its token is known by its SHA-256 only."""

    name: CallerName
    token_sha256: bytes  # 32 bytes
    roles: frozenset[Role]
    stores: frozenset[StoreName]


@dataclass(frozen=True, slots=True)
class WitnessEntry:
    """One `[[witness]]`: somebody else who signs that the log only grows."""

    url: str  # what `/add-checkpoint` is put behind; without a slash at its end
    key: VerifierKey


@dataclass(frozen=True)
class Deployment:
    """One `withhold.toml`. Every path is absolute."""

    file: Path
    deployment: str
    data_plane: Listen
    control_plane: Listen
    redis_url: Secret | str | None  # None: in memory
    database_url: Secret | str  # an SQLite path in it is absolute
    keys_path: Path
    stores: Mapping[StoreName, StoreEntry]
    callers: tuple[CallerEntry, ...]
    signers: tuple[Signer, ...]
    ledger_origin: str = ""  # what the log is called in its checkpoints; its key bears the name
    witnesses: tuple[WitnessEntry, ...] = ()
    limits: Limits = Limits()
    retention: Retention = Retention()
    # Where things stand in the file, for what is found out later: `lines.of(("signer", 2))`.
    lines: Lines = field(default_factory=Lines, repr=False, compare=False)
