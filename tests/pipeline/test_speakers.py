"""Facts about who speaks, from the streams of a real shard: what is recorded counts at once, and no more."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.answering import answer_consent
from exchange.domain.consent import GiveConsent, RefuseConsent, RequestConsent
from exchange.domain.representation import EndRepresentative, JudgeCapacity, RecordRepresentative
from exchange.domain.resident import RegisterResident
from exchange.errors import AccessDenied, StoreUnavailable
from exchange.pipeline.speakers import holders_in
from exchange.pipeline.walk import Caller, Claim, CommandWalk, EvaluationWalk, ReadOutcome, Steps
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.shard import NOW, Shard

if TYPE_CHECKING:
    from exchange.pipeline.walk import View

WORD = Claim("wmo-onderzoek", "RESIDENT-WORD")
REPRESENTATIVE = "wettelijk-vertegenwoordiger"
PORTAL = "00000003271543200000"
TODAY = NOW.date()
A_DAY = timedelta(days=1)


class Child:
    """A child of ten with a plan, and a portal at which parents sign in."""

    def __init__(self, shard: Shard, birth_date: date = date(2016, 1, 1)) -> None:
        self.shard = shard
        thumbprint = "ef" * 32
        shard.done(shard.joining(PORTAL, thumbprint, "betrokkene", REPRESENTATIVE))
        self.ref = uuid.uuid4().hex
        order = RegisterResident(
            now=NOW, author=shard.author(), resident=self.ref, birth_date=birth_date, capable=True
        )
        shard.done(self.on_resident(order, relation=False))
        _, self.case_id, self.plan_id = shard.plan(self.ref)
        self.thumbprint = thumbprint

    def on_resident(self, order: Any, **changes: Any) -> CommandWalk:  # noqa: ANN401 -- any command, any field of a walk
        facts = {"anchor": f"resident-{self.ref}", "category": "CONTACT"}
        return self.shard.command(order, "resident", self.ref, **(facts | changes))

    def caller(self, person: str) -> Caller:
        return self.shard.caller(
            REPRESENTATIVE,
            person,
            role="ouder",
            organisation=PORTAL,
            thumbprint=self.thumbprint,
            resident=self.ref,
        )

    def record(self, person: str = "ouder-1", **changes: Any) -> None:  # noqa: ANN401 -- any field of the command
        order = RecordRepresentative(
            now=NOW,
            author=self.shard.author(),
            representative_id=person,
            person_oin=PORTAL,
            person=person,
            relation="parent",
            gezag="gezamenlijk_ouderlijk",
            evidence_source="brp",
            source_reference="brp-1",
            source_date=TODAY,
            start_date=date(2016, 1, 1),
        )
        self.shard.done(self.on_resident(replace(order, **changes)))

    def end(self, person: str = "ouder-1") -> None:
        order = EndRepresentative(now=NOW, author=self.shard.author(), representative_id=person)
        self.shard.done(self.on_resident(order))

    def goal(self, person: str = "ouder-1") -> CommandWalk:
        return self.shard.goal(self.plan_id, caller=self.caller(person), claim=WORD, relation=False)

    def consent(self, **given: Any) -> str:  # noqa: ANN401 -- any field of the yes
        shard, consent_id = self.shard, str(uuid.uuid4())
        asked = RequestConsent(
            now=NOW,
            author=shard.author(),
            consent_id=consent_id,
            case_id=self.case_id,
            resident=self.ref,
            kind="statutory",
            purpose="wmo-onderzoek",
            recipients=(f"{shard.oin}/college:WMO",),
            categories=("WMO-PLAN",),
            start_time=NOW,
            end_time=NOW + timedelta(days=365),
            notice_id="folder",
            notice_version=1,
            notice_sha256="ab" * 32,
            notice_language="nl",
            notice_level="B1",
            withdrawal_channels=("https://mijn.voorbeeld.nl",),
        )
        shard.done(shard.command(asked, "consent", consent_id, anchor=f"case-{self.case_id}"))
        order = GiveConsent(
            now=NOW + timedelta(minutes=1),
            author=shard.author(REPRESENTATIVE),
            given_by=("parent",),
            authority=("ouder-1",),
            explicit=True,
            free_assessed=True,
            method="portal",
        )
        yes = replace(order, **given)
        shard.done(shard.command(yes, "consent", consent_id, anchor=f"consent-{consent_id}"))
        return consent_id

    def refusal(self, consent_id: str, person: str) -> CommandWalk:
        stream = f"consent-{consent_id}"
        order = RefuseConsent(
            now=NOW + timedelta(minutes=2),
            author=self.shard.author(REPRESENTATIVE),
            said_by="parent",
            authority=person,
        )

        def process(view: View) -> Steps:
            consent, resident = view.state(stream), view.state(f"resident-{self.ref}")
            holders = holders_in(resident, consent, TODAY)
            return Steps(
                answer_consent(order, consent, resident, others=[], holders=holders, dispute_id="t-1")
            )

        return self.shard.walk(
            process, anchor=stream, caller=self.caller(person), claim=WORD, relation=False, fence=True
        )

    def read(self, **changes: Any) -> object:  # noqa: ANN401 -- any field of a walk
        (outcome,) = self.shard.run(self.shard.question_with_consent(self.plan_id, **changes))
        return outcome


def rules(outcome: object) -> tuple[str, ...]:
    """Return why it was refused, nothing where it was not."""
    return outcome.rules if isinstance(outcome, AccessDenied) else ()


def test_a_record_lets_a_parent_speak_at_once_and_its_end_stops_him_at_once(shard: Shard) -> None:
    child = Child(shard)
    # A permit once given is remembered; neither memory may outlive what it rested on.
    (before,) = shard.run(child.goal())
    assert "R21" in rules(before)
    child.record()
    for _ in range(2):
        shard.done(child.goal())
    child.end()
    (after,) = shard.run(child.goal())
    assert "R21" in rules(after)


def test_a_remembered_permit_ends_with_the_source_it_rested_on(shard: Shard) -> None:
    child = Child(shard)
    child.record()
    shard.done(child.goal())
    last = NOW + timedelta(days=92)
    shard.done(replace(child.goal(), now=last))
    (after,) = shard.run(replace(child.goal(), now=last + A_DAY))
    assert rules(after) == ("R21",)


# Midnight in the Netherlands, an hour before that of UTC in winter and two in summer.
BIRTHDAYS = [
    (date(2010, 3, 5), datetime(2026, 3, 4, 23, tzinfo=UTC)),
    (date(2010, 5, 20), datetime(2026, 5, 19, 22, tzinfo=UTC)),
]
ACCESS = Claim("inzage", "SUBJECT-15")


@pytest.mark.parametrize(("birth_date", "midnight"), BIRTHDAYS)
def test_a_parent_sees_and_speaks_until_the_day_of_sixteen_begins_here(
    shard: Shard, birth_date: date, midnight: datetime
) -> None:
    child = Child(shard, birth_date=birth_date)
    child.record()
    before, moment = midnight - timedelta(seconds=1), timedelta(minutes=1)
    asked = shard.question(child.plan_id, caller=child.caller("ouder-1"), claim=ACCESS, relation=False)
    # The permit of the evening before is remembered, and is not taken along into the night.
    for at, expected in [(before, ()), (midnight, ("R21",)), (midnight + moment, ("R21",))]:
        (seen,) = shard.run(replace(asked, now=at))
        (said,) = shard.run(replace(child.goal(), now=at))
        assert (rules(seen), rules(said)) == (expected, expected), at


def test_a_child_sees_what_is_known_of_it_from_when_its_twelfth_birthday_begins_here(shard: Shard) -> None:
    child = Child(shard, birth_date=date(2014, 3, 5))
    own = replace(child.caller("kind-1"), task="betrokkene")
    asked = shard.question(child.plan_id, caller=own, claim=ACCESS, relation=False)
    midnight = datetime(2026, 3, 4, 23, tzinfo=UTC)
    for at, expected in [(midnight - timedelta(seconds=1), ("R21",)), (midnight, ())]:
        (seen,) = shard.run(replace(asked, now=at))
        assert rules(seen) == expected


def test_a_record_ends_when_its_last_day_is_over_here(shard: Shard) -> None:
    child = Child(shard)
    child.record(end_date=date(2026, 3, 5))
    midnight = datetime(2026, 3, 4, 23, tzinfo=UTC)
    for at, expected in [(midnight - timedelta(seconds=1), ()), (midnight, ("R21",))]:
        (said,) = shard.run(replace(child.goal(), now=at))
        assert rules(said) == expected


def test_taking_back_asks_no_recent_source_and_no_authority_of_now(shard: Shard) -> None:
    child = Child(shard, birth_date=date(2010, 3, 3))
    child.record()
    child.consent()
    late = NOW + timedelta(days=200)
    for takes_back, expected in [(False, ("R21",)), (True, ())]:
        (outcome,) = shard.run(replace(child.goal(), now=late, takes_back=takes_back))
        assert rules(outcome) == expected


@pytest.mark.parametrize("gave", [True, False])
def test_a_question_beforehand_answers_as_the_withdrawal_does(shard: Shard, *, gave: bool) -> None:
    """Of a record that has ended: who gave is told yes, for what takes back alone; of another's yes, no."""
    child = Child(shard)
    child.record()
    child.record("ouder-2")
    stream = f"consent-{child.consent(authority=('ouder-1' if gave else 'ouder-2',))}"
    child.end()
    caller = child.caller("ouder-1")
    for takes_back in (True, False):
        asked = EvaluationWalk(
            rpc="Test",
            asker=caller,
            caller=caller,
            claim=WORD,
            now=NOW,
            anchor=stream,
            fields=(),
            groups=lambda _view, _paths: (),
            evaluated={},
            records=True,
            relation=False,
            takes_back=takes_back,
        )
        (told,) = shard.run(asked)
        done = shard.walk(
            lambda _view: Steps(()), anchor=stream, caller=caller, claim=WORD, relation=False, fields=()
        )
        (outcome,) = shard.run(replace(done, takes_back=takes_back))
        assert told.decision is (rules(outcome) == ()) is (gave and takes_back)


def test_words_of_a_parent_count_while_a_record_shows_them(shard: Shard) -> None:
    child = Child(shard)
    child.record()
    child.consent()
    assert isinstance(child.read(), ReadOutcome)
    assert isinstance(child.read(now=NOW + timedelta(days=92)), ReadOutcome)
    assert rules(child.read(now=NOW + timedelta(days=93))) == ("R21",)


@pytest.mark.parametrize("authority", [(), ("ouder-2",), ("nobody",)])
def test_words_that_no_record_shows_count_for_nothing(shard: Shard, authority: tuple[str, ...]) -> None:
    child = Child(shard)
    child.record()
    child.consent(authority=authority)
    assert rules(child.read()) == ("R21",)


def test_another_record_does_not_show_the_words_of_this_one(shard: Shard) -> None:
    child = Child(shard)
    child.record()
    child.consent()
    child.record("ouder-2")
    child.end()
    assert rules(child.read()) == ("R21",)


def test_a_parents_yes_opens_nothing_where_the_child_decides_and_hides_no_yes_of_his(shard: Shard) -> None:
    # Of fifteen the disclosure is the child's own to decide (Wmo 2015 5.3.3): never a parent's.
    child = Child(shard, birth_date=date(2010, 3, 4))
    child.record()
    child.consent()
    assert rules(child.read()) == ("R21",)
    child.consent(author=shard.author("betrokkene"), given_by=("self",), authority=())
    assert isinstance(child.read(), ReadOutcome)
    # A newer one of the parent, whom nobody asks, does not stand before it either.
    child.consent(now=NOW + timedelta(minutes=5))
    assert isinstance(child.read(), ReadOutcome)
    assert isinstance(child.read(now=NOW + timedelta(days=5)), ReadOutcome)


def test_an_expired_judgement_is_missing_and_replays_as_missing(shard: Shard) -> None:
    child = Child(shard)
    child.record()
    child.consent()
    order = JudgeCapacity(
        now=NOW,
        author=shard.author(),
        matter="consent",
        capable=True,
        until=TODAY + A_DAY,
        reason="Gesproken met het kind.",
    )
    shard.done(child.on_resident(order))
    assert isinstance(child.read(), ReadOutcome)
    assert rules(child.read(now=NOW + A_DAY)) == ("R01",)


@pytest.mark.parametrize("fault", ["lost", "kept"])
def test_a_dispute_is_recorded_whole_or_not_at_all(shard: Shard, fault: str) -> None:
    child = Child(shard)
    child.record()
    child.record("ouder-2")
    consent_id = child.consent()
    recorder = faulty_recorder(shard)
    recorder.faults = [fault]
    refusal = child.refusal(consent_id, "ouder-2")
    (outcome,) = shard.run(refusal)
    assert isinstance(outcome, StoreUnavailable) is (fault == "lost")
    assert rules(child.read()) == (() if fault == "lost" else ("R21",))
    shard.done(refusal)
    assert rules(child.read()) == ("R21",)
    assert shard.topics().count("resident.authority_disputed.v1") == 1
    shard.verified()
