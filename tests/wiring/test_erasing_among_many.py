"""One resident erased in the middle of 10,000 events of 200: proofs hold, nothing of him is left."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography.exceptions import InvalidTag

from adapters.sdk.blinding import blind_with
from adapters.sdk.bsn import passes_eleven_proof
from exchange.errors import KeyDestroyed
from exchange.keys.ristretto import multiply
from exchange.keys.sealing import NONCE_BYTES, envelope
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.leaf import event_pseudonym, parse_leaf
from exchange.ledger.merkle import consistency_proof, verify_consistency
from exchange.ledger.receipt import make_receipt, verify_receipt
from exchange.pipeline.replay import FAULTS, Found, Replay, Tally
from exchange.store.codec import _decode_stored
from exchange.store.verify import verify_store
from exchange.wiring.core import open_core
from tests.pipeline.erasing import erased
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.pipeline.walk import Walk
    from exchange.store.batch import Row
    from exchange.wiring.core import Core

RESIDENTS: Final = 200
EVENTS: Final = 10_000
WHO: Final = 100  # whom it is about, of the two hundred
GROUP: Final = 50
ONE: Final = (1).to_bytes(32, "little")  # blinds nothing
BSNS: Final = 2_000  # a sample: all 90.9 million would take a day here


@dataclass
class People:
    """Everybody of the story: refs, plans, and how many goals each was given."""

    refs: list[str]
    plans: list[str]
    goals: dict[str, list[str]] = field(default_factory=dict)

    @property
    def who(self) -> str:
        return self.refs[WHO]


@pytest.mark.slow
def test_one_of_two_hundred_is_erased_in_the_middle_of_ten_thousand_events(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "data")
    core = shard.core
    plans = [shard.plan() for _ in range(RESIDENTS)]
    people = People([ref for ref, _, _ in plans], [plan_id for _, _, plan_id in plans])
    bsns = [str(number) for number in range(900_000_000, 900_040_000) if passes_eleven_proof(str(number))]
    root_of = {bsn: _root_of(core, bsn) for bsn in bsns[:BSNS]}
    core.links.link(root_of[bsns[7]], people.who)
    _write(shard, people, EVENTS // 2)
    before, receipts = _receipts(core)
    secrets = _secrets(core, people)
    rows = core.reader.page(0, EVENTS)
    shard.close()
    shutil.copytree(tmp_path / "data", tmp_path / "backup")

    shard = Shard(tmp_path / "data")
    core = shard.core
    erased(shard, people.who)
    _write(shard, people, EVENTS)
    assert core.reader.head()[0] >= EVENTS
    _require_proofs(core, before, receipts)
    _require_nothing_opens(core, people, rows)
    _require_others(core, people)
    _require_replayed(core)
    assert [bsn for bsn, root in root_of.items() if core.links.resolve(root) is not None] == []
    _require_no_pseudonyms(core, rows)
    assert verify_store(core.reader).problems == []
    shard.close()
    _require_no_bytes(tmp_path / "data", secrets)

    # The backup from before comes up without him: its keys beside the events and the list of today.
    for file in (tmp_path / "data" / "keys").glob("keys.db*"):
        file.unlink()
    for file in (tmp_path / "backup" / "keys").glob("keys.db*"):
        shutil.copy(file, tmp_path / "data" / "keys")
    core = open_core(shard.settings)
    _require_nothing_opens(core, people, rows)
    _require_others(core, people)
    core.close()
    _require_no_bytes(tmp_path / "data", secrets)


def _write(shard: Shard, people: People, until: int) -> None:
    """Set goals and ask for them, everybody in turn, up to a position."""
    number = 0
    while shard.head < until:
        walks: list[Walk] = []
        for _ in range(GROUP):
            number += 1
            index = number % RESIDENTS
            ref, plan_id = people.refs[index], people.plans[index]
            if shard.core.keys.is_destroyed(ref):
                continue
            words = f"doel {shard.head}-{number} van {ref[:12]}"
            people.goals.setdefault(ref, []).append(words)
            walks += [shard.goal(plan_id, words), shard.question(plan_id)]
        outcomes = shard.run(*walks)
        assert [one for one in outcomes if isinstance(one, Exception)] == []


def _receipts(core: Core) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the signed checkpoint of now, and every entry with its receipt."""
    signed = core.integrator.integrate()
    assert signed is not None
    size = signed.checkpoint.size
    read = core.tiles.hash_reader(size)
    entries = core.reader.leaf_entries(0, size)
    return signed.note, [(entry, make_receipt(index, signed, read)) for index, entry in enumerate(entries)]


def _secrets(core: Core, people: People) -> list[bytes]:
    """Return what may be found nowhere: his words, his keys as they are and as they lay on the disk."""
    ref = people.who
    words = [word.encode() for word in people.goals[ref]]
    assert words
    query = "SELECT category, version, wrapped FROM data_key WHERE resident_ref = ?"
    keys = []
    for category, version, wrapped in core.keys._reader.execute(query, (ref,)):
        keys += [wrapped, core.keys.open_key(ref, category, version).material]
    assert len(keys) > 4
    return [*words, *keys, *(b64encode(one) for one in keys)]


def _require_proofs(core: Core, before: bytes, receipts: list[tuple[bytes, bytes]]) -> None:
    policy = parse_policy(f"log {core.signer.vkey}\nquorum none\n")
    earlier = policy.accept(before)
    for index, (entry, receipt) in enumerate(receipts):
        assert verify_receipt(entry, receipt, policy).index == index
    signed = core.integrator.integrate()
    assert signed is not None
    newest = signed.checkpoint
    read = core.tiles.hash_reader(newest.size)
    proof = consistency_proof(earlier.size, newest.size, read)
    verify_consistency(earlier.size, newest.size, earlier.root, newest.root, proof)
    for index in range(0, len(receipts), 7):
        again = make_receipt(index, signed, read)
        assert verify_receipt(receipts[index][0], again, policy).size == newest.size


def _require_nothing_opens(core: Core, people: People, rows: list[Row]) -> None:
    """Try every sealed part of his with his keys, and with every key that is left of anybody."""
    left = [
        core.keys.open_key(ref, category, version)
        for ref, category, version in core.keys._reader.execute(
            "SELECT resident_ref, category, version FROM data_key ORDER BY resident_ref LIMIT 40"
        )
    ]
    tried = 0
    for row in rows:
        stored = _decode_stored(row.state)
        if stored.r != people.who or not stored.s:
            continue
        place: dict[str, Any] = {"stream": row.stream, "version": row.version, "topic": row.topic}
        with pytest.raises(KeyDestroyed):
            core.codec.decode(row.state, **place)
        assert core.codec.necessity(row.state, **place) == ""
        for part in stored.s[:1]:
            bound = envelope(
                row.stream, row.version, row.topic, stored.r, part.category, bytes.fromhex(stored.id)
            )
            for key in left:
                with pytest.raises(InvalidTag):
                    key.sealing.decrypt(part.box[:NONCE_BYTES], part.box[NONCE_BYTES:], bound)
        tried += 1
    assert tried > EVENTS // 2 // RESIDENTS // 2


def _require_others(core: Core, people: People) -> None:
    for ref, plan_id in zip(people.refs, people.plans, strict=True):
        state = core.loader.load(f"plan-{plan_id}").state
        if ref == people.who:
            assert state is None
        else:
            assert [goal.own_words for goal in state.goals] == people.goals[ref]


def _require_replayed(core: Core) -> None:
    """What was decided about him cannot be judged again: it is counted, and is no difference."""
    tally, replay, after = Tally(), Replay(core.codec, core.registers, core.reader), 0
    while rows := core.reader.page(after, 2_000):
        replay.run(rows, tally)
        after = rows[-1].position
    assert tally.ok
    assert [one for one in FAULTS if tally.counts[one]] == []
    assert tally.counts[Found.WORDS_ERASED] >= 10
    assert tally.counts[Found.SAME] > EVENTS // 4


def _require_no_pseudonyms(core: Core, rows: list[Row]) -> None:
    """Nobody can look for his leaves any more: the key that finds them is gone, and no other finds one."""
    own = next(ref for ref in core.keys._reader.execute("SELECT resident_ref FROM data_key"))[0]
    key = core.keys.open_key(own, "LEDGER", 1).ledger_key
    entries = core.reader.leaf_entries(0, len(rows))
    for row, entry in zip(rows, entries, strict=True):
        stored, leaf = _decode_stored(row.state), parse_leaf(entry)
        found = json.loads(entry).get("ps") == event_pseudonym(key, leaf.event_id).hex()
        assert found == (stored.r == own)


def _require_no_bytes(folder: Path, secrets: list[bytes]) -> None:
    """Look through every stored byte."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 10
    for file in files:
        content = file.read_bytes()
        assert [secret for secret in secrets if secret in content] == [], file


def _root_of(core: Core, bsn: str) -> bytes:
    """Return a root as only somebody with every key could make it: for trying all there is."""
    return multiply(core.identity._root, blind_with(bsn.encode(), ONE)[0])
