"""Who asked what: for the resident and for the privacy officer."""

from __future__ import annotations

from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.tokens import Person
from tests.server.story import Story, denied_read
from tests.server.town import ACCESS, AUDIT, CITY, INVESTIGATE, Town


def test_the_resident_sees_who_asked_and_why_it_was_refused(town: Town, story: Story) -> None:
    for _ in range(3):
        denied_read(town, story)
    resident = story.resident()
    fields = ["task", "outcome", "rules", "explanation", "decide_time", "leaf_index", "professional"]
    listed = resident.disclosure.list_disclosures(
        claim=ACCESS,
        case_id=story.case_id,
        fields=[f"disclosures.{name}" for name in fields],
        allow_partial=True,
        page_size=2,
    )
    assert len(listed.disclosures) == len(("newest", "one before"))
    assert listed.withheld_fields == ["disclosures.professional"]
    assert all(one.explanation and not one.professional for one in listed.disclosures)
    times = [one.decide_time.ToDatetime() for one in listed.disclosures]
    assert times == sorted(times, reverse=True)
    rest = resident.disclosure.list_disclosures(
        claim=ACCESS,
        case_id=story.case_id,
        fields=[f"disclosures.{name}" for name in fields],
        allow_partial=True,
        page_size=2,
        page_token=listed.next_page_token,
    )
    assert {one.leaf_index for one in rest.disclosures}.isdisjoint(
        one.leaf_index for one in listed.disclosures
    )


def test_another_resident_sees_nothing_of_it(town: Town, story: Story) -> None:
    other = Story(town, next(town.bsns)).resident()
    told = []
    for case_id in (story.case_id, str(uuid4())):
        with pytest.raises(errors.Denied) as refused:
            other.disclosure.list_disclosures(claim=ACCESS, case_id=case_id, fields=["disclosures.outcome"])
        told.append((refused.value.rules, refused.value.localized, refused.value.remedies))
    assert told[0] == told[1]


def test_the_officer_reads_decisions_by_pseudonym(town: Town, story: Story) -> None:
    denied_read(town, story)
    denied_read(town, story)
    officer = town.worker("fg", "fg-1")
    fields = ["disclosure.outcome", "disclosure.rules", "resident_pseudonym", "officer_explanation"]
    listed = officer.audit.list_decisions(
        claim=AUDIT,
        fields=[f"decisions.{name}" for name in fields],
        outcomes=["DENY"],
        page_size=1,
    )
    assert [one.disclosure.outcome for one in listed.decisions] == ["DENY"]
    assert listed.next_page_token
    again = officer.audit.list_decisions(
        claim=AUDIT,
        fields=[f"decisions.{name}" for name in fields],
        outcomes=["DENY"],
        page_size=200,
        page_token=listed.next_page_token,
    )
    told = [one.resident_pseudonym for one in (*listed.decisions, *again.decisions)]
    resident = town.resident_of(story.pseudonym)
    assert town.core.log_pseudonym(resident) in told
    assert resident not in "".join(told)
    assert all(one.officer_explanation for one in again.decisions)


def test_a_page_token_of_another_question_is_refused(town: Town, story: Story) -> None:
    denied_read(town, story)
    denied_read(town, story)
    officer = town.worker("fg", "fg-1")
    listed = officer.audit.list_decisions(
        claim=AUDIT, fields=["decisions.disclosure.outcome"], outcomes=["DENY"], page_size=1
    )
    with pytest.raises(errors.Invalid) as refused:
        officer.audit.list_decisions(
            claim=AUDIT,
            fields=["decisions.disclosure.outcome"],
            outcomes=["PERMIT"],
            page_token=listed.next_page_token,
        )
    assert list(refused.value.field_violations) == ["page_token"]


def test_an_officer_of_another_organisation_reads_what_his_own_one_asked(town: Town, story: Story) -> None:
    oin = "00000003271543211000"
    credentials = town.join(oin, "fg", "wmo-aanbieder")
    provider = town.client(Person("zd-1", "wmo-aanbieder", "begeleider"), credentials)
    for asker in (provider, town.worker("college:WMO", "stranger")):
        with pytest.raises(errors.Denied):
            asker.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    own = town.client(Person("fg-2", "fg", "fg"), credentials)
    operators = town.worker("fg", "fg-1")
    paths = ["decisions.disclosure.organisation", "decisions.disclosure.task"]
    rows = {
        name: {
            (one.disclosure.organisation, one.disclosure.task)
            for one in fg.audit.list_decisions(claim=AUDIT, fields=paths, page_size=100).decisions
        }
        for name, fg in (("own", own), ("operator", operators))
    }
    assert {told[0] for told in rows["own"]} == {oin}
    assert (oin, "wmo-aanbieder") in rows["own"]
    assert {told[0] for told in rows["operator"]} > {CITY}
