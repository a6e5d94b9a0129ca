"""Who decides for a resident in a matter, from folded state: the domain's records under the gate's table.

Promises: nothing is taken from a token but who signed in; what is not established (a judgement that expired,
a source that is too old) counts for nobody; an answer nobody would be bound by is not recorded as one.
Source: UAVG 5; Jeugdwet 7.3.4, 7.3.15; Wmo 2015 5.3.2-5.3.3; the gate's design section 6.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.limits.determinations import cleared
from exchange.domain.obligations import NOT_CLEARED, Cleared
from exchange.domain.representation import Spoken, bound, capable_in, counts, given_by
from exchange.domain.representation.voices import SOURCE_DAYS_MAX
from exchange.domain.representation.words import SELF, Matter, Relation
from exchange.domain.resident import age_at, objects_himself
from exchange.domain.values import RESIDENT_TASK, Author, ConsentKind
from exchange.errors import RuleBroken
from exchange.gate.representation import CHILD_AGE, is_heard

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from exchange.domain.consent import ConsentState
    from exchange.domain.representation import Representation, Representative
    from exchange.domain.resident import ResidentState
    from exchange.pipeline.walk import Caller


# He speaks about money and goods, and never for the person (BW 1:431, 1:441).
SPEAKS_OF_MONEY: Final = frozenset({Relation.BEWINDVOERDER.value})


class Authority(NamedTuple):
    """What who asks is to a resident, and in what his word counts; of the resident himself no relation."""

    relations: tuple[str, ...] = ()
    last_day: date | None = None
    speaks: bool = False
    consent_kinds: tuple[str, ...] = ()
    takes_back_objections: bool = False


NO_AUTHORITY: Final = Authority()


def authority_of(resident: ResidentState, author: Author, purpose: str, day: date) -> Authority:
    """Return in what the word of who signed in counts on a day, as the gate and the domain would judge it.

    `purpose` is that of the question; of a consent what was judged for every purpose alike is looked at.
    """
    people, age = resident.representation, age_at(resident, day)
    own = author.task == RESIDENT_TASK
    records = () if own else bound(people, author, day)
    if not records and not own:
        return NO_AUTHORITY

    def said(capable: bool | None) -> list[str]:  # noqa: FBT001 -- what was judged, or None
        """Return the words that he may say where the resident is found able, or not."""
        counted = (one.relation for one in records if counts(one, people, day, age, capable=capable))
        return [SELF] if own else list(counted)

    def judged(matters: Collection[str]) -> bool | None:
        return capable_in(people, matters, day, registered=resident.capable)

    kinds = []
    for kind in ConsentKind:
        capable = judged(matters_of("", consent_kind=kind))
        if capable is not None and any(
            is_heard(kind.upper(), word, age, capable=capable) for word in said(capable)
        ):
            kinds.append(kind.value)
    speaks = own or not SPEAKS_OF_MONEY.issuperset(said(judged(matters_of(purpose))))
    return Authority(
        relations=tuple(dict.fromkeys(one.relation for one in records)),
        last_day=max(map(_last_day, records), default=None),
        speaks=speaks,
        consent_kinds=tuple(kinds),
        takes_back_objections=speaks and (own or not objects_himself(resident, day)),
    )


def _last_day(record: Representative) -> date:
    """Return the last day on which a record is in its period and its source counts."""
    shown = record.source_date + timedelta(days=SOURCE_DAYS_MAX[record.evidence_source])
    return shown if record.end_date is None else min(shown, record.end_date - timedelta(days=1))


def matters_of(purpose: str, *, consent_kind: str = "", access: bool = False) -> frozenset[str]:
    """Return in which matters a judgement of capacity bears on a question."""
    if access:
        return frozenset({purpose, Matter.ACCESS})
    return frozenset({purpose, Matter.CARE if consent_kind == ConsentKind.CARE else Matter.CONSENT})


def cleared_to_be_told(resident: ResidentState | None, caller: Caller, purpose: str, day: date) -> Cleared:
    """Return since when a representative may be told what Veilig Thuis asked, and of an emergency.

    Only where the resident has no access of his own is somebody told in his place (Wmo 2015 5.3.2-5.3.3),
    and only who was found not to be the one it is about. Whether he has authority at all is judged with the
    question.
    """
    if resident is None or caller.task == RESIDENT_TASK:
        return NOT_CLEARED
    people = resident.representation
    matters = matters_of(purpose, access=True)
    capable = capable_in(people, matters, day, registered=resident.capable)
    if age_at(resident, day) >= CHILD_AGE and capable is not False:
        return NOT_CLEARED
    author = Author(caller.organisation, caller.task, caller.professional)
    records = {one.representative_id for one in bound(people, author, day)}
    return cleared(resident.determinations, caller.recipient_id, records)


def said_by(
    people: Representation, author: Author, representative_id: str, authority: Collection[str], day: date
) -> Spoken:
    """Return whose no or withdrawal this is; never fails, so that withdrawing never does (GDPR 7(3)).

    A source that has grown old does not keep a representative from taking back, nor does it that his record
    has ended where he gave the yes: `authority` names the records that show it.
    """
    if not author.is_residents_side:
        record = people.ever(representative_id) if representative_id else None
        return Spoken((SELF,)) if record is None else Spoken((record.relation,), (record.representative_id,))
    if author.task == RESIDENT_TASK:
        return Spoken((SELF,))
    records = given_by(people, author, authority) or bound(people, author, day, shown=False)
    return Spoken((records[0].relation,), (records[0].representative_id,)) if records else Spoken((SELF,))


def holders_in(resident: ResidentState, consent: ConsentState, day: date) -> frozenset[str]:
    """Return the records whose word on this consent counts now and was not put aside."""
    people, age = resident.representation, age_at(resident, day)
    capable = _capable_in(resident, consent, day)
    return frozenset(
        one.representative_id
        for one in people.representatives
        if counts(one, people, day, age, capable=capable)
        and capable is not None
        and is_heard(consent.kind.upper(), one.relation, age, capable=capable)
        and (consent.purpose, one.representative_id) not in people.overruled
    )


def refuse_unheard(resident: ResidentState, consent: ConsentState, spoken: Spoken, day: date) -> None:
    """Raise RuleBroken where somebody answers whose word does not count in this."""
    if consent.kind == ConsentKind.ASSENT:
        return
    capable = _capable_in(resident, consent, day)
    if capable is None:
        raise RuleBroken(
            "whether the resident decides this himself was judged too long ago: judge it anew",
            rule="CAPACITY_EXPIRED",
        )
    age = age_at(resident, day)
    own = SELF not in spoken.words or is_heard(consent.kind.upper(), SELF, age, capable=capable)
    if not own or not holders_in(resident, consent, day).issuperset(spoken.authority):
        raise RuleBroken(
            "this is not for who said it to decide: ask the youth, the holder of authority, the curator, "
            "the mentor or who comes next",
            rule="NOT_TO_DECIDE",
        )


def refuse_not_to_withdraw(resident: ResidentState, consent: ConsentState, spoken: Spoken, day: date) -> None:
    """Refuse a withdrawal of somebody who neither gave the consent nor decides about it now.

    The resident's own is always heard, and what somebody gave he takes back (GDPR 7(3)). Of who decides no
    recent source is asked; where capacity was judged too long ago, whoever may decide is heard.
    Raises RuleBroken.
    """
    people, age = resident.representation, age_at(resident, day)
    # The person and not the record: who was recorded anew is still who gave it.
    gave = {_person(people, name) for name in consent.authority}
    if consent.kind == ConsentKind.ASSENT or gave.issuperset(
        _person(people, one) for one in spoken.authority
    ):
        return
    judged = _capable_in(resident, consent, day)
    deciding = {
        one.representative_id
        for one in people.representatives
        for capable in ((True, False) if judged is None else (judged,))
        if counts(one, people, day, age, capable=capable, shown=False)
        and is_heard(consent.kind.upper(), one.relation, age, capable=capable)
    }
    if not deciding.issuperset(spoken.authority):
        raise RuleBroken(
            "not for who said it to withdraw: the resident does, who gave it, or who decides about it",
            rule="NOT_TO_DECIDE",
        )


def _person(people: Representation, representative_id: str) -> tuple[str, str] | str:
    record = people.ever(representative_id)
    return representative_id if record is None else (record.person_oin, record.person)


def binds(resident: ResidentState, consent: ConsentState, day: date) -> bool:
    """Tell whether a yes is of who decides it now: at twelve a parent's is none any more (Wmo 2015 5.3.3).

    While two holders of authority contradict each other only the resident's own word counts.
    """
    capable = _capable_in(resident, consent, day)
    if capable is None:
        return False
    age = age_at(resident, day)
    if SELF in consent.given_by and is_heard(consent.kind.upper(), SELF, age, capable=capable):
        return True
    disputed = any(one.purpose == consent.purpose for one in resident.representation.disputes)
    return not disputed and not holders_in(resident, consent, day).isdisjoint(consent.authority)


def refuse_not_to_end(resident: ResidentState, consent: ConsentState, author: Author, day: date) -> None:
    """Refuse a representative who ends what a consent carries, and neither gave it nor decides about it now.

    The resident's own no is always heard, and what somebody gave he takes back. Raises RuleBroken.
    """
    gave = given_by(resident.representation, author, consent.authority)
    if author.is_residents_side and author.task != RESIDENT_TASK and not gave:
        refuse_undecided(resident, consent, author, day)


def refuse_undecided(resident: ResidentState, consent: ConsentState, author: Author, day: date) -> None:
    """Refuse who signed in for the resident's side and does not decide what this consent is about.

    Raises RuleBroken.
    """
    spoken = Spoken((SELF,))
    if author.task != RESIDENT_TASK:
        records = bound(resident.representation, author, day)
        spoken = Spoken(
            tuple(one.relation for one in records), tuple(one.representative_id for one in records[:1])
        )
        if not records:
            raise RuleBroken("who signed in is not recorded to decide this", rule="NOT_TO_DECIDE")
    refuse_unheard(resident, consent, spoken, day)


def _capable_in(resident: ResidentState, consent: ConsentState, day: date) -> bool | None:
    matters = matters_of(consent.purpose, consent_kind=consent.kind)
    return capable_in(resident.representation, matters, day, registered=resident.capable)
