"""Who a case is about, told to a recipient on it: the fact of sending, and the envelope that only he opens.

Promises: no pseudonym is in here, of nobody; the sender works on the case and so does the recipient; an
envelope has one length whatever it holds, is sealed with the resident's key and dies with it; of what one
sender sent one recipient the newest stands.
Source: Wabb 11(1) (the BSN between its users); GDPR 87; LEDGER design section 6.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Events, ResidentEvent, with_changes
from exchange.domain.relations import CaseState, Sent
from exchange.domain.shape import FINE, oin_fault, refuse_faults, token_fault
from exchange.errors import RuleBroken

# As written in an event: hexadecimal of 66 bytes. Sealed, for who has the recipient's key reads a BSN in it.
_ENVELOPE: Final = re.compile(r"[0-9a-f]{132}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendIdentity(AuthoredCommand):
    """Let a recipient know whom the case is about. The envelope is hexadecimal, empty for none."""

    resident: str
    recipient_oin: str
    recipient_task: str
    purpose: str
    envelope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySent(ResidentEvent):
    """A recipient may read under which pseudonym of its own it knows the resident."""

    TOPIC: ClassVar[str] = "case.identity_sent.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"envelope": "BSN"})
    case_id: str
    oin: str
    task: str
    recipient_oin: str
    recipient_task: str
    purpose: str
    envelope: str
    at: datetime


def send_identity(command: SendIdentity, case: CaseState) -> Events:
    """Decide for somebody who works on the case."""
    author = command.author
    enveloped = not command.envelope or _ENVELOPE.fullmatch(command.envelope)
    refuse_faults(
        {
            "recipient_oin": oin_fault(command.recipient_oin),
            "recipient_task": token_fault(command.recipient_task),
            "envelope": FINE if enveloped else "must be 66 bytes, as the SDK makes it, or empty",
        }
    )
    if command.resident != case.resident:
        raise RuleBroken("this case is about another resident", rule="OTHER_RESIDENT")
    if command.recipient_oin == author.oin:
        raise RuleBroken("within one organisation there is one pseudonym", rule="SAME_ORGANISATION")
    if not _works_there(case, command.recipient_oin, command.recipient_task, command.now):
        raise RuleBroken("the recipient does not work on this case", rule="RECIPIENT_NOT_ON_CASE")
    sent = IdentitySent(
        resident=case.resident,
        case_id=case.case_id,
        oin=author.oin,
        task=author.task,
        recipient_oin=command.recipient_oin,
        recipient_task=command.recipient_task,
        purpose=command.purpose,
        envelope=command.envelope,
        at=command.now,
    )
    return (sent,)


def _works_there(case: CaseState, oin: str, task: str, now: datetime) -> bool:
    return any(each.oin == oin and each.task == task and each.works_at(now) for each in case.professionals)


def identity_sent(state: CaseState, event: IdentitySent) -> CaseState:
    """Put it in the place of what this sender sent this recipient before; newest last."""
    sent = Sent(
        event.oin,
        event.task,
        event.recipient_oin,
        event.recipient_task,
        event.purpose,
        event.envelope,
        event.at,
    )
    others = tuple(each for each in state.identities if each.parties != sent.parties)
    return with_changes(state, identities=(*others, sent))


def sent_to(
    state: CaseState | None, oin: str, task: str, senders: frozenset[str] = frozenset()
) -> Sent | None:
    """Return the newest for a recipient, of a sender in one of these tasks where there is one."""
    mine = [one for one in state.identities if one.is_for(oin, task)] if state is not None else []
    wanted = [one for one in mine if one.sender_task in senders]
    return next(reversed(wanted or mine), None)
