"""PDFs that are set while somebody waits: a few at once, one of each person.

Promises: whoever asks for many takes no place of others and no processor of the exchange; residents have
places of their own; where none can be set here, a page says what to choose instead.
Source: OWASP ASVS 5.0 chapter 2 (business logic limits); ISO 14289-1 (PDF/UA-1).
"""

from __future__ import annotations

import asyncio
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from exchange.console.language import later
from exchange.console.refusals import Refused
from exchange.documents.typeset import pdf_of
from exchange.errors import DocumentNotSet, SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from exchange.documents.blocks import Document

# Each is a process of its own that may take seconds of a processor.
PDFS_AT_ONCE: Final = 2
_BUSY: Final = later("Er worden al documenten gemaakt. Probeer het zo opnieuw.")


class Press:
    """Some places to set a PDF at. Safe between threads: a browser that goes away ends no thread."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._busy_for: set[Hashable] = set()
        self._lock = threading.Lock()

    async def set(self, document: Callable[[], Document], whose: Hashable, instead: str) -> bytes:
        """Return the file. Raises Refused with `instead` where it cannot be made at all."""
        self.take(whose)
        try:
            return await asyncio.to_thread(self._set, document, whose)
        except (SettingsInvalid, DocumentNotSet):
            raise Refused("NO_PDF", instead, HTTPStatus.NOT_IMPLEMENTED) from None

    def take(self, whose: Hashable) -> None:
        """Take a place. Raises Refused where there is none, or this person has one."""
        with self._lock:
            if not self._free or whose in self._busy_for:
                raise Refused("PDFS_BUSY", _BUSY, HTTPStatus.SERVICE_UNAVAILABLE)
            self._free -= 1
            self._busy_for.add(whose)

    def give_back(self, whose: Hashable) -> None:
        """Give the place back."""
        with self._lock:
            self._free += 1
            self._busy_for.remove(whose)

    def _set(self, document: Callable[[], Document], whose: Hashable) -> bytes:
        try:
            return pdf_of(document())
        finally:
            self.give_back(whose)


STAFF: Final = Press(PDFS_AT_ONCE)
RESIDENTS: Final = Press(PDFS_AT_ONCE)
