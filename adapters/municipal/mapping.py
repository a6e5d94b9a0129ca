"""Case to report, plan to case: pure, with its table in the README.

Promises: the same plan gives the same case, whatever happened in which order; nothing of a plan goes to a
case but what stands in the table; a value that is not known here is refused, never guessed.
Source: adapters/municipal/README.md (table); Zaken API 1.5.1; protos/exchange/v1/plan.proto.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from adapters.municipal.errors import ForAPerson
from adapters.municipal.records import (
    Decision,
    PlanSeen,
    Report,
    Result,
    Situation,
    Stage,
    Support,
    SupportState,
    Wanted,
    Zaak,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The `bron` of a kenmerk that holds the id of a plan.
SOURCE: Final = "exchange"
SCORES: Final = ("1", "2", "3", "4", "5")
DESCRIPTION_MAX: Final = 4_000
OBJECT_TYPE: Final = "ondersteuningsplan"
_OBJECTS: Final = UUID("0d8d7f0a-3f0f-4c55-9d0d-2c1b6d1d4f3e")
_DECIDED: Final = frozenset({SupportState.ASSIGNED, SupportState.STARTED, SupportState.STOPPED})
LIFE_DOMAINS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "financien": "FINANCE",
        "werk en opleiding": "WORK_AND_EDUCATION",
        "tijdsbesteding": "USE_OF_TIME",
        "huisvesting": "HOUSING",
        "huiselijke relaties": "DOMESTIC_RELATIONS",
        "geestelijke gezondheid": "MENTAL_HEALTH",
        "lichamelijke gezondheid": "PHYSICAL_HEALTH",
        "middelengebruik": "SUBSTANCE_USE",
        "basale adl": "BASIC_ADL",
        "instrumentele adl": "INSTRUMENTAL_ADL",
        "sociaal netwerk": "SOCIAL_NETWORK",
        "maatschappelijke participatie": "SOCIETAL_PARTICIPATION",
        "justitie": "JUSTICE",
    }
)


# --- case to report -----------------------------------------------------------------------------------------


def plan_of(zaak: Zaak) -> str:
    """Return the plan a case names, or an empty text. Raises ForAPerson where it names two."""
    plans = {kenmerk for kenmerk, source in zaak.kenmerken if source == SOURCE}
    if len(plans) > 1:
        raise ForAPerson("two_plans_on_one_case")
    return next(iter(plans), "")


def with_plan(zaak: Zaak, plan_id: str) -> list[dict[str, str]]:
    """Return the kenmerken of a case with the plan's among them; those of others stay."""
    told = [{"kenmerk": kenmerk, "bron": source} for kenmerk, source in zaak.kenmerken]
    return [*told, {"kenmerk": plan_id, "bron": SOURCE}]


def without_plan(zaak: Zaak) -> list[dict[str, str]]:
    """Return the kenmerken of a case without any of ours."""
    return [{"kenmerk": kenmerk, "bron": source} for kenmerk, source in zaak.kenmerken if source != SOURCE]


def report_of(zaak: Zaak, domains_told: str, domain_otherwise: str) -> Report:
    """Return what a case says: its own words, and the life domains its property names.

    Raises ForAPerson for a case without words, and for a life domain that is not known.
    """
    words = zaak.toelichting.strip() or zaak.omschrijving.strip()
    if not words:
        raise ForAPerson("case_without_words")
    named = [one.strip().lower() for one in domains_told.split(",") if one.strip()]
    domains = [domain_of(one) for one in named or [domain_otherwise]]
    return Report(words, tuple(dict.fromkeys(domains)))


def situation_of(domain: str, description: str, score: str) -> Situation | None:
    """Return what a case says of a life domain; None until it is both described and scored.

    Raises ForAPerson for a score that is none of the five, and for a description that is too long.
    """
    words, scored = description.strip(), score.strip()
    if not words or not scored:
        return None
    if scored not in SCORES:
        raise ForAPerson("score_unknown")
    if len(words) > DESCRIPTION_MAX:
        raise ForAPerson("situation_too_long")
    return Situation(domain, words, int(scored))


def domain_of(word: str) -> str:
    """Return the life domain of a Dutch word. Raises ForAPerson for one that is not known."""
    found = LIFE_DOMAINS.get(word.replace("ë", "e").replace("-", " "))
    if found is None:
        raise ForAPerson("life_domain_unknown")
    return found


# --- plan to case -------------------------------------------------------------------------------------------


def identification_of(plan_id: str) -> str:
    """Return the identification of a case that is opened for a plan: at most 40 characters, one for each."""
    return f"EX-{UUID(plan_id).hex}"


def decision_identification(support_id: str) -> str:
    """Return the identification of the decision on a support."""
    return f"EX-{UUID(support_id).hex}"


def object_uuid(plan_id: str) -> str:
    """Return the uuid of the object of a plan: one for each, and no other than ours."""
    return str(uuid5(_OBJECTS, plan_id))


def wanted(plan: PlanSeen) -> Wanted:
    """Return what the case of a plan should look like."""
    result = result_of(plan)
    return Wanted(
        stage=stage_of(plan, result),
        result=result,
        plan_version=str(plan.version),
        decisions=tuple(
            Decision(one.support_id, one.start_date, one.end_date)
            for one in plan.supports
            if one.custom and one.state in _DECIDED
        ),
        data=data_of(plan),
    )


def result_of(plan: PlanSeen) -> Result | None:
    """Return how the case ends: once each custom support is decided on, or general services solved it."""
    custom = [one for one in plan.supports if one.custom]
    if not custom:
        return Result.SOLVED if plan.solved else None
    # A request that waits keeps the case open, and so does a plan that the resident did not agree to.
    if any(one.state is SupportState.REQUESTED for one in custom):
        return None
    if any(one.state in _DECIDED for one in custom):
        return Result.GRANTED
    return Result.REFUSED


def stage_of(plan: PlanSeen, result: Result | None) -> Stage:
    """Return how far a plan is."""
    if result is not None:
        return Stage.CLOSED
    if plan.agreed:
        return Stage.AGREED
    return Stage.INVESTIGATED if plan.investigated or plan.goals else Stage.RECEIVED


def data_of(plan: PlanSeen) -> dict[str, Any]:
    """Return a plan as the object type says it: see data/ondersteuningsplan.schema.json."""
    return {
        "planId": plan.plan_id,
        "versie": plan.version,
        "akkoord": plan.agreed,
        "doelen": [
            _filled(
                {
                    "doelId": goal.goal_id,
                    "eigenWoorden": goal.own_words,
                    "gewenstEffect": goal.desired_effect,
                    "leefgebied": goal.life_domain,
                    "streefdatum": goal.target_date,
                    "stand": goal.state,
                }
            )
            for goal in plan.goals
        ],
        "ondersteuning": [_support(one) for one in plan.supports],
    }


def _support(one: Support) -> dict[str, Any]:
    return {
        "ondersteuningId": one.support_id,
        "maatwerk": one.custom,
        "stand": one.state.value,
        **_filled(
            {
                "aanbieder": one.provider_oin,
                "productcategorie": one.product_category,
                "productcode": one.product_code,
                "begindatum": one.start_date,
                "einddatum": one.end_date,
            }
        ),
    }


def _filled(told: dict[str, str]) -> dict[str, str]:
    """Leave out what was not given: withheld is not empty."""
    return {name: value for name, value in told.items() if value}


def statuses_due(current: int, numbers: Iterable[tuple[Stage, int]], stage: Stage) -> tuple[Stage, ...]:
    """Return the stages whose status is to be set, in order: never one behind where the case is.

    `current` is the number of the newest status, 0 for none; `numbers` gives that of each stage.
    """
    ahead = sorted((number, one) for one, number in numbers if one <= stage and number > current)
    return tuple(one for _, one in ahead)
