"""A real Synapse on loopback, for tests that must not rest on our idea of one.

`homeserver(workdir)` installs the pinned Synapse into a venv of its own where that is missing,
configures it with SQLite and no federation, starts it on a free port and yields a `Homeserver` that
makes users, devices, connections, rooms and events. Leaving the context stops all of it.

What a test needs at a known moment it gets without waiting for that moment: events through an
application service, which may set `origin_server_ts`; connections by `backdate_connection`, for
Synapse has no way to be told of a connection of the past. One file, for it is one idea: a third of
it is what Synapse calls things.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import hmac
import itertools
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

Json = dict[str, Any]

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
SERVER_NAME = "example.test"
PASSWORD = "correct-horse"  # of accounts that live no longer than the test
START_S = 60.0
STOP_S = 10.0
FLUSH_S = 20.0  # Synapse writes connections every 5 s; whoever waits for that is patient for longer
POLL_S = 0.1
PORT_ATTEMPTS = 3
_UNLIMITED: Json = {"per_second": 10_000, "burst_count": 10_000}


class HomeserverError(Exception):
    """Synapse did not start, or refused what a test asked of it."""


@dataclass(frozen=True, slots=True)
class Session:
    """A device that is logged in."""

    user_id: str
    device_id: str
    access_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Homeserver:
    """A running Synapse, and the means to put people and what they do into it."""

    base_url: str
    server_name: str
    admin_token: str = field(repr=False)
    database: Path
    _appservice_token: str = field(repr=False)
    _http: httpx.Client = field(repr=False)
    _transactions: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Json | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send one request as it stands and return the answer, whatever its status."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return self._http.request(method, path, json=body, params=query, headers=sent)

    def admin(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """Send one request as the administrator and return the answer, whatever its status."""
        return self.call(method, path, token=self.admin_token, body=body, query=query)

    def register(
        self,
        localpart: str,
        *,
        displayname: str | None = None,
        phones: Sequence[str] = (),
        emails: Sequence[str] = (),
    ) -> str:
        """Make an account and return its Matrix ID.

        Synapse keeps `phones` as they are given; its clients give digits without `+`.
        """
        user_id = f"@{localpart}:{self.server_name}"
        body: Json = {"password": PASSWORD, "threepids": _threepids(phones, emails)}
        if displayname is not None:
            body["displayname"] = displayname
        _document(self.call("PUT", _user(user_id), token=self.admin_token, body=body))
        return user_id

    def set_threepids(
        self, user_id: str, *, phones: Sequence[str] = (), emails: Sequence[str] = ()
    ) -> None:
        """Replace the phones and e-mail addresses of an account, in the form given."""
        body: Json = {"threepids": _threepids(phones, emails)}
        _document(self.call("PUT", _user(user_id), token=self.admin_token, body=body))

    def log_in(
        self,
        user_id: str,
        *,
        device_id: str,
        device_name: str | None = None,
        ip: str | None = None,
        user_agent: str = "test/1.0",
    ) -> Session:
        """Log a device in and, with `ip`, connect from there: a login alone leaves no address."""
        body: Json = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user_id},
            "password": PASSWORD,
            "device_id": device_id,
            "initial_device_display_name": device_name,
        }
        answer = _document(self.call("POST", "/_matrix/client/v3/login", body=body))
        session = Session(user_id, answer["device_id"], answer["access_token"])
        if ip is not None:
            self.connect(session, ip=ip, user_agent=user_agent)
        return session

    def connect(self, session: Session, *, ip: str, user_agent: str = "test/1.0") -> None:
        """Make one request from `ip`; Synapse notes a device and address once in two minutes."""
        headers = {"X-Forwarded-For": ip, "X-Forwarded-Proto": "https", "User-Agent": user_agent}
        path = "/_matrix/client/v3/account/whoami"
        _document(self.call("GET", path, token=session.access_token, headers=headers))

    def backdate_connection(self, user_id: str, ip: str, *, seen_ms: int) -> None:
        """Move the connections from `ip` to `seen_ms`, once Synapse has written them.

        A device follows where that was its last address. `whois` and `devices` know of a connection
        at once and the account's `last_seen_ts` only when it is written, so an account whose
        connections are all backdated is the same in every answer, and in every run.
        """

        def move() -> bool:
            with contextlib.closing(sqlite3.connect(self.database, timeout=FLUSH_S)) as rows, rows:
                changed = rows.execute(
                    "UPDATE user_ips SET last_seen = ? WHERE user_id = ? AND ip = ?",
                    (seen_ms, user_id, ip),
                )
                rows.execute(
                    "UPDATE devices SET last_seen = ? WHERE user_id = ? AND ip = ?",
                    (seen_ms, user_id, ip),
                )
                return changed.rowcount > 0

        _poll(move, within_s=FLUSH_S, what=f"connection of `{user_id}` was never written")

    def act(
        self, user_id: str, method: str, path: str, body: Json, *, at_ms: int | None = None
    ) -> Json:
        """Send one client request in the name of an account, as an application service may.

        With `at_ms`, an event that comes of it carries that `origin_server_ts`; its place in the
        room is still where it was sent.
        """
        query: dict[str, str | int] = {"user_id": user_id}
        if at_ms is not None:
            query["ts"] = at_ms
        return _document(
            self.call(method, path, token=self._appservice_token, body=body, query=query)
        )

    def create_room(self, user_id: str, **options: object) -> str:
        """Create a room, whose first events are of now, and return its id.

        `options` are those of the client API's `createRoom`, such as `name` and `invite`.
        """
        answer = self.act(user_id, "POST", "/_matrix/client/v3/createRoom", options)
        room_id: str = answer["room_id"]
        return room_id

    def join(self, user_id: str, room_id: str, *, at_ms: int | None = None) -> str:
        """Join a room that is open, or that invited the account, and return the event's id."""
        content = {"membership": "join"}
        return self.send_state(
            user_id, room_id, "m.room.member", content, state_key=user_id, at_ms=at_ms
        )

    def send(
        self, user_id: str, room_id: str, kind: str, content: Json, *, at_ms: int | None = None
    ) -> str:
        """Send an event of type `kind` and return its id."""
        path = f"{_room(room_id)}/send/{quote(kind, safe='')}/{next(self._transactions)}"
        event_id: str = self.act(user_id, "PUT", path, content, at_ms=at_ms)["event_id"]
        return event_id

    def send_state(
        self,
        user_id: str,
        room_id: str,
        kind: str,
        content: Json,
        *,
        state_key: str = "",
        at_ms: int | None = None,
    ) -> str:
        """Set a piece of a room's state and return the event's id."""
        path = f"{_room(room_id)}/state/{quote(kind, safe='')}/{quote(state_key, safe='')}"
        event_id: str = self.act(user_id, "PUT", path, content, at_ms=at_ms)["event_id"]
        return event_id

    def say(self, user_id: str, room_id: str, body: str, *, at_ms: int | None = None) -> str:
        """Send a text message and return the event's id."""
        content = {"msgtype": "m.text", "body": body}
        return self.send(user_id, room_id, "m.room.message", content, at_ms=at_ms)

    def redact(
        self,
        user_id: str,
        room_id: str,
        event_id: str,
        *,
        reason: str | None = None,
        at_ms: int | None = None,
    ) -> str:
        """Redact an event and return the id of the redaction."""
        content: Json = {"redacts": event_id}
        if reason is not None:
            content["reason"] = reason
        return self.send(user_id, room_id, "m.room.redaction", content, at_ms=at_ms)


@contextlib.contextmanager
def homeserver(workdir: Path, *, python: Path | None = None) -> Iterator[Homeserver]:
    """Run a Synapse whose files all lie in `workdir`, until the context is left.

    `python` is an interpreter that can import Synapse; without it one is installed, once per user.
    """
    interpreter = python or install()
    workdir.mkdir(parents=True, exist_ok=True)
    secret, appservice_token = secrets.token_hex(), secrets.token_hex()
    process, base_url = _start(interpreter, workdir, secret, appservice_token)
    try:
        # trust_env: a proxy that the environment names must not see these requests.
        with httpx.Client(base_url=base_url, timeout=30.0, trust_env=False) as http:
            yield Homeserver(
                base_url=base_url,
                server_name=SERVER_NAME,
                admin_token=_register_admin(http, secret),
                database=workdir / "homeserver.db",
                _appservice_token=appservice_token,
                _http=http,
            )
    finally:
        _stop(process)


def install() -> Path:
    """Return the interpreter of a venv that holds the pinned Synapse; make it where missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "withhold"
    cache.mkdir(parents=True, exist_ok=True)
    # Named by the pins, so that a change of them makes a new venv rather than half of one.
    folder = cache / f"synapse-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]}"
    python, complete = folder / "bin" / "python", folder / "complete"
    with (cache / "synapse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            venv.create(folder, with_pip=True, clear=True)
            pip = [str(python), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, "--require-hashes", "-r", str(REQUIREMENTS)], check=True)
            complete.touch()
    return python


def _start(
    python: Path, workdir: Path, secret: str, appservice_token: str
) -> tuple[subprocess.Popen[bytes], str]:
    """Start Synapse and return it, with its base URL, once it answers."""
    log = workdir / "synapse.log"
    for _ in range(PORT_ATTEMPTS):
        base_url = f"http://127.0.0.1:{_free_port()}"
        config = _write_config(workdir, base_url, secret, appservice_token)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(python), "-m", "synapse.app.homeserver", "-c", str(config)],
                cwd=workdir,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own: `_stop` reaches all of it
            )
        try:
            if _ready(process, base_url):
                return process, base_url
        except BaseException:
            _stop(process)
            raise
        # Between our choice of the port and Synapse's use of it, another process may have taken it.
        if b"Address already in use" not in log.read_bytes():
            break
    raise HomeserverError(f"synapse did not start:\n{log.read_text(errors='replace')[-4000:]}")


def _ready(process: subprocess.Popen[bytes], base_url: str) -> bool:
    """Wait until Synapse answers: true, or until it has ended: false."""

    def answers() -> bool:
        if process.poll() is not None:
            return True
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{base_url}/health", trust_env=False).is_success
        return False

    _poll(answers, within_s=START_S, what="synapse did not answer")
    return process.poll() is None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End Synapse and whatever it started, by force where it does not go."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _poll(done: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Ask until `done`; an external process offers nothing better to wait on."""
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            raise HomeserverError(f"{what}: waited {within_s:g} s")
        time.sleep(POLL_S)


def _write_config(workdir: Path, base_url: str, secret: str, appservice_token: str) -> Path:
    """Write all that Synapse reads, and return the path of its configuration. JSON is YAML."""
    port = httpx.URL(base_url).port
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
            "as_token": appservice_token,
            "hs_token": secrets.token_hex(),
            "sender_localpart": "appservice",
            "rate_limited": False,
            "namespaces": {"users": [{"regex": ".*", "exclusive": False}]},
        },
        "homeserver.yaml": {
            "server_name": SERVER_NAME,
            "public_baseurl": f"{base_url}/",
            "pid_file": str(workdir / "homeserver.pid"),
            "listeners": [
                {
                    "type": "http",
                    "port": port,
                    "bind_addresses": ["127.0.0.1"],
                    "tls": False,
                    "x_forwarded": True,
                    "resources": [{"names": ["client"], "compress": False}],
                }
            ],
            "database": {"name": "sqlite3", "args": {"database": str(workdir / "homeserver.db")}},
            "log_config": str(workdir / "log.yaml"),
            "media_store_path": str(workdir / "media"),
            "signing_key_path": str(workdir / "signing.key"),
            "app_service_config_files": [str(workdir / "appservice.yaml")],
            "registration_shared_secret": secret,
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
    return workdir / "homeserver.yaml"


def _register_admin(http: httpx.Client, secret: str) -> str:
    """Make the first administrator by the shared secret, and return its access token."""
    path = "/_synapse/admin/v1/register"
    nonce = http.get(path).raise_for_status().json()["nonce"]
    message = f"{nonce}\0admin\0{PASSWORD}\0admin".encode()
    proof = hmac.new(secret.encode(), message, hashlib.sha1).hexdigest()
    body = {"nonce": nonce, "username": "admin", "password": PASSWORD, "admin": True, "mac": proof}
    token: str = http.post(path, json=body).raise_for_status().json()["access_token"]
    return token


def _free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _document(answer: httpx.Response) -> Json:
    """Return the JSON of an answer that must be a success."""
    if not answer.is_success:
        raise HomeserverError(f"{answer.url.path}: {answer.status_code} {answer.text}")
    document: Json = answer.json()
    return document


def _threepids(phones: Sequence[str], emails: Sequence[str]) -> list[Json]:
    """Return phones and e-mail addresses as the admin API takes them."""
    return [{"medium": "msisdn", "address": phone} for phone in phones] + [
        {"medium": "email", "address": email} for email in emails
    ]


def _user(user_id: str) -> str:
    return f"/_synapse/admin/v2/users/{quote(user_id, safe='')}"


def _room(room_id: str) -> str:
    return f"/_matrix/client/v3/rooms/{quote(room_id, safe='')}"
