"""A body under a mandate over mutual TLS: how far it goes, and that nothing is left of it when it ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.domain import stream_of
from exchange.pipeline.past import Past
from exchange.v1 import common_pb2 as pb
from exchange.v1 import organisation_service_pb2 as organisation_pb
from exchange.v1 import representation_service_pb2 as people_pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.family import A_DAY, TODAY
from tests.server.test_replay import replayed
from tests.server.test_rights import CONFLICT, DECIDE, LIMIT, OBJECT, SEAL, WEIGH
from tests.server.test_streams import Follower
from tests.server.town import ADMIN, CARE, CITY, INVESTIGATE, Town

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.credentials import Credentials
    from tests.server.story import Story

MANDATE = organisation_pb.Mandate(reference="gmb-2026-9", decision_date="2026-01-01", text="Toegang tot hulp")
RIGHTS = claim(pb.PURPOSE_INZAGE, "RIGHTS-12")
UPHELD = rights_pb.OBJECTION_OUTCOME_UPHELD


class Body:
    """An organisation that acts for the college of this town, with somebody on a case."""

    def __init__(self, town: Town, number: int) -> None:
        self.town = town
        self.oin = f"{number:020}"
        self.credentials: Credentials = town.join(self.oin, "svb")
        self.operator = town.worker("beheer", "beheerder-1").organisation
        self.grant()
        self.worker = town.client(Person("m-1", "college:WMO", "consulent"), self.credentials)
        self.recipient = f"{self.oin}/college:WMO"

    def grant(self) -> None:
        self.operator.grant_task(claim=ADMIN, oin=self.oin, task="college:WMO", mandate=MANDATE)

    def end(self) -> organisation_pb.EndTaskResponse:
        return self.operator.end_task(claim=ADMIN, oin=self.oin, task="college:WMO")

    def joins(self, story: Story) -> None:
        story.wmo.case.join_professional(
            claim=INVESTIGATE,
            case_id=story.case_id,
            oin=self.oin,
            task="college:WMO",
            professional="m-1",
            role="consulent",
        )

    def writes(self, story: Story) -> None:
        answer = self.worker.plan.set_goal(
            claim=INVESTIGATE,
            plan_id=story.plan_id,
            expected_version=story.version,
            own_words="Weer zelf koken.",
            desired_effect="zelfstandig eten",
            life_domain=pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
            target_date="2027-06-01",
        )
        story.version = answer.version

    def reads(self, story: Story) -> Any:  # noqa: ANN401 -- GetPlanResponse
        return self.worker.plan.get_plan(
            claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"], allow_partial=True
        )


@pytest.fixture(scope="module")
def bodies(town: Town) -> Callable[[], Body]:
    """Return what makes a body of one's own."""
    numbers = iter(range(400_000_000_700_000_00, 400_000_000_700_001_00))
    return lambda: Body(town, next(numbers))


def broken(call: Callable[[], object]) -> str:
    with pytest.raises(errors.RuleBroken) as refused:
        call()
    return refused.value.rule


def test_a_body_decides_about_itself_and_the_municipality_about_all(
    bodies: Callable[[], Body], story: Story
) -> None:
    body = bodies()
    body.joins(story)
    on_case: dict[str, Any] = {"case_id": story.case_id}
    mine, resident = body.worker.rights, story.resident().rights
    everything = resident.object(claim=OBJECT, **on_case).objection_id
    about_body = resident.object(claim=OBJECT, recipient=body.recipient, **on_case).objection_id
    decide = partial(mine.decide_objection, claim=DECIDE, outcome=UPHELD, **on_case)
    assert broken(partial(decide, objection_id=everything)) == "BEYOND_MANDATE"
    decide(objection_id=about_body)
    story.wmo.rights.decide_objection(claim=DECIDE, outcome=UPHELD, objection_id=everything, **on_case)

    weigh = partial(
        mine.record_determination,
        claim=WEIGH,
        kind=rights_pb.DETERMINATION_KIND_DISPROPORTIONATE,
        holds=True,
        reason="Afgewogen.",
        **on_case,
    )
    assert broken(weigh) == "BEYOND_MANDATE"
    assert broken(partial(weigh, recipient=f"{CITY}/college:PW")) == "BEYOND_MANDATE"
    weigh(recipient=body.recipient)

    restrict = partial(mine.restrict, claim=LIMIT, reason="Juistheid betwist.", **on_case)
    assert broken(restrict) == "BEYOND_MANDATE"
    whole = story.wmo.rights.restrict(claim=LIMIT, reason="Juistheid betwist.", **on_case).restriction_id
    part = restrict(recipient=body.recipient).restriction_id
    for restriction_id, rule in ((whole, "BEYOND_MANDATE"), (part, "")):
        one = {"claim": LIMIT, "restriction_id": restriction_id, **on_case}
        for call in (
            partial(mine.announce_lifting, how="letter", **one),
            partial(mine.lift_restriction, reason="Nagegaan.", **one),
        ):
            if rule:
                assert broken(call) == rule
            else:
                call()


def test_a_body_neither_seals_nor_answers_a_right(
    bodies: Callable[[], Body], town: Town, story: Story
) -> None:
    body = bodies()
    body.joins(story)
    town.care()
    mine = body.worker
    on_case: dict[str, Any] = {"case_id": story.case_id}
    seal: dict[str, Any] = {"claim": SEAL, "readers": [body.recipient], "reason": "Opvang.", **on_case}
    for paths in (["goals"], [f"link:{CARE}/wmo-aanbieder"], [f"link:{CITY}/wmo-aanbieder"]):
        assert broken(partial(mine.rights.seal_compartment, paths=paths, **seal)) == "BEYOND_MANDATE"
    asked = story.resident().rights.receive_rights_request(
        claim=claim(pb.PURPOSE_INZAGE, "RIGHTS-12-RESIDENT"), right=rights_pb.RIGHT_ACCESS, **on_case
    )
    decide = partial(
        mine.rights.decide_rights_request,
        claim=RIGHTS,
        rights_request_id=asked.rights_request_id,
        outcome=rights_pb.RIGHTS_OUTCOME_GRANTED,
    )
    assert broken(decide) == "BEYOND_MANDATE"


def test_nobody_but_the_municipality_hides_a_part_of_its_own(town: Town, story: Story) -> None:
    oin = "00000004000000075000"
    credentials = town.join(oin, "veilig-thuis")
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=oin,
        task="veilig-thuis",
        professional="v-1",
        role="consulent",
    )
    safe = town.client(Person("v-1", "veilig-thuis", "consulent"), credentials)
    seal: dict[str, Any] = {
        "claim": SEAL,
        "case_id": story.case_id,
        "readers": [f"{oin}/veilig-thuis"],
        "reason": "Opvang.",
    }
    own, theirs = [f"link:{CITY}/wmo-aanbieder"], [f"link:{oin}/wmo-aanbieder"]
    assert broken(partial(safe.rights.seal_compartment, paths=["goals", *own], **seal)) == "NOT_TO_SEAL"
    assert safe.rights.seal_compartment(paths=theirs, **seal).proposal_id
    assert story.wmo.rights.seal_compartment(paths=own, **seal).proposal_id


def test_a_body_judges_in_its_own_law_and_records_nobody_for_all(
    bodies: Callable[[], Body], story: Story
) -> None:
    body = bodies()
    body.joins(story)
    mine = body.worker
    on_case: dict[str, Any] = {"case_id": story.case_id}
    record = partial(
        mine.representation.record_representative,
        claim=INVESTIGATE,
        person_oin=CITY,
        person_id="ouder-1",
        relation=people_pb.RELATION_CURATOR,
        evidence_source=people_pb.EVIDENCE_SOURCE_COURT_ORDER,
        source_reference="C/09/2026-1",
        source_date="2026-01-02",
        start_date="2026-01-02",
        **on_case,
    )
    assert broken(record) == "BEYOND_MANDATE"
    judge = partial(
        mine.representation.judge_capacity,
        claim=INVESTIGATE,
        capable=False,
        end_date=(TODAY + 90 * A_DAY).isoformat(),
        reason="Overziet het niet.",
        **on_case,
    )
    assert broken(partial(judge, matter="consent")) == "BEYOND_MANDATE"
    assert judge(matter="wmo-onderzoek").receipt.leaves
    # Of another's people it says nothing, of its own it does.
    conflict: dict[str, Any] = {
        "claim": CONFLICT,
        "professional": "m-7",
        "kind": rights_pb.CONFLICT_KIND_RELATIVE,
        "reason": "Familie.",
        **on_case,
    }
    assert broken(partial(mine.rights.record_conflict, oin=CITY, **conflict)) == "NOT_OWN_PEOPLE"
    mine.rights.record_conflict(oin=body.oin, **conflict)


def test_a_body_takes_nobody_of_the_municipality_off_a_case(
    bodies: Callable[[], Body], town: Town, story: Story
) -> None:
    body = bodies()
    body.joins(story)
    leave = partial(body.worker.case.leave_case, claim=INVESTIGATE, case_id=story.case_id, task="college:WMO")
    professional = f"w-{story.bsn[-5:]}"
    assert broken(partial(leave, oin=CITY, professional=professional)) == "NOT_ON_CASE"
    leave(oin=body.oin, professional="m-1")
    assert town.state("case", story.case_id).professionals[0].end is None


def test_when_its_task_ends_a_body_can_do_nothing_any_more_and_its_streams_end(
    bodies: Callable[[], Body], town: Town, story: Story
) -> None:
    body = bodies()
    body.joins(story)
    body.writes(story)
    assert len(body.reads(story).plan.goals) == 1
    follower = Follower(body.worker, heartbeat_seconds=60)
    follower.wait(lambda: follower.events)
    ended = body.end()
    # It ends by itself: nothing happens on the plan, and no beat is due for a minute.
    follower.wait(lambda: follower.error is not None)
    assert follower.error.code().name == "UNAUTHENTICATED"
    follower.close()
    for call in (
        lambda: body.reads(story),
        lambda: body.worker.rights.restrict(
            claim=LIMIT, case_id=story.case_id, recipient=body.recipient, reason="Toch."
        ),
        lambda: story.report(body.worker, "Nog een melding."),
    ):
        with pytest.raises((errors.NotAuthenticated, errors.ExchangeRefused)) as refused:
            call()
        assert refused.value.reason == "CALLER_UNKNOWN"
    refused_stream = Follower(body.worker)
    refused_stream.wait(lambda: refused_stream.error is not None)
    assert refused_stream.error.code().name == "UNAUTHENTICATED"
    refused_stream.close()
    assert broken(lambda: body.joins(story)) == "TASK_NOT_GRANTED"
    again = body.end()
    assert (again.version, again.receipt.leaves) == (ended.version, 1)
    # Its other task goes on, and another decision gives the first one back.
    stays = town.client(Person("m-1", "svb", "consulent"), body.credentials)
    reading = claim(pb.PURPOSE_INZAGE, "REGISTER-12")
    assert stays.legal_basis.list_legal_bases(claim=reading, page_size=1).legal_bases
    body.grant()
    assert len(body.reads(story).plan.goals) == 1


def test_a_mandate_counts_up_to_the_position_where_it_ends_and_not_after(
    bodies: Callable[[], Body], town: Town, story: Story
) -> None:
    body = bodies()
    body.joins(story)
    body.writes(story)
    decision_id = body.reads(story).decision_id
    ended = body.end().receipt.position
    past, stream = Past(town.core.reader, town.core.codec), stream_of("organisation", body.oin)
    before = past.at(ended - 1).state(stream)
    assert {task for task, _ in before.mandates} == {"college:WMO"} == before.tasks - {"svb"}
    after = past.at(ended).state(stream)
    assert (after.mandates, after.tasks) == (frozenset(), {"svb"})
    # What it was permitted under the mandate stays what it was.
    officer = town.worker("fg", "fg-1")
    pages = list(replayed(officer))
    differing = [one.decision_id for page in pages for one in page.differences]
    assert decision_id not in differing
    assert sum(page.counts.same for page in pages) > 0


def test_a_case_led_by_a_body_that_is_gone_is_taken_up_by_a_report(
    bodies: Callable[[], Body], town: Town
) -> None:
    """Nobody of the municipality works on it: while the body has its task a report tells the desk nothing."""
    body = bodies()
    bsn = next(town.bsns)
    theirs = town.pseudonym(body.worker, bsn)
    body.worker.identity.register_resident(
        claim=INVESTIGATE, resident=theirs, birth_date="1980-02-29", capable=True
    )
    desk = town.worker("college:WMO", f"w-{bsn[-5:]}")
    ours = town.pseudonym(desk, bsn)

    def report(client: ExchangeClient, pseudonym: bytes) -> Any:  # noqa: ANN401 -- ReceiveReportResponse
        return client.case.receive_report(
            claim=INVESTIGATE,
            resident=pseudonym,
            life_domains=[pb.LIFE_DOMAIN_HOUSING],
            own_words="Hulp bij wonen.",
            desk="balie",
        )

    opened = report(body.worker, theirs)
    assert opened.case_id
    assert not report(desk, ours).case_id
    body.end()
    assert report(desk, ours).case_id == opened.case_id


def test_an_organisation_that_left_is_nobody_and_the_operator_stays(
    bodies: Callable[[], Body], town: Town, story: Story
) -> None:
    body = bodies()
    body.joins(story)
    body.writes(story)
    assert body.reads(story).decision_id
    other = town.client(Person("b-1", "beheer", "beheerder"), town.join("00000004000000071000", "beheer"))
    for call in (
        partial(other.organisation.end_task, claim=ADMIN, oin=CITY, task="college:WMO"),
        partial(other.organisation.end_task, claim=ADMIN, oin=body.oin, task="college:WMO"),
        partial(other.organisation.leave_organisation, claim=ADMIN, oin=body.oin),
    ):
        assert broken(call) == "NOT_THE_OPERATOR"
    with pytest.raises(errors.Denied) as denied:
        body.worker.organisation.end_task(claim=ADMIN, oin=CITY, task="college:WMO")
    assert "R08" in denied.value.rules
    assert broken(partial(body.operator.leave_organisation, claim=ADMIN, oin=CITY)) == "OPERATOR_STAYS"
    absent = "00000004000000072000"
    assert broken(partial(body.operator.leave_organisation, claim=ADMIN, oin=absent)) == "NOT_JOINED"
    assert broken(partial(body.operator.end_task, claim=ADMIN, oin=absent, task="svb")) == "NOT_JOINED"
    left = body.operator.leave_organisation(claim=ADMIN, oin=body.oin)
    with pytest.raises(errors.NotAuthenticated):
        body.reads(story)
    again = body.operator.leave_organisation(claim=ADMIN, oin=body.oin)
    assert (again.version, again.receipt.leaves) == (left.version, 1)
    assert broken(body.grant) == "HAS_LEFT"
