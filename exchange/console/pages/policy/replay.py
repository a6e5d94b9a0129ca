"""Replay: what was decided before, judged once more by the register of its own moment, with what differs.

Promises: nothing is stored and nothing changes; the total runs on in a form of this session and never in an
address, so that nobody can send somebody else a total.
Source: GDPR 5(2), 39(1)(b).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.refusals import Refused
from exchange.console.roles import OFFICER
from exchange.console.templating import HERE
from exchange.v1 import audit_service_pb2 as pb
from exchange.v1.common_pb2 import PURPOSE_AUDIT, Claim

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from exchange.console.page import Look

AUDIT: Final = Claim(purpose=PURPOSE_AUDIT, legal_basis="FG-AUDIT-39")
PATH: Final = "/naspelen"
# Of the exchange: 2,000 events each. What is left goes on when the person says so.
PAGES_AT_ONCE: Final = 5
SHOWN_MAX: Final = 200
NUMBER_CHARS_MAX: Final = 15
Natural = Annotated[int, msgspec.Meta(ge=0, lt=10**NUMBER_CHARS_MAX)]
FOUND: Final[Mapping[str, str]] = {
    "same": later("Hetzelfde als toen"),
    "differs": later("Anders dan toen"),
    "command_same": later("Opdracht zonder bewaarde vraag: de grondslag stond"),
    "command_differs": later("Opdracht zonder bewaarde vraag: de grondslag stond niet"),
    "other_rules": later("Onder eerdere regels genomen, en nu hetzelfde"),
    "other_rules_differ": later("Onder eerdere regels genomen, en nu anders"),
    "policy_unknown": later("Genomen onder een stand van regels die hier nooit is vastgelegd"),
    "words_erased": later("Van een gewiste inwoner: er is niets meer om te beoordelen"),
    "no_register": later("Van voor het register werd vastgelegd"),
    "unreadable": later("In een vorm die deze versie niet kent"),
}
# By these somebody has to look: the same rules gave something else, or nobody knows by which rules.
WRONG: Final = ("differs", "command_differs", "policy_unknown", "unreadable")
OUTCOMES: Final[Mapping[str, str]] = {
    "PERMIT": later("gegeven"),
    "PARTIAL": later("deels gegeven"),
    "DENY": later("geweigerd"),
    "PERMIT_BREAK_GLASS": later("gegeven bij noodtoegang"),
    "PARTIAL_BREAK_GLASS": later("deels gegeven bij noodtoegang"),
    "": later("opdracht"),
}
# Places that are left empty are the first and the newest.
WHOLE: Final = frozenset({"alles", "van", "tot"})
_NO_DAY: Final = later("Kies een dag, zoals 2026-12-01.")
ASKED: Final = ("van", "tot", "dag", "totdag", "beslissing")
LOOKED_AT: Final = ("decisions", "commands")
FIELDS: Final = [
    *(f"counts.{name}" for name in (*LOOKED_AT, *FOUND)),
    *(
        f"differences.{name}"
        for name in (
            "position",
            "decision_id",
            "found",
            "outcome_then",
            "outcome_now",
            "rules_then",
            "rules_now",
            "basis_then",
            "basis_now",
            "rules_version",
        )
    ),
]


class Range(NamedTuple):
    """From one position to another, both in it; 0 for the first and for the newest."""

    first: int
    last: int


class Gone(NamedTuple):
    """A replay so far."""

    counts: dict[str, int]
    differences: list[pb.ReplayDifference]
    token: str

    @property
    def wrong(self) -> int:
        """Return how many somebody has to look at."""
        return sum(self.counts.get(name, 0) for name in WRONG)

    @property
    def looked_at(self) -> int:
        """Return how many were judged again."""
        return sum(self.counts.get(name, 0) for name in LOOKED_AT)

    @property
    def state(self) -> str:
        """Return the total as a form carries it."""
        return msgspec.json.encode({name: n for name, n in self.counts.items() if n}).decode()


async def show(look: Look) -> Response:
    """Show the form; where something is asked, the first part of its replay."""
    asked = {name: look.query.get(name, "").strip() for name in ASKED}
    if not any(asked.values()) and not WHOLE & look.query.keys():
        # Days that were sent empty are no question; the page without any is the beginning.
        wrong = {"dag": _NO_DAY} if "dag" in look.query else {}
        return _page(look, asked, status=HTTPStatus.BAD_REQUEST if wrong else HTTPStatus.OK, wrong=wrong)
    try:
        place = await _range(look, asked)
    except Refused as refused:
        if refused.status is not HTTPStatus.BAD_REQUEST or refused.reason not in _FIELDS_OF:
            raise
        wrong = {_FIELDS_OF[refused.reason]: refused.sentence}
        return _page(look, asked, status=HTTPStatus.BAD_REQUEST, wrong=wrong)
    return _page(look, asked, place=place, gone=await _onward(look, place, "", {}))


async def go_on(look: Look) -> Response:
    """Judge the next part, and add it to the total."""
    place = Range(_number(look.field("van")), _number(look.field("tot")))
    gone = await _onward(look, place, look.field("token"), total_of(look.field("totaal")))
    asked = dict.fromkeys(ASKED, "") | {"van": str(place.first or ""), "tot": str(place.last or "")}
    return _page(look, asked, place=place, gone=gone)


def total_of(told: str) -> dict[str, int]:
    """Return the total that a form carries. Raises Refused for what is none."""
    try:
        total = msgspec.json.decode(told or "{}", type=dict[str, Natural])
    except (msgspec.MsgspecError, RecursionError):
        total = {"": 0}
    if not {*LOOKED_AT, *FOUND}.issuperset(total):
        raise Refused("TOTAL", later("Het totaal tot nu toe is niet te lezen. Begin opnieuw."))
    return total


async def _onward(look: Look, place: Range, token: str, total: dict[str, int]) -> Gone:
    counts, differences = dict.fromkeys((*LOOKED_AT, *FOUND), 0) | total, list[pb.ReplayDifference]()
    for _ in range(PAGES_AT_ONCE):
        request = pb.ReplayDecisionsRequest(
            claim=AUDIT, fields=FIELDS, from_position=place.first, to_position=place.last, page_token=token
        )
        answer = await look.ask(request, pb.ReplayDecisionsResponse)
        for name in counts:
            counts[name] += getattr(answer.counts, name)
        differences += answer.differences
        token = answer.next_page_token
        if not token:
            break
    return Gone(counts, differences, token)


# --- what is asked ---------------------------------------------------------------------------------

_FIELDS_OF: Final = {
    "NUMBER": "van",
    "BACKWARDS": "tot",
    "DAY": "dag",
    "DAYS": "totdag",
    "NO_DECISION": "beslissing",
    "NOTHING": "dag",
}


async def _range(look: Look, asked: Mapping[str, str]) -> Range:
    """Return the positions that are asked. Raises Refused with the field that is wrong."""
    if asked["beslissing"]:
        at = await _position(look, pb.DecisionFilter(of_decision_id=asked["beslissing"]), newest=False)
        if not at:
            raise Refused("NO_DECISION", later("Deze beslissing is er niet, of u mag haar niet zien."))
        return Range(at, at)
    if asked["dag"] or asked["totdag"]:
        return await _days(look, asked)
    place = Range(_number(asked["van"]), _number(asked["tot"]))
    if 0 < place.last < place.first:
        raise Refused("BACKWARDS", later("De laatste plaats komt voor de eerste."))
    return place


async def _days(look: Look, asked: Mapping[str, str]) -> Range:
    """Return the positions that hold these days whole.

    Commands have a place and no line in the list, so it is from behind the last decision before to the first
    one after: all of these days is in it, and at most the commands around midnight beside it.
    """
    first, last = _day(asked["dag"], "DAY"), _day(asked["totdag"], "DAYS")
    if first and last and last < first:
        raise Refused("DAYS", later("De laatste dag komt voor de eerste."))
    start = stop = 0
    if first:
        before = pb.DecisionFilter()
        before.before_time.FromDatetime(midnight(first))
        start = await _position(look, before, newest=True) + 1
    if last:
        after = pb.DecisionFilter()
        after.from_time.FromDatetime(midnight(last + timedelta(days=1)))
        stop = max(await _position(look, after, newest=False) - 1, 0)
        if 0 < stop < start:
            raise Refused("NOTHING", later("In deze dagen is niets vastgelegd."))
    return Range(start, stop)


async def _position(look: Look, wanted: pb.DecisionFilter, *, newest: bool) -> int:
    """Return the position of the first or the newest of some decisions, 0 where there is none."""
    request = pb.ListDecisionsRequest(
        claim=AUDIT,
        fields=["decisions.disclosure.leaf_index", "decisions.disclosure.decision_id"],
        page_size=1,
        filter=wanted,
        newest_first=newest,
    )
    answer = await look.ask(request, pb.ListDecisionsResponse)
    # A leaf is an event: that at position 1 is leaf 0.
    return answer.decisions[0].disclosure.leaf_index + 1 if answer.decisions else 0


def midnight(day: date) -> datetime:
    """Return when a day begins here."""
    return datetime(day.year, day.month, day.day, tzinfo=HERE)


def _day(told: str, reason: str) -> date | None:
    if not told:
        return None
    try:
        day = date.fromisoformat(told)
    except ValueError:
        day = None
    # Days that no clock here reaches have no midnight everywhere.
    if day is None or not date(2000, 1, 1) <= day <= date(2200, 1, 1):
        raise Refused(reason, _NO_DAY)
    return day


def _number(told: str) -> int:
    if not told:
        return 0
    if not (told.isascii() and told.isdecimal() and len(told) <= NUMBER_CHARS_MAX):
        raise Refused("NUMBER", later("Vul een getal in."))
    return int(told)


def _page(
    look: Look,
    asked: Mapping[str, str],
    *,
    status: HTTPStatus = HTTPStatus.OK,
    **told: Any,  # noqa: ANN401 -- whatever the template shows
) -> Response:
    gone: Gone | None = told.get("gone")
    shown: Sequence[pb.ReplayDifference] = () if gone is None else gone.differences[:SHOWN_MAX]
    around = {"place": None, "gone": None, "wrong": {}, "found": FOUND, "outcomes": OUTCOMES, "bad": WRONG}
    return look.page("replay.html", status, **(around | told), asked=asked, shown=shown)


ROUTES: Final = (
    Page(PATH, show, (OFFICER,), menu=later("Naspelen"), place=40),
    Page(f"{PATH}/verder", go_on, (OFFICER,), methods=("POST",)),
)
