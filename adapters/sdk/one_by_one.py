"""Where the other end knows no batch: how long it is taken to, and what no batch would take.

Promises: a node that does not know the batch is not asked for it again for a while, and then it is; that it
happens is said once, until a batch is taken again; what an exchange refuses in a batch is refused here with
the same words, so that nothing is done one by one that would not have been done together.
Source: exchange/decisions/0203-many-commands-in-one-message.md, 0204, 0211.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from adapters.sdk.errors import Invalid, Refusal
from adapters.sdk.logs import AdapterLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    from adapters.sdk.calls import Rpc
    from adapters.sdk.errors import CallUnknown
    from adapters.sdk.tokens import Person

AGAIN_S: Final = 60.0
# What a batch takes: the work of a day, but for the word of a person, and what a system says of itself.
_WORK: Final = frozenset(
    f"exchange.v1.{name}Service"
    for name in ("Case", "Household", "Identity", "Matching", "Plan", "Subscription")
)
_SPOKEN: Final = frozenset({"AgreeToPlan", "AnswerAgreement", "AnswerMatch", "AnswerDirector", "AnswerGoal"})
_CONFIRMED: Final = frozenset({"ConfirmRestriction", "ConfirmRectification", "ConfirmPurge"})
_RESIDENTS: Final = frozenset({"betrokkene", "wettelijk-vertegenwoordiger"})
_REMEDY: Final = "Correct the named fields and send the request again under a new request id."
_DUTCH: Final = "De vraag klopt niet. Verbeter de genoemde velden."


class Taking:
    """Whether batches are taken at the end of a connection, as last heard. Safe between threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds."""
        self._clock: Final = clock
        self._lock: Final = Lock()
        self._unknown_at: float | None = None
        self._said = False

    def worth_asking(self) -> bool:
        """Tell whether a batch is sent as one: nothing else was heard, or long enough ago."""
        with self._lock:
            # A clock that was set back says nothing of how long ago it was.
            return self._unknown_at is None or not (0.0 <= self._clock() - self._unknown_at < AGAIN_S)

    def taken(self) -> None:
        """Take that a batch was answered."""
        with self._lock:
            self._unknown_at, self._said = None, False

    def unknown(self, refused: CallUnknown, count: int, log: AdapterLog | None) -> None:
        """Take that the batch is not known there: `count` commands go one by one. Say so where it is news."""
        with self._lock:
            self._unknown_at = self._clock()
            news, self._said = not self._said, True
        if news:
            why = {"reason": refused.reason} if refused.reason else {}
            (log or AdapterLog()).warning("batch_sent_one_by_one", rpc="SendCommands", count=count, **why)

    def opened_anew(self) -> None:
        """Take that another channel was opened: who is at its end is not known."""
        with self._lock:
            self._unknown_at = None


def is_taken(rpc: Rpc[Any, Any]) -> bool:
    """Tell whether a batch takes this command."""
    service, _, name = rpc.path.strip("/").partition("/")
    if service == "exchange.v1.ResidentRightsService":
        return name in _CONFIRMED
    return service in _WORK and name not in _SPOKEN


def refused_in_batch(
    rpc: Rpc[Any, Any], request: Message, person: Person | None, request_id: str
) -> Invalid | None:
    """Return what an exchange says of this command in a batch, None where it takes it."""
    command: Any = request
    if person is not None and person.task in _RESIDENTS:
        what = "what a resident says is taken one at a time"
        fields = {"commands": "must be sent by calls of their own in this task"}
    elif not is_taken(rpc):
        what = "this rpc is not done in a batch"
        fields = {"rpc": "must be the path of a command a batch takes"}
    elif command.claim.HasField("break_glass"):
        what = "an emergency is claimed by a call of its own"
        fields = {"claim.break_glass": "must be left out of a batch"}
    elif "seen" in request.DESCRIPTOR.fields_by_name and request.HasField("seen"):
        what = "what rests on what was seen is a call of its own"
        fields = {"seen": "must be left out of a batch; give `expected_version`"}
    else:
        return None
    return Invalid(
        Refusal(
            "REQUEST_INVALID",
            what,
            remedies=(_REMEDY,),
            field_violations=fields,
            localized=_DUTCH,
            request_id=request_id,
        )
    )
