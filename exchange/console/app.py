"""The console as an application: who may come to which page, and what is looked at before.

Promises: no page without a session, no form without the word of its session, no page of another role; each
answer forbids what a page never needs (scripts of others, frames, caches); one log line a page with its
place, never what was asked in it; whatever fails becomes a page.
Source: OWASP ASVS 5.0 (3, 7); CSP level 3; Fetch Metadata.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib import import_module
from time import perf_counter  # a stopwatch, not a clock: no moment is taken from it
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from exchange.console import pages
from exchange.console.blinding import Pins
from exchange.console.forms import READING, cut, read_form, refuse_other_site
from exchange.console.language import DUTCH, LANGUAGES, later, load_words
from exchange.console.login import BACK, BEGIN, LEAVE, Desk, again, drop_leaving, onward
from exchange.console.names import Names
from exchange.console.page import Framed, Look, Page, Shown
from exchange.console.provider import Provider
from exchange.console.refusals import AnswerRefused, Refused, RoleRefused, SessionOver
from exchange.console.roles import STAFF
from exchange.console.session import COOKIE, Sessions
from exchange.console.static_files import read_static, served
from exchange.console.templating import open_templates
from exchange.console.turns import Pace, Turns
from exchange.console.unanswered import Unanswered, fields_to_send_again, note_sent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

    from exchange.console.line import Line
    from exchange.console.login import Claims
    from exchange.console.provider import Registration
    from exchange.console.session import Session

EVENT: Final = "console"
MS_PER_S: Final = 1_000
INCIDENT_BYTES: Final = 8
QUERY_CHARS_MAX: Final = 4_096
LANGUAGE_COOKIE: Final = "__Host-language"
LANGUAGE_S: Final = 365 * 24 * 60 * 60
LANGUAGE_PATH: Final = "/taal/{language}"
# Leaving at once. Neither the address nor the place it leads to says anything.
QUICK: Final = "/uit"
AWAY: Final = "https://www.knmi.nl/"
UNREAD: Final = frozenset({"FORM_FORGED", "SESSION_OVER", "TOO_FAST"})
_NOT_FOUND: Final = later("Deze pagina is er niet.")
_DEFECT: Final = later("Er ging iets mis in de console. Geef het meldnummer door aan de beheerder.")
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action {leads}; frame-ancestors 'none'; base-uri 'none'"
)
# Besides the policy of scripts, which names the provider.
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Strict-Transport-Security": "max-age=31536000",
}


@dataclass(frozen=True, slots=True)
class Setup:
    """What a console is made of. `url`: how browsers reach it; `theme`: a style sheet."""

    url: str
    registration: Registration
    claims: Claims
    line: Line
    log: Any  # structlog's bound logger has no public type
    clock: Callable[[], float]  # seconds since 1970
    fresh: Callable[[int], bytes]  # random bytes
    theme: bytes = b""
    log_keys: Callable[[], tuple[str, ...]] = tuple  # keys of the logs, `name+id+key` each
    away: str = AWAY  # where somebody goes who has to leave at once
    notices: Mapping[str, str] = field(default_factory=dict)  # what residents are told, by SHA-256


class Console:
    """The ASGI application. Owned by one event loop."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._words = load_words()
        self.sessions = Sessions(setup.clock, setup.fresh)
        self._provider = Provider(setup.registration, setup.clock)
        self._pace = Pace(setup.clock)
        self._unanswered = Unanswered()
        pins, turns = Pins(), Turns(setup.clock, setup.fresh)
        self._desk = Desk(
            self._provider, self.sessions, setup.line, setup.claims, setup.clock, pins=pins, turns=turns
        )
        self.pages = find_pages()
        self._shown = Shown(
            open_templates(),
            self.pages,
            setup.line,
            setup.clock,
            setup.fresh,
            themed=bool(setup.theme),
            log_keys=setup.log_keys,
            pins=pins,
            turns=turns,
            notices=setup.notices,
            change=self.sessions.change,
            peek=self.sessions.peek,
            names=Names({setup.line.organisation.oin: setup.line.organisation.name}, setup.clock),
        )
        self._host = setup.url.partition("://")[2]
        self._app = self._routed(read_static(setup.theme))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with the headers that every answer has."""

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # A form that signs out leads on to the provider.
                leads = " ".join(("'self'", *self._provider.origins))
                headers["Content-Security-Policy"] = POLICY.format(leads=leads)
                headers.setdefault("Cache-Control", "no-store")
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, cut(receive), headed)

    def _routed(self, static: dict[str, tuple[bytes, str]]) -> Starlette:
        async def file(request: Request) -> Response:
            return served(static, request.path_params["name"])

        own = [
            Route("/static/{name}", file, methods=["GET"]),
            Route("/", self._open("/", self._welcome), methods=["GET"]),
            Route(BEGIN, self._open(BEGIN, self._begin), methods=["GET"]),
            Route(BACK, self._open(BACK, self._back), methods=["GET"]),
            Route(LANGUAGE_PATH, self._open(LANGUAGE_PATH, self._speak), methods=["GET"]),
            Route(LEAVE, self._open(LEAVE, self._leave), methods=["POST"]),
            Route(QUICK, self._open(QUICK, self._quit), methods=["GET"]),
        ]
        asked = [
            Route(page.path, self._open(page.path, self._judged(page)), methods=list(page.methods))
            for page in self.pages
        ]
        return Starlette(routes=[*own, *asked], exception_handlers={HTTPException: self._lost})

    # --- what comes before a page ---------------------------------------------------------------------

    def _open(
        self, place: str, answered: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint: whatever is raised becomes a page, and every page a line in the log."""

        async def endpoint(request: Request) -> Response:
            started, reason, incident = perf_counter(), "", ""
            try:
                self._refuse_shape(request)
                answer = await answered(request)
                if answer.status_code < HTTPStatus.BAD_REQUEST:
                    self._unanswered.done(request)
            except Refused as refused:
                reason = refused.reason
                self._unanswered.refused(request, refused)
                answer = self._refusal(request, refused)
            except Exception as defect:  # noqa: BLE001 -- a page says so; nothing of the error's text leaves
                reason, incident = type(defect).__name__, self._setup.fresh(INCIDENT_BYTES).hex()
                broken = Refused("DEFECT", _DEFECT, HTTPStatus.INTERNAL_SERVER_ERROR, incident=incident)
                self._unanswered.broke(request, broken)
                answer = self._refusal(request, broken)
            # A file that came along stands on disk until then.
            await request.close()
            session = self._session(request, used=False)
            self._setup.log.info(
                EVENT,
                place=place,
                task=session.role.task if session else "-",
                code=answer.status_code,
                reason=reason or "-",
                incident=incident or "-",
                took_ms=round((perf_counter() - started) * MS_PER_S, 1),
            )
            return answer

        return endpoint

    def _refuse_shape(self, request: Request) -> None:
        if request.headers.get("host", "") != self._host:
            # A name that leads here by somebody else's hand (DNS rebinding).
            raise Refused("OTHER_HOST", _NOT_FOUND, HTTPStatus.MISDIRECTED_REQUEST)
        if len(request.url.query) > QUERY_CHARS_MAX:
            raise Refused("QUERY_LONG", later("Het adres is te lang."), HTTPStatus.REQUEST_URI_TOO_LONG)

    def _session(self, request: Request, *, used: bool = True) -> Session | None:
        number = request.cookies.get(COOKIE, "")
        if not number:
            return None
        return self.sessions.find(number) if used else self.sessions.peek(number)

    def _judged(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """Return a page behind its door: a session, of its role, and of a form its word."""

        async def answered(request: Request) -> Response:
            session = self._session(request)
            if session is None:
                # A number of before this process started says nothing of who has it: he signs in and goes on.
                ended = self.sessions.is_of_here(request.cookies.get(COOKIE, ""))
                if ended or request.method not in READING:
                    raise SessionOver(later("U bent niet meer aangemeld."), self._near(request))
                return RedirectResponse(again(_where(request)), HTTPStatus.SEE_OTHER)
            self._pace.take(session.whose)
            if session.role not in page.roles:
                raise RoleRefused(later("Deze pagina hoort niet bij uw rol."), page.roles[0].whose)
            form = None if request.method in READING else await read_form(request, session)
            note_sent(request, form, session.whose)
            look = Look(request, session, self._spoken(request), self._shown, form)
            if session.role in STAFF and form is None:
                await look.know_names()
            return await page.show(look)

        return answered

    # --- pages that need no role ----------------------------------------------------------------------

    async def _welcome(self, request: Request) -> Response:
        session = self._session(request)
        if session is not None and session.role.home != "/":
            return RedirectResponse(session.role.home, HTTPStatus.SEE_OTHER)
        left = None if session else self._desk.left(request)
        answer = self._plain(request, "welcome.html", HTTPStatus.OK, session=session, left=left)
        return answer if left is None else drop_leaving(answer)

    async def _begin(self, request: Request) -> Response:
        return await self._desk.begin(request, self._spoken(request).language)

    async def _back(self, request: Request) -> Response:
        return await self._desk.back(request, self._spoken(request).language)

    async def _leave(self, request: Request) -> Response:
        # Of somebody signed in no word came along either: his browser keeps the cookie back.
        refuse_other_site(request)
        session = self._session(request)
        if session is not None:
            await read_form(request, session)
        return await self._desk.leave(request, f"{self._setup.url}/")

    async def _quit(self, request: Request) -> Response:
        """Send somebody away at once, whoever he is; his session ends if he asked it himself."""
        answer = RedirectResponse(self._setup.away, HTTPStatus.SEE_OTHER)
        if request.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}:
            self.sessions.leave(request.cookies.get(COOKIE, ""))
            answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        return answer

    async def _speak(self, request: Request) -> Response:
        language = request.path_params["language"]
        if language not in LANGUAGES:
            raise Refused("NOT_FOUND", _NOT_FOUND, HTTPStatus.NOT_FOUND)
        answer = RedirectResponse(onward(request.query_params.get("naar", "/")), HTTPStatus.SEE_OTHER)
        answer.set_cookie(
            LANGUAGE_COOKIE, language, max_age=LANGUAGE_S, secure=True, httponly=True, samesite="lax"
        )
        return answer

    def _near(self, request: Request) -> str:
        """Return the page that was asked; of a form, the one that it stood on, as its address tells."""
        if request.method in READING:
            return _where(request)
        path = f"{request.url.path}/"
        shown = (one.path for one in self.pages if "GET" in one.methods and "{" not in one.path)
        return max((one for one in shown if path.startswith(f"{one}/")), key=len, default="/")

    async def _lost(self, request: Request, error: Exception) -> Response:
        """Answer what no route takes: another place, or another method."""
        status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND

        async def refused(_: Request) -> Response:
            raise Refused("NOT_FOUND", _NOT_FOUND, status)

        return await self._open("-", refused)(request)

    # --- what a person is told ------------------------------------------------------------------------

    def _spoken(self, request: Request) -> Any:  # noqa: ANN401 -- Words
        return self._words.get(request.cookies.get(LANGUAGE_COOKIE, DUTCH), self._words[DUTCH])

    def _plain(
        self,
        request: Request,
        template: str,
        status: HTTPStatus,
        session: Session | None,
        **told: Any,  # noqa: ANN401 -- whatever a template shows
    ) -> Response:
        framed = Framed(self._shown, request, self._spoken(request), session)
        return framed.page(template, status, told)

    def _refusal(self, request: Request, refused: Refused) -> Response:
        session = self._session(request, used=False)
        return self._plain(
            request,
            "refused.html",
            refused.status,
            session,
            refused=refused,
            answer=refused if isinstance(refused, AnswerRefused) else None,
            whose=refused.whose if isinstance(refused, RoleRefused) else "",
            over=isinstance(refused, SessionOver),
            # Nothing was read of such a form, also not whether it was sent before.
            unread=request.method not in READING and refused.reason in UNREAD,
            again=fields_to_send_again(request),
            # An address that only takes forms shows nobody anything.
            retry_at=request.url.path if request.method in READING else self._near(request),
        )


def find_pages() -> tuple[Page, ...]:
    """Return what every room of `pages` offers, in the order of the navigation."""
    rooms = [
        import_module(f"{pages.__name__}.{found.name}") for found in pkgutil.iter_modules(pages.__path__)
    ]
    found = [page for room in rooms for page in getattr(room, "ROUTES", ())]
    return tuple(sorted(found, key=lambda page: (page.place, page.path)))


def _where(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
