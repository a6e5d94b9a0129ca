"""Review of lookups over mutual TLS: counts without people, names by two persons, a sample nobody steers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.tokens import Person
from exchange.domain.days import day_of
from exchange.domain.lookups import Month
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.merkle import verify_consistency
from exchange.ledger.note import parse_note
from exchange.projections.lookups.sampling import Anchor, chance_of_one, draw, seed_of
from exchange.v1 import common_pb2 as pb
from exchange.v1 import lookup_review_service_pb2 as lookups_pb
from tests.server.conftest import opened
from tests.server.story import Story, denied_read
from tests.server.town import AUDIT, CITY, INVESTIGATE, QUICK, Town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


REVIEW = claim(pb.PURPOSE_TOEZICHT, "LOOKUPS-39")
READ = claim(pb.PURPOSE_TOEZICHT, "LOOKUPS-READ-39")
OTHER = "00000004000000077000"
TASK = "college:WMO"
COUNTS = [f"cells.{name}" for name in ("organisation", "task", "accesses", "unexplained", "few", "by_task")]
NAMES = [f"lookups.{name}" for name in ("decision_id", "professional", "resident_pseudonym", "indicators")]
DRAWN = [f"sample.{name}" for name in ("origin", "size", "root", "population", "drawn", "chance_one_percent")]
DRAWN += ["lookups.decision_id", "lookups.explanation", "lookups.outcome"]


class Reviewed:
    """A town of which a month is over: one let himself in and looked, another looked and worked."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._elsewhere: ExchangeClient | None = None
        self.month = month_now(town).text
        self.worked, self.looked = (Story(town, next(town.bsns)) for _ in range(2))
        self.decisions = [self.read(self.looked), self.read(self.looked), self.read(self.worked)]
        self.worked.goal()
        denied_read(town, self.looked)
        self.others = town.join(OTHER, "wmo-aanbieder", "fg")
        town.skew = timedelta(days=32)
        # The first decision of another month.
        self.cells()
        self.drawn()

    def read(self, story: Story) -> str:
        answer = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
        return str(answer.decision_id)

    def person(self, task: str, professional: str) -> ExchangeClient:
        return self.town.signed_in(Person(professional, task, task))

    @property
    def officer(self) -> ExchangeClient:
        return self.person("fg", "fg-1")

    @property
    def elsewhere(self) -> ExchangeClient:
        if self._elsewhere is None:
            town, clock = self.town, lambda: self.town.now().timestamp()
            self._elsewhere = ExchangeClient(
                town.target, self.others, Person("fg-9", "fg", "fg"), patience=QUICK, clock=clock
            )
        return self._elsewhere

    def close(self) -> None:
        if self._elsewhere is not None:
            self._elsewhere.close()

    def cells(self, client: ExchangeClient | None = None, **changes: Any) -> Any:  # noqa: ANN401 -- ListLookupCellsResponse
        asked: dict[str, Any] = {"claim": AUDIT, "fields": COUNTS, "month": self.month} | changes
        return (client or self.officer).lookups.list_lookup_cells(**asked)

    def cell(self, **changes: str) -> dict[str, Any]:
        return {"of_organisation": CITY, "of_task": TASK, "month": self.month} | changes

    def requested(self, client: ExchangeClient | None = None, **changes: str) -> str:
        asked: dict[str, Any] = self.cell(**changes) | {
            "claim": REVIEW,
            "reason": "Twee inzages zonder verklaring.",
        }
        return str((client or self.officer).lookups.request_names(**asked).names_request_id)

    def approved(self, client: ExchangeClient, request: str, **changes: Any) -> Any:  # noqa: ANN401 -- ApproveNamesResponse
        return client.lookups.approve_names(claim=REVIEW, names_request_id=request, **self.cell(**changes))

    def names(self, client: ExchangeClient | None = None, **changes: Any) -> Any:  # noqa: ANN401 -- ListUnexplainedResponse
        asked: dict[str, Any] = self.cell() | {"claim": AUDIT, "fields": NAMES} | changes
        return (client or self.officer).lookups.list_unexplained(**asked)

    def asked(self, client: ExchangeClient, **changes: str) -> Any:  # noqa: ANN401 -- ListNamesRequestsResponse
        month = {"of_organisation": CITY, "month": self.month} | changes
        return client.lookups.list_names_requests(claim=READ, **month)

    def drawn(self, client: ExchangeClient | None = None, **changes: Any) -> Any:  # noqa: ANN401 -- DrawSampleResponse
        asked: dict[str, Any] = {
            "claim": REVIEW,
            "of_organisation": CITY,
            "month": self.month,
            "sample_size": 2,
        } | changes
        return (client or self.officer).lookups.draw_sample(**asked)

    def sample(self, client: ExchangeClient | None = None, **changes: Any) -> Any:  # noqa: ANN401 -- GetSampleResponse
        asked: dict[str, Any] = {
            "claim": AUDIT,
            "fields": DRAWN,
            "of_organisation": CITY,
            "month": self.month,
        } | changes
        return (client or self.officer).lookups.get_sample(**asked)


def month_now(town: Town) -> Month:
    day = day_of(town.now())
    return Month(day.year, day.month)


def rule_of(call: Callable[[], object]) -> str:
    with pytest.raises(errors.RuleBroken) as refused:
        call()
    return refused.value.rule


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewed]:
    for town in opened(tmp_path_factory.mktemp("reviewed")):
        found = Reviewed(town)
        yield found
        found.close()


def test_a_month_is_counted_without_people_and_what_was_refused_is_no_access(reviewed: Reviewed) -> None:
    (cell,) = reviewed.cells().cells
    assert (cell.organisation, cell.task, cell.accesses, cell.unexplained) == (CITY, TASK, 3, 2)
    assert (cell.few, cell.by_task) == (True, 0), "with fewer than ten nothing is told apart by kind"
    assert "w-" not in str(reviewed.cells())
    assert not reviewed.cells(month="2019-01").cells


def test_a_lookup_page_is_itself_a_decision(reviewed: Reviewed) -> None:
    page = reviewed.cells()
    fields = ["decisions.disclosure.decision_id", "decisions.disclosure.professional"]
    listed, token = [], ""
    while True:
        found = reviewed.officer.audit.list_decisions(
            claim=AUDIT, fields=fields, page_size=200, page_token=token
        )
        listed += [(one.disclosure.decision_id, one.disclosure.professional) for one in found.decisions]
        token = found.next_page_token
        if not token:
            break
    assert (page.decision_id, "fg-1") in listed


def test_names_take_a_reason_and_a_second_person_and_are_of_one_cell(reviewed: Reviewed) -> None:
    before = reviewed.town.core.reader.head()
    assert rule_of(reviewed.names) == "NAMES_NOT_OPEN"
    assert reviewed.town.core.reader.head() == before, "no decision says that names were read"
    request = reviewed.requested()
    assert rule_of(reviewed.names) == "NAMES_NOT_OPEN"
    assert rule_of(partial(reviewed.approved, reviewed.officer, request)) == "SAME_PERSON"
    # The same person with another task is the same person.
    assert rule_of(partial(reviewed.approved, reviewed.person("beheer", "FG-1"), request)) == "SAME_PERSON"
    second = reviewed.person("beheer", "beheerder-1")
    # He reads what he agrees to, and whom it is about he does not.
    told = {one.names_request_id: one for one in reviewed.asked(second).requests}[request]
    assert (told.of_task, told.reason) == (TASK, "Twee inzages zonder verklaring.")
    assert not told.HasField("end_time")
    # Who asked is told so, in any of his tasks; to another it is not told who.
    to = [reviewed.asked(reviewed.person(*who)).requests for who in (("fg", "fg-1"), ("beheer", "FG-1"))]
    assert [one.asked_by_caller for one in (to[0][0], to[1][0], told)] == [True, True, False]
    other = partial(reviewed.approved, second, request, of_task="college:JW")
    assert rule_of(other) == "NO_SUCH_NAMES_REQUEST"
    end = reviewed.approved(second, request).end_time
    told = {one.names_request_id: one for one in reviewed.asked(second).requests}[request]
    assert told.end_time == end
    again = partial(reviewed.approved, reviewed.person("fg", "fg-2"), request)
    assert rule_of(again) == "NAMES_APPROVED_ALREADY"
    found = reviewed.names()
    assert {one.decision_id for one in found.lookups} == set(reviewed.decisions[:2])
    assert {one.professional for one in found.lookups} == {f"w-{reviewed.looked.bsn[-5:]}"}
    assert len({one.resident_pseudonym for one in found.lookups}) == 1
    assert all("NO-FOLLOW-UP" in one.indicators for one in found.lookups)
    assert reviewed.names(only_indicated=True).lookups == found.lookups
    first = reviewed.names(page_size=1)
    rest = reviewed.names(page_size=1, page_token=first.next_page_token)
    assert [*first.lookups, *rest.lookups] == [*found.lookups]
    assert rest.next_page_token == ""
    # Of who asked, and of nobody else; of this cell, and of no other.
    assert rule_of(partial(reviewed.names, reviewed.person("fg", "fg-2"))) == "NAMES_NOT_OPEN"
    assert rule_of(partial(reviewed.names, of_task="college:JW")) == "NAMES_NOT_OPEN"


def test_of_two_who_agree_at_once_one_does(reviewed: Reviewed) -> None:
    request = reviewed.requested(of_task="college:PW")
    seconds = [reviewed.person("beheer", "beheerder-1"), reviewed.person("fg", "fg-2")]

    def agree(client: ExchangeClient) -> str:
        try:
            reviewed.approved(client, request, of_task="college:PW")
        except errors.RuleBroken as refused:
            return refused.rule
        return "approved"

    with ThreadPoolExecutor(len(seconds)) as at_once:
        found = sorted(at_once.map(agree, seconds))
    assert found == ["NAMES_APPROVED_ALREADY", "approved"]


def test_a_sample_is_drawn_once_and_anybody_draws_the_same(reviewed: Reviewed) -> None:
    this_month = month_now(reviewed.town).text
    assert rule_of(partial(reviewed.drawn, month=this_month)) == "MONTH_NOT_OVER"
    assert not reviewed.sample(month=this_month).HasField("sample")
    assert rule_of(reviewed.drawn) == "SAMPLE_DRAWN_ALREADY"
    told = reviewed.sample()
    sample = told.sample
    assert (sample.population, sample.drawn) == (3, 2)
    assert sample.chance_one_percent == pytest.approx(chance_of_one(3, 2, 10))
    anchor = Anchor(sample.origin, sample.size, bytes.fromhex(sample.root))
    redone = draw(reviewed.decisions, 2, seed_of(anchor, CITY, reviewed.month))
    assert tuple(one.decision_id for one in told.lookups) == redone
    # What it was drawn by is under the checkpoint that everybody sees.
    proof = reviewed.officer.ledger.get_consistency_proof(from_size=sample.size)
    head = parse_body(parse_note(proof.checkpoint.encode(), "checkpoint").text)
    verify_consistency(sample.size, head.size, anchor.root, head.root, list(proof.hashes))


def test_what_was_found_is_said_of_what_was_drawn(reviewed: Reviewed) -> None:
    one, other = (found.decision_id for found in reviewed.sample().lookups)
    say = partial(
        reviewed.officer.lookups.record_review, claim=REVIEW, of_organisation=CITY, month=reviewed.month
    )
    assert rule_of(partial(say, of_decision_id=str(uuid4()), outcome=1)) == "NOT_DRAWN"
    say(of_decision_id=one, outcome=lookups_pb.REVIEW_OUTCOME_UNKNOWN)
    say(of_decision_id=one, outcome=lookups_pb.REVIEW_OUTCOME_UNLAWFUL)
    told = {found.decision_id: found.outcome for found in reviewed.sample().lookups}
    assert told == {one: lookups_pb.REVIEW_OUTCOME_UNLAWFUL, other: 0}


def test_another_organisations_officer_sees_his_own_only(reviewed: Reviewed) -> None:
    officer = reviewed.elsewhere
    assert not reviewed.cells(officer).cells
    for call in (reviewed.names, reviewed.sample, reviewed.drawn, reviewed.requested):
        assert rule_of(partial(call, officer)) == "OTHER_ORGANISATION"
    request = reviewed.requested()
    assert rule_of(partial(reviewed.approved, officer, request)) == "OTHER_ORGANISATION"
    assert rule_of(partial(reviewed.asked, officer)) == "OTHER_ORGANISATION"
    own = reviewed.requested(officer, of_organisation=OTHER)
    (told,) = reviewed.asked(officer, of_organisation=OTHER).requests
    assert told.names_request_id == own


@pytest.mark.parametrize("task", ["college:WMO", "beleid", "beheer"])
def test_nobody_but_an_officer_reads_or_draws(reviewed: Reviewed, task: str) -> None:
    client = reviewed.person(task, "w-7")
    for call in (reviewed.cells, reviewed.names, reviewed.sample):
        with pytest.raises(errors.Denied):
            call(client)
    for call in (reviewed.drawn, reviewed.requested):
        if task == "beheer":
            assert rule_of(partial(call, client)) == "NOT_TO_REVIEW"
        else:
            with pytest.raises(errors.Denied):
                call(client)


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "26-10", "2026-1", "x"])
def test_what_is_no_month_is_named(reviewed: Reviewed, month: str) -> None:
    for call in (reviewed.cells, reviewed.requested, reviewed.drawn):
        with pytest.raises(errors.Invalid) as refused:
            call(month=month)
        assert set(refused.value.field_violations) == {"month"}
