"""Forms whose command may be recorded though nobody answered it: what is said of them, and how they go again.

Promises: behind an attempt that nobody answered, no page says that nothing was recorded, whatever refused the
next one, until the exchange tells it of the command itself; such a form goes again as it was sent, under its
request id, so that it is recorded once.
Source: AIP-155 (request ids); exchange/decisions/0213-a-form-that-nobody-answered.md.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from starlette.datastructures import UploadFile

from exchange.console.refusals import AnswerRefused

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from starlette.datastructures import FormData
    from starlette.requests import Request

    from exchange.console.refusals import Refused

# What the exchange says of the attempt that it refused; of those before it is not true.
NOTHING: Final = "Er is niets vastgelegd."
REQUEST_ID: Final = "request_id"
FORMS_MAX: Final = 1_000  # the oldest is forgotten first
# Found behind the look at the request id: what was recorded under it would have been the answer.
_OF_THE_COMMAND: Final = frozenset({"REQUEST_ID_REUSED", "RULE_BROKEN", "VERSION_CONFLICT"})


class Unanswered:
    """Of one console, by who sent a form and its request id. Owned by one event loop; ends with its process.

    Kept is a hash of both: as short for an id of any length, and of one person never of another.
    """

    def __init__(self) -> None:
        self._forms: dict[bytes, None] = {}

    def done(self, request: Request) -> None:
        """Take that a form was answered by a page."""
        self._forms.pop(_key_of(request), None)

    def broke(self, request: Request, refused: Refused) -> None:
        """Take that a form ended in a defect of the console: its command may have gone out before."""
        self._keep(_key_of(request), refused)

    def refused(self, request: Request, refused: Refused) -> None:
        """Take what refused a form, and mark it where the command may be recorded all the same."""
        key = _key_of(request)
        # A page may tell in its own words what the exchange refused.
        said = refused if isinstance(refused, AnswerRefused) else refused.__cause__
        of_command = said if isinstance(said, AnswerRefused) and said.of_command else None
        if of_command and of_command.unanswered:
            self._keep(key, refused)
        elif of_command and _tells(of_command):
            self._forms.pop(key, None)
        elif key in self._forms:
            _mark(refused)

    def _keep(self, key: bytes, refused: Refused) -> None:
        if key:
            self._forms.pop(key, None)
            while len(self._forms) >= FORMS_MAX:
                del self._forms[next(iter(self._forms))]
            self._forms[key] = None
            _mark(refused)


def fields_to_send_again(request: Request) -> Sequence[tuple[str, str]]:
    """Return the fields of the form that a request sent, in their order; () of one that records nothing."""
    form = _sent(request)
    if form is None or not _id_of(request):
        return ()
    fields = form.multi_items()
    if any(isinstance(value, UploadFile) and value.filename for _, value in fields):
        return ()
    # A browser sends a field for a file also where none was chosen.
    return [(name, value) for name, value in fields if isinstance(value, str)]


def note_sent(request: Request, form: FormData | None, whose: Hashable) -> None:
    """Keep what a form says beside its request, and whose it is, as long as that lasts."""
    request.state.sent, request.state.whose = form, whose


def _sent(request: Request) -> FormData | None:
    form: FormData | None = getattr(request.state, "sent", None)
    return form


def _id_of(request: Request) -> str:
    form = _sent(request)
    told = None if form is None else form.get(REQUEST_ID)
    return told if isinstance(told, str) else ""


def _key_of(request: Request) -> bytes:
    """Return what a form is kept by, empty of one that records nothing."""
    number = _id_of(request)
    return sha256(repr((request.state.whose, number)).encode()).digest() if number else b""


def _mark(refused: Refused) -> None:
    refused.may_be_recorded = True
    refused.sentence = " ".join(refused.sentence.replace(NOTHING, "").split())


def _tells(said: AnswerRefused) -> bool:
    if said.reason == "ACCESS_DENIED":
        return said.judged
    return said.reason in _OF_THE_COMMAND
