"""The log's key on ML-DSA-44 at rest: its seed, wrapped by the KEK, in a file of its own.

Promises: the file is written whole or not at all, and opens under the KEK it names and for this use alone; a
file of before, in which the key lies open, is still read, and the next start of a service wraps it; a new KEK
takes it along. In memory the key is open: no token within reach signs with it.
Source: FIPS 204 (a private key is its seed of 32 bytes); design of the ledger, section 5.
"""

from __future__ import annotations

import hmac
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from exchange.errors import KeyUnavailable, SettingsInvalid
from exchange.keys.kek import kek_of
from exchange.wiring.kek import open_kek
from exchange.wiring.private_file import read_key, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.keys.kek import Kek
    from exchange.settings import Settings

SECOND_KEY: Final = "log-mldsa.key"
_HEADER: Final = "exchange log key on ml-dsa-44, wrapped 1"
# Associated data: a wrapping of a data key or a secret does not open here, nor this one there.
_USE: Final = b"l1|log-mldsa"
_IN_THE_OPEN: Final = b"-----BEGIN"
_LINES: Final = 3
_FILE_BYTES_MAX: Final = 4_096


class _Wrapped(NamedTuple):
    kek_id: str
    seed: bytes


def new_second_key(settings: Settings) -> bytes:
    """Return what the file of a new key holds. Raises SettingsInvalid, KeyUnavailable.

    In development the KEK is made with it where there is none: a directory has no other key that needs one.
    """
    with closing(open_kek(settings, create=settings.mode == "development")) as kek:
        return _wrapped(kek, MLDSA44PrivateKey.generate().private_bytes_raw())


def read_second_key(settings: Settings) -> MLDSA44PrivateKey:
    """Return the key, wrapped or in the open. Raises SettingsInvalid, KeyUnavailable."""
    file = _file(settings)
    found = _parse(file)
    if found is None:
        key = read_key(file)
        if not isinstance(key, MLDSA44PrivateKey):
            raise SettingsInvalid("the log's second key is not ML-DSA-44", file=file.name)
        return key
    with closing(open_kek(settings)) as kek:
        return MLDSA44PrivateKey.from_seed_bytes(_opened(kek, found))


def take_under_kek(settings: Settings) -> None:
    """Wrap the key where it lies in the open. Raises SettingsInvalid, KeyUnavailable."""
    file = _file(settings)
    if _parse(file) is None:
        seed = read_second_key(settings).private_bytes_raw()
        with closing(open_kek(settings)) as kek:
            write_private(file, _wrapped(kek, seed))


def second_key_wrapped_by(settings: Settings) -> str:
    """Return the id of the KEK that wraps the key, empty where there is no key or it lies in the open."""
    file = _file(settings)
    found = _parse(file) if file.exists() else None
    return "" if found is None else found.kek_id


def rewrap_second_key(settings: Settings, kek: Kek) -> int:
    """Wrap the key under `kek` where another of its ring wraps it, or none; return how many that were.

    Raises KeyUnavailable where it does not open: then the file is as it was.
    """
    file = _file(settings)
    if not file.exists() or second_key_wrapped_by(settings) == kek.key_id:
        return 0
    found = _parse(file)
    seed = read_second_key(settings).private_bytes_raw() if found is None else _opened(kek, found)
    write_private(file, _wrapped(kek, seed))
    return 1


def _file(settings: Settings) -> Path:
    return settings.keys_folder / SECOND_KEY


def _wrapped(kek: Kek, seed: bytes) -> bytes:
    wrapped = kek.wrap(seed, _USE)
    if not hmac.compare_digest(kek.unwrap(wrapped, _USE), seed):
        raise KeyUnavailable("what the KEK wrapped opens as another key", kek=kek.key_id)
    return _written(_Wrapped(kek.key_id, wrapped))


def _written(found: _Wrapped) -> bytes:
    return f"{_HEADER}\n{found.kek_id}\n{found.seed.hex()}\n".encode()


def _opened(kek: Kek, found: _Wrapped) -> bytes:
    return kek_of(kek, found.kek_id, "the log's second key").unwrap(found.seed, _USE)


def _parse(file: Path) -> _Wrapped | None:
    """Return what a file holds, None for a key in the open. Raises SettingsInvalid."""
    unreadable = SettingsInvalid("the log's second key cannot be read", file=file.name)
    try:
        with file.open("rb") as source:
            content = source.read(_FILE_BYTES_MAX + 1)
        if content.startswith(_IN_THE_OPEN):
            return None
        _, kek_id, wrapped = content.decode("ascii").split("\n", _LINES - 1)
        found = _Wrapped(kek_id, bytes.fromhex(wrapped))
    except (OSError, ValueError):
        raise unreadable from None
    # Whatever was read leniently is written in another way.
    if content != _written(found):
        raise unreadable
    return found
