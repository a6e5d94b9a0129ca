"""A shard's log as files: the newest checkpoint, and the receipt of any leaf from what was published."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exchange.errors import (
    ExchangeError,
    KeyUnavailable,
    ProofInvalid,
    RequestInvalid,
    SettingsInvalid,
    StoreUnavailable,
    Unavailable,
)
from exchange.ledger.checkpoint import Checkpoint, parse_policy
from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.integrator import Integrator
from exchange.ledger.note import parse_note
from exchange.ledger.receipt import verify_receipt
from exchange.store.reader import SQLiteReader
from exchange.wiring.core import open_core, utc_now
from exchange.wiring.ledger import checkpoint_file, open_ledger, start_ledger
from exchange.wiring.published import ledger_folder, published_checkpoint, published_receipt
from tests.wiring.shards import position, young

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.settings import Settings
    from exchange.wiring.ledger import Ledger


def policy_of(settings: Settings) -> str:
    ledger = open_ledger(settings)
    try:
        return f"log {ledger.signer.vkey}\nquorum none\n"
    finally:
        ledger.close()


def test_every_leaf_has_a_receipt_that_proves_the_stored_entry(shard: Settings) -> None:
    policy, size = parse_policy(policy_of(shard)), position(shard)
    reader = SQLiteReader(shard.data / "events.db")
    entries = reader.leaf_entries(0, size)
    reader.close()
    assert size == len(entries) > 2
    for index, entry in enumerate(entries):
        signed, proof = published_receipt(shard, index)
        proven = verify_receipt(None, proof, policy)
        assert (proven.index, proven.size, proven.entry) == (index, signed.checkpoint.size, entry)


def test_a_receipt_can_be_had_with_both_signatures_of_the_log(shard: Settings) -> None:
    ledger = open_ledger(shard)
    assert ledger.second is not None
    both = f"log {ledger.signer.vkey}\nwitness pq {ledger.second.vkey}\nquorum pq\n"
    ledger.close()
    _, proof = published_receipt(shard, 1, whole=True)
    assert verify_receipt(None, proof, parse_policy(both)).index == 1
    with pytest.raises(ProofInvalid, match="too few known witnesses"):
        verify_receipt(None, published_receipt(shard, 1)[1], parse_policy(both))


def test_a_receipt_needs_neither_keys_nor_databases(shard: Settings) -> None:
    policy = parse_policy(policy_of(shard))
    for file in (*shard.keys_folder.iterdir(), *shard.checkpoints_folder.iterdir()):
        file.unlink()
    _, proof = published_receipt(shard, 0)
    assert verify_receipt(None, proof, policy).index == 0


@pytest.mark.parametrize("beyond", [0, 1, 10**17])
def test_no_receipt_beyond_the_log(beyond: int, shard: Settings) -> None:
    size = position(shard)
    with pytest.raises(RequestInvalid) as refused:
        published_receipt(shard, size + beyond)
    assert refused.value.fields == {"INDEX": f"0 to {size - 1}"}


def test_no_receipt_before_the_first_checkpoint(empty: Settings) -> None:
    with pytest.raises(SettingsInvalid, match="no service ran"):
        published_receipt(empty, 0)
    young(empty.data)
    with pytest.raises(Unavailable, match="no checkpoint has been published"):
        published_receipt(empty, 0)


def test_a_changed_entry_gets_no_receipt(shard: Settings) -> None:
    (bundle,) = (ledger_folder(shard) / "tile" / "entries").rglob("*.p/*")
    bundle.write_bytes(bundle.read_bytes().replace(b'"t":"', b'"t":"x', 1)[: bundle.stat().st_size])
    with pytest.raises(ProofInvalid):
        published_receipt(shard, 0)


def test_a_lost_tile_is_said_to_be_lost(shard: Settings) -> None:
    for file in (ledger_folder(shard) / "tile" / "entries").rglob("*.p/*"):
        file.unlink()
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        published_receipt(shard, 0)


@pytest.mark.parametrize("content", [b"", b"exchange.example/x/2026\n9\n"])
def test_a_malformed_checkpoint_gives_no_receipt(content: bytes, shard: Settings) -> None:
    published_checkpoint(shard).write_bytes(content)
    with pytest.raises(ProofInvalid):
        published_receipt(shard, 0)


def test_opening_where_none_ran_makes_nothing(empty: Settings) -> None:
    with pytest.raises(SettingsInvalid, match="no service ran"):
        open_ledger(empty)
    assert not empty.data.exists()


def test_opening_does_not_make_a_lost_key_anew(shard: Settings) -> None:
    (shard.keys_folder / "log.key").unlink()
    with pytest.raises(ExchangeError, match="its key is gone"):
        open_ledger(shard)
    assert not (shard.keys_folder / "log.key").exists()


def test_there_is_no_newest_checkpoint_before_the_first(empty: Settings) -> None:
    young(empty.data)
    ledger = open_ledger(empty)
    try:
        with pytest.raises(Unavailable, match="no checkpoint has been signed"):
            ledger.newest()
    finally:
        ledger.close()


def test_a_size_that_was_claimed_and_not_signed_leaves_the_one_before(shard: Settings) -> None:
    ledger = open_ledger(shard)
    try:
        before = ledger.newest()
        claimed = Checkpoint(ledger.origin, before.checkpoint.size + 1, b"r" * 32)
        ledger.checkpoints.claim(before.checkpoint, claimed, utc_now())
        assert ledger.newest() == before
    finally:
        ledger.close()


# --- the second key --------------------------------------------------------------------------------------


def forget_second_key(settings: Settings) -> None:
    """Lose the second key, and with it the file that tells which it was."""
    (settings.keys_folder / "log-mldsa.key").unlink()
    (settings.checkpoints_folder / "second-vkey").unlink()


def of_before(settings: Settings) -> None:
    """Make the shard one that signed before there was a second key."""
    young(settings.data)
    forget_second_key(settings)
    ledger, reader = open_ledger(settings), SQLiteReader(settings.data / "events.db")
    try:
        assert ledger.second is None
        parts = (reader, ledger.tiles, ledger.checkpoints, ledger.signer)
        assert Integrator(*parts, origin=ledger.origin, clock=utc_now).integrate() is not None
    finally:
        reader.close()
        ledger.close()


def test_the_second_key_is_made_at_the_first_start_for_its_owner_only(shard: Settings) -> None:
    file = shard.keys_folder / "log-mldsa.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ledger = open_ledger(shard)
    try:
        assert ledger.second is not None
        assert (shard.checkpoints_folder / "second-vkey").read_text() == f"{ledger.second.vkey}\n"
        both = parse_policy(f"log {ledger.signer.vkey}\nlog {ledger.second.vkey}\nquorum none\n")
        newest = ledger.newest()
        assert both.accept(newest.note) == newest.checkpoint
        assert len(parse_note(newest.note).signatures) == 2
    finally:
        ledger.close()


def test_a_log_of_before_gets_its_second_key_at_the_next_start(empty: Settings) -> None:
    of_before(empty)
    policy, before = policy_of(empty), published_checkpoint(empty).read_bytes()
    assert len(parse_note(before).signatures) == 1
    assert not (empty.keys_folder / "log-mldsa.key").exists()
    core = open_core(empty)
    try:
        assert core.second is not None
        assert core.integrator.integrate() is not None
        assert published_checkpoint(empty).read_bytes() == before
    finally:
        core.close()
    assert policy_of(empty) == policy


@pytest.mark.parametrize("opens", [open_ledger, lambda shard: start_ledger(shard, utc_now)])
@pytest.mark.parametrize("gone", ["nothing", "published", "signed"])
def test_a_second_key_lost_with_the_file_that_knows_it_is_not_made_anew(
    shard: Settings, gone: str, opens: Callable[[Settings], Ledger]
) -> None:
    forget_second_key(shard)
    if gone == "published":
        published_checkpoint(shard).unlink()
    if gone == "signed":
        checkpoint_file(shard).unlink()
        CheckpointStore(checkpoint_file(shard)).close()
    with pytest.raises(KeyUnavailable, match="restore it from the backup of the keys") as refused:
        opens(shard)
    assert refused.value.metadata["file"] == "log-mldsa.key"
    assert not (shard.keys_folder / "log-mldsa.key").exists()
    assert not (shard.checkpoints_folder / "second-vkey").exists()


def another_second_key() -> bytes:
    """Return a key that nothing wraps, as it lay there before."""
    return MLDSA44PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_another_second_key_in_its_place_is_refused_also_where_no_file_knows_it(shard: Settings) -> None:
    (shard.checkpoints_folder / "second-vkey").unlink()
    (shard.keys_folder / "log-mldsa.key").write_bytes(another_second_key())
    with pytest.raises(KeyUnavailable, match="by a key that is not here"):
        open_core(shard)
    assert not (shard.checkpoints_folder / "second-vkey").exists()


def test_a_start_that_died_after_making_the_second_key_goes_on_with_it(shard: Settings) -> None:
    key = (shard.keys_folder / "log-mldsa.key").read_bytes()
    (shard.checkpoints_folder / "second-vkey").unlink()
    start_ledger(shard, utc_now).close()
    assert (shard.keys_folder / "log-mldsa.key").read_bytes() == key
    assert (shard.checkpoints_folder / "second-vkey").exists()


@pytest.mark.parametrize("opens", [open_ledger, lambda shard: start_ledger(shard, utc_now)])
def test_a_lost_second_key_is_not_made_anew(shard: Settings, opens: Callable[[Settings], Ledger]) -> None:
    (shard.keys_folder / "log-mldsa.key").unlink()
    with pytest.raises(KeyUnavailable, match="its key is gone"):
        opens(shard)
    assert not (shard.keys_folder / "log-mldsa.key").exists()


@pytest.mark.parametrize("from_", ["of another kind", "in the open", "under another KEK"])
def test_another_second_key_is_refused(shard: Settings, empty: Settings, from_: str) -> None:
    young(empty.data)
    found, says = {
        "of another kind": ((shard.keys_folder / "log.key").read_bytes(), "not ML-DSA-44"),
        "in the open": (another_second_key(), "not the one it had"),
        "under another KEK": ((empty.keys_folder / "log-mldsa.key").read_bytes(), "by another KEK"),
    }[from_]
    (shard.keys_folder / "log-mldsa.key").write_bytes(found)
    with pytest.raises((SettingsInvalid, KeyUnavailable), match=says):
        open_ledger(shard)


def test_a_second_key_that_is_no_key_is_refused(shard: Settings) -> None:
    (shard.keys_folder / "log-mldsa.key").write_bytes(b"no key")
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        open_ledger(shard)
