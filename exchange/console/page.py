"""A page, and what it is given to look with: who looks, in which language, and the line to the exchange.

Promises: a page sees its own role's session alone; a form comes in only with the word of its session; what a
page asks goes over the line as who looks, so that the gate judges and records it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf.message import Message
from starlette.responses import RedirectResponse, Response

from exchange.console.blinding import Pins
from exchange.console.language import later
from exchange.console.names import Names
from exchange.console.recognition import recognise
from exchange.console.session import COOKIE
from exchange.v1.legal_basis_service_pb2 import ListProcessingActivitiesResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from jinja2 import Environment
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from exchange.console.language import Words
    from exchange.console.line import Line
    from exchange.console.roles import Role
    from exchange.console.session import Session
    from exchange.console.turns import Turns

_Answer = TypeVar("_Answer", bound=Message)
HTML: Final = "text/html; charset=utf-8"
UUID_BYTES: Final = 16
FOR: Final = later("voor")


@dataclass(frozen=True, slots=True)
class Page:
    """A row of a room's `ROUTES`. `menu`: its Dutch word in the navigation, "" where it has none.

    `behind`: the address of the page in the navigation that it belongs to, where its own does not begin so.
    """

    path: str  # as Starlette writes it: "/beslissing/{decision_id}"
    show: Callable[[Look], Awaitable[Response]]
    roles: tuple[Role, ...]
    menu: str = ""
    place: int = 100  # in the navigation, lowest first
    methods: tuple[str, ...] = ("GET",)
    behind: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What every page has around it."""

    templates: Environment
    pages: tuple[Page, ...]
    line: Line
    clock: Callable[[], float]
    fresh: Callable[[int], bytes]
    turns: Turns  # how often somebody may look residents up
    themed: bool = False
    # Keys of the logs, as far as this console was told: `name+id+key`, each.
    log_keys: Callable[[], tuple[str, ...]] = tuple
    pins: Pins = field(default_factory=Pins)  # of the keys by which residents are recognised
    # Texts that residents are told when they are asked for consent, by their SHA-256 in hexadecimal.
    notices: Mapping[str, str] = field(default_factory=dict)
    # Keeps another form of a session, by the number of the browser's cookie.
    change: Callable[[str, Session], None] = field(default=lambda _number, _session: None)
    # Gives it as it is at this moment, whatever another request made of it meanwhile; None once it has ended.
    peek: Callable[[str], Session | None] = field(default=lambda _number: None)
    names: Names = field(default_factory=lambda: Names({}, lambda: 0.0))


@dataclass(frozen=True, slots=True)
class Look:
    """One look of one person at one page."""

    request: Request
    session: Session
    words: Words
    shown: Shown
    form: FormData | None = field(default=None, repr=False)

    @property
    def now(self) -> datetime:
        """Return the time, UTC."""
        return datetime.fromtimestamp(self.shown.clock(), UTC)

    @property
    def query(self) -> Mapping[str, str]:
        """Return what stands behind the question mark; the last of each."""
        return self.request.query_params

    def field(self, name: str) -> str:
        """Return what a form says in a field, "" where it says nothing."""
        told = None if self.form is None else self.form.get(name)
        return told if isinstance(told, str) else ""

    def fresh_id(self) -> str:
        """Return a new request id, for a form: sent twice, it is recorded once."""
        return str(uuid.UUID(bytes=self.shown.fresh(UUID_BYTES), version=4))

    async def ask(self, request: Message, answer: type[_Answer]) -> _Answer:
        """Ask the exchange as who looks. Raises AnswerRefused, which becomes a page."""
        return await self.shown.line.ask(request, answer, self.session)

    def stream(self, request: Message, answer: type[_Answer]) -> AsyncGenerator[_Answer, None]:
        """Ask for many answers as who looks. Reading raises AnswerRefused."""
        return self.shown.line.stream(request, answer, self.session)

    async def recognise(self, bsn: str) -> bytes:
        """Return the organisation's pseudonym of a resident, 32 bytes. Raises Refused."""
        self.shown.turns.take(self.session.role.name, self.session.professional)
        return await recognise(bsn, self.session, self.shown.line, self.shown.pins, self.fresh_id())

    def page(self, template: str, status: HTTPStatus = HTTPStatus.OK, **told: Any) -> Response:  # noqa: ANN401 -- whatever a template shows
        """Return a page: a template with what it shows."""
        framed = Framed(self.shown, self.request, self.words, self.session)
        return framed.page(template, status, told)

    def keep(self, session: Session) -> None:
        """Keep this session in another form."""
        self.shown.change(self.request.cookies[COOKIE], session)

    async def know_names(self) -> None:
        """Ask what organisations are called, where that was long ago."""
        await self.shown.names.refresh(lambda request: self.ask(request, ListProcessingActivitiesResponse))

    def at_this_moment(self) -> Session:
        """Return this session as it is now: until an await, no other request comes between."""
        return self.shown.peek(self.request.cookies.get(COOKIE, "")) or self.session

    def heading(self, title: str, neutral: str) -> str:
        """Return what stands above a page, and for whom; where somebody may look along, nothing of either."""
        told, acting = self.words.gettext(neutral if self.session.safe else title), self.session.acting
        return told if self.session.safe or not acting else f"{told} ({self.words.gettext(FOR)} {acting})"

    def onward(self, path: str) -> Response:
        """Return the way to another page, after a form was recorded."""
        return RedirectResponse(path, HTTPStatus.SEE_OTHER)


@dataclass(frozen=True, slots=True)
class Framed:
    """One answer with the frame around it; without a session there is no navigation."""

    shown: Shown
    request: Request
    words: Words
    session: Session | None

    def page(self, template: str, status: HTTPStatus, told: Mapping[str, Any]) -> Response:
        """Return HTML in one language."""
        role = None if self.session is None else self.session.role
        menu = [page for page in self.shown.pages if page.menu and role in page.roles]
        around = {
            "language": self.words.language,
            "gettext": self.words.gettext,
            "ngettext": self.words.ngettext,
            "session": self.session,
            "menu": menu,
            "path": self.request.url.path,
            "within": self._within(menu),
            "here": self._here(status),
            "themed": self.shown.themed,
            "now": datetime.fromtimestamp(self.shown.clock(), UTC),
            "organisation": self.shown.line.organisation.name,
            "safe": self.session is not None and self.session.safe,
            "organisation_names": self.shown.names.told,
        }
        text = self.shown.templates.get_template(template).render(around | dict(told))
        return Response(text, status, {"Content-Type": HTML, "Content-Language": self.words.language})

    def _within(self, menu: Sequence[Page]) -> str:
        """Return the address of the page in the navigation that this one is, or is behind; "" of none."""
        path = self.request.url.path
        if any(one.path == path for one in menu):
            return path
        route = self.request.scope.get("route")
        told = next((one.behind for one in self.shown.pages if route and one.path == route.path), "")
        if any(one.path == told for one in menu):
            return told
        return max((one.path for one in menu if path.startswith(f"{one.path}/")), key=len, default="")

    def _here(self, status: HTTPStatus) -> str:
        """Return where this very page is seen again; the beginning where it cannot be asked for once more."""
        url = self.request.url
        if self.request.method != "GET" or status is not HTTPStatus.OK:
            return "/"
        return url.path + (f"?{url.query}" if url.query else "")
