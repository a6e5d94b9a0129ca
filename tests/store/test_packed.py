"""A decision's sealed words are stored once and come back to the letter; a part that is bent is refused."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from exchange.domain.disclosure import DisclosureDecided
from exchange.errors import HistoryUnreadable
from exchange.gate.model import Facts, Field
from exchange.keys.sealing import envelope, seal
from exchange.pipeline.decisions import facts_text
from exchange.store.batch import Row
from exchange.store.codec import Codec
from exchange.store.packed import PACKS, UNPACKS
from tests.golden.write_missing import EVENT_ID, META, sample
from tests.store.fixed_keys import FixedKeys

TOPIC = DisclosureDecided.TOPIC
STREAM = "disclosure-1"
ORIGIN = "college:WMO@00000001003214345000"
CATEGORIES = ("NETWERK", "WONEN", "SCHULDEN")
NAMES = tuple(
    f"situations.{leaf}[{category}|{ORIGIN}]"
    for leaf in ("life_domain", "description", "strengths", "score", "judge_date")
    for category in CATEGORIES
)
FIELDS = tuple(
    Field(name, name.partition("[")[2].partition("|")[0], provider="college:WMO", acquired_for="wmo")
    for name in NAMES
)
REQUEST = facts_text(Facts(legal_basis="WMO-2.3.2", necessity='"écht", zei hij', fields=FIELDS))
pack, unpack = PACKS[TOPIC], UNPACKS[TOPIC]


def words(passes: tuple[bool, ...] = (True,) * len(NAMES), request: str = REQUEST) -> dict[str, Any]:
    return {
        "request": request,
        "released": tuple(name for name, one in zip(NAMES, passes, strict=True) if one),
        "withheld": tuple(name for name, one in zip(NAMES, passes, strict=True) if not one),
        "subject": 'plan-"1"',
    }


def decision(said: dict[str, Any]) -> DisclosureDecided:
    event = sample(DisclosureDecided)
    assert isinstance(event, DisclosureDecided)
    return replace(event, **said)


@pytest.fixture
def codec() -> Codec:
    return Codec(FixedKeys())  # type: ignore[arg-type] # a fake that passes the calls the codec makes


def stored(codec: Codec, event: DisclosureDecided) -> bytes:
    return codec.encode(event, event_id=EVENT_ID, stream=STREAM, version=1, meta=META)


@pytest.mark.parametrize(
    "passes",
    [(True,) * 15, (False,) * 15, (True, False) * 7 + (True,), (False,) * 14 + (True,)],
    ids=["all", "none", "every other", "the last"],
)
def test_a_decision_comes_back_as_it_was(codec: Codec, passes: tuple[bool, ...]) -> None:
    event = decision(words(passes))
    state = stored(codec, event)
    assert codec.decode(state, stream=STREAM, version=1, topic=TOPIC).event == event
    ((_, folded, _),) = codec.read(STREAM, [Row(1, STREAM, 1, TOPIC, state)])
    assert folded == event


def test_it_takes_a_third_of_what_it_took(codec: Codec) -> None:
    by_field = ",".join(
        f'{{"acquired_for":"wmo","category":"{one.category}","name":"{one.name}","provider":"college:WMO"}}'
        for one in FIELDS
    )
    before = decision(words(request=f'{{"fields":[{by_field}],"form":2}}'))
    bare = len(stored(codec, decision({"request": "", "released": (), "withheld": (), "subject": ""})))
    now, then = (len(stored(codec, one)) - bare for one in (decision(words()), before))
    assert 3 * now < then


def test_what_was_released_and_what_was_not_take_as_many_bytes(codec: Codec) -> None:
    whole, part = (
        len(stored(codec, decision(words(passes)))) for passes in ((True,) * 15, (True,) * 14 + (False,))
    )
    assert whole == part


@pytest.mark.parametrize(
    "said",
    [
        words(request="request-1"),
        words(request='{"asked":'),
        words(request='{"asked":{"kinds":[],"paths":[]}'),
        words(request='{"asked":[],"sealed":[],"form":3}'),
        words(request=REQUEST + " "),
        words(request=REQUEST[:-1]),
        words() | {"released": NAMES[::-1]},
        words() | {"released": NAMES[1:]},
        words() | {"released": (*NAMES, "version")},
        words() | {"withheld": NAMES[:1]},
    ],
)
def test_what_is_not_of_the_form_is_stored_as_it_came(codec: Codec, said: dict[str, Any]) -> None:
    assert pack(said) == said
    event = decision(said)
    assert codec.decode(stored(codec, event), stream=STREAM, version=1, topic=TOPIC).event == event


def opened(codec: Codec, plain: bytes) -> DisclosureDecided:
    """Store a decision whose sealed part holds these bytes, and read it."""
    told = msgspec.json.decode(stored(codec, decision(words())))
    key = FixedKeys().obtain("r-7f3a", "LOG")
    sealed = seal(key, plain, envelope(STREAM, 1, TOPIC, "r-7f3a", "LOG", EVENT_ID))
    told["s"] = [["LOG", 1, b64encode(sealed).decode()]]
    event = codec.decode(msgspec.json.encode(told), stream=STREAM, version=1, topic=TOPIC).event
    assert isinstance(event, DisclosureDecided)
    return event


def test_a_part_sealed_by_hand_opens(codec: Codec) -> None:
    """Otherwise what is refused below could be refused for its seal."""
    assert opened(codec, bytes(pack(words()))) == decision(words())  # type: ignore[arg-type] # packed: raw bytes


@pytest.mark.parametrize(
    ("was", "bent"),
    [
        (b'"++', b'"+'),
        (b'"++', b'"+++'),
        (b'"++', b'"?+'),
        (b'"kinds"', b'"sorts"'),
        (b'"paths":[["situations.life_domain",0,', b'"paths":[["situations.life_domain",9,'),
        (b'"subject"', b'"object"'),
        (b'"subject"', b'"more":1,"subject"'),
        (b'"request":{', b'"request":[{'),
        (b'"request":{"asked"', b'"request":{"other"'),
    ],
)
def test_a_bent_part_is_refused(codec: Codec, was: bytes, bent: bytes) -> None:
    plain = bytes(pack(words()))  # type: ignore[arg-type] # packed: raw bytes
    assert plain.count(was) == 1
    with pytest.raises(HistoryUnreadable):
        opened(codec, plain.replace(was, bent))
