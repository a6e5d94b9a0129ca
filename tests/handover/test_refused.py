"""What does not go along: no consent, another recipient, altered bytes, nobody's handover."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.bsn import Bsn
from adapters.sdk.calls import claim
from adapters.sdk.envelopes import Fault
from adapters.sdk.handover import leaves_of
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from tests.handover.towns import LEAVES, NEW_CITY, NEWCOMER, RECORDS, TASK, Mover
from tests.server.town import ACCESS, CITY, INVESTIGATE

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.handover.towns import Towns

OTHER_CITY = "00000001002564440000"


def rule(refused: pytest.ExceptionInfo[errors.ExchangeRefused]) -> str:
    """Return the rule of the domain that was broken."""
    assert refused.value.reason == "RULE_BROKEN"
    return refused.value.refusal.rule


def accepted(towns: Towns, mover: Mover) -> tuple[str, Any]:
    """Offer and accept."""
    handover_id = mover.offer()
    answer = towns.taker().handover.accept_handover(
        claim=RECORDS, handover_id=handover_id, plan_id=mover.story.plan_id
    )
    return handover_id, answer


def part(client: ExchangeClient, mover: Mover, handover_id: str, **said: Any) -> Any:  # noqa: ANN401 -- any field of the request
    """Ask the first part, which is of goals."""
    asked: dict[str, Any] = {
        "claim": LEAVES,
        "handover_id": handover_id,
        "plan_id": mover.story.plan_id,
        "number": 1,
        "fields": leaves_of("goals"),
        "allow_partial": True,
    }
    return client.handover.get_handover_part(**(asked | said))


# --- the offer --------------------------------------------------------------------------------------


def test_without_a_consent_nothing_is_offered(towns: Towns) -> None:
    mover = Mover(towns)
    mover.consent_id = mover.ask().consent_id
    with pytest.raises(errors.RuleBroken) as refused:
        mover.offer()
    assert rule(refused) == "NOT_CONSENTED"
    mover.consent_id = str(uuid4())
    with pytest.raises(errors.RuleBroken) as refused:
        mover.offer()
    assert rule(refused) == "NOT_CONSENTED"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": consent_pb.CONSENT_KIND_STATUTORY}, "NOT_CONSENTED"),
        ({"consent_purpose": pb.PURPOSE_WMO_AFSTEMMING}, "NOT_CONSENTED"),
        ({"recipients": [f"{NEW_CITY}/{TASK}", f"{CITY}/college:PW"]}, "OTHER_RECIPIENT"),
        ({"recipients": [f"{OTHER_CITY}/{TASK}"]}, "OTHER_RECIPIENT"),
    ],
)
def test_a_consent_to_something_else_is_none(towns: Towns, changes: dict[str, Any], expected: str) -> None:
    mover = Mover(towns)
    mover.consent(**changes)
    with pytest.raises(errors.RuleBroken) as refused:
        mover.offer()
    assert rule(refused) == expected


def test_to_whom_a_plan_is_not_offered(towns: Towns, mover: Mover) -> None:
    for said, expected in (
        ({"recipient_oin": CITY, "recipient_task": "college:WMO"}, "NOT_ANOTHER_COLLEGE"),
        ({"recipient_task": "college-andere-gemeente:PW"}, "TASK_NOT_GRANTED"),
        ({"recipient_oin": "00000001002999990000"}, "TASK_NOT_GRANTED"),
    ):
        with pytest.raises(errors.RuleBroken) as refused:
            mover.offer(**said)
        assert rule(refused) == expected, said
    with pytest.raises(errors.Invalid) as short:
        mover.offer(envelope=b"\1" * 65)
    assert set(short.value.field_violations) == {"envelope"}


def test_a_plan_is_offered_once_at_a_time_and_again_after_a_cancellation(towns: Towns, mover: Mover) -> None:
    handover_id = mover.offer()
    with pytest.raises(errors.RuleBroken) as refused:
        mover.offer()
    assert rule(refused) == "ALREADY_OFFERED"
    for _ in range(2):
        mover.story.wmo.handover.cancel_handover(claim=INVESTIGATE, handover_id=handover_id, reason="stays")
    with pytest.raises(errors.RuleBroken) as refused:
        towns.driver(mover.bsn).take_over(handover_id, NEWCOMER)
    assert rule(refused) == "HANDOVER_CANCELLED"
    assert mover.offer() != handover_id


def test_a_stranger_neither_offers_nor_cancels(towns: Towns, mover: Mover) -> None:
    handover_id = mover.offer()
    stranger = towns.old.worker("college:WMO", "stranger")
    for call, said in (
        (stranger.handover.cancel_handover, {"handover_id": handover_id, "reason": "mistake"}),
        (stranger.handover.get_handover, {"handover_id": handover_id, "fields": ["state"]}),
    ):
        with pytest.raises(errors.Denied) as refused:
            call(claim=INVESTIGATE, **said)
        assert "R03" in refused.value.rules


# --- consent, limits --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["accept", "part 2", "confirm 2", "complete"])
def test_a_consent_taken_back_in_the_middle_stops_the_rest(towns: Towns, mover: Mover, at: str) -> None:
    handover_id = mover.offer()

    def step(name: str) -> None:
        if name == at:
            mover.withdraw()

    with pytest.raises(errors.Denied) as refused:
        towns.driver(mover.bsn, step).take_over(handover_id, NEWCOMER)
    assert "R19" in refused.value.rules
    with pytest.raises(errors.Denied):
        towns.driver(mover.bsn).take_over(handover_id, NEWCOMER)
    # The plan there has nothing of it, the plan here goes on, and the resident is told what had gone.
    told = mover.story.resident().handover.get_handover(
        claim=ACCESS, handover_id=handover_id, fields=["state", "received_parts"]
    )
    assert told.state in {"offered", "accepted"}
    assert len(told.received_parts) == {"accept": 0, "part 2": 1, "confirm 2": 1, "complete": 3}[at]
    mover.story.goal()
    mover.story.wmo.handover.cancel_handover(claim=INVESTIGATE, handover_id=handover_id, reason="withdrawn")
    if at != "accept":
        there = towns.new.state("handover", handover_id)
        assert towns.new.state("plan", there.plan_id).goals == ()
        worker = towns.new.client(Person(f"n-{mover.bsn[-5:]}", "college:WMO", "regisseur"))
        worker.handover.cancel_handover(claim=INVESTIGATE, handover_id=handover_id, reason="giver")
        assert towns.new.state("handover", handover_id).contents == ()


def test_what_is_restricted_does_not_leave(towns: Towns, mover: Mover) -> None:
    handover_id, _ = accepted(towns, mover)
    mover.story.resident().rights.restrict(
        claim=claim(pb.PURPOSE_CORRECTIE, "LIMIT-18-RESIDENT"),
        case_id=mover.story.case_id,
        reason="Er staat iets in dat niet klopt.",
    )
    with pytest.raises(errors.Denied) as refused:
        part(towns.taker(), mover, handover_id)
    assert "R24" in refused.value.rules


# --- who, which, what -------------------------------------------------------------------------------


def test_a_handover_of_nobody_and_one_of_others_are_refused_alike(towns: Towns, mover: Mover) -> None:
    handover_id, _ = accepted(towns, mover)
    elsewhere = towns.old.client(Person("x-1", TASK, "consulent"), towns.old.join(OTHER_CITY, TASK))
    told = []
    for name in (handover_id, str(uuid4())):
        for call, said in (
            (elsewhere.handover.get_handover, {"claim": LEAVES, "fields": ["state"]}),
            (elsewhere.handover.complete_handover, {"claim": RECORDS}),
        ):
            with pytest.raises(errors.Denied) as refused:
                call(handover_id=name, **said)
            told.append((refused.value.message, refused.value.rules, refused.value.remedies))
    assert told[:2] == told[2:]


def test_a_bsn_of_somebody_else_is_found_before_anything_is_asked(towns: Towns, mover: Mover) -> None:
    handover_id = mover.offer(envelope=mover.envelope(next(towns.old.bsns)))
    with pytest.raises(errors.EnvelopeRefused) as refused:
        towns.driver(mover.bsn).take_over(handover_id, NEWCOMER)
    assert refused.value.reason == Fault.OTHER_RESIDENT
    assert Bsn(mover.bsn).reveal() not in str(refused.value)


def test_a_part_that_was_not_given_is_not_confirmed(towns: Towns, mover: Mover) -> None:
    handover_id, _ = accepted(towns, mover)
    taker = towns.taker()
    given = part(taker, mover, handover_id)
    said = {"claim": RECORDS, "handover_id": handover_id, "number": 1, "part_token": given.part_token}
    with pytest.raises(errors.Invalid) as altered:
        taker.handover.confirm_part(**said, sha256=sha256(b"else").digest())
    assert set(altered.value.field_violations) == {"part_token"}
    with pytest.raises(errors.Invalid):
        taker.handover.confirm_part(**(said | {"number": 2}), sha256=given.sha256)
    with pytest.raises(errors.RuleBroken) as refused:
        taker.handover.complete_handover(claim=RECORDS, handover_id=handover_id)
    assert rule(refused) == "PARTS_MISSING"
    for _ in range(2):
        taker.handover.confirm_part(**said, sha256=given.sha256)
    assert len(towns.old.state("handover", handover_id).parts) == 1


def test_a_part_is_asked_by_its_own_collection_and_number(towns: Towns, mover: Mover) -> None:
    handover_id, answer = accepted(towns, mover)
    assert list(answer.collections) == ["goals", "reports", "situations"]
    with pytest.raises(errors.Invalid):
        part(towns.taker(), mover, handover_id, fields=leaves_of("reports"))
    with pytest.raises(errors.RuleBroken) as refused:
        part(towns.taker(), mover, handover_id, number=4)
    assert rule(refused) == "NO_SUCH_PART"


def taken_up(towns: Towns, mover: Mover) -> tuple[ExchangeClient, str, Any]:
    """Take a handover up on the new side; return who works there, its id and the first part."""
    at_receive = {}

    def step(name: str) -> None:
        if name == "receive 1":
            raise InterruptedError

    handover_id = mover.offer()
    with pytest.raises(InterruptedError):
        towns.driver(mover.bsn, step).take_over(handover_id, NEWCOMER)
    at_receive["part"] = part(towns.taker(), mover, handover_id)
    worker = towns.new.client(Person(f"n-{mover.bsn[-5:]}", "college:WMO", "regisseur"))
    return worker, handover_id, at_receive["part"]


def receive(worker: ExchangeClient, handover_id: str, raw: bytes, **said: Any) -> Any:  # noqa: ANN401 -- any field of the request
    """Record bytes as the first part."""
    asked: dict[str, Any] = {
        "claim": INVESTIGATE,
        "handover_id": handover_id,
        "number": 1,
        "sha256": sha256(raw).digest(),
        "part": raw,
    }
    return worker.handover.receive_part(**(asked | said))


def test_altered_bytes_are_refused_and_the_same_twice_is_one(towns: Towns, mover: Mover) -> None:
    worker, handover_id, given = taken_up(towns, mover)
    with pytest.raises(errors.Invalid) as refused:
        receive(worker, handover_id, given.part.replace(b"koken", b"lopen"), sha256=given.sha256)
    assert set(refused.value.field_violations) == {"sha256"}
    for _ in range(2):
        receive(worker, handover_id, given.part)
    state = towns.new.state("handover", handover_id)
    assert len(state.parts) == len(state.contents) == 1
    with pytest.raises(errors.RuleBroken) as broken:
        receive(worker, handover_id, given.part.replace(b"koken", b"lopen"))
    assert rule(broken) == "PART_ALTERED"


def test_what_is_no_part_is_refused(towns: Towns, mover: Mover) -> None:
    worker, handover_id, given = taken_up(towns, mover)
    whole = json.loads(given.part)
    (goal,) = whole["elements"]
    for changes in (
        {"form": "handover-part-2"},
        {"collection": "secrets"},
        {"collection": "contributions", "elements": []},
        {"elements": [goal] * 11},
        {"elements": [goal | {"origin": "college:WMO"}]},
        {"elements": [goal | {"category": "ALLES"}]},
        {"elements": [goal | {"recorded": "2026-03-02T10:00:00"}]},
        {"elements": [goal | {"values": {"loan": "ja"}}]},
        {"elements": [goal | {"values": {"target_date": 3}}]},
        {"elements": [goal | {"values": {"own_words": "x" * 4001}}]},
        {"elements": "geen"},
        {"number": 2},
    ):
        with pytest.raises(errors.Invalid):
            receive(worker, handover_id, json.dumps(whole | changes).encode())
    for raw in (b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(errors.Invalid):
            receive(worker, handover_id, raw)
    text = goal | {"values": {"own_words": f"Mijn nummer is {mover.bsn}."}}
    with pytest.raises(errors.Invalid) as told:
        receive(worker, handover_id, json.dumps(whole | {"elements": [text]}).encode())
    assert told.value.reason == "BSN_REFUSED"
    other: dict[str, Any]
    for other in (
        {"plan_version": 1},
        {"handover": str(uuid4())},
        {"collection": "reports", "elements": []},
    ):
        with pytest.raises(errors.RuleBroken) as broken:
            receive(worker, handover_id, json.dumps(whole | other).encode())
        assert rule(broken) == "PART_ALTERED"


def test_what_the_new_college_may_not_hold_is_not_recorded(towns: Towns, mover: Mover) -> None:
    worker, handover_id, given = taken_up(towns, mover)
    situation = {
        "origin": f"college:WMO@{CITY}",
        "category": "STRAFRECHT",
        "recorded": "2026-03-02T10:00:00+00:00",
        "values": {"description": "een oordeel", "life_domain": "justice"},
    }
    state = towns.new.state("handover", handover_id)
    number = state.collections.index("situations") + 1
    raw = json.dumps(
        json.loads(given.part) | {"number": number, "collection": "situations", "elements": [situation]}
    ).encode()
    with pytest.raises(errors.Denied) as refused:
        receive(worker, handover_id, raw, number=number)
    assert "R10" in refused.value.rules


def test_nothing_is_finished_without_all_parts_and_a_receipt(towns: Towns, mover: Mover) -> None:
    worker, handover_id, _ = taken_up(towns, mover)
    said: dict[str, Any] = {"claim": INVESTIGATE, "handover_id": handover_id}
    with pytest.raises(errors.Invalid) as refused:
        worker.handover.finish_handover(**said, giver_entry=b"{}", giver_proof="geen bewijs")
    assert set(refused.value.field_violations) == {"giver_proof"}
    state = towns.new.state("handover", handover_id)
    assert state.digest == ""


def test_a_handover_is_taken_up_for_one_plan(towns: Towns, mover: Mover) -> None:
    worker, handover_id, _ = taken_up(towns, mover)
    state = towns.new.state("handover", handover_id)
    said: dict[str, Any] = {
        "claim": INVESTIGATE,
        "handover_id": handover_id,
        "plan_id": state.plan_id,
        "plan_version": state.plan_version,
        "collections": state.collections,
    }
    for giver, expected in ((OTHER_CITY, "HANDOVER_KNOWN"), (NEW_CITY, "NOT_ANOTHER_COLLEGE")):
        with pytest.raises(errors.RuleBroken) as refused:
            worker.handover.take_up_handover(**said, giver_oin=giver)
        assert rule(refused) == expected
    worker.handover.take_up_handover(**said, giver_oin=CITY)
