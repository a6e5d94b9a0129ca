"""What can go wrong in this adapter, each with a code and a remedy.

Promises: no error holds a BSN, a name, a URL or a text of a case.
Source: house style 20 to 24.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class MunicipalAdapterError(Exception):
    """Root of the tree of this adapter."""

    code = "MUNICIPAL_ADAPTER_ERROR"
    remedy = "Report this with the time."


class ConfigInvalid(MunicipalAdapterError):
    """A setting, or the file of a person, is not what it should be. Names the key, never a value."""

    code = "CONFIG_INVALID"
    remedy = "Correct the key named; every key is described in adapters/municipal/README.md."


class AlreadyRunning(MunicipalAdapterError):
    """Another adapter works on the same state."""

    code = "ALREADY_RUNNING"
    remedy = "Stop the other one, or give this one a state folder of its own."


class ErasedMeanwhile(MunicipalAdapterError):
    """A plan was erased, or an erasure was followed just now: nothing was written. Names nobody."""

    code = "ERASED_MEANWHILE"
    remedy = "Find out whether it was this person; only where they are to be known again, do the same again."

    def __init__(self) -> None:
        super().__init__("this plan was erased, or an erasure was followed just now, and nothing was written")


class CatalogueUnfit(MunicipalAdapterError):
    """The catalogue of the case system has not what the settings name."""

    code = "CATALOGUE_UNFIT"
    remedy = "Compare the names under [zaaktype] with the published case type in the catalogue."


class ForAPerson(MunicipalAdapterError):
    """An errand that no later attempt can do: a person must look. `reason` is a word of the README.

    `note` writes down that it is told, in the step that sets the errand apart: after a kill it is told still.
    """

    code = "FOR_A_PERSON"
    remedy = "Look at the case named in `status`; every reason is explained in adapters/municipal/README.md."

    def __init__(self, reason: str, note: Callable[[], None] = lambda: None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.note = note


class NotificationRefused(MunicipalAdapterError):
    """A body that is no notification. Names the element, never its value."""

    code = "NOTIFICATION_REFUSED"
    remedy = "Look in rejected/ at what came, and at the version of the Notificaties API."


class PersonUnreadable(MunicipalAdapterError):
    """An answer of the BRP cannot be read. Names the element, never its value."""

    code = "PERSON_UNREADABLE"
    remedy = "Compare the version of BRP Personen with the one named in adapters/municipal/README.md."
