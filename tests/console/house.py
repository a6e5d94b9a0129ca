"""A console over a real exchange, and people who sign in to it: a town, a provider, and visitors."""

from __future__ import annotations

import os
import re
from io import StringIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from adapters.simulators.identity_provider.people import PEOPLE, REPRESENTATIVES, resident
from adapters.simulators.identity_provider.whole import IdentityProvider
from exchange.logs import open_log
from exchange.wiring.console import console_of, line_of
from exchange.wiring.console_door import ConsoleDoor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from adapters.simulators.identity_provider.people import Somebody
    from exchange.settings import Settings
    from tests.server.town import Town

SECRET = "a secret of the tests"
HERE = "https://localhost:9443"
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
OFFICER, OFFICER_2, AUTHOR, APPROVER, INSIGHT, APPROVER_2, KEEPER = (person.subject for person in PEOPLE)
RESIDENT = "inwoner-1"
PARENT, MENTOR = (person.subject for person in REPRESENTATIVES)


class House:
    """One console, on the loop of its town. `bsn` is that of the resident who can sign in."""

    def __init__(
        self,
        town: Town,
        folder: Path,
        bsn: str,
        provided: Mapping[str, Any] | None = None,  # how its provider is, besides as always
        **changes: Any,  # noqa: ANN401 -- any setting
    ) -> None:
        self.town = town
        self.bsn = bsn
        self.people: tuple[Somebody, ...] = (*PEOPLE, *REPRESENTATIVES, resident(bsn, 1))
        self.provider = IdentityProvider(self.people, client_secret=SECRET, **(provided or {})).start()
        folder.mkdir(parents=True, exist_ok=True)
        secret = folder / "secret"
        secret.write_text(SECRET)
        self.settings: Settings = town.settings.model_copy(
            update={
                "console_port": 0,
                "console_issuer": self.provider.issuer,
                "console_client_secret_file": secret,
                "console_target": town.target,
            }
            | changes
        )
        self._lines = StringIO()
        self._log = open_log(stream=self._lines)
        self._door: ConsoleDoor | None = None
        self._clients: list[httpx2.AsyncClient] = []

        async def opened() -> None:
            self.line = line_of(self.settings, town.target, town.now)

        town.run(opened)
        self.restart()

    def restart(self) -> None:
        """Let another console take its place, as after a restart: it knows nothing of before."""

        async def begun() -> Any:  # noqa: ANN401 -- a Console
            made = {"log": self._log, "clock": self.town.now, "fresh": os.urandom}
            return console_of(self.settings, HERE, self.line, **made)

        self.app = self.town.run(begun)

    def open_door(self, port: int = 0) -> str:
        """Serve it over HTTPS too, for browsers; return its address. Opened again, the one before is shut."""
        from exchange.wiring.service import door_material

        settings = self.settings.model_copy(update={"console_port": port})
        material, _, _ = door_material(settings)

        async def opened() -> str:
            if self._door is not None:
                await self._door.stop(1.0)
            self._door = ConsoleDoor(settings, material, self._log, self.town.now)
            return await self._door.start()

        return str(self.town.run(opened))

    def close(self) -> None:
        async def closed() -> None:
            for client in self._clients:
                await client.aclose()
            if self._door is not None:
                await self._door.stop(1.0)
            await self.line.close()

        self.town.run(closed)
        self.provider.close()

    def log(self) -> str:
        """Return every line of the console's log."""

        async def turn() -> None:
            """Let the loop write what waits."""

        self.town.run(turn)
        return self._lines.getvalue()

    @property
    def pseudonym(self) -> bytes:
        """Return what the municipality knows its resident by."""
        return self.town.pseudonym(self.town.worker(), self.bsn)

    def visitor(self) -> Visitor:
        """Return somebody with a browser of his own, not signed in."""
        return Visitor(self)

    def as_(self, subject: str) -> Visitor:
        """Return somebody who signed in."""
        visitor = self.visitor()
        answer = visitor.sign_in(subject)
        assert answer.status_code == 303, answer.text
        return visitor


class Visitor:
    """One browser, without a screen and without JavaScript: it keeps cookies and follows nothing."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return self._ask("GET", path, headers)

    def head(self, path: str) -> httpx2.Response:
        return self._ask("HEAD", path, {})

    def post(
        self, path: str, form: Mapping[str, str | list[str]], headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        told = urlencode(form, doseq=True).encode()
        return self._ask("POST", path, kind | dict(headers or {}), told)

    def send(self, path: str, body: bytes, kind: str) -> httpx2.Response:
        """Post a form of another kind, such as one with a file."""
        return self._ask("POST", path, {"Content-Type": kind}, body)

    async def posting(self, path: str, form: Mapping[str, str]) -> httpx2.Response:
        """Post a form on the loop of the town, at the same time as others."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._asking("POST", path, kind, urlencode(form).encode())

    async def _asking(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> httpx2.Response:
        cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        told = dict(headers) | (cookie if self.cookies else {})
        transport = httpx2.ASGITransport(self._house.app)
        async with httpx2.AsyncClient(transport=transport, base_url=HERE) as client:
            return await client.request(method, path, headers=told, content=body)

    def csrf(self, path: str = "/") -> str:
        """Return the word that stands in the forms of a page."""
        found = CSRF.search(self.get(path).text)
        assert found is not None
        return found[1]

    def begin(self) -> dict[str, str]:
        """Begin to sign in; return what the provider is asked."""
        told = self.get("/inloggen").headers["location"]
        return {name: values[0] for name, values in parse_qs(urlsplit(told).query).items()}

    def code_for(self, asked: Mapping[str, str], subject: str) -> dict[str, str]:
        """Pick a person at the provider; return what it sends along on the way back."""
        place = f"{self._house.provider.issuer}/chosen"
        chosen = httpx2.get(place, params=dict(asked) | {"subject": subject})
        query = urlsplit(chosen.headers["location"]).query
        return {name: values[0] for name, values in parse_qs(query).items()}

    def sign_in(
        self, subject: str, change: Callable[[dict[str, str]], None] = lambda _: None
    ) -> httpx2.Response:
        """Sign in; `change` is what somebody in between makes of the way back."""
        back = self.code_for(self.begin(), subject)
        change(back)
        return self.get(f"/terug?{urlencode(back)}")

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> httpx2.Response:
        answer: httpx2.Response = self._house.town.run(lambda: self._asking(method, path, headers, body))
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value, _, about = rest.partition(";")
            assert "Secure" in about
            assert "HttpOnly" in about
            assert "Path=/" in about
            assert "Domain" not in about
            if "Max-Age=0" in about:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer
