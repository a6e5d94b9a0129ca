"""What a fold reads straight into what happened: what `decode` makes of it, or refused as that refuses it."""

from __future__ import annotations

import base64
import dataclasses
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from exchange.domain import TOPICS
from exchange.domain.organisation_events import OrganisationJoined
from exchange.domain.plan import GoalSet
from exchange.errors import HistoryUnreadable
from exchange.keys.sealing import envelope, seal
from tests.golden.write_missing import EVENT_ID, sample
from tests.store.fixed_keys import FixedKeys
from tests.store.test_codec import STREAM, changed, opened, stored

if TYPE_CHECKING:
    from exchange.domain.kernel import Event
    from exchange.store.codec import Codec

ODD: tuple[Any, ...] = (
    *(None, True, 3, 3.0, 3.5, 1e300, 2**63, 2**64, -(2**70), "3", "", "yes", [], ["a"], [1], {}, {"a": 1}),
    *("2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01T10:00:00", "2026-13-01", 1_767_225_600),
)


def fields_of_each_type() -> list[tuple[type[Event], str]]:
    """Return a field for each type, in the clear and sealed, of events whose category is always the same."""
    found: dict[tuple[Any, bool], tuple[type[Event], str]] = {}
    for _, kind in sorted(TOPICS.items()):
        hints = get_type_hints(kind)
        for one in fields(kind) if "sealed_fields" not in vars(kind) else ():
            if one.name != "resident":
                found.setdefault((hints[one.name], one.name in kind.SEALED), (kind, one.name))
    return list(found.values())


@pytest.mark.parametrize(("kind", "name"), fields_of_each_type())
def test_whatever_stands_in_a_field_a_fold_reads_or_refuses_it_alike(
    kind: type[Event], name: str, codec: Codec
) -> None:
    event, read = sample(kind), 0
    for odd in ODD:
        if name in kind.SEALED:
            # A record takes whatever it is given: only what reads it holds its types.
            state = stored(codec, dataclasses.replace(event, **{name: odd}))
        else:
            state = stored(codec, event)
            state = changed(state, d=json.loads(state)["d"] | {name: odd})
        try:
            opened(codec, state, kind.TOPIC)
        except HistoryUnreadable:
            continue
        read += 1
    assert 0 < read < len(ODD)


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_what_no_version_says_is_refused_wherever_it_stands(topic: str, codec: Codec) -> None:
    state = stored(codec, sample(TOPICS[topic]))
    with pytest.raises(HistoryUnreadable):
        opened(codec, changed(state, d=json.loads(state)["d"] | {"new_field": 1}), topic)


@pytest.mark.parametrize("parts", [0, 2])
def test_sealed_words_in_other_parts_are_read_or_refused_alike(codec: Codec, parts: int) -> None:
    goal = sample(GoalSet)
    state = stored(codec, goal)
    with_parts = changed(state, s=json.loads(state)["s"] * parts)
    if parts:
        assert opened(codec, with_parts, GoalSet.TOPIC) == goal
    else:
        with pytest.raises(HistoryUnreadable):
            opened(codec, with_parts, GoalSet.TOPIC)


def test_an_id_of_another_length_is_refused_whatever_else_it_says(codec: Codec) -> None:
    for kind in (GoalSet, OrganisationJoined):
        for event_id in ("00", "zz" * 16, "0a " * 10 + "0b", "00" * 17, ""):
            with pytest.raises(HistoryUnreadable):
                opened(codec, changed(stored(codec, sample(kind)), id=event_id), kind.TOPIC)


@pytest.mark.parametrize("words", [b"", b"[]", b"null", b'{"own_words":', b"\xff", b'{"own_words": 1}'])
def test_sealed_words_of_no_shape_are_refused_as_a_shape_nobody_knows(codec: Codec, words: bytes) -> None:
    # Only who holds the key can have written them: a version that is newer, or a defect.
    goal = sample(GoalSet)
    state = json.loads(stored(codec, goal))
    ((category, version, _),) = state["s"]
    key = FixedKeys().open_key(goal.resident, category, version)
    bound = envelope(STREAM, 1, GoalSet.TOPIC, goal.resident, category, EVENT_ID)
    box = base64.b64encode(seal(key, words, bound)).decode()
    with pytest.raises(HistoryUnreadable):
        opened(codec, changed(json.dumps(state).encode(), s=[[category, version, box]]), GoalSet.TOPIC)


@pytest.mark.parametrize("parts", [0, 1, 2])
def test_a_resident_or_a_sealed_field_in_the_clear_is_read_alike(codec: Codec, parts: int) -> None:
    goal = sample(GoalSet)
    state = stored(codec, goal)
    for name in ("resident", "own_words"):
        odd = changed(state, d=json.loads(state)["d"] | {name: "iemand"}, s=json.loads(state)["s"] * parts)
        if parts:
            # Whose it is says the event itself; what is sealed outweighs what stands beside it.
            assert opened(codec, odd, GoalSet.TOPIC) == goal
        else:
            with pytest.raises(HistoryUnreadable):
                opened(codec, odd, GoalSet.TOPIC)
