"""Rules across messages, each on both sides of its line."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest

from adapters.provider.across import Known, delivery_findings, identification_taken, numbers_taken
from adapters.provider.codes import Delivery, WmoStopReason
from adapters.provider.errors import MappingImpossible
from adapters.provider.mapping import write_starts, write_stops
from adapters.provider.records import CareStart, CareStop
from adapters.provider.retour import RetourIdentity, build_retour, read_retour
from adapters.provider.schema import Law
from adapters.provider.xml import emit, read
from tests.provider.builders import TODAY, message, start_notice, stop_notice

START = start_notice().starts[0]
STOP = stop_notice().stops[0]
BEGUN = CareStart(
    starts_on=STOP.starts_on,
    assignment_number=STOP.assignment_number,
    product=STOP.product,
    assignment_starts_on=STOP.assignment_starts_on,
)
PAUSED = dataclasses.replace(STOP, reason=WmoStopReason.TEMPORARY)
NUMBERS = frozenset({101})


def of_start(known: Known, law: Law = Law.WMO, **changes: Any) -> list[tuple[str, str]]:  # noqa: ANN401 -- the fields of the record
    line = dataclasses.replace(start_notice(law).starts[0], **changes)
    whole = write_starts(dataclasses.replace(start_notice(law), starts=(line,)))
    return [(finding.rule, finding.code) for finding in delivery_findings(read(emit(whole)), known)]


def of_stop(known: Known, law: Law = Law.WMO, **changes: Any) -> list[tuple[str, str]]:  # noqa: ANN401 -- the fields of the record
    line = dataclasses.replace(stop_notice(law).stops[0], **changes)
    whole = write_stops(dataclasses.replace(stop_notice(law), stops=(line,)))
    return [(finding.rule, finding.code) for finding in delivery_findings(read(emit(whole)), known)]


def test_a_start_on_a_known_assignment_is_fine() -> None:
    assert of_start(Known(NUMBERS)) == []
    assert of_start(Known(), assignment_number=None) == []


def test_a_start_on_an_unknown_assignment_is_not() -> None:
    assert of_start(Known(frozenset({102}))) == [("TR019", "9019")]


def test_a_start_told_before_is_told_once() -> None:
    assert of_start(Known(NUMBERS, starts=[START])) == [("TR074", "9074")]


def test_a_second_start_waits_for_the_stop_of_the_first() -> None:
    earlier = dataclasses.replace(START, starts_on=date(2026, 4, 1))
    ended = dataclasses.replace(STOP, product=START.product)
    assert of_start(Known(NUMBERS, starts=[earlier])) == [("TR326", "9326")]
    assert of_start(Known(NUMBERS, starts=[earlier], stops=[ended])) == []
    elsewhere = dataclasses.replace(earlier, assignment_number=7)
    assert of_start(Known(NUMBERS, starts=[elsewhere])) == []


def test_only_a_start_that_stands_and_runs_is_taken_back() -> None:
    removed = Delivery.REMOVED
    assert of_start(Known(NUMBERS), delivery=removed) == [("TR063", "9063")]
    assert of_start(Known(NUMBERS, starts=[START]), delivery=removed) == []
    ended = dataclasses.replace(STOP, starts_on=START.starts_on)
    assert of_start(Known(NUMBERS, starts=[START], stops=[ended]), delivery=removed) == [("TR071", "9071")]


def test_a_stop_of_a_start_that_stands_is_fine_and_of_another_is_not() -> None:
    assert of_stop(Known(NUMBERS, starts=[BEGUN])) == []
    assert of_stop(Known(NUMBERS)) == [("TR382", "9069")]
    assert of_stop(Known(NUMBERS, starts=[BEGUN]), starts_on=date(2026, 4, 2)) == [("TR382", "9069")]


def test_only_under_the_jeugdwet_a_stop_is_tied_to_its_assignment() -> None:
    begun = dataclasses.replace(BEGUN, product=stop_notice(Law.JW).stops[0].product)
    assert of_stop(Known(frozenset(), starts=[begun]), Law.JW) == [("TR019", "9019")]
    assert of_stop(Known(NUMBERS, starts=[begun]), Law.JW) == []
    assert of_stop(Known(frozenset(), starts=[BEGUN])) == []


def test_a_stop_told_before_is_told_once_and_only_then_taken_back() -> None:
    known = Known(NUMBERS, starts=[BEGUN], stops=[STOP])
    assert of_stop(known) == [("TR074", "9074")]
    assert of_stop(known, delivery=Delivery.REMOVED) == []
    assert of_stop(Known(NUMBERS, starts=[BEGUN]), delivery=Delivery.REMOVED) == [("TR063", "9063")]


@pytest.mark.parametrize(
    ("earlier", "reason", "ends_on", "expected"),
    [
        (PAUSED, WmoStopReason.AS_PLANNED, date(2026, 5, 18), []),
        (PAUSED, WmoStopReason.AS_PLANNED, date(2026, 5, 17), [("TR414", "9414")]),
        (PAUSED, WmoStopReason.TEMPORARY, date(2026, 5, 19), [("TR413", "9413")]),
        (STOP, WmoStopReason.MOVED, date(2026, 5, 18), [("TR415", "9415")]),
        (STOP, WmoStopReason.TEMPORARY, date(2026, 5, 17), [("TR414", "9414"), ("TR415", "9415")]),
    ],
)
def test_a_second_stop_may_only_end_what_was_paused(
    earlier: CareStop, reason: WmoStopReason, ends_on: date, expected: list[tuple[str, str]]
) -> None:
    known = Known(NUMBERS, starts=[BEGUN], stops=[earlier])
    assert of_stop(known, reason=reason, ends_on=ends_on) == expected


def test_a_finding_points_at_its_line_and_the_answer_shows_it() -> None:
    sent = message("305")
    findings = delivery_findings(sent, Known(frozenset({102})))
    assert [finding.path for finding in findings] == ["/Bericht/Client/StartProducten/StartProduct[1]"]
    answer = read_retour(build_retour(sent, findings, RetourIdentity("R1", TODAY)))
    assert ("/Bericht/Client/StartProducten/StartProduct[1]", "9019") in answer.codes
    assert ("/Bericht/Client/StartProducten/StartProduct[2]", "0200") in answer.codes


def test_a_number_of_another_resident_is_refused() -> None:
    assert numbers_taken(message("301"), NUMBERS)[0].code == "9332"
    assert numbers_taken(message("301"), frozenset({102})) == ()


def test_an_identification_used_before_goes_back_as_header() -> None:
    answer = build_retour(message("301"), (identification_taken(),), RetourIdentity("R1", TODAY))
    assert read_retour(answer).codes == (("/Bericht/Header", "9056"),)


def test_an_assignment_is_no_delivery() -> None:
    with pytest.raises(MappingImpossible):
        delivery_findings(message("301"), Known())
