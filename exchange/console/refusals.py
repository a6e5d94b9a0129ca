"""What a person gets instead of a page: a status, a sentence, and what the exchange said of it.

Promises: nothing of what was asked is repeated; what the exchange refused is told with its rules.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from exchange.console.language import later

# What the exchange says of a field, in words for who filled it in.
FAULTS: Final = {
    "must be printable text": later(
        "Er staan tekens in die niemand ziet. Die komen vaak mee als u tekst plakt, of met een emoji. Ga"
        " terug en typ de tekst zelf, of laat de emoji weg."
    ),
    "must not hold a burgerservicenummer": later(
        "Er staat een burgerservicenummer in. Ga terug en haal het weg."
    ),
}


class Refused(Exception):
    """A page that is not given. `reason` is for the log, `sentence` Dutch, `incident` what to tell.

    `may_be_recorded`: it answers a form whose command may be recorded all the same.
    """

    status = HTTPStatus.BAD_REQUEST
    may_be_recorded = False

    def __init__(
        self, reason: str, sentence: str, status: HTTPStatus | None = None, *, incident: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sentence = sentence
        self.incident = incident
        if status is not None:
            self.status = status


class LoginRefused(Refused):
    """Somebody did not come in."""

    status = HTTPStatus.FORBIDDEN


class SessionOver(Refused):
    """There is no such session any more, or there never was; `back` is where he may go on once signed in."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, sentence: str, back: str) -> None:
        super().__init__("SESSION_OVER", sentence)
        self.back = back


class RoleRefused(Refused):
    """The page is another role's; `whose` says whose."""

    status = HTTPStatus.FORBIDDEN

    def __init__(self, sentence: str, whose: str) -> None:
        super().__init__("OTHER_ROLE", sentence)
        self.whose = whose


class AnswerRefused(Refused):
    """The exchange refused: by its gate, with rules; or for another reason, with a remedy.

    `fields` says of the fields of a request what is wrong with them; `retry` whether asking again can help;
    `message` is its English sentence, `metadata` what else it told; `unanswered` whether it says nothing of
    what was recorded; `of_command` whether that was asked of a command.
    """

    of_command = False

    def __init__(
        self,
        reason: str,
        sentence: str,
        status: HTTPStatus,
        *,
        rules: tuple[str, ...] = (),
        decision_id: str = "",
        remedy: str = "",
        fields: dict[str, str] | None = None,
        retry: bool = False,
        message: str = "",
        metadata: dict[str, str] | None = None,
        unanswered: bool = False,
    ) -> None:
        super().__init__(reason, sentence, status)
        self.rules = rules
        self.decision_id = decision_id
        self.remedy = remedy
        self.fields = fields or {}
        self.retry = retry
        self.message = message
        self.metadata = metadata or {}
        self.unanswered = unanswered

    @property
    def judged(self) -> bool:
        """Tell whether the gate refused, which is recorded; what a rule of the domain stops is not."""
        return bool(self.decision_id)

    @property
    def faults(self) -> dict[str, str]:
        """Return what is wrong with fields, in Dutch, as far as there are words for it."""
        return {name: FAULTS[wrong] for name, wrong in self.fields.items() if wrong in FAULTS}
