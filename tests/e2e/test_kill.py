"""kill -9 of the service at random moments under load: what was acknowledged is there, once, and proven.

Source: sqlite.org/wal.html (synchronous=FULL); the promises of the writer, the integrator and AIP-155.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.errors import RequestIdReused
from adapters.sdk.proofs import verify_receipt
from adapters.sdk.receipts import ReceiptBook
from exchange.store.reader import SQLiteReader
from exchange.store.verify import verify_store
from tests.e2e.load import Worker, let_work
from tests.e2e.service import CITY, READY_WAIT_S, exchange

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.load import Command
    from tests.e2e.service import Service

WORKERS = 4
KILLED_WITHIN_S = 0.4
PROVEN_EACH_TIME = 5
LOOK_EVERY_S = 0.001


def kill_under_load(service: Service, workers: list[Worker], wait_s: float) -> None:
    """Let all work; end the process while they do."""

    def kill() -> None:
        time.sleep(wait_s)  # the moment of death is chance
        # But on a slow machine nobody may have come further than his first command by then.
        until = time.monotonic() + READY_WAIT_S
        while sum(len(worker.sent) for worker in workers) <= len(workers):
            assert time.monotonic() < until, "nobody works"
            time.sleep(LOOK_EVERY_S)
        service.kill()

    let_work(workers, kill)
    service.hang_up()


def assert_store_is_whole(service: Service) -> None:
    """Events, leaves and frontier agree, with nobody writing."""
    reader = SQLiteReader(service.data / "events.db")
    report = verify_store(reader)
    reader.close()
    assert report.problems == []
    assert report.events == report.leaves == report.position > 0


def assert_answers_stand(service: Service, workers: list[Worker], book: ReceiptBook) -> list[Command]:
    """Ask everything of the last life again: what was answered gets that answer, the unknown gets one now."""
    unknown = []
    for worker in workers:
        worker.case.wmo = service.worker("college:WMO", f"w-{worker.case.bsn[-5:]}")
        for command in worker.sent:
            known = command.answer
            again = worker.send(command)
            if known is not None:
                assert again == known
            else:
                unknown.append(command)
                assert worker.send(command) == again
            assert again.receipt.leaf_index == again.receipt.position - 1
            book.keep(again.receipt)
    return unknown


def assert_nothing_is_doubled(workers: list[Worker], written: dict[str, list[str]]) -> None:
    """Every plan holds every command once, in the order in which they were sent."""
    for worker in workers:
        told = written[worker.case.plan_id]
        told += [command.words for command in worker.sent]
        kinds = [[words for words in told if int(words.split()[1]) % 2 == odd] for odd in (1, 0)]
        assert worker.words_of_plan() == kinds[0] + kinds[1]
        worker.sent.clear()


def assert_other_content_is_refused(service: Service, worker: Worker) -> None:
    """After a restart too, a request id stands for what it was first used for."""
    before, version = service.position(), worker.case.version
    for command in worker.sent[-1:]:
        with pytest.raises(RequestIdReused):
            worker.send(replace(command, words="Iets anders.", answer=None))
    worker.case.version = version
    assert service.position() == before


def assert_what_the_dead_left_is_not_taken_for_the_living(service: Service) -> None:
    """A start that fails leaves nobody believing that somebody listens."""
    assert (service.data / "service.json").exists()
    keys = service.data / "keys" / "keys.db"
    keys.rename(keys.with_name("gone.db"))
    told = exchange("serve", "--data", str(service.data), "--port", "0", "--metrics-port", "0")
    assert told.returncode != 0
    assert b"there are events but no key database" in told.stderr
    assert not (service.data / "service.json").exists()


def live_and_die(service: Service, folder: Path, kills: int) -> None:
    """Kill it so many times, and look at everything after each."""
    chance = random.Random(f"moments of {kills}")  # noqa: S311 -- moments, not secrets
    book = ReceiptBook(folder / "receipts.db", service.log_vkey, CITY)
    workers = [Worker(service, number) for number in range(WORKERS)]
    written: dict[str, list[str]] = {worker.case.plan_id: [] for worker in workers}
    cut_off = 0
    for _ in range(kills):
        kill_under_load(service, workers, chance.uniform(0.02, KILLED_WITHIN_S))
        assert_store_is_whole(service)
        acknowledged = [one for worker in workers for one in worker.sent if one.answer is not None]
        vkey = service.log_vkey
        service.start()
        assert service.log_vkey == vkey
        assert service.position() >= max((one.receipt.position for one in acknowledged), default=1)
        cut_off += len(assert_answers_stand(service, workers, book))
        assert_other_content_is_refused(service, workers[0])
        assert_nothing_is_doubled(workers, written)
        proven = book.settle(service.worker().ledger)
        assert proven >= len(acknowledged)
        assert book.unproven() == []
        assert book.evidence() == []
        for one in acknowledged[-PROVEN_EACH_TIME:]:
            receipt = one.receipt
            kept = book.find(receipt.leaf_index)
            assert kept is not None
            assert verify_receipt(receipt.leaf_entry, kept.proof, vkey) == receipt.leaf_index
    assert sum(map(len, written.values())) > kills * WORKERS
    assert cut_off > 0
    book.close()
    service.kill()
    report = service.verify_store()
    assert (report["exit"], report["problems"]) == (0, [])
    assert report["events"] == report["leaves"] == report["position"] > sum(map(len, written.values()))
    assert_what_the_dead_left_is_not_taken_for_the_living(service)


def test_two_deaths(new_service: Callable[..., Service], tmp_path: Path) -> None:
    live_and_die(new_service(), tmp_path, 2)


@pytest.mark.slow
def test_twenty_deaths(new_service: Callable[..., Service], tmp_path: Path) -> None:
    live_and_die(new_service(), tmp_path, 20)
