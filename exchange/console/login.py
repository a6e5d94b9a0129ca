"""Signing in and out: the way to the identity provider and back, and what becomes of who it says came.

Promises: a login is of the browser that began it, once; the number of a session is new at each login; a
resident's BSN is blinded in the very request that brought it and kept nowhere; signing out ends the session
here, asks the provider to end its own, and says whether it could be asked; who left comes in again only by
showing anew who he is, whatever the provider remembers.
Source: OpenID Connect Core 1.0; RP-Initiated Logout 1.0; RFC 9700; Wabb art. 10; ADR 173.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.responses import RedirectResponse

from exchange.console.blinding import is_bsn
from exchange.console.language import later
from exchange.console.logins import LOGIN_S_MAX
from exchange.console.recognition import recognise
from exchange.console.refusals import LoginRefused
from exchange.console.roles import RESIDENT, role_of
from exchange.console.session import COOKIE, LEAVING_COOKIE, LOGIN_COOKIE, Session, same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from exchange.console.blinding import Pins
    from exchange.console.line import Line
    from exchange.console.provider import Proven, Provider
    from exchange.console.roles import Role
    from exchange.console.session import Sessions
    from exchange.console.turns import Turns

BEGIN: Final = "/inloggen"
BACK: Final = "/terug"
LEAVE: Final = "/uitloggen"
ONWARD_CHARS_MAX: Final = 500
NAME_CHARS_MAX: Final = 100
# It goes along in an address.
ID_TOKEN_CHARS_MAX: Final = 4_000
LEAVING_S_MAX: Final = 10 * 60
# What a browser that signed out keeps in the place of a word, where the provider was not asked.
NO_PLACE, AWAY = "1", "2"
# What somebody reads who signed out: how it looks, and the words.
LEFT: Final = ("good", later("U bent uitgelogd, hier en bij de aanmelddienst."))
LEFT_HERE: Final = (
    "warn",
    later("U bent hier uitgelogd. Of u ook bij de aanmelddienst bent uitgelogd, is niet bekend."),
)
LEFT_ALONE: Final = {
    NO_PLACE: (
        "warn",
        later(
            "U bent hier uitgelogd. De aanmelddienst kan van hieruit niet worden uitgelogd: daar bent u "
            "misschien nog aangemeld."
        ),
    ),
    AWAY: (
        "warn",
        later(
            "U bent hier uitgelogd. De aanmelddienst was niet bereikbaar: daar bent u misschien nog "
            "aangemeld."
        ),
    ),
}
_NOT_ANEW: Final = later(
    "De aanmelddienst vroeg niet opnieuw wie u bent. Sluit alle vensters van uw browser en log opnieuw in."
)
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
        return await self._begun(onward(request.query_params.get("naar", "/")), language)

    async def back(self, request: Request, language: str) -> Response:
        """Let in who comes back from the provider. Raises LoginRefused."""
        told, kept = request.query_params, request.cookies.get(LOGIN_COOKIE, "")
        login = self._sessions.logins.end(kept, told.get("state", ""))
        if login is None:
            where = self._sessions.logins.begun_elsewhere(kept)
            if where is not None:
                # The console started anew while he signed in: once more, and he comes where he wanted.
                return RedirectResponse(again(onward(where)), HTTPStatus.SEE_OTHER)
            raise LoginRefused(
                "STATE_UNKNOWN", later("Deze aanmelding is al gebruikt, te oud, of van een ander venster.")
            )
        session = await self._session(await self._provider.finish(login, told))
        # What he showed since this login began, in whole seconds, is no remembrance, however soon he is back.
        if self._sessions.has_left(session) and session.auth_time < int(login.began):
            if login.anew:
                raise LoginRefused("NOT_ANEW", _NOT_ANEW)
            return await self._begun(login.onward, language, anew=True)
        # The number a browser had before is nobody's from here on.
        self._sessions.close(request.cookies.get(COOKIE, ""))
        where = session.role.home if login.onward == "/" else login.onward
        answer = RedirectResponse(where, HTTPStatus.SEE_OTHER)
        _set(answer, COOKIE, self._sessions.open(session), None)
        _drop(answer, LOGIN_COOKIE)
        return answer

    async def leave(self, request: Request, home: str) -> Response:
        """End a session, here first, and at the provider."""
        session, state = self._sessions.leave(request.cookies.get(COOKIE, "")), self._sessions.word()
        try:
            where = await self._provider.leave(home, state, session.id_token if session else "")
            kept = state if where else NO_PLACE
        except LoginRefused:
            # Whoever wants to go is let go, also while the provider is away.
            where, kept = "", AWAY
        answer = RedirectResponse(where or home, HTTPStatus.SEE_OTHER)
        # Another site's form comes without the cookie, and takes none away.
        if COOKIE in request.cookies:
            _drop(answer, COOKIE)
        # Of a safe view nothing outlives the session, not even that somebody signed out.
        if session is not None and not session.safe:
            _set(answer, LEAVING_COOKIE, kept, LEAVING_S_MAX)
        return answer

    def left(self, request: Request) -> tuple[str, str] | None:
        """Return how it looks and what somebody reads who just signed out; None for anybody else."""
        kept, told = request.cookies.get(LEAVING_COOKIE, ""), request.query_params.get("state", "")
        if not kept:
            return None
        return LEFT_ALONE.get(kept) or (LEFT if same(told, kept) else LEFT_HERE)

    async def _begun(self, where: str, language: str, *, anew: bool = False) -> Response:
        number, login = self._sessions.logins.begin(where, anew=anew)
        answer = RedirectResponse(await self._provider.begin(login, language), HTTPStatus.SEE_OTHER)
        _set(answer, LOGIN_COOKIE, number, LOGIN_S_MAX)
        return answer

    async def _session(self, proven: Proven) -> Session:
        claims = proven.claims
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
            id_token=self._kept(role, proven),
        )
        if role is not RESIDENT:
            return session
        bsn, number = claims.get(self._claims.bsn), self._sessions.fresh_id()
        self._turns.take(role.name, str(bsn))
        resident = await recognise(bsn, session, self._line, self._pins, number)
        return replace(session, resident=resident, himself=resident, person=_person(subject))

    def _kept(self, role: Role, proven: Proven) -> str:
        """Return the ID token where it may be kept until the end: never a resident's, nor one with a BSN."""
        holds = role is RESIDENT or self._claims.bsn in proven.claims
        return "" if holds or len(proven.token) > ID_TOKEN_CHARS_MAX else proven.token


def again(where: str) -> str:
    """Return the address that signs somebody in and leads him on."""
    return f"{BEGIN}?naar={quote(where, safe='')}"


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


def drop_leaving(answer: Response) -> Response:
    """Take away what a browser kept of signing out: it is read once."""
    _drop(answer, LEAVING_COOKIE)
    return answer


def _drop(answer: Response, name: str) -> None:
    answer.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
