"""Verwerkingenlogging: each processing as a Verwerkingsactie, with the kinds of data it was about.

Promises: ids are made of the decision, so that the same decision is the same action at every export; no
staff; a BSN nowhere: the object is the log's pseudonym. What must not be read along by the resident's side
(a seal, an investigation of Veilig Thuis) is `vertrouwelijk`, and so is an emergency: who represents him may
be the danger, and the form knows one side only.
Source: VNG Verwerkingenlogging, Bewerking API 0.9.0; GDPR 30, 32; Wmo 2015 5.2.6, 5.3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from exchange.domain.obligations import SAFETY_PURPOSE, SAFETY_TASK, SEAL_BASIS, Duty, is_emergency
from exchange.server.accountability.ldv import NO_ACTIVITY, PSEUDONYM, SERVICE, name_of, subject_id
from exchange.server.contract.decisions import SEAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.server.accountability.contents import Contents
    from exchange.server.accountability.processings import Processing

NORMAL: Final = "normaal"
CONFIDENTIAL: Final = "vertrouwelijk"
_KEPT: Final = frozenset({Duty.NO_NOTICE_TO_SUSPECT, Duty.DEFER_NOTICE_4W})
_SEAL_TOPICS: Final = ("resident.seal_proposed.", "resident.sealed.", "resident.seal_lifted.")

Action = dict[str, Any]


def verwerkingsactie(
    one: Processing, contents: Contents, log_pseudonym: Callable[[str], str], operator: str
) -> Action:
    """Return the action; `operator` is the OIN of who runs the exchange."""
    action_id = uuid5(UUID(one.decision_id), one.trace.span_id)
    moment = one.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "url": action_id.urn,
        "actieId": str(action_id),
        "actieNaam": name_of(one),
        "verwerkingNaam": one.purpose,
        "verwerkingId": str(UUID(one.trace.trace_id)),
        "verwerkingsactiviteitUrl": NO_ACTIVITY if one.basis is None else one.basis.processing_activity_uri,
        "vertrouwelijkheid": CONFIDENTIAL if _is_confidential(one) else NORMAL,
        "uitvoerder": operator,
        "systeem": SERVICE,
        "soortAfnemerId": "OIN",
        "afnemerId": one.organisation,
        "tijdstip": moment,
        "tijdstipRegistratie": moment,
        "verwerkteObjecten": _objects(one, contents, subject_id(one, log_pseudonym)) if one.resident else [],
    }


def _objects(one: Processing, contents: Contents, subject: str) -> list[Action]:
    object_id = uuid5(UUID(one.decision_id), subject)
    told: Action = {
        "url": object_id.urn,
        "verwerktObjectId": str(object_id),
        "objecttype": "persoon",
        "soortObjectId": PSEUDONYM,
        "objectId": subject,
        "betrokkenheid": "betrokkene",
    }
    # Left out where the words were erased: then nobody knows, which is not the same as none.
    if contents.known:
        told["verwerkteSoortenGegevens"] = [{"soortGegeven": name} for name in sorted(contents.given)]
    return [told]


def _is_confidential(one: Processing) -> bool:
    basis = one.claimed.partition("@")[0]
    return (
        SEAL in one.rules
        or basis == SEAL_BASIS
        or one.task == SAFETY_TASK
        or one.purpose == SAFETY_PURPOSE
        or not _KEPT.isdisjoint(one.obligations)
        or is_emergency(one.obligations)
        or (one.basis is not None and not _KEPT.isdisjoint(one.basis.permit_obligations))
        or any(row.topic.startswith(_SEAL_TOPICS) for row in one.rows)
    )
