"""Measure a deployment on this machine, with its own rules and a synthetic store.

Its catalogue, policy, limits, cache and kind of database are used, and nothing else of it: keys,
signers, caller and warrant are made for this and thrown away, the database is a scratch one, beside
the deployment's own on the same disk, and answers are made up from the catalogue. A whole service
is started before that store and asked for each resource in turn; all of it ends with the command.
The load is made on this machine, too: leave it a core.

  withhold bench
  withhold bench -c /etc/withhold --resource synapse/whois --rate 500 --seconds 30 --json
  withhold bench --kernel --size-bytes 100000
"""

import argparse
import asyncio
import signal
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from withhold import config
from withhold.bench.answers import write_answer
from withhold.bench.choice import Case, Choice, choose
from withhold.bench.kernel import measure_kernel
from withhold.bench.measure import Measured, Pace, measure, running
from withhold.bench.scene import Props
from withhold.bench.scratch import PREFIX, check_scratch, parent_of
from withhold.bench.show import Setting, print_bytes, show, show_kernel
from withhold.commands.options import add_config, add_json, deployment_file
from withhold.deployment.model import Deployment, Secret
from withhold.errors import BadRequest, WithholdError
from withhold.names import InstrumentName, ResourceName
from withhold.terminal import Exit, note, warn

MAX_SECONDS: Final = 600.0
MAX_CONNECTIONS: Final = 1_024
MAX_RATE: Final = 1_000_000.0
MAX_WORKERS: Final = 256
MAX_BYTES: Final = 2**30
MAX_RECORDS: Final = 10_000_000

_KIND_OF_REFERENCE: Final = "`env:NAME` or `file:PATH`"


class BenchFailed(WithholdError):
    """Something did not answer as it should."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--resource",
        type=ResourceName,
        action="append",
        default=[],
        metavar="STORE/NAME",
        help="a resource to measure, several if repeated (default: all that are covered)",
    )
    parser.add_argument(
        "--instrument",
        type=InstrumentName,
        metavar="NAME",
        help="the instrument of the warrant (default: the one that covers most)",
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, metavar="S", help="for each resource (default: 3)"
    )
    parser.add_argument(
        "--connections", type=int, default=32, metavar="N", help="kept alive (default: 32)"
    )
    parser.add_argument(
        "--rate",
        type=float,
        metavar="R",
        help="requests per second, at fixed times (default: as fast as they are answered)",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="as `serve` has it (default: 1)"
    )
    parser.add_argument(
        "--records", type=int, metavar="N", help="of an answer (default: 20, or as many as fit)"
    )
    parser.add_argument(
        "--size-bytes",
        type=int,
        metavar="N",
        help="of an answer; what it lacks is filled up with what no catalogue declares"
        " (default: half is such)",
    )
    parser.add_argument(
        "--database-url",
        metavar="REF",
        help=f"a scratch database, by {_KIND_OF_REFERENCE} (default: SQLite, on the same disk)",
    )
    parser.add_argument(
        "--kernel", action="store_true", help="the minimizer alone, without any service"
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and say what came of it."""
    _check(arguments)
    deployment = config.load_deployment(deployment_file(arguments))
    folder = deployment.file.parent
    files = config.read_bundle(folder)
    bundle = config.parse_files(folder, files)
    choice = choose(bundle, list(deployment.stores), arguments.resource, arguments.instrument)
    for why in choice.skipped:
        warn(f"left out: {why}")
    cases = _cases(arguments, choice, deployment)
    if arguments.kernel:
        return _kernel(arguments, deployment, choice, cases)
    return _end_well(_service(arguments, deployment, files, choice, cases))


def _check(arguments: argparse.Namespace) -> None:
    """Check the numbers. Raises: BadRequest."""
    bounds: Mapping[str, tuple[float, float]] = {
        "seconds": (0.1, MAX_SECONDS),
        "connections": (1, MAX_CONNECTIONS),
        "rate": (0.1, MAX_RATE),
        "workers": (1, MAX_WORKERS),
        "records": (1, MAX_RECORDS),
        "size_bytes": (2, MAX_BYTES),
    }
    for name, (least, most) in bounds.items():
        value = getattr(arguments, name)
        if value is not None and not least <= value <= most:
            message = f"`--{name.replace('_', '-')}` is a number from {least:g} to {most:,.0f}"
            raise BadRequest(message)
    if arguments.kernel and (arguments.rate or arguments.database_url or arguments.workers > 1):
        message = "`--kernel` measures no service: it takes no rate, workers or database"
        raise BadRequest(message)


def _cases(arguments: argparse.Namespace, choice: Choice, deployment: Deployment) -> list[Case]:
    """Make up an answer for each resource. Raises: BadRequest if a service would refuse it."""
    cases = []
    for each in choice.chosen:
        answer = write_answer(
            each.shape, records=arguments.records, size_bytes=arguments.size_bytes
        )
        most = deployment.limits.max_answer_bytes
        if len(answer.body) > most and not each.shape.is_lines:
            message = f"an answer of `{each.shape.resource.name}` would be larger than the limit"
            raise BadRequest(message, f"`limits.max_answer_bytes` is {most}")
        cases.append(Case(each.shape, each.allowlist, answer))
    return cases


def _kernel(
    arguments: argparse.Namespace, deployment: Deployment, choice: Choice, cases: Sequence[Case]
) -> int:
    measured = [measure_kernel(case, arguments.seconds) for case in cases]
    load = f"the minimizer alone, {arguments.seconds:g} s each"
    setting = Setting(deployment.deployment, choice.instrument.name, load, "", "")
    show_kernel(setting, measured, as_json=arguments.json)
    return Exit.DONE


async def _service(
    arguments: argparse.Namespace,
    deployment: Deployment,
    files: Mapping[str, bytes],
    choice: Choice,
    cases: Sequence[Case],
) -> int:
    scratch = _scratch(arguments)
    own = config.read_reference(deployment.database_url)
    if scratch is not None:
        await asyncio.to_thread(check_scratch, config.read_secret(scratch), own)
    beside = parent_of(own)
    props = Props(
        deployment=deployment,
        bundle=files,
        instrument=choice.instrument,
        targets=frozenset(target for case in cases for target in case.shape.targets),
        stores=sorted({case.shape.resource.store for case in cases}),
        database_url=scratch,
    )
    pace = Pace(arguments.seconds, arguments.connections, arguments.rate)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=beside) as made:
        setting = Setting(
            deployment.deployment,
            choice.instrument.name,
            _load(arguments),
            _database(scratch, beside),
            "in memory" if deployment.redis_url is None else "the deployment's Redis",
        )
        measured = await _measure(Path(made), props, cases, pace, arguments.workers)
    show(setting, measured, as_json=arguments.json)
    return Exit.DONE


async def _measure(
    folder: Path, props: Props, cases: Sequence[Case], pace: Pace, workers: int
) -> list[Measured]:
    """Measure each resource. Raises: WithholdError, OSError."""
    measured = []
    try:
        async with running(folder, props, cases, workers) as there:
            for case in cases:
                size = print_bytes(len(case.answer.body))
                note(f"measuring {case.shape.resource.name}: {size}, {pace.seconds:g} s")
                measured.append(await measure(there, case, pace))
    except httpx.HTTPError as error:
        failed = type(error).__name__
    else:
        return measured
    message = f"a request of the bench failed: {failed}"
    raise BenchFailed(message)


def _end_well(work: Coroutine[Any, Any, int]) -> int:
    """Run to the end; what was started ends also when this process is told to."""

    async def main() -> int:
        task, told = asyncio.ensure_future(work), list[int]()
        loop = asyncio.get_running_loop()

        def end(number: int) -> None:
            told.append(number)
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end, number)
        try:
            return await task
        except asyncio.CancelledError:
            if not told:
                raise
            return 128 + told[0]  # as a shell has it

    return asyncio.run(main())


def _scratch(arguments: argparse.Namespace) -> Secret | None:
    """Read `--database-url`. Raises: BadRequest."""
    if arguments.database_url is None:
        return None
    scheme, _, place = arguments.database_url.partition(":")
    if scheme == "env" and place:
        return Secret(scheme, place)
    if scheme == "file" and place:
        return Secret(scheme, str(Path(place).absolute()))
    message = "`--database-url` holds a URL: a password in it would be seen by others"
    raise BadRequest(message, f"refer to it by {_KIND_OF_REFERENCE}")


def _database(scratch: Secret | None, beside: Path | None) -> str:
    if scratch is not None:
        return f"the scratch database of `{scratch.scheme}:{scratch.place}`"
    if beside is not None:
        return f"SQLite, in a new folder in {beside}"
    warn(
        "the deployment has PostgreSQL, and SQLite on a disk of this machine is measured",
        "--database-url names a scratch database",
    )
    return f"SQLite, in a new folder in {tempfile.gettempdir()}; the deployment has PostgreSQL"


def _load(arguments: argparse.Namespace) -> str:
    rate = "as fast as they are answered" if arguments.rate is None else f"{arguments.rate:g}/s"
    return ", ".join(
        (
            f"requests {rate}",
            f"connections: {arguments.connections}",
            f"workers: {arguments.workers}",
            f"{arguments.seconds:g} s each",
        )
    )
