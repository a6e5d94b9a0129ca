"""The console of a service, and one that runs alone: what its settings must be, and what it is made of.

Promises: half a console is refused before anything is opened; without a port there is none, and nothing of
it is loaded; it shows the door's own certificate and reaches the exchange as any system does.
Source: exchange/decisions/0125-the-console-is-a-client.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from exchange.errors import SettingsInvalid
from exchange.server.beside import counted
from exchange.server.web.door import WebDoor, server_tls
from exchange.settings import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from exchange.console.line import Line
    from exchange.server.certificates import Material
    from exchange.settings import Settings

# With one of these a console is meant, and then all are needed.
NEEDED: Final = ("console_issuer", "console_client_secret_file")
NEEDED_IN_PRODUCTION: Final = ("console_url", "console_target", "console_credentials")
# Where the credentials of the operator lie in development.
OPERATOR_FOLDER: Final = "operator"
ROLE_NAMES: Final = frozenset({"officer", "author", "approver", "resident", "insight", "keeper"})


def refuse_half_a_console(settings: Settings) -> None:
    """Raise SettingsInvalid for a console that nobody could sign in to, or anybody."""
    given = [name for name in NEEDED if getattr(settings, name)]
    if settings.console_port is None:
        if given:
            raise SettingsInvalid("a console needs a port", name="console_port")
        return
    for name in NEEDED:
        if name not in given:
            raise SettingsInvalid("nobody looks without signing in: a console needs this setting", name=name)
    at = urlsplit(settings.console_issuer)
    if at.scheme != "https" and (at.hostname not in LOOPBACK or settings.mode == "production"):
        raise SettingsInvalid("the identity provider is reached by https", name="console_issuer")
    if settings.mode == "production":
        for name in NEEDED_IN_PRODUCTION:
            if not getattr(settings, name):
                raise SettingsInvalid("a console in production needs this setting", name=name)
    roles_of(settings)


def roles_of(settings: Settings) -> dict[str, str]:
    """Return which value of the claim is which role. Raises SettingsInvalid."""
    found: dict[str, str] = {}
    for pair in settings.console_roles.split(","):
        value, _, role = pair.strip().rpartition("=")
        if not value or role not in ROLE_NAMES or value in found:
            raise SettingsInvalid(
                "roles are written value=role, with commas between, each value once", name="console_roles"
            )
        found[value] = role
    return found


class ConsoleDoor:
    """The console over HTTPS, with the door's own certificate; closed unless the settings name a port."""

    def __init__(
        self,
        settings: Settings,
        material: Material,
        log: Any,  # noqa: ANN401 -- structlog's bound logger has no public type
        clock: Callable[[], datetime],
        log_keys: Callable[[], tuple[str, ...]] = tuple,
        *,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`count` gets the class of the status of each answer."""
        self._settings = settings
        self._log_keys = log_keys
        self._log = log
        self._clock = clock
        self._app: Any = None  # set before the first request is read
        self._line: Line | None = None

        # A function: of a method the library believes that it speaks an older ASGI.
        async def answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- as ASGI has it
            assert self._app is not None, "a request came before the door was open"
            await self._app(scope, receive, send)

        self._door = WebDoor(
            counted(answer, count),
            settings.console_host,
            lambda: server_tls(material.server_certificate, material.server_key),
        )

    async def start(self, exchange_port: int = 0) -> str:
        """Open it; return how browsers reach it, "" where there is none. Raises SettingsInvalid."""
        settings = self._settings
        if settings.console_port is None:
            return ""
        try:
            from exchange.wiring.console import console_of, line_of  # noqa: PLC0415 -- the extra may not be there
        except ModuleNotFoundError:
            raise SettingsInvalid(
                "a console needs the extra `console`: pip install 'exchange[console]'", name="console_port"
            ) from None
        # Before the port opens: what is wrong with the settings is told, and nobody waits at a shut door.
        target = settings.console_target or f"localhost:{exchange_port}"
        self._line = line_of(settings, target, self._clock)
        port = await self._door.start(settings.console_port)
        url = settings.console_url or f"https://localhost:{port}"
        self._app = console_of(
            settings,
            url,
            self._line,
            log=self._log,
            clock=self._clock,
            fresh=os.urandom,
            log_keys=self._log_keys,
        )
        return url

    def renew(self, material: Material) -> None:
        """Show another certificate from the next connection on. Raises SettingsInvalid."""
        self._door.renew(material)

    def look(self) -> bool:
        """Take up the credentials that lie there; tell whether they are others. Raises SettingsInvalid."""
        if self._line is None:
            return False
        from exchange.wiring.console import renewed_credentials  # noqa: PLC0415 -- as at the start

        found = renewed_credentials(self._settings, self._line.organisation)
        if found is not None:
            self._line.renew(found)
        return found is not None

    async def stop(self, grace_s: float) -> None:
        """Close it, and its line."""
        await self._door.stop(grace_s)
        if self._line is not None:
            await self._line.close()


def credentials_folder(settings: Settings) -> Path:
    """Return where the console's own credentials lie."""
    return settings.console_credentials or settings.data / OPERATOR_FOLDER
