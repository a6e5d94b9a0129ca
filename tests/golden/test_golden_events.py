"""Every event ever stored loads for ever: golden files are added, never edited."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain import TOPICS
from exchange.store.batch import Row
from exchange.store.codec import Codec
from exchange.store.upcasts import UPCASTS
from tests.golden.write_missing import EVENT_ID, FOLDER, META, told, write_missing
from tests.store.fixed_keys import FixedKeys

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(FOLDER.glob("*.json"))


@pytest.fixture
def codec() -> Codec:
    return Codec(FixedKeys())  # type: ignore[arg-type] # a fake that passes the calls the codec makes


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_was_stored_is_read_as_what_happened(file: Path, codec: Codec) -> None:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    # Behind a plus stands in which of several forms an event of this topic was stored.
    assert file.stem.partition("+")[0] == content["topic"]
    place: dict[str, Any] = {
        "stream": content["stream"],
        "version": content["version"],
        "topic": content["topic"],
    }
    state = content["stored"].encode()
    opened = codec.decode(state, **place)
    assert told(opened.event) == as_today(content["topic"], content["event"])
    ((_, folded, _),) = codec.read(content["stream"], [Row(1, state=state, **place)])
    assert folded == opened.event
    assert opened.event_id == EVENT_ID
    assert opened.meta.at == META.at
    assert opened.meta.decision_id == META.decision_id
    assert codec.necessity(state, **place) == (META.necessity if content["event"].get("resident") else "")


def test_every_upcast_has_a_golden_file_of_what_it_reads() -> None:
    assert set(UPCASTS) <= {file.stem for file in FILES}
    assert UPCASTS.keys().isdisjoint(TOPICS)


def as_today(topic: str, event: dict[str, Any]) -> dict[str, Any]:
    """Return what an event of an earlier version is read as."""
    while topic in UPCASTS:
        topic, event = UPCASTS[topic](event)
    # As it is told: a list stands for a tuple.
    read: dict[str, Any] = json.loads(json.dumps(event))
    return read


def test_every_event_has_its_golden_file() -> None:
    missing = sorted(set(TOPICS) - {file.stem for file in FILES})
    assert missing == [], "run python -m tests.golden.write_missing, and commit what it adds"


def test_writing_adds_what_is_missing_and_edits_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "plan.opened.v1.json"
    kept.write_text("kept", encoding="utf-8")
    assert write_missing(tmp_path) == sorted(set(TOPICS) - {"plan.opened.v1"})
    assert kept.read_text(encoding="utf-8") == "kept"
    assert write_missing(tmp_path) == []
    assert {file.stem for file in tmp_path.glob("*.json")} == set(TOPICS)
