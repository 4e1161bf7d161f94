"""Find the faults of a configuration: catalogue, policy, policy tests, deployment, secrets, keys.

Every fault is said with its file and line. Exit code 1 if there is any; warnings change nothing.
With --production also what is good enough to try things out only: plain HTTP beyond this machine,
roles in one hand that must be apart, test signers, too few signers.

  withhold check
  withhold check -c /etc/withhold --production
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from withhold import config
from withhold.bundle import Bundle, bundle_warnings
from withhold.commands.options import add_config, add_json, config_folder, deployment_file
from withhold.commands.production import weaknesses
from withhold.deployment.model import Deployment, Secret
from withhold.errors import ConfigError, Fault, KeyUnavailable
from withhold.terminal import Exit, complain, count, out, out_json, warn
from withhold.toml.lines import KeyPath


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
    folder, file = config_folder(arguments), deployment_file(arguments)
    faults: list[Fault] = []
    warnings: list[Fault] = []
    bundle = deployment = None
    try:
        bundle = config.load(folder).bundle
        warnings += [config.placed(folder, each) for each in bundle_warnings(bundle)]
    except ConfigError as error:
        faults += error.faults
        warnings += error.warnings
    if file.exists() or arguments.production:
        try:
            deployment = config.load_deployment(file)
        except ConfigError as error:
            faults += error.faults
    else:
        message = "there is no deployment file: only catalogue and policy were checked"
        warnings.append(Fault(str(file), 0, message))
    if deployment is not None:
        faults += check_secrets(file, deployment)
    if deployment is not None and bundle is not None:
        faults += check_stores(file, deployment, bundle)
        warnings += unasked_stores(file, deployment, bundle)
        if arguments.production:
            faults += check_production(file, deployment, bundle)
    if arguments.json:
        out_json(_as_json(bundle, faults, warnings))
    else:
        _print(folder, bundle, faults, warnings)
    return Exit.FAULT if faults else Exit.DONE


def check_secrets(file: Path, deployment: Deployment) -> Iterator[Fault]:
    """Read every key and every secret once, and give what can't be had."""
    references: list[tuple[KeyPath, Secret | str | None]] = [
        (("database", "url"), deployment.database_url),
        (("cache", "redis_url"), deployment.redis_url),
    ]
    for i, entry in enumerate(deployment.stores.values()):
        references += [(("store", i, "headers", name), ref) for name, ref in entry.headers.items()]
    for at, reference in references:
        try:
            config.read_reference(reference or "")
        except KeyUnavailable as error:
            yield _fault(file, deployment, at, error.message, error.hint)
    try:
        config.open_keys(deployment)
    except KeyUnavailable as error:
        yield _fault(file, deployment, ("keys", "path"), error.message, error.hint)


def check_stores(file: Path, deployment: Deployment, bundle: Bundle) -> Iterator[Fault]:
    """Give the stores that no catalogue knows: nothing can be asked of them."""
    catalogued = {resource.store for resource in bundle.catalogue.resources.values()}
    for i, name in enumerate(deployment.stores):
        if name not in catalogued:
            message = f"no catalogue knows the store `{name}`"
            yield _fault(file, deployment, ("store", i, "name"), message)


def unasked_stores(file: Path, deployment: Deployment, bundle: Bundle) -> Iterator[Fault]:
    """Give the catalogue's stores that the deployment has no address of."""
    catalogued = {resource.store for resource in bundle.catalogue.resources.values()}
    for name in sorted(catalogued - deployment.stores.keys()):
        message = f"the catalogue's store `{name}` is not in the deployment: it can't be asked"
        yield Fault(str(file), 0, message)


def check_production(file: Path, deployment: Deployment, bundle: Bundle) -> Iterator[Fault]:
    """Give what is only good for trying things out."""
    urls = []
    for reference in (deployment.database_url, deployment.redis_url):
        try:
            urls.append(config.read_reference(reference or ""))
        except KeyUnavailable:  # a fault of its own, said by `check_secrets`
            urls.append("")
    for at, message, hint in weaknesses(deployment, bundle.policy, *urls):
        yield _fault(file, deployment, at, message, hint)


def _fault(file: Path, deployment: Deployment, at: KeyPath, message: str, hint: str = "") -> Fault:
    return Fault(str(file), deployment.lines.of(at), message, hint)


def _print(folder: Path, bundle: Bundle | None, faults: list[Fault], warnings: list[Fault]) -> None:
    for warning in warnings:
        line = f":{warning.line}" if warning.line else ""
        warn(f"{warning.file}{line}: {warning.message}", warning.hint)
    if faults:
        complain(ConfigError(*faults))
    if bundle is not None:
        counts = [
            count(len(bundle.catalogue.resources), "resource"),
            count(len(bundle.policy.instruments), "instrument"),
            count(len(bundle.policy.rules), "rule"),
            f"{count(len(bundle.policy.tests), 'policy test')} passed",
        ]
        out(f"{folder}: {', '.join(counts)}")
        out(f"bundle {bundle.digest}")
    out(f"{count(len(faults), 'fault')}, {count(len(warnings), 'warning')}")


def _as_json(
    bundle: Bundle | None, faults: Iterable[Fault], warnings: Iterable[Fault]
) -> dict[str, object]:
    return {
        "bundle": None if bundle is None else bundle.digest,
        "faults": [_members(each) for each in faults],
        "warnings": [_members(each) for each in warnings],
    }


def _members(fault: Fault) -> dict[str, object]:
    return {
        "file": fault.file,
        "line": fault.line or None,
        "message": fault.message,
        "hint": fault.hint or None,
    }
