"""Write a golden file for every event that has none: `python -m tests.golden.write_missing`.

Adds, never edits: a file that is there stays as it is, for what is in stores cannot be changed either.
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from exchange.domain import AGGREGATES, TOPICS
from exchange.store.codec import Codec, Meta
from tests.store.fixed_keys import FixedKeys

if TYPE_CHECKING:
    from exchange.domain.kernel import Event

FOLDER = Path(__file__).resolve().parent / "events"
EVENT_ID = bytes(range(16))
META = Meta(
    at=datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=UTC),
    organisation="00000001003214345000",
    task="college:WMO",
    professional="prof-1",
    purpose="wmo-onderzoek",
    legal_basis="WMO-2.3.2@1",
    decision_id="0f" * 16,
    policy_hash="ab" * 32,
    facts_position=7,
    necessity="Nodig voor het onderzoek",
)
BY_NAME: dict[str, Any] = {
    "resident": "r-7f3a",
    "oin": "00000001003214345000",
    "organisation": "00000001003214345000",
    "provider_oin": "00000003001234567000",
    "task": "college:WMO",
    "life_domain": "work_and_education",
    "life_domains": ("finance", "social_network"),
    "own_words": 'ik wil weer werken, "écht" waar €',
}
BY_TYPE: dict[Any, Any] = {
    int: 3,
    bool: True,
    datetime: datetime(2026, 3, 2, 10, 0, 0, 5, tzinfo=UTC),
    date: date(2026, 2, 28),
    date | None: None,
    tuple[str, ...]: ("eerste", "tweede"),
}


def sample(kind: type[Event]) -> Event:
    """Return one valid event; what has no name or type above is its own field's name."""
    hints = get_type_hints(kind)
    return kind(
        **{
            one.name: BY_NAME.get(one.name, BY_TYPE.get(hints[one.name], f"{one.name}-1"))
            for one in fields(kind)
        }
    )


def told(event: Event) -> dict[str, Any]:
    """Return the event as plain JSON would say it: the second telling, without our codec."""
    values: dict[str, Any] = json.loads(
        json.dumps({one.name: getattr(event, one.name) for one in fields(event)}, default=_day_or_time)
    )
    return values


def golden(kind: type[Event]) -> str:
    """Return the text of a new golden file."""
    event = sample(kind)
    (aggregate,) = (one.name for one in AGGREGATES.values() if kind in one.events)
    stream, version = f"{aggregate}-golden", 12
    state = Codec(FixedKeys()).encode(event, event_id=EVENT_ID, stream=stream, version=version, meta=META)  # type: ignore[arg-type] # a fake that passes the calls the codec makes
    content = {
        "topic": kind.TOPIC,
        "stream": stream,
        "version": version,
        "event": told(event),
        "stored": state.decode(),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def write_missing(folder: Path = FOLDER) -> list[str]:
    """Write what is missing; return the topics written."""
    missing = [topic for topic in sorted(TOPICS) if not (folder / f"{topic}.json").exists()]
    for topic in missing:
        with (folder / f"{topic}.json").open("x", encoding="utf-8") as out:
            out.write(golden(TOPICS[topic]))
    return missing


def _day_or_time(value: date) -> str:
    return value.isoformat()


if __name__ == "__main__":
    write_missing()
