"""The register of legal bases as it stands, and the record of processing activities that follows from it.

Promises: shows what the exchange recorded, persons by their opaque ids; whoever may look at it may not
therefore change it.
Source: GDPR 5(2), 24, 30(1), 35.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.pages.policy.entries import PAGE_ROWS, PAGES_MAX, READING, Entry, entries
from exchange.console.pages.policy.papers import FORMS, Paper, form_of, saved
from exchange.console.roles import APPROVER, AUTHOR, OFFICER
from exchange.console.templating import HERE, as_datetime
from exchange.documents.activities import PARTS, Activity, ProcessingRecord, record_csv, record_document
from exchange.v1 import legal_basis_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from starlette.responses import Response

    from exchange.console.page import Look

PATH: Final = "/register"
READERS: Final = (OFFICER, AUTHOR, APPROVER)
WORD_CHARS_MAX: Final = 100
ROWS_SHOWN: Final = 25
NUMBER_CHARS_MAX: Final = 7
PROPOSED, IN_FORCE, LATER, OVER = "voorgesteld", "geldt", "later", "voorbij"


class State(NamedTuple):
    """Where a version stands on a day, and how that looks."""

    name: str
    says: str
    mark: str


STATES: Final = (
    State(PROPOSED, later("Voorgesteld: opent nog niets"), "warn"),
    State(IN_FORCE, later("Geldt"), "good"),
    State(LATER, later("Goedgekeurd, geldt nog niet"), ""),
    State(OVER, later("Geldt niet meer"), ""),
)
_BY_NAME: Final[Mapping[str, State]] = {state.name: state for state in STATES}


def state_of(one: Entry, today: date) -> State:
    """Return where a version stands on a day."""
    if one.told.state == pb.LEGAL_BASIS_STATE_PROPOSED:
        return _BY_NAME[PROPOSED]
    if one.in_force(today):
        return _BY_NAME[IN_FORCE]
    approved = one.told.state == pb.LEGAL_BASIS_STATE_APPROVED and one.says["enabled"]
    return _BY_NAME[LATER if approved and today.isoformat() < one.told.valid_from else OVER]


async def show(look: Look) -> Response:
    """Show every version, or those of a state and a word."""
    known, today = await entries(look), look.now.astimezone(HERE).date()
    state = look.query.get("staat", "")
    word = look.query.get("zoek", "")[:WORD_CHARS_MAX].strip()
    rows = [(one, state_of(one, today)) for one in known]
    wanted = [
        (one, stands)
        for one, stands in rows
        if state in {"", stands.name} and (not word or word.casefold() in _words_of(one))
    ]
    wanted.sort(key=lambda row: (row[1].name != PROPOSED, row[0].told.basis_id, -row[0].told.basis_version))
    start = _place(look.query.get("vanaf", ""), len(wanted))
    return look.page(
        "register.html",
        found=len(wanted),
        start=start,
        shown=ROWS_SHOWN,
        rows=wanted[start : start + ROWS_SHOWN],
        counts={one.name: sum(stands is one for _, stands in rows) for one in STATES},
        states=STATES,
        state=state,
        word=word,
        proposes=look.session.role is AUTHOR,
        forms=FORMS,
    )


async def save_record(look: Look) -> Response:
    """Give the record of processing activities as a file."""
    form = form_of(look.request.path_params["form"])
    found = await processing_record(look)
    language = look.words.language
    paper = Paper(
        "verwerkingsactiviteiten",
        found,
        lambda: record_document(found, language),
        lambda: record_csv(found),
    )
    return await saved(paper, form)


async def processing_record(look: Look) -> ProcessingRecord:
    """Return the record: every activity of the entries in force."""
    activities: list[Activity] = []
    token, first = "", None
    for _ in range(PAGES_MAX):
        request = pb.ListProcessingActivitiesRequest(claim=READING, page_size=PAGE_ROWS, page_token=token)
        answer = await look.ask(request, pb.ListProcessingActivitiesResponse)
        first = first or answer
        activities += [
            Activity(one.activity_uri, *(tuple(getattr(one, part)) for part in PARTS))
            for one in answer.activities
        ]
        token = answer.next_page_token
        if not token:
            break
    assert first is not None
    return ProcessingRecord(
        as_datetime(first.answer_time),
        first.controller,
        first.officer_contact,
        first.policy_hash,
        tuple(activities),
    )


def _place(told: str, rows: int) -> int:
    """Return the first row of the page that is asked; the first of all for what is no page."""
    at = int(told) if told.isascii() and told.isdecimal() and len(told) < NUMBER_CHARS_MAX else 0
    return at - at % ROWS_SHOWN if at < rows else 0


def _words_of(one: Entry) -> str:
    says = one.says
    lists = (says["recipients"], says["categories"], says["purposes"])
    words = [one.told.basis_id, one.told.title, one.told.citation, says["dpia_ref"]]
    return " ".join([*words, *(word for some in lists for word in some)]).casefold()


ROUTES: Final = (
    Page(PATH, show, READERS, menu=later("Register"), place=50),
    Page(f"{PATH}/verwerkingen/{{form}}", save_record, READERS),
)
