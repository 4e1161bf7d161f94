"""Find the faults of a configuration: catalogue, policy, policy tests, deployment, secrets, keys.

Every fault is said with its file and line. Exit code 1 if there is any; warnings change nothing.
With --production also what is good enough to try things out only: plain HTTP beyond this machine,
roles in one hand that must be apart, test signers, too few signers.

  withhold check
  withhold check -c /etc/withhold --production
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from withhold import config
from withhold.bundle import Bundle
from withhold.commands.options import add_config, add_json, config_folder, deployment_file
from withhold.commands.production import production_faults
from withhold.deployment.model import Deployment, Secret
from withhold.errors import ConfigError, Fault, KeyUnavailable
from withhold.terminal import Exit, complain, count, out, out_json, warn

Result = TypeVar("Result")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--production", action="store_true", help="refuse what is only good for trying things out"
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check, and say all that was found."""
    found = _Found()
    folder, file = config_folder(arguments), deployment_file(arguments)
    bundle = found.bundle(folder)
    deployment = found.deployment(file, required=arguments.production)
    if deployment is not None:
        found.secrets(str(file), deployment)
    if bundle is not None and deployment is not None:
        found.stores(str(file), deployment, bundle)
        if arguments.production:
            found.production(str(file), deployment, bundle)
    if arguments.json:
        out_json(_as_json(found, bundle))
    else:
        _print(found, bundle, folder)
    return Exit.FAULT if found.faults else Exit.DONE


class _Found:
    """What was found, in the order in which it was looked for."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []

    def bundle(self, folder: Path) -> Bundle | None:
        try:
            loaded = config.load(folder)
        except ConfigError as error:
            self.faults += error.faults
            return None
        return loaded.bundle

    def deployment(self, file: Path, *, required: bool) -> Deployment | None:
        if not file.exists() and not required:
            message = "there is no deployment file: only catalogue and policy were checked"
            self.warnings.append(Fault(str(file), 0, message))
            return None
        try:
            return config.load_deployment(file)
        except ConfigError as error:
            self.faults += error.faults
            return None

    def secrets(self, file: str, deployment: Deployment) -> None:
        """Read every secret once, and every key."""
        self._try(file, lambda: config.read_keys(deployment))
        for entry in deployment.stores.values():
            for secret in entry.headers.values():
                self._value(file, secret)
        self._value(file, deployment.database_url)
        self._value(file, deployment.redis_url)

    def stores(self, file: str, deployment: Deployment, bundle: Bundle) -> None:
        """Hold the stores of the deployment against those of the catalogue."""
        catalogued = {resource.store for resource in bundle.catalogue.resources.values()}
        for name in sorted(deployment.stores.keys() - catalogued):
            self.faults.append(Fault(file, 0, f"no catalogue knows the store `{name}`"))
        for name in sorted(catalogued - deployment.stores.keys()):
            message = f"the catalogue's store `{name}` is not in the deployment: it can't be asked"
            self.warnings.append(Fault(file, 0, message))

    def production(self, file: str, deployment: Deployment, bundle: Bundle) -> None:
        """Refuse what is only good for trying things out."""
        urls = [
            value if isinstance(value, str) else None
            for value in (deployment.database_url, deployment.redis_url)
        ]
        for message, hint in production_faults(deployment, bundle.policy, *urls):
            self.faults.append(Fault(file, 0, message, hint))

    def _value(self, file: str, reference: Secret | str | None) -> None:
        if isinstance(reference, Secret):
            self._try(file, lambda: config.read_secret(reference))

    def _try(self, file: str, read: Callable[[], Result]) -> Result | None:
        try:
            return read()
        except KeyUnavailable as error:
            self.faults.append(Fault(file, 0, error.message, error.hint))
            return None


def _print(found: _Found, bundle: Bundle | None, folder: Path) -> None:
    for warning in found.warnings:
        warn(f"{_place(warning)}{warning.message}", warning.hint)
    if found.faults:
        complain(ConfigError(*found.faults))
    if bundle is not None:
        counts = [
            count(len(bundle.catalogue.resources), "resource"),
            count(len(bundle.policy.instruments), "instrument"),
            count(len(bundle.policy.rules), "rule"),
            f"{count(len(bundle.policy.tests), 'policy test')} passed",
        ]
        out(f"{folder}: {', '.join(counts)}")
        out(f"bundle {bundle.digest}")
    out(f"{count(len(found.faults), 'fault')}, {count(len(found.warnings), 'warning')}")


def _as_json(found: _Found, bundle: Bundle | None) -> dict[str, object]:
    return {
        "bundle": None if bundle is None else bundle.digest,
        "faults": [_fault(each) for each in found.faults],
        "warnings": [_fault(each) for each in found.warnings],
    }


def _fault(fault: Fault) -> dict[str, object]:
    return {
        "file": fault.file,
        "line": fault.line or None,
        "message": fault.message,
        "hint": fault.hint or None,
    }


def _place(fault: Fault) -> str:
    return f"{fault.file}:{fault.line}: " if fault.line else f"{fault.file}: "
