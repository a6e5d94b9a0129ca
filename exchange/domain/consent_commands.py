"""What is ordered about a consent: a question, a yes, a no, a withdrawal.

Promises: none of them says who speaks without a record that shows it; withdrawing asks nothing but the wish.
Source: GDPR 4(11), 7; protos/exchange/v1/consent_service.proto; the gate's design section 2.
"""

from dataclasses import dataclass
from datetime import datetime

from exchange.domain.kernel import AuthoredCommand
from exchange.domain.representation.words import SELF


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestConsent(AuthoredCommand):
    """Put a question. Recipients are "<OIN>/<task>", the period excludes its end, the hash is hexadecimal.

    `sources` are tasks of who holds the data, none for whoever does; `regime` is a law, empty where not said.

    The notice is what the resident was told: `notice.py` says which stand registered.
    """

    consent_id: str
    case_id: str
    resident: str
    kind: str
    purpose: str
    recipients: tuple[str, ...]
    categories: tuple[str, ...]
    start_time: datetime
    end_time: datetime
    notice_id: str
    notice_version: int
    notice_sha256: str
    notice_language: str
    notice_level: str
    withdrawal_channels: tuple[str, ...]
    sources: tuple[str, ...] = ()
    regime: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveConsent(AuthoredCommand):
    """Say yes: who says it, whether in so many words, whether found free of pressure, and how.

    `authority` names the records that show the words of others than the resident. `alternatives` says that
    what is asked can be had without it, `no_detriment` that no disadvantage hangs on a no.
    """

    given_by: tuple[str, ...]
    authority: tuple[str, ...] = ()
    explicit: bool
    free_assessed: bool
    alternatives: bool = False
    no_detriment: bool = False
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseConsent(AuthoredCommand):
    """Say no, as one of SPEAKERS."""

    said_by: str = SELF
    authority: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawConsent(AuthoredCommand):
    """Withdraw; takes nothing but the wish (GDPR 7(3))."""

    said_by: str = SELF
    authority: str = ""
