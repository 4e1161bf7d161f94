"""What leaves, written down by hand: instruments, and the leaves of each resource.

This is what the tests hold Withhold to. It is read from the orders' own words and from Synapse's
answers, and no file of `config/` is read to make it: a slip there is found here.

A leaf is `category kind`. A place is written from the record, with `/` between names and `*` for
each element of an array. What is not written does not leave.
"""

from dataclasses import dataclass

S, I, T, C = "subscriber", "identifying", "traffic", "content"  # noqa: E741 - as in the tables below

Leaves = dict[str, str]


@dataclass(frozen=True)
class Order:
    """An instrument: its jurisdiction, the categories it reaches, how many must approve."""

    jurisdiction: str
    covers: frozenset[str]
    approvals: int
    kinds: frozenset[str] | None = None  # None: values of every kind


ORDERS: dict[str, Order] = {
    "us-sca-subpoena": Order("US", frozenset({S, I}), 1),
    "us-sca-2703d": Order("US", frozenset({S, I, T}), 1),
    "us-search-warrant": Order("US", frozenset({S, I, T, C}), 2),
    "us-sca-preservation": Order("US", frozenset(), 1),
    "us-sca-emergency": Order("US", frozenset({S, I, T, C}), 2),
    "eu-epoc-subscriber": Order("EU", frozenset({S}), 1),
    "eu-epoc-identifying": Order("EU", frozenset({I}), 1),
    "eu-epoc-traffic": Order("EU", frozenset({T}), 1),
    "eu-epoc-content": Order("EU", frozenset({C}), 2),
    "eu-epoc-pr": Order("EU", frozenset(), 1),
    "uk-entity-data": Order("UK", frozenset({S}), 1),
    "uk-events-data": Order("UK", frozenset({I, T}), 1),
    "platform-phone-and-ip": Order("platform", frozenset({S, I}), 1, frozenset({"phone", "ip"})),
}

USER: Leaves = {
    "name": f"{S} id",
    "displayname": f"{S} text",
    "avatar_url": f"{C} text",
    "creation_ts": f"{S} timestamp",
    "deactivated": f"{S} boolean",
    "erased": f"{S} boolean",
    "suspended": f"{S} boolean",
    "is_guest": f"{S} boolean",
    "user_type": f"{S} text",
    "appservice_id": f"{S} id",
    "consent_version": f"{S} text",
    "consent_ts": f"{S} timestamp",
    "threepids/*/medium": f"{S} text",
    "threepids/*/address": f"{S} phone-or-email",
    "threepids/*/validated_at": f"{S} timestamp",
    "threepids/*/added_at": f"{S} timestamp",
    "external_ids/*/auth_provider": f"{S} text",
    "external_ids/*/external_id": f"{S} id",
}

WHOIS: Leaves = {"user_id": f"{S} id"}
WHOIS_KEYS = I  # the names of `devices`
CONNECTION: Leaves = {
    "ip": f"{I} ip",
    "last_seen": f"{I} timestamp",
    "user_agent": f"{T} text",
}

DEVICE: Leaves = {
    "user_id": f"{S} id",
    "device_id": f"{I} id",
    "display_name": f"{I} text",
    "last_seen_ip": f"{I} ip",
    "last_seen_ts": f"{I} timestamp",
    "last_seen_user_agent": f"{T} text",
}

JOINED_ROOMS: Leaves = {"joined_rooms/*": f"{T} id", "total": f"{T} number"}
MEMBER: Leaves = {"": f"{T} id"}
THREEPID: Leaves = {"user_id": f"{S} id"}

# Of an event of any type.
EVENT: Leaves = {
    "type": f"{T} text",
    "event_id": f"{T} id",
    "room_id": f"{T} id",
    "sender": f"{T} id",
    "origin_server_ts": f"{T} timestamp",
    "content/m.relates_to/rel_type": f"{T} text",
    "content/m.relates_to/event_id": f"{T} id",
    "content/m.relates_to/m.in_reply_to/event_id": f"{T} id",
    "content/m.relates_to/key": f"{C} text",
    "content/m.mentions/user_ids/*": f"{C} id",
    "content/m.mentions/room": f"{C} boolean",
    "content/m.topic/m.text/*/body": f"{C} text",
    "content/m.location/uri": f"{C} text",
    "content/org.matrix.msc3488.location/uri": f"{C} text",
    "content/m.poll/question/m.text/*/body": f"{C} text",
    "content/m.poll/answers/*/m.id": f"{C} id",
    "content/m.poll/answers/*/m.text/*/body": f"{C} text",
    "content/m.selections/*": f"{C} id",
    "content/org.matrix.msc3381.poll.start/question/org.matrix.msc1767.text": f"{C} text",
    "content/org.matrix.msc3381.poll.start/answers/*/id": f"{C} id",
    "content/org.matrix.msc3381.poll.start/answers/*/org.matrix.msc1767.text": f"{C} text",
    "content/org.matrix.msc3381.poll.response/answers/*": f"{C} id",
}
# Who joins writes of themselves, and whoever invites does not. A message can hold both.
JOIN: Leaves = {"content/displayname": f"{C} text", "content/avatar_url": f"{C} text"}

_CALL: Leaves = {"content/call_id": f"{T} id"}
_NEW = "content/m.new_content"
# Of an event of one type, further to the above.
EVENT_BY_TYPE: dict[str, Leaves] = {
    "m.room.member": {
        "state_key": f"{T} id",
        "content/membership": f"{T} text",
        "content/is_direct": f"{T} boolean",
        "content/reason": f"{C} text",
    },
    "m.room.redaction": {
        "redacts": f"{T} id",
        "content/redacts": f"{T} id",
        "content/reason": f"{C} text",
    },
    "m.room.message": {
        "content/msgtype": f"{C} text",
        "content/body": f"{C} text",
        "content/format": f"{C} text",
        "content/formatted_body": f"{C} text",
        "content/filename": f"{C} text",
        "content/url": f"{C} text",
        "content/geo_uri": f"{C} text",
        "content/info/mimetype": f"{C} text",
        "content/info/size": f"{C} number",
        "content/info/w": f"{C} number",
        "content/info/h": f"{C} number",
        "content/info/duration": f"{C} number",
        "content/info/thumbnail_url": f"{C} text",
        f"{_NEW}/msgtype": f"{C} text",
        f"{_NEW}/body": f"{C} text",
        f"{_NEW}/format": f"{C} text",
        f"{_NEW}/formatted_body": f"{C} text",
        f"{_NEW}/url": f"{C} text",
    },
    "m.sticker": {
        "content/body": f"{C} text",
        "content/url": f"{C} text",
        "content/info/mimetype": f"{C} text",
    },
    "m.room.encrypted": {
        "content/ciphertext": f"{C} text",
        "content/algorithm": f"{T} text",
        "content/session_id": f"{T} id",
        "content/sender_key": f"{T} id",
        "content/device_id": f"{T} id",
    },
    "m.room.encryption": {"content/algorithm": f"{T} text"},
    "m.call.invite": _CALL,
    "m.call.answer": _CALL,
    "m.call.reject": _CALL,
    "m.call.hangup": {**_CALL, "content/reason": f"{T} text"},
    "m.room.create": {
        "content/room_version": f"{T} text",
        "content/type": f"{T} text",
        "content/predecessor/room_id": f"{T} id",
    },
    "m.room.name": {"content/name": f"{C} text"},
    "m.room.topic": {"content/topic": f"{C} text"},
    "m.room.avatar": {"content/url": f"{C} text"},
    "m.room.canonical_alias": {"content/alias": f"{T} id"},
    "m.room.join_rules": {"content/join_rule": f"{T} text"},
    "m.room.history_visibility": {"content/history_visibility": f"{T} text"},
    "m.room.tombstone": {"content/body": f"{C} text", "content/replacement_room": f"{T} id"},
}
