"""Configuration on disk: bundle files, the deployment file, secrets. I/O, and nothing decided here.

`load("config")` gives what Python callers work with (contract §11); `load_deployment` what a node
is wired from. What is read is parsed and checked by the pure modules that the values come from.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from withhold.adapters.keyfiles import KeyFolder, read_private
from withhold.allowlist.compile import compile_allowlist
from withhold.allowlist.model import Allowlist
from withhold.bundle import Bundle, parse_bundle
from withhold.deployment.model import Deployment, Secret
from withhold.deployment.parse import parse_deployment
from withhold.errors import BadRequest, ConfigError, Fault, KeyUnavailable, WarrantError
from withhold.minimize.minimizer import Minimizer, subject_of
from withhold.names import ResourceName
from withhold.warrant.model import Warrant

FOLDERS: Final = ("catalogue", "policy")
MAX_FILE_BYTES: Final = 4 * 2**20

_log: Final = logging.getLogger(__name__)
_WHERE: Final = "run in the folder that `withhold init` made, or name one with -c"
_WHEEL: Final = Path(__file__).parent / "shipped"
_CLONE: Final = Path(__file__).parents[2] / "config"  # in a checkout


class People:
    """The callers and the signers in force: those of the deployment file, as it is now.

    Tokens and signers' keys so change without stopping. What can't be read, or is at fault, changes
    nothing; all else in the file is read when a node starts.
    """

    def __init__(self, deployment: Deployment) -> None:
        """`deployment`: as it was read a moment ago."""
        self.callers = deployment.callers
        self.signers = deployment.signers
        self._file = deployment.file
        self._read = self._seen = _stamp(deployment.file)

    def look(self) -> None:
        """Read the file anew if it has changed, and not since the last look: it is whole then."""
        before, self._seen = self._seen, _stamp(self._file)
        if self._seen is None or self._seen != before or self._seen == self._read:
            return
        self._read = self._seen
        try:
            found = load_deployment(self._file)
        except ConfigError as error:
            first = error.faults[0]
            _log.warning("callers and signers stay as they were: line %d is at fault", first.line)
            return
        self.callers, self.signers = found.callers, found.signers


@dataclass(frozen=True)
class Config:
    """Catalogue and policy, ready to answer for a warrant."""

    bundle: Bundle

    def minimizer(
        self,
        warrant: Warrant,
        resource: str,
        *,
        params: Mapping[str, str] | None = None,
        token_key: bytes | None = None,
    ) -> Minimizer:
        """Make the minimizer of one resource under one warrant.

        `params`: the parameters of the resource's path; `token_key`: 16 bytes, needed only where
        addresses are tokenized. The warrant's state, validity and callers are not looked at.
        Raises: BadRequest, Denied `not-a-target`, WarrantError, KeyUnavailable.
        """
        allowlist = self.allowlist(warrant, resource)
        subject = subject_of(allowlist.resource, warrant.targets, params or {})
        return Minimizer(allowlist, warrant.targets, warrant.period, subject, token_key)

    def allowlist(self, warrant: Warrant, resource: str) -> Allowlist:
        """Compile what a warrant lets out of a resource. Raises: BadRequest, WarrantError."""
        found = self.bundle.catalogue.resources.get(ResourceName(resource))
        if found is None:
            names = ", ".join(f"`{name}`" for name in sorted(self.bundle.catalogue.resources))
            message = f"`{resource}` is no resource of the catalogue"
            raise BadRequest(message, f"there are {names}")
        instrument = self.bundle.policy.instruments.get(warrant.instrument)
        if instrument is None:
            names = ", ".join(f"`{name}`" for name in sorted(self.bundle.policy.instruments))
            message = f"the policy has no instrument `{warrant.instrument}`"
            raise WarrantError(message, f"there are {names}")
        if warrant.jurisdiction != instrument.jurisdiction:
            message = f"the warrant's jurisdiction is not that of `{instrument.name}`"
            raise WarrantError(message, f"`{instrument.name}` is of `{instrument.jurisdiction}`")
        return compile_allowlist(warrant, instrument, self.bundle.policy, found)


def load(folder: str | os.PathLike[str]) -> Config:
    """Load catalogue and policy from a configuration folder.

    Raises: ConfigError with file and line of every fault.
    """
    return Config(parse_files(folder, read_bundle(folder)))


def parse_files(folder: str | os.PathLike[str], files: Mapping[str, bytes]) -> Bundle:
    """Parse a bundle's files; its faults name the files as they are reached from here.

    Raises: ConfigError.
    """
    try:
        return parse_bundle(files)
    except ConfigError as error:
        faults = [placed(folder, fault) for fault in error.faults]
        warnings = tuple(placed(folder, fault) for fault in error.warnings)
    raise ConfigError(*faults, warnings=warnings)


def placed(folder: str | os.PathLike[str], fault: Fault) -> Fault:
    """Give a fault or warning of a bundle with its file's name as it is reached from here."""
    return Fault(str(Path(folder) / fault.file), fault.line, fault.message, fault.hint)


def read_bundle(folder: str | os.PathLike[str]) -> dict[str, bytes]:
    """Read a bundle's files by their path within the folder, such as `policy/us.toml`.

    Raises: ConfigError.
    """
    return dict(_bundle_files(Path(folder)))


def load_deployment(file: str | os.PathLike[str]) -> Deployment:
    """Load a deployment file. Raises: ConfigError."""
    path = Path(file)
    content = _read(path, str(path))
    try:
        return parse_deployment(content, path.absolute())
    except ConfigError as error:
        faults = [Fault(str(path), each.line, each.message, each.hint) for each in error.faults]
    raise ConfigError(*faults)


def open_keys(deployment: Deployment) -> KeyFolder:
    """Read the deployment's own keys, and again when they change. Raises: KeyUnavailable."""
    if not deployment.keys_path.exists():
        message = f"there are no keys: `{deployment.keys_path}` does not exist"
        raise KeyUnavailable(message, "`withhold keys init` makes them")
    return KeyFolder(deployment.keys_path)


def freezes_folder(deployment: Deployment) -> Path:
    """Give the folder of the node's freeze files: `freezes`, beside the folder of the keys."""
    return deployment.keys_path.parent / "freezes"


def anchor_file(deployment: Deployment) -> Path:
    """Give the file that says how far the ledger was: `ledger.anchor`, beside the keys' folder."""
    return deployment.keys_path.parent / "ledger.anchor"


def read_secret(secret: Secret) -> str:
    """Give what a reference refers to, without the line's end.

    Raises: KeyUnavailable if there is nothing, or others than the owner could read the file.
    """
    if secret.scheme == "env":
        value = os.environ.get(secret.place)
        if not value:
            message = f"the environment variable `{secret.place}` is not set"
            raise KeyUnavailable(message)
        return value
    value = read_private(Path(secret.place)).decode("utf-8", "replace").rstrip("\r\n")
    if not value:
        message = f"`{secret.place}` is empty"
        raise KeyUnavailable(message)
    return value


def read_reference(reference: Secret | str) -> str:
    """Give what is meant: the secret that is referred to, or the text itself. As `read_secret`."""
    return read_secret(reference) if isinstance(reference, Secret) else reference


def shipped() -> Path:
    """Give the folder of the configuration that comes with Withhold."""
    return _WHEEL if _WHEEL.is_dir() else _CLONE


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """Tell one state of a file from another; None: it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _bundle_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for name in FOLDERS:
        inner = folder / name
        if not inner.is_dir():
            message = "there is no such folder"
            hint = f"a configuration has catalogue/*.toml and policy/*.toml\n{_WHERE}"
            raise ConfigError(Fault(str(inner), 0, message, hint))
        for path in sorted(inner.glob("*.toml")):
            yield f"{name}/{path.name}", _read(path, str(path))


def _read(path: Path, shown: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        message = f"can't be read: {(error.strerror or 'unknown').lower()}"
        hint = _WHERE if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(Fault(shown, 0, message, hint)) from None
    if len(content) > MAX_FILE_BYTES:
        message = f"larger than {MAX_FILE_BYTES} bytes"
        raise ConfigError(Fault(shown, 0, message))
    return content
