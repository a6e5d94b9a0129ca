"""What is sealed shows in no line of an organisation's own log: two towns, of which one has what is hidden.

The same questions are put to both; their lines are compared with only ids, moments and positions made equal.
Source: GDPR 32; the gate's design section 5 (uniform absence).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from exchange.logs import open_log
from exchange.v1.plan_service_pb2 import GetPlanRequest
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from exchange.wiring.core import utc_now
from tests.accountability.logs import SUBJECT, head, ldv, processings
from tests.accountability.test_ldv import without_chance
from tests.server.town import CITY, INVESTIGATE, Town
from tests.server.twins import Asked, Twin, question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.server.accountability.processings import Processing

QUESTIONS = 150


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Twin, Twin]]:
    with (tmp_path_factory.mktemp("log") / "log").open("w", encoding="utf-8") as lines:
        towns = [Town(tmp_path_factory.mktemp(name), open_log(stream=lines)) for name in ("sealed", "absent")]
        bsn, at = next(towns[0].bsns), utc_now()
        sealed, absent = (Twin(town, bsn, at) for town in towns)
        sealed.hide_a_shelter()
        yield sealed, absent
        for twin in (sealed, absent):
            twin.channel.close()
            twin.town.close()


def test_no_line_of_what_was_asked_tells_of_a_seal(twins: tuple[Twin, Twin]) -> None:
    sealed = twins[0]
    chance = random.Random(20261125)  # noqa: S311 -- a reproducible mixture of questions, no secret
    drawn = (question(chance, sealed, ("situations.",)) for _ in range(QUESTIONS * 2))
    asked = [one for one in drawn if isinstance(one.request, GetPlanRequest)][:QUESTIONS]
    # Of what is sealed and nothing else: refused by the record, answered as if there were nothing.
    only_sealed: dict[str, Any] = {
        "claim": INVESTIGATE,
        "fields": ["situations.description", "situations.strengths"],
    }
    asked[0] = Asked(0, GetPlanRequest(plan_id=sealed.story.plan_id, **only_sealed))
    told = []
    for twin in twins:
        since = head(twin.town.core)
        for one in asked:
            twin.answer(one)
        told.append([without_chance(line) for line in ldv(twin.town.core, since, CITY)])
    assert told[0] == told[1]
    assert len(told[0]) == QUESTIONS
    assert {line["status"] for line in told[0]} == {"Ok", "Unset"}
    by_seal = [one for one in processings(sealed.town.core) if "R26" in one.rules]
    assert {one.answered for one in by_seal} == {True, False}
    assert any(one.answered and outcome_of(sealed.town, one) == "DENY" for one in by_seal)


def outcome_of(town: Town, one: Processing) -> str:
    assert one.decided is not None
    row = one.decided
    clear, _, _ = town.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
    return str(clear["outcome"])


@pytest.mark.parametrize(
    "fields",
    [["situations.description"], ["plan_id", "situations.description", "goals.own_words"]],
)
def test_a_change_that_is_not_sent_has_no_line_in_the_own_log(
    twins: tuple[Twin, Twin], fields: list[str]
) -> None:
    told, whole = [], []
    for twin in twins:
        since = head(twin.town.core)
        request = SubscribeRequest(claim=INVESTIGATE, fields=fields, heartbeat_seconds=1)
        stream: Any = twin.story.wmo.open_stream(request)
        for answer in stream:
            if not answer.events:
                break
        stream.cancel()
        told.append([without_chance(line) for line in ldv(twin.town.core, since, CITY)])
        whole.append(len(ldv(twin.town.core, since)))
    assert told[0] == told[1]
    assert {line["name"] for line in told[0]} <= {"volgen voor wmo-onderzoek"}
    # The change was judged and its decision recorded, so the whole log has a line of it.
    assert whole[0] == whole[1] + 1
    assert len(told[0]) == whole[1]


def test_who_sealed_reads_in_the_own_log_what_he_did_himself(twins: tuple[Twin, Twin]) -> None:
    sealed, _ = twins
    own = ldv(sealed.town.core, organisation=CITY)
    acts = [one for one in processings(sealed.town.core) if one.claimed.startswith("SEAL-32@")]
    spans = {line["span_id"]: line for line in own}
    lines = [spans[one.trace.span_id] for one in acts]
    assert len(lines) == 2
    # In the words of every other command.
    assert {line["name"] for line in lines} == {"vastleggen voor wmo-onderzoek"}
    assert all(SUBJECT in line["attributes"] for line in lines)
