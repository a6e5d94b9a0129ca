"""What can be read on a primary and is on no standby yet is not taken for recorded.

A real server that waits for a standby which is not there; its wait is cut short as an administrator would.
Source: exchange/decisions/0120-an-unknown-outcome-is-settled-by-a-write.md; postgresql.org/docs/current
(runtime-config-replication.html, synchronous_standby_names).
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from exchange.errors import StoreUnavailable
from exchange.pipeline.settled import SettledLeaves
from exchange.pipeline.walked import was_kept
from exchange.store.errors import HeadMoved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres.server import PostgresServer
    from tests.store.postgres_store import PostgresStore

WAIT_S = 30.0
LOOK_EVERY_S = 0.01
WAITING: LiteralString = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


class Server:
    """What an administrator sees, and may do."""

    def __init__(self, dsn: str) -> None:
        self._line = psycopg.connect(dsn, autocommit=True)
        self._line.execute("SET synchronous_commit = local")

    def ask(self, question: LiteralString, *values: object) -> list[Any]:
        return [row[0] for row in self._line.execute(question, values).fetchall()]

    def until(self, question: LiteralString) -> Any:  # noqa: ANN401 -- whatever is found
        """Return the first thing found, once there is one."""
        until = time.monotonic() + WAIT_S
        while not (found := self.ask(question)):
            assert time.monotonic() < until, f"it never came that {question}"
            time.sleep(LOOK_EVERY_S)
        return found[0]

    def await_a_standby(self) -> None:
        """Let commits wait for a standby that is not there; return when they do."""
        self._line.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        self._line.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + WAIT_S
        with ThreadPoolExecutor(1) as pool:
            # Whose process it is that tells all others, it tells nobody: only a commit shows.
            while time.monotonic() < until:
                probe = pool.submit(self._probe)
                while not (found := self.ask(WAITING)) and not probe.done():
                    time.sleep(LOOK_EVERY_S)
                if found:
                    self.ask("SELECT pg_cancel_backend(%s)", found[0])
                    return probe.result(WAIT_S)
        raise TimeoutError("commits never wait")

    def _probe(self) -> None:
        with psycopg.connect(self._line.info.dsn, autocommit=True) as line:
            line.execute("SELECT pg_logical_emit_message(true, 'probe', '')")

    def let_go(self) -> None:
        """Let commits wait for nobody any more; who waits goes on, as when a standby came."""
        self._line.execute("ALTER SYSTEM RESET synchronous_standby_names")
        self._line.execute("SELECT pg_reload_conf()")

    def close(self) -> None:
        self._line.close()


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[Server]:
    made = Server(postgres.dsn())
    try:
        yield made
    finally:
        made.let_go()
        made.close()


@contextmanager
def waits(server: Server, ask: Callable[[], Any]) -> Iterator[list[Any]]:
    """Hold that what is asked waits for a standby, and give what it returned when one came."""
    answer: list[Any] = []
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            server.until(WAITING)
            assert not asking.done()
        finally:
            server.let_go()
        answer.append(asking.result(WAIT_S))
    yield answer


@pytest.mark.parametrize("cut", ["SELECT pg_terminate_backend(%s)", "SELECT pg_cancel_backend(%s)"])
def test_a_commit_whose_wait_was_cut_short_counts_when_a_standby_has_it(
    postgres_store: PostgresStore, server: Server, cut: LiteralString
) -> None:
    batch = postgres_store.batch("plan-1")
    server.await_a_standby()
    with ThreadPoolExecutor(1) as pool:
        committing = pool.submit(postgres_store.recorder.commit, batch)
        server.ask(cut, server.until(WAITING))
        with pytest.raises(StoreUnavailable):
            committing.result(WAIT_S)
    # There it is to be read, and a failover would lose it.
    assert postgres_store.reader.head()[0] == batch.head
    ask = lambda: was_kept(batch, postgres_store.reader, postgres_store.recorder)  # noqa: E731 -- a thread's
    with waits(server, ask) as answer:
        assert answer == [True]


def test_what_a_failover_may_lose_is_not_signed(postgres_store: PostgresStore, server: Server) -> None:
    batch = postgres_store.batch("plan-1")
    postgres_store.recorder.commit(batch)
    other = postgres_store._open()
    try:
        server.await_a_standby()
        # Who was acknowledged himself writes nothing; another node cannot know.
        mine = SettledLeaves(postgres_store.reader, postgres_store.recorder)
        assert mine.heads().position == batch.head
        with waits(server, SettledLeaves(other[1], other[0]).heads) as answer:
            assert answer[0].position == batch.head
    finally:
        for one in other:
            one.close()


def test_what_is_under_way_has_ended_before_it_is_looked_at(
    postgres_store: PostgresStore, server: Server
) -> None:
    """A line that broke may have left a backend at work: the head has not moved, and will."""
    batch = postgres_store.batch("plan-1")
    recorder, reader = postgres_store.recorder, postgres_store.reader
    with psycopg.connect(postgres_store.dsn) as working, ThreadPoolExecutor(1) as pool:
        working.execute("UPDATE head SET position = position + 1")
        asking = pool.submit(was_kept, batch, reader, recorder)
        server.until("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        assert not asking.done()
        working.commit()
        assert asking.result(WAIT_S) is False
    with pytest.raises(HeadMoved):
        recorder.commit(batch)


def test_within_a_turn_it_ends_the_turn(postgres_store: PostgresStore) -> None:
    recorder = postgres_store.recorder
    batch = postgres_store.batch("plan-1")
    with recorder.turn():
        recorder.settle()
        recorder.commit(batch)
    assert postgres_store.reader.head()[0] == batch.head
    recorder.settle(batch.head)
    postgres_store.recorder.close()
    # Known to last: nothing is asked of anybody.
    recorder.settle(batch.head)
    with pytest.raises(StoreUnavailable):
        recorder.settle()


def test_another_thread_does_not_write_in_a_turn(postgres_store: PostgresStore, server: Server) -> None:
    recorder, batch = postgres_store.recorder, postgres_store.batch("plan-1")
    with ThreadPoolExecutor(1) as pool:
        with recorder.turn():
            settling = pool.submit(recorder.settle)
            server.until("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            recorder.commit(batch)
        settling.result(WAIT_S)
    assert postgres_store.reader.head()[0] == batch.head
