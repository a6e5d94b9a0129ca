"""NEN 7513: who saw or recorded what of a resident's health, as the extension of the Logboek writes it.

Promises: for the officer alone, because the norm asks who: a professional's own opaque id, never a name.
Attempts that were refused stand in it too. Where the words of a decision were erased it is told by the
categories its basis covers: rather a line too many than one too few. What the exchange does not hold is named
in `exchange.omitted`.
Source: NEN 7513 as mapped by the Logius extension NEN 7513 of Logboek Dataverwerkingen; RFC 3881 (the codes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain.obligations import COMMAND, EVALUATE
from exchange.gate.vocabulary import SECRECY_OF_KIND, SPECIAL
from exchange.server.accountability.ldv import PSEUDONYM, ldv_line, subject_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.server.accountability.contents import Contents
    from exchange.server.accountability.processings import Processing

# The kinds of party that give care.
CARE: Final = frozenset(SECRECY_OF_KIND)
PERSON, SYSTEM_OBJECT = 1, 2  # ParticipantObjectTypeCode
SUBJECT, REPORT = 1, 3  # ParticipantObjectTypeCodeRole
AMENDED, USED = 3, 6  # ParticipantObjectDataLifeCycle
APPLICATION_SERVER: Final = 4  # AuditSourceTypeCode
OMITTED: Final = (
    "users.alternateUserID",
    "users.userName",
    "users.networkAccessPointTypeCode",
    "users.networkAccessPointID",
    "participants.participantObjectName",
)
# EventActionCode: execute, update, read.
_CODES: Final = {EVALUATE: "E", COMMAND: "U"}
_READ: Final = "R"

Line = dict[str, Any]


def concerns_care(one: Processing, contents: Contents) -> bool:
    """Tell whether the norm asks for a line: data about health, or a care provider who asks or wrote."""
    if not one.resident:
        return False
    asked = contents.asked if contents.known else _of_basis(one)
    return not SPECIAL.isdisjoint(asked) or not CARE.isdisjoint({one.task, *contents.providers})


def nen7513_line(
    one: Processing, contents: Contents, log_pseudonym: Callable[[str], str], operator: str
) -> Line:
    """Return the line of the log with the norm's fields in it."""
    line = ldv_line(one, log_pseudonym)
    assert line is not None
    line["name"] = _CODES.get(one.action, _READ)
    line["resource"]["attributes"] |= {
        "nen7513.AuditEnterpriseSiteID": operator,
        "nen7513.AuditSourceId": "exchange",
        "nen7513.AuditSourceTypeCode": APPLICATION_SERVER,
    }
    subject = subject_id(one, log_pseudonym)
    line["attributes"] |= {
        "dpl.nen7513.eventTypeCode": one.action,
        "dpl.nen7513.users": [
            {
                "userID": one.professional,
                "userIsRequestor": True,
                "roleIDCode": one.task,
                "purposeOfUse": one.purpose,
            }
        ],
        "dpl.nen7513.participants": [_participant(PERSON, SUBJECT, PSEUDONYM, subject)],
        "dpl.nen7513.participantSegments": _segments(one, contents),
        "dpl.nen7513.autorisatieProtocol": f"{one.claimed} {one.policy_hash}",
        "dpl.nen7513.behandelrelatieProtocol": _relation(contents),
        "dpl.nen7513.toestemmingsProfiel": one.consent_id,
        "dpl.nen7513.controles": list(one.rules),
        "exchange.omitted": [*OMITTED, *(() if contents.known else ("participantSegments",))],
    }
    return line


def _segments(one: Processing, contents: Contents) -> list[Line]:
    cycle = AMENDED if one.action == COMMAND else USED
    return [
        _participant(SYSTEM_OBJECT, REPORT, "categorie", name)
        | {"participantObjectDataLifeCycle": cycle, "participantObjectSensitivity": name}
        for name in sorted(contents.given)
    ]


def _participant(kind: int, role: int, id_type: str, name: str) -> Line:
    return {
        "participantObjectTypeCode": kind,
        "participantObjectTypeCodeRole": role,
        "participantObjectIDTypeCode": id_type,
        "participantObjectID": name,
    }


def _relation(contents: Contents) -> str:
    return {True: "op de casus", False: "niet op de casus", None: "niet vastgelegd"}[contents.on_case]


def _of_basis(one: Processing) -> frozenset[str]:
    return frozenset() if one.basis is None else one.basis.categories
