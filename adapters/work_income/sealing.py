"""Keeps what is personal in the journal unreadable without a key that lies beside it.

Promises: a BSN and what Suwinet told of a resident stand in no file in the clear; a copy of the journal alone
says about whom it is to nobody, and a sealed row put in another place does not open.
Source: GDPR 5(1)(f), 32; `adapters/kit/sealing.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.kit import sealing
from adapters.kit.put_aside import CannotOpen
from adapters.kit.sealing import KeyUnusable, key_at
from adapters.work_income.errors import ConfigInvalid, JournalUnreadable

if TYPE_CHECKING:
    from pathlib import Path


class Seal(sealing.Seal):
    """Seals and opens under one key, with the errors of this adapter."""

    @classmethod
    def at(cls, file: Path, *, make: bool = True) -> Seal:
        """Read the key of a file, or make it where that may be. Raises ConfigInvalid."""
        try:
            return cls(key_at(file, make=make))
        except KeyUnusable as unusable:
            raise ConfigInvalid(str(unusable)) from None

    def open(self, sealed: bytes, about: str) -> bytes:
        """Return what was sealed for this place. Raises JournalUnreadable."""
        try:
            return super().open(sealed, about)
        except CannotOpen:
            raise JournalUnreadable("a row of the journal does not open with this key") from None
