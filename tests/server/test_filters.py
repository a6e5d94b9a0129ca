"""A privacy officer finds, counts and opens decisions; each look is one too, and none counts past his own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.gate.rulebook import RULEBOOK
from exchange.v1 import audit_service_pb2 as audit
from exchange.v1 import common_pb2 as pb
from tests.server.story import Story, denied_read
from tests.server.town import ACCESS, AUDIT, CARE, CITY, INVESTIGATE, Town

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient

PATHS = [
    *(f"decisions.disclosure.{name}" for name in ("decision_id", "organisation", "task", "purpose", "rules")),
    *(f"decisions.disclosure.{name}" for name in ("legal_basis", "outcome", "decide_time", "leaf_index")),
    *("decisions.resident_pseudonym", "decisions.obligations"),
]
COUNTS = ["total", "counts.facet", "counts.value", "counts.decisions"]
EVERYTHING = [
    *("decision.disclosure.task", "decision.disclosure.professional", "decision.disclosure.outcome"),
    *("decision.disclosure.explanation", "decision.officer_explanation", "decision.resident_pseudonym"),
    *(
        "decision.disclosure.leaf_index",
        "decision.disclosure.legal_basis",
        "judged_basis.citation",
        "judged_basis.title",
    ),
    *(
        "judged_basis.policy_hash",
        "judged_basis.facts_position",
        "judged_basis.requester_explanation",
        "judged_basis.position",
    ),
    *("rules.rule", "rules.outcome", "rules.citation", "rules.cause", "judged_fields.name"),
    *("judged_fields.category", "judged_fields.released", "judged_fields.rules"),
    *("obligations.duty", "obligations.outcome", "obligations.due_time"),
]
WHY = claim(pb.PURPOSE_AUDIT, "FG-AUDIT-39", "Verzoek om inzage 2026-114")
Filter = audit.DecisionFilter


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


@pytest.fixture(scope="module")
def officer(town: Town) -> ExchangeClient:
    return town.worker("fg", "fg-1")


@pytest.fixture(scope="module")
def provider(town: Town) -> tuple[ExchangeClient, ExchangeClient]:
    """A provider of care that asked and was refused, and its own officer."""
    credentials = town.join(CARE, "fg", "wmo-aanbieder")
    return (
        town.client(Person("zd-1", "wmo-aanbieder", "begeleider"), credentials),
        town.client(Person("fg-2", "fg", "fg"), credentials),
    )


def listed(fg: ExchangeClient, asked: audit.DecisionFilter, **more: Any) -> list[Any]:  # noqa: ANN401 -- fields and rows of the contract
    """Every page of a listing."""
    found: list[Any] = []
    token = ""
    while True:
        answer = fg.audit.list_decisions(claim=AUDIT, fields=PATHS, filter=asked, page_token=token, **more)
        found += answer.decisions
        token = answer.next_page_token
        if not token:
            return found


def counted(fg: ExchangeClient, asked: audit.DecisionFilter) -> tuple[int, dict[tuple[int, str], int]]:
    answer = fg.audit.facet_decisions(claim=AUDIT, fields=COUNTS, filter=asked)
    return answer.total, {(one.facet, one.value): one.decisions for one in answer.counts}


def newest(fg: ExchangeClient, **asked: Any) -> Any:  # noqa: ANN401 -- fields and a row of the contract
    answer = fg.audit.list_decisions(
        claim=AUDIT, fields=PATHS, filter=Filter(**asked), newest_first=True, page_size=1
    )
    return answer.decisions[0]


def test_each_filter_keeps_what_it_names_and_nothing_else(
    town: Town, story: Story, officer: ExchangeClient, provider: tuple[ExchangeClient, ExchangeClient]
) -> None:
    denied_read(town, story)
    with pytest.raises(errors.Denied):
        provider[0].plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    pseudonym = town.core.log_pseudonym(town.resident_of(story.pseudonym))
    one = newest(officer, organisations=[CARE]).disclosure
    at = one.decide_time.ToDatetime(UTC)
    both_sides: list[tuple[dict[str, Any], Any]] = [
        ({"organisations": [CARE]}, lambda row: row.disclosure.organisation == CARE),
        ({"tasks": ["wmo-aanbieder"]}, lambda row: row.disclosure.task == "wmo-aanbieder"),
        (
            {"legal_bases": ["FG-AUDIT-39", "WMO-2.3.2@1"]},
            lambda row: row.disclosure.legal_basis in {"FG-AUDIT-39@1", "WMO-2.3.2@1"},
        ),
        ({"purposes": [pb.PURPOSE_AUDIT]}, lambda row: row.disclosure.purpose == pb.PURPOSE_AUDIT),
        ({"outcomes": ["DENY"]}, lambda row: row.disclosure.outcome == "DENY"),
        ({"rules": ["R03", "R08"]}, lambda row: {"R03", "R08"} & set(row.disclosure.rules)),
        ({"resident_pseudonym": pseudonym}, lambda row: row.resident_pseudonym == pseudonym),
        ({"of_decision_id": one.decision_id}, lambda row: row.disclosure.decision_id == one.decision_id),
        ({"from_time": stamp(at)}, lambda row: row.disclosure.decide_time.ToDatetime(UTC) >= at),
        ({"before_time": stamp(at)}, lambda row: row.disclosure.decide_time.ToDatetime(UTC) < at),
        (
            {"outcomes": ["DENY"], "organisations": [CARE], "before_time": stamp(at)},
            lambda row: (
                row.disclosure.outcome == "DENY"
                and row.disclosure.organisation == CARE
                and row.disclosure.decide_time.ToDatetime(UTC) < at
            ),
        ),
    ]
    for asked, holds in both_sides:
        # Asking is itself a decision: what a later look has more, was decided since.
        total, counts = counted(officer, Filter(**asked))
        rows = listed(officer, Filter(**asked))
        every = officer.audit.list_decisions(claim=AUDIT, fields=PATHS, page_size=200)
        assert not every.next_page_token, "the story grew beyond a page"
        known = {row.disclosure.decision_id for row in every.decisions if holds(row)}
        found = [row.disclosure.decision_id for row in rows]
        assert set(found) <= known, asked
        assert len(found) >= total > 0 or "before_time" in asked
        since = [row for row in every.decisions if row.disclosure.decision_id in known - set(found)]
        assert all(row.disclosure.task == "fg" for row in since), asked
        by_task = {value: number for (facet, value), number in counts.items() if facet == 2}
        assert sum(by_task.values()) == total


def test_a_category_that_was_asked_is_found_by_it(town: Town, story: Story, officer: ExchangeClient) -> None:
    denied_read(town, story)
    rows = listed(officer, Filter(categories=["WMO-PLAN"], outcomes=["DENY"]))
    assert rows
    assert {row.disclosure.task for row in rows} <= {"college:WMO", "wmo-aanbieder"}
    assert listed(officer, Filter(categories=["STRAFRECHT"])) == []
    _, counts = counted(officer, Filter(purposes=[pb.PURPOSE_AUDIT]))
    assert {value for facet, value in counts if facet == audit.DECISION_FACET_CATEGORY} == {"LOG"}
    assert (audit.DECISION_FACET_PURPOSE, "PURPOSE_AUDIT") in counts


def test_the_newest_come_first_and_pages_stay_while_decisions_arrive(
    town: Town, story: Story, officer: ExchangeClient
) -> None:
    for _ in range(4):
        denied_read(town, story)
    asked: dict[str, Any] = {"claim": AUDIT, "fields": PATHS, "page_size": 2, "newest_first": True}
    asked["filter"] = Filter(outcomes=["DENY"])
    first = officer.audit.list_decisions(**asked)
    denied_read(town, story)
    second = officer.audit.list_decisions(**asked, page_token=first.next_page_token)
    places = [one.disclosure.leaf_index for one in (*first.decisions, *second.decisions)]
    assert places == sorted(places, reverse=True)
    assert len(set(places)) == 4
    whole = [one.disclosure.leaf_index for one in listed(officer, asked["filter"])]
    assert whole == sorted(whole)
    # One has come since the first page: it stands on none of these.
    assert places == whole[-2:-6:-1]
    # A token is of its own question and its own caller.
    other = {**asked, "filter": Filter(outcomes=["PERMIT"])}
    for fg, question in (
        (officer, other),
        (officer, {**asked, "newest_first": False}),
        (town.worker("fg", "fg-other"), asked),
    ):
        with pytest.raises(errors.Invalid) as refused:
            fg.audit.list_decisions(**question, page_token=first.next_page_token)
        assert list(refused.value.field_violations) == ["page_token"]


def test_an_officer_of_another_organisation_finds_and_counts_his_own_alone(
    town: Town, story: Story, officer: ExchangeClient, provider: tuple[ExchangeClient, ExchangeClient]
) -> None:
    denied_read(town, story)
    asker, own = provider
    with pytest.raises(errors.Denied):
        asker.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    total, counts = counted(own, Filter())
    assert {value for facet, value in counts if facet == audit.DECISION_FACET_ORGANISATION} == {CARE}
    assert {row.disclosure.organisation for row in listed(own, Filter(), newest_first=True)} == {CARE}
    assert counted(own, Filter(organisations=[CITY])) == (0, {})
    assert listed(own, Filter(organisations=[CITY])) == []
    assert counted(officer, Filter(organisations=[CARE]))[0] >= total
    of_city = newest(officer, organisations=[CITY]).disclosure.decision_id
    of_care = newest(officer, organisations=[CARE], outcomes=["DENY"]).disclosure.decision_id
    told = [
        own.audit.get_decision(claim=AUDIT, fields=EVERYTHING, of_decision_id=name)
        for name in (of_city, "0" * 32, of_care)
    ]
    for answer in told[:2]:
        assert answer == audit.GetDecisionResponse(decision_id=answer.decision_id), "told alike"
    assert told[2].decision.disclosure.task == "wmo-aanbieder"


def test_a_decision_is_told_whole(town: Town, story: Story, officer: ExchangeClient) -> None:
    denied_read(town, story)
    name = newest(officer, outcomes=["DENY"], tasks=["college:WMO"]).disclosure.decision_id
    answer = officer.audit.get_decision(claim=AUDIT, fields=EVERYTHING, of_decision_id=name)
    decision, basis = answer.decision, answer.judged_basis
    assert (decision.disclosure.task, decision.disclosure.outcome) == ("college:WMO", "DENY")
    assert decision.resident_pseudonym == town.core.log_pseudonym(town.resident_of(story.pseudonym))
    explanations = {
        decision.disclosure.explanation,
        decision.officer_explanation,
        basis.requester_explanation,
    }
    assert len(explanations - {""}) == 3
    assert basis.citation.startswith("Wmo")
    assert basis.position == decision.disclosure.leaf_index + 1 > basis.facts_position
    assert basis.policy_hash == town.core.register.policy_hash
    outcomes = {one.rule: one.outcome for one in answer.rules}
    assert outcomes.keys() == RULEBOOK.keys()
    assert outcomes["R03"] == audit.RULE_OUTCOME_WITHHELD
    assert outcomes["R02"] == audit.RULE_OUTCOME_PASSED
    assert outcomes["R06"] == audit.RULE_OUTCOME_PASSED
    assert all(one.citation and one.cause for one in answer.rules)
    assert [(one.category, one.released) for one in answer.judged_fields] == [("WMO-PLAN", False)]
    # A proof of the very leaf can be fetched.
    proof = officer.ledger.get_receipt(leaf_index=decision.disclosure.leaf_index)
    assert proof.ByteSize()
    # What was not asked is not told.
    few = officer.audit.get_decision(claim=AUDIT, fields=["rules.rule"], of_decision_id=name)
    assert (few.decision.ByteSize(), few.judged_basis.ByteSize(), len(few.judged_fields)) == (0, 0, 0)
    assert not any(one.citation or one.outcome for one in few.rules)


def test_reading_and_counting_are_decisions_themselves(town: Town, officer: ExchangeClient) -> None:
    before, _ = counted(officer, Filter(tasks=["fg"]))
    answers: list[Any] = [
        officer.audit.list_decisions(claim=AUDIT, fields=PATHS, filter=Filter(), page_size=1),
        officer.audit.facet_decisions(claim=AUDIT, fields=["total"]),
        officer.audit.get_decision(claim=AUDIT, fields=["rules.rule"], of_decision_id="0" * 32),
    ]
    after, _ = counted(officer, Filter(tasks=["fg"]))
    # The first count is in the second, and neither counts itself.
    assert after == before + 1 + len(answers)
    for answer in answers:
        assert newest(officer, of_decision_id=answer.decision_id).disclosure.task == "fg"


def test_who_asks_for_his_own_log_is_found_by_the_operators_officer(
    town: Town, story: Story, officer: ExchangeClient, provider: tuple[ExchangeClient, ExchangeClient]
) -> None:
    fields = ["resident_pseudonym"]
    found = officer.audit.find_log_pseudonym(claim=WHY, fields=fields, resident=story.pseudonym)
    assert found.resident_pseudonym == town.core.log_pseudonym(town.resident_of(story.pseudonym))
    rows = listed(officer, Filter(resident_pseudonym=found.resident_pseudonym))
    assert found.decision_id in [row.disclosure.decision_id for row in rows]
    # The resident reads that he was looked up.
    own = story.resident().disclosure.list_disclosures(
        claim=ACCESS,
        case_id=story.case_id,
        fields=["disclosures.decision_id", "disclosures.task"],
        page_size=5,
    )
    assert (found.decision_id, "fg") in [(one.decision_id, one.task) for one in own.disclosures]
    # Somebody unknown has a pseudonym too, of nobody.
    stranger = town.pseudonym(town.worker(), next(town.bsns))
    unknown = officer.audit.find_log_pseudonym(claim=WHY, fields=fields, resident=stranger)
    assert len(unknown.resident_pseudonym) == len(found.resident_pseudonym)
    assert counted(officer, Filter(resident_pseudonym=unknown.resident_pseudonym))[0] == 1, "that look"
    # Nobody else: refused, and on record, alike for known and unknown.
    told = []
    for resident in (story.pseudonym, stranger):
        with pytest.raises(errors.Denied) as refused:
            provider[1].audit.find_log_pseudonym(claim=WHY, fields=fields, resident=resident)
        told.append((refused.value.rules, refused.value.localized))
    assert told[0] == told[1]
    with pytest.raises(errors.Denied):
        town.worker().audit.find_log_pseudonym(claim=WHY, fields=fields, resident=story.pseudonym)
    with pytest.raises(errors.Invalid) as bare:
        officer.audit.find_log_pseudonym(claim=AUDIT, fields=fields, resident=story.pseudonym)
    assert list(bare.value.field_violations) == ["claim.necessity.text"]


def test_the_days_of_a_filter_add_up(town: Town, story: Story, officer: ExchangeClient) -> None:
    denied_read(town, story)
    fields = ["total", "days.day", "days.decisions", "days.refused"]
    for asked in (Filter(), Filter(outcomes=["DENY"]), Filter(outcomes=["PERMIT"]), Filter(rules=["R03"])):
        answer = officer.audit.facet_decisions(claim=AUDIT, fields=fields, filter=asked)
        days = [one.day for one in answer.days]
        assert days == sorted(set(days))
        assert sum(one.decisions for one in answer.days) == answer.total > 0
        refused = sum(one.refused for one in answer.days)
        assert (refused == 0) == (list(asked.outcomes) == ["PERMIT"])
    assert not officer.audit.facet_decisions(claim=AUDIT, fields=["total"], filter=Filter()).days


def test_what_a_read_model_hides_stands_in_the_list_without_a_filter(
    town: Town, story: Story, officer: ExchangeClient
) -> None:
    denied_read(town, story)
    hidden = newest(officer, outcomes=["DENY"]).disclosure
    with town.core.decisions.database.writing() as c:
        # The organisation that joined first is no decision, whatever stands here.
        c.execute("UPDATE decisions SET position = 1 WHERE position = ?", (hidden.leaf_index + 1,))
    try:
        page = officer.audit.list_decisions(
            claim=AUDIT, fields=PATHS, filter=Filter(outcomes=["DENY"]), page_size=1
        )
        assert not page.decisions
        assert listed(officer, Filter(of_decision_id=hidden.decision_id)) == []
        every = officer.audit.list_decisions(claim=AUDIT, fields=PATHS, page_size=200)
        assert hidden.decision_id in [one.disclosure.decision_id for one in every.decisions]
    finally:
        town.core.decisions.database.forget()
    assert newest(officer, of_decision_id=hidden.decision_id).disclosure == hidden


BAD: list[tuple[dict[str, Any], str]] = [
    ({"tasks": ["college:%"]}, "filter.tasks[0]"),
    ({"tasks": ["x'; DROP TABLE decisions --"]}, "filter.tasks[0]"),
    ({"rules": ["R03\x00"]}, "filter.rules[0]"),
    ({"legal_bases": ["W" * 10_000]}, "filter.legal_bases[0]"),
    ({"organisations": ["1' OR '1'='1"]}, "filter.organisations[0]"),
    ({"organisations": ["1" * 20] * 21}, "filter.organisations"),
    ({"categories": ["NO-SUCH"]}, "filter.categories[0]"),
    ({"outcomes": ["MAYBE"]}, "filter.outcomes[0]"),
    ({"purposes": [99]}, "filter.purposes[0]"),
    ({"emergency": 9}, "filter.emergency"),
    ({"resident_pseudonym": "a" * 23}, "filter.resident_pseudonym"),
    ({"resident_pseudonym": "A" * 24}, "filter.resident_pseudonym"),
    ({"of_decision_id": "x" * 61}, "filter.of_decision_id"),
    ({"rules": [""]}, "filter.rules[0]"),
]


@pytest.mark.parametrize(("asked", "path"), BAD, ids=[path for _, path in BAD])
def test_what_no_decision_can_be_is_refused_by_name(
    officer: ExchangeClient, asked: dict[str, Any], path: str
) -> None:
    for ask in (
        lambda: officer.audit.facet_decisions(claim=AUDIT, fields=["total"], filter=Filter(**asked)),
        lambda: officer.audit.list_decisions(claim=AUDIT, fields=PATHS, filter=Filter(**asked)),
    ):
        with pytest.raises(errors.Invalid) as refused:
            ask()
        assert list(refused.value.field_violations) == [path]


def test_a_time_that_ends_before_it_begins_is_refused_and_an_empty_one_too(officer: ExchangeClient) -> None:
    at = datetime(2026, 11, 26, tzinfo=UTC)
    for end in (at, at - timedelta(microseconds=1)):
        with pytest.raises(errors.Invalid) as refused:
            counted(officer, Filter(from_time=stamp(at), before_time=stamp(end)))
        assert list(refused.value.field_violations) == ["filter.before_time"]
    counted(officer, Filter(from_time=stamp(at), before_time=stamp(at + timedelta(microseconds=1))))


@pytest.mark.parametrize("words", ["R03' OR 1=1", "%", "é"])
def test_what_passes_the_shape_finds_by_the_letter(officer: ExchangeClient, words: str) -> None:
    with pytest.raises(errors.Invalid):
        counted(officer, Filter(rules=[words]))
    assert counted(officer, Filter(rules=["R0", "R03-"])) == (0, {})
    assert listed(officer, Filter(rules=["R0", "R03-"])) == []
