"""Standing: what a node knows of states and freezes, half a second old at most, or nothing.

A thread of its own polls the registry and the freeze files every 0.2 s, so that neither a busy
event loop nor a slow disclosure makes a node deaf to a revocation. What it finds is one immutable
snapshot, swapped whole. Age counts from *before* a poll began. Nothing here decides alone: the
append of a receipt asks the database again, in its own transaction.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from withhold.adapters.freezes import list_freezes
from withhold.errors import DatabaseUnavailable
from withhold.kinds.instant import Instant
from withhold.names import InstrumentName, State, StoreName, WarrantId
from withhold.ports import Changes, Freeze

POLL_S: Final = 0.2
MAX_AGE_NS: Final = 500_000_000
_SECOND_NS: Final = 1_000_000_000

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the last good poll of the registry said. `seen_ns`: the monotonic clock before it."""

    seen_ns: int
    sequence: int
    ahead_ns: int  # of the monotonic clock is the database's
    states: Mapping[WarrantId, State]
    heard: Mapping[WarrantId, int]  # the sequence number of the poll that last told of it
    freezes: frozenset[Freeze]


@dataclass(frozen=True, slots=True)
class _Filed:
    """What the last good look at the freeze files said."""

    seen_ns: int
    freezes: frozenset[Freeze]


class Standing:
    """The states and freezes as this node knows them. Start it, or call `poll` oneself."""

    def __init__(
        self,
        changes: Callable[[int], Changes],
        folder: Path,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        ended: Callable[[], Mapping[WarrantId, State]] = dict,
        frozen: Callable[[], frozenset[Freeze]] = frozenset,
    ) -> None:
        """`changes`: `changes_now` of a registry; `folder`: of the freeze files.

        `ended`, `frozen`: what this process knows to have ended and the registry does not yet.
        """
        self._changes = changes
        self._folder = folder
        self._clock_ns = clock_ns
        self._ended_here = ended
        self._frozen_here = frozen
        self._known: _Known | None = None
        self._filed: _Filed | None = None
        self._listeners: list[Callable[[], None]] = []
        self._complaints: set[str] = set()
        self._polling = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="withhold-standing", daemon=True)

    def start(self) -> None:
        """Poll once, so that a healthy node knows all at once, and then for ever."""
        self.poll()
        self._thread.start()

    def close(self) -> None:
        """End the thread, which was started."""
        self._ended.set()
        self._thread.join()

    def poll(self) -> None:
        """Look once, in the calling thread. What can't be read stays as old as it is."""
        with self._polling:
            # The files first: they are there for when the database does not answer at all.
            self._poll_files()
            self._poll_registry()
        for looked in self._listeners:
            looked()

    def listen(self, looked: Callable[[], None]) -> None:
        """Have `looked` called after every look, in the thread that looked."""
        self._listeners.append(looked)

    def sequence(self) -> int:
        """Give how far this node has heard of changes; it only grows."""
        return 0 if self._known is None else self._known.sequence

    def has_changed(self, warrant: WarrantId, since: int) -> bool:
        """Tell whether a change of this warrant was heard of after `since`, a `sequence`."""
        return self._known is None or self._known.heard.get(warrant, 0) > since

    def state_of(self, warrant: WarrantId) -> State | None:
        """Give a warrant's state; None if it was never registered. Raises: DatabaseUnavailable."""
        return self._ended_here().get(warrant) or self._fresh().states.get(warrant)

    def frozen(self, store: StoreName, instrument: InstrumentName) -> bool:
        """Tell whether a freeze is in force, by file, by the database or for this process.

        Raises: DatabaseUnavailable if that is unknown. A freeze by file that was ever seen holds
        until a look at the folder shows that it is gone.
        """
        filed = self._filed
        if _holds(self._frozen_here(), store, instrument):
            return True
        if filed is not None and _holds(filed.freezes, store, instrument):
            return True
        if filed is None or self._is_old(filed.seen_ns):
            raise DatabaseUnavailable("the freeze files could not be read of late")
        return _holds(self._fresh().freezes, store, instrument)

    def now(self) -> Instant:
        """Give the database's clock, carried on by this machine's. Raises: DatabaseUnavailable."""
        known = self._fresh()
        second, rest_ns = divmod(known.ahead_ns + self._clock_ns(), _SECOND_NS)
        return Instant(second, f"{rest_ns:09}".rstrip("0"))

    def _fresh(self) -> _Known:
        known = self._known
        if known is None or self._is_old(known.seen_ns):
            raise DatabaseUnavailable("the database did not answer of late")
        return known

    def _is_old(self, seen_ns: int) -> bool:
        return self._clock_ns() - seen_ns > MAX_AGE_NS

    def _poll_files(self) -> None:
        seen_ns = self._clock_ns()
        try:
            self._filed = _Filed(seen_ns, list_freezes(self._folder))
        except DatabaseUnavailable as error:
            self._complain("files", error)
        else:
            self._complaints.discard("files")

    def _poll_registry(self) -> None:
        seen_ns = self._clock_ns()
        known = self._known
        try:
            found = self._changes(0 if known is None else known.sequence)
        except DatabaseUnavailable as error:
            self._complain("registry", error)
            return
        self._complaints.discard("registry")
        states: Mapping[WarrantId, State] = {} if known is None else known.states
        heard: Mapping[WarrantId, int] = {} if known is None else known.heard
        changed = dict(found.states)
        if changed:
            states = {**states, **changed}
            heard = {**heard, **dict.fromkeys(changed, found.sequence)}
        fraction_ns = int(found.now.fraction[:9].ljust(9, "0"))
        ahead_ns = found.now.second * _SECOND_NS + fraction_ns - seen_ns
        self._known = _Known(seen_ns, found.sequence, ahead_ns, states, heard, found.freezes)

    def _complain(self, about: str, error: DatabaseUnavailable) -> None:
        """Log the first of a row of failures, not five a second."""
        if about not in self._complaints:
            self._complaints.add(about)
            _log.warning("%s", error)

    def _run(self) -> None:
        while not self._ended.wait(POLL_S):
            try:
                self.poll()
            except Exception as error:  # noqa: BLE001 - a fault of ours must age, not go unnoticed
                _log.error("a poll failed by a fault of ours: %s", type(error).__name__)


def _holds(freezes: frozenset[Freeze], store: StoreName, instrument: InstrumentName) -> bool:
    # Asked nine times a request, and hardly ever of any.
    return bool(freezes) and any(freeze.holds(store, instrument) for freeze in freezes)
