"""Facts for the gate, from folded streams only: no read model, nothing a caller says of others.

Promises: a fact that cannot be established is given as missing, and the gate denies (GDPR 25, 32).
Source: the gate's data model; Wmo 2015 5.3.3 (case relation), UAVG 5 (age).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.relations import has_conflict, has_relation, relation_of
from exchange.domain.resident import age_at
from exchange.domain.values import Author, law_of_task
from exchange.gate.conflicts import Objection, standing_objection
from exchange.gate.consents import select_consent
from exchange.gate.model import BreakGlass, Consent, Facts, Field
from exchange.pipeline.walk import CommandWalk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from exchange.domain.resident import ResidentState
    from exchange.gate.register import Register
    from exchange.pipeline.walk import Caller, ReadWalk, View

AUTHENTICATED: Final = "2FA+mTLS"
INCOMPLETE: Final = "incomplete"
STALE: Final = "stale-factor"
# Who breaks the glass shows his second factor for it, not for what he did this morning.
FRESH_FACTOR_S_MAX: Final = 300
RESIDENT_TASK: Final = "betrokkene"
OWN_WORDS: Final = frozenset({RESIDENT_TASK, "wettelijk-vertegenwoordiger"})
SEALED_READER: Final = "sealed-reader"
PLAN_PREFIX: Final = "plan-"
CASE_PREFIX: Final = "case-"
CONSENT_PREFIX: Final = "consent-"
RESIDENT_PREFIX: Final = "resident-"


class Subject(NamedTuple):
    """Whom and what a walk is about. Empty strings where the anchor's stream is empty."""

    resident: str
    case_stream: str
    key: str  # id of the plan, case or consent asked about


class NothingKnown:
    """A view in which nobody is known: what a stranger is told may rest on this view only."""

    def state(self, stream: str) -> None:
        """Return no state."""

    def version(self, stream: str) -> int:  # noqa: ARG002 -- every stream is empty
        """Return 0."""
        return 0

    def scope(self, resident: str) -> tuple[str, ...]:  # noqa: ARG002 -- nobody has streams
        """Return no streams."""
        return ()


NOTHING_KNOWN: Final = NothingKnown()


def is_stranger(facts: Facts) -> bool:
    """Tell whether the caller neither works on the case nor speaks for himself."""
    return not (facts.case_relation and facts.speaks_for_self)


def subject_of(view: View, anchor: str) -> Subject:
    """Find the resident and the case behind an anchor."""
    if not anchor:
        return Subject("", "", "")
    key = anchor.partition("-")[2]
    if anchor.startswith(RESIDENT_PREFIX):
        return Subject(key, open_case(view, key), "")
    state = view.state(anchor)
    if state is None:
        return Subject("", "", key)
    case_stream = anchor if anchor.startswith(CASE_PREFIX) else stream_of("case", state.case_id)
    return Subject(state.resident, case_stream, key)


def open_case(view: View, resident: str) -> str:
    """Return the stream of the resident's open case, empty where there is none."""
    for stream in view.scope(resident):
        if stream.startswith(CASE_PREFIX):
            state = view.state(stream)
            if state is not None and not state.closed:
                return stream
    return ""


class Standing(NamedTuple):
    """How the caller and the resident stand to each other now; all of it from folded streams."""

    related: bool
    involved: bool
    age: int | None
    capable: bool | None
    objections: tuple[Objection, ...]  # that reach this request, with what the resident did not win
    restricted: bool
    own_word: bool
    consents: tuple[Consent, ...]
    role: str = ""  # in which the caller works on the case; never what a token says of its bearer
    relative: bool = False  # a conflict of interest was recorded
    determined: frozenset[str] = frozenset()  # kinds of determination that hold for this request


def standing_of(walk: CommandWalk | ReadWalk, view: View, subject: Subject) -> Standing:
    """Find out."""
    caller, now = walk.caller, walk.now
    resident: ResidentState | None = (
        view.state(RESIDENT_PREFIX + subject.resident) if subject.resident else None
    )
    case = view.state(subject.case_stream) if subject.case_stream else None
    related = (not walk.relation) or (
        case is not None and has_relation(case, caller.organisation, caller.task, caller.professional, now)
    )
    own_word = caller.task not in OWN_WORDS or (bool(caller.resident) and caller.resident == subject.resident)
    consents = _consents(view, subject)
    involved = related and case is not None
    role = _role(case, caller, now)
    relative = has_conflict(case, caller.organisation, caller.professional)
    if resident is None:
        return Standing(related, involved, None, None, (), False, own_word, consents, role, relative)  # noqa: FBT003 -- nobody is restricted
    scope = (walk.claim.purpose, caller.recipient_id)
    return Standing(
        related,
        involved,
        age_at(resident, now.date()),
        resident.capable,
        tuple(Objection(one.status, *one.scope) for one in resident.objections if one.reaches(*scope)),
        any(one.reaches(*scope) for one in resident.restrictions),
        own_word,
        consents,
        role,
        relative,
        frozenset(one.kind for one in resident.determinations if one.reaches(*scope)),
    )


def _role(case: Any, caller: Caller, now: datetime) -> str:  # noqa: ANN401 -- CaseState, or None
    """Return the role of the caller's standing relation with the case, empty where there is none."""
    relation = relation_of(case, Author(caller.organisation, caller.task, caller.professional), now)
    return "" if relation is None else relation.role


def _authentication(walk: CommandWalk | ReadWalk) -> str:
    caller = walk.caller
    if not (caller.two_factor and caller.mutual_tls):
        return INCOMPLETE
    if walk.claim.break_glass is None:
        return AUTHENTICATED
    fresh = walk.now.timestamp() - caller.authenticated_at <= FRESH_FACTOR_S_MAX
    return AUTHENTICATED if fresh else STALE


def assemble(
    walk: CommandWalk | ReadWalk,
    standing: Standing,
    fields: Sequence[Field],
    provider: str,
    register: Register,
) -> Facts:
    """Return all facts of one request."""
    caller, claim = walk.caller, walk.claim
    facts = Facts(
        now=walk.now,
        actor_auth=_authentication(walk),
        legal_basis=claim.legal_basis,
        purpose=claim.purpose,
        provider=provider,
        recipient=caller.task,
        recipient_id=caller.recipient_id,
        fields=tuple(fields),
        case_relation=standing.related,
        necessity=claim.necessity or None,
        age=standing.age,
        capable=standing.capable,
        consent=None,
        # Who reads behind a seal is told by the seal, field by field: a role on the case opens none.
        roles=frozenset((standing.role,)) - {"", SEALED_READER},
        directly_involved=standing.involved,
        restricted=standing.restricted,
        relative_of_subject=standing.relative,
        disproportionate="disproportionate" in standing.determined,
        contrary_to_child_interest="contrary_to_child_interest" in standing.determined,
        staff_identity_needed="staff_identity_needed" in standing.determined,
        delivered_later=bool(getattr(walk, "delivered_later", False)),
        break_glass=BreakGlass(*claim.break_glass) if claim.break_glass else None,
        speaks_for_self=standing.own_word,
        records=isinstance(walk, CommandWalk),
        bulk=bool(getattr(walk, "bulk", False)),
    )
    if standing.objections:
        facts = replace(facts, objection=standing_objection(standing.objections, standing.consents, facts))
    if not standing.consents:
        return facts
    basis = register.find(claim.legal_basis, walk.now)
    kind = "" if basis is None else basis.consent_kind
    return replace(facts, consent=select_consent(standing.consents, facts, kind))


def law_of(task: str) -> str | None:
    """Return the law for which a task holds data; None for what residents say: told for this plan."""
    return None if task in OWN_WORDS else law_of_task(task)


def _consents(view: View, subject: Subject) -> tuple[Consent, ...]:
    if not subject.resident:
        return ()
    streams = [stream for stream in view.scope(subject.resident) if stream.startswith(CONSENT_PREFIX)]
    if not streams:
        return ()
    return tuple(_for_gate(state) for state in map(view.state, streams) if state is not None)


def _for_gate(state: Any) -> Consent:  # noqa: ANN401 -- ConsentState
    return Consent(
        consent_id=state.consent_id,
        version=state.version,
        state=state.state.upper(),
        explicit=state.explicit,
        start=state.start_time,
        end=state.end_time,
        withdrawn_at=state.withdrawn_at,
        purposes=frozenset((state.purpose,)),
        recipients=frozenset(state.recipients),
        categories=frozenset(state.categories),
        given_by=state.given_by,
        free_assessed=state.free_assessed,
        spoken_at=state.given_at or state.refused_at,
        kind=state.kind.upper(),
    )
