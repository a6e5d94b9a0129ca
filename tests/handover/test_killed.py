"""Either side dies at every step, and answers get lost: nothing is lost, nothing is there twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from adapters.sdk import errors
from adapters.sdk.envelope_keys import EnvelopeKeys
from adapters.sdk.proofs import verify_receipt
from adapters.sdk.tokens import Person
from tests.handover.served import ServedTown
from tests.handover.towns import CAME_ALONG, NEW_CITY, NEWCOMER, TASK, Mover, Towns, let_join
from tests.server.town import ACCESS, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.sdk.handover import Handover, TakenOver

PARTS: Final = 3
ATTEMPTS_MAX: Final = 5
STEPS: Final = (
    *("get", "check", "blind", "register", "report", "accept", "take up"),
    *(f"{step} {number}" for number in range(1, PARTS + 1) for step in ("part", "receive", "confirm")),
    *("complete", "prove", "finish", "prove ours", "keep"),
)
WORDS: Final = ("reports.own_words", "situations.description", "goals.own_words")


def counted(towns: Towns, mover: Mover, found: TakenOver, claim: Any) -> tuple[int, int, int]:  # noqa: ANN401 -- a Claim
    """Return how many reports, situations and goals the new plan shows on a ground."""
    worker = towns.new.client(Person(f"n-{mover.bsn[-5:]}", "college:WMO", "regisseur"))
    answer = worker.plan.get_plan(claim=claim, plan_id=found.plan_id, fields=list(WORDS), allow_partial=True)
    return len(answer.plan.reports), len(answer.plan.situations), len(answer.plan.goals)


def require_whole(towns: Towns, mover: Mover, handover_id: str, found: TakenOver) -> None:
    """Fail unless all is there once, on both sides, each with the other's receipt."""
    # Of this town's own there is the one report of who moved in; beside it, all that came along.
    assert counted(towns, mover, found, INVESTIGATE) == (1, 0, 0)
    assert counted(towns, mover, found, CAME_ALONG) == (2, 1, 1)
    resident = towns.old.client(Person("burger-1", "betrokkene", "inwoner", resident=mover.story.pseudonym))
    fields = ["state", "digest", "other_entry", "other_proof", "received_parts"]
    told = resident.handover.get_handover(claim=ACCESS, handover_id=handover_id, fields=fields)
    assert (told.state, told.digest, len(told.received_parts)) == ("completed", found.digest, PARTS)
    assert verify_receipt(told.other_entry, told.other_proof, towns.new.log_vkey) > 0
    worker = towns.new.client(Person(f"n-{mover.bsn[-5:]}", "college:WMO", "regisseur"))
    told = worker.handover.get_handover(claim=INVESTIGATE, handover_id=handover_id, fields=fields)
    assert (told.state, told.digest, len(told.received_parts)) == ("completed", found.digest, PARTS)
    assert verify_receipt(told.other_entry, told.other_proof, towns.old.log_vkey) > 0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Towns]:
    """Yield two towns in processes of their own."""
    folder: Path = tmp_path_factory.mktemp("served")
    old, new = ServedTown(folder / "old"), ServedTown(folder / "new", operator_oin=NEW_CITY)
    try:
        old.start()
        new.start()
        old.register_notice()
        credentials = old.join(NEW_CITY, TASK)
        keys = EnvelopeKeys(folder / "keys")
        let_join(old, credentials, keys)
        yield Towns(old, new, credentials, keys, folder)
    finally:
        new.close()
        old.close()


def test_the_steps_are_all_steps(towns: Towns, mover: Mover) -> None:
    seen: list[str] = []
    towns.driver(mover.bsn, seen.append).take_over(mover.offer(), NEWCOMER)
    assert tuple(seen) == STEPS


def gone_on(towns: Towns, mover: Mover, handover_id: str) -> TakenOver:
    """Go on; a machine that is busy may let a connection wait too long, and then one goes on once more."""
    for _ in range(ATTEMPTS_MAX):
        try:
            return towns.driver(mover.bsn).take_over(handover_id, NEWCOMER)
        except errors.Unreachable:
            continue
    raise AssertionError("the side that was started again is out of reach")


@pytest.mark.slow
@pytest.mark.parametrize("side", ["old", "new"])
def test_a_side_that_dies_at_any_step_goes_on_where_it_was(served: Towns, side: str) -> None:
    dying: Any = getattr(served, side)
    for at in STEPS:
        mover = Mover(served)
        mover.fill()
        mover.consent()
        handover_id, deaths = mover.offer(), [at]

        def step(name: str, deaths: list[str] = deaths) -> None:
            if name in deaths:
                deaths.remove(name)
                dying.kill()

        with pytest.raises(errors.SdkError):
            served.driver(mover.bsn, step).take_over(handover_id, NEWCOMER)
        assert deaths == [], at
        dying.hang_up()
        dying.start()
        require_whole(served, mover, handover_id, gone_on(served, mover, handover_id))
    assert dying.stop() == 0
    report = dying.verify_store()
    assert report["exit"] == 0, report
    dying.start()


class Losing:
    """Loses the answer of one call, whichever side it comes from: it was done, and nobody heard."""

    def __init__(self, driver: Handover, lost_at: int) -> None:
        self.calls = 0
        self._lost_at = lost_at
        for shard in (driver._giving, driver._receiving):
            client: Any = shard.client
            client._send = self._losing(client._send)

    def _losing(self, send: Any) -> Any:  # noqa: ANN401 -- the client's own way to send
        def sent(rpc: Any, request: Any) -> object:  # noqa: ANN401 -- any call
            answer: object = send(rpc, request)
            self.calls += 1
            if self.calls == self._lost_at:
                raise errors.Unavailable(errors.Refusal("UNAVAILABLE", "the answer was lost"))
            return answer

        return sent


@pytest.mark.slow
def test_an_answer_that_is_lost_was_done_once(towns: Towns) -> None:
    lost_at, all_calls = 0, 1
    while lost_at < all_calls:
        lost_at += 1
        mover = Mover(towns)
        mover.fill()
        mover.consent()
        handover_id = mover.offer()
        driver = towns.driver(mover.bsn)
        losing = Losing(driver, lost_at)
        with pytest.raises(errors.Unavailable):
            driver.take_over(handover_id, NEWCOMER)
        assert losing.calls == lost_at
        again = towns.driver(mover.bsn)
        counting = Losing(again, 0)
        found = again.take_over(handover_id, NEWCOMER)
        # What is left grows smaller; the first run says how many calls a whole one has.
        all_calls = max(all_calls, counting.calls)
        require_whole(towns, mover, handover_id, found)
    assert all_calls > len(STEPS)
