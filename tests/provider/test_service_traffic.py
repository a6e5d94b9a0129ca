"""Both adapters around one exchange: what is agreed goes out, is assigned, and care starts and stops."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from adapters.provider.codes import JwStopReason, WmoStopReason
from adapters.provider.mapping import read_assignments, read_starts, read_stops
from adapters.provider.plan_seen import Stage
from adapters.provider.records import Product
from adapters.provider.retour import read_retour
from adapters.provider.schema import Law
from adapters.provider.xml import emit
from exchange.v1 import plan_pb2
from tests.provider.around import Both, agreed, of
from tests.provider.builders import BSN
from tests.provider.world import OTHER_BSN, OTHER_OIN, PROVIDER_OIN, SUPPORT, TODAY

FOR_A_WHILE = plan_pb2.STOP_REASON_TEMPORARY

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_agreed_is_assigned_and_answered(both: Both) -> None:
    agreed(both)
    both.work(2)
    (sent,) = of(both.provider, "301")
    notice = read_assignments(sent)
    assert notice.resident.bsn.reveal() == BSN
    (assignment,) = notice.assignments
    (order,) = both.world.assigned
    assert (order.assignment_number, order.assigned_on) == (assignment.number, TODAY)
    assert both.world.support().stage is Stage.ASSIGNED
    (answer,) = of(both.municipality, "302")
    assert read_retour(answer).accepted
    assert both.municipality.names("inbox") == both.provider.names("inbox") == []


def test_nothing_goes_out_before_the_resident_agreed(both: Both) -> None:
    both.register()
    both.world.request()
    both.work(2)
    both.world.say(agreed=False)
    both.work(2)
    assert both.provider.archived == []
    both.world.say(agreed=True)
    both.work(2)
    assert len(both.world.assigned) == 1


def test_a_yes_from_before_the_request_does_not_cover_it(both: Both) -> None:
    both.register()
    both.world.say(agreed=True)
    both.world.request()
    both.work(2)
    assert both.provider.archived == []


def test_a_yes_taken_back_before_sending_stops_it_and_a_new_yes_lets_it_go(both: Both) -> None:
    # The errand is made of the yes; by the time it is done the resident has changed their mind.
    both.world.request()
    both.world.say(agreed=True)
    both.municipality.work()
    both.world.say(agreed=False)
    both.register()
    both.work(2)
    assert both.provider.archived == []
    (stopped,) = both.municipality.service._desk.errands.undone()
    assert (stopped.state, stopped.reason) == ("parked", "not-agreed")
    both.world.say(agreed=True)
    both.work(2)
    assert len(both.world.assigned) == 1


@pytest.mark.parametrize(
    "changes",
    [{"provider_oin": OTHER_OIN}, {"custom": False}, {"product": Product("45", "45A04")}, {"product": None}],
)
def test_what_this_traffic_does_not_carry_stays_home(both: Both, changes: dict[str, Any]) -> None:
    both.register()
    both.world.request(**changes)
    both.world.say(agreed=True)
    both.work(2)
    assert both.provider.archived == []
    assert both.municipality.service._desk.errands.undone() == ()


def test_a_resident_who_is_not_registered_is_waited_for(both: Both) -> None:
    both.world.request()
    both.world.say(agreed=True)
    both.work(3)
    (waiting,) = both.municipality.service._desk.errands.undone()
    assert (waiting.state, waiting.reason) == ("due", "resident-not-registered")
    both.register()
    both.work(2)
    assert len(both.world.assigned) == 1


def test_a_resident_registered_before_the_case_was_there_is_found_later(both: Both) -> None:
    both.register(OTHER_BSN)
    both.world.open_plan("plan-2", OTHER_BSN)
    both.world.request("support-2", plan_id="plan-2")
    both.world.say(agreed=True, plan_id="plan-2")
    both.work(2)
    assert [order.plan_id for order in both.world.assigned] == ["plan-2"]


def test_a_second_assignment_brings_the_first_along(both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.request("support-2", product=Product("07", "07A01"))
    both.world.say(agreed=True)
    both.work(2)
    sent = [read_assignments(one).assignments for one in of(both.provider, "301")]
    assert [len(one) for one in sent] == [1, 2]
    assert sent[0][0] == sent[1][0]
    assert [order.support_id for order in both.world.assigned] == [SUPPORT, "support-2"]
    assert [read_retour(one).accepted for one in of(both.municipality, "302")] == [True, True]


@pytest.mark.parametrize("refused", [False, True])
def test_what_ended_stopped_or_was_refused_is_not_brought_along(both: Both, *, refused: bool) -> None:
    agreed(both)
    both.work(2)
    if refused:
        both.world.change("plan.support_refused", SUPPORT, stage=Stage.REFUSED)
    else:
        both.world.start()
        both.world.stop()
    both.world.request("support-2", product=Product("07", "07A01"))
    both.world.say(agreed=True)
    both.work(2)
    assert len(read_assignments(of(both.provider, "301")[1]).assignments) == 1


def test_starts_and_stops_go_out_once_and_are_answered(both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    both.work(2)
    both.world.stop(TODAY + timedelta(days=1), reason=6)
    both.work(2)
    # A last day that has not come is not told yet (TR134).
    assert of(both.municipality, "307") == []
    both.clock.pass_by(days=1)
    both.work(3)
    (start,) = of(both.municipality, "305")
    (stop,) = of(both.municipality, "307")
    (assignment,) = read_assignments(of(both.provider, "301")[0]).assignments
    (started,) = read_starts(start).starts
    assert (started.assignment_number, started.starts_on) == (assignment.number, TODAY)
    assert (started.product, started.assignment_starts_on) == (assignment.product, assignment.starts_on)
    (stopped,) = read_stops(stop).stops
    assert (stopped.ends_on, stopped.reason) == (TODAY + timedelta(days=1), WmoStopReason.AGREED_EARLY)
    assert stopped.starts_on == started.starts_on
    for number in ("306", "308"):
        (answer,) = of(both.provider, number)
        assert read_retour(answer).accepted
    assert both.provider.service._desk.errands.undone() == ()


@pytest.mark.parametrize("at_once", [False, True])
def test_care_that_stopped_for_a_while_starts_again(both: Both, *, at_once: bool) -> None:
    agreed(both)
    both.work(2)

    def then() -> None:
        if not at_once:
            both.work(3)

    both.world.start(TODAY - timedelta(days=9))
    then()
    both.world.stop(TODAY - timedelta(days=5), reason=FOR_A_WHILE)
    then()
    both.world.start(TODAY - timedelta(days=2))
    then()
    both.world.stop(TODAY, reason=1)
    both.work(3)
    both.clock.pass_by(minutes=1)
    both.work(3)
    starts = [line for one in of(both.municipality, "305") for line in read_starts(one).starts]
    stops = [line for one in of(both.municipality, "307") for line in read_stops(one).stops]
    assert [line.starts_on for line in starts] == [TODAY - timedelta(days=9), TODAY - timedelta(days=2)]
    assert [(line.starts_on, line.ends_on, line.reason) for line in stops] == [
        (TODAY - timedelta(days=9), TODAY - timedelta(days=5), WmoStopReason.TEMPORARY),
        (TODAY - timedelta(days=2), TODAY, WmoStopReason.AS_PLANNED),
    ]
    for number in ("306", "308"):
        assert [read_retour(one).accepted for one in of(both.provider, number)] == [True, True]
    assert both.provider.service._desk.errands.undone() == ()


def test_what_stopped_for_a_while_is_brought_along_with_a_new_assignment(both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    both.world.stop(reason=FOR_A_WHILE)
    both.world.request("support-2", product=Product("07", "07A01"))
    both.world.say(agreed=True)
    both.work(2)
    assert len(read_assignments(of(both.provider, "301")[1]).assignments) == 2


def test_a_start_and_a_stop_learned_together_both_go_out_in_order(both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    both.world.stop()
    both.work(3)
    assert [read_retour(one).accepted for one in of(both.provider, "306")] == [True]
    assert [read_retour(one).accepted for one in of(both.provider, "308")] == [True]


def test_a_reason_to_stop_that_is_not_known_here_is_parked(both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    both.world.stop(reason=99)
    both.work(2)
    assert of(both.municipality, "307") == []
    (parked,) = both.provider.service._desk.errands.undone()
    assert (parked.kind, parked.reason) == ("WMO307", "reason-to-stop-unknown")


def test_who_is_no_longer_part_of_the_case_tells_nothing_more(both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    both.provider.work()
    both.world.stop()
    held = both.world.held()
    both.provider.service.take(dataclasses.replace(held.happenings[-1], support=both.world.support()))
    both.world.part(PROVIDER_OIN)
    both.work(3)
    assert of(both.municipality, "307") == []
    (parked,) = both.provider.service._desk.errands.undone()
    assert (parked.kind, parked.state, parked.reason) == ("WMO307", "parked", "denied R03")
    assert '"event": "errand_parked"' in both.provider.out.getvalue()


def test_what_still_waits_in_the_outbox_stops_with_its_plan(both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    outbox = both.provider.config.outbox
    away = outbox.with_name("away")
    outbox.rename(away)
    both.provider.work()
    both.world.stop()
    held = both.world.held()
    both.provider.service.take(dataclasses.replace(held.happenings[-1], support=both.world.support()))
    both.world.part(PROVIDER_OIN)
    both.provider.work()
    away.rename(outbox)
    both.clock.pass_by(hours=2)
    both.work(2)
    assert of(both.municipality, "305") == of(both.municipality, "307") == []
    parked = both.provider.service._desk.errands.undone()
    assert {(one.kind, one.state) for one in parked} == {("WMO305", "parked"), ("WMO307", "parked")}
    assert len(both.provider.journal.parked()) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"unit": "99"}, "unit-or-frequency-unknown"),
        # Half days are counted per week, month or in all, never per day (CS338).
        ({"unit": "16", "frequency": "1"}, "MESSAGE_INVALID CS338"),
    ],
)
def test_a_support_no_message_can_carry_is_parked_with_the_rule(
    both: Both, changes: dict[str, Any], reason: str
) -> None:
    both.register()
    both.world.request(**changes)
    both.world.say(agreed=True)
    both.work(2)
    (parked,) = both.municipality.service._desk.errands.undone()
    assert (parked.state, parked.reason) == ("parked", reason)
    assert both.provider.archived == []


MOVED_ON: tuple[dict[str, Any], ...] = (
    {"kind": "plan.support_assigned", "stage": Stage.ASSIGNED, "assignment_number": 5},
    {"kind": "plan.support_refused", "stage": Stage.REFUSED},
)


@pytest.mark.parametrize("then", MOVED_ON)
def test_an_assignment_that_was_made_otherwise_or_refused_is_not_sent(
    both: Both, then: dict[str, Any]
) -> None:
    both.world.request()
    both.world.say(agreed=True)
    both.municipality.work()
    both.world.change(support_id=SUPPORT, **then)
    both.register()
    both.clock.pass_by(hours=1)
    both.work(2)
    (parked,) = both.municipality.service._desk.errands.undone()
    assert parked.reason == "support-moved-on"
    assert both.provider.archived == []


def test_all_that_went_back_and_forth_is_valid_by_the_official_schemas(
    both: Both, standards_dir: Path
) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    both.world.stop()
    both.work(3)
    numbers = []
    for message in both.municipality.archived + both.provider.archived:
        numbers.append(message.number)
        folder = "xsd-retour-afgeleid" if message.schema.answers else "xsd"
        files = list((standards_dir / "iwmo-3.2" / folder).rglob(f"*{message.name}*.xsd"))
        schema = etree.XMLSchema(etree.parse(files[0]))
        schema.assertValid(etree.fromstring(emit(message)))
    assert sorted(numbers) == ["301", "302", "305", "306", "307", "308"]


def test_days_are_those_of_the_netherlands(both: Both) -> None:
    agreed(both)
    # Half past eleven at night in UTC is the next day in Amsterdam, in June.
    both.clock.pass_by(hours=14, minutes=30)
    both.work(2)
    assert read_assignments(of(both.provider, "301")[0]).envelope.dated == date(2026, 6, 2)


def test_youth_help_goes_the_same_way(tmp_path: Path) -> None:
    both = Both(tmp_path, law=Law.JW)
    both.world.open_plan()
    both.register()
    both.world.request(product=Product("45", "45A04"))
    both.world.request("support-2")
    both.world.say(agreed=True)
    both.work(2)
    both.world.start()
    both.world.stop(reason=7)
    both.work(3)
    taken = both.municipality.archived + both.provider.archived
    assert sorted(one.name for one in taken) == ["JW301", "JW302", "JW305", "JW306", "JW307", "JW308"]
    assert all(read_retour(one).accepted for one in taken if one.schema.answers)
    (stopped,) = read_stops(of(both.municipality, "307")[0]).stops
    assert stopped.reason is JwStopReason.OUTSIDE_CAUSE
    # What is of the Wmo waits for the adapter of the Wmo.
    assert [order.support_id for order in both.world.assigned] == [SUPPORT]
    both.close()
