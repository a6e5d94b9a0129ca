"""What may not go through: bad messages, a no of the exchange, outages; nothing doubled, nothing dropped."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.provider import parsing
from adapters.provider.codes import ChangeReason, Delivery
from adapters.provider.mapping import write_starts, write_stops
from adapters.provider.plan_seen import Stage
from adapters.provider.records import Product
from adapters.provider.retour import RetourIdentity, build_retour, read_retour
from adapters.provider.schema import Law
from adapters.provider.xml import emit
from adapters.sdk.bsn import Bsn
from tests.provider.around import BAD_BSN, ONE, Both, agreed, answers, of, planned, read_file, sent
from tests.provider.builders import (
    BSN,
    message,
    put,
    start_notice,
    stop_notice,
)
from tests.provider.world import OTHER_BSN, OTHER_OIN, PROVIDER_OIN, SUPPORT, TODAY, support

if TYPE_CHECKING:
    from adapters.provider.xml import Message

# --- a 301 the plan does not know --------------------------------------------------------------------------


def test_what_stands_on_the_plan_is_assigned(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert answers(both) == [()]
    assert [order.assignment_number for order in both.world.assigned] == [ONE.number]


def test_an_answer_larger_than_a_file_may_be_is_given_in_short(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = emit(sent())
    both.provider.drop("a.xml", data)
    # A refusal by class says all of the message again, and more.
    monkeypatch.setattr(parsing, "MESSAGE_BYTES_MAX", len(data))
    both.provider.work()
    assert answers(both) == [("0001",)]
    assert both.provider.names("archive") == ["a.xml"]


@pytest.mark.parametrize(
    "changes",
    [
        {"starts_on": TODAY + timedelta(days=1)},
        {"ends_on": None},
        {"product": Product("02", "02A04")},
        {"product": Product("07", "02A03")},
        {"volume": 4},
        {"unit": "01"},
        {"frequency": "4"},
        {"provider_oin": OTHER_OIN},
        {"custom": False},
    ],
)
def test_what_differs_from_the_plan_is_refused_at_its_product(both: Both, changes: dict[str, Any]) -> None:
    planned(both, **changes)
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert answers(both) == [("0200", "9019")]
    assert both.world.assigned == []


def test_one_wrong_product_refuses_the_whole_message(both: Both) -> None:
    planned(both)
    other = dataclasses.replace(ONE, number=102, product=Product("07", "07A01"))
    both.provider.drop("a.xml", sent(ONE, other))
    both.provider.work()
    (path,) = both.municipality.config.inbox.iterdir()
    codes = dict(read_retour(read_file(path)).codes)
    products = "/Bericht/Client/ToegewezenProducten/ToegewezenProduct"
    assert codes[f"{products}[1]"] == "0200"
    assert codes[f"{products}[2]"] == "9019"
    assert both.world.assigned == []


def test_two_equal_products_take_two_supports(both: Both) -> None:
    both.world.request("support-b")
    planned(both)
    # Aids may be there twice at once (TR302); guidance may not, so the days differ in the message only.
    both.provider.drop("a.xml", sent())
    both.provider.work()
    both.provider.drop("b.xml", sent(dataclasses.replace(ONE, number=102), identification="A2"))
    both.provider.work()
    assert {order.support_id for order in both.world.assigned} == {SUPPORT, "support-b"}


def test_without_the_residents_yes_nothing_is_assigned(both: Both) -> None:
    both.world.request()
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert answers(both) == [("0200", "9019")]
    assert both.world.assigned == []


@pytest.mark.parametrize("bsn", [BSN, OTHER_BSN])
def test_no_case_and_a_case_of_others_are_answered_alike(both: Both, bsn: str) -> None:
    planned(both)
    both.world.part(PROVIDER_OIN)
    both.provider.drop("a.xml", sent(bsn=bsn))
    both.provider.work()
    assert answers(both) == [("0200", "9019")]
    assert both.provider.service._desk.register.pseudonym(Bsn(bsn)) is None


def test_another_residents_number_is_refused(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", sent())
    both.provider.work()
    both.world.open_plan("plan-2", OTHER_BSN)
    both.world.request("support-2", plan_id="plan-2")
    both.world.say(agreed=True, plan_id="plan-2")
    both.provider.drop("b.xml", sent(identification="A2", bsn=OTHER_BSN))
    both.provider.work()
    assert ("0200", "9332") in answers(both)
    assert len(both.world.assigned) == 1


def test_an_assignment_taken_back_is_kept_and_moves_nothing(both: Both) -> None:
    planned(both)
    gone = dataclasses.replace(ONE, ends_on=ONE.starts_on, change_reason=ChangeReason.REMOVED)
    both.provider.drop("a.xml", sent(gone))
    both.provider.work()
    assert answers(both) == [()]
    assert both.world.assigned == []


def test_a_number_of_a_support_of_another_provider_is_not_ours(both: Both) -> None:
    planned(both, provider_oin=OTHER_OIN, stage=Stage.ASSIGNED, assignment_number=ONE.number)
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert answers(both) == [("0200", "9019")]


# --- bad messages ------------------------------------------------------------------------------------------


def test_a_broken_rule_is_answered_without_asking_the_exchange(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", put(sent(), "Client/Bsn", BAD_BSN))
    both.world.calls.clear()
    both.provider.work()
    assert answers(both) == [("0001",)]
    assert set(both.world.calls) == {"follow"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("half.xml", emit(sent())[:-200]),
        ("entity.xml", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'),
        ("stranger.xml", b"<x/>"),
        ("facet.xml", emit(sent()).replace(BSN.encode(), b"12345678")),
    ],
)
def test_what_is_no_message_is_put_aside_and_the_rest_goes_on(both: Both, name: str, content: bytes) -> None:
    planned(both)
    both.provider.drop(name, content)
    both.provider.drop("z.xml", sent())
    for _ in range(6):
        both.provider.work()
    assert both.provider.names("rejected") == [name, f"{name}.reason.txt"]
    reason = (both.provider.config.rejected / f"{name}.reason.txt").read_text()
    assert BSN not in reason
    assert "What to do" in reason
    assert answers(both) == [()]
    assert '"event": "file_rejected"' in both.provider.out.getvalue()


@pytest.mark.parametrize(
    ("name", "changed", "why"),
    [
        ("sender", put(sent(), "Header/Afzender", "0014"), "Afzender and Ontvanger"),
        ("receiver", put(sent(), "Header/Ontvanger", "12345678"), "Afzender and Ontvanger"),
        ("law", message("301", Law.JW), "another law"),
        ("start", write_starts(start_notice()), "Afzender and Ontvanger"),
        (
            "answer",
            build_retour(message("305"), (), RetourIdentity("R1", TODAY)),
            "answers no message of ours",
        ),
    ],
)
def test_what_is_not_between_us_is_put_aside_with_the_reason(
    both: Both, name: str, changed: Message, why: str
) -> None:
    both.provider.drop(f"{name}.xml", changed)
    both.provider.work()
    assert both.provider.names("rejected") == [f"{name}.xml", f"{name}.xml.reason.txt"]
    assert why in (both.provider.config.rejected / f"{name}.xml.reason.txt").read_text()
    assert answers(both) == []


def test_a_refused_message_of_ours_is_told_to_somebody(both: Both) -> None:
    agreed(both)
    both.municipality.work()
    both.world.change("plan.support_changed", SUPPORT, volume=9)
    both.work(2)
    assert '"event": "message_refused"' in both.municipality.out.getvalue()
    assert len(of(both.municipality, "302")) == 1


# --- starts and stops at the municipality ------------------------------------------------------------------


def delivered(both: Both, *messages: Message) -> list[tuple[str, ...]]:
    """Drop messages one after the other; return the codes of each answer."""
    found = []
    for number, each in enumerate(messages):
        numbered = put(each, "Header/BerichtIdentificatie/Identificatie", f"D{number}")
        both.municipality.drop(f"d{number}.xml", numbered)
        both.municipality.work()
        (path,) = both.provider.config.inbox.iterdir()
        codes = read_retour(read_file(path)).codes
        found.append(tuple(dict.fromkeys(code for _, code in codes if code != "0200")))
        path.unlink()
    return found


def test_starts_and_stops_are_judged_against_what_was_assigned_and_told(both: Both) -> None:
    agreed(both)
    both.work(2)
    (order,) = both.world.assigned
    line = dataclasses.replace(
        start_notice().starts[0], assignment_number=order.assignment_number, product=support().product
    )
    start = write_starts(dataclasses.replace(start_notice(), starts=(line,)))
    unknown = write_starts(
        dataclasses.replace(start_notice(), starts=(dataclasses.replace(line, assignment_number=7),))
    )
    last = dataclasses.replace(
        stop_notice().stops[0],
        assignment_number=order.assignment_number,
        product=line.product,
        starts_on=line.starts_on,
    )
    stop = write_stops(dataclasses.replace(stop_notice(), stops=(last,)))
    undone = write_stops(
        dataclasses.replace(stop_notice(), stops=(dataclasses.replace(last, delivery=Delivery.REMOVED),))
    )
    codes = delivered(both, unknown, stop, start, start, stop, stop, undone, undone, stop)
    assert codes == [("9019",), ("9069",), (), ("9074",), (), ("9074",), (), ("9063",), ()]


def test_a_start_of_somebody_unknown_is_refused(both: Both) -> None:
    assert delivered(both, write_starts(start_notice())) == [("9019",)]
