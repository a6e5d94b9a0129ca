"""Preview: what a proposed register would open and close of what was decided, before anybody approves it.

Promises: nothing is stored, neither here nor by the exchange: the text goes along in the form of this
session; a fault in an entry is shown at its place with what helps.
Source: GDPR 5(2), 25, 35(1), 39(1)(b).
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec
from starlette.datastructures import UploadFile

from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.pages.policy.faults import fault_of
from exchange.console.pages.policy.replay import AUDIT, Natural, midnight
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.roles import OFFICER
from exchange.console.templating import HERE
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look

PATH: Final = "/voorvertoning"
# Of the contract: PreviewRegisterRequest.text.
TEXT_CHARS_MAX: Final = 200_000
UTF8_BYTES_MAX: Final = 4 * TEXT_CHARS_MAX
PAGES_AT_ONCE: Final = 5
SHOWN_MAX: Final = 200
SINCE: Final = timedelta(days=30)
EARLIEST: Final = date(2000, 1, 1)
# As many recipients and categories as a register can have; more is no total of ours.
EFFECTS_MAX: Final = 5_000
COUNTS: Final = ("decisions", "commands", "words_erased", "unreadable")
FIELDS: Final = [
    *(f"counts.{name}" for name in COUNTS),
    *(f"effects.{name}" for name in ("recipient", "category", "opens", "closes")),
    *(
        f"changes.{name}"
        for name in (
            "position",
            "decision_id",
            "recipient",
            "opens",
            "closes",
            "rules_now",
            "rules_proposed",
        )
    ),
]
_NOT_TEXT: Final = later("Dit bestand is geen tekst in UTF-8.")
_NO_TEXT: Final = later("Plak een register of kies een bestand.")
_LONG: Final = later("Dit register is te groot: ten hoogste 200.000 tekens.")
_TOTAL: Final = later("Het totaal tot nu toe is niet te lezen. Begin opnieuw.")

Pairs = Counter[tuple[str, str]]


class Total(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came before, as a form carries it."""

    counts: dict[str, Natural] = {}
    changed: Natural = 0
    rows: Annotated[list[tuple[str, str, Natural, Natural]], msgspec.Meta(max_length=EFFECTS_MAX)] = []


class Asked(NamedTuple):
    """What is previewed."""

    text: str
    since: str
    whole: bool


class Effects(NamedTuple):
    """A preview so far: decisions by recipient and category, and what changed in this part."""

    counts: Counter[str]
    opens: Pairs
    closes: Pairs
    changed: int
    changes: list[pb.PreviewChange]
    token: str

    @property
    def rows(self) -> list[tuple[str, str, int, int]]:
        """Return recipient, category, and how many decisions would open and close."""
        pairs = sorted(self.opens.keys() | self.closes.keys())
        return [(*pair, self.opens[pair], self.closes[pair]) for pair in pairs]

    @property
    def state(self) -> str:
        """Return the total as a form carries it."""
        return msgspec.json.encode(Total(dict(self.counts), self.changed, self.rows)).decode()


async def show(look: Look) -> Response:
    """Show the empty form."""
    since = (look.now.astimezone(HERE) - SINCE).date().isoformat()
    return _page(look, Asked("", since, whole=False))


async def preview(look: Look) -> Response:
    """Judge a part by both registers, and add it to what came before."""
    asked = Asked("", look.field("sinds"), look.field("geheel") == "ja")
    try:
        asked = asked._replace(text=await text_of(look, TEXT_CHARS_MAX, _LONG))
        since = _since(look, asked.since)
        effects = await _onward(look, asked, since, look.field("token"), look.field("totaal"))
    except AnswerRefused as refused:
        fault = fault_of(refused, asked.text)
        if fault is None:
            raise
        return _page(look, asked, HTTPStatus.BAD_REQUEST, fault=fault)
    except Refused as refused:
        name = {"SINCE": "sinds", "TEXT": "tekst"}.get(refused.reason)
        if name is None:
            raise
        return _page(look, asked, HTTPStatus.BAD_REQUEST, wrong={name: refused.sentence})
    return _page(look, asked, effects=effects)


async def text_of(look: Look, chars_max: int, long: str) -> str:
    """Return the text of a form: of the file where one was chosen. Raises Refused."""
    told = None if look.form is None else look.form.get("bestand")
    text = look.field("tekst")
    if isinstance(told, UploadFile) and told.filename:
        raw = await told.read(UTF8_BYTES_MAX + 1)
        if len(raw) > UTF8_BYTES_MAX:
            raise Refused("TEXT", long)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("TEXT", _NOT_TEXT) from None
    # A browser sends the lines of a form with a carriage return.
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    if not text.strip():
        raise Refused("TEXT", _NO_TEXT)
    if len(text) > chars_max:
        raise Refused("TEXT", long)
    return text


async def _onward(look: Look, asked: Asked, since: date, token: str, total: str) -> Effects:
    counts, changed, opens, closes = _total(total)
    changes: list[pb.PreviewChange] = []
    for _ in range(PAGES_AT_ONCE):
        request = pb.PreviewRegisterRequest(
            claim=AUDIT, fields=FIELDS, text=asked.text, whole=asked.whole, page_token=token
        )
        request.since_time.FromDatetime(midnight(since))
        answer = await look.ask(request, pb.PreviewRegisterResponse)
        counts.update({name: getattr(answer.counts, name) for name in COUNTS})
        for one in answer.effects:
            opens[one.recipient, one.category] += one.opens
            closes[one.recipient, one.category] += one.closes
        changes += answer.changes
        token = answer.next_page_token
        if not token:
            break
    return Effects(counts, opens, closes, changed + len(changes), changes, token)


def _total(told: str) -> tuple[Counter[str], int, Pairs, Pairs]:
    """Return the total that a form carries. Raises Refused for what is none."""
    try:
        total = msgspec.json.decode(told or "{}", type=Total)
    except (msgspec.MsgspecError, RecursionError):
        raise Refused("TOTAL", _TOTAL) from None
    opens, closes = Pairs(), Pairs()
    for recipient, category, opened, closed in total.rows:
        opens[recipient, category], closes[recipient, category] = opened, closed
    return Counter({name: total.counts.get(name, 0) for name in COUNTS}), total.changed, opens, closes


def _since(look: Look, told: str) -> date:
    try:
        day = date.fromisoformat(told)
    except ValueError:
        day = None
    if day is None or not EARLIEST <= day <= look.now.astimezone(HERE).date():
        raise Refused("SINCE", later("Kies een dag die al begonnen is."))
    return day


def _page(
    look: Look,
    asked: Asked,
    status: HTTPStatus = HTTPStatus.OK,
    **told: Any,  # noqa: ANN401 -- whatever the template shows
) -> Response:
    effects: Effects | None = told.get("effects")
    shown = [] if effects is None else effects.changes[:SHOWN_MAX]
    around: dict[str, Any] = {"effects": None, "fault": None, "wrong": {}, "longest": TEXT_CHARS_MAX}
    return look.page("preview.html", status, **(around | told), asked=asked, shown=shown)


ROUTES: Final = (
    Page(PATH, show, (OFFICER,), menu=later("Voorvertoning"), place=45),
    Page(PATH, preview, (OFFICER,), methods=("POST",)),
)
