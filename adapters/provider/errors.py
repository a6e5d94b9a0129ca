"""What can go wrong with a message, a folder or the journal, each with a code and a remedy.

Promises: no error holds a value of a message; a path holds only names the standard knows, and numbers.
Source: house style 20 to 24.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class StufCode(Enum):
    """What is wrong with an envelope, in the codes of the traffic; `text` is said to whoever sent it."""

    SCHEMA = "IB001"
    NOT_AUTHORISED = "IB002"
    TOO_LARGE = "IB003"
    FUNCTION_UNKNOWN = "IB004"
    MUNICIPALITY_UNKNOWN = "IB005"
    KIND_AND_FUNCTION = "IB006"
    FUNCTION_NOT_YOURS = "IB007"
    PROVIDER_UNKNOWN = "IB010"
    PAYLOAD_TOO_LARGE = "IB012"
    PAYLOAD = "IB014"
    REFERENCE_TAKEN = "IB016"
    FUNCTION_NOT_ACTIVE = "IB023"

    @property
    def text(self) -> str:
        """Return it in words, without any value."""
        return _STUF_TEXTS[self]


_STUF_TEXTS = {
    StufCode.SCHEMA: "De envelop voldoet niet aan het schema.",
    StufCode.NOT_AUTHORISED: "De afzender mag dit bericht niet sturen.",
    StufCode.TOO_LARGE: "De envelop is te groot.",
    StufCode.FUNCTION_UNKNOWN: "Deze functie is niet bekend.",
    StufCode.MUNICIPALITY_UNKNOWN: "Deze gemeente is hier niet bekend.",
    StufCode.KIND_AND_FUNCTION: "Berichtcode en functie horen niet bij elkaar.",
    StufCode.FUNCTION_NOT_YOURS: "Deze organisatie stuurt berichten met deze functie niet.",
    StufCode.PROVIDER_UNKNOWN: "Deze aanbieder is hier niet bekend.",
    StufCode.PAYLOAD_TOO_LARGE: "Het bericht is groter dan 25 MB.",
    StufCode.PAYLOAD: "Het bericht voldoet niet aan het schema van de functie.",
    StufCode.REFERENCE_TAKEN: "Dit referentienummer is al gebruikt voor een ander bericht.",
    StufCode.FUNCTION_NOT_ACTIVE: "Deze versie van de functie is niet in gebruik.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: its id, where it broke (`/Bericht/Client/Bsn`), and the code a retour gives it.

    `code` is empty for a schema error: the sender gets an error then, never a retour.
    """

    rule: str
    path: str
    code: str = ""

    def __str__(self) -> str:
        return f"{self.rule} at {self.path}" + (f" (code {self.code})" if self.code else "")


class ProviderAdapterError(Exception):
    """Root of the tree of this adapter."""

    code = "PROVIDER_ADAPTER_ERROR"
    remedy = "Report this with the name of the file and the time."


class MessageRefused(ProviderAdapterError):
    """Bytes that are no message of the standard; there is no retour for these, only an error."""

    code = "MESSAGE_REFUSED"
    remedy = "Correct the message at the place named and send it again; the file is kept in rejected/."


class MessageNotReadable(MessageRefused):
    """The XML ends too early or is not well formed. A file that is still being written looks like this."""

    code = "MESSAGE_NOT_WELL_FORMED"

    def __init__(self, line: int, column: int) -> None:
        super().__init__(f"the XML is not well formed at line {line}, column {column}")
        self.line = line
        self.column = column


class MessageUnsafe(MessageRefused):
    """The XML asks for what no message needs: a DTD, entities, too many bytes, too great a depth."""

    code = "MESSAGE_UNSAFE"
    remedy = "Send plain UTF-8 XML without DTD or entities, within the limits named."


class MessageUnknown(MessageRefused):
    """The root element is of no message that this adapter speaks."""

    code = "MESSAGE_UNKNOWN"
    remedy = "Check the namespace: law, release (3_2) and message number."


class MessageInvalid(MessageRefused):
    """The message breaks its schema: control level 1. `findings` say where, at most a hundred."""

    code = "MESSAGE_INVALID"

    def __init__(self, message: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(f"{message}: " + "; ".join(map(str, findings)))
        self.findings = findings


class MappingImpossible(ProviderAdapterError):
    """A message is valid, yet cannot be said in the other form; the text names the element."""

    code = "MAPPING_IMPOSSIBLE"
    remedy = "Look at the element named; the standard allows it, this adapter does not support it."


class FileRefused(ProviderAdapterError):
    """A file of the inbox or outbox is not what it should be."""

    code = "FILE_REFUSED"
    remedy = "Give the file another name, or look in rejected/ for the reason."


class EnvelopeRefused(FileRefused):
    """An envelope, or what it carries, is refused; `told` is the code that its sender gets."""

    code = "ENVELOPE_REFUSED"
    remedy = "Correct what is named and send it again under a new referentienummer."

    def __init__(self, told: StufCode, message: str) -> None:
        super().__init__(f"{told.value}: {message}")
        self.told = told
        self.about = ""  # the number of the envelope, where it says one that can be answered


class JournalConflict(ProviderAdapterError):
    """The journal holds something else under this key."""

    code = "JOURNAL_CONFLICT"
    remedy = "Two writers use one journal, or a key was used twice; stop one, keep the journal."


class ConfigInvalid(ProviderAdapterError):
    """A setting, or the file of a person, is not what it should be. Names the key, never a value."""

    code = "CONFIG_INVALID"
    remedy = "Correct the key named; every key is described in adapters/provider/README.md."


class ErasedMeanwhile(ProviderAdapterError):
    """An erasure was followed while somebody's hands worked: nothing was written. Names nobody."""

    code = "ERASED_MEANWHILE"
    remedy = "Find out whether it was this person; only where they are to be known again, do the same again."

    def __init__(self) -> None:
        super().__init__("an erasure was followed at this moment, and nothing was written")


class AlreadyRunning(ProviderAdapterError):
    """Another adapter works on the same state."""

    code = "ALREADY_RUNNING"
    remedy = "Stop the other one, or give this one a state folder of its own."
