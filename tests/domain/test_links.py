"""A sealed link: what is seen and decided is what it would be if that organisation had never been there.

The other telling is another fold: of the same events without those it wrote, or that chose it to deliver.
"""

from __future__ import annotations

import random
from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.case import CASE
from exchange.domain.consent import CONSENT
from exchange.domain.kernel import evolve_at, with_changes
from exchange.domain.limits.compartments import NO_SEALS, Compartments
from exchange.domain.limits.links import LINK, link_fault, origins_of
from exchange.domain.limits.seals import Seal
from exchange.domain.plan import PLAN, as_seen
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.representation import Representation, Representative
from exchange.domain.resident import RESIDENT
from exchange.domain.unlinked import case_without, consent_without, resident_without
from exchange.errors import ExchangeError
from tests.domain.builders import (
    CASE_OPENED,
    CONSENT_REQUESTED,
    CONSULENT,
    CONSULENT_JOINED,
    MUNICIPALITY,
    NOON,
    PLAN_OPENED,
    PLANNER,
    PLANNER_JOINED,
    PROVIDER,
    REPORT_RECEIVED,
    RESIDENT_REGISTERED,
    fold,
)
from tests.domain.test_seen import OF_THE_TRUE_PLAN, draw, told

if TYPE_CHECKING:
    from exchange.domain.values import Author

RECIPIENT = f"{PROVIDER}/wmo-aanbieder"
LINKS = frozenset({RECIPIENT})
PLANS = 1_000
STEPS_MAX = 14
A_MINUTE = timedelta(minutes=1)


def fold_at(events: list[tuple[int, Any]]) -> Any:  # noqa: ANN401 -- PlanState
    """Fold events, each at its own minute: what is left out leaves the times of the others as they are."""
    state = None
    for minute, event in events:
        state = evolve_at(PLAN, state, event, NOON + minute * A_MINUTE)
    return state


def named(event: Any) -> str:  # noqa: ANN401 -- any event or command of a plan
    """Return the id of the support or of the preference it is about."""
    found: str = getattr(event, "support_id", "") or getattr(event, "preference_id", "")
    return found


def is_of_shelter(event: Any, chosen: set[str]) -> bool:  # noqa: ANN401 -- any event of a plan
    if getattr(event, "provider_oin", "") == PROVIDER:
        chosen.add(named(event))
    return named(event) in chosen or (event.organisation, event.task) == (PLANNER.oin, PLANNER.task)


def history(chance: random.Random) -> tuple[Any, Any]:
    """Return a plan in which a shelter worked, and the same without it; others decide on what they see."""
    events: list[tuple[int, Any]] = [(0, PLAN_OPENED), (1, REPORT_RECEIVED)]
    chosen: set[str] = set()
    kept = list(events)
    for minute in range(2, chance.randint(2, STEPS_MAX)):
        command = draw(chance)
        shelters = command.author == PLANNER
        if hasattr(command, "provider_oin"):
            provider = chance.choice((PROVIDER, "00000003999999999000"))
            name = ("v-3", "v-4") if provider == PROVIDER else ("v-1", "v-2")
            of_what = "support_id" if hasattr(command, "support_id") else "preference_id"
            command = replace(command, provider_oin=provider, **{of_what: chance.choice(name)})
        plan = fold_at(events)
        try:
            new = PLAN.decide(command, plan if shelters else as_seen(plan, frozenset(), frozenset(), LINKS))
        except ExchangeError:
            continue
        for event in new:
            events.append((minute, event))
            if not is_of_shelter(event, chosen):
                kept.append((minute, event))
    return fold_at(events), fold_at(kept)


def shown(plan: Any) -> dict[str, list[dict[str, Any]]]:  # noqa: ANN401 -- PlanState
    """Return the elements, but for versions: they count what was written, seen or not."""
    return {
        name: [
            {
                one.name: getattr(element, one.name)
                for one in fields(element)
                if one.name not in OF_THE_TRUE_PLAN | {"requested_version", "written", "rewritten"}
            }
            | {"rewritten": [(leaf, by) for leaf, _, by in element.rewritten]}
            for element in getattr(plan, name)
        ]
        for name in COLLECTIONS
    }


def test_a_thousand_plans_are_seen_and_decided_on_as_if_the_shelter_had_never_been_there() -> None:
    chance = random.Random(20260304)  # noqa: S311 -- a reproducible mixture, no secret
    differ = 0
    for _ in range(PLANS):
        plan, without = history(chance)
        seen = as_seen(plan, frozenset(), frozenset(), LINKS)
        assert shown(seen) == shown(without)
        assert seen.closed == without.closed
        command = draw(chance)
        if command.author != PLANNER:
            assert told(command, seen) == told(command, without), command
        differ += shown(seen) != shown(plan)
    assert differ > PLANS // 5


def test_who_is_shown_the_link_sees_the_plan_as_it_is() -> None:
    plan = fold(PLAN, PLAN_OPENED, REPORT_RECEIVED)
    assert as_seen(plan, frozenset(), frozenset(), frozenset({"00000009001234567000/school"})) == plan


def test_a_case_without_the_shelter_is_one_it_never_joined() -> None:
    with_it = fold(CASE, CASE_OPENED, CONSULENT_JOINED, PLANNER_JOINED)
    assert case_without(with_it, LINKS) == fold(CASE, CASE_OPENED, CONSULENT_JOINED)
    assert case_without(with_it, frozenset({f"{PROVIDER}/school"})) == with_it, "another task is another link"


def consent(*recipients: str, author: Author = CONSULENT) -> Any:  # noqa: ANN401 -- ConsentState
    asked = replace(CONSENT_REQUESTED, recipients=recipients, organisation=author.oin, task=author.task)
    return fold(CONSENT, asked)


def test_a_consent_is_without_the_shelter_or_is_not_there() -> None:
    others = f"{MUNICIPALITY}/college:WMO"
    assert consent_without(consent(others), LINKS) == consent(others)
    assert consent_without(consent(RECIPIENT, others), LINKS) == consent(others)
    assert consent_without(consent(RECIPIENT), LINKS) is None
    assert consent_without(consent(others, author=PLANNER), LINKS) is None


def test_representatives_that_the_shelter_recorded_are_not_listed() -> None:
    origins = {"r-1": "college:WMO@" + MUNICIPALITY, "r-2": f"wmo-aanbieder@{PROVIDER}"}
    records = tuple(
        Representative(
            representative_id=name,
            person_oin=MUNICIPALITY,
            person="ouder-1",
            relation="parent",
            gezag="gezamenlijk_ouderlijk",
            evidence_source="brp",
            source_reference="brp-2026-17",
            source_date=NOON.date(),
            start_date=NOON.date(),
            end_date=None,
            origin=origin,
        )
        for name, origin in origins.items()
    )
    resident = with_changes(fold(RESIDENT, RESIDENT_REGISTERED), representation=Representation(records))
    shown = resident_without(resident, LINKS).representation.representatives
    assert [one.representative_id for one in shown] == ["r-1"]
    assert resident_without(resident, frozenset({f"{PROVIDER}/school"})) == resident


# --- to whom a link is sealed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipient", "professional", "hidden"),
    [
        (f"{MUNICIPALITY}/college:WMO", "w-1", True),
        (f"{MUNICIPALITY}/college:WMO", "w-reader", False),
        (f"{MUNICIPALITY}/college:JW", "w-reader", True),
        (f"{MUNICIPALITY}/veilig-thuis", "anybody", False),
        (f"{MUNICIPALITY}/betrokkene", "b-1", True),
        (f"{MUNICIPALITY}/wettelijk-vertegenwoordiger", "v-1", True),
        (RECIPIENT, "z-1", False),
        (f"{PROVIDER}/school", "z-1", True),
        (f"{MUNICIPALITY}/fg", "fg-1", False),
    ],
)
def test_only_the_named_the_shelter_and_the_officer_see_a_link(
    recipient: str, professional: str, *, hidden: bool
) -> None:
    readers = (f"{MUNICIPALITY}/college:WMO/w-reader", f"{MUNICIPALITY}/veilig-thuis")
    seals = (Seal("c-1", ("goals.own_words", LINK + RECIPIENT), (), readers),)
    kept = Compartments.of(seals).kept_from(recipient, professional)
    assert kept.links == (LINKS if hidden else frozenset())
    assert NO_SEALS.kept_from(recipient, professional).links == frozenset()


def test_two_seals_on_one_link_are_read_by_who_is_named_in_both() -> None:
    one, two = (
        Seal(name, (LINK + RECIPIENT,), (), (f"{MUNICIPALITY}/{name}",)) for name in ("school", "uwv")
    )
    both, first = Compartments.of((one, two)), Compartments.of((one,))
    assert both.kept_from(f"{MUNICIPALITY}/school", "s-1").links == LINKS
    assert first.kept_from(f"{MUNICIPALITY}/school", "s-1").links == frozenset()


@pytest.mark.parametrize("task", ["wmo-aanbieder", "veilig-thuis", "school", "uwv"])
def test_a_link_with_these_can_be_sealed(task: str) -> None:
    assert link_fault(f"{LINK}{PROVIDER}/{task}") == ""
    assert origins_of(frozenset({f"{PROVIDER}/{task}"})) == {f"{task}@{PROVIDER}"}


@pytest.mark.parametrize(
    "word",
    ["link:", "link:1/school", f"link:{PROVIDER}", f"link:{PROVIDER}/", f"link:{PROVIDER}/two words"]
    + [f"link:{PROVIDER}/{task}" for task in ("college:WMO", "fg", "beheer", "betrokkene")],
)
def test_a_link_with_nobody_or_with_who_decides_cannot(word: str) -> None:
    assert link_fault(word)
