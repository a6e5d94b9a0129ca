"""Requests both ways: what a provider asks waits for a person, whose answer or assignment goes back."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.provider import by_hand
from adapters.provider.codes import Frequency, RequestOutcome, RequestRefusal, Unit
from adapters.provider.errors import FileRefused, MessageInvalid
from adapters.provider.mapping import read_assignments
from adapters.provider.municipal_requests import MunicipalRequests
from adapters.provider.records import Product
from adapters.provider.request_book import RequestState
from adapters.provider.request_rules import (
    Asked,
    answer_findings,
    assignment_request_findings,
    change_request_findings,
)
from adapters.provider.requests import Changed, Size, Wanted, write_assignment_request, write_change_request
from adapters.provider.retour import read_retour
from adapters.provider.running import status
from adapters.provider.schema import Law
from adapters.provider.xml import emit
from adapters.sdk.bsn import Bsn
from tests.provider.around import ONE, Both, agreed, of, planned, sent
from tests.provider.builders import (
    BSN,
    assignment,
    change_request,
    envelope,
    message,
    put,
    request,
    resident,
)
from tests.provider.world import TODAY

if TYPE_CHECKING:
    from adapters.provider.records import Assignment
    from adapters.provider.request_book import Request
    from adapters.provider.xml import Message

REJECTED, INVESTIGATED = RequestOutcome.REJECTED, RequestOutcome.INVESTIGATED


def asked(identification: str = "Q1", reference: str = "R-1", **wanted: Any) -> Message:  # noqa: ANN401 -- the fields of the record
    """Ask for the support that the world requests by itself."""
    size = Size(ONE.volume, ONE.unit, ONE.frequency)
    whole = dataclasses.replace(Wanted(ONE.starts_on, ONE.ends_on, ONE.product, size), **wanted)
    product = dataclasses.replace(request().products[0], reference=reference, wanted=whole)
    told = envelope(to_provider=False, identification=identification)
    return write_assignment_request(request(envelope=told, products=(product,)))


def send(both: Both, message: Message) -> str:
    return by_hand.send_over(both.provider.desk, emit(message))


def answer(both: Both, outcome: RequestOutcome, refusal: RequestRefusal | None = None) -> None:
    (waiting,) = both.municipality.desk.requests.under_way()
    MunicipalRequests(both.municipality.desk).answer(waiting, outcome, refusal)


def known_to(both: Both, reference: str = "R-1") -> tuple[Request | None, Request | None]:
    books = both.municipality.desk.requests, both.provider.desk.requests
    return books[0].by_reference(reference), books[1].by_reference(reference)


def states(both: Both, reference: str = "R-1") -> set[RequestState | None]:
    return {None if one is None else one.state for one in known_to(both, reference)}


# --- traffic ----------------------------------------------------------------------------------------------


def test_a_request_waits_for_a_person_and_an_assignment_honours_it(both: Both) -> None:
    both.register()
    send(both, asked())
    both.work(2)
    (retour,) = of(both.provider, "316")
    assert read_retour(retour).accepted
    assert states(both) == {RequestState.OPEN}
    waits = status(both.municipality.config)
    assert waits.requests_to_answer == 1
    assert not waits.well
    assert status(both.provider.config).well
    assert of(both.provider, "301") == of(both.provider, "319") == []
    both.world.request()
    both.world.say(agreed=True)
    both.work(3)
    (told,) = of(both.provider, "301")
    assert read_assignments(told).assignments[0].provider_reference == "R-1"
    assert states(both) == {RequestState.HONOURED}
    assert len(both.world.assigned) == 1
    assert status(both.municipality.config).well


def test_what_is_another_support_honours_nothing(both: Both) -> None:
    both.register()
    send(both, asked(starts_on=TODAY + timedelta(days=1)))
    both.work(2)
    both.world.request()
    both.world.say(agreed=True)
    both.work(3)
    (told,) = of(both.provider, "301")
    assert read_assignments(told).assignments[0].provider_reference is None
    assert states(both) == {RequestState.OPEN}


def test_a_no_closes_the_request_and_another_may_be_asked(both: Both) -> None:
    both.register()
    send(both, asked())
    both.work()
    both.work()
    answer(both, INVESTIGATED)
    both.work(2)
    assert states(both) == {RequestState.INVESTIGATED}
    with pytest.raises(MessageInvalid, match="TR360"):
        answer(both, INVESTIGATED)
    with pytest.raises(MessageInvalid, match="CD085"):
        answer(both, REJECTED)
    assert states(both) == {RequestState.INVESTIGATED}
    answer(both, REJECTED, RequestRefusal.NO_CONTRACT)
    both.work(2)
    assert states(both) == {RequestState.REJECTED}
    assert [read_retour(one).accepted for one in of(both.municipality, "320")] == [True, True]
    theirs = known_to(both)[1]
    assert theirs is not None
    assert theirs.refusal == RequestRefusal.NO_CONTRACT.code
    send(both, asked("Q2", "R-2"))
    both.work(2)
    assert states(both, "R-2") == {RequestState.OPEN}


def test_what_we_know_to_be_wrong_does_not_leave_the_house(both: Both) -> None:
    both.register()
    name = send(both, asked())
    assert send(both, asked()) == name
    with pytest.raises(MessageInvalid, match="TR374"):
        send(both, asked("Q2", "R-2"))
    with pytest.raises(MessageInvalid, match="TR347"):
        send(both, asked("Q2", "R-1"))
    with pytest.raises(MessageInvalid, match="CS002"):
        send(both, put(asked("Q3", "R-3"), "Client/Bsn", "999900007"))
    with pytest.raises(FileRefused, match="not sent by hand"):
        send(both, message("305"))
    with pytest.raises(FileRefused, match="another law"):
        send(both, message("315", Law.JW))
    both.work(2)
    assert len(of(both.municipality, "315")) == 1


def test_a_request_the_municipality_refused_may_be_mended_under_its_reference(both: Both) -> None:
    both.register()
    send(both, asked())
    both.work(2)
    answer(both, REJECTED, RequestRefusal.BUDGET)
    # Lost with the provider's old system: it does not know its own reference any more.
    both.work(2)
    both.provider.journal.connection.execute("DELETE FROM requests")
    send(both, asked("Q2"))
    both.work(2)
    refused = read_retour(of(both.provider, "316")[-1])
    assert ("/Bericht/Client/AangevraagdeProducten/AangevraagdProduct", "9347") in refused.codes
    assert both.provider.desk.requests.by_reference("R-1") is None
    send(both, asked("Q3", "R-9"))
    both.work(2)
    assert states(both, "R-9") == {RequestState.OPEN}


def test_who_is_not_registered_yet_may_be_asked_for(both: Both) -> None:
    send(both, asked())
    both.work(2)
    (waiting,) = both.municipality.desk.requests.under_way()
    assert waiting.pseudonym is None
    both.register()
    (waiting,) = both.municipality.desk.requests.under_way()
    assert waiting.pseudonym is not None
    held = both.municipality.journal.connection.execute("SELECT bsn FROM requests").fetchall()
    assert held == [(None,)]
    assert both.municipality.desk.register.files_of(waiting.pseudonym)
    for desk in (both.municipality.desk, both.provider.desk):
        desk.requests.forget(both.municipality.port.pseudonym(Bsn(BSN)).hex())
        desk.requests.forget(both.provider.port.pseudonym(Bsn(BSN)).hex())
    assert states(both) == {None}


def test_a_change_names_all_that_is_assigned_and_waits_for_a_person(both: Both) -> None:
    agreed(both)
    both.work(3)
    (order,) = both.world.assigned
    size = Size(5, Unit.HOUR, Frequency.PER_WEEK)
    changed = Changed(order.assignment_number, Wanted(TODAY + timedelta(days=1), ONE.ends_on, size=size))
    told = change_request(unchanged=(), changed=(changed,), added=())
    send(both, write_change_request(told))
    both.work(2)
    assert read_retour(of(both.provider, "318")[-1]).accepted
    (waiting,) = both.municipality.desk.requests.under_way()
    assert waiting.answer_due == date(2026, 6, 8)
    both.clock.pass_by(days=7)
    assert both.municipality.desk.requests.overdue(both.clock.now.date()) == ()
    both.clock.pass_by(days=1)
    assert both.municipality.desk.requests.overdue(both.clock.now.date()) == (waiting,)
    answer(both, REJECTED, RequestRefusal.SUBSTANCE)
    both.work(2)
    assert states(both, told.reference) == {RequestState.REJECTED}


def test_a_change_that_leaves_out_an_assignment_does_not_leave_the_house(both: Both) -> None:
    agreed(both)
    both.work(3)
    with pytest.raises(MessageInvalid, match="TR349"):
        send(both, write_change_request(change_request()))


def test_an_assignment_may_not_name_a_request_that_was_never_made(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", sent(dataclasses.replace(ONE, provider_reference="R-1")))
    both.provider.work()
    (answered,) = both.municipality.config.inbox.iterdir()
    assert b"9379" in answered.read_bytes()
    assert both.world.assigned == []


def test_an_answer_to_nothing_is_refused(both: Both) -> None:
    both.provider.drop("a.xml", message("319"))
    both.provider.work()
    (answered,) = both.municipality.config.inbox.iterdir()
    assert b"9355" in answered.read_bytes()


def test_a_request_for_change_of_a_stranger_is_refused(both: Both) -> None:
    both.municipality.drop("a.xml", message("317"))
    both.municipality.work()
    (answered,) = both.provider.config.inbox.iterdir()
    assert b"8187" in answered.read_bytes()
    assert both.municipality.desk.requests.under_way() == ()


# --- rules ------------------------------------------------------------------------------------------------

LINE = "/Bericht/Client/Verzoek/TeWijzigenProducten/TeWijzigenProduct"
KEPT = "/Bericht/Client/Verzoek/OngewijzigdeProducten/OngewijzigdProduct"
A_MONTH = Size(1, Unit.HOUR, Frequency.PER_MONTH)
CURRENT = {
    101: assignment(),
    102: assignment(number=102, product=assignment(Law.JW).product),
}


def broken(current: dict[int, Assignment] | None = None, **changes: Any) -> set[tuple[str, str]]:  # noqa: ANN401 -- fields
    known = Asked(current=CURRENT if current is None else current)
    told = write_change_request(change_request(**changes))
    return {(one.code, one.path) for one in change_request_findings(told, known)}


def wanting(**changes: Any) -> tuple[Changed, ...]:  # noqa: ANN401 -- the fields of the record
    (changed,) = change_request().changed
    return (Changed(101, dataclasses.replace(changed.wanted, **changes)),)


def only(**changes: Any) -> dict[int, Assignment]:  # noqa: ANN401 -- the fields of the record
    return CURRENT | {101: dataclasses.replace(CURRENT[101], **changes)}


def alone(**changes: Any) -> dict[int, Assignment]:  # noqa: ANN401 -- the fields of the record
    return {101: only(**changes)[101]}


@pytest.mark.parametrize(
    ("current", "changes", "expected"),
    [
        (None, {}, set()),
        (None, {"unchanged": ()}, {("9349", "/Bericht/Client/Verzoek")}),
        (None, {"unchanged": (102, 103)}, {("9350", f"{KEPT}[2]")}),
        ({102: CURRENT[102]}, {}, {("9351", LINE)}),
        (None, {"changed": wanting(starts_on=date(2026, 5, 20))}, {("9357", LINE)}),
        (None, {"changed": wanting(starts_on=date(2026, 5, 21))}, set()),
        (only(starts_on=date(2026, 5, 20)), {"changed": wanting(starts_on=date(2026, 5, 20))}, set()),
        (None, {"changed": wanting(size=Size(budget_cents=9))}, {("9373", LINE), ("9411", LINE)}),
        (None, {"changed": wanting(size=Size(9, Unit.HOUR, Frequency.IN_TOTAL))}, {("9373", LINE)}),
        (None, {"changed": wanting(size=Size(4, Unit.HOUR, Frequency.IN_TOTAL))}, set()),
        (alone(product=None), {"added": (), "unchanged": ()}, {("9375", LINE)}),
        (
            alone(product=None),
            {"added": (), "unchanged": (), "changed": wanting(ends_on=date(2026, 6, 30), size=Size())},
            set(),
        ),
        (
            only(product=Product("02")),
            {"added": ()},
            {("9412", LINE)},
        ),
        (None, {"changed": wanting(size=Size())}, {("9411", LINE)}),
        (
            None,
            {"added": (Wanted(date(2027, 5, 31), None, assignment().product, A_MONTH),)},
            {("9361", "/Bericht/Client/Verzoek/NieuweProducten/NieuwProduct")},
        ),
        (
            None,
            {"added": (Wanted(date(2027, 6, 1), None, assignment().product, A_MONTH),)},
            set(),
        ),
    ],
)
def test_a_change_is_held_to_what_is_assigned(
    current: dict[int, Assignment] | None, changes: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    found = broken(current, **changes)
    if "added" not in changes:
        # The new product of the builder is of the category of the first, over the same days.
        found -= {("9361", "/Bericht/Client/Verzoek/NieuweProducten/NieuwProduct")}
    assert found == expected


def test_what_runs_and_what_was_used_is_told_apart() -> None:
    told = message("315")
    assert assignment_request_findings(told, Asked()) == ()
    found = assignment_request_findings(told, Asked(under_way=True, references_used={"R-2"}))
    assert [(one.rule, one.code, one.path.rpartition("/")[2]) for one in found] == [
        ("TR374", "9374", "Client"),
        ("TR347", "9347", "AangevraagdProduct[2]"),
    ]
    known = Asked(CURRENT, client_known=False, under_way=True, references_used={"R-3"})
    codes = {one.code for one in change_request_findings(message("317"), known)}
    assert codes >= {"8187", "9374", "9347"}


@pytest.mark.parametrize(
    ("outcome", "before", "codes"),
    [
        (REJECTED, None, ["9355"]),
        (REJECTED, RequestState.OPEN, []),
        (INVESTIGATED, RequestState.OPEN, []),
        (REJECTED, RequestState.INVESTIGATED, []),
        (INVESTIGATED, RequestState.INVESTIGATED, ["9360"]),
        (REJECTED, RequestState.REJECTED, ["9365"]),
        (INVESTIGATED, RequestState.REJECTED, ["9360", "9365"]),
        (REJECTED, RequestState.HONOURED, ["9359"]),
    ],
)
def test_an_answer_follows_what_was_said_before(
    outcome: RequestOutcome, before: RequestState | None, codes: list[str]
) -> None:
    assert [one.code for one in answer_findings(outcome, before)] == codes


def test_nothing_about_a_person_is_shown() -> None:
    for shown in (repr(request()), repr(change_request()), repr(resident())):
        assert BSN not in shown
        assert "Doctor" not in shown
        assert "R-1" not in shown
