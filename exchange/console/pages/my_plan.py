"""My plan: what a resident said and what was agreed, in his words; who works with him; his own yes or no.

Promises: nothing in it is a number, a stored word or the name of somebody who works with him; a yes is to the
plan as it was shown, by its version. What he adds stands beside what was recorded and replaces nothing of it.
Source: GDPR 12(1), 15, 16; Wmo 2015 2.3.2; the plan service.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.resident.asking import (
    ACCESS,
    WORD,
    index_of,
    own_case,
    read_plan,
    told,
    version_of,
    words_of_form,
)
from exchange.console.resident.authority import authority_of
from exchange.console.resident.known import SELF, known_of
from exchange.console.resident.plain import Plain
from exchange.console.roles import IN_PERSON, RESIDENT
from exchange.documents.words import words_of
from exchange.v1 import household_service_pb2 as household_pb
from exchange.v1 import plan_pb2
from exchange.v1 import plan_service_pb2 as plan_pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from exchange.console.page import Look
    from exchange.console.resident.known import Known

PLACE: Final = "/mijn/1"
TITLE: Final = later("Mijn plan")
NEUTRAL: Final = later("Overzicht")
FIELDS: Final = (
    "version",
    *(f"reports.{one}" for one in ("report_id", "life_domains", "own_words", "receive_time", "statement")),
    *(
        f"conversations.{one}"
        for one in ("conversation_id", "kind", "hold_date", "outcome", "summary", "present", "statement")
    ),
    *(
        f"situations.{one}"
        for one in (
            *("life_domain", "description", "strengths", "score", "judge_date"),
            *("earlier_scores", "earlier_judge_dates", "own_network", "statement"),
        )
    ),
    *(
        f"goals.{one}"
        for one in (
            *("goal_id", "own_words", "desired_effect", "life_domain", "target_date"),
            *("state", "state_date", "carried_by", "statement"),
        )
    ),
    *(
        f"supports.{one}"
        for one in (
            *("kind", "provider_oin", "product_category", "start_date", "end_date", "volume", "unit"),
            *("frequency", "goal_ids", "state", "care_start_date", "care_end_date"),
            *("stop_reason", "refuse_reason"),
        )
    ),
    *(
        f"agreements.{one}"
        for one in ("outcome", "remarks", "plan_version", "say_time", "spoken_by", "waits")
    ),
    *(
        f"trajectories.{one}"
        for one in ("activity", "step", "hours_a_week", "place", "start_date", "state", "since_date")
    ),
    *(f"evaluations.{one}" for one in ("plan_date", "hold_date", "goal_ids", "scores", "what_to_change")),
    *(f"answers.{one}" for one in ("plan_version", "met", "answer", "answer_time", "without_parents")),
    *(f"preferences.{one}" for one in ("provider_oin", "provider_task", "invited")),
)
AROUND: Final = [
    *("sources.organisation", "sources.task"),
    *("recipients.organisation", "recipients.task", "recipients.last_time"),
]
HOME_FIELDS: Final = ["membership.role", "membership.director_oin", "membership.director_task"]
# Beside what he can put words: its collection, what names an element there, and how it is called.
BESIDE: Final = {
    "reports": "report_id",
    "conversations": "conversation_id",
    "goals": "goal_id",
    "situations": "life_domain",
}
ROLES: Final = {
    "MEMBER_ROLE_RESIDENT": later("iemand die er ook woont"),
    "MEMBER_ROLE_PARENT": later("ouder"),
    "MEMBER_ROLE_CHILD": later("kind"),
    "MEMBER_ROLE_PARTNER": later("partner"),
}
SAYS: Final = {
    "ja": plan_pb2.AGREEMENT_OUTCOME_AGREED,
    "mits": plan_pb2.AGREEMENT_OUTCOME_AGREED_ON_CONDITIONS,
    "nee": plan_pb2.AGREEMENT_OUTCOME_DISAGREED,
}
# What is said where an organisation recorded no such element; sent again, the plan has moved on meanwhile.
ANOTHERS: Final = frozenset({"RULE_BROKEN", "VERSION_CONFLICT"})
# An address tells by a number alone what was recorded.
WORDS_ADDED: Final = "4"
NO: Final = "AGREEMENT_OUTCOME_DISAGREED"
REPRESENTATIVE: Final = "AGREEMENT_SPEAKER_REPRESENTATIVE"
NUMBERS: Final = {"ja": "1", "mits": "2", "nee": "3"}
SAID: Final = {
    "1": later("U zei ja tegen het plan."),
    "2": later("U zei ja, met voorwaarden. De gemeente hoort wat u vraagt."),
    "3": later("U zei nee tegen het plan. De gemeente hoort waarom."),
    WORDS_ADDED: later(
        "Uw woorden staan nu bij het plan. Wie dat deel van het plan leest, leest ook uw woorden."
    ),
}


class Around(NamedTuple):
    """One organisation in one task: whether it wrote in the plan, and when it last got something of it."""

    who: str
    wrote: bool
    last: str


class Home(NamedTuple):
    """A household as its member may see it: what the others are in it, and who leads."""

    roles: tuple[str, ...]
    director: str


async def show(look: Look) -> Response:
    """Show the plan."""
    case = await own_case(look)
    known = await known_of(look)
    plain = Plain(words_of(look.words.language))
    read = await read_plan(look, case.plan_id, FIELDS)
    plan = read.plan
    goals = {one["goal_id"]: one.get("own_words", "") for one in plan.get("goals", ()) if "goal_id" in one}
    said = list(plan.get("agreements", ()))
    return look.page(
        "my_plan.html",
        heading=look.heading(TITLE, NEUTRAL),
        plan=plan,
        withheld=bool(read.withheld),
        plain=plain,
        known=known,
        goals=goals,
        said=said[-1] if said else None,
        waits_for=_waits_for(said, plan.get("answers", ())),
        newer=bool(said) and int(plan.get("version", 0)) > int(said[-1].get("plan_version", 0)) + 1,
        around=await _around(look, case.case_id, known, plain),
        homes=await _homes(look, case.plan_id, known, plain),
        number=look.fresh_id,
        speaks=(await authority_of(look, case.case_id)).speaks,
        done=SAID.get(look.query.get("klaar", ""), ""),
    )


def _waits_for(said: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]) -> str:
    """Return "parent" or "child" where the newest word is a yes that waits for the other's.

    "alone" where a child's yes counts without its parents' and the newest word is such a yes or a no; else
    nothing.
    """
    newest = said[-1] if said else {}
    alone = {one.get("plan_version") for one in answers if one.get("without_parents")} - {None}
    counts = False
    for one in said:
        ended = one.get("outcome") == NO and one.get("spoken_by") != REPRESENTATIVE
        counts = not ended and (counts or one.get("plan_version") in alone)
    if counts and (newest.get("waits") or newest.get("outcome") == NO):
        return "alone"
    if not newest.get("waits"):
        return ""
    return "child" if newest.get("spoken_by") == REPRESENTATIVE else "parent"


async def agree(look: Look) -> Response:
    """Record what he says of the plan."""
    say = look.field("zeg")
    if say not in SAYS:
        raise Refused("SAYS", later("Kies ja, ja met voorwaarden, of nee."))
    case = await own_case(look)
    request = plan_pb.AgreeToPlanRequest(
        request_id=look.field("request_id"),
        claim=WORD,
        plan_id=case.plan_id,
        expected_version=version_of(look),
        outcome=SAYS[say],
        remarks=words_of_form(look, "woorden", required=say != "ja"),
    )
    await look.ask(request, plan_pb.AgreeToPlanResponse)
    return look.onward(f"{PLACE}?klaar={NUMBERS[say]}")


async def add_words(look: Look) -> Response:
    """Put his words beside something in the plan.

    The plan does not tell its reader who recorded an element; the sources of the plan are tried one by one,
    each with a request id that follows from the form's, so that a form sent twice is recorded once.
    """
    collection = look.field("deel")
    named_by = BESIDE.get(collection)
    if named_by is None:
        raise Refused("PART", later("Kies waar uw woorden bij horen."))
    statement = words_of_form(look, "woorden")
    version = version_of(look)
    try:
        base = uuid.UUID(look.field("request_id"))
    except ValueError:
        raise Refused("REQUEST_ID", later("Dit formulier is niet goed. Open de pagina opnieuw.")) from None
    case = await own_case(look)
    plan = (await read_plan(look, case.plan_id, [f"{collection}.{named_by}"])).plan
    elements = plan.get(collection, [])
    name = elements[index_of(look.field("nummer"), len(elements))].get(named_by, "")
    element = rights_pb.PlanElement(collection=collection, name=name)
    refused: AnswerRefused | None = None
    sources = await _sources(look, case.case_id)
    for oin, task in sources:
        element.oin, element.task = oin, task
        request = rights_pb.AddStatementRequest(
            request_id=str(uuid.UUID(bytes=uuid.uuid5(base, f"{oin}/{task}").bytes, version=4)),
            claim=WORD,
            plan_id=case.plan_id,
            expected_version=version,
            element=element,
            statement=statement,
        )
        try:
            await look.ask(request, rights_pb.AddStatementResponse)
        except AnswerRefused as error:
            if error.reason not in ANOTHERS:
                if error.judged and (oin, task) != sources[-1]:
                    # An attempt before may have come to a later source, under another request id.
                    error.of_command = False
                raise
            refused = error
            continue
        return look.onward(f"{PLACE}?klaar={WORDS_ADDED}")
    raise refused or Refused("NO_SUCH", later("Dit is er niet, of niet meer."))


async def _sources(look: Look, case_id: str) -> Sequence[tuple[str, str]]:
    request = rights_pb.GetAccessAnswerRequest(
        claim=ACCESS, case_id=case_id, fields=["sources.organisation", "sources.task"]
    )
    answer = await look.ask(request, rights_pb.GetAccessAnswerResponse)
    return [
        (one.organisation, one.task) for one in answer.sources if one.organisation and one.task not in SELF
    ]


async def _around(look: Look, case_id: str, known: Known, plain: Plain) -> list[Around]:
    """Return who is around him; nobody to who sees the plan by a youth's leave alone."""
    request = rights_pb.GetAccessAnswerRequest(claim=ACCESS, case_id=case_id, fields=AROUND)
    try:
        answer = told(await look.ask(request, rights_pb.GetAccessAnswerResponse))
    except AnswerRefused as refused:
        if not refused.rules or look.session.role is RESIDENT:
            raise
        return []
    found: dict[str, Around] = {}

    def note(one: Mapping[str, Any], *, wrote: bool) -> None:
        task = one.get("task", "")
        who = known.who(one.get("organisation", ""), task, plain.words)
        if who and task not in SELF:
            before = found.get(who, Around(who, wrote=False, last=""))
            last = one.get("last_time", "")
            found[who] = Around(who, before.wrote or wrote, plain.day(last) if last else before.last)

    for one in answer.get("sources", ()):
        note(one, wrote=True)
    for one in answer.get("recipients", ()):
        note(one, wrote=False)
    return sorted(found.values())


async def _homes(look: Look, plan_id: str, known: Known, plain: Plain) -> list[Home]:
    """Return his households; none where nothing of one may be told."""
    request = household_pb.GetHouseholdRequest(
        claim=ACCESS, plan_id=plan_id, fields=HOME_FIELDS, allow_partial=True
    )
    try:
        answer = await look.ask(request, household_pb.GetHouseholdResponse)
    except AnswerRefused as refused:
        if not refused.rules:
            raise
        return []
    return [_home(look, told(one), known, plain) for one in answer.households]


def _home(look: Look, household: Mapping[str, Any], known: Known, plain: Plain) -> Home:
    members = [one.get("membership", {}) for one in household.get("members", ())]
    roles = tuple(look.words.gettext(ROLES[one["role"]]) for one in members if one.get("role") in ROLES)
    leads = {
        known.who(one["director_oin"], one.get("director_task", ""), plain.words)
        for one in members
        if one.get("director_oin")
    }
    return Home(roles, ", ".join(sorted(filter(None, leads))))


ROUTES: Final = (
    Page(PLACE, show, IN_PERSON, menu=TITLE, place=10),
    Page(f"{PLACE}/zeg", agree, IN_PERSON, methods=("POST",)),
    Page(f"{PLACE}/woorden", add_words, IN_PERSON, methods=("POST",)),
)
