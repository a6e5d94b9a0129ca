"""How templates show moments. All text is escaped; a name that a template does not have is an error."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from exchange.console.language import later
from exchange.console.names import named
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from google.protobuf.timestamp_pb2 import Timestamp

TEMPLATES: Final = Path(__file__).with_name("templates")
HERE: Final = ZoneInfo("Europe/Amsterdam")
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MIDNIGHT: Final = time()
# What somebody did, by the word that is stored of it; one that this version does not know stands as stored.
DOING: Final = {
    "READ": later("inzien"),
    "SEARCH": later("opzoeken"),
    "EXPORT": later("meegeven"),
    "DISCLOSE": later("verstrekken"),
    "SUBSCRIBE": later("volgen"),
    "COMMAND": later("vastleggen"),
    "EVALUATE": later("vragen of iets mag"),
}


def open_templates() -> Environment:
    """Return the environment all pages are made with."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: Mapping[str, Any] = {
        "moment": moment,
        "due": due,
        "day": day,
        "hour": hour,
        "left": left,
        "outcome": pb.DutyOutcome.Name,
        "named": named,
        "doing": lambda stored: DOING.get(stored, stored),
        "heading": heading,
    }
    templates.filters.update(filters)
    return templates


def as_datetime(told: Timestamp | datetime) -> datetime:
    """Return a moment, UTC."""
    return told if isinstance(told, datetime) else told.ToDatetime(UTC)


def moment(told: Timestamp | datetime) -> Markup:
    """Return a moment as people here read it, with UTC beside it for who compares with a log."""
    local = as_datetime(told).astimezone(HERE)
    return _beside_utc(local, local.date(), local.strftime("%H:%M"))


def due(told: Timestamp | datetime) -> Markup:
    """Return until when something may be done: midnight ends a day (24:00), and begins none of it."""
    local = as_datetime(told).astimezone(HERE)
    if local.time() == MIDNIGHT:
        return _beside_utc(local, local.date() - DAY, "24:00")
    return moment(told)


def _beside_utc(at: datetime, on: date, hour: str) -> Markup:
    """Return a day and hour here; UTC tells its day where that is another one."""
    utc = at.astimezone(UTC)
    beside = "%H:%M" if utc.date() == on else "%d-%m %H:%M"
    return Markup('<time datetime="{}">{} {} <small>({} UTC)</small></time>').format(
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"), on.strftime("%d-%m-%Y"), hour, utc.strftime(beside)
    )


def day(told: Timestamp | datetime) -> str:
    """Return the day here."""
    return as_datetime(told).astimezone(HERE).strftime("%d-%m-%Y")


def hour(told: Timestamp | datetime) -> str:
    """Return the time of the day here."""
    return as_datetime(told).astimezone(HERE).strftime("%H:%M")


def heading(words: str) -> str:
    """Return words as a heading begins: the first letter is made large, and the others stay as they are."""
    return words[:1].upper() + words[1:]


def left(time: timedelta, ngettext: Callable[[str, str, int], str]) -> str:
    """Return how long there is, rounded down: an hour that has begun is not one more."""
    if time >= 2 * DAY:
        return ngettext("nog %d dag", "nog %d dagen", time // DAY) % (time // DAY)
    if time >= HOUR:
        return ngettext("nog %d uur", "nog %d uur", time // HOUR) % (time // HOUR)
    return ngettext("nog %d minuut", "nog %d minuten", time // MINUTE) % (time // MINUTE)
