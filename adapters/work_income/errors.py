"""What can go wrong with an order, an answer or a signature, each with a code and a remedy.

Promises: no error holds a value of a message; a path holds only names the standard knows, and numbers.
Source: house style 20 to 24.
"""

from __future__ import annotations

from adapters.kit.put_aside import CannotOpen


class WorkIncomeError(Exception):
    """Root of the tree of this adapter."""

    code = "WORK_INCOME_ERROR"
    remedy = "Report this with the time and the event in the log."


class ConfigInvalid(WorkIncomeError):
    """The settings cannot be used."""

    code = "CONFIG_INVALID"
    remedy = "Correct the setting that is named."


class AlreadyRunning(WorkIncomeError):
    """Another adapter works on the same state folder."""

    code = "ALREADY_RUNNING"
    remedy = "Stop the other one, or give this one a state folder of its own."


class JournalUnreadable(WorkIncomeError, CannotOpen):
    """What is sealed does not open with the key beside the journal."""

    code = "JOURNAL_UNREADABLE"
    remedy = "Put back the key file that belongs to this journal; without it what waits must be asked anew."


class OrderRefused(WorkIncomeError):
    """A file in the inbox is no order; names the key and the rule."""

    code = "ORDER_REFUSED"
    remedy = "Correct what is named and put the order into the inbox again; `rejected` shows what is kept."


class PurposeRefused(WorkIncomeError):
    """A purpose Suwinet is not open to: the adapter's own lock, behind the gate's."""

    code = "PURPOSE_REFUSED"
    remedy = "Ask for the determination of a right or for guidance to work, or do not ask Suwinet."


class PlanErased(WorkIncomeError):
    """A plan whose resident was erased here: an exchange, or a node of it, that is behind named it still."""

    code = "PLAN_ERASED"
    remedy = "Find out whether this person came back; they have another plan then: put the order in again."


class AnswerRefused(WorkIncomeError):
    """An answer that is not what the standard says; `element` and `rule` say where and which."""

    code = "ANSWER_REFUSED"
    remedy = "Send the element and the rule to whoever runs the service; nothing of the answer was used."

    def __init__(self, rule: str, element: str) -> None:
        super().__init__(f"{rule} at {element}")
        self.rule = rule
        self.element = element


class MessageUnsafe(AnswerRefused):
    """Bytes that could hurt whoever reads them: a DTD, an entity, too many, too deep, another encoding."""

    code = "MESSAGE_UNSAFE"
    remedy = "Look who answers at this address: the standard never sends such bytes."


class SignatureRefused(AnswerRefused):
    """A message that does not prove whose it is, that it is new, or that nobody changed it."""

    code = "SIGNATURE_REFUSED"
    remedy = "Compare clocks, certificate and OIN with what was agreed; nothing of the message was used."


class FaultAnswered(WorkIncomeError):
    """The source says that it cannot answer: an FWI `Fout`, or a SOAP fault. `fault` is its code."""

    code = "FAULT_ANSWERED"
    remedy = "Look the code up with whoever runs the service; the question is asked again until it is parked."

    def __init__(self, fault: str) -> None:
        super().__init__(f"the source answered with fault {fault}")
        self.fault = fault


class SuwinetUnavailable(WorkIncomeError):
    """Nobody answered, not in time, not whole, or not with an answer. `why` is one word."""

    code = "SUWINET_UNAVAILABLE"
    remedy = "It is asked again by itself; look at the address and the connection where it lasts."

    def __init__(self, why: str, retry_after_s: int = 0) -> None:
        super().__init__(f"Suwinet did not answer: {why}")
        self.why = why
        self.retry_after_s = retry_after_s  # how long it asked to be left alone
