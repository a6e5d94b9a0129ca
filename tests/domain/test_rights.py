"""Requests of residents: how terms are counted, and what happens to a request on both sides of each line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.limits.objections import ResidentsObjection
from exchange.domain.limits.restrictions import Restriction
from exchange.domain.resident import ResidentState
from exchange.domain.rights.answering import decide_request, execute_request
from exchange.domain.rights.recipients import (
    ConfirmRectification,
    RectificationConfirmed,
    RightsRecipientTold,
    ToTell,
)
from exchange.domain.rights.request import (
    OPEN_REQUESTS_MAX,
    RIGHTS_REQUEST,
    DecideRightsRequest,
    ExecuteRightsRequest,
    ExtendRightsRequest,
    ReceiveRightsRequest,
    RightsRequestDecided,
    RightsRequestExecuted,
    RightsRequestExtended,
    RightsRequestReceived,
    RightsRequestState,
)
from exchange.domain.rights.words import ARTICLES_OF, RefusalArticle, Right, RightsOutcome
from exchange.domain.values import Author
from exchange.errors import RequestInvalid, RuleBroken

if TYPE_CHECKING:
    from exchange.domain.kernel import Event

CITY = "00000001003214345000"
DESK = Author(CITY, "college:WMO", "w-1", operator=True)
RESIDENT = Author(CITY, "betrokkene", "burger-1")
CARE = Author("00000003271543200000", "wmo-aanbieder", "z-1")
NOW = datetime(2027, 3, 5, 12, tzinfo=UTC)
TODAY = date(2027, 3, 5)
DUE = datetime(2027, 4, 5, 22, tzinfo=UTC)


def receive(**changes: Any) -> ReceiveRightsRequest:  # noqa: ANN401 -- any field of the command
    said: dict[str, Any] = {
        "now": NOW,
        "author": RESIDENT,
        "rights_request_id": "rr-1",
        "resident": "r-1",
        "case_id": "c-1",
        "right": "access",
        "statement": "",
        "received_date": TODAY,
        "today": TODAY,
        "due_at": DUE,
    }
    return ReceiveRightsRequest(**(said | changes))


def extend(**changes: Any) -> ExtendRightsRequest:  # noqa: ANN401 -- any field of the command
    said: dict[str, Any] = {
        "now": NOW,
        "author": DESK,
        "reason": "Twaalf dossiers.",
        "how": "letter",
        "due_at": DUE + timedelta(days=61),
    }
    return ExtendRightsRequest(**(said | changes))


def refuse(**changes: Any) -> DecideRightsRequest:  # noqa: ANN401 -- any field of the command
    said: dict[str, Any] = {
        "now": NOW,
        "author": DESK,
        "outcome": "refused",
        "reason": "Het gaat ook over uw zus.",
        "refusal_article": "avg_15_4",
        "complain_at": "Autoriteit Persoonsgegevens; bezwaar binnen zes weken.",
    }
    return DecideRightsRequest(**(said | changes))


GRANT = DecideRightsRequest(now=NOW, author=DESK, outcome="granted")
EXECUTE = ExecuteRightsRequest(now=NOW, author=DESK, reference="d-1", how="portal")


def after(*commands: Any, right: str = "access") -> Any:  # noqa: ANN401 -- RightsRequestState
    state: Any = None
    for command in (receive(right=right, statement="Dit klopt niet."), *commands):
        for event in RIGHTS_REQUEST.decide(command, state):
            state = RIGHTS_REQUEST.evolve(state, event)
    return state


def one(command: Any, state: Any) -> Event:  # noqa: ANN401 -- any command and state
    (event,) = RIGHTS_REQUEST.decide(command, state)
    return event


def broken(command: Any, state: Any) -> str:  # noqa: ANN401 -- any command and state
    with pytest.raises(RuleBroken) as refused:
        RIGHTS_REQUEST.decide(command, state)
    return refused.value.metadata["rule"]


def faults(command: Any, state: Any = None) -> set[str]:  # noqa: ANN401 -- any command and state
    with pytest.raises(RequestInvalid) as refused:
        RIGHTS_REQUEST.decide(command, state)
    return set(refused.value.fields)


# --- receiving --------------------------------------------------------------------------------------


def test_a_request_is_received_with_the_moment_it_is_due() -> None:
    received = one(receive(statement="Alles, graag."), None)
    assert received == RightsRequestReceived(
        resident="r-1",
        rights_request_id="rr-1",
        case_id="c-1",
        right="access",
        statement="Alles, graag.",
        received_date=TODAY,
        due_at=DUE,
        organisation=CITY,
        task="betrokkene",
        at=NOW,
    )
    assert set(received.sealed_fields()) == {"right", "statement"}


def test_who_is_neither_the_residents_side_nor_a_college_records_no_request() -> None:
    assert broken(receive(author=CARE), None) == "NOT_TO_SAY"
    assert one(receive(author=DESK), None)


@pytest.mark.parametrize(
    ("author", "day", "fine"),
    [
        (DESK, TODAY - timedelta(days=366), True),
        (DESK, TODAY - timedelta(days=367), False),
        (DESK, TODAY, True),
        (DESK, TODAY + timedelta(days=1), False),
        (RESIDENT, TODAY, True),
        (RESIDENT, TODAY - timedelta(days=1), False),
        (RESIDENT, TODAY + timedelta(days=1), False),
    ],
)
def test_only_a_college_says_that_it_came_in_before(author: Author, day: date, fine: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    command = receive(author=author, received_date=day)
    if fine:
        assert one(command, None)
    else:
        assert faults(command) == {"received_date"}


def test_every_fault_is_named_at_once() -> None:
    wrong = receive(right="everything", received_date=TODAY + timedelta(days=1), statement="x" * 4001)
    assert faults(wrong) == {"right", "received_date", "statement"}


def test_only_a_rectification_says_what_is_wrong() -> None:
    assert faults(receive(right="rectification")) == {"statement"}
    assert one(receive(right="rectification", statement="Ik heet anders."), None)


def test_so_many_wait_and_no_more() -> None:
    assert one(receive(open_requests=OPEN_REQUESTS_MAX - 1), None)
    assert broken(receive(open_requests=OPEN_REQUESTS_MAX), None) == "REQUESTS_FULL"


# --- extending --------------------------------------------------------------------------------------


def test_the_term_is_extended_once_and_told_with_its_reason() -> None:
    extended = one(extend(), after())
    assert isinstance(extended, RightsRequestExtended)
    assert set(extended.sealed_fields()) == {"reason"}
    assert after(extend()).due_time == DUE + timedelta(days=61)
    assert broken(extend(), after(extend())) == "EXTENDED_ALREADY"
    assert faults(extend(reason=" ", how="smoke"), after()) == {"reason", "how"}
    assert broken(extend(author=RESIDENT), after()) == "NOT_THE_COLLEGE"


def test_who_extends_does_so_before_the_first_month_is_over() -> None:
    assert one(extend(now=DUE - timedelta(microseconds=1)), after())
    assert broken(extend(now=DUE), after()) == "TERM_OVER"


@pytest.mark.parametrize("right", [Right.DESTRUCTION_WMO, Right.DESTRUCTION_JEUGDWET])
def test_three_months_to_destroy_are_not_extended(right: Right) -> None:
    assert broken(extend(), after(right=right)) == "NO_EXTENSION"


def test_what_is_not_there_or_decided_is_not_extended() -> None:
    assert broken(extend(), None) == "NO_SUCH_REQUEST"
    assert broken(extend(), after(GRANT)) == "DECIDED_ALREADY"


# --- deciding ---------------------------------------------------------------------------------------


def test_who_is_refused_is_told_why_on_what_and_where_to_complain() -> None:
    refused = one(refuse(), after())
    assert isinstance(refused, RightsRequestDecided)
    assert set(refused.sealed_fields()) == {"reason", "refusal_article", "complain_at"}
    for outcome in ("refused", "partly"):
        empty = refuse(outcome=outcome, reason="", refusal_article="", complain_at="")
        assert faults(empty, after()) == {"reason", "refusal_article", "complain_at"}
    assert one(GRANT, after())
    assert faults(replace(GRANT, refusal_article="avg_15_4"), after()) == {"refusal_article"}
    assert faults(replace(GRANT, outcome="perhaps"), after()) >= {"outcome"}


@pytest.mark.parametrize("right", Right)
def test_a_right_is_refused_on_its_own_articles_only(right: Right) -> None:
    state = after(right=right)
    for refusal_article in RefusalArticle:
        if refusal_article in ARTICLES_OF[right]:
            assert one(refuse(refusal_article=refusal_article), state)
        else:
            assert faults(refuse(refusal_article=refusal_article), state) == {"refusal_article"}


def test_every_article_belongs_to_a_right_and_every_right_has_its_articles() -> None:
    assert set(ARTICLES_OF) == set(Right)
    assert frozenset().union(*ARTICLES_OF.values()) == frozenset(RefusalArticle)


def test_it_is_decided_once_by_a_college() -> None:
    assert broken(refuse(author=RESIDENT), after()) == "NOT_THE_COLLEGE"
    assert broken(GRANT, None) == "NO_SUCH_REQUEST"
    for first in (GRANT, refuse()):
        assert broken(refuse(), after(first)) == "DECIDED_ALREADY"
        assert broken(GRANT, after(first)) == "DECIDED_ALREADY"
    assert one(GRANT, after(extend()))


# --- executing --------------------------------------------------------------------------------------


def test_what_was_granted_is_executed_once() -> None:
    for granted in (GRANT, refuse(outcome=RightsOutcome.PARTLY)):
        assert isinstance(one(EXECUTE, after(granted)), RightsRequestExecuted)
    assert broken(EXECUTE, after(GRANT, EXECUTE)) == "EXECUTED_ALREADY"
    assert faults(replace(EXECUTE, reference="", how="smoke"), after(GRANT)) == {"reference", "how"}


def test_what_was_not_granted_is_not_executed() -> None:
    assert broken(EXECUTE, None) == "NO_SUCH_REQUEST"
    for state in (after(), after(extend()), after(refuse())):
        assert broken(EXECUTE, state) == "NOT_GRANTED"
    assert broken(replace(EXECUTE, author=RESIDENT), after(GRANT)) == "NOT_THE_COLLEGE"


def test_it_waits_until_it_was_refused_or_done() -> None:
    waiting = (after(), after(extend()), after(GRANT))
    assert all(state.waits for state in waiting)
    assert not any(state.waits for state in (after(refuse()), after(GRANT, EXECUTE)))


def restricted(state: RightsRequestState, resident: ResidentState) -> str:
    try:
        execute_request(EXECUTE, state, resident, answered=True)
    except RuleBroken as refused:
        return refused.metadata["rule"]
    return ""


def test_a_limit_is_executed_by_one_that_stands() -> None:
    nobody = ResidentState("r-1", date(1980, 1, 1), capable=True)
    stands = replace(nobody, restrictions=(Restriction("d-1", "", ""),))
    other = replace(nobody, restrictions=(Restriction("d-2", "", ""),))
    asked = after(GRANT, right=Right.RESTRICTION)
    assert [restricted(asked, one) for one in (nobody, other, stands)] == ["NOT_DONE", "NOT_DONE", ""]
    objection = after(GRANT, right=Right.OBJECTION)
    upheld = replace(nobody, objections=(ResidentsObjection("d-1", "", "", "UPHELD"),))
    pending = replace(nobody, objections=(ResidentsObjection("d-1", "", ""),))
    assert [restricted(objection, one) for one in (nobody, pending, upheld)] == ["NOT_DONE", "NOT_DONE", ""]
    # What is no limit leaves its trace elsewhere, and is named by whoever did it.
    assert restricted(after(GRANT), nobody) == ""


# --- telling recipients -----------------------------------------------------------------------------

PROVIDER = ToTell(CARE.oin, CARE.task, ("p-1",), ("goals.own_words",))
RECTIFIED = replace(EXECUTE, paths=("goals.own_words", "goals.state"), recipients=(PROVIDER,))
SAID = ConfirmRectification(now=NOW, author=CARE, outcome="rectified")


def test_every_recipient_is_told_of_what_it_got_before_it_is_done() -> None:
    told, executed = RIGHTS_REQUEST.decide(RECTIFIED, after(GRANT, right=Right.RECTIFICATION))
    assert told == RightsRecipientTold(
        resident="r-1",
        rights_request_id="rr-1",
        organisation=CARE.oin,
        task=CARE.task,
        plan_ids=("p-1",),
        paths=("goals.own_words",),
        due_at=NOW + timedelta(days=30),
        at=NOW,
    )
    assert isinstance(executed, RightsRequestExecuted)
    assert set(told.sealed_fields()) == {"paths"}


def test_only_a_rectification_names_fields_and_it_names_some() -> None:
    granted = after(GRANT, right=Right.RECTIFICATION)
    assert faults(EXECUTE, granted) == {"paths"}
    assert faults(replace(EXECUTE, paths=("goals",)), after(GRANT)) == {"paths"}
    most = tuple(f"goals.f{number}" for number in range(101))
    assert faults(replace(EXECUTE, paths=most), granted) == {"paths"}
    assert RIGHTS_REQUEST.decide(replace(EXECUTE, paths=most[:100]), granted)


def test_a_recipient_that_was_told_answers_once() -> None:
    state = after(GRANT, RECTIFIED, right=Right.RECTIFICATION)
    assert one(SAID, state) == RectificationConfirmed(
        resident="r-1",
        rights_request_id="rr-1",
        organisation=CARE.oin,
        task=CARE.task,
        professional="z-1",
        outcome="rectified",
        at=NOW,
    )
    said = after(GRANT, RECTIFIED, SAID, right=Right.RECTIFICATION)
    assert [one.outcome for one in said.told] == ["rectified"]
    assert RIGHTS_REQUEST.decide(replace(SAID, outcome="nothing_kept"), said) == ()
    assert faults(replace(SAID, outcome="perhaps"), state) == {"outcome"}


def test_who_was_not_told_answers_nothing() -> None:
    state = after(GRANT, RECTIFIED, right=Right.RECTIFICATION)
    other_task = replace(SAID, author=replace(CARE, task="jeugdhulpaanbieder"))
    for command, known in ((SAID, None), (SAID, after(GRANT)), (other_task, state)):
        assert broken(command, known) == "NO_SUCH_RECTIFICATION"


# --- who asks to destroy ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "capable", "granted"),
    [
        (date(2015, 3, 5), True, True),  # twelve today
        (date(2015, 3, 6), True, False),  # twelve tomorrow
        (date(2010, 1, 1), False, False),
        (date(2009, 3, 6), False, False),  # eighteen tomorrow
        (date(2009, 3, 5), False, True),  # eighteen today: no minor any more
    ],
)
def test_a_child_has_nothing_destroyed_on_his_own_word(born: date, capable: bool, granted: bool) -> None:  # noqa: FBT001 -- parameters of the table
    child = ResidentState("r-1", born, capable=capable)
    asked = after(right=Right.DESTRUCTION_WMO)
    if granted:
        assert decide_request(GRANT, asked, child)
    else:
        with pytest.raises(RuleBroken) as refused:
            decide_request(GRANT, asked, child)
        assert refused.value.metadata["rule"] == "TOO_YOUNG"
    # It can always be refused, and other rights and other speakers are not bound by this.
    assert decide_request(refuse(refusal_article="wmo_5_3_5_2"), asked, child)
    assert decide_request(GRANT, after(right=Right.DESTRUCTION_JEUGDWET), child)
    heard = replace(asked, asked_in="wettelijk-vertegenwoordiger")
    assert decide_request(GRANT, heard, child)
    assert decide_request(GRANT, asked, None)
