"""The conversation: one room, in which every type of event happens that the catalogue knows.

Each is written by a target within the period, by a target outside of it, or by somebody else; and
in each there is more than the catalogue declares.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import quote

from tests.synapse.canaries import Canaries
from tests.synapse.homeserver import Homeserver

People = tuple[str, str, str, str, str]
STEP_MS = 60_000


@dataclass(frozen=True)
class Period:
    """When a warrant looks: from `since_ms` to before `until_ms`; `within_ms` is well inside."""

    since_ms: int
    until_ms: int
    within_ms: int


@dataclass(frozen=True)
class Voice:
    """Somebody who writes in the room; a clock that all share goes on by a minute each time."""

    server: Homeserver
    room: str
    writer: str
    times: Iterator[int] = field(repr=False)

    def send(self, kind: str, content: Mapping[str, object]) -> str:
        """Send an event and give its id."""
        return self.server.send(self.writer, self.room, kind, dict(content), at_ms=next(self.times))

    def state(self, kind: str, content: Mapping[str, object], key: str = "") -> None:
        """Set a piece of state."""
        self.server.send_state(
            self.writer, self.room, kind, dict(content), state_key=key, at_ms=next(self.times)
        )

    def redact(self, event: str, reason: str) -> None:
        """Redact an event."""
        self.server.redact(self.writer, self.room, event, reason=reason, at_ms=next(self.times))


def hold(server: Homeserver, new: Canaries, people: People, period: Period) -> str:
    """Make the room, hold the conversation and give the room's id."""
    named = {"name": new("creationname"), "topic": new("creationtopic")}
    room = server.create_room(people[0], preset="public_chat", **named)
    for each in (people[1], people[2], people[4]):
        server.join(each, room, at_ms=period.within_ms)
    times = count(period.within_ms, STEP_MS)
    alice, carol, bob = (Voice(server, room, each, times) for each in people[:3])
    _set_up(new, alice, bob, people)
    _talk(new, alice)
    _talk(new, bob)
    _send_files(new, alice)
    _send_signals(new, alice)
    _send_oddities(new, alice)
    for each, name in ((alice.writer, "alices"), (bob.writer, "bobs"), (carol.writer, "carols")):
        server.say(each, room, new(f"{name}early"), at_ms=period.since_ms - 1)
        server.say(each, room, new(f"{name}first"), at_ms=period.since_ms)
        server.say(each, room, new(f"{name}last"), at_ms=period.until_ms - 1)
        server.say(each, room, new(f"{name}late"), at_ms=period.until_ms)
    bob.state("m.room.topic", {"topic": new("bobsending")})
    carol.send("m.room.message", {"msgtype": "m.text", "body": new("carolsmessage")})
    successor = f"!{new('successor')}:example.test"
    alice.state("m.room.tombstone", {"body": new("tombstone"), "replacement_room": successor})
    return room


def _set_up(new: Canaries, alice: Voice, bob: Voice, people: People) -> None:
    _, _, _, dave, erin = people

    alice.state("m.room.power_levels", {"users": {bob.writer: 50}, "org.example.x": new("levels")})
    shown = {"displayname": new("shownname"), "avatar_url": f"mxc://example.test/{new('shown')}"}
    member = {"membership": "join", "reason": new("joinreason"), "org.example.x": new("join")}
    alice.state("m.room.member", {**shown, **member}, alice.writer)
    invite = {"membership": "invite", "is_direct": True, "reason": new("invitereason")}
    alice.state("m.room.member", invite, dave)
    alice.state("m.room.member", {"membership": "leave", "reason": new("kickreason")}, erin)
    for each, name in ((alice, "alices"), (bob, "bobs"), (alice, "alicesnew")):
        each.state("m.room.name", {"name": new(f"{name}roomname")})
        topic = new(f"{name}topic")
        rich = {"m.text": [{"body": topic}, {"body": f"<i>{topic}</i>", "mimetype": "text/html"}]}
        each.state("m.room.topic", {"topic": topic, "m.topic": rich})
    alice.state(
        "m.room.avatar", {"url": f"mxc://example.test/{new('roompicture')}", "info": {"w": 1}}
    )
    alias = f"#{new('alias')}:{alice.server.server_name}"
    place = f"/_matrix/client/v3/directory/room/{quote(alias)}"
    alice.server.act(alice.writer, "PUT", place, {"room_id": alice.room})
    alice.state("m.room.canonical_alias", {"alias": alias, "alt_aliases": [alias]})
    alice.state("m.room.join_rules", {"join_rule": "invite", "org.example.x": new("rules")})
    alice.state("m.room.history_visibility", {"history_visibility": "joined"})
    encryption = {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_ms": 604_800_000}
    alice.state("m.room.encryption", {**encryption, "org.example.x": new("encryption")})
    alice.state("org.example.state", {"name": new("customstate")}, new("statekey"))


def _talk(new: Canaries, voice: Voice) -> None:
    plain = {"msgtype": "m.text", "body": new("text")}
    first = voice.send("m.room.message", plain)
    rich = {"format": "org.matrix.custom.html", "formatted_body": f"<b>{new('html')}</b>"}
    mentions = {"user_ids": [f"@{new('mentioned')}:example.test"], "room": True}
    custom = {"org.example.x": {"y": new("custom")}, "m.mentions": mentions}
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": first}}}
    voice.send("m.room.message", {**plain, "body": new("reply"), **rich, **custom, **reply})
    edit = {"rel_type": "m.replace", "event_id": first, "org.example.x": new("relation")}
    revised = {"msgtype": "m.text", "body": new("newbody"), **rich, "org.example.x": new("newx")}
    content = {**plain, "body": new("edit"), "m.new_content": revised, "m.relates_to": edit}
    voice.send("m.room.message", content)
    reaction = {"rel_type": "m.annotation", "event_id": first, "key": new("reaction")}
    voice.send("m.reaction", {"m.relates_to": reaction, "org.example.x": new("reactionx")})
    doomed = voice.send("m.room.message", {**plain, "body": new("redacted")})
    voice.redact(doomed, new("redaction"))


def _send_files(new: Canaries, alice: Voice) -> None:
    thumbnail = {
        "thumbnail_url": f"mxc://example.test/{new('thumbnail')}",
        "thumbnail_info": {"w": 64, "mimetype": new("thumbnailtype")},
        "thumbnail_file": {"url": f"mxc://example.test/{new('thumbnailfile')}"},
    }
    info = {"mimetype": new("mimetype"), "size": 81_234, "w": 640, "h": 480, "duration": 4_200}
    file = {
        "msgtype": "m.video",
        "body": new("caption"),
        "filename": new("filename"),
        "url": f"mxc://example.test/{new('file')}",
        "file": {"url": f"mxc://example.test/{new('encrypted')}", "key": {"k": new("filekey")}},
        "info": {**info, **thumbnail, "xyz.amorgan.blurhash": new("blurhash")},
    }
    alice.send("m.room.message", file)
    place = {
        "msgtype": "m.location",
        "body": new("placename"),
        "geo_uri": f"geo:51.5,-0.1;u={new('geo')}",
        "m.location": {"uri": f"geo:51.5,-0.1;u={new('mlocation')}", "description": new("spot")},
        "org.matrix.msc3488.location": {"uri": f"geo:51.5,-0.1;u={new('oldlocation')}"},
    }
    alice.send("m.room.message", place)
    sticker = {"body": new("sticker"), "url": f"mxc://example.test/{new('stickerurl')}"}
    alice.send("m.sticker", {**sticker, "info": {"mimetype": "image/png", "w": 5, **thumbnail}})


def _send_signals(new: Canaries, alice: Voice) -> None:
    ciphertext = {
        "algorithm": "m.megolm.v1.aes-sha2",
        "ciphertext": new("ciphertext"),
        "session_id": new("session"),
        "sender_key": new("senderkey"),
        "device_id": new("senderdevice"),
        "org.example.x": new("encryptedx"),
    }
    alice.send("m.room.encrypted", ciphertext)
    call = {"call_id": new("call"), "version": "1", "party_id": new("party")}
    alice.send("m.call.invite", {**call, "offer": {"type": "offer", "sdp": new("sdp")}})
    alice.send("m.call.candidates", {**call, "candidates": [{"candidate": new("candidate")}]})
    alice.send("m.call.answer", {**call, "answer": {"type": "answer", "sdp": new("answersdp")}})
    alice.send("m.call.reject", call)
    alice.send("m.call.hangup", {**call, "reason": "user_hangup"})
    answers = [{"m.id": new("answerid"), "m.text": [{"body": new("answer")}]}]
    question = {"m.text": [{"body": new("question"), "mimetype": "text/plain"}]}
    poll = {"question": question, "answers": answers, "kind": "m.disclosed", "max_selections": 1}
    start = alice.send("m.poll.start", {"m.poll": poll, "m.text": [{"body": new("pollfallback")}]})
    chosen = {"rel_type": "m.reference", "event_id": start}
    alice.send("m.poll.response", {"m.selections": [new("selection")], "m.relates_to": chosen})
    old_answers = [{"id": new("oldid"), "org.matrix.msc1767.text": new("oldanswer")}]
    old_question = {"org.matrix.msc1767.text": new("oldquestion"), "body": new("oldbody")}
    old = {"question": old_question, "answers": old_answers, "kind": "x"}
    alice.send("org.matrix.msc3381.poll.start", {"org.matrix.msc3381.poll.start": old})
    voted = {"answers": [new("vote")]}
    alice.send("org.matrix.msc3381.poll.response", {"org.matrix.msc3381.poll.response": voted})


def _send_oddities(new: Canaries, alice: Voice) -> None:
    """Send what has not the form that its kind promises, and what has no meaning at all."""
    odd = {
        "msgtype": "m.file",
        "body": new("oddcaption"),
        "url": {"nested": new("urlobject")},
        "info": {"size": new("sizetext"), "w": True, "mimetype": [new("mimelist")]},
        "m.new_content": [new("newlist")],
        "m.relates_to": new("relationtext"),
        "format": None,
    }
    alice.send("m.room.message", odd)
    alice.send(
        "org.example.note", {"body": new("notebody"), "msgtype": "m.text", "name": new("note")}
    )
    # A message that says of itself what only who joins says.
    forged = {"membership": "join", "displayname": new("forgedname"), "reason": new("forgedreason")}
    alice.send("m.room.message", {"msgtype": "m.text", "body": new("forgedbody"), **forged})
    alice.send("m.room.message", {"msgtype": new("type"), "body": "\u202e\U0001f4a7 " + new("odd")})
