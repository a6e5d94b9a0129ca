"""Every permit has its event, its line and its record of access: a random run of calls on a real service."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from exchange.domain.disclosure import DisclosureDecided
from exchange.server.authzen.records import DecisionLog
from exchange.server.traces import place_in_trace
from exchange.v1 import common_pb2 as pb
from tests.accountability.logs import SUBJECT, ldv, nen7513, verwerkingen
from tests.server.story import Story
from tests.server.town import ACCESS, CITY, INVESTIGATE, WORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.accountability.conftest import Check
    from tests.server.town import Town

CALLS = 60
PATHS = ("version", "goals.own_words", "reports.own_words", "situations.description", "supports.state")


class Run:
    """Draws calls and notes the decision of every answer, given or refused."""

    def __init__(self, town: Town, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 -- a reproducible run, no secret
        self.town = town
        self.stories = [Story(town, next(town.bsns)) for _ in range(3)]
        self.answered: list[str] = [one.opened.receipt.decision_id for one in self.stories]
        self.refused: list[str] = []

    def one(self) -> None:
        calls: list[Callable[[Story], str]] = [self.read, self.set_goal, self.find, self.consents, self.own]
        try:
            self.answered.append(self.chance.choice(calls)(self.chance.choice(self.stories)))
        except errors.Denied as denied:
            self.refused.append(denied.decision_id)

    def read(self, story: Story) -> str:
        client = self.chance.choice((story.wmo, self.town.worker("college:PW", "p-1"), self.stories[0].wmo))
        answer = client.plan.get_plan(
            claim=self.chance.choice((INVESTIGATE, WORK)),
            plan_id=story.plan_id,
            fields=self.chance.sample(PATHS, self.chance.randint(1, len(PATHS))),
            allow_partial=self.chance.random() < 0.5,
        )
        return answer.decision_id

    def set_goal(self, story: Story) -> str:
        answer = self.chance.choice((story.wmo, self.stories[0].wmo)).plan.set_goal(
            claim=INVESTIGATE,
            plan_id=story.plan_id,
            expected_version=story.version,
            own_words="Weer zelf koken.",
            desired_effect="zelfstandig eten",
            life_domain=pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
            target_date="2027-06-01",
        )
        story.version = answer.version
        return answer.receipt.decision_id

    def find(self, story: Story) -> str:
        client = self.chance.choice((story.wmo, self.town.worker("college:PW", "p-1")))
        asked: dict[str, Any] = {"resident": story.pseudonym, "fields": ["case_id"]}
        return client.case.find_case(claim=INVESTIGATE, **asked).decision_id

    def consents(self, story: Story) -> str:
        asked: dict[str, Any] = {"case_id": story.case_id, "fields": ["consents.state"]}
        return story.wmo.consent.list_consents(claim=INVESTIGATE, **asked).decision_id

    def own(self, story: Story) -> str:
        asked: dict[str, Any] = {"case_id": story.case_id, "fields": ["disclosures.outcome"]}
        return story.resident().disclosure.list_disclosures(claim=ACCESS, **asked).decision_id


def residents_by_decision(town: Town) -> dict[str, set[str]]:
    """Return of every decision whom its events are about, read past all that is tested here."""
    found: dict[str, set[str]] = {}
    for row in town.core.reader.page(0, 10_000):
        clear, meta, _ = town.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        if meta.decision_id:
            found.setdefault(meta.decision_id, set()).add(clear.get("resident", ""))
    return {decision: (whom - {""}) or {""} for decision, whom in found.items()}


def denied_in_record(town: Town) -> set[str]:
    found = set()
    for row in town.core.reader.page(0, 10_000, (DisclosureDecided.TOPIC,)):
        clear, meta, _ = town.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        if clear["outcome"] == "DENY":
            found.add(meta.decision_id)
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_p14_every_decision_has_its_event_its_line_and_its_access_record(
    town: Town, valid: Check, seed: int
) -> None:
    run = Run(town, seed)
    for _ in range(CALLS):
        run.one()
    assert min(len(run.answered), len(run.refused)) > CALLS // 12
    events = residents_by_decision(town)
    assert set(run.answered) | set(run.refused) <= events.keys()
    lines = ldv(town.core)
    for line in lines:
        valid(line)
    # As many lines as residents, no more and no less, and each where its decision says.
    spans = {place_in_trace("", decision).span_id: decision for decision in events}
    by_line = Counter(spans[line["span_id"]] for line in lines)
    assert by_line == Counter({decision: len(whom) for decision, whom in events.items()})
    subjects = {
        (decision, town.core.log_pseudonym(f"{CITY}\n{ref}") if ref else None)
        for decision, whom in events.items()
        for ref in whom
    }
    assert {(spans[line["span_id"]], line["attributes"].get(SUBJECT)) for line in lines} == subjects
    unset = {spans[line["span_id"]] for line in lines if line["status"] == "Unset"}
    assert unset == denied_in_record(town)
    assert set(run.refused) <= unset
    assert unset.isdisjoint(run.answered)
    records = DecisionLog(town.core.reader, town.core.codec, town.core.registers, town.core.log_pseudonym)
    assert {record["id"] for record in records.page(0, 10_000).records} == events.keys()
    assert len(verwerkingen(town.core)) == len(lines)
    of_care = [line["span_id"] for line in nen7513(town.core)]
    assert len(of_care) == len(set(of_care))
    assert set(of_care) <= spans.keys()
