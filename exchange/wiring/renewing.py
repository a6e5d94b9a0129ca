"""Certificates renewed on disk are shown without a restart: looked for twice a minute, at once on SIGHUP.

Promises: what does not fit together, as a renewal that is half written, changes nothing and is logged once;
the next look sees the other half. No call is refused and no connection closed for it.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509

from exchange.databases.place import certificate_of
from exchange.errors import SettingsInvalid
from exchange.server.certificates import Material, refuse_out_of_time, refuse_unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from exchange.settings import Settings

LOOKED_EVERY_S: Final = 30.0
DOOR_FOLDER: Final = "door"
DATABASES: Final = (
    ("events", "postgres"),
    ("keys", "keys_postgres"),
    ("checkpoints", "checkpoints_postgres"),
)
_EVENTS: Final = {"door": "certificates", "credentials": "credentials"}


def door_files(settings: Settings) -> tuple[Path, Path, Path]:
    """Return where certificate, key and authorities of the door lie. Raises SettingsInvalid."""
    if settings.mode == "production":
        named = (settings.server_certificate, settings.server_key, settings.client_authorities)
        found = tuple(path for path in named if path is not None)
        if len(found) != len(named):
            raise SettingsInvalid("production needs the files of the door")
        return found[0], found[1], found[2]
    door = settings.data / DOOR_FOLDER
    return door / "server.pem", door / "server.key", door / "ca.pem"


def read_material(files: Sequence[Path]) -> Material:
    """Read the three files. Raises SettingsInvalid."""
    try:
        certificate, key, authorities = (path.read_bytes() for path in files)
    except OSError as error:
        raise SettingsInvalid("a certificate file cannot be read") from error
    return Material(certificate, key, authorities)


def line_certificates(settings: Settings) -> Iterator[tuple[str, str, Path]]:
    """Yield what the service shows on lines of its own: the line, the setting that names the file, the file.

    It is read at the start; another one is shown after the next.
    """
    for line, name in (("nodes", "node_certificate"), ("second_party", "identity_line_certificate")):
        if (named := getattr(settings, name)) is not None:
            yield line, name, named


def read_anew(settings: Settings) -> Iterator[tuple[str, str, Path]]:
    """Yield what else the service shows, as `line_certificates` does: files read again without a restart.

    The console's at its next look, those towards PostgreSQL at each new connection.
    """
    if settings.console_credentials is not None:
        yield "console", "console_credentials", settings.console_credentials / "client.pem"
    if settings.store == "postgres":
        for line, name in DATABASES:
            if (dsn := getattr(settings, name)) and (file := certificate_of(dsn)) is not None:
                yield line, name, file


def end_now(file: Path) -> float:
    """Return when the certificate that lies there ends, Unix time; 0 where there is none that can be read."""
    try:
        return end_of_file(file).timestamp()
    except SettingsInvalid:
        return 0.0


def ends_read_anew(settings: Settings) -> tuple[tuple[str, Callable[[], float]], ...]:
    """Return what tells of each line of `read_anew` when its certificate ends, whenever it is asked."""
    return tuple((line, partial(end_now, file)) for line, _, file in read_anew(settings))


def end_of_file(file: Path) -> datetime:
    """Return when the certificate in a file ends, PEM. Raises SettingsInvalid."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except OSError:
        raise SettingsInvalid("a certificate file cannot be read", file=file.name) from None
    except ValueError:
        raise SettingsInvalid("this is not a certificate in PEM", file=file.name) from None


class Renewing:
    """Owned by one event loop. `shown` is what the doors show; `doors` are told of another."""

    def __init__(
        self,
        files: Sequence[Path],
        shown: Material,
        doors: Sequence[Callable[[Material], None]],
        log: Any,  # noqa: ANN401 -- structlog's bound logger has no public type
        clock: Callable[[], datetime],
        *,
        beside: Sequence[Callable[[], bool]] = (),
    ) -> None:
        """`beside` look at files of their own; each tells whether it took others."""
        self._beside = beside
        self._files = files
        self._shown = shown
        self._told: dict[str, str] = {}  # of whom the last look changed nothing, and why
        self._doors = doors
        self._log = log
        self._clock = clock
        self._now = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._now.set)
        self._looking = loop.create_task(self._look())

    async def stop(self) -> None:
        """Look no more; SIGHUP stays taken over, or it would end what drains."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOKED_EVERY_S):
                    await self._now.wait()
            self._now.clear()
            self.take()

    def take(self) -> None:
        """Show what lies there, where it is another and fits together; and let those beside look."""
        for name, looked in (("door", self._take_door), ("credentials", self._take_beside)):
            try:
                looked()
            except SettingsInvalid as error:
                self._tell_refused(name, error)
            else:
                self._told.pop(name, None)

    def _take_door(self) -> None:
        found = read_material(self._files)
        if found == self._shown:
            return
        refuse_unfit(found)
        refuse_out_of_time(found, self._clock())
        for door in self._doors:
            door(found)
        self._shown = found
        self._log.info("certificates_renewed")

    def _take_beside(self) -> None:
        for look in self._beside:
            if look():
                self._log.info("credentials_renewed")

    def _tell_refused(self, name: str, error: SettingsInvalid) -> None:
        # The same unfit files are not told of twice a minute for a week.
        if str(error) != self._told.get(name):
            self._log.warning(f"{_EVENTS[name]}_refused", reason=error.code)
        self._told[name] = str(error)
