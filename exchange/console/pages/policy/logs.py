"""A log in the form of a standard as a file: of a span of days, passed on as the exchange streams it.

Promises: one recorded decision for a file, with the purpose that was chosen; a file that ends was whole; what
is wrong with the form is told at its field, and nothing is asked.
Source: Logboek Dataverwerkingen (Logius), Verwerkingenlogging (VNG), NEN 7513, Authorization Decision Log.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.downloads import passed_on
from exchange.console.language import later
from exchange.console.templating import HERE
from exchange.v1 import audit_service_pb2 as pb
from exchange.v1.common_pb2 import PURPOSE_AUDIT, PURPOSE_TOEZICHT, Claim

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from starlette.responses import Response

    from exchange.console.page import Look

JSON, JSONL = "json", "jsonl"
KINDS: Final = {JSON: "application/json", JSONL: "application/x-ndjson"}
BASIS: Final = "FG-AUDIT-39"
PURPOSES: Final = {
    "audit": (PURPOSE_AUDIT, later("Controle van de uitwisseling")),
    "toezicht": (PURPOSE_TOEZICHT, later("Toezicht op een verwerking")),
}
_FIRST_YEAR, _LAST_YEAR = 2000, 2200
_is_day = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII).fullmatch
_LIST: Final = ("[\n", "\n]\n")
_LOG: Final = later("Kies een logboek.")
_FORM: Final = later("Kies json of jsonl.")
_WHY: Final = later("Kies waarvoor u het nodig hebt.")
_DAY: Final = later("Vul een dag in, zoals 2026-11-26.")
_BACKWARDS: Final = later("Deze dag ligt voor de eerste dag.")


class Log(NamedTuple):
    """One log of a standard: its word in an address, what it is, who stands in it, and how else it is had.

    `form` is that of the contract, `around` what stands around its lines where they are one JSON text.
    """

    word: str
    form: pb.LogForm.ValueType
    name: str
    standard: str
    about: str
    persons: str
    over_the_line: str
    command: str
    around: tuple[str, str] = _LIST


LOGS: Final = (
    Log(
        "logboek-dataverwerkingen",
        pb.LOG_FORM_LOGBOEK_DATAVERWERKINGEN,
        later("Logboek Dataverwerkingen"),
        "Logius, Logboek Dataverwerkingen",
        later("Elke beslissing is een regel: welke verwerking, op welke grondslag, wanneer."),
        later("Een inwoner staat erin als pseudoniem; medewerkers staan er niet in."),
        "POST /logboek-dataverwerkingen/v1/processing-activities",
        "exchange audit ldv -o jsonl",
        # As an answer of the extension for reading is written.
        ('{"processingActivities": [\n', "\n]}\n"),
    ),
    Log(
        "verwerkingenlogging",
        pb.LOG_FORM_VERWERKINGENLOGGING,
        later("Verwerkingenlogging"),
        "VNG, Verwerkingenlogging, Bewerking API 0.9",
        later("Dezelfde regels, met de soorten gegevens."),
        later("Als hierboven; vertrouwelijk waar de kant van de inwoner niet mag meelezen."),
        "",
        "exchange audit verwerkingen -o jsonl",
    ),
    Log(
        "nen7513",
        pb.LOG_FORM_NEN7513,
        "NEN 7513",
        "NEN 7513",
        later("Wie in een zorgdossier keek of schreef."),
        later("Ook het eigen nummer van de medewerker: alleen voor u."),
        "",
        "exchange audit nen7513 -o jsonl",
    ),
    Log(
        "authorization-decision-log",
        pb.LOG_FORM_AUTHORIZATION_DECISION_LOG,
        "Authorization Decision Log",
        "VNG, Authorization Decision Log (november 2025)",
        later("Elke beslissing van de poort, met regels en uitkomst, voor wie beslissingen controleert."),
        later("Een inwoner staat erin als pseudoniem."),
        "GET /decision-log/v1/records?since=0&limit=100",
        "exchange audit adl --since 0",
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form says; `faults` by the word of a field. No day is the whole log, up to now."""

    log: str = ""
    first: str = ""
    last: str = ""
    why: str = "audit"
    form: str = JSON
    faults: Mapping[str, str] = field(default_factory=dict)


def usual(now: datetime) -> Asked:
    """Return the form as it is opened: the month that is over."""
    last = now.astimezone(HERE).date().replace(day=1) - timedelta(days=1)
    return Asked(LOGS[0].word, last.replace(day=1).isoformat(), last.isoformat())


def asked_of(query: Mapping[str, str]) -> Asked:
    """Return what was filled in, and what is wrong with it."""
    log, first, last, why, form = (
        query.get(name, "").strip() for name in ("logboek", "van", "tot", "doel", "vorm")
    )
    told = Asked(log, first, last, why, form)
    faults = {
        name: says
        for name, good, says in (
            ("logboek", told.log in {log.word for log in LOGS}, _LOG),
            ("van", not told.first or _day(told.first) is not None, _DAY),
            ("tot", not told.last or _day(told.last) is not None, _DAY),
            ("doel", told.why in PURPOSES, _WHY),
            ("vorm", told.form in KINDS, _FORM),
        )
        if not good
    }
    if not faults and told.first and told.last and told.last < told.first:
        faults["tot"] = _BACKWARDS
    # What cannot be a day is not put back into its field.
    first, last = (one if _day(one) is not None else "" for one in (first, last))
    return Asked(log, first, last, why, form, faults)


async def save_log(look: Look, faulty: Callable[[Look, Asked, HTTPStatus], Response]) -> Response:
    """Give a log as a file; `faulty` shows the form again, with what is wrong."""
    asked = asked_of(look.query)
    if asked.faults:
        return faulty(look, asked, HTTPStatus.BAD_REQUEST)
    log = next(one for one in LOGS if one.word == asked.log)
    span = "-".join(day for day in (asked.first, asked.last) if day)
    name = f"{log.word}{f'-{span}' if span else ''}.{asked.form}"
    return await passed_on(_content(look, log, asked), name, KINDS[asked.form])


async def _content(look: Look, log: Log, asked: Asked) -> AsyncGenerator[bytes, None]:
    """Yield the file, a part at a time; lines of JSON, or one JSON text."""
    request = pb.StreamLogRequest(
        claim=Claim(purpose=PURPOSES[asked.why][0], legal_basis=BASIS), fields=["lines"], form=log.form
    )
    if (first := _day(asked.first)) is not None:
        request.from_time.FromDatetime(_midnight(first))
    if (last := _day(asked.last)) is not None:
        request.before_time.FromDatetime(_midnight(last + timedelta(days=1)))
    begin, end = log.around if asked.form == JSON else ("", "")
    between = ",\n" if asked.form == JSON else "\n"
    before = begin
    async with aclosing(look.stream(request, pb.StreamLogResponse)) as parts:
        async for part in parts:
            if part.lines:
                yield (before + between.join(part.lines)).encode()
                before = between
    # Nothing at all was found: the list is empty, and so are the lines.
    ending = end if asked.form == JSON else ("\n" if before == between else "")
    yield ((begin if before == begin else "") + ending).encode()


def _day(told: str) -> date | None:
    if not _is_day(told):
        return None
    try:
        found = date.fromisoformat(told)
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year < _LAST_YEAR else None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=HERE).astimezone(UTC)
