"""Workloads: a body, ours, and peers written by hand for the same answer.

The peers do what a careful engineer would write for this one body: they look at scopes, make the
tokens with one AES context, and check no types. Each must give what ours gives, or the run stops.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Final, TypeAlias

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import withhold
from benchmarks.bodies import FIRST_MS, OTHER_TARGET, RECORDS, TARGET, sessions
from withhold.kinds.token import key_id
from withhold.minimize.minimizer import Minimizer

CONFIG: Final = Path(__file__).parent / "config"
KEY: Final = bytes(range(16))
TARGETS: Final = frozenset({TARGET, OTHER_TARGET})
SINCE_MS: Final = 1_672_531_200_000
UNTIL_MS: Final = 1_798_761_600_000

Engine = Callable[[bytes], bytes]
Json: TypeAlias = Any  # a peer checks no types
Codec = tuple[Callable[[bytes], Json], Callable[[Json], bytes]]

_ORJSON: Final[Codec] = (orjson.loads, orjson.dumps)
_JSON: Final[Codec] = (json.loads, lambda value: json.dumps(value, separators=(",", ":")).encode())
_MAPPED: Final = bytes(10) + b"\xff\xff"
_encryptor = Cipher(algorithms.AES(KEY), modes.ECB()).encryptor()  # noqa: S305 - as the draft says
_prefix: Final = f"tok_ip_{key_id(KEY)}_"


@dataclass(frozen=True)
class Workload:
    """One body and the engines that are to answer it alike."""

    name: str
    body: bytes
    records: int
    engines: dict[str, Engine]


def workloads() -> list[Workload]:
    """Make all workloads; raises ValueError if an engine gives another answer than ours."""
    made = [_sessions(), _messages()]
    for workload in made:
        answers = {
            name: orjson.loads(engine(workload.body)) for name, engine in workload.engines.items()
        }
        for name, answer in answers.items():
            if answer != answers["withhold"]:
                message = f"{workload.name}: `{name}` gives another answer than ours"
                raise ValueError(message)
    return made


def minimizer(
    resource: str, params: Mapping[str, str] | None = None, **claims: object
) -> Minimizer:
    """Make ours, as anybody would. `claims`: what the warrant says otherwise."""
    config = withhold.load(str(CONFIG))
    document = json.loads((CONFIG / "warrant.json").read_bytes()) | claims
    warrant = withhold.parse_warrant(json.dumps(document).encode())
    return config.minimizer(warrant, f"bench/{resource}", params=params, token_key=KEY)


def _sessions() -> Workload:
    """Make 200 sessions of 20 fields, 5 covered, every address to be tokenized."""
    body = json.dumps({"rows": sessions(), "total": RECORDS}).encode()
    engines = _engines("sessions", _filter_sessions)
    return Workload("sessions, tokenized", body, RECORDS, engines)


def _messages() -> Workload:
    """Make 200 messages in the shape that Synapse gives them, whose content is withheld."""
    rng = Random(2)
    words = ["meet", "me", "at", "the", "station", "when", "last", "train", "has", "gone", "bring"]
    chunk = [
        {
            "age": 166 + i,
            "content": {"body": " ".join(rng.choices(words, k=40)), "msgtype": "m.text"},
            "event_id": f"${rng.getrandbits(172):043x}",
            "origin_server_ts": FIRST_MS + i * 1_000,
            "room_id": "!ny6ldJjFy7NwonmDL1TwvLr7FqmRHIvV9gh7iuqpVPA",
            "sender": f"@u{i % 2}:example.test",
            "type": "m.room.message",
            "unsigned": {"age": 166 + i},
            "user_id": f"@u{i % 2}:example.test",
        }
        for i in range(RECORDS)
    ]
    body = json.dumps({"chunk": chunk, "start": "t1", "end": "t2"}).encode()
    engines = _engines("messages", _filter_messages)
    return Workload("messages, content withheld", body, RECORDS, engines)


def _engines(resource: str, by_hand: Callable[[Json], Json]) -> dict[str, Engine]:
    ours = minimizer(resource)

    def hand(codec: Codec) -> Engine:
        loads, dumps = codec
        return lambda body: dumps(by_hand(loads(body)))

    return {"withhold": ours.minimize, "orjson by hand": hand(_ORJSON), "json by hand": hand(_JSON)}


def _filter_sessions(document: Json) -> Json:
    rows = []
    for row in document["rows"]:
        if row["account"] in TARGETS and SINCE_MS <= row["seen"] < UNTIL_MS:
            ip = row["ip"]
            packed = inet_pton(AF_INET6, ip) if ":" in ip else _MAPPED + inet_pton(AF_INET, ip)
            token = base64.b32encode(_encryptor.update(packed))[:26].decode().lower()
            rows.append(
                {
                    "id": row["id"],
                    "account": row["account"],
                    "ip": _prefix + token,
                    "seen": row["seen"],
                    "agent": row["agent"],
                }
            )
    return {"rows": rows}


def _filter_messages(document: Json) -> Json:
    return {
        "chunk": [
            {
                "event_id": event["event_id"],
                "sender": event["sender"],
                "origin_server_ts": event["origin_server_ts"],
                "type": event["type"],
            }
            for event in document["chunk"]
            if event["sender"] in TARGETS and SINCE_MS <= event["origin_server_ts"] < UNTIL_MS
        ]
    }
