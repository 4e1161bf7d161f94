"""The bundle that the kernel's workloads run under: one store, two resources, one warrant."""

from typing import Final

from withhold.bundle import Bundle, parse_bundle

CATALOGUE: Final = b"""
store = "bench"

[[resource]]
name = "sessions"
path = "/sessions"
snapshot = false
[resource.fields]
"$.rows[*].id"      = { category = "subscriber",  kind = "id",        data = "user.unique_id", means = "row" }
"$.rows[*].account" = { category = "subscriber",  kind = "id",        data = "user.account", means = "account" }
"$.rows[*].ip"      = { category = "identifying", kind = "ip",        data = "user.device.ip_address", means = "address" }
"$.rows[*].seen"    = { category = "traffic",     kind = "timestamp", unit = "ms", data = "user.telemetry", means = "last request" }
"$.rows[*].agent"   = { category = "traffic",     kind = "text",      data = "user.device", means = "client" }
[[resource.records]]
each = "$.rows[*]"
subject = { field = "account", kind = "id" }
time = "seen"

[[resource]]
name = "messages"
path = "/messages"
snapshot = false
[resource.fields]
"$.chunk[*].event_id"         = { category = "traffic", kind = "id",        data = "user.unique_id", means = "event" }
"$.chunk[*].sender"           = { category = "traffic", kind = "id",        data = "user.account", means = "sender" }
"$.chunk[*].origin_server_ts" = { category = "traffic", kind = "timestamp", unit = "ms", data = "user.telemetry", means = "sent at" }
"$.chunk[*].type"             = { category = "traffic", kind = "text",      data = "user.behavior", means = "type" }
"$.chunk[*].content.body"     = { category = "content", kind = "text",      data = "user.content.private", means = "text" }
[[resource.records]]
each = "$.chunk[*]"
subject = { field = "sender", kind = "id" }
time = "origin_server_ts"
"""

POLICY: Final = b"""
[instrument.order]
title = "An order for all but content"
jurisdiction = "US"
covers = ["subscriber", "identifying", "traffic"]
approvals = 1

[[rule]]
name = "addresses-as-tokens"
kind = "ip"
treatment = "tokenize"
"""

WARRANT: Final = b"""{
 "id": "W-BENCH", "instrument": "order", "jurisdiction": "US", "authority": "bench", "reference": "1",
 "targets": [{"kind": "id", "value": "@u0:example.test"}, {"kind": "id", "value": "@u1:example.test"}],
 "categories": [], "fields": [],
 "period": {"from": "2023-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"},
 "valid": {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}, "callers": ["bench"]}"""


def bench_bundle() -> Bundle:
    """Parse it as any other bundle."""
    return parse_bundle({"catalogue/bench.toml": CATALOGUE, "policy/bench.toml": POLICY})
