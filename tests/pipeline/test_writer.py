"""The walk without faults: order within a group, decisions before answers, request ids, refusals."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain import stream_of
from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.limits.objections import Object
from exchange.domain.limits.restrictions import Restrict
from exchange.domain.organisation import RevokeCertificate
from exchange.errors import (
    AccessDenied,
    CallerUnknown,
    RequestIdReused,
    RuleBroken,
    VersionConflict,
)
from exchange.ledger.leaf import parse_leaf
from exchange.pipeline.walk import Claim, CommandOutcome, ReadOutcome, Steps
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.shard import NECESSITY, NOW, WITH_CONSENT

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard


def decisions(shard: Shard, after: int = 0) -> list[DisclosureDecided]:
    """Open every decision after a position."""
    opened = [
        shard.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic).event
        for row in shard.core.reader.page(after, 1000, (DisclosureDecided.TOPIC,))
    ]
    return [one for one in opened if isinstance(one, DisclosureDecided)]


# --- serial order -------------------------------------------------------------------------------------


def test_a_read_after_a_withdrawal_in_the_same_group_is_refused(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)

    before, withdrawn, after = shard.run(
        shard.question_with_consent(plan_id),
        shard.withdrawal(consent_id),
        shard.question_with_consent(plan_id),
    )

    assert isinstance(before, ReadOutcome)
    assert before.released == {"goals.own_words"}
    assert isinstance(withdrawn, CommandOutcome)
    assert isinstance(after, AccessDenied)
    assert after.rules == ("R19",)
    assert before.position < withdrawn.position == before.position + 1


def test_a_read_before_a_withdrawal_in_the_same_group_is_permitted(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    read, withdrawn = shard.run(shard.question_with_consent(plan_id), shard.withdrawal(consent_id))
    assert isinstance(read, ReadOutcome)
    assert isinstance(withdrawn, CommandOutcome)


def test_each_walk_of_a_group_sees_the_versions_and_words_of_those_before_it(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    stream = f"plan-{plan_id}"
    first, second, read = shard.run(
        shard.goal(plan_id, "samen eten", expected=(stream, 2)),
        shard.goal(plan_id, "weer fietsen", expected=(stream, 3)),
        shard.question(plan_id),
    )
    assert [first.versions, second.versions] == [{"plan": 3}, {"plan": 4}]
    assert [goal.own_words for goal in read.captured.goals] == ["samen eten", "weer fietsen"]
    assert read.position == second.position + 1
    assert shard.verified() == read.position


def test_a_group_of_registration_report_and_goal_is_one_commit(shard: Shard) -> None:
    recorder = faulty_recorder(shard)
    ref = uuid.uuid4().hex
    registered, again = shard.run(shard.registration(ref), shard.registration(ref))
    assert isinstance(registered, CommandOutcome)
    assert isinstance(again, CommandOutcome | RuleBroken)
    assert len(recorder.commits) == 1


# --- decisions before answers -------------------------------------------------------------------------


def test_the_decision_of_a_read_is_committed_before_its_answer(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    head = shard.head
    outcome = shard.done(shard.question(plan_id))
    (event,) = decisions(shard, head)
    assert event.decision_id == outcome.decision_id
    assert (event.outcome, event.released, event.withheld) == ("PERMIT", ("goals.own_words",), ())
    assert event.subject == plan_id
    assert event.facts_position == head
    (row,) = shard.core.reader.page(head, 10)
    leaf = parse_leaf(shard.core.reader.leaf_entries(head, head + 1)[0])
    assert (row.position, leaf.topic) == (outcome.position, DisclosureDecided.TOPIC)
    assert shard.core.codec.necessity(row.state, stream=row.stream, version=row.version, topic=row.topic) == (
        NECESSITY
    )


@pytest.mark.parametrize("kind", ["read", "command"])
def test_a_refusal_is_recorded_with_its_rules(shard: Shard, kind: str) -> None:
    _, _, plan_id = shard.plan()
    stranger = shard.caller(professional="prof-2")
    head = shard.head
    walk = (
        shard.question(plan_id, caller=stranger) if kind == "read" else shard.goal(plan_id, caller=stranger)
    )
    (refused,) = shard.run(walk)
    assert isinstance(refused, AccessDenied)
    (event,) = decisions(shard, head)
    assert event.outcome == "DENY"
    assert event.rules == refused.rules == ("R03",)
    assert event.decision_id == refused.decision_id
    assert event.released == ()
    assert event.action == ("READ" if kind == "read" else "COMMAND")
    assert shard.topics(head) == [DisclosureDecided.TOPIC]


def test_part_is_given_only_to_who_allows_part(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    walk = shard.question(plan_id)
    groups = walk.groups

    def with_income(view: object, paths: tuple[str, ...]) -> list[object]:
        wide, income = groups(view, paths)  # type: ignore[arg-type] # the builder looks at paths only
        return [wide, replace(income, fact=replace(income.fact, category="STRAFRECHT"))]

    paths = ("goals.own_words", "goals.desired_effect")
    asked = replace(walk, fields=paths, groups=with_income)  # type: ignore[arg-type] # as above
    (refused,) = shard.run(asked)
    assert isinstance(refused, AccessDenied)
    part = shard.done(replace(asked, allow_partial=True))
    assert part.released == {"goals.own_words"}
    assert part.withheld_paths == ("goals.desired_effect",)
    whole, partial = decisions(shard)[-2:]
    assert (whole.outcome, whole.released) == ("DENY", ())
    assert (partial.outcome, partial.released) == ("PARTIAL", ("goals.own_words",))


# --- known and unknown alike --------------------------------------------------------------------------


def told(outcome: object) -> object:
    assert isinstance(outcome, AccessDenied), outcome
    return (outcome.message, outcome.rules, outcome.explanation, outcome.remedies, outcome.obligations)


def test_a_stranger_is_refused_alike_whoever_the_plan_is_about(shard: Shard) -> None:
    _, _, plain = shard.plan()
    restricted_ref, _, restricted = shard.plan()
    objecting_ref, _, objecting = shard.plan()
    consenting_ref, case_id, consenting = shard.plan()
    who: dict[str, Any] = {"now": NOW, "author": shard.author(), "reason": "op verzoek"}
    orders = (Restrict(restriction_id="b-1", **who), Object(objection_id="o-1", **who))
    for command, ref in zip(orders, (restricted_ref, objecting_ref), strict=True):
        shard.done(shard.command(command, "resident", ref, anchor=f"resident-{ref}", category="CONTACT"))
    shard.done(shard.withdrawal(shard.consent(consenting_ref, case_id)))

    for entry in shard.core.register.entries():
        for task in sorted(entry.recipients & {"college:WMO", "college:JW", "college:PW", "betrokkene"}):
            caller = shard.caller(task, "prof-2", resident="r-other" if task == "betrokkene" else "")
            claim = Claim(min(entry.purposes), entry.id, NECESSITY)
            answers = [
                told(shard.run(build(plan_id, caller=caller, claim=claim))[0])
                for build in (shard.question, shard.goal)
                for plan_id in (str(uuid.uuid4()), plain, restricted, objecting, consenting)
            ]
            reads, commands = set(answers[:5]), set(answers[5:])
            assert len(reads) == 1, (entry.id, task, reads)
            assert len(commands) == 1, (entry.id, task, commands)


def test_who_works_on_the_case_hears_the_true_reason(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    command = Restrict(now=NOW, author=shard.author(), restriction_id="b-1", reason="op verzoek")
    shard.done(shard.command(command, "resident", ref, anchor=f"resident-{ref}", category="CONTACT"))
    (refused,) = shard.run(shard.question(plan_id))
    assert isinstance(refused, AccessDenied)
    assert refused.rules == ("R24",)


def test_refusals_about_nobody_are_recorded_too(shard: Shard) -> None:
    head = shard.head
    shard.run(shard.question(str(uuid.uuid4())), shard.goal(str(uuid.uuid4())))
    rows = shard.core.reader.page(head, 10)
    assert {row.stream for row in rows} == {stream_of("disclosure", "unknown")}
    assert [event.resident for event in decisions(shard, head)] == ["", ""]
    entries = shard.core.reader.leaf_entries(head, shard.head)
    assert [parse_leaf(entry).pseudonym for entry in entries] == [None, None]


# --- request ids --------------------------------------------------------------------------------------


def test_the_same_id_and_content_get_the_same_answer_also_after_a_restart(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    walk = shard.goal(plan_id)
    first = shard.done(walk)
    assert shard.done(walk) == first
    reopened = shard.reopen()
    try:
        assert reopened.done(walk) == first
        assert reopened.topics().count("plan.goal_set.v1") == 1
        assert reopened.verified() == first.position
    finally:
        reopened.close()


def test_the_same_id_twice_in_one_group_is_one_command(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    walk = shard.goal(plan_id)
    first, second = shard.run(walk, walk)
    assert first == second
    assert shard.topics().count("plan.goal_set.v1") == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_other_content_under_a_used_id_is_refused(shard: Shard, restarted: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    _, _, plan_id = shard.plan()
    walk = shard.goal(plan_id)
    shard.done(walk)
    other = replace(shard.goal(plan_id, "iets anders"), request_id=walk.request_id, content=b"other")
    used = shard.reopen() if restarted else shard
    try:
        (refused,) = used.run(other)
        assert isinstance(refused, RequestIdReused)
        assert used.topics().count("plan.goal_set.v1") == 1
    finally:
        used.close()


def test_another_organisation_may_use_the_same_id(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    walk = shard.goal(plan_id)
    shard.done(walk)
    other = "00000003001234567000"
    shard.done(shard.joining(other, "ef" * 32, "college:WMO"))
    caller = shard.caller(organisation=other, thumbprint="ef" * 32)
    (refused,) = shard.run(replace(shard.goal(plan_id), caller=caller, request_id=walk.request_id))
    assert isinstance(refused, AccessDenied)


def test_a_refused_command_repeats_its_refusal(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    walk = shard.goal(plan_id, caller=shard.caller(professional="prof-2"))
    (first,) = shard.run(walk)
    head = shard.head
    assert told(shard.run(walk)[0]) == told(first)
    reopened = shard.reopen()
    try:
        (again,) = reopened.run(walk)
        assert told(again) == told(first)
        assert isinstance(again, AccessDenied)
        assert again.decision_id == first.decision_id
        assert reopened.head == head
    finally:
        reopened.close()


def test_a_done_command_repeats_its_answer_though_it_would_be_refused_now(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    goal = shard.goal(plan_id, expected=(f"plan-{plan_id}", 2))
    withdrawal = shard.withdrawal(consent_id)
    done = [shard.done(goal), shard.done(withdrawal)]
    restrict = Restrict(now=NOW, author=shard.author(), restriction_id="b-1", reason="op verzoek")
    shard.done(shard.command(restrict, "resident", ref, anchor=f"resident-{ref}", category="CONTACT"))
    reopened = shard.reopen()
    try:
        assert reopened.run(goal, withdrawal) == done
    finally:
        reopened.close()


# --- what is not recorded -----------------------------------------------------------------------------


def test_another_version_than_expected_conflicts(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    head = shard.head
    (conflict,) = shard.run(shard.goal(plan_id, expected=(f"plan-{plan_id}", 1)))
    assert isinstance(conflict, VersionConflict)
    assert conflict.metadata == {"expected": "1", "found": "2"}
    assert shard.head == head
    shard.done(shard.goal(plan_id, expected=(f"plan-{plan_id}", 2)))


def test_a_broken_rule_costs_only_its_own_walk(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    order = shard.withdrawal(str(uuid.uuid4()), anchor=f"consent-{consent_id}")
    broken, done = shard.run(order, shard.goal(plan_id))
    assert isinstance(broken, RuleBroken)
    assert isinstance(done, CommandOutcome)


@pytest.mark.parametrize(
    "changes",
    [{"thumbprint": "99" * 32}, {"organisation": "00000009001234567000"}, {"task": "svb"}],
    ids=["certificate", "organisation", "task"],
)
def test_a_caller_the_register_of_organisations_does_not_know_is_refused(
    shard: Shard, changes: dict[str, str]
) -> None:
    _, _, plan_id = shard.plan()
    head = shard.head
    caller = shard.caller(**changes)
    read, command = shard.run(shard.question(plan_id, caller=caller), shard.goal(plan_id, caller=caller))
    assert isinstance(read, CallerUnknown)
    assert isinstance(command, CallerUnknown)
    assert shard.head == head


def test_a_command_that_changes_nothing_is_recorded_answered_and_kept(shard: Shard) -> None:
    ref, case_id, _ = shard.plan()
    consent_id = shard.consent(ref, case_id)
    shard.done(shard.withdrawal(consent_id))
    head = shard.head
    walk = shard.withdrawal(consent_id)
    again = shard.done(walk)
    assert (again.leaves, again.position, shard.head) == (1, head + 1, head + 1)
    (row,) = shard.core.reader.page(head, 10)
    event = shard.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic).event
    assert isinstance(event, DisclosureDecided)
    assert (row.stream, event.decision_id) == (f"disclosure-{ref}", again.decision_id)
    assert (event.action, event.outcome) == ("COMMAND", "PERMIT")
    reopened = shard.reopen()
    try:
        assert reopened.done(walk) == again
    finally:
        reopened.close()


def test_a_resident_whose_keys_are_gone_does_not_fail_the_others_of_the_group(shard: Shard) -> None:
    gone_ref, _, gone = shard.plan()
    _, _, plan_id = shard.plan()
    shard.core.keys.destroy(gone_ref)
    shard.core.hot.clear()
    erased, done = shard.run(shard.goal(gone), shard.goal(plan_id))
    # As about somebody nobody knows: that he was here once is no longer told.
    assert isinstance(erased, AccessDenied)
    assert isinstance(done, CommandOutcome)
    shard.verified()


def test_a_walk_that_decides_a_step_after_failing_leaves_nothing(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    goal = shard.goal(plan_id)

    def half(view: object) -> Steps:
        goal.process(view)  # type: ignore[arg-type] # the same view
        raise RuleBroken("on purpose", rule="PURPOSE")

    head = shard.head
    (broken,) = shard.run(replace(goal, process=half))
    assert isinstance(broken, RuleBroken)
    assert shard.head == head


def test_the_gate_judges_the_claim_that_needs_a_consent(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    (refused,) = shard.run(shard.question_with_consent(plan_id))
    assert WITH_CONSENT.legal_basis == "WMO-5.1.1-4"
    assert isinstance(refused, AccessDenied)
    assert refused.rules == ("R15",)


def test_an_answer_given_before_is_not_for_whose_certificate_ended(shard: Shard) -> None:
    other, thumbprint = "00000003001234567000", "ef" * 32
    shard.done(shard.joining(other, thumbprint, "college:WMO"))
    caller = shard.caller(organisation=other, thumbprint=thumbprint)
    ref = uuid.uuid4().hex
    walk = shard.registration(ref, caller=caller)
    first = shard.done(walk)
    assert shard.done(walk) == first
    revoked = RevokeCertificate(now=NOW, certificate_thumbprint=thumbprint)
    beheer, claim = shard.caller("beheer"), Claim("beheer", "ORG-ADMIN-24")
    order = shard.command(
        revoked, "organisation", other, caller=beheer, claim=claim, fields=(), relation=False
    )
    shard.done(order)
    (refused,) = shard.run(walk)
    assert isinstance(refused, CallerUnknown)
