"""Who looked: each question about a resident's data, the refused ones too, by organisation and task, and why.

Promises: no name of anybody who works somewhere is asked for, so none can be shown; the list is read by the
exchange's own key of pages, and what is filtered away here was judged and recorded as read. What must be told
counts as told once it is on this page, and so is not asked for where somebody may look along.
Source: GDPR 12(1), 15(1)(c); CJEU C-579/21 (no names of staff); Wmo 2015 5.3.1.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.refusals import Refused
from exchange.console.resident.asking import ACCESS, own_case, pages, told
from exchange.console.resident.known import SELF, known_of
from exchange.console.resident.plain import Plain, is_day
from exchange.console.roles import IN_PERSON, RESIDENT
from exchange.documents.access import in_words
from exchange.documents.words import words_of
from exchange.v1 import disclosure_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.responses import Response

    from exchange.console.page import Look
    from exchange.console.resident.known import Known

PLACE: Final = "/mijn/2"
TITLE: Final = later("Wie keek")
NEUTRAL: Final = later("Overzicht")
HERE: Final = ZoneInfo("Europe/Amsterdam")
PAGE_ROWS: Final = 200
SHOWN_MIN: Final = 25
PAGES_READ_MAX: Final = 10
TAG_CHARS: Final = 8
FIELDS: Final = [
    f"disclosures.{one}"
    for one in (
        *("decide_time", "organisation", "task", "purpose", "legal_basis", "outcome"),
        *("released_fields", "withheld_fields", "explanation", "abort_time"),
    )
]
NOTICE_FIELDS: Final = [
    f"notices.{one}" for one in ("decide_time", "organisation", "task", "purpose", "explanation", "told_time")
]
REFUSED: Final = "DENY"
PARTLY: Final = "PARTIAL"
EMERGENCY: Final = "BREAK_GLASS"
# An address tells by numbers alone what was chosen.
OTHERS, EVERYBODY, MYSELF = "", "1", "2"
ANYTHING, ONLY_REFUSED, ONLY_EMERGENCY = "", "1", "2"
WHO: Final = {
    OTHERS: later("anderen dan ik"),
    EVERYBODY: later("iedereen, ook ik"),
    MYSELF: later("alleen ik"),
}
WHO_ACTING: Final = {
    OTHERS: later("anderen dan wie vertegenwoordigt"),
    EVERYBODY: later("iedereen, ook wie vertegenwoordigt"),
}
KINDS: Final = {
    ANYTHING: later("alles"),
    ONLY_REFUSED: later("alleen wat is geweigerd"),
    ONLY_EMERGENCY: later("alleen noodtoegang"),
}
# The id of a basis says nothing to anybody; the article behind it does.
_BASIS_WITH_ARTICLE: Final = re.compile(r"volgens \S+ \((.+?)\)\.(?= |$)")


class Wanted(NamedTuple):
    """What somebody asked to see; the words of the address, checked."""

    who: str
    kind: str
    by: str
    since: str
    until: str

    @property
    def everything(self) -> bool:
        """Tell whether nothing was chosen."""
        return not any(self)


class Looked(NamedTuple):
    """One question, in words."""

    at: datetime
    who: str
    why: str
    what: str
    article: str
    outcome: str
    refused: bool
    partly: bool
    emergency: bool
    arrived: bool
    explanation: str


class Visits(NamedTuple):
    """What one organisation asked on one day, newest first; `at` is the newest."""

    at: datetime
    who: str
    rows: list[Looked]

    @property
    def refused(self) -> int:
        """Return how many were refused."""
        return sum(one.refused for one in self.rows)

    @property
    def emergencies(self) -> int:
        """Return how many were emergencies, claimed or granted."""
        return sum(one.emergency for one in self.rows)


def by_day(rows: Sequence[Looked]) -> list[Visits]:
    """Return rows by organisation and day, in the order of the newest of each."""
    found = dict[tuple[str, date], Visits]()
    for one in rows:
        key = (one.who, one.at.astimezone(HERE).date())
        found.setdefault(key, Visits(one.at, one.who, [])).rows.append(one)
    return list(found.values())


async def show(look: Look) -> Response:
    """Show who looked, newest first."""
    wanted = _wanted(look)
    case = await own_case(look)
    known = await known_of(look)
    plain = Plain(words_of(look.words.language))
    rows, choices, token = await _rows(look, case.case_id, wanted, known, plain)
    first = not look.query.get("blad")
    safe = look.session.safe
    notices = [] if safe or not first else await _notices(look, case.case_id, known, plain)
    return look.page(
        "my_looks.html",
        heading=look.heading(TITLE, NEUTRAL),
        rows=rows,
        # A short list stands open; of a long one each organisation's day is one line that opens.
        folded=by_day(rows) if len(rows) > SHOWN_MIN else (),
        notices=notices,
        wanted=wanted,
        who_words=WHO if look.session.role is RESIDENT else WHO_ACTING,
        kind_words=KINDS,
        choices=choices,
        token=token,
        first=first,
        acting=look.session.role is not RESIDENT,
    )


def _wanted(look: Look) -> Wanted:
    asked = {name: look.query.get(name, "") for name in ("wie", "soort", "bij", "van", "tot")}
    days_right = all(not asked[name] or is_day(asked[name]) for name in ("van", "tot"))
    if asked["wie"] not in WHO or asked["soort"] not in KINDS or not days_right:
        raise Refused("FILTER", later("Dit kan niet worden gekozen. Ga terug en kies opnieuw."))
    return Wanted(asked["wie"], asked["soort"], asked["bij"], asked["van"], asked["tot"])


async def _rows(
    look: Look, case_id: str, wanted: Wanted, known: Known, plain: Plain
) -> tuple[list[Looked], dict[str, str], str]:
    """Return rows, who can be chosen, and the key of what follows; "" at the end."""
    rows, choices, token = list[Looked](), dict[str, str](), ""
    request = pb.ListDisclosuresRequest(
        claim=ACCESS,
        case_id=case_id,
        fields=FIELDS,
        allow_partial=True,
        page_size=PAGE_ROWS,
        page_token=look.query.get("blad", ""),
    )
    read = 0
    async for page in pages(look, request, pb.ListDisclosuresResponse):
        for one in map(told, page.disclosures):
            who = known.who(one.get("organisation", ""), one.get("task", ""), plain.words)
            if one.get("task") not in SELF and who:
                choices[tag_of(look, who)] = who
            if _fits(look, one, who, wanted):
                rows.append(_looked(one, who, known, plain))
        read, token = read + 1, page.next_page_token
        if len(rows) >= SHOWN_MIN or read == PAGES_READ_MAX:
            break
    return rows, dict(sorted(choices.items(), key=lambda one: one[1])), token


def tag_of(look: Look, who: str) -> str:
    """Return what stands for an organisation in an address: whoever reads that later learns nothing."""
    return sha256(f"{look.session.csrf}\n{who}".encode()).hexdigest()[:TAG_CHARS]


def _fits(look: Look, one: Mapping[str, Any], who: str, wanted: Wanted) -> bool:
    # Of who acts for somebody it is not told which of them looked: to one of them all of them are himself.
    mine = one.get("task") == look.session.role.task
    if wanted.who != EVERYBODY and mine != (wanted.who == MYSELF):
        return False
    outcome = one.get("outcome", "")
    if wanted.kind == ONLY_REFUSED and outcome != REFUSED:
        return False
    if wanted.kind == ONLY_EMERGENCY and EMERGENCY not in outcome:
        return False
    if wanted.by and tag_of(look, who) != wanted.by:
        return False
    on = _at(one).astimezone(HERE).date()
    since = date.fromisoformat(wanted.since) if wanted.since else date.min
    until = date.fromisoformat(wanted.until) if wanted.until else date.max
    return since <= on <= until


def _at(one: Mapping[str, Any]) -> datetime:
    return (
        datetime.fromisoformat(one["decide_time"])
        if "decide_time" in one
        else datetime.min.replace(tzinfo=UTC)
    )


def _looked(one: Mapping[str, Any], who: str, known: Known, plain: Plain) -> Looked:
    outcome = one.get("outcome", "")
    return Looked(
        at=_at(one),
        who=who,
        why=plain.purpose(one.get("purpose", "")),
        what=_parts(one.get("released_fields") or one.get("withheld_fields") or (), plain),
        article=known.article(one.get("legal_basis", "")),
        outcome=plain.words.outcome(outcome) if outcome else "",
        refused=outcome == REFUSED,
        partly=PARTLY in outcome,
        emergency=EMERGENCY in outcome,
        arrived="abort_time" not in one,
        explanation=_explained(one),
    )


def _parts(paths: Iterable[str], plain: Plain) -> str:
    collections = dict.fromkeys(path.partition("[")[0].partition(".")[0] for path in paths)
    return ", ".join(plain.words.field(one) for one in collections)


def _explained(one: Mapping[str, Any]) -> str:
    """Return what the gate says to residents, with articles for grounds and parts of the plan for fields."""
    return in_words(_BASIS_WITH_ARTICLE.sub(r"volgens \1.", one.get("explanation", "")), words_of("nl"))


async def _notices(look: Look, case_id: str, known: Known, plain: Plain) -> list[Looked]:
    request = pb.ListNoticesRequest(claim=ACCESS, case_id=case_id, fields=NOTICE_FIELDS, page_size=PAGE_ROWS)
    answer = await look.ask(request, pb.ListNoticesResponse)
    fresh = (one for one in map(told, answer.notices) if "told_time" not in one)
    return [
        _looked(one, known.who(one.get("organisation", ""), one.get("task", ""), plain.words), known, plain)
        for one in fresh
    ]


ROUTES: Final = (Page(PLACE, show, IN_PERSON, menu=TITLE, place=20),)
