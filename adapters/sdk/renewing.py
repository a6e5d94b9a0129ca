"""Takes renewed credentials into use without a restart: a folder that is looked at between two passes.

Promises: what does not belong together, or is half written, is left aside and looked at again when it changed
once more; the client goes on with what it has. Credentials of another organisation are refused. Works for the
blocking and the asyncio client alike, and for all their siblings; calls and streams under way end on the old
connection.
Source: ADAPTERS: mutual TLS with rotation; `OrganisationService.AddCertificate` lets two stand at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import CredentialsInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sdk.base import Client

FILES: Final = ("ca.pem", "client.pem", "client.key", "signing.key", "organisation.json")
State = tuple[tuple[int, int, int] | None, ...]


class Renewal:
    """One folder of credentials and the client that uses them. Owned by the thread that looks."""

    def __init__(self, folder: Path, client: Client[Any, Any], current: Credentials) -> None:
        """Watch a folder; `current` is what the client was made with, from that very folder."""
        self._folder: Final = folder
        self._client: Final = client
        self.current = current
        # Nothing was seen yet: the first look compares the files with what is in use.
        self._seen: State = ()

    def look(self) -> bool:
        """Tell whether the client goes on with other credentials from now on.

        Raises CredentialsInvalid once for each state of the folder that cannot be used.
        """
        seen = self._state()
        if seen == self._seen:
            return False
        found = self._load(seen)
        if _parts(found) == _parts(self.current):
            return False
        self._client.rotate(found)
        self.current = found
        return True

    def _load(self, seen: State) -> Credentials:
        """Load what stands now; remember the state, so that one fault is told once."""
        self._seen = seen
        found = Credentials.load(self._folder)
        if self._state() != seen:
            # Somebody is writing: what was read may be of both.
            self._seen = ()
            raise CredentialsInvalid("the credentials changed while they were read; they are read again")
        return found

    def _state(self) -> State:
        return tuple(_stamp(self._folder / name) for name in FILES)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _parts(one: Credentials) -> tuple[bytes, bytes, bytes]:
    return one.root_pem, one.certificate_pem, one.signing_key.public_key().public_bytes_raw()
