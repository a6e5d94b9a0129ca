"""Which KEK a service opens with, and where those before it are looked for.

Promises: nothing is made but on request. Who can write the key database and a file beside it must not get
his own KEK taken for a former one: a service takes former KEKs from the token alone; a rotation also the one
in the file, or in the settings, that it is told.
Source: LEDGER design, section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.errors import SettingsInvalid
from exchange.keys.hsm import Hsm
from exchange.keys.kek import FileKek, Kek, KekRing, private_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings

PIN_BYTES_MAX: Final = 200


def kek_file(settings: Settings) -> Path:
    """Where the KEK lies that is kept in a file."""
    return settings.kek_file or settings.keys_folder / "kek"


def open_kek(settings: Settings, *, create: bool = False) -> KekRing:
    """Return the KEK that settings name; in a token, with those before it in the same token.

    With `create`, one in a file is made where it is missing; one in a token never is: that is a ceremony.
    Raises SettingsInvalid, KeyUnavailable.
    """
    if settings.kek == "pkcs11":
        hsm = open_hsm(settings)
        return KekRing(hsm.kek(settings.kek_label), hsm.kek_named, hsm.close)
    return KekRing(FileKek(kek_file(settings), create=create), lambda _: None)


def open_keks(settings: Settings, former: Settings | None) -> KekRing:
    """Return the KEK that settings name, with those that a rotation may open: as `former` settings name it.

    Without `former`, the one in the file of these settings is it, where there is one and the new one lies in
    a token. Raises SettingsInvalid, KeyUnavailable.
    """
    ring = open_kek(settings)
    if former is not None:
        before = open_kek(former)
    elif settings.kek == "pkcs11" and kek_file(settings).exists():
        before = KekRing(FileKek(kek_file(settings)), lambda _: None)
    else:
        return ring
    return KekRing(ring.current, lambda key_id: ring.named(key_id) or before.named(key_id))


def open_hsm(settings: Settings) -> Hsm:
    """Return the token that settings name. Raises SettingsInvalid, KeyUnavailable."""
    if settings.kek_module is None:
        raise SettingsInvalid("a key in hardware needs this setting", name="kek_module")
    return Hsm(settings.kek_module, settings.kek_token, lambda: _pin(settings))


def make_kek(settings: Settings) -> Kek:
    """Make the KEK that settings name. Raises SettingsInvalid where there is one already."""
    if settings.kek == "pkcs11":
        return open_hsm(settings).create(settings.kek_label)
    file = kek_file(settings)
    if file.exists():
        raise SettingsInvalid("there is a KEK in this file already", file=file.name)
    return FileKek(file, create=True)


def kind_of(kek: Kek) -> str:
    """Return where a KEK is kept, in words."""
    current = kek.current if isinstance(kek, KekRing) else kek
    return "in a file" if isinstance(current, FileKek) else "in hardware"


def _pin(settings: Settings) -> str:
    if settings.kek_pin_file is None:
        return settings.kek_pin
    try:
        pin = private_bytes(settings.kek_pin_file, "the PIN file", PIN_BYTES_MAX + 2).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        pin = ""
    if not pin or len(pin) > PIN_BYTES_MAX:
        raise SettingsInvalid("the PIN file holds no PIN: one line of text", name="kek_pin_file")
    return pin
