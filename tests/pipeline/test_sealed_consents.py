"""Consents behind a sealed link: a yes that is not shown opens nothing, and a no is heard whoever asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.consent import RequestConsent, WithdrawConsent
from exchange.domain.limits.links import LINK
from exchange.domain.values import Author
from exchange.errors import AccessDenied, RuleBroken
from exchange.pipeline.facts import standing_of, subject_of
from exchange.pipeline.walk import Claim, ReadOutcome
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard

SHELTER = Author("00000004000000000000", "wmo-aanbieder", "opvang-1")
WORD = LINK + f"{SHELTER.oin}/{SHELTER.task}"


@pytest.fixture
def asked_by_shelter(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    """Return resident, plan and a consent that the shelter asked and the resident gave."""
    ref, case_id, plan_id = shard.plan()
    command = shard.command

    def by_shelter(order: Any, *args: Any, **changes: Any) -> Any:  # noqa: ANN401 -- as `command`
        asks = isinstance(order, RequestConsent)
        return command(replace(order, author=SHELTER) if asks else order, *args, **changes)

    monkeypatch.setattr(shard, "command", by_shelter)
    consent_id = shard.consent(ref, case_id)
    return ref, plan_id, consent_id


def heard(shard: Shard, plan_id: str) -> list[str]:
    """Return the states of the consents that count for the caller."""
    overlay = shard.core.writer._overlay()
    walk = shard.question_with_consent(plan_id)
    return [one.state for one in standing_of(walk, overlay, subject_of(overlay, f"plan-{plan_id}")).consents]


def test_a_yes_that_is_hidden_opens_nothing_and_a_no_that_is_hidden_counts(
    shard: Shard, asked_by_shelter: tuple[str, str, str]
) -> None:
    ref, plan_id, consent_id = asked_by_shelter
    assert isinstance(shard.done(shard.question_with_consent(plan_id)), ReadOutcome)
    shard.seal(ref, "s-1", (WORD,))
    (refused,) = shard.run(shard.question_with_consent(plan_id))
    assert isinstance(refused, AccessDenied)
    assert heard(shard, plan_id) == []
    order = WithdrawConsent(now=NOW + timedelta(minutes=2), author=shard.author("betrokkene"))
    resident = shard.caller("betrokkene", "burger-1", role="inwoner", resident=ref)
    taken_back = shard.command(
        order,
        "consent",
        consent_id,
        anchor=f"consent-{consent_id}",
        caller=resident,
        claim=Claim("wmo-onderzoek", "RESIDENT-WORD"),
        relation=False,
        takes_back=True,
    )
    shard.done(taken_back)
    assert heard(shard, plan_id) == ["WITHDRAWN"]


def test_a_standing_that_is_remembered_is_found_anew_when_a_hidden_yes_is_taken_back(
    shard: Shard, asked_by_shelter: tuple[str, str, str]
) -> None:
    ref, plan_id, consent_id = asked_by_shelter
    shard.seal(ref, "s-1", (WORD,))
    anchor = f"plan-{plan_id}"

    def remembered() -> list[str]:
        overlay = shard.core.writer._overlay()
        walk = shard.goal(plan_id)
        standing = shard.core.writer._verdicts.standings.of(walk, overlay, subject_of(overlay, anchor))
        return [one.state for one in standing.consents]

    shard.done(shard.goal(plan_id))
    assert remembered() == []
    order = WithdrawConsent(now=NOW + timedelta(minutes=2), author=shard.author("betrokkene"))
    shard.done(
        shard.command(
            order,
            "consent",
            consent_id,
            anchor=f"consent-{consent_id}",
            caller=shard.caller("betrokkene", "burger-1", role="inwoner", resident=ref),
            claim=Claim("wmo-onderzoek", "RESIDENT-WORD"),
            relation=False,
            takes_back=True,
        )
    )
    assert remembered() == ["WITHDRAWN"]


def test_a_reader_relies_on_it_and_who_comes_after_the_seal_was_lifted(
    shard: Shard, asked_by_shelter: tuple[str, str, str]
) -> None:
    ref, plan_id, _ = asked_by_shelter
    shard.seal(ref, "s-1", (WORD,), (f"{shard.oin}/college:WMO/prof-1",))
    assert isinstance(shard.done(shard.question_with_consent(plan_id)), ReadOutcome)
    shard.seal(ref, "s-2", (WORD,))
    assert isinstance(shard.run(shard.question_with_consent(plan_id))[0], AccessDenied)
    shard.unseal(ref, "s-3", "s-2")
    assert isinstance(shard.done(shard.question_with_consent(plan_id)), ReadOutcome)


def test_a_professional_does_not_withdraw_what_he_is_not_shown(
    shard: Shard, asked_by_shelter: tuple[str, str, str]
) -> None:
    ref, _, consent_id = asked_by_shelter
    shard.seal(ref, "s-1", (WORD,))
    told = []
    for key in (consent_id, "5f3c9d1e-6a52-4c0e-9b1f-0d8a7e6c5b4a"):
        (outcome,) = shard.run(shard.withdrawal(key))
        assert isinstance(outcome, AccessDenied | RuleBroken)
        told.append((type(outcome), {**outcome.metadata, "decision_id": ""}))
    assert told[0] == told[1]
