"""Either KEK opens its own wrappings only; the one in a file is whole or absent, 0600 or refused."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

import pytest

from exchange.errors import KeyUnavailable, SettingsInvalid
from exchange.keys.kek import FileKek, Kek

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = bytes(range(32))


def test_a_wrapped_key_opens_after_a_restart(kek_named: Callable[[str], Kek]) -> None:
    first = kek_named("kek")
    wrapped = first.wrap(KEY, b"owner")
    again = kek_named("kek")
    assert again.key_id == first.key_id
    assert again.unwrap(wrapped, b"owner") == KEY
    assert KEY not in wrapped


def test_no_two_wrappings_are_alike(kek_named: Callable[[str], Kek]) -> None:
    kek = kek_named("kek")
    assert len({kek.wrap(KEY, b"owner") for _ in range(64)}) == 64


def test_the_file_is_open_to_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        FileKek(tmp_path / "keys" / "kek", create=True)
    finally:
        os.umask(before)
    assert (tmp_path / "keys" / "kek").stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in (tmp_path / "keys").iterdir()] == ["kek"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601, 0o777])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "kek"
    FileKek(path, create=True)
    path.chmod(mode)
    with pytest.raises(SettingsInvalid, match="open to others"):
        FileKek(path, create=True)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_open_to_its_owner_is_read(tmp_path: Path, mode: int) -> None:
    first = FileKek(tmp_path / "kek", create=True)
    (tmp_path / "kek").chmod(mode)
    assert FileKek(tmp_path / "kek").key_id == first.key_id


def test_without_create_a_missing_file_stays_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid):
        FileKek(tmp_path / "kek")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"exchange development kek 1\n",
        b"exchange development kek 1\n" + b"0" * 64,
        b"exchange development kek 1\n" + b"0" * 65 + b"\n",
        b"exchange development kek 1\n" + b"g" * 64 + b"\n",
        b"exchange development kek 1\n" + b" " * 64 + b"\n",
        b"exchange development kek 1\n" + b"\xff" * 64 + b"\n",
        b"exchange development kek 2\n" + b"0" * 64 + b"\n",
        b"x" * 1_000_000,
    ],
    ids=count(),
)
def test_a_malformed_file_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kek"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsInvalid) as refused:
        FileKek(path, create=True)
    assert path.read_bytes() == content
    assert "0000" not in str(refused.value)


def test_what_is_not_a_plain_file_is_refused(tmp_path: Path) -> None:
    FileKek(tmp_path / "kek", create=True)
    (tmp_path / "link").symlink_to(tmp_path / "kek")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("link", "pipe", "folder"):
        with pytest.raises(SettingsInvalid):
            FileKek(tmp_path / name)


def test_another_kek_does_not_unwrap(kek_named: Callable[[str], Kek]) -> None:
    first, second = kek_named("first"), kek_named("second")
    assert first.key_id != second.key_id
    with pytest.raises(KeyUnavailable):
        second.unwrap(first.wrap(KEY, b"owner"), b"owner")


@pytest.mark.parametrize("cut", [0, 5, 12, 27, 59])
def test_a_wrapping_that_was_moved_cut_or_altered_does_not_open(
    kek_named: Callable[[str], Kek], cut: int
) -> None:
    kek = kek_named("kek")
    wrapped = kek.wrap(KEY, b"owner")
    altered = wrapped[:cut] + bytes((wrapped[cut] ^ 1,)) + wrapped[cut + 1 :]
    for bad, owner in ((wrapped, b"another"), (wrapped[:cut], b"owner"), (altered, b"owner")):
        with pytest.raises(KeyUnavailable):
            kek.unwrap(bad, owner)


def test_the_key_shows_neither_in_the_id_nor_in_the_repr(tmp_path: Path) -> None:
    kek = FileKek(tmp_path / "kek", create=True)
    key = (tmp_path / "kek").read_text().split("\n")[1]
    assert kek.key_id not in key
    assert key not in repr(kek)
    assert len(kek.key_id) == 16


def test_many_who_create_at_once_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: FileKek(tmp_path / "kek", create=True).key_id, range(8)))
    assert len(set(made)) == 1
    assert FileKek(tmp_path / "kek").key_id == made[0]
