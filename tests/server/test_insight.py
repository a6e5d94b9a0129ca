"""Published tables over mutual TLS: who may, what it costs, and that asked again it says the same."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.domain.insight.cells import shown_from
from exchange.v1 import common_pb2 as pb
from tests.server.family import Family, denied
from tests.server.town import ACCESS, CITY, WORD, Town

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story

NEEDED = "om te weten welke hulp werkt"
STATISTICS = claim(pb.PURPOSE_STATISTIEK, "STAT-89", NEEDED)
READ = claim(pb.PURPOSE_STATISTIEK, "STAT-READ-89")
BUDGET = claim(pb.PURPOSE_STATISTIEK, "STAT-BUDGET-89")
DOMAINS = [pb.LIFE_DOMAIN_HOUSING, pb.LIFE_DOMAIN_SOCIAL_NETWORK]


def policy(town: Town, professional: str = "beleid-1") -> ExchangeClient:
    return town.worker("beleid", professional)


def publish(client: ExchangeClient, **changes: Any) -> Any:  # noqa: ANN401 -- PublishTableResponse
    asked: dict[str, Any] = {
        "claim": STATISTICS,
        "year": 2020,
        "rows": ["custom/01", "own_network"],
        "life_domains": DOMAINS,
        "spend_thousandths": 400,
    }
    return client.insight.publish_table(**(asked | changes))


def test_a_table_is_published_and_asked_again_it_is_the_same(town: Town) -> None:
    first = publish(policy(town), year=2021)
    assert [(cell.row, cell.life_domain) for cell in first.table.cells] == [
        (row, domain) for row in ("custom/01", "own_network") for domain in DOMAINS
    ]
    assert all(cell.suppressed and not cell.residents for cell in first.table.cells)
    assert (first.budget.total_thousandths, first.budget.spent_thousandths) == (1_000, 400)
    assert first.table.shown_from == shown_from(400)
    again = publish(
        policy(town, "beleid-2"), year=2021, rows=["own_network", "custom/01"], spend_thousandths=900
    )
    assert (again.table, again.budget) == (first.table, first.budget)
    assert again.receipt.position > first.receipt.position, "that it was asked is on record"


def test_the_same_request_gets_the_same_answer(town: Town) -> None:
    request_id = str(uuid4())
    one, other = (publish(policy(town), year=2022, request_id=request_id) for _ in range(2))
    assert one == other
    assert one.budget.spent_thousandths == 400


def test_a_year_that_is_spent_answers_what_was_asked_before_only(town: Town) -> None:
    client = policy(town)
    known = publish(client, year=2023, spend_thousandths=1_000)
    with pytest.raises(errors.RuleBroken) as refused:
        publish(client, year=2023, rows=["custom/02"], spend_thousandths=50)
    assert refused.value.rule == "BUDGET_EXHAUSTED"
    assert publish(client, year=2023).table == known.table
    # Two persons give it more.
    client.insight.propose_budget(claim=BUDGET, year=2023, total_thousandths=1_500, reason="Raadsvragen.")
    with pytest.raises(errors.RuleBroken) as refused:
        client.insight.approve_budget(claim=BUDGET, year=2023, total_thousandths=1_500)
    assert refused.value.rule == "SAME_PERSON"
    listed = client.insight.list_tables(claim=READ, year=2023)
    assert (listed.budget.total_thousandths, listed.budget.proposed_thousandths) == (1_000, 1_500)
    town.worker("fg", "fg-1").insight.approve_budget(claim=BUDGET, year=2023, total_thousandths=1_500)
    more = publish(client, year=2023, rows=["custom/02"], spend_thousandths=500)
    assert (more.budget.total_thousandths, more.budget.spent_thousandths) == (1_500, 1_500)


def test_the_tables_of_a_year_are_listed_page_by_page(town: Town) -> None:
    client = policy(town)
    made = [publish(client, year=2019, rows=[f"custom/0{n}"], spend_thousandths=100).table for n in range(3)]
    found: list[Any] = []
    token = ""
    for _ in range(3):
        page = town.worker("college:WMO").insight.list_tables(
            claim=READ, year=2019, page_size=1, page_token=token
        )
        found += page.tables
        token = page.next_page_token
    assert (found, token) == (made, "")
    assert client.insight.list_tables(claim=READ, year=1950).budget.total_thousandths == 1_000


@pytest.mark.parametrize(
    ("task", "asked", "rules"),
    [
        ("college:WMO", STATISTICS, {"R08", "R09"}),
        ("fg", STATISTICS, {"R08", "R09"}),
        ("beleid", claim(pb.PURPOSE_STATISTIEK, "STAT-89"), {"R14"}),
        ("beleid", claim(pb.PURPOSE_WMO_ONDERZOEK, "STAT-89", NEEDED), {"R06"}),
        ("beleid", claim(pb.PURPOSE_STATISTIEK, "STAT-READ-89", NEEDED), {"R06", "R10"}),
    ],
)
def test_the_gate_is_asked_before_anything_is_published(
    town: Town, task: str, asked: pb.Claim, rules: set[str]
) -> None:
    with pytest.raises(errors.Denied) as refused:
        publish(town.worker(task, "w-7"), claim=asked, year=2018)
    assert set(refused.value.rules) >= rules
    assert policy(town).insight.list_tables(claim=READ, year=2018).budget.spent_thousandths == 0


@pytest.mark.parametrize("known", [True, False])
def test_a_table_opens_no_plan_not_even_that_there_is_one(town: Town, *, known: bool) -> None:
    plan_id = Family(town, 40).plan_id if known else str(uuid4())
    client = policy(town)
    for paths in (["version"], ["goals.own_words"], ["supports.kind"]):
        with pytest.raises(errors.Denied) as refused:
            client.plan.get_plan(claim=STATISTICS, plan_id=plan_id, fields=paths)
        assert "R03" in refused.value.rules
    with pytest.raises(errors.Denied):
        client.plan.get_practice_check(claim=STATISTICS, plan_id=plan_id, fields=["own_words"])


def test_nobody_looks_by_his_own_word_at_what_own_access_keeps_from_him(town: Town) -> None:
    family = Family(town, 13)
    family.record()
    # That has conditions of its own: twelve and capable, or a representative against whom nothing speaks.
    for client in (family.own(), family.representative()):
        read = partial(client.plan.get_plan, plan_id=family.plan_id, fields=["version"])
        assert denied(partial(read, claim=WORD)) == ("R06",)
        assert read(claim=ACCESS).plan.version


def test_another_organisation_publishes_nothing_of_this_municipality(town: Town) -> None:
    credentials = town.join("00000004000000088000", "wmo-aanbieder", "beleid")
    with pytest.raises(errors.RuleBroken) as refused:
        publish(town.client(Person("x-1", "beleid", "beleid"), credentials), year=2018)
    assert refused.value.rule == "NOT_THE_OPERATOR"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"life_domains": [pb.LIFE_DOMAIN_JUSTICE]}, "life_domains"),
        ({"rows": ["custom"]}, "rows"),
        ({"rows": []}, "rows"),
        ({"year": 2100}, "year"),
        ({"spend_thousandths": 49}, "spend_thousandths"),
        ({"spend_thousandths": 4_001}, "spend_thousandths"),
    ],
)
def test_what_is_no_table_is_refused_by_its_field(town: Town, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        publish(policy(town), **changes)
    assert field in refused.value.field_violations


def test_a_policy_officer_sees_no_plan(town: Town, story: Story) -> None:
    with pytest.raises(errors.Denied):
        policy(town).plan.get_plan(claim=READ, plan_id=story.plan_id, fields=["goals.own_words"])


def test_what_is_recorded_of_a_table_is_about_nobody(town: Town) -> None:
    publish(policy(town), year=2017)
    state = town.state("insight", "2017")
    assert [one.cells[0] for one in state.tables] == ["custom/01 housing"]
    rows = town.core.reader.tail("insight-2017").rows
    clear, meta, _ = town.core.codec.decode_clear(rows[0].state, stream="insight-2017", topic=rows[0].topic)
    assert "resident" not in clear
    assert (meta.organisation, meta.task, meta.legal_basis) == (CITY, "beleid", "STAT-89@1")
