"""The lease of a shard: who is given a term, and the ways it ends."""

from __future__ import annotations

from contextlib import ExitStack, closing
from threading import Thread
from typing import TYPE_CHECKING

import psycopg
import pytest

from exchange.errors import StoreUnavailable
from exchange.store.lease import PostgresLease, Tenure, alone_while_opening, lease_of, pass_on
from exchange.store.postgres import LEASE, SCHEMA_VERSION, PostgresRecorder, found_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres.server import PostgresServer

LONG_S = 300.0


@pytest.fixture
def dsn(postgres: PostgresServer) -> str:
    """An empty store."""
    made = postgres.schema()
    PostgresRecorder(made).close()
    return made


@pytest.fixture
def node(dsn: str) -> Iterator[Callable[..., PostgresLease]]:
    """Return what makes a node's side of the lease; it is closed at the end."""
    with ExitStack() as opened:
        yield lambda name, seconds=LONG_S: opened.enter_context(closing(PostgresLease(dsn, name, seconds)))


def is_over(dsn: str, since_s: float = 0.0) -> None:
    """Let the time of the lease have passed, so long ago."""
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("UPDATE lease SET until = clock_timestamp() - make_interval(secs => %s)", (since_s,))


def until_taken(lease: PostgresLease) -> Tenure:
    """Look until the lease is ours: a session that was closed ends a moment later."""
    for _ in range(10_000):
        if (found := lease.take()).mine:
            return found
    raise AssertionError("the lease is never free")


def test_one_node_at_a_time_is_given_a_term_and_others_are_told_whom_to_ask(
    dsn: str, node: Callable[..., PostgresLease]
) -> None:
    first, second = node("a:1"), node("b:1")
    assert lease_of(dsn).holder == ""
    assert first.take() == Tenure(1, "a:1", LONG_S, mine=True)
    told = second.take()
    assert told._replace(left_s=LONG_S) == Tenure(1, "a:1", LONG_S)
    assert 0 < told.left_s <= LONG_S
    # Taken again it is made longer, and is the same term.
    assert first.take() == Tenure(1, "a:1", LONG_S, mine=True)
    assert lease_of(dsn).term == 1


def test_a_silent_holder_loses_it_by_time_and_learns_it_when_it_looks(
    dsn: str, node: Callable[..., PostgresLease]
) -> None:
    first, second = node("a:1"), node("b:1")
    first.take()
    is_over(dsn)
    # Its session is still there, as that of a process that was stopped.
    assert second.take() == Tenure(2, "b:1", LONG_S, mine=True)
    assert not (found := first.take()).mine
    assert (found.term, found.holder) == (2, "b:1")


def test_who_was_late_keeps_what_nobody_took(dsn: str, node: Callable[..., PostgresLease]) -> None:
    first = node("a:1")
    first.take()
    is_over(dsn)
    assert first.take() == Tenure(1, "a:1", LONG_S, mine=True)


def test_a_holder_whose_session_is_gone_loses_it_before_its_time(node: Callable[..., PostgresLease]) -> None:
    first, second = node("a:1"), node("b:1")
    first.take()
    assert not second.take().mine
    first.close()
    assert until_taken(second).term == 2


def test_a_lease_that_somebody_deleted_is_there_again_at_the_next_look(
    dsn: str, node: Callable[..., PostgresLease]
) -> None:
    first, second = node("a:1"), node("b:1")
    before = first.take().term
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("DELETE FROM lease")
    with pytest.raises(StoreUnavailable):
        lease_of(dsn)
    found = second.take()
    assert (found.holder, found.mine, found.term > before) == ("b:1", True, True)
    assert not (told := first.take()).mine
    assert (told.term, told.holder) == (found.term, "b:1")
    assert pass_on(dsn).term == found.term + 1


def test_a_holder_whose_line_broke_goes_on_with_a_new_one(
    dsn: str, node: Callable[..., PostgresLease]
) -> None:
    first, second = node("a:1"), node("b:1")
    first.take()
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        )
    with pytest.raises(StoreUnavailable):
        first.take()
    assert first.take() == Tenure(1, "a:1", LONG_S, mine=True)
    # The new session holds the term's lock: nobody takes it for gone.
    assert not second.take().mine


def test_a_lease_that_is_given_or_passed_on_is_another_nodes_at_once(
    dsn: str, node: Callable[..., PostgresLease]
) -> None:
    first, second = node("a:1"), node("b:1")
    first.take()
    first.give()
    assert lease_of(dsn).holder == ""
    assert not first.take().mine, "who gave it lets others go first"
    assert second.take() == Tenure(2, "b:1", LONG_S, mine=True)
    assert pass_on(dsn) == Tenure(3, "b:1", 0.0)
    assert not second.take().mine
    assert first.take() == Tenure(4, "a:1", LONG_S, mine=True)
    second.give()
    assert lease_of(dsn).holder == "a:1", "who holds nothing gives nothing"


def test_who_gave_it_takes_it_again_where_nobody_else_came(
    dsn: str, node: Callable[..., PostgresLease]
) -> None:
    alone = node("a:1")
    alone.take()
    pass_on(dsn)
    assert not alone.take().mine, "it was passed on for others to take"
    is_over(dsn, since_s=LONG_S)
    assert alone.take() == Tenure(3, "a:1", LONG_S, mine=True)


def test_many_that_ask_at_once_are_given_one_term(dsn: str, node: Callable[..., PostgresLease]) -> None:
    nodes, told = [node(f"n{number}:1") for number in range(6)], []
    asking = [Thread(target=lambda one=one: told.append(one.take())) for one in nodes]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert [one.mine for one in told].count(True) == 1
    assert {one.term for one in told} == {1}


def test_one_opens_a_shard_at_a_time(dsn: str) -> None:
    order: list[str] = []

    def open_too() -> None:
        with alone_while_opening(dsn):
            order.append("second")

    other = Thread(target=open_too)
    with alone_while_opening(dsn), psycopg.connect(dsn, autocommit=True) as looking:
        other.start()
        while not looking.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
            assert other.is_alive()
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_a_store_of_before_the_lease_is_taken_forward(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("DROP TABLE lease")
        session.execute("UPDATE schema_version SET version = 3")
    with pytest.raises(StoreUnavailable):
        lease_of(dsn)
    PostgresRecorder(dsn, forward=True).close()
    assert (found_version(dsn), lease_of(dsn).term) == (SCHEMA_VERSION, 0)
    assert len(LEASE) == 2
