"""The log's key on ML-DSA-44 at rest: under the KEK, for this use alone, and taken along to the next KEK."""

from __future__ import annotations

import sqlite3
import stat
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exchange.errors import ExchangeError, KeyUnavailable
from exchange.wiring import rekeying
from exchange.wiring.core import key_file, open_core
from exchange.wiring.kek import open_kek
from exchange.wiring.ledger import open_ledger
from exchange.wiring.rekeying import create_kek, kek_standing, rotate_kek
from exchange.wiring.second_key import SECOND_KEY, read_second_key, second_key_wrapped_by

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings


def file_of(settings: Settings) -> Path:
    return settings.keys_folder / SECOND_KEY


def vkey(settings: Settings) -> str:
    ledger = open_ledger(settings)
    ledger.close()
    assert ledger.second is not None
    return ledger.second.vkey


def lay_open(settings: Settings) -> bytes:
    """Let the key lie there as before it was wrapped."""
    key = read_second_key(settings)
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file_of(settings).write_bytes(content)
    return content


def holds(content: bytes, forms: tuple[bytes, ...]) -> bool:
    content = content.replace(b"\n", b"")
    return any(form in content for form in forms)


def test_in_no_file_of_a_shard_the_key_lies_in_the_open(shard: Settings) -> None:
    seed = read_second_key(shard).private_bytes_raw()
    # Of base64 one of three alignments; the middle of it, whatever stands before and behind.
    forms = (seed, seed.hex().encode(), *(b64encode(seed[start:])[:36] for start in range(3)))
    files = [file for file in shard.data.rglob("*") if file.is_file()]
    assert file_of(shard) in files
    assert [file.name for file in files if holds(file.read_bytes(), forms)] == []
    assert second_key_wrapped_by(shard) == kek_standing(shard).key_id
    assert holds(lay_open(shard), forms), "this is how it would be seen"


def test_a_key_in_the_open_is_read_and_the_next_start_wraps_it(shard: Settings) -> None:
    known, before = vkey(shard), lay_open(shard)
    assert vkey(shard) == known
    assert file_of(shard).read_bytes() == before, "who only reads changes nothing"
    open_core(shard).close()
    assert second_key_wrapped_by(shard) == kek_standing(shard).key_id
    assert stat.S_IMODE(file_of(shard).stat().st_mode) == 0o600
    assert vkey(shard) == known
    whole = file_of(shard).read_bytes()
    open_core(shard).close()
    assert file_of(shard).read_bytes() == whole


def test_no_byte_of_the_file_can_change(shard: Settings) -> None:
    known, whole = vkey(shard), file_of(shard).read_bytes()
    for at in range(len(whole)):
        other = whole[:at] + bytes([whole[at] ^ 1 << at % 7]) + whole[at + 1 :]
        file_of(shard).write_bytes(other)
        with pytest.raises(ExchangeError):
            vkey(shard)
    for cut in (b"", whole[:-1], whole[:-9], whole + b"00", whole + b"\n\n", whole * 2):
        file_of(shard).write_bytes(cut)
        with pytest.raises(ExchangeError):
            vkey(shard)
    file_of(shard).write_bytes(whole)
    assert vkey(shard) == known


def test_what_the_same_kek_wrapped_for_another_use_does_not_open_here(shard: Settings) -> None:
    with sqlite3.connect(key_file(shard)) as database:
        secret, data_key = (
            database.execute(f"SELECT wrapped FROM {table} LIMIT 1").fetchone()[0]  # noqa: S608 -- two tables
            for table in ("secret", "data_key")
        )
    database.close()
    header, key_id, _ = file_of(shard).read_text().splitlines()
    for wrapped in (secret, data_key):
        file_of(shard).write_text(f"{header}\n{key_id}\n{wrapped.hex()}\n")
        with pytest.raises(KeyUnavailable, match="does not open"):
            open_ledger(shard)


def test_a_new_kek_takes_it_along_also_where_the_first_try_ended_before_it(
    shard: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, former = vkey(shard), kek_standing(shard)
    other = shard.model_copy(update={"kek_file": tmp_path / "elsewhere" / "kek"})
    made = create_kek(other)

    def away(*_: object) -> int:
        raise KeyUnavailable("the token went away")

    monkeypatch.setattr(rekeying, "rewrap_second_key", away)
    with pytest.raises(KeyUnavailable, match="went away"):
        rotate_kek(other, shard)
    monkeypatch.undo()
    # The former KEK is still needed, and that is told.
    assert kek_standing(other).former == {former.key_id: 1}
    with pytest.raises(KeyUnavailable, match="second key was wrapped by another KEK"):
        open_ledger(other)
    done = rotate_kek(other, shard)
    assert (done.count, done.freed) == (1, (former.key_id,))
    assert second_key_wrapped_by(other) == made.key_id
    assert vkey(other) == known
    open_core(other).close()
    with pytest.raises(KeyUnavailable, match="another KEK"):
        open_ledger(shard)


def test_a_key_in_the_open_is_wrapped_by_a_rotation_too(shard: Settings, tmp_path: Path) -> None:
    known = vkey(shard)
    lay_open(shard)
    before = sum(kek_standing(shard).wrapped.values())
    other = shard.model_copy(update={"kek_file": tmp_path / "elsewhere" / "kek"})
    create_kek(other)
    assert rotate_kek(other, shard).count == before + 1
    assert second_key_wrapped_by(other) == open_kek(other).key_id
    assert vkey(other) == known
