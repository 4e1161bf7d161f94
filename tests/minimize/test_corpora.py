"""Real answers of other systems, each under a resource made for it."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.minimize.oracle import parse
from tests.minimize.resources import (
    BOOLEAN,
    EMAIL,
    ID,
    NUMBER,
    RFC3339,
    SCOPE,
    TEXT,
    allow,
    disclosed,
    keys,
    leaf,
    record,
)
from withhold.kinds.form import Form
from withhold.kinds.instant import YEAR_2000, Instant
from withhold.names import Kind
from withhold.warrant.model import Interval, Target

UUID = Form(Kind.ID, pattern="urn:uuid:[-0-9a-f]{36}")


def corpus(name: str) -> bytes:
    return gzip.decompress(Path(f"tests/vectors/{name}.json.gz").read_bytes())


def users(*ids: str) -> frozenset[Target]:
    return frozenset(Target(Kind.ID, each) for each in ids)


def test_statuses_of_one_user() -> None:
    body = corpus("twitter_status")
    statuses = json.loads(body)["statuses"]
    allowlist = allow(
        leaf("$.statuses[*].id", NUMBER),
        leaf("$.statuses[*].id_str", ID),
        leaf("$.statuses[*].text"),
        leaf("$.statuses[*].truncated", BOOLEAN),
        leaf("$.statuses[*].user.id", ID),
        leaf("$.statuses[*].user.url", EMAIL),
        leaf("$.statuses[*].entities.user_mentions[*].indices[*]", NUMBER),
        leaf("$.statuses[*].retweeted_status.user.screen_name"),
        records=[record("$.statuses[*]", ["user.id"])],
    )
    whose = {"1186275104", "392585658", "903487807"}
    out = disclosed(allowlist, body, replace(SCOPE, targets=users(*whose)))
    assert out is not None
    theirs = [s for s in statuses if str(s["user"]["id"]) in whose]
    assert len(theirs) == 3
    found = json.loads(out)["statuses"]
    assert [f["id_str"] for f in found] == [s["id_str"] for s in theirs]
    assert [f["text"] for f in found] == [s["text"] for s in theirs]
    assert [f["user"] for f in found] == [
        {"id": s["user"]["id"], **({} if s["user"]["url"] else {"url": None})} for s in theirs
    ]
    assert [f["id"] for f in found] == [s["id"] for s in theirs]
    for other in statuses:
        if str(other["user"]["id"]) not in whose:
            assert other["id_str"] not in out


def test_any_part_of_a_status_can_be_asked_for() -> None:
    body = corpus("twitter_status")
    allowlist = allow(
        leaf("$.search_metadata.completed_in", NUMBER),
        leaf("$.statuses[*].user.entities.description.urls[*].url"),
        leaf("$.statuses[*].entities.media[*].sizes.*.w", NUMBER),
        keys("$.statuses[*].entities.media[*].sizes.*"),
    )
    out = json.loads(disclosed(allowlist, body) or "")
    assert out["search_metadata"] == {"completed_in": 0.087}
    media = [m for s in json.loads(body)["statuses"] for m in s["entities"].get("media", [])]
    kept = [m for s in out["statuses"] for m in s.get("entities", {"media": []})["media"]]
    assert media
    assert kept == [{"sizes": {k: {"w": v["w"]} for k, v in m["sizes"].items()}} for m in media]


def test_measurements_keep_every_digit() -> None:
    body = corpus("synthea_fhir")
    observation = ("resource.resourceType", "Observation")
    value = "$.entry[*].resource.valueQuantity.value"
    allowlist = allow(
        leaf(value, NUMBER, when=observation),
        leaf("$.entry[*].resource.issued", RFC3339, when=observation),
        leaf("$.entry[*].fullUrl", UUID),
        leaf("$.entry[*].resource.component[*].valueQuantity.value", NUMBER),
        records=[record("$.entry[*]", ["resource.subject.reference"], UUID)],
    )
    patient = json.loads(body)["entry"][0]["fullUrl"]
    out = disclosed(allowlist, body, replace(SCOPE, targets=users(patient)))
    assert out is not None
    wanted: list[Any] = [
        entry["resource"]["valueQuantity"]["value"]
        for entry in parse(body)["entry"]
        if entry["resource"]["resourceType"] == "Observation"
        and "valueQuantity" in entry["resource"]
    ]
    assert len(wanted) > 300
    found = [
        entry["resource"]["valueQuantity"]["value"]
        for entry in parse(out)["entry"]
        if "valueQuantity" in entry.get("resource", {})
    ]
    assert found == wanted
    digits = re.findall(rb'"value":\s*(-?[0-9.]+)', body)
    assert {number.text.encode() for number in found} <= set(digits)
    assert disclosed(allowlist, body) is None


def test_observations_of_a_period() -> None:
    body = corpus("synthea_fhir")
    allowlist = allow(
        leaf("$.entry[*].resource.issued", RFC3339),
        records=[record("$.entry[*]", time=("resource.issued", RFC3339))],
    )
    period = Interval(Instant(1_104_537_600), Instant(1_262_304_000))  # 2005 until 2010
    out = json.loads(disclosed(allowlist, body, replace(SCOPE, period=period)) or "")
    issued = [e["resource"].get("issued", "") for e in json.loads(body)["entry"]]
    # All have one offset or another, none is near an edge: the year alone decides.
    wanted = [text for text in issued if "2005" <= text[:4] < "2010"]
    assert [e["resource"]["issued"] for e in out["entry"]] == wanted
    assert 100 < len(wanted) < len([text for text in issued if text])
    ever = replace(SCOPE, period=Interval(YEAR_2000, YEAR_2000))
    assert disclosed(allowlist, body, ever) is None


def test_escaped_and_plain_text_are_the_same_text() -> None:
    allowlist = allow(leaf("$.*"), keys("$.*", TEXT))
    escaped, plain = (
        disclosed(allowlist, corpus(name)) for name in ("string_escaped", "string_unicode")
    )
    assert escaped == plain
    assert json.loads(plain or "") == json.loads(corpus("string_unicode"))
