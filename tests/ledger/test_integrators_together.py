"""Nodes that sign one log: what was claimed lies with all, tiles and published files with each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from exchange.errors import ForkRefused, VersionConflict
from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.integrator import Integrator
from exchange.ledger.tiles import CHECKPOINT, TileStore
from tests.ledger.builders import NOON, ORIGIN, Source, entry, signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.databases.place import Place


class Counting(Source):
    """Leaves that count how many of them were read."""

    read = 0

    def leaf_entries(self, start: int, stop: int) -> list[bytes]:
        self.read += stop - start
        return super().leaf_entries(start, stop)


@dataclass
class Nodes:
    """Two nodes of one shard: the same events and claims, folders of their own."""

    folder: Path
    place: Place
    opened: ExitStack
    source: Counting = field(default_factory=Counting)

    def node(self, name: str) -> Integrator:
        """Open a node, as after a restart."""
        checkpoints = self.opened.enter_context(closing(CheckpointStore(self.place)))
        tiles = TileStore(self.folder / name)
        return Integrator(self.source, tiles, checkpoints, signer(), origin=ORIGIN, clock=lambda: NOON)

    def grow(self, count: int) -> None:
        first = len(self.source.entries)
        self.source.entries += [entry(number) for number in range(first, first + count)]

    def files(self, name: str) -> dict[str, bytes]:
        folder = self.folder / name
        return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.fixture
def nodes(tmp_path: Path, place_of: Callable[[str], Place]) -> Iterator[Nodes]:
    with ExitStack() as opened:
        yield Nodes(tmp_path, place_of("checkpoints"), opened)


def test_whoever_takes_over_goes_on_from_its_own_files_and_reads_only_what_came_since(nodes: Nodes) -> None:
    one, other = nodes.node("one"), nodes.node("other")
    nodes.grow(700)
    first = one.integrate()
    # The other begins late: from nothing, and then from what it published itself.
    assert other.integrate() == first
    assert nodes.files("other") == nodes.files("one")
    for count in (1, 255, 300, 3):
        nodes.grow(count)
        one.integrate()
        nodes.grow(2)
        nodes.source.read = 0
        taken = other.integrate()
        assert taken is not None
        assert taken.checkpoint.size == len(nodes.source.entries)
        assert nodes.source.read <= 4 * (count + 2 + 256)
        assert one.integrate() == taken
        full = [
            {at: found for at, found in nodes.files(name).items() if ".p/" not in at}
            for name in ("one", "other")
        ]
        assert full[0] == full[1]
    # A new machine has no file at all, and one that was away for long has old ones: both get there.
    assert taken is not None
    assert nodes.node("third").integrate() == taken
    assert (nodes.folder / "third" / CHECKPOINT).read_bytes() == taken.note


def test_files_of_another_history_are_not_gone_on_from(nodes: Nodes) -> None:
    one, other = nodes.node("one"), nodes.node("other")
    nodes.grow(300)
    other.integrate()
    nodes.grow(10)
    one.integrate()
    for tile in (nodes.folder / "other" / "tile" / "0").rglob("*.p/*"):
        tile.write_bytes(bytes(len(tile.read_bytes())))
    assert nodes.node("other").integrate() == one.integrate()
    nodes.source.entries[5] = entry(6)
    nodes.grow(1)
    with pytest.raises(ForkRefused):
        nodes.node("third").integrate()


def test_many_that_integrate_at_once_sign_one_history(nodes: Nodes) -> None:
    running = [nodes.node(str(number)) for number in range(3)]
    for _ in range(6):
        nodes.grow(50)
        start = Barrier(3)

        def sign(node: Integrator, start: Barrier = start) -> str:
            start.wait(timeout=10)
            try:
                signed = node.integrate()
            except VersionConflict:
                return "another came first"
            assert signed is not None
            return signed.note.decode()

        with ThreadPoolExecutor(3) as pool:
            said = set(pool.map(sign, running))
        assert len(said - {"another came first"}) == 1
    last = {node.integrate() for node in running}
    assert len(last) == 1
    (signed,) = last
    assert signed is not None
    assert signed.checkpoint.size == 300
    assert {nodes.files(str(number))[CHECKPOINT] for number in range(3)} == {signed.note}


def test_a_node_that_reads_while_another_signs_more_is_not_taken_for_one_that_was_rolled_back(
    nodes: Nodes,
) -> None:
    one, other = nodes.node("one"), nodes.node("other")
    nodes.grow(5)
    one.integrate()
    head = nodes.source.ledger_head

    def grown_meanwhile() -> tuple[int, bytes]:
        found = head()
        if len(nodes.source.entries) == 5:
            nodes.grow(5)
            one.integrate()
        return found

    nodes.source.ledger_head = grown_meanwhile  # type: ignore[method-assign] # another node is quicker, once
    first = other.integrate()
    assert first is not None
    assert first.checkpoint.size == 5
    assert other.integrate() == one.integrate()
