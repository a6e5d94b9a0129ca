"""Signing in and out: the way to the identity provider and back, and what becomes of who it says came.

Promises: a login is of the browser that began it, once; the number of a session is new at each login; a
resident's BSN is blinded in the very request that brought it and kept nowhere; signing out ends both.
Source: OpenID Connect Core 1.0; RP-Initiated Logout 1.0; RFC 9700; Wabb art. 10.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import RedirectResponse

from exchange.console.blinding import is_bsn
from exchange.console.language import later
from exchange.console.logins import LOGIN_S_MAX
from exchange.console.recognition import recognise
from exchange.console.refusals import LoginRefused
from exchange.console.roles import RESIDENT, role_of
from exchange.console.session import COOKIE, LOGIN_COOKIE, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from exchange.console.blinding import Pins
    from exchange.console.line import Line
    from exchange.console.provider import Provider
    from exchange.console.session import Sessions
    from exchange.console.turns import Turns

BEGIN: Final = "/inloggen"
BACK: Final = "/terug"
LEAVE: Final = "/uitloggen"
ONWARD_CHARS_MAX: Final = 500
NAME_CHARS_MAX: Final = 100
# Residents are known by their pseudonym; what a provider calls one of them is nobody's business.
ANY_RESIDENT: Final = "console"
_is_onward = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@%?-][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?").fullmatch
_between_digits = re.compile(r"(?<=[0-9])[._:/@+-](?=[0-9])").sub
_digits = re.compile(r"[0-9]+").findall
_is_uuid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_is_professional = re.compile(r"[A-Za-z0-9:._/@+-]{1,60}").fullmatch


@dataclass(frozen=True, slots=True)
class Claims:
    """Which claims of an ID token say what, as the provider of this municipality writes them."""

    role: str
    roles: Mapping[str, str]  # value of that claim -> name of one of our roles
    bsn: str
    two_factor: frozenset[str]  # values of `amr` or `acr` that mean two factors


class Desk:
    """Where people come in and go out. Owned by the event loop."""

    def __init__(
        self,
        provider: Provider,
        sessions: Sessions,
        line: Line,
        claims: Claims,
        clock: Callable[[], float],
        *,
        pins: Pins,
        turns: Turns,
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._line = line
        self._claims = claims
        self._clock = clock
        self._pins = pins
        self._turns = turns

    async def begin(self, request: Request, language: str) -> Response:
        """Send a person to the provider."""
        number, login = self._sessions.logins.begin(onward(request.query_params.get("naar", "/")))
        answer = RedirectResponse(await self._provider.begin(login, language), HTTPStatus.SEE_OTHER)
        _set(answer, LOGIN_COOKIE, number, LOGIN_S_MAX)
        return answer

    async def back(self, request: Request) -> Response:
        """Let in who comes back from the provider. Raises LoginRefused."""
        told = request.query_params
        login = self._sessions.logins.end(request.cookies.get(LOGIN_COOKIE, ""), told.get("state", ""))
        if login is None:
            raise LoginRefused(
                "STATE_UNKNOWN", later("Deze aanmelding is al gebruikt, te oud, of van een ander venster.")
            )
        session = await self._session(await self._provider.finish(login, told))
        # The number a browser had before is nobody's from here on.
        self._sessions.close(request.cookies.get(COOKIE, ""))
        where = session.role.home if login.onward == "/" else login.onward
        answer = RedirectResponse(where, HTTPStatus.SEE_OTHER)
        _set(answer, COOKIE, self._sessions.open(session), None)
        _drop(answer, LOGIN_COOKIE)
        return answer

    async def leave(self, request: Request, home: str) -> Response:
        """End a session, here first, and at the provider."""
        self._sessions.close(request.cookies.get(COOKIE, ""))
        try:
            where = await self._provider.leave(home)
        except LoginRefused:
            # Whoever wants to go is let go, also while the provider is away.
            where = home
        answer = RedirectResponse(where, HTTPStatus.SEE_OTHER)
        # Another site's form comes without the cookie, and takes none away.
        if COOKIE in request.cookies:
            _drop(answer, COOKIE)
        return answer

    async def _session(self, claims: Mapping[str, Any]) -> Session:
        role = role_of(claims, self._claims.role, self._claims.roles)
        subject = claims["sub"]
        if role is not RESIDENT and not (isinstance(subject, str) and _is_professional(subject)):
            raise LoginRefused("SUBJECT", later("De aanmelddienst gaf geen bruikbaar kenmerk door."))
        amr = claims.get("amr")
        told = (*(amr if isinstance(amr, list) else ()), claims.get("acr"))
        # A provider may write anything there; what is no word is none of ours.
        shown = {one for one in told if isinstance(one, str)}
        session = Session(
            role=role,
            professional=ANY_RESIDENT if role is RESIDENT else subject,
            name=_name(claims),
            two_factor=bool(self._claims.two_factor & shown),
            auth_time=claims["auth_time"],
            csrf=self._sessions.word(),
            began=self._clock(),
        )
        if role is not RESIDENT:
            return session
        bsn, number = claims.get(self._claims.bsn), self._sessions.fresh_id()
        self._turns.take(role.name, str(bsn))
        resident = await recognise(bsn, session, self._line, self._pins, number)
        return replace(session, resident=resident, himself=resident, person=_person(subject))


def onward(told: str) -> str:
    """Return a place of this console to go on to; its beginning for anything else."""
    return told if len(told) <= ONWARD_CHARS_MAX and _is_onward(told) else "/"


def _person(subject: object) -> str:
    """Return by what a record of representation can know somebody; nothing where a BSN may stand in it."""
    if not isinstance(subject, str) or not _is_professional(subject):
        return ""
    numbers = () if _is_uuid(subject) else _digits(_between_digits("", subject))
    return "" if any(map(is_bsn, numbers)) else subject


def _name(claims: Mapping[str, Any]) -> str:
    told = claims.get("name", "")
    return told[:NAME_CHARS_MAX] if isinstance(told, str) and told.isprintable() else ""


def _set(answer: Response, name: str, value: str, seconds: int | None) -> None:
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def _drop(answer: Response, name: str) -> None:
    answer.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
