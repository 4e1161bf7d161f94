"""The conversation, gone through by hand: which of its canaries may come out, under which order.

The oracle is not asked: a slip in the tables would be one there too.
"""

import json

import pytest

from tests.synapse.canaries import canaries_in
from tests.synapse.client import Client, path_of
from tests.synapse.office import Raw
from tests.synapse.service import withhold
from tests.synapse.world import PHONE, World

pytestmark = pytest.mark.synapse

# Who did something to whom, where, from which device: no word that anybody wrote.
TRAFFIC = """
    alice carol dave erin alias call successor
    session senderkey senderdevice
"""
CONTENT = """
    text reply html mentioned edit newbody reaction redaction odd type forgedbody forgedname
    oddcaption caption filename file mimetype thumbnail sticker stickerurl
    placename geo mlocation oldlocation ciphertext
    question answer answerid selection oldquestion oldanswer oldid vote
    shown shownname joinreason invitereason kickreason carolname carolpicture
    alicesroomname alicestopic alicesnewroomname alicesnewtopic roompicture tombstone
    alicesfirst aliceslast carolsfirst carolslast carolsmessage
"""
# What others wrote, what was out of time, what was changed or taken back, and what nobody declared.
NEVER = """
    bob bobname bobpicture bobsearly bobsfirst bobslast bobslate bobsroomname bobstopic bobsending
    davename davepicture erinname erinpicture alicesearly aliceslate carolsearly carolslate
    creationname creationtopic alicename alicepicture
    levels join rules encryption customstate statekey custom relation newx reactionx encryptedx
    thumbnailtype thumbnailfile encrypted filekey blurhash spot party sdp candidate answersdp
    pollfallback oldbody urlobject sizetext mimelist newlist relationtext note notebody forgedreason
"""


@pytest.mark.parametrize(
    ("instrument", "covered"),
    [
        ("us-search-warrant", TRAFFIC + CONTENT),
        ("us-sca-emergency", TRAFFIC + CONTENT),
        ("us-sca-2703d", TRAFFIC),
        ("uk-events-data", TRAFFIC),
        ("eu-epoc-traffic", TRAFFIC),
        ("eu-epoc-content", CONTENT),
        ("us-sca-subpoena", ""),
        ("us-sca-preservation", ""),
    ],
)
def test_of_the_conversation_comes_what_the_order_is_for(
    instrument: str,
    covered: str,
    *,
    client: Client,
    raw: Raw,
    warrants: dict[str, str],
    world: World,
) -> None:
    planted = canaries_in(json.dumps(raw("room-messages", world.den)))
    names = {each[8:] for each in planted}
    # Every canary is in one of the three lists, so that none is forgotten.
    assert names == set((TRAFFIC + CONTENT + NEVER).split())

    answer = client.get(path_of("room-messages", world.den), warrants[instrument])

    assert {each[8:] for each in canaries_in(answer.seen)} == set(covered.split())
    # Bob said much the same as Alice: hers came, and his did not.
    said = [event["sender"] for event in answer.json.get("chunk", []) if "sender" in event]
    assert world.bob not in said


@pytest.mark.parametrize(
    ("resource", "undeclared"),
    [
        (
            "user",
            ["admin", "consent_server_notice_sent", "last_seen_ts", "locked", "shadow_banned"],
        ),
        ("whois", []),
        ("devices", ["total"]),
        ("joined-rooms", []),
        ("room-members", ["total"]),
        ("threepid-msisdn", []),
        ("threepid-email", []),
    ],
)
def test_synapse_answers_what_the_catalogue_declares_and_leaves_out_on_purpose(
    resource: str, undeclared: list[str], *, raw: Raw, world: World
) -> None:
    """A newer Synapse that says more is noticed here, and not by whoever is disclosed."""
    subjects = {"room-members": world.den, "threepid-msisdn": PHONE, "threepid-email": world.email}
    known = json.dumps(raw(resource, subjects.get(resource, world.alice))).encode()
    found = json.loads(withhold("learn", "--json", f"synapse/{resource}", given=known))
    assert [each["path"] for each in found] == [f"$.{name}" for name in undeclared]
