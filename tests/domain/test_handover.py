"""Handovers: who offers what to whom, that parts are there once, and what completes on either side."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, get_args, get_type_hints

import pytest

from exchange.domain.case import CASE, CaseOpened
from exchange.domain.case_events import CaseHandedOver, ProfessionalJoined
from exchange.domain.consent import ConsentState
from exchange.domain.handover import (
    HANDOVER,
    AcceptHandover,
    CompleteHandover,
    ConfirmPart,
    FinishHandover,
    HandoverState,
    HandoverStatus,
    OfferHandover,
    ReceivePart,
    TakeUpHandover,
    complete_handover,
    finish_handover,
    offer_handover,
)
from exchange.domain.limits.compartments import LEAVES_OF
from exchange.domain.plan import Goal, PlanState, Support
from exchange.domain.plan.decide import ELEMENTS_MAX
from exchange.domain.plan.received import content_of, element_of, most_elements, told
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.relations import CaseState, relation_for
from exchange.domain.values import Author, CaseRole, ConsentKind, ConsentStatus, Purpose, SupportStatus
from exchange.errors import RuleBroken

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SAYS: dict[Any, Any] = {
    str: "x",
    int: 3,
    bool: True,
    date: date(2026, 3, 1),
    datetime: NOW,
    tuple[str, ...]: ("a", "b"),
    tuple[int, ...]: (1, 2),
}
COLLEGE = Author("00000001003214345000", "college:WMO", "w-1", operator=True)
TAKER = Author("00000001002220647000", "college-andere-gemeente:WMO", "n-1")
RECIPIENT = f"{TAKER.oin}/{TAKER.task}"
PLAN = PlanState(plan_id="p", case_id="c", resident="r", origin="college:WMO@00000001003214345000", version=7)
OFFER = OfferHandover(
    now=NOW,
    author=COLLEGE,
    handover_id="h",
    recipient_oin=TAKER.oin,
    recipient_task=TAKER.task,
    purpose=Purpose.WMO_ONDERZOEK,
    envelope="ab" * 66,
)
CONSENT = ConsentState(
    consent_id="t",
    case_id="c",
    resident="r",
    origin=PLAN.origin,
    kind=ConsentKind.GDPR,
    purpose=Purpose.WMO_ONDERZOEK,
    recipients=(RECIPIENT,),
    categories=("WMO-PLAN",),
    start_time=NOW,
    end_time=NOW + timedelta(days=1),
    notice_id="n",
    notice_sha256="00" * 32,
    state=ConsentStatus.GIVEN,
)


def case() -> CaseState:
    """Return an open case on which the college works."""
    opened = CaseOpened(
        resident="r", case_id="c", plan_id="p", organisation=COLLEGE.oin, task=COLLEGE.task, at=NOW
    )
    joined = ProfessionalJoined(
        resident="r",
        case_id="c",
        oin=COLLEGE.oin,
        task=COLLEGE.task,
        professional=COLLEGE.professional,
        role=CaseRole.REGISSEUR,
        at=NOW,
    )
    state: CaseState = CASE.evolve(CASE.evolve(None, opened), joined)
    return state


def folded(state: Any, order: Any) -> HandoverState:  # noqa: ANN401 -- any state and command
    """Decide and fold."""
    for event in HANDOVER.decide(order, state):
        state = HANDOVER.evolve(state, event)
    assert isinstance(state, HandoverState)
    return state


def accepted(*collections: str) -> HandoverState:
    """Return a handover of these parts."""
    ((_, (offered,)),) = offer_handover(OFFER, PLAN, case(), CONSENT, ())
    order = AcceptHandover(now=NOW, author=TAKER, plan_id="p", plan_version=7, collections=collections)
    return folded(HANDOVER.evolve(None, offered), order)


def confirmed(state: HandoverState, number: int, content: bytes = b"x") -> HandoverState:
    """Confirm a part."""
    order = ConfirmPart(now=NOW, author=TAKER, number=number, sha256=sha256(content).hexdigest())
    return folded(state, order)


def support(state: str) -> Support:
    """Return a support in a state."""
    return Support(
        support_id="s",
        kind="custom",
        provider_oin=TAKER.oin,
        product_category="01",
        product_code="01A01",
        start_date=NOW.date(),
        end_date=None,
        volume=0,
        unit="",
        frequency="",
        goal_ids=(),
        state=state,
        requested_version=1,
        origin=PLAN.origin,
    )


@pytest.mark.parametrize(
    ("consent", "expected"),
    [
        (replace(CONSENT, end_time=NOW), "NOT_CONSENTED"),
        (replace(CONSENT, start_time=NOW + timedelta(seconds=1)), "NOT_CONSENTED"),
        (replace(CONSENT, state=ConsentStatus.WITHDRAWN), "NOT_CONSENTED"),
        (replace(CONSENT, resident="else"), "NOT_CONSENTED"),
        (replace(CONSENT, recipients=(f"{TAKER.oin}/college-andere-gemeente:PW",)), "OTHER_RECIPIENT"),
        (None, "NOT_CONSENTED"),
    ],
)
def test_only_a_consent_that_holds_now_for_this_recipient_offers(
    consent: ConsentState | None, expected: str
) -> None:
    with pytest.raises(RuleBroken) as refused:
        offer_handover(OFFER, PLAN, case(), consent, ())
    assert refused.value.metadata["rule"] == expected


@pytest.mark.parametrize("state", [SupportStatus.ASSIGNED, SupportStatus.STARTED])
def test_care_that_runs_holds_an_offer_up_and_a_completion(state: str) -> None:
    running = replace(PLAN, supports=(support(state),))
    with pytest.raises(RuleBroken) as refused:
        offer_handover(OFFER, running, case(), CONSENT, ())
    assert refused.value.metadata["rule"] == "CARE_RUNS"
    order = CompleteHandover(now=NOW, author=TAKER, plan_version=7)
    with pytest.raises(RuleBroken) as refused:
        complete_handover(order, confirmed(accepted("goals"), 1), running, case())
    assert refused.value.metadata["rule"] == "CARE_RUNS"
    stopped = replace(PLAN, supports=(support(SupportStatus.STOPPED),))
    assert offer_handover(OFFER, stopped, case(), CONSENT, ())


def test_a_part_is_there_once_under_one_hash() -> None:
    state = confirmed(confirmed(accepted("goals", "reports"), 1), 1)
    assert len(state.parts) == 1
    with pytest.raises(RuleBroken) as refused:
        confirmed(state, 1, b"y")
    assert refused.value.metadata["rule"] == "PART_ALTERED"
    for number in (0, 3):
        with pytest.raises(RuleBroken) as refused:
            confirmed(state, number)
        assert refused.value.metadata["rule"] == "NO_SUCH_PART"


def test_it_completes_with_every_part_of_the_plan_as_it_stands_and_not_before() -> None:
    state, order = accepted("goals", "reports"), CompleteHandover(now=NOW, author=TAKER, plan_version=7)
    with pytest.raises(RuleBroken) as refused:
        complete_handover(order, confirmed(state, 2), PLAN, case())
    assert refused.value.metadata["rule"] == "PARTS_MISSING"
    whole = confirmed(confirmed(state, 2, b"2"), 1, b"1")
    with pytest.raises(RuleBroken) as refused:
        complete_handover(replace(order, plan_version=8), whole, PLAN, case())
    assert refused.value.metadata["rule"] == "PLAN_CHANGED"
    (_, (closed,)), (_, (completed,)) = complete_handover(order, whole, PLAN, case())
    assert isinstance(closed, CaseHandedOver)
    done = HANDOVER.evolve(whole, completed)
    in_order = sha256(sha256(b"1").digest() + sha256(b"2").digest()).hexdigest()
    assert (done.status, done.digest) == (HandoverStatus.COMPLETED, in_order)
    assert HANDOVER.decide(order, done) == ()


def test_a_plan_that_changed_is_accepted_anew_and_its_parts_begin_again() -> None:
    state = confirmed(accepted("goals"), 1)
    order = AcceptHandover(now=NOW, author=TAKER, plan_id="p", plan_version=7, collections=("goals",))
    assert folded(state, order) == state
    again = folded(state, replace(order, plan_version=8))
    assert (again.plan_version, again.parts) == (8, ())


def test_nobody_else_takes_over() -> None:
    for author in (COLLEGE, replace(TAKER, oin="00000001002564440000")):
        with pytest.raises(RuleBroken) as refused:
            folded(accepted("goals"), CompleteHandover(now=NOW, author=author, plan_version=7))
        assert refused.value.metadata["rule"] == "OTHER_RECIPIENT"


@pytest.mark.parametrize(
    ("purpose", "stands"),
    [
        (Purpose.INZAGE, True),
        (Purpose.CORRECTIE, True),
        (Purpose.KLACHT_BEZWAAR, True),
        (Purpose.WMO_ONDERZOEK, False),
        (Purpose.WMO_LEVERING, False),
    ],
)
def test_a_case_that_was_handed_over_is_there_for_rights_only(purpose: str, stands: bool) -> None:  # noqa: FBT001 -- a case of the table
    event = CaseHandedOver(resident="r", case_id="c", handover_id="h", at=NOW)
    state = CASE.evolve(case(), event)
    assert (relation_for(state, COLLEGE, NOW, purpose) is not None) is stands
    assert relation_for(case(), COLLEGE, NOW, purpose) is not None
    assert relation_for(state, TAKER, NOW, purpose) is None


def told_goal() -> Goal:
    return Goal(
        goal_id="g",
        own_words="Weer zelf koken.",
        desired_effect="zelfstandig",
        life_domain="housing",
        target_date=NOW.date(),
        origin=PLAN.origin,
        recorded=NOW,
    )


def test_an_element_is_told_and_made_again_and_a_leaf_that_was_kept_says_nothing() -> None:
    goal = told_goal()
    leaves = {"goal_id", "own_words", "desired_effect", "life_domain", "target_date", "statement"}
    assert element_of("goals", told(goal, leaves)) == goal
    less = element_of("goals", told(goal, leaves - {"own_words"}))
    assert (less.own_words, less.desired_effect, less.recorded) == ("", "zelfstandig", NOW)
    with pytest.raises(TypeError):
        element_of("goals", told(goal, leaves) | {"values": {"own_words": 3}})


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_leaf_of_every_kind_of_element_comes_along(collection: str) -> None:
    (kind, *_) = get_args(get_type_hints(PlanState)[collection])
    hints = get_type_hints(kind)
    says = {
        name: SAYS.get(hint, SAYS.get(get_args(hint)[0] if get_args(hint) else hint))
        for name, hint in hints.items()
    }
    element = kind(**{name: value for name, value in says.items() if value is not None})
    leaves = {path.partition(".")[2] for path in LEAVES_OF[collection]}
    made = element_of(collection, told(element, leaves))
    assert {name: getattr(made, name) for name in leaves} == {name: says[name] for name in leaves}


def test_numbers_in_a_list_are_numbers() -> None:
    one = {"origin": "college:WMO@" + "0" * 20, "category": "WMO-PLAN", "recorded": NOW.isoformat()}
    with pytest.raises(TypeError):
        element_of("funding", one | {"values": {"amounts_cents": ["100"]}})


def taken(*texts: tuple[str, ...]) -> HandoverState:
    """Return a handover with a part for each list of goals, in these words."""
    order = TakeUpHandover(
        now=NOW,
        author=COLLEGE,
        handover_id="h",
        resident="r",
        case_id="c",
        plan_id="p",
        giver_oin=TAKER.oin,
        plan_version=7,
        collections=("goals",) * len(texts),
    )
    state = folded(None, order)
    for number, words in enumerate(texts, 1):
        goals = [{"category": "WMO-PLAN", "values": {"own_words": one}} for one in words]
        part = ReceivePart(
            now=NOW,
            author=COLLEGE,
            handover_id="h",
            plan_version=7,
            number=number,
            collection="goals",
            total=sum(map(len, texts)),
            sha256=sha256(b"x").hexdigest(),
            contents={"WMO-PLAN": content_of(goals)},
            withheld=(),
        )
        state = folded(state, part)
    return state


@pytest.mark.parametrize(
    "words", ["Weer koken.", 'Zij zei: "values":"values":"values": en lachte.', '\\"values":']
)
@pytest.mark.parametrize("held", [0, 3])
def test_a_plan_takes_as_many_as_it_can_hold_and_not_one_more(words: str, held: int) -> None:
    plan = replace(PLAN, goals=(told_goal(),) * held)
    order = FinishHandover(now=NOW, author=COLLEGE, other_entry="{}", other_proof="p")
    first, room = (words,) * 10, ELEMENTS_MAX - held - 10
    ((_, received), _) = finish_handover(order, taken(first, (words,) * room), plan)
    assert [one.TOPIC for one in received] == ["plan.elements_received.v1"] * 2
    with pytest.raises(RuleBroken) as caught:
        finish_handover(order, taken(first, (words,) * (room + 1)), plan)
    assert caught.value.metadata["rule"] == "PLAN_FULL"


@pytest.mark.parametrize("words", ["", '"values":', '\\"values":', 'a"values":b\\'])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_no_fewer_are_counted_than_there_are(words: str, count: int) -> None:
    content = content_of([{"category": words, "values": {words or "own_words": words}}] * count)
    assert most_elements(content) >= len(json.loads(content)) == count
