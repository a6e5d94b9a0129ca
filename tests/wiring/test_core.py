"""Opening a shard: what is made once, what is never made anew, and what may not be opened."""

from __future__ import annotations

import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exchange.errors import ForkRefused, KeyUnavailable, SettingsInvalid
from exchange.keys.kek import FileKek
from exchange.wiring.bench import THUMBPRINT
from exchange.wiring.core import FreshIds, development_authority, genesis, open_core, utc_now
from tests.registers import GENESIS_EVENTS
from tests.wiring.shards import forget_events, open_files, position, young

if TYPE_CHECKING:
    from exchange.settings import Settings


def refused(settings: Settings, kind: type[Exception], match: str) -> None:
    """Opening raises, and leaves nothing open and no event behind."""
    before = position(settings) if (settings.data / "events.db").exists() else 0
    with pytest.raises(kind, match=match):
        open_core(settings)
    assert (position(settings) if (settings.data / "events.db").exists() else 0) == before
    if Path("/proc/self/fd").is_dir():
        assert open_files(settings.data) == []


# --- once ------------------------------------------------------------------------------------------------


def test_what_a_first_start_makes_a_second_start_keeps(empty: Settings) -> None:
    told = []
    for _ in range(2):
        core = open_core(empty)
        told.append((core.origin, core.signer.vkey, core.kek.key_id, core.page_key, core.log_pseudonym("x")))
        core.close()
    assert told[0] == told[1]


def test_two_shards_share_nothing(empty: Settings, tmp_path: Path) -> None:
    one, other = open_core(empty), open_core(empty.model_copy(update={"data": tmp_path / "other"}))
    try:
        assert one.page_key != other.page_key
        assert one.signer.vkey != other.signer.vkey
        assert one.log_pseudonym("x") != other.log_pseudonym("x")
    finally:
        one.close()
        other.close()


@pytest.mark.parametrize("name", ["kek", "log.key", "keys.db"])
def test_what_is_secret_is_for_the_owner_only(name: str, shard: Settings) -> None:
    mode = stat.S_IMODE((shard.keys_folder / name).stat().st_mode)
    assert mode == 0o600


def test_the_log_keeps_its_name_over_the_year(empty: Settings) -> None:
    old = open_core(empty, lambda: datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    old.close()
    new = open_core(empty, lambda: datetime(2027, 1, 1, tzinfo=UTC))
    new.close()
    assert old.origin == new.origin == f"exchange.example/{empty.operator_oin}/2026"


def test_the_operator_joins_as_the_first_event_and_once(empty: Settings) -> None:
    young(empty.data)
    assert position(empty) == GENESIS_EVENTS
    young(empty.data)
    assert position(empty) == GENESIS_EVENTS


def test_genesis_leaves_a_store_with_history_alone(shard: Settings) -> None:
    before = position(shard)
    core = open_core(shard)
    try:
        genesis(core, utc_now(), thumbprint="cd" * 32, signing_key=THUMBPRINT)
    finally:
        core.close()
    assert position(shard) == before > 1


# --- never anew ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["keys.db", "folder"])
def test_events_without_their_keys_are_not_opened(lost: str, shard: Settings) -> None:
    if lost == "folder":
        shutil.rmtree(shard.keys_folder)
    else:
        for file in shard.keys_folder.glob("keys.db*"):
            file.unlink()
    refused(shard, KeyUnavailable, "events but no key database")
    assert not (shard.keys_folder / "keys.db").exists()


def test_a_lost_kek_is_not_made_anew(shard: Settings) -> None:
    (shard.keys_folder / "kek").unlink()
    refused(shard, SettingsInvalid, "KEK file cannot be opened")
    assert not (shard.keys_folder / "kek").exists()


def test_another_kek_opens_nothing(shard: Settings) -> None:
    (shard.keys_folder / "kek").unlink()
    FileKek(shard.keys_folder / "kek", create=True)
    refused(shard, KeyUnavailable, "another KEK")


def test_a_lost_log_key_is_not_made_anew(shard: Settings) -> None:
    (shard.keys_folder / "log.key").unlink()
    refused(shard, KeyUnavailable, "its key is gone")
    assert not (shard.keys_folder / "log.key").exists()


@pytest.mark.parametrize("content", [b"", b"-----BEGIN NONSENSE-----\n", b"\xff" * 64])
def test_a_malformed_log_key_is_refused(content: bytes, shard: Settings) -> None:
    (shard.keys_folder / "log.key").write_bytes(content)
    refused(shard, SettingsInvalid, "log's key cannot be read")


def test_a_log_key_of_another_kind_is_refused(shard: Settings) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (shard.keys_folder / "log.key").write_bytes(pem)
    refused(shard, SettingsInvalid, "not Ed25519")


@pytest.mark.parametrize("lost", ["origin", "checkpoints.db", "folder"])
def test_a_log_that_forgot_what_it_signed_signs_nothing(lost: str, shard: Settings) -> None:
    if lost == "folder":
        shutil.rmtree(shard.checkpoints_folder)
    else:
        for file in shard.checkpoints_folder.glob(f"{lost}*"):
            file.unlink()
    refused(shard, ForkRefused, "restore the checkpoint folder")


def test_a_malformed_name_of_the_log_is_refused(shard: Settings) -> None:
    (shard.checkpoints_folder / "origin").write_bytes(b"\xff\n")
    refused(shard, SettingsInvalid, "name cannot be read")


# --- rolled back -----------------------------------------------------------------------------------------


def test_a_store_behind_what_was_signed_is_not_opened(shard: Settings, tmp_path: Path) -> None:
    older = young(tmp_path / "older")
    forget_events(shard, back_to=older.data / "events.db")
    assert position(shard) == GENESIS_EVENTS
    refused(shard, ForkRefused, f"rolled back.*stored={GENESIS_EVENTS}")


def test_a_store_that_is_gone_gets_no_new_first_event(shard: Settings) -> None:
    forget_events(shard)
    with pytest.raises(ForkRefused, match="stored=0"):
        open_core(shard)
    assert position(shard) == 0


def test_a_store_ahead_of_what_was_signed_is_opened(empty: Settings) -> None:
    young(empty.data)
    core = open_core(empty)
    try:
        signed = core.integrator.integrate()
    finally:
        core.close()
    assert signed is not None
    assert signed.checkpoint.size == GENESIS_EVENTS


# --- modes, ids ------------------------------------------------------------------------------------------


def test_production_makes_no_kek(empty: Settings, tmp_path: Path) -> None:
    apart = {"mode": "production", "keys": tmp_path / "keys", "checkpoints": tmp_path / "checkpoints"}
    refused(empty.model_copy(update=apart), SettingsInvalid, "KEK file cannot be opened")


def test_production_has_no_development_authority(empty: Settings) -> None:
    with pytest.raises(SettingsInvalid, match="for development only"):
        development_authority(empty.model_copy(update={"mode": "production"}))
    assert not empty.data.exists()


def test_fresh_ids_are_sixteen_bytes_and_never_the_same() -> None:
    draw = FreshIds()
    drawn = [draw() for _ in range(200)]
    assert {len(one) for one in drawn} == {16}
    assert len(set(drawn)) == 200
