"""Facts for the gate, from folded streams only: no read model, nothing a caller says of others.

Promises: a fact that cannot be established is given as missing, and the gate denies (GDPR 25, 32).
Source: the gate's data model; Wmo 2015 5.3.3 (case relation), UAVG 5 (age).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.relations import relation_of
from exchange.domain.resident import age_at
from exchange.domain.values import CaseRole, law_of_task
from exchange.gate.consents import select_consent
from exchange.gate.model import BreakGlass, Consent, Facts, Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.domain.resident import ResidentState
    from exchange.gate.register import Register
    from exchange.pipeline.walk import Caller, View, Walk

AUTHENTICATED: Final = "2FA+mTLS"
RESIDENT_TASK: Final = "betrokkene"
OWN_WORDS: Final = frozenset({RESIDENT_TASK, "wettelijk-vertegenwoordiger"})
SEALED_READER: Final = CaseRole.SEALED_READER.value
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
    objection: str | None
    restricted: bool
    own_word: bool
    consents: tuple[Consent, ...]
    role: str = ""  # in which the caller works on the case; never what a token says of its bearer


def standing_of(walk: Walk, view: View, subject: Subject) -> Standing:
    """Find out."""
    caller, now = walk.caller, walk.now
    case = view.state(subject.case_stream) if subject.case_stream else None
    relation = relation_of(case, caller.organisation, caller.task, caller.professional, now)
    related = relation is not None or not walk.relation
    own_word = caller.task not in OWN_WORDS or (bool(caller.resident) and caller.resident == subject.resident)
    involved = related and case is not None
    role = "" if relation is None else relation.role
    resident: ResidentState | None = (
        view.state(RESIDENT_PREFIX + subject.resident) if subject.resident else None
    )
    if resident is None:
        return Standing(related, involved, None, None, None, False, own_word, (), role)  # noqa: FBT003 -- nobody is restricted
    return Standing(
        related,
        involved,
        age_at(resident, now.date()),
        resident.capable,
        resident.objection or None,
        resident.restricted,
        own_word,
        _consents(view, subject.resident),
        role,
    )


def assemble(
    walk: Walk,
    standing: Standing,
    fields: Sequence[Field],
    provider: str,
    register: Register,
) -> Facts:
    """Return all facts of one request."""
    caller, claim = walk.caller, walk.claim
    facts = Facts(
        now=walk.now,
        actor_auth=AUTHENTICATED if caller.two_factor and caller.mutual_tls else "incomplete",
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
        # A role on a case makes nobody a reader of a seal: the seal names its readers itself.
        roles=frozenset((standing.role,)) - {"", SEALED_READER},
        directly_involved=standing.involved,
        objection=standing.objection,
        restricted=standing.restricted,
        delivered_later=bool(getattr(walk, "delivered_later", False)),
        break_glass=BreakGlass(*claim.break_glass) if claim.break_glass else None,
        speaks_for_self=standing.own_word,
        records=walk.records,
    )
    if not standing.consents:
        return facts
    basis = register.find(claim.legal_basis, walk.now)
    kind = "" if basis is None else basis.consent_kind
    return replace(facts, consent=select_consent(standing.consents, facts, kind))


def seal_fields(resident: Any, caller: Caller, role: str, fields: Sequence[Field]) -> Sequence[Field]:  # noqa: ANN401 -- ResidentState
    """Mark fields that lie in a compartment the caller is no named reader of, in his role on the case."""
    if resident is None or not resident.seals:
        return fields
    return [_sealed(resident, caller, role, field) for field in fields]


def law_of(task: str) -> str | None:
    """Return the law for which a task holds data; None for what residents say: told for this plan."""
    return None if task in OWN_WORDS else law_of_task(task)


def _sealed(resident: Any, caller: Caller, role: str, field: Field) -> Field:  # noqa: ANN401 -- ResidentState
    path = field.name.partition("[")[0]
    for seal in resident.seals:
        named = caller.recipient_id in seal.readers or (role and role in seal.reader_roles)
        if path in seal.paths and not named:
            return Field(
                field.name,
                field.category,
                secret=field.secret,
                sealed=True,
                third_party=field.third_party,
                staff_name=field.staff_name,
                provider=field.provider,
                acquired_for=field.acquired_for,
            )
    return field


def _consents(view: View, resident: str) -> tuple[Consent, ...]:
    streams = [stream for stream in view.scope(resident) if stream.startswith(CONSENT_PREFIX)]
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
