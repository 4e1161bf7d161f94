"""A real Synapse on loopback, for tests that must not rest on our idea of one.

`homeserver(workdir)` runs the pinned Synapse with SQLite and no federation, and yields a
`Homeserver` that makes users, devices, connections, rooms and events. Leaving the context ends it.

What a test needs at a known moment it gets without waiting for that moment: events through an
application service, which may set `origin_server_ts`; connections by `backdate_connection`, for
Synapse has no way to be told of a connection of the past.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tests.synapse.install import install
from tests.synapse.process import Synapse, SynapseError, poll

Json = dict[str, Any]

SERVER_NAME = "example.test"
PASSWORD = "correct-horse"  # of accounts that live no longer than the test
FLUSH_S = 20.0  # Synapse writes connections every 5 s; whoever waits for that is patient for longer


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
    process: Synapse
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
        **account: object,
    ) -> str:
        """Make an account and return its Matrix ID. `account`: more that the admin API takes.

        Synapse keeps `phones` as they are given; its clients give digits without `+`.
        """
        user_id = f"@{localpart}:{self.server_name}"
        body: Json = {"password": PASSWORD, "threepids": _threepids(phones, emails), **account}
        if displayname is not None:
            body["displayname"] = displayname
        _document(self.call("PUT", _user(user_id), token=self.admin_token, body=body))
        return user_id

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

        poll(move, within_s=FLUSH_S, what=f"connection of `{user_id}` was never written")

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
            self.call(method, path, token=self.process.appservice_token, body=body, query=query)
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
def homeserver(workdir: Path) -> Iterator[Homeserver]:
    """Run a Synapse whose files all lie in `workdir`, until the context is left.

    Raises: CannotInstallError, SynapseError.
    """
    # trust_env: a proxy that the environment names must not see these requests.
    with (
        Synapse(install(), workdir, SERVER_NAME) as process,
        httpx.Client(base_url=process.base_url, timeout=30.0, trust_env=False) as http,
    ):
        yield Homeserver(
            base_url=process.base_url,
            server_name=SERVER_NAME,
            admin_token=_register_admin(http, process.registration_secret),
            database=workdir / "homeserver.db",
            process=process,
            _http=http,
        )


def _register_admin(http: httpx.Client, secret: str) -> str:
    """Make the first administrator by the shared secret, and return its access token."""
    path = "/_synapse/admin/v1/register"
    nonce = http.get(path).raise_for_status().json()["nonce"]
    message = f"{nonce}\0admin\0{PASSWORD}\0admin".encode()
    proof = hmac.new(secret.encode(), message, hashlib.sha1).hexdigest()
    body = {"nonce": nonce, "username": "admin", "password": PASSWORD, "admin": True, "mac": proof}
    token: str = http.post(path, json=body).raise_for_status().json()["access_token"]
    return token


def _document(answer: httpx.Response) -> Json:
    """Return the JSON of an answer that must be a success."""
    if not answer.is_success:
        raise SynapseError(f"{answer.url.path}: {answer.status_code} {answer.text}")
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
