"""P16, what a resident notices: arrears bring an offer of help early, and a file for nobody else.

Source: Leeuwarden; Wgs 3(1)(b); the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.town import ADMIN, CITY, INVESTIGATE, WORK
from tests.stories.people import A_DAY, Desks

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

EARLY = claim(pb.PURPOSE_WGS_VROEGSIGNALERING, "WGS-3", "nodig om vroeg hulp aan te bieden")
OF_DEBTS = claim(pb.PURPOSE_WGS_PLAN, "WGS-3", "nodig voor het plan")
SIGNAL: dict[str, Any] = {
    "partner": plan_pb2.SIGNAL_PARTNER_LANDLORD,
    "arrears_cents": 84_050,
    "since_date": A_DAY,
    "own_words": "Er is een achterstand bij de huur.",
    "desk": "vroegsignalering",
}
LEAVES = ("signals.partner", "signals.arrears_cents", "signals.since_date")


def debt_help(town: Town, name: str = "s-1") -> ExchangeClient:
    town.worker("beheer", "beheerder-1").organisation.grant_task(claim=ADMIN, oin=CITY, task="college:WGS")
    return town.worker("college:WGS", name)


def test_a_signal_opens_a_case_of_mine_and_of_nobody_else(town: Town) -> None:
    desk, bsn = debt_help(town), next(town.bsns)
    resident = town.pseudonym(desk, bsn, EARLY)
    desk.identity.register_resident(claim=EARLY, resident=resident, birth_date="1980-02-29", capable=True)
    before = town.core.reader.head()[0]
    told = desk.case.receive_signal(claim=EARLY, resident=resident, **SIGNAL)
    assert told.opened
    rows = town.core.reader.page(before, 100)
    changed = {row.stream.partition("-")[0] for row in rows} - {"disclosure"}
    assert changed == {"case", "plan"}
    assert len({row.stream for row in rows if row.stream.startswith("case")}) == 1
    read = desk.plan.get_plan(claim=EARLY, plan_id=told.plan_id, fields=LEAVES).plan.signals
    assert list(read) == [
        plan_pb2.Signal(**{leaf.partition(".")[2]: SIGNAL[leaf.partition(".")[2]] for leaf in LEAVES})
    ]
    reports = desk.plan.get_plan(claim=EARLY, plan_id=told.plan_id, fields=["reports.life_domains"])
    assert [list(one.life_domains) for one in reports.plan.reports] == [[pb.LIFE_DOMAIN_FINANCE]]


def test_nobody_but_debt_help_learns_of_my_arrears(town: Town) -> None:
    desks, desk = Desks(town), debt_help(town)
    told = desk.case.receive_signal(claim=EARLY, resident=desks.story.pseudonym, **SIGNAL)
    # A case that a college works on is no case of this desk by it.
    assert (told.case_id, told.opened, told.receipt.leaves) == ("", False, 1)
    desks.story.version += 2
    for client, why in ((desks.team, INVESTIGATE), (desks.work, WORK)):
        with pytest.raises(errors.Denied):
            desks.plan(client, *LEAVES, claim=why)
    assert [one.arrears_cents for one in desks.plan(desks.resident, *LEAVES).signals] == [84_050]
    # With needs under two laws the one on debts is looked through before the resident agrees.
    desks.story.goal()
    desks.look(desks.team, pb.LAW_WMO_2015)
    agreeing = {"outcome": plan_pb2.AGREEMENT_OUTCOME_AGREED}
    assert desks.broken(desks.resident, "agree_to_plan", **agreeing) == "TWO_LENSES"


def test_a_signal_has_a_purpose_a_desk_and_a_shape_of_its_own(town: Town) -> None:
    desks, desk = Desks(town), debt_help(town)

    def refused(client: ExchangeClient, why: pb.Claim, **changes: Any) -> errors.ExchangeRefused:  # noqa: ANN401 -- any field
        said = SIGNAL | {"resident": desks.story.pseudonym} | changes
        with pytest.raises(errors.ExchangeRefused) as no:
            client.case.receive_signal(claim=why, **said)
        return no.value

    assert set(refused(desk, OF_DEBTS).field_violations) == {"claim.purpose"}
    assert isinstance(refused(desks.team, EARLY), errors.Denied)
    for path, value in (
        ("arrears_cents", 0),
        ("since_date", "2099-01-01"),
        ("partner", plan_pb2.SIGNAL_PARTNER_UNSPECIFIED),
        ("own_words", f"Huur van {desks.story.bsn}"),
    ):
        assert set(refused(desk, EARLY, **{path: value}).field_violations) == {path}
