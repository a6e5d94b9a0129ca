"""A shard whose log is signed in a token: made once, away in the middle, never another key in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from exchange.errors import KeyUnavailable, SettingsInvalid
from exchange.ledger.checkpoint import parse_policy
from exchange.settings import throw_away_settings
from exchange.wiring.ledger import make_log_key, open_ledger
from exchange.wiring.published import published_checkpoint
from tests.pipeline.shard import Shard
from tests.softhsm import PIN, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.settings import Settings
    from tests.softhsm import SoftToken


@pytest.fixture
def named(soft_token: SoftToken, tmp_path: Path) -> dict[str, Any]:
    """Settings of a shard that keeps its log's key in the token."""
    pin = tmp_path / "pin"
    pin.touch(0o600)
    pin.write_text(PIN)
    return {
        "kek_module": soft_token.module,
        "kek_token": TOKEN,
        "kek_pin_file": pin,
        "log_key": "pkcs11",
        "log_key_label": f"log-{uuid4()}",
    }


@pytest.fixture
def in_token(named: dict[str, Any], tmp_path: Path) -> Settings:
    return throw_away_settings(data=tmp_path / "data", **named)


@pytest.fixture
def shard(in_token: Settings, named: dict[str, Any]) -> Iterator[Shard]:
    make_log_key(in_token)
    made = Shard(in_token.data, **named)
    yield made
    made.close()


def test_the_log_is_signed_in_the_token_and_no_file_holds_its_key(shard: Shard, in_token: Settings) -> None:
    signed = shard.core.integrator.integrate()
    assert signed is not None
    policy = parse_policy(f"log {shard.core.signer.vkey}\nquorum none\n")
    assert policy.accept(published_checkpoint(in_token).read_bytes()) == signed.checkpoint
    assert not (in_token.keys_folder / "log.key").exists()
    ledger = open_ledger(in_token)
    assert ledger.newest() == signed
    ledger.close()


def test_a_token_that_goes_in_the_middle_publishes_nothing_half(
    shard: Shard, in_token: Settings, soft_token: SoftToken
) -> None:
    before = shard.core.integrator.integrate()
    assert before is not None
    published = published_checkpoint(in_token).read_bytes()
    shard.done(shard.registration("a"))
    with soft_token.away():
        with pytest.raises(KeyUnavailable, match="hardware module does not answer"):
            shard.core.integrator.integrate()
        # Claimed, and not signed: what is published is what it was, whole.
        assert published_checkpoint(in_token).read_bytes() == published
        assert shard.core.checkpoints.signed(shard.core.origin) == (before.checkpoint, before.note)
        shard.done(shard.registration("b"))
        with pytest.raises(KeyUnavailable):
            shard.core.integrator.integrate()
    after = shard.core.integrator.integrate()
    assert after is not None
    assert after.checkpoint.size == shard.verified()
    assert published_checkpoint(in_token).read_bytes() == after.note
    # What was claimed and not signed stays so: a later size covers it.
    notes = [note for _, note in shard.core.checkpoints.history(shard.core.origin)]
    assert notes == [before.note, b"", after.note]


def test_without_its_key_in_the_token_a_log_does_not_begin(in_token: Settings, named: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match="no signing key has this label"):
        Shard(in_token.data, **named)
    assert not (in_token.checkpoints_folder / "origin").exists()


def test_another_key_in_its_place_is_refused(shard: Shard, in_token: Settings, named: dict[str, Any]) -> None:
    shard.core.integrator.integrate()
    other = throw_away_settings(data=in_token.data, **(named | {"log_key_label": f"log-{uuid4()}"}))
    make_log_key(other)
    with pytest.raises(KeyUnavailable, match="another key signed this log"):
        open_ledger(other)
    with pytest.raises(KeyUnavailable, match="its key is gone"):
        open_ledger(throw_away_settings(data=in_token.data))


def test_a_key_is_made_once_and_never_for_a_log_in_a_file(in_token: Settings, empty: Settings) -> None:
    assert len(make_log_key(in_token)) == 64
    with pytest.raises(SettingsInvalid, match="key of this label already"):
        make_log_key(in_token)
    with pytest.raises(SettingsInvalid, match="in a file"):
        make_log_key(empty)
