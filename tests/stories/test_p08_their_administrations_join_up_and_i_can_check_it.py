"""P8, what a resident notices: what was agreed reaches who helps him without a form, and each step is proven.

Source: Passend Werk (administrations join up, privacy safeguarded); the domain's design section 2.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.proofs import verify_receipt
from adapters.sdk.receipts import ReceiptBook
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.server.town import ACCESS, CARE, CITY, DELIVER
from tests.stories.people import Desks

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient
    from exchange.v1.subscription_service_pb2 import PublishedEvent
    from tests.server.town import Town

# What the administration of a provider asks for to start care, and nothing beside it.
ASKED = ("supports.support_id", "supports.product_code", "supports.volume", "supports.assignment_number")
ANSWERS_MAX = 50
SETTLES_WITHIN_S = 10
LOOK_EVERY_S = 0.02


def followed(client: ExchangeClient, until: str) -> list[PublishedEvent]:
    """Let an administration follow its plans from the start, up to the first event of a kind."""
    stream = client.open_stream(SubscribeRequest(claim=DELIVER, fields=ASKED, heartbeat_seconds=1))
    found: list[PublishedEvent] = []
    for _ in range(ANSWERS_MAX):
        found += next(stream).events
        if any(event.kind == until for event in found):
            stream.cancel()
            return found
    raise AssertionError(f"no {until} came")


def assigned(town: Town) -> tuple[Desks, ExchangeClient, Any]:
    """Return desks whose support was assigned, the provider, and the answer to the assignment."""
    desks = Desks(town)
    support_id = desks.choose(desks.story.goal())
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL)
    desks.look(desks.team, pb.LAW_WMO_2015)
    desks.agree()
    carer = desks.carer()
    told = {"support_id": support_id, "assignment_number": "123456", "assign_date": "2026-12-01"}
    return desks, carer, desks.does(desks.team, "assign_support", **told)


def test_what_was_assigned_reaches_the_providers_own_administration_and_no_more(town: Town) -> None:
    desks, carer, _ = assigned(town)
    events = followed(carer, "plan.support_assigned")
    (support,) = next(one for one in events if one.kind == "plan.support_assigned").change.supports
    assert (support.product_code, support.volume, support.assignment_number) == ("02A05", 3, "123456")
    # It was told of the support alone: of what he said and how he lives, its administration got nothing.
    assert {event.kind.removeprefix("plan.support_") for event in events} == {"requested", "assigned"}
    for event in events:
        assert not event.change.situations
        assert not event.change.goals
    # Each event is a decision of its own, which the resident finds with whom it went to, and why.
    shown = desks.resident.disclosure.list_disclosures(
        claim=ACCESS,
        case_id=desks.story.case_id,
        fields=[
            f"disclosures.{leaf}" for leaf in ("decision_id", "organisation", "purpose", "released_fields")
        ],
    ).disclosures
    by_id = {one.decision_id: one for one in shown}
    for event in events:
        told = by_id[event.decision_id]
        assert (told.organisation, told.purpose) == (CARE, pb.PURPOSE_WMO_LEVERING)
        assert set(told.released_fields) <= set(ASKED)


def test_an_administration_that_is_not_on_my_plan_hears_nothing_of_me(town: Town) -> None:
    desks, _, _ = assigned(town)
    stranger = town.client(Person("iemand-anders", "wmo-aanbieder", "begeleider"), town.care())
    with pytest.raises(errors.Denied) as refused:
        stranger.plan.get_plan(claim=DELIVER, plan_id=desks.story.plan_id, fields=list(ASKED))
    assert "R03" in refused.value.rules


def test_what_was_promised_can_be_shown_to_who_trusts_nobody(town: Town, tmp_path: Path) -> None:
    desks, _, answer = assigned(town)
    book = ReceiptBook(tmp_path / "receipts.db", town.log_vkey, CITY)
    book.keep(answer.receipt, "AssignSupport")
    until = time.monotonic() + SETTLES_WITHIN_S
    while book.unproven():
        assert time.monotonic() < until, "the checkpoint over this leaf never came"
        book.settle(desks.team.ledger)
        time.sleep(LOOK_EVERY_S)
    kept = book.find(answer.receipt.leaf_index)
    book.close()
    assert kept is not None
    # Offline: the proof, the leaf and the key of the log are all that is needed.
    assert verify_receipt(answer.receipt.leaf_entry, kept.proof, town.log_vkey) == answer.receipt.leaf_index
