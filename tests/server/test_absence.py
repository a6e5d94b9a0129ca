"""Sealed and absent: a thousand random questions to two towns, one of which has what the other never had.

Once where two persons sealed a collection of the plan, once where they sealed that a shelter is on the case.
Source: GDPR 32; the gate's design section 5 (uniform absence).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from exchange.v1 import common_pb2 as pb
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.server.town import INVESTIGATE
from tests.server.twins import SEAL, Twin, opened, refuse_differences

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Twin, Twin]]:
    folders = [tmp_path_factory.mktemp(name) for name in ("sealed", "absent")]
    yield from opened(folders, Twin.hide_a_shelter)


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Twin, Twin]]:
    folders = [tmp_path_factory.mktemp(name) for name in ("linked", "unlinked")]
    yield from opened(folders, Twin.let_a_shelter_work)


def test_a_thousand_questions_are_answered_alike(twins: tuple[Twin, Twin]) -> None:
    refuse_differences(twins, ("situations.",))


@pytest.mark.slow
def test_a_thousand_questions_are_answered_alike_where_a_link_is_sealed(linked: tuple[Twin, Twin]) -> None:
    refuse_differences(linked, ("supports.", "goals."))
    # What was compared was there: who is named sees it.
    for twin, found in zip(linked, (1, 0), strict=True):
        reader = twin.town.worker("college:WMO", "w-reader")
        answer = reader.plan.get_plan(
            claim=INVESTIGATE, plan_id=twin.story.plan_id, fields=["supports.provider_oin"]
        )
        assert len(answer.plan.supports) == found


@pytest.mark.parametrize("fields", [["plan_id"], ["plan_id", "situations.description", "goals.own_words"]])
def test_an_open_stream_tells_of_no_change_that_is_sealed(
    twins: tuple[Twin, Twin], fields: list[str]
) -> None:
    kinds = []
    for twin in twins:
        request = SubscribeRequest(claim=INVESTIGATE, fields=fields, heartbeat_seconds=1)
        stream: Any = twin.story.wmo.open_stream(request)
        kinds.append([event.kind for event in next(iter(stream)).events])
        stream.cancel()
    assert kinds[0] == kinds[1]
    # A change is told with a released part of it, or not at all.
    assert ("plan.goal_set" in kinds[0]) is ("goals.own_words" in fields)


def test_the_named_reader_sees_what_the_others_do_not_and_the_seal_is_recorded(
    twins: tuple[Twin, Twin],
) -> None:
    sealed, absent = twins
    fields = ["situations.description", "situations.life_domain"]
    for twin, found in ((sealed, 1), (absent, 0)):
        reader = twin.town.worker("college:WMO", "w-reader")
        asked: dict[str, Any] = {
            "claim": INVESTIGATE,
            "plan_id": twin.story.plan_id,
            "fields": ["situations.description"],
        }
        assert len(reader.plan.get_plan(**asked).plan.situations) == found
        answer = twin.story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=twin.story.plan_id, fields=fields)
        assert list(answer.plan.situations) == []
        listed = twin.town.worker("fg", "fg-1").audit.list_decisions(
            claim=claim(pb.PURPOSE_AUDIT, "FG-AUDIT-39"),
            fields=["decisions.disclosure.decision_id", "decisions.disclosure.rules"],
            page_size=200,
        )
        rules = {one.disclosure.decision_id: list(one.disclosure.rules) for one in listed.decisions}
        while answer.decision_id not in rules and listed.next_page_token:
            listed = twin.town.worker("fg", "fg-1").audit.list_decisions(
                claim=claim(pb.PURPOSE_AUDIT, "FG-AUDIT-39"),
                fields=["decisions.disclosure.decision_id", "decisions.disclosure.rules"],
                page_size=200,
                page_token=listed.next_page_token,
            )
            rules |= {one.disclosure.decision_id: list(one.disclosure.rules) for one in listed.decisions}
        assert rules[answer.decision_id] == (["R26"] if found else ["P-WMO-2.3.2"])


def test_a_seal_that_is_not_there_is_confirmed_like_one_that_is(twins: tuple[Twin, Twin]) -> None:
    told = []
    for twin in twins:
        stranger = twin.town.worker("college:WMO", "stranger")
        with pytest.raises(errors.Denied) as refused:
            stranger.rights.lift_seal(
                claim=SEAL, case_id=twin.story.case_id, seal_id=str(UUID(int=5, version=4)), reason="Zomaar."
            )
        told.append((refused.value.rules, refused.value.localized))
    assert told[0] == told[1]
