"""`exchange identity rotate` and `key`: a shard with links, before and after."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exchange.keys.identity import tagged
from exchange.wiring.core import open_core
from exchange.wiring.holding import held

if TYPE_CHECKING:
    from exchange.settings import Settings
    from tests.cli.conftest import Shell

OIN = "00000003271543200000"
HASHED = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")


def pseudonym(shard: Settings) -> tuple[int, bytes, str | None]:
    """The generation, the pseudonym somebody has now, and whom it finds."""
    core = open_core(shard)
    try:
        element = core.identity.evaluate(OIN, HASHED).element
        own = tagged(element, core.identity.generation)
        return core.identity.generation, own, core.residents.resolve(OIN, own)
    finally:
        core.close()


def test_a_new_key_finds_the_same_residents_and_shows_another_public_key(
    exchange: Shell, shard: Settings
) -> None:
    core = open_core(shard)
    core.residents.link(OIN, core.identity.evaluate(OIN, HASHED).element, "r-1")
    core.close()
    before = exchange("identity", "key", OIN, "--data", shard.data)
    assert re.fullmatch(r"[0-9a-f]{64}\n", before.out)
    said = exchange("identity", "rotate", "--data", shard.data, "--yes")
    assert (said.code, said.err) == (0, "")
    assert "generation 2; " in said.out
    assert "PSEUDONYM_OUTDATED" in said.out
    after = exchange("identity", "key", OIN, "--data", shard.data)
    assert after.out != before.out
    generation, own, found = pseudonym(shard)
    assert (generation, found) == (2, "r-1")
    exchange("identity", "rotate", "--data", shard.data, "--yes")
    third, again, still = pseudonym(shard)
    assert (third, still) == (3, "r-1")
    assert again != own


def test_it_asks_for_a_yes_a_shard_that_stands_still_and_an_oin(exchange: Shell, shard: Settings) -> None:
    no = exchange("identity", "rotate", "--data", shard.data)
    assert (no.code, "say --yes" in no.err) == (2, True)
    with held(shard.data):
        busy = exchange("identity", "rotate", "--data", shard.data, "--yes")
    assert (busy.code, "Stop the service" in busy.err) == (2, True)
    assert pseudonym(shard)[0] == 1
    nowhere = exchange("identity", "rotate", "--data", "nowhere", "--yes")
    assert (nowhere.code, "no service ran" in nowhere.err) == (2, True)
    for oin in ("123", "x" * 20, "\u0660" * 20):
        assert exchange("identity", "key", oin, "--data", shard.data).code == 2
