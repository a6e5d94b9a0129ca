"""The filter of the list of decisions as it stands in an address, and the ways to and from it.

Promises: an address holds the whole question and nothing else: what this page does not know is refused under
its field, and the value itself is not repeated; a day is one of the Netherlands. The same filter is given as
the contract takes it and as a line for the command line.
Source: protos/exchange/v1/audit_service.proto (DecisionFilter); RFC 3986 (query).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from google.protobuf.timestamp_pb2 import Timestamp

from exchange.console.language import later
from exchange.console.templating import HERE
from exchange.v1 import audit_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PLACE: Final = "/raadplegingen"
TABLE, TIMELINE, JSON = "tabel", "tijdlijn", "json"
VIEWS: Final = (TABLE, TIMELINE, JSON)
VALUES_MAX: Final = 20
VALUE_CHARS_MAX: Final = 80
YES, NO = "ja", "nee"
_UNKNOWN: Final = later("Dit adres vraagt iets dat deze pagina niet kent.")
_MANY: Final = later("Er passen hoogstens 20 waarden in dit veld.")
_SHAPE: Final = later("Gebruik letters, cijfers en : . _ / @ + - en scheid waarden met een komma.")
_NO_DAY: Final = later("Vul een dag in, zoals 2026-11-26.")
_BACKWARDS: Final = later("Deze dag ligt voor de eerste dag.")
_NEVER: Final = later("Deze waarde komt in het logboek niet voor.")
_OTHER_PAGE: Final = later("Deze bladzijde hoort niet bij dit filter. Begin weer bij de eerste.")
_PURPOSE: Final = "PURPOSE_"
_is_value = re.compile(r"[A-Za-z0-9:._/@+-]+", re.ASCII).fullmatch
_is_pseudonym = re.compile(r"[0-9a-f]{24}", re.ASCII).fullmatch
_is_day = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII).fullmatch
_is_token = re.compile(r"[A-Za-z0-9:._/@+-]{1,200}", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class Choice:
    """One list of the filter: its word in an address, its field in the contract, its option, its heading."""

    name: str
    path: str
    option: str
    title: str
    facet: pb.DecisionFacet.ValueType


CHOICES: Final = (
    Choice("uitkomst", "outcomes", "--outcome", later("Uitkomst"), pb.DECISION_FACET_OUTCOME),
    Choice("regel", "rules", "--rule", later("Regel"), pb.DECISION_FACET_RULE),
    Choice("taak", "tasks", "--task", later("Taak"), pb.DECISION_FACET_TASK),
    Choice(
        "organisatie",
        "organisations",
        "--organisation",
        later("Organisatie (OIN)"),
        pb.DECISION_FACET_ORGANISATION,
    ),
    Choice("grondslag", "legal_bases", "--legal-basis", later("Grondslag"), pb.DECISION_FACET_LEGAL_BASIS),
    Choice("doel", "purposes", "--purpose", later("Doel"), pb.DECISION_FACET_PURPOSE),
    Choice("categorie", "categories", "--category", later("Soort gegevens"), pb.DECISION_FACET_CATEGORY),
)
_NAMES: Final = {choice.path: choice.name for choice in CHOICES}
_SINGLE: Final = ("nood", "van", "tot", "inwoner", "beslissing", "beeld", "volgende")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks. `faults`: by the word of the address, what is wrong with it."""

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by the word of a choice
    emergency: str = ""
    first_day: date | None = None
    last_day: date | None = None
    resident: str = ""
    decision_id: str = ""
    view: str = TABLE
    page_token: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)

    def values(self, name: str) -> tuple[str, ...]:
        """Return what is chosen of one list."""
        return self.chosen.get(name, ())

    @property
    def is_empty(self) -> bool:
        """Tell whether every decision is asked."""
        return replace(self, view=TABLE, page_token="", faults={}, chosen=_filled(self.chosen)) == Asked()

    def toggled(self, name: str, value: str) -> str:
        """Return the address with one value more, or without it where it was there."""
        now = self.values(name)
        then = tuple(one for one in now if one != value) if value in now else (*now, value)
        return self.address(chosen={**self.chosen, name: then}, page_token="")

    def address(self, place: str = PLACE, **changes: object) -> str:
        """Return the address of this question, with some of it changed."""
        told = replace(self, **changes)  # type: ignore[arg-type] # fields of this very class
        query = [(name, ",".join(values)) for name, values in _filled(told.chosen).items()]
        query += [
            ("nood", told.emergency),
            ("van", told.first_day.isoformat() if told.first_day else ""),
            ("tot", told.last_day.isoformat() if told.last_day else ""),
            ("inwoner", told.resident),
            ("beslissing", told.decision_id),
            ("beeld", "" if told.view == TABLE else told.view),
            ("volgende", told.page_token),
        ]
        written = urlencode([one for one in query if one[1]], safe=":,@/")
        return f"{place}?{written}" if written else place

    def filter(self) -> pb.DecisionFilter:
        """Return the filter as the contract takes it."""
        made = pb.DecisionFilter(
            resident_pseudonym=self.resident,
            of_decision_id=self.decision_id,
            emergency=_EMERGENCY[self.emergency],
            purposes=[Purpose.Value(_contract_word(one)) for one in self.values("doel")],
        )
        for choice in CHOICES:
            if choice.path != "purposes":
                getattr(made, choice.path).extend(self.values(choice.name))
        if self.first_day is not None:
            made.from_time.CopyFrom(_stamp(self.first_day))
        if self.last_day is not None:
            made.before_time.CopyFrom(_stamp(self.last_day + timedelta(days=1)))
        return made

    def command(self) -> str:
        """Return the line that gives the same decisions from the store's own files, oldest first."""
        words = ["exchange", "audit", "decisions"]
        for choice in CHOICES:
            for value in self.values(choice.name):
                words += [choice.option, value]
        words += {"": [], YES: ["--emergency"], NO: ["--no-emergency"]}[self.emergency]
        if self.first_day is not None:
            words += ["--from", _utc(self.first_day)]
        if self.last_day is not None:
            words += ["--before", _utc(self.last_day + timedelta(days=1))]
        words += ["--resident", self.resident] if self.resident else []
        words += ["--decision", self.decision_id] if self.decision_id else []
        return shlex.join(words)

    def with_faults(self, fields: Mapping[str, str]) -> Asked:
        """Return this question with what the exchange found wrong; the values are not repeated."""
        faults, chosen = dict(self.faults), dict(self.chosen)
        for path in fields:
            name = _NAMES.get(path.removeprefix("filter.").partition("[")[0], "")
            if path == "page_token":
                faults["volgende"] = _OTHER_PAGE
            else:
                faults[name or "adres"] = _NEVER
                chosen.pop(name, None)
        return replace(self, chosen=chosen, page_token="", faults=faults)


def asked_of(query: Iterable[tuple[str, str]]) -> Asked:
    """Return what an address asks; what is wrong with it stands in its faults and is left out."""
    told: dict[str, list[str]] = {}
    faults: dict[str, str] = {}
    known = {*(choice.name for choice in CHOICES), *_SINGLE}
    for name, value in query:
        if name in known:
            told.setdefault(name, []).append(value.strip())
        elif value:
            faults["adres"] = _UNKNOWN
    chosen = {choice.name: _chosen(choice, told.get(choice.name, ()), faults) for choice in CHOICES}
    single = {name: (told.get(name) or [""])[-1] for name in _SINGLE}
    first, last = (_day(name, single[name], faults) for name in ("van", "tot"))
    if first is not None and last is not None and last < first:
        faults["tot"] = _BACKWARDS
        last = None
    for name, good in _GOOD.items():
        if single[name] and not good(single[name]):
            faults[name] = _NEVER
            single[name] = ""
    return Asked(
        chosen=chosen,
        emergency=single["nood"],
        first_day=first,
        last_day=last,
        resident=single["inwoner"],
        decision_id=single["beslissing"],
        view=single["beeld"] or TABLE,
        page_token=single["volgende"],
        faults=faults,
    )


def stored_word(purpose: str) -> str:
    """Return a purpose as the register writes it, from its name in the contract."""
    return purpose.removeprefix(_PURPOSE).lower().replace("_", "-")


def _contract_word(stored: str) -> str:
    return _PURPOSE + stored.upper().replace("-", "_")


def _chosen(choice: Choice, told: Iterable[str], faults: dict[str, str]) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(one for text in told for one in re.split(r"[,\s]+", text) if one))
    if len(values) > VALUES_MAX:
        faults[choice.name] = _MANY
    elif any(len(one) > VALUE_CHARS_MAX or not _is_value(one) for one in values):
        faults[choice.name] = _SHAPE
    elif choice.path == "purposes" and any(_contract_word(one) not in Purpose.keys() for one in values):  # noqa: SIM118 -- an enum wrapper is no dict
        faults[choice.name] = _NEVER
    else:
        return values
    return ()


def _day(name: str, told: str, faults: dict[str, str]) -> date | None:
    if not told:
        return None
    try:
        found = date.fromisoformat(told) if _is_day(told) else None
    except ValueError:
        found = None
    # What the contract can carry, with a day to spare on either side.
    if found is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        faults[name] = _NO_DAY
        return None
    return found


def _stamp(day: date) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(_midnight(day))
    return made


def _utc(day: date) -> str:
    return _midnight(day).strftime("%Y-%m-%dT%H:%M:%S")


def _midnight(day: date) -> datetime:
    """Return when a day begins in the Netherlands, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=HERE).astimezone(UTC)


def _filled(chosen: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return what is chosen, in the order of the choices: one question has one address."""
    return {choice.name: chosen[choice.name] for choice in CHOICES if chosen.get(choice.name)}


_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_EMERGENCY: Final = {
    "": pb.EMERGENCY_CLAIM_UNSPECIFIED,
    YES: pb.EMERGENCY_CLAIM_CLAIMED,
    NO: pb.EMERGENCY_CLAIM_NOT_CLAIMED,
}
_GOOD: Final[Mapping[str, Callable[[str], object]]] = {
    "nood": _EMERGENCY.__contains__,
    "inwoner": _is_pseudonym,
    "beslissing": lambda told: len(told) <= VALUE_CHARS_MAX and _is_value(told),
    "beeld": VIEWS.__contains__,
    "volgende": _is_token,
}
