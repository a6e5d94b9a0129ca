"""The stored form: every event comes back as it was, sealed parts stay sealed, the unknown is refused."""

from __future__ import annotations

import base64
import dataclasses
import json
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.domain import TOPICS
from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.organisation_events import OrganisationJoined
from exchange.domain.plan import GoalSet, PlanEvent
from exchange.errors import HistoryUnreadable, KeyDestroyed, SealBroken
from exchange.store import codec as room
from exchange.store.batch import Row
from exchange.store.codec import Asked, Codec, Meta
from tests.golden.write_missing import EVENT_ID, META, sample
from tests.store.fixed_keys import FixedKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.domain.kernel import Event

STREAM = "plan-1"
OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=40),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
    date | None: st.none() | st.dates(),
    tuple[str, ...]: st.lists(st.text(max_size=20), max_size=4).map(tuple),
}


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{one.name: OF_TYPE[hints[one.name]] for one in fields(kind)})


versions = st.integers(1, 2**31)
metas = st.builds(
    Meta,
    at=st.datetimes(timezones=st.just(UTC)),
    facts_position=st.integers(0, 2**62),
    asked=st.none() | st.builds(Asked, st.text(max_size=5), st.text(max_size=30), OF_TYPE[tuple[str, ...]]),
    **dict.fromkeys(
        (
            "organisation",
            "task",
            "professional",
            "purpose",
            "legal_basis",
            "decision_id",
            "policy_hash",
            "necessity",
            "trace",
            "evaluated",
            "answered",
        ),
        st.text(max_size=30),
    ),
)


def stored(codec: Codec, event: Event, meta: Meta = META) -> bytes:
    return codec.encode(event, event_id=EVENT_ID, stream=STREAM, version=1, meta=meta)


def opened(codec: Codec, state: bytes, topic: str, stream: str = STREAM, version: int = 1) -> Event:
    """Open it alone and as a fold does: the same comes of it, or the same is raised."""
    rows = [Row(1, stream, version, topic, state)]
    try:
        alone = codec.decode(state, stream=stream, version=version, topic=topic)
    except (HistoryUnreadable, SealBroken) as refused:
        with pytest.raises(type(refused)) as caught:
            list(codec.read(stream, rows))
        if str(caught.value) != str(refused):
            pytest.fail("a fold refuses it otherwise")
        raise
    except KeyDestroyed:
        # A fold is told that there was something.
        ((_, nothing, _),) = codec.read(stream, rows)
        if nothing is not None:
            pytest.fail("a fold opened what was erased")
        raise
    ((_, event, told),) = codec.read(stream, rows)
    assert alone.event == event
    meta = alone.meta
    assert (told.at, told.organisation, told.task) == (meta.at, meta.organisation, meta.task)
    return alone.event


def changed(state: bytes, **parts: object) -> bytes:
    return json.dumps(json.loads(state) | parts).encode()


# --- round trips --------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", sorted(TOPICS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_event_comes_back_as_it_was(topic: str, data: st.DataObject) -> None:
    codec = Codec(FixedKeys())  # type: ignore[arg-type] # a fake that passes the calls the codec makes
    event, meta = data.draw(events_of(TOPICS[topic])), data.draw(metas)
    place: dict[str, Any] = {"stream": data.draw(st.text(max_size=40)), "version": data.draw(versions)}
    state = codec.encode(event, event_id=EVENT_ID, meta=meta, **place)
    back = codec.decode(state, topic=topic, **place)
    assert back.event == opened(codec, state, topic, **place) == event
    assert type(back.event) is TOPICS[topic]
    assert back.event_id == EVENT_ID
    assert back.meta == msgspec.structs.replace(meta, necessity="")
    told = codec.necessity(state, topic=topic, **place)
    assert told == (meta.necessity if event.resident else "")


def test_what_a_command_asked_is_kept_and_what_kept_nothing_is_stored_as_before() -> None:
    codec = Codec(FixedKeys())  # type: ignore[arg-type] # as above
    asked = Asked("anr", "case-1", ("CONTACT", "WMO-PLAN"))
    kept = stored(codec, sample(GoalSet), msgspec.structs.replace(META, asked=asked))
    assert json.loads(kept)["j"] == ["anr", "case-1", ["CONTACT", "WMO-PLAN"]]
    _, meta, _ = codec.decode_clear(kept, stream=STREAM, topic=GoalSet.TOPIC)
    assert meta.asked == asked
    before = stored(codec, sample(GoalSet))
    assert "j" not in json.loads(before)
    _, meta, _ = codec.decode_clear(before, stream=STREAM, topic=GoalSet.TOPIC)
    assert meta.asked is None
    with pytest.raises(HistoryUnreadable):
        codec.decode_clear(changed(kept, j=["anr", 1]), stream=STREAM, topic=GoalSet.TOPIC)


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_no_field_of_an_event_has_a_default_that_could_be_guessed(topic: str) -> None:
    for one in fields(TOPICS[topic]):
        assert one.default is MISSING, one.name
        assert one.default_factory is MISSING, one.name


def test_the_clear_part_is_read_without_any_key(codec: Codec, keys: FixedKeys) -> None:
    event = sample(GoalSet)
    state = stored(codec, event)
    keys.destroyed.add("r-7f3a")
    clear, meta, event_id = codec.decode_clear(state, stream=STREAM, topic=GoalSet.TOPIC)
    assert clear["goal_id"] == "goal_id-1"
    assert clear["resident"] == "r-7f3a"
    assert not set(clear) & set(event.sealed_fields())
    assert (meta.decision_id, event_id) == (META.decision_id, EVENT_ID)
    clear, _, _ = codec.decode_clear(
        stored(codec, sample(OrganisationJoined)), stream=STREAM, topic=OrganisationJoined.TOPIC
    )
    assert "resident" not in clear


# --- sealing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", sorted(topic for topic, kind in TOPICS.items() if kind.SEALED))
def test_sealed_fields_never_stand_in_the_stored_bytes(topic: str, codec: Codec) -> None:
    event = sample(TOPICS[topic])
    secrets = {name: f"GEHEIM-{name}" for name in event.sealed_fields()}
    marks: dict[str, Any] = {
        name: (mark,) if isinstance(getattr(event, name), tuple) else mark
        for name, mark in secrets.items()
        if isinstance(getattr(event, name), str | tuple)
    }
    event = dataclasses.replace(event, **marks)
    state = stored(codec, event)
    assert b"GEHEIM" not in state
    parts = json.loads(state)
    assert not set(parts["d"]) & set(secrets)
    for _, _, box in (*parts["s"], parts["n"]):
        assert b"GEHEIM" not in base64.b64decode(box)
    assert META.necessity.encode() not in state
    assert opened(codec, state, topic) == event


def test_the_same_event_is_never_sealed_to_the_same_bytes(codec: Codec) -> None:
    event = sample(GoalSet)
    assert stored(codec, event) != stored(codec, event)


@pytest.mark.parametrize(
    "moved",
    [
        {"stream": "plan-2"},
        {"version": 2},
        {"r": "r-other"},
        {"id": "ff" * 16},
        {"category": "WONEN"},
        {"key_version": 2},
    ],
    ids=str,
)
def test_a_ciphertext_moved_elsewhere_does_not_open(codec: Codec, moved: dict[str, Any]) -> None:
    state = stored(codec, sample(GoalSet))
    place: dict[str, Any] = {"stream": STREAM, "version": 1}
    if "category" in moved or "key_version" in moved:
        ((category, key_version, box),) = json.loads(state)["s"]
        part = [moved.get("category", category), moved.get("key_version", key_version), box]
        state = changed(state, s=[part])
    elif moved.keys() & place.keys():
        place |= moved
    else:
        state = changed(state, **moved)
    with pytest.raises(SealBroken):
        opened(codec, state, GoalSet.TOPIC, **place)


def test_a_goal_does_not_open_as_another_event(codec: Codec) -> None:
    with pytest.raises(SealBroken):
        opened(codec, stored(codec, sample(GoalSet)), "plan.agreed.v1")


def test_a_necessity_is_no_part_of_another_sealed_field(codec: Codec) -> None:
    state = stored(codec, sample(DisclosureDecided))
    parts = json.loads(state)
    assert [part[0] for part in parts["s"]] == [parts["n"][0]] == ["LOG"]
    with pytest.raises(SealBroken):
        opened(codec, changed(state, s=[parts["n"]]), DisclosureDecided.TOPIC)
    with pytest.raises(SealBroken):
        codec.necessity(
            changed(state, n=parts["s"][0]), stream=STREAM, version=1, topic=DisclosureDecided.TOPIC
        )


def test_one_changed_byte_of_a_ciphertext_does_not_open(codec: Codec) -> None:
    state = stored(codec, sample(GoalSet))
    ((category, version, box),) = json.loads(state)["s"]
    raw = bytearray(base64.b64decode(box))
    for place in (0, 12, len(raw) - 1):
        raw[place] ^= 1
        broken = changed(state, s=[[category, version, base64.b64encode(raw).decode()]])
        with pytest.raises(SealBroken):
            opened(codec, broken, GoalSet.TOPIC)
        raw[place] ^= 1


def test_after_erasure_neither_event_nor_necessity_opens(codec: Codec, keys: FixedKeys) -> None:
    state = stored(codec, sample(GoalSet))
    keys.destroyed.add("r-7f3a")
    with pytest.raises(KeyDestroyed):
        opened(codec, state, GoalSet.TOPIC)
    assert codec.necessity(state, stream=STREAM, version=1, topic=GoalSet.TOPIC) == ""


def test_a_fold_opens_nothing_more_once_an_erasure_began(codec: Codec, keys: FixedKeys) -> None:
    goal = sample(GoalSet)
    rows = [
        Row(
            version,
            STREAM,
            version,
            GoalSet.TOPIC,
            codec.encode(goal, event_id=EVENT_ID, stream=STREAM, version=version, meta=META),
        )
        for version in (1, 2, 3)
    ]
    reading = codec.read(STREAM, rows)
    assert next(reading)[:2] == (rows[0], goal)
    keys.destroyed.add(goal.resident)
    assert [(row.version, event) for row, event, _ in reading] == [(2, None), (3, None)]


# --- what is refused ----------------------------------------------------------------------------------


def joined(codec: Codec, **data: object) -> bytes:
    state = stored(codec, sample(OrganisationJoined))
    return changed(state, d={name: v for name, v in (json.loads(state)["d"] | data).items() if v is not ...})


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"no json",
        b"[]",
        b"\xff\xfe{}",
        b"{}",
        b'{"id":"zz","at":"2026-03-02T10:00:00Z","o":"","k":"","w":"","p":"","b":"","g":["","",0],"d":{}}',
        b'{"id":"00","at":"2026-03-02T10:00:00Z","o":"","k":"","w":"","p":"","b":"","g":["","",0],"d":{}}',
    ],
)
def test_bytes_that_are_no_stored_event_are_refused(codec: Codec, state: bytes) -> None:
    for read in (codec.decode, codec.necessity):
        with pytest.raises(HistoryUnreadable) as caught:
            read(state, stream="plan-r-secret", version=1, topic=OrganisationJoined.TOPIC)
        assert caught.value.metadata == {"topic": OrganisationJoined.TOPIC, "aggregate": "plan"}
    with pytest.raises(HistoryUnreadable):
        codec.decode_clear(state, stream=STREAM, topic=OrganisationJoined.TOPIC)
    with pytest.raises(HistoryUnreadable):
        opened(codec, state, OrganisationJoined.TOPIC, "plan-r-secret")


@pytest.mark.parametrize(
    "data",
    [{"operator": "yes"}, {"tasks": "college:WMO"}, {"name": ...}, {"new_field": 1}],
    ids=["type", "list", "absent", "unknown"],
)
def test_a_known_topic_of_another_shape_is_refused(codec: Codec, data: dict[str, Any]) -> None:
    with pytest.raises(HistoryUnreadable):
        opened(codec, joined(codec, **data), OrganisationJoined.TOPIC)
    assert opened(codec, joined(codec), OrganisationJoined.TOPIC) == sample(OrganisationJoined)


@pytest.mark.parametrize("topic", ["organisation.joined.v3", "organisation.joined", "", "plan.GoalSet"])
def test_an_unknown_topic_is_refused(codec: Codec, topic: str) -> None:
    with pytest.raises(HistoryUnreadable) as caught:
        opened(codec, joined(codec), topic)
    assert caught.value.metadata["topic"] == topic


# --- old versions -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsSaid(PlanEvent):
    """A goal as a first version might have stored it: no words apart for the effect."""

    TOPIC: ClassVar[str] = "plan.words_said.v1"
    SEALED: ClassVar[Mapping[str, str]] = {"words": "WMO-PLAN"}
    goal_id: str
    words: str
    until: date


def to_second(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "plan.words_said.v2", data | {"desired_effect": "onbekend", "life_domain": "social_network"}


def to_goal(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    data = dict(data)
    return GoalSet.TOPIC, data | {"own_words": data.pop("words"), "target_date": data.pop("until")}


@pytest.fixture
def old_state(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> bytes:
    names = tuple(one.name for one in fields(WordsSaid))
    monkeypatch.setitem(room._NAMES, WordsSaid.TOPIC, names)
    values = {one.name: f"{one.name}-1" for one in fields(WordsSaid)}
    return stored(codec, WordsSaid(**values | {"until": date(2026, 12, 1)}))  # type: ignore[arg-type] # texts and a day


def test_an_old_version_is_read_as_the_event_of_today(
    codec: Codec, old_state: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "UPCASTS", {WordsSaid.TOPIC: to_second, "plan.words_said.v2": to_goal})
    before = bytes(old_state)
    assert opened(codec, old_state, WordsSaid.TOPIC) == GoalSet(
        resident="resident-1",
        plan_id="plan_id-1",
        organisation="organisation-1",
        task="task-1",
        goal_id="goal_id-1",
        own_words="words-1",
        desired_effect="onbekend",
        life_domain="social_network",
        target_date=date(2026, 12, 1),
    )
    assert old_state == before


def test_a_step_missing_between_old_and_new_is_refused(
    codec: Codec, old_state: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HistoryUnreadable):
        opened(codec, old_state, WordsSaid.TOPIC)
    monkeypatch.setattr(room, "UPCASTS", {WordsSaid.TOPIC: to_second})
    with pytest.raises(HistoryUnreadable):
        opened(codec, old_state, WordsSaid.TOPIC)


def test_an_upcast_that_leaves_an_old_field_is_refused(
    codec: Codec, old_state: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        _, second = to_second(data)
        topic, goal = to_goal(second)
        return topic, goal | {"words": "still here"}

    monkeypatch.setattr(room, "UPCASTS", {WordsSaid.TOPIC: careless})
    with pytest.raises(HistoryUnreadable):
        opened(codec, old_state, WordsSaid.TOPIC)
