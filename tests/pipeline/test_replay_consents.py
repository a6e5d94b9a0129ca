"""Decisions on consents replay: on those of earlier topics after their upcast, and on what they name."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from exchange.domain.consent import ConsentGiven, ConsentRequested
from exchange.pipeline.walk import ReadOutcome
from exchange.store import codec as codec_room
from tests.pipeline.test_replay import replayed

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard

# By the topic of then, what an event of today says and that one did not.
UNSAID: dict[str, tuple[type[ConsentRequested | ConsentGiven], set[str]]] = {
    "consent.requested.v1": (
        ConsentRequested,
        {"sources", "regime", "notice_version", "notice_language", "notice_level", "withdrawal_channels"},
    ),
    "consent.requested.v2": (ConsentRequested, {"sources", "regime"}),
    "consent.given.v1": (ConsentGiven, {"authority", "alternatives", "no_detriment", "assessed_by"}),
    "consent.given.v2": (ConsentGiven, {"alternatives", "no_detriment", "assessed_by"}),
}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_decision_on_a_consent_of_an_earlier_topic_replays_after_its_upcast(
    shard: Shard, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    ref, case_id, plan_id = shard.plan()
    with monkeypatch.context() as then:
        for topic, (kind, unsaid) in UNSAID.items():
            if topic.endswith(version):
                names = tuple(one.name for one in fields(kind) if one.name not in unsaid)
                sealed = {name: said for name, said in kind.SEALED.items() if name not in unsaid}
                then.setitem(codec_room._NAMES, topic, names)
                then.setattr(kind, "TOPIC", topic)
                then.setattr(kind, "SEALED", sealed)
        codec_room._clear_names.cache_clear()
        consent_id = shard.consent(ref, case_id)
        first = shard.done(shard.question_with_consent(plan_id))
    codec_room._clear_names.cache_clear()
    assert {f"consent.requested.{version}", f"consent.given.{version}"} <= set(shard.topics())
    reopened = shard.reopen()
    try:
        assert replayed(reopened).ok
        second = reopened.done(reopened.question_with_consent(plan_id))
        assert (second.verdict.rules, second.verdict.consent_id) == (first.verdict.rules, consent_id)
        reopened.run(reopened.withdrawal(consent_id), reopened.question_with_consent(plan_id))
        tally = replayed(reopened)
        assert tally.ok
        assert tally.decisions == 3
    finally:
        reopened.close()


@pytest.mark.parametrize(
    ("sources", "released"),
    [((), True), (("college:JW",), True), (("college:PW",), False), (("college:PW", "college:JW"), True)],
)
def test_a_consent_opens_what_those_hold_whom_it_names_and_replays(
    shard: Shard, sources: tuple[str, ...], *, released: bool
) -> None:
    ref, case_id, plan_id = shard.plan()
    shard.consent(ref, case_id, sources=sources, regime="WMO")
    (outcome,) = shard.run(shard.question_with_consent(plan_id))
    assert isinstance(outcome, ReadOutcome) is released
    if not released:
        assert outcome.metadata["rules"] == "R17"
    assert replayed(shard).ok
