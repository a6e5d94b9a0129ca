"""Facts for the gate, from folded streams only: no read model, nothing a caller says of others.

Promises: a fact that cannot be established is given as missing, and the gate denies (GDPR 25, 32).
Source: the gate's data model; Wmo 2015 5.3.3 (case relation), UAVG 5 (age).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.days import day_of
from exchange.domain.limits.determinations import DeterminationKind, determined
from exchange.domain.relations import has_conflict, relation_for
from exchange.domain.representation import (
    NOBODY_RECORDED,
    Representation,
    bound,
    capable_in,
    counts,
    given_by,
)
from exchange.domain.representation.words import SELF
from exchange.domain.resident import age_at
from exchange.domain.values import RESIDENT_TASK, Author, CaseRole, law_of_task
from exchange.gate.conflicts import Objection, standing_objection
from exchange.gate.consents import covers_sources, select_consent, select_leave
from exchange.gate.model import BreakGlass, Consent, Facts, Field
from exchange.gate.representation import is_heard
from exchange.gate.vocabulary import MONEY
from exchange.pipeline.heard import CONSENT_PREFIX, heard_by
from exchange.pipeline.speakers import SPEAKS_OF_MONEY, matters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from datetime import date

    from exchange.domain.resident import ResidentState
    from exchange.gate.entry import LegalBasis
    from exchange.gate.register import Register
    from exchange.pipeline.walk import CommandWalk, View, Walk

AUTHENTICATED: Final = "2FA+mTLS"
INCOMPLETE: Final = "incomplete"
STALE: Final = "stale-factor"
# Who breaks the glass shows his second factor for it, not for what he did this morning.
FRESH_FACTOR_S_MAX: Final = 300
REPRESENTATIVE_TASK: Final = "wettelijk-vertegenwoordiger"
OWN_WORDS: Final = frozenset({RESIDENT_TASK, REPRESENTATIVE_TASK})
SEALED_READER: Final = CaseRole.SEALED_READER.value
GIVEN: Final = "GIVEN"
PLAN_PREFIX: Final = "plan-"
CASE_PREFIX: Final = "case-"
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

    def derive(self, stream: str, name: Hashable, make: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401, ARG002 -- whatever is made, of nothing
        """Return what is made, made now."""
        return make({})


NOTHING_KNOWN: Final = NothingKnown()


def is_stranger(facts: Facts) -> bool:
    """Tell whether the caller neither works on the case, nor speaks as or for this very resident."""
    if facts.recipient in OWN_WORDS:
        return not facts.speaks_for_self
    return not facts.case_relation


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
    """How the caller and the resident stand to each other now; all of it from folded streams.

    `capable` is what was registered; `people` holds what was judged since, and who represents. `bound` names
    the records of the person who signed in as a representative.
    """

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
    people: Representation = NOBODY_RECORDED
    bound: tuple[str, ...] = ()
    # By consent: the records behind the words of others than the resident.
    evidence: tuple[tuple[str, tuple[str, ...]], ...] = ()
    determined: frozenset[str] = frozenset()  # kinds of determination that hold for this request
    in_writing: frozenset[str] = frozenset()  # consents that can be read back as who gave them said it


def standing_of(walk: Walk, view: View, subject: Subject) -> Standing:
    """Find out."""
    caller, now = walk.caller, walk.now
    case = view.state(subject.case_stream) if subject.case_stream else None
    who = Author(caller.organisation, caller.task, caller.professional)
    relation = relation_for(case, who, now, walk.claim.purpose)
    related = relation is not None or not walk.relation
    involved = related and case is not None
    role = "" if relation is None else relation.role
    resident: ResidentState | None = (
        view.state(RESIDENT_PREFIX + subject.resident) if subject.resident else None
    )
    records = () if caller.task != REPRESENTATIVE_TASK else _bound(walk, view, resident)
    own_word = caller.task not in OWN_WORDS or (
        bool(caller.resident)
        and caller.resident == subject.resident
        and (caller.task == RESIDENT_TASK or bool(records))
    )
    relative = has_conflict(case, caller.organisation, caller.professional)
    if resident is None:
        return Standing(related, involved, None, None, (), False, own_word, (), role, relative)  # noqa: FBT003 -- nobody is restricted
    heard = heard_by(
        view, resident, resident.compartments.kept_from(caller.recipient_id, caller.professional)
    )
    scope = (walk.claim.purpose, caller.recipient_id)
    return Standing(
        related,
        involved,
        age_at(resident, day_of(now)),
        resident.capable,
        tuple(
            Objection(one.status, *one.scope, one.decided_at)
            for one in resident.objections
            if one.reaches(*scope)
        ),
        any(one.reaches(*scope) for one in resident.restrictions),
        own_word,
        heard.consents,
        role,
        relative,
        resident.representation,
        records,
        heard.evidence,
        determined(resident.determinations, *scope, records),
        heard.in_writing,
    )


def _bound(walk: Walk, view: View, resident: ResidentState | None) -> tuple[str, ...]:
    """Return the records of who signed in as this resident's representative.

    What he gave he takes back, also after his record has ended (GDPR 7(3)).
    """
    if resident is None:
        return ()
    caller = walk.caller
    who = Author(caller.organisation, caller.task, caller.professional)
    # He is known here as long as his record is in its period; whether he decides is another question.
    found = bound(resident.representation, who, day_of(walk.now), shown=False)
    if not found and getattr(walk, "takes_back", False) and walk.anchor.startswith(CONSENT_PREFIX):
        consent = view.state(walk.anchor)
        found = () if consent is None else given_by(resident.representation, who, consent.authority)
    return tuple(one.representative_id for one in found)


def _authentication(walk: Walk) -> str:
    caller = walk.caller
    if not (caller.two_factor and caller.mutual_tls):
        return INCOMPLETE
    if walk.claim.break_glass is None:
        return AUTHENTICATED
    fresh = walk.now.timestamp() - caller.authenticated_at <= FRESH_FACTOR_S_MAX
    return AUTHENTICATED if fresh else STALE


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
        # A role on a case makes nobody a reader of a seal: the seal names its readers itself.
        roles=frozenset((standing.role,)) - {"", SEALED_READER},
        directly_involved=standing.involved,
        restricted=standing.restricted,
        relative_of_subject=standing.relative,
        disproportionate=DeterminationKind.DISPROPORTIONATE in standing.determined,
        contrary_to_child_interest=caller.task == REPRESENTATIVE_TASK
        and DeterminationKind.CONTRARY_TO_CHILD_INTEREST in standing.determined,
        staff_identity_needed=caller.task in OWN_WORDS
        and DeterminationKind.STAFF_IDENTITY_NEEDED in standing.determined,
        delivered_later=bool(getattr(walk, "delivered_later", False)),
        break_glass=BreakGlass(*claim.break_glass) if claim.break_glass else None,
        speaks_for_self=standing.own_word,
        records=walk.records,
        bulk=bool(getattr(walk, "bulk", False)),
        about_consent=bool(getattr(walk, "about_consent", False)),
    )
    if not standing.consents and not standing.objections and standing.people is NOBODY_RECORDED:
        return facts
    return _with_speakers(facts, walk, standing, register.find(claim.legal_basis, walk.now))


def command_facts(walk: CommandWalk, standing: Standing, register: Register) -> Facts:
    """Return all facts of a command: what is written comes from who writes it, under his own law."""
    task = walk.caller.task
    law = law_of(task)
    fields = [Field(name, category, provider=task, acquired_for=law) for name, category in walk.fields]
    return assemble(walk, standing, fields, task, register)


def _with_speakers(facts: Facts, walk: Walk, standing: Standing, basis: LegalBasis | None) -> Facts:
    """Add the consent to judge, an objection it does not outweigh, and who decides for the resident."""
    people, day, caller = standing.people, day_of(walk.now), walk.caller
    kind = "" if basis is None else basis.consent_kind
    capable = standing.capable
    access = basis is not None and basis.subject_access
    if capable is not None:
        matters = matters_of(walk.claim.purpose, consent_kind=kind.lower(), access=access)
        capable = capable_in(people, matters, day, registered=capable)
    heard = _holders(standing, day, capable)
    shown = {name: heard.intersection(records) for name, records in standing.evidence}
    consents = _binding_consents(standing, shown, capable)
    disputed = any(one.purpose == facts.purpose for one in people.disputes)
    facts = replace(facts, capable=capable, authority_disputed=disputed)
    consent = select_leave(consents, facts) if access else select_consent(consents, facts, kind)
    if caller.task == REPRESENTATIVE_TASK:
        # Taking back asks no more than giving did: no source that is recent still, nor the age of then.
        # To see, authority is asked also where the youth decides: his leave lets its holder in, nobody else.
        holders = _holders(standing, day, capable=False) if access else heard
        holders = holders if _is_of_money(facts) else holders - _of_money_alone(people)
        authority = bool(
            standing.bound if getattr(walk, "takes_back", False) else holders.intersection(standing.bound)
        )
    else:
        authority = consent is not None and bool(shown.get(consent.consent_id))
    objection = None
    if standing.objections:
        proven = {name for name, records in shown.items() if records}
        # A yes about what some hold is no yes to what others hold; a no is heard whole.
        whole = [one for one in consents if one.state != "GIVEN" or covers_sources(one, facts)]
        objection = standing_objection(
            standing.objections, whole, facts, basis, proven, in_writing=standing.in_writing
        )
    return replace(facts, consent=consent, has_authority=authority, objection=objection)


def _is_of_money(facts: Facts) -> bool:
    """Tell whether a question is about money alone; of a consent its kind and categories say so elsewhere."""
    fields = facts.fields or ()
    return facts.about_consent or (bool(fields) and all(one.category in MONEY for one in fields))


def _of_money_alone(people: Representation) -> frozenset[str]:
    """Return the records of who speaks about money and never for the person (BW 1:431, 1:441)."""
    return frozenset(
        one.representative_id for one in people.representatives if one.relation in SPEAKS_OF_MONEY
    )


def _holders(standing: Standing, day: date, capable: bool | None) -> frozenset[str]:  # noqa: FBT001 -- what was judged, or None
    """Return the records that decide for the resident now, whatever the question."""
    people, age = standing.people, standing.age
    if age is None:
        return frozenset()
    return frozenset(
        one.representative_id
        for one in people.representatives
        if counts(one, people, day, age, capable=capable)
    )


def _binding_consents(
    standing: Standing,
    shown: Mapping[str, frozenset[str]],
    capable: bool | None,  # noqa: FBT001 -- what was judged, or None
) -> Sequence[Consent]:
    """Return the consents with the words that count: shown by a record now, and of who is asked there.

    Beside a yes that somebody is bound by, one that nobody is bound by any more is not looked at; alone it
    stays, so that the refusal says that the wrong person spoke (R21) and not that nobody did.
    """
    found = []
    for consent in standing.consents:
        records = shown.get(consent.consent_id, ())
        relations = {
            one.relation for one in standing.people.representatives if one.representative_id in records
        }
        said = consent.given_by or ()
        words = tuple(
            word
            for word in said
            if (word == SELF or word in relations) and _is_asked(consent, word, standing.age, capable)
        )
        found.append(consent if words == said else replace(consent, given_by=words))
    bound_by = [one for one in found if one.given_by or one.state != GIVEN]
    return bound_by if any(one.state == GIVEN for one in bound_by) else found


def _is_asked(consent: Consent, word: str, age: int | None, capable: bool | None) -> bool:  # noqa: FBT001 -- as above
    # What is not established is left to the gate, which denies (R01).
    return age is None or capable is None or is_heard(consent.kind, word, age, capable=capable)


def law_of(task: str) -> str | None:
    """Return the law for which a task holds data; None for what residents say: told for this plan."""
    return None if task in OWN_WORDS else law_of_task(task)
