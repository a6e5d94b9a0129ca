"""Keeping the lease while a node lives, and what a node may show to others."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from exchange.errors import SettingsInvalid, StoreUnavailable
from exchange.keys.authority import DevelopmentAuthority
from exchange.logs import open_log
from exchange.settings import throw_away_settings
from exchange.store.lease import PostgresLease, lease_of, pass_on
from exchange.store.postgres import PostgresRecorder
from exchange.wiring import tenure
from exchange.wiring.nodes import lease_now, moved_lease, node_material
from exchange.wiring.tenure import Keeping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exchange.settings import Settings
    from tests.postgres.server import PostgresServer

LONG_S = 60.0
SHORT_S = 0.5
WAIT_S = 30.0


@pytest.fixture
def dsn(postgres: PostgresServer) -> str:
    """An empty store."""
    made = postgres.schema()
    PostgresRecorder(made).close()
    return made


@asynccontextmanager
async def kept(lease: Any, seconds: float) -> AsyncIterator[Keeping]:  # noqa: ANN401 -- a lease, or a fake of one
    """A node that keeps a lease, until the end."""
    keeping = Keeping(lease, seconds, open_log())
    await keeping.start()
    try:
        yield keeping
    finally:
        await keeping.stop()


async def changed(keeping: Keeping, *, here: bool) -> None:
    """Wait until the shard is here, or is not."""
    async with asyncio.timeout(WAIT_S):
        while True:
            change = keeping.next_change
            if keeping.here is here:
                return
            await change.wait()


async def test_one_takes_it_and_the_other_knows_whom_to_ask(dsn: str) -> None:
    async with (
        kept(PostgresLease(dsn, "a:1", LONG_S), LONG_S) as first,
        kept(PostgresLease(dsn, "b:1", LONG_S), LONG_S) as second,
    ):
        assert (first.here, first.holder, first.term) == (True, "", 1)
        assert (second.here, second.holder, second.term) == (False, "a:1", 1)
        taken: list[str] = []
        second.when_taken.append(lambda: taken.append("taken"))
        await first.give()
        assert not first.here
        assert lease_of(dsn).holder == ""
        # A call that found nobody lets it look at once.
        second.look_again()
        await changed(second, here=True)
        assert (second.term, taken) == (2, ["taken"])
        # Who gave it takes it no more.
        await second.give()
        first.look_again()
        await asyncio.wait_for(asyncio.to_thread(lambda: lease_of(dsn)), WAIT_S)
        assert not first.here


async def test_who_loses_it_learns_it_when_it_looks(dsn: str) -> None:
    # Only the node's own time is short: who held it takes it again when the lease would have ended.
    async with kept(PostgresLease(dsn, "a:1", LONG_S), SHORT_S) as first:
        pass_on(dsn)
        with closing(PostgresLease(dsn, "b:1", LONG_S)) as other:
            assert other.take().mine
            await changed(first, here=False)
            assert first.holder in {"", "b:1"}


async def test_a_store_that_does_not_answer_ends_it_by_the_nodes_own_time(dsn: str) -> None:
    class Unsure:
        """A lease whose store went away after it was taken."""

        def __init__(self) -> None:
            # Only the node's own time is short: a question may take long on a busy machine.
            self.lease = PostgresLease(dsn, "a:1", LONG_S)
            self.asked = 0

        def take(self) -> Any:  # noqa: ANN401 -- as the lease
            self.asked += 1
            if self.asked > 1:
                raise StoreUnavailable("the store does not answer on purpose")
            return self.lease.take()

        def close(self) -> None:
            self.lease.close()

    unsure = Unsure()
    async with kept(unsure, SHORT_S) as keeping:
        assert keeping.term == 1, "it was given"
        async with asyncio.timeout(WAIT_S):
            while unsure.asked < 2:  # noqa: ASYNC110 -- it tells nobody that it asked
                await asyncio.sleep(0.01)
        await changed(keeping, here=False)
        # By its own time: the store was not asked whose it is.
        assert lease_of(dsn).holder == "a:1"


async def test_a_line_to_the_store_that_broke_is_made_anew(dsn: str) -> None:
    async with kept(PostgresLease(dsn, "a:1", LONG_S), LONG_S) as keeping:
        with psycopg.connect(dsn, autocommit=True) as session:
            session.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            )
        looked = asyncio.Event()
        keeping.when_looked.append(looked.set)
        keeping.look_again()
        async with asyncio.timeout(WAIT_S):
            while not looked.is_set():
                keeping.look_again()
                await asyncio.sleep(0.01)
        assert keeping.here
        assert lease_of(dsn).term == 1


async def test_it_stops_also_in_the_moment_in_which_it_is_told_to_look(dsn: str) -> None:
    keeping = Keeping(PostgresLease(dsn, "a:1", LONG_S), LONG_S, open_log())
    await keeping.start()
    await asyncio.sleep(0)
    # What is waited for comes, and with it the end: the end counts.
    keeping.look_again()
    async with asyncio.timeout(WAIT_S):
        await keeping.stop()


async def test_a_store_that_does_not_answer_holds_up_no_giving_and_gets_it_when_it_does(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenure, "GIVE_S", SHORT_S)
    async with kept(PostgresLease(dsn, "a:1", LONG_S), LONG_S) as keeping:
        with psycopg.connect(dsn) as other:
            # As long as this stands, nobody changes the lease.
            other.execute("SELECT FROM lease FOR UPDATE")
            async with asyncio.timeout(WAIT_S):
                await keeping.give()
            assert not keeping.here
            assert lease_of(dsn).holder == "a:1"
        async with asyncio.timeout(WAIT_S):
            while lease_of(dsn).holder:  # noqa: ASYNC110 -- the database tells nobody
                await asyncio.sleep(0.01)
        assert not keeping.here


# --- what it shows -----------------------------------------------------------------------------------------


@pytest.fixture
def shown(tmp_path: Path) -> tuple[Settings, bytes]:
    """The settings of a node that is in order, and the authorities of organisations."""
    authority, nodes = DevelopmentAuthority(tmp_path / "authority"), DevelopmentAuthority(tmp_path / "nodes")
    node = nodes.issue_node(tmp_path / "node")
    files = {"node_certificate": node.certificate, "node_key": node.key, "node_authorities": node.client_ca}
    return throw_away_settings(node_address="127.0.0.1:1", **files), authority.root_pem


def test_a_node_shows_what_its_files_hold(shown: tuple[Settings, bytes]) -> None:
    settings, organisations = shown
    assert settings.node_key is not None
    assert node_material(settings, organisations).key == settings.node_key.read_bytes()


def test_nodes_and_organisations_have_no_authority_in_common(shown: tuple[Settings, bytes]) -> None:
    settings, organisations = shown
    assert settings.node_authorities is not None
    both = organisations + settings.node_authorities.read_bytes()
    with pytest.raises(SettingsInvalid) as caught:
        node_material(settings, both)
    assert caught.value.metadata == {"name": "node_authorities"}


def test_a_nodes_certificate_names_no_organisation(shown: tuple[Settings, bytes], tmp_path: Path) -> None:
    settings, organisations = shown
    DevelopmentAuthority(tmp_path / "nodes").issue_organisation("0" * 20, "Gemeente", tmp_path / "of")
    with pytest.raises(SettingsInvalid) as caught:
        node_material(
            settings.model_copy(update={"node_certificate": tmp_path / "of" / "client.pem"}), organisations
        )
    assert caught.value.metadata == {"name": "node_certificate"}


@pytest.mark.parametrize("name", ["node_certificate", "node_key", "node_authorities"])
def test_a_file_that_is_not_there_is_named(shown: tuple[Settings, bytes], name: str, tmp_path: Path) -> None:
    settings, organisations = shown
    with pytest.raises(SettingsInvalid) as caught:
        node_material(settings.model_copy(update={name: tmp_path / "gone"}), organisations)
    assert caught.value.metadata == {"name": name}


# --- by hand -------------------------------------------------------------------------------------------


def test_a_lease_is_shown_and_moved_by_hand(dsn: str) -> None:
    settings = throw_away_settings(store="postgres", postgres=dsn)
    with closing(PostgresLease(dsn, "a:1", LONG_S)) as lease:
        lease.take()
        assert lease_now(settings).holder == "a:1"
        assert moved_lease(settings).holder == "a:1"
        assert not lease.take().mine
    for asked in (lease_now, moved_lease):
        with pytest.raises(SettingsInvalid):
            asked(throw_away_settings())
