"""A caller of the data plane that sends a request target as it stands, and keeps all it gets."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, IncompleteRead
from typing import Any
from urllib.parse import quote

Json = Any
ANSWER_S = 60.0
NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class Answer:
    """What came back, byte for byte."""

    target: str
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    whole: bool = True  # False: the body broke off

    @property
    def json(self) -> Json:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def lines(self) -> list[Json]:
        """The body as NDJSON, each line ended."""
        assert not self.body or self.body.endswith(b"\n")
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def code(self) -> str:
        """The problem's code."""
        assert self.headers["content-type"] == "application/problem+json"
        return str(self.json["code"])

    @property
    def digest(self) -> str:
        """What RFC 9530 says of the body."""
        return f"sha-256=:{b64encode(hashlib.sha256(self.body).digest()).decode()}:"

    @property
    def seen(self) -> bytes:
        """All that a caller can see of it."""
        headers = "\n".join(f"{name}: {each}" for name, each in self.headers.items())
        return headers.encode() + b"\n\n" + self.body


@dataclass
class Client:
    """One caller. `answers` holds every answer it got."""

    place: tuple[str, int]
    token: str
    answers: list[Answer]

    def get(self, path: str, warrant: str | None, **headers: str) -> Answer:
        """Ask for a path of Synapse's. `headers`: names with `_` for `-`."""
        return self.send("GET", f"/stores/synapse{path}", warrant, **headers)

    def send(self, method: str, target: str, warrant: str | None, **headers: str) -> Answer:
        """Send a request, its target as it stands."""
        connection = HTTPConnection(*self.place, timeout=ANSWER_S)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            named = {name.replace("_", "-"): each for name, each in headers.items()}
            named.setdefault("Authorization", f"Bearer {self.token}")
            if warrant is not None:
                named["Withhold-Warrant"] = warrant
            for name, each in named.items():
                connection.putheader(name, each)
            connection.endheaders()
            response = connection.getresponse()
            try:
                body, whole = response.read(), True
            except IncompleteRead as broken:
                body, whole = broken.partial, False
            found = {name.lower(): each for name, each in response.getheaders()}
        finally:
            connection.close()
        answer = Answer(target, response.status, found, body, whole)
        self.answers.append(answer)
        return answer


def path_of(resource: str, subject: str) -> str:
    """Give the path of a resource of the catalogue, by its name."""
    value = quote(subject, safe="")
    return {
        "user": f"/_synapse/admin/v2/users/{value}",
        "whois": f"/_synapse/admin/v1/whois/{value}",
        "devices": f"/_synapse/admin/v2/users/{value}/devices",
        "joined-rooms": f"/_synapse/admin/v1/users/{value}/joined_rooms",
        "room-members": f"/_synapse/admin/v1/rooms/{value}/members",
        "room-messages": f"/_synapse/admin/v1/rooms/{value}/messages",
        "threepid-msisdn": f"/_synapse/admin/v1/threepid/msisdn/users/{value}",
        "threepid-email": f"/_synapse/admin/v1/threepid/email/users/{value}",
    }[resource]
