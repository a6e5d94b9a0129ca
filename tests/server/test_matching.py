"""Matches over mutual TLS: asked twice, failed half-way, judged again, of whose desk, and who is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.portable import take_along
from adapters.sdk.tokens import Person
from exchange.domain.plan import MatchProposed
from exchange.pipeline.matching import CANDIDATES
from exchange.projections.follower import catch_up
from exchange.projections.matching import OfferIndex
from exchange.wiring.lawful import audit_lawful
from tests.pipeline.faults import FaultyRecorder
from tests.server.test_erasure import Erasure
from tests.server.test_portability import read
from tests.server.town import ACCESS, AUDIT
from tests.stories.neighbours import (
    FIELDS,
    FOLLOWED_WITHIN_S,
    GROCERIES,
    MATCH,
    MATCHED_BY,
    NOT_MADE,
    READ,
    TASK,
    Pair,
    Resident,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

OTHER_DESK = "00000004009876544000"
DIFFERENCES = [f"differences.{name}" for name in ("position", "found", "rules_then", "rules_now")]
COUNTS = [f"counts.{name}" for name in ("decisions", "commands", "same", "differs")]


@pytest.fixture
def recorder(town: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyRecorder]:
    faulty = FaultyRecorder(town.core.recorder)
    monkeypatch.setattr(town.core.writer, "_recorder", faulty)
    yield faulty
    assert faulty.faults == []


def proposed(desk: ExchangeClient, pair: Pair, request_id: str) -> str:
    answer = desk.matching.propose_match(
        request_id=request_id, claim=MATCH, plan_id=pair.asks.plan_id, wish_id=pair.wish_id
    )
    match_id: str = answer.match_id
    return match_id


def test_asked_twice_it_is_one_match(town: Town) -> None:
    pair, request_id = Pair.of(town, "BU02000101"), str(uuid4())
    assert proposed(pair.desk, pair, request_id) == proposed(pair.desk, pair, request_id)
    assert len(pair.asks.matches()) == len(pair.offers.matches()) == 1


@pytest.mark.parametrize("fault", ["lost", "kept"])
def test_both_sides_are_recorded_or_neither(town: Town, recorder: FaultyRecorder, fault: str) -> None:
    pair, request_id = Pair.of(town, f"BU020002{['lost', 'kept'].index(fault):02}"), str(uuid4())
    recorder.faults.append(fault)
    if fault == "lost":
        with pytest.raises(errors.ExchangeRefused) as refused:
            proposed(pair.desk, pair, request_id)
        assert refused.value.reason == "STORE_UNAVAILABLE"
        assert pair.asks.matches() == pair.offers.matches() == []
    match_id = proposed(pair.desk, pair, request_id)
    assert [one.match_id for one in pair.asks.matches()] == [match_id]
    assert len(pair.offers.matches()) == 1


def test_another_desk_that_both_chose_is_not_told_of_a_match_it_did_not_propose(town: Town) -> None:
    pair = Pair.of(town, "BU02000301")
    match_id = pair.made()
    other = town.client(Person("makelaar-2", TASK, "netwerkmakelaar"), town.join(OTHER_DESK, TASK))
    asked: dict[str, Any] = {
        "claim": READ,
        "plan_id": pair.asks.plan_id,
        "match_id": match_id,
        "fields": FIELDS,
    }
    with pytest.raises(errors.Denied) as refused:
        other.matching.get_match(**asked)
    assert set(refused.value.rules) & {"R15", "R17"}
    for one in (pair.asks, pair.offers):
        one.chooses_the_desk(f"{OTHER_DESK}/{TASK}")
    assert other.matching.get_match(**asked).match == NOT_MADE
    assert pair.told(match_id).made


def test_asked_from_the_side_of_who_offers_it_is_not_made(town: Town) -> None:
    pair = Pair.of(town, "BU02000801")
    pair.made()
    asked = pair.desk.matching.get_match(
        claim=READ, plan_id=pair.offers.plan_id, match_id=pair.offers.matches()[-1].match_id, fields=FIELDS
    )
    assert asked.match == NOT_MADE


def test_both_sides_stand_on_the_record_and_are_judged_again_alike(town: Town) -> None:
    pair = Pair.of(town, "BU02000401")
    pair.made()
    pair.desk.matching.propose_match(claim=MATCH, plan_id=pair.asks.plan_id, wish_id=pair.second_wish())
    head = town.core.reader.head()[0]
    rows = town.core.reader.page(0, head, (MatchProposed.TOPIC,))
    told = [town.core.codec.decode_clear(one.state, stream=one.stream, topic=one.topic)[1] for one in rows]
    assert {(one.organisation, one.task) for one in told} == {MATCHED_BY}
    officer, token = town.worker("fg", "fg-1"), ""
    while True:
        page = officer.audit.replay_decisions(
            claim=AUDIT, fields=COUNTS + DIFFERENCES, from_position=1, to_position=head, page_token=token
        )
        # Of whoever was erased here nothing can be judged again; of everybody else it is the same.
        assert page.counts.same > 0
        assert (page.counts.differs, list(page.differences)) == (0, [])
        token = page.next_page_token
        if not token:
            break
    assert audit_lawful(town.settings).findings == []


def test_the_read_model_holds_no_word_and_is_made_anew_to_the_same_bytes(town: Town, tmp_path: Path) -> None:
    stays, withdrawn, erased = (Pair.of(town, f"BU0200050{number}") for number in range(3))
    withdrawn.offers.says("withdraw_contribution", contribution_id=withdrawn.contribution_id)
    gone = town.resident_of(erased.offers.desks.story.pseudonym)
    assert Erasure(town, erased.offers.desks.story).executed()
    assert town.following.followed(town.core.reader.head()[0], FOLLOWED_WITHIN_S)
    told = town.core.offers.database.dump()
    anew = OfferIndex(tmp_path)
    catch_up(anew, town.core.reader, town.core.codec)
    assert anew.database.dump() == told
    anew.database.close()
    assert stays.contribution_id in told
    for word in (withdrawn.contribution_id, erased.contribution_id, gone, "BU0200", "groceries", "Ik haal"):
        assert word not in told


def test_as_many_may_be_asked_along_whoever_offers_and_the_last_is_nobody(town: Town) -> None:
    pair, matcher = Pair.of(town, "BU02000601"), town.core.matcher
    (wish,) = town.state("plan", pair.asks.plan_id).wishes
    others = [Resident(town) for _ in range(CANDIDATES)]
    before = {one.plan_id for one in matcher.candidates(wish, "m-1", town.now())}
    for one in others:
        last = one.says("offer_contribution", **(GROCERIES | {"neighbourhood": "BU02000601"}))
    assert town.following.followed(last.receipt.position, FOLLOWED_WITHIN_S)
    offering = {pair.offers.plan_id, *(one.plan_id for one in others)}
    assert len(before) == CANDIDATES
    assert before & offering == {pair.offers.plan_id}
    asked = set()
    for number in range(CANDIDATES * 4):
        found = [one.plan_id for one in matcher.candidates(wish, f"m-{number}", town.now())]
        assert len(set(found)) == CANDIDATES
        assert set(found[:-1]) <= offering
        assert found[-1] not in offering
        asked |= set(found[:-1])
    assert asked == offering, "none of them waits behind the others for ever"
    nobody = matcher.candidates(None, "m-1", town.now())
    assert len(nobody) == CANDIDATES
    assert not {one.plan_id for one in nobody} & offering


def test_what_a_resident_offers_is_his_to_take_along_and_the_matches_stay(town: Town) -> None:
    pair = Pair.of(town, "BU02000701")
    pair.made()
    fields = ("contributions.kind", "contributions.own_words", "matches.contact")
    taken = take_along(pair.offers.desks.resident, ACCESS, pair.offers.plan_id, fields)
    told = read(taken.document)
    (offer,) = told["plan"]["contributions"]
    assert (offer["kind"], offer["own_words"]) == ("OFFER_KIND_GROCERIES", "Ik haal graag iets mee.")
    assert {one["collection"] for one in told["not_portable"]} >= {"matches"}
