"""The process of a Synapse: its configuration, started, stopped, paused and started again.

It keeps its port and its database for life, so that what was connected can connect again. It is
ready when it answers, paused when the kernel says so, and gone with all that it started.
"""

import base64
import contextlib
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.servers import free_port

Json = dict[str, Any]

START_S = 60.0
STOP_S = 10.0
POLL_S = 0.1
PORT_ATTEMPTS = 3
_UNLIMITED: Json = {"per_second": 10_000, "burst_count": 10_000}


class SynapseError(Exception):
    """Synapse did not start, or refused what a test asked of it."""


class Synapse:
    """One Synapse, running on entering and gone on leaving."""

    def __init__(self, python: Path, workdir: Path, server_name: str) -> None:
        """`python`: an interpreter that can import Synapse; `workdir`: for all its files."""
        self.server_name = server_name
        self.registration_secret, self.appservice_token = secrets.token_hex(), secrets.token_hex()
        self._python = python
        self._workdir = workdir
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self._workdir.mkdir(parents=True, exist_ok=True)
        for _ in range(PORT_ATTEMPTS - 1):
            self._port = free_port()
            self._configure()
            try:
                self.start()
            except SynapseError as error:
                # Between the finding of the port and the binding, somebody else may have taken it.
                if "Address already in use" not in str(error):
                    raise
            else:
                return self
        self._port = free_port()
        self._configure()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that it has for life."""
        return self._port

    def start(self) -> None:
        """Start it, with all that it knew before; it answers on return. Raises: SynapseError."""
        log = self._workdir / "synapse.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(str(self._python), "-m", "synapse.app.homeserver"),
                    *("-c", str(self._workdir / "homeserver.yaml")),
                ],
                cwd=self._workdir,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own: `stop` reaches all of it
            )
        self._process = process
        try:
            poll(self._answers_or_ended, within_s=START_S, what="Synapse did not answer")
        except BaseException:
            self.stop()
            raise
        if process.poll() is not None:
            self._process = None
            said = log.read_text(errors="replace")[-4000:]
            message = f"Synapse did not start:\n{said}"
            raise SynapseError(message)

    def stop(self) -> None:
        """End it and whatever it started, by force where it does not go; nothing if it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        self._signal(process, signal.SIGCONT)
        self._signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        self._signal(process, signal.SIGKILL)
        process.wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._running(), None
        self._signal(process, signal.SIGKILL)
        process.wait()

    def pause(self) -> None:
        """Freeze it: connections are accepted by the kernel and nothing answers."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)

    def resume(self) -> None:
        """Let it go on, and answer what has come in meanwhile."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            message = "Synapse does not run"
            raise SynapseError(message)
        return self._process

    def _signal(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def _answers_or_ended(self) -> bool:
        if self._running().poll() is not None:
            return True
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.base_url}/health", trust_env=False).is_success
        return False

    def _configure(self) -> None:
        """Write all that Synapse reads. JSON is YAML."""
        workdir = self._workdir
        files: dict[str, Json] = {
            "log.yaml": {
                "version": 1,
                "handlers": {"output": {"class": "logging.StreamHandler"}},
                "root": {"level": "WARNING", "handlers": ["output"]},
                "disable_existing_loggers": False,
            },
            "appservice.yaml": {
                "id": "test",
                "url": None,  # it acts and never listens
                "as_token": self.appservice_token,
                "hs_token": secrets.token_hex(),
                "sender_localpart": "appservice",
                "rate_limited": False,
                "namespaces": {
                    "users": [{"regex": ".*", "exclusive": False}],
                    "aliases": [{"regex": ".*", "exclusive": False}],
                },
            },
            "homeserver.yaml": {
                "server_name": self.server_name,
                "public_baseurl": f"{self.base_url}/",
                "pid_file": str(workdir / "homeserver.pid"),
                "listeners": [
                    {
                        "type": "http",
                        "port": self._port,
                        "bind_addresses": ["127.0.0.1"],
                        "tls": False,
                        "x_forwarded": True,
                        "resources": [{"names": ["client"], "compress": False}],
                    }
                ],
                "database": {
                    "name": "sqlite3",
                    "args": {"database": str(workdir / "homeserver.db")},
                },
                "log_config": str(workdir / "log.yaml"),
                "media_store_path": str(workdir / "media"),
                "signing_key_path": str(workdir / "signing.key"),
                "app_service_config_files": [str(workdir / "appservice.yaml")],
                "registration_shared_secret": self.registration_secret,
                "macaroon_secret_key": secrets.token_hex(),
                "form_secret": secrets.token_hex(),
                "report_stats": False,
                "suppress_key_server_warning": True,
                "trusted_key_servers": [],
                "federation_domain_whitelist": [],
                "presence": {"enabled": False},
                "bcrypt_rounds": 4,
                # Else what is backdated by more than 28 and 7 days is gone within minutes.
                "user_ips_max_age": None,
                "redaction_retention_period": None,
                "rc_message": _UNLIMITED,
                "rc_registration": _UNLIMITED,
                "rc_joins_per_room": _UNLIMITED,
                "rc_room_creation": _UNLIMITED,
                "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), _UNLIMITED),
                "rc_joins": dict.fromkeys(("local", "remote"), _UNLIMITED),
                "rc_invites": dict.fromkeys(("per_room", "per_user", "per_issuer"), _UNLIMITED),
            },
        }
        for name, document in files.items():
            (workdir / name).write_text(json.dumps(document, indent=1))
        seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        (workdir / "signing.key").write_text(f"ed25519 test {seed}\n")


def poll(done: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Ask until `done`; an external process offers nothing better to wait on."""
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            message = f"{what}: waited {within_s:g} s"
            raise SynapseError(message)
        time.sleep(POLL_S)
