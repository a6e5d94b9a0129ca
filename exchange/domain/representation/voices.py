"""Questions to representation: whose word counts at a moment, for whom, and by what it is shown.

Promises: a source that is too old, a word of the BRP that gives no authority, and a lower rung beside a
higher one count for nothing; what is not established is not guessed.
Source: UAVG 5; Jeugdwet 7.3.15(1)-(3); Wmo 2015 5.3.2-5.3.3; BW 1:245, 7:465(3); GDPR 5(1)(d).
"""

from collections.abc import Collection, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final, NamedTuple

from exchange.domain.representation.state import Representation, Representative
from exchange.domain.representation.words import SELF, EvidenceSource, Gezag, Relation
from exchange.domain.values import RESIDENT_TASK, Author
from exchange.errors import RuleBroken

CHILD_AGE: Final = 12
YOUTH_AGE: Final = 16
ADULT_AGE: Final = 18
# How old a source may be, in days. Authority in the BRP follows a divorce or a judge within weeks, and nobody
# tells the exchange: a quarter. What a judge or the resident's own hand gave changes seldom and is kept in a
# register or a drawer that a professional looks at again each year. What people say of themselves: a quarter.
SOURCE_DAYS_MAX: Final[Mapping[str, int]] = MappingProxyType(
    {
        EvidenceSource.BRP: 92,
        EvidenceSource.COURT_ORDER: 366,
        EvidenceSource.WRITTEN_PROXY: 366,
        EvidenceSource.STATEMENT: 92,
    }
)
_GIVES_NOBODY_AUTHORITY: Final = frozenset({Gezag.NONE, Gezag.TIJDELIJK_GEEN, Gezag.NIET_TE_BEPALEN})
_WITH_GEZAG: Final = frozenset({Relation.PARENT, Relation.GUARDIAN})
# Who stands for an adult who cannot decide, first to last (Jeugdwet 7.3.15(2)-(3), BW 7:465(3)).
RUNGS: Final[Mapping[str, int]] = MappingProxyType(
    {Relation.CURATOR: 1, Relation.MENTOR: 1, Relation.PROXY: 2, Relation.PARTNER: 3, Relation.FAMILY: 4}
)


class Spoken(NamedTuple):
    """Who said it: the words for it, and the records that show it, in no fixed relation to each other."""

    words: tuple[str, ...]
    authority: tuple[str, ...] = ()


def stands(record: Representative, day: date) -> bool:
    """Tell whether a record is in its period; how old its source is does not matter."""
    return record.start_date <= day and (record.end_date is None or day < record.end_date)


def is_shown(record: Representative, day: date) -> bool:
    """Tell whether the source is recent enough to count; the last day counts."""
    age_days = (day - record.source_date).days
    return 0 <= age_days <= SOURCE_DAYS_MAX.get(record.evidence_source, -1)


def counts(
    record: Representative,
    people: Representation,
    day: date,
    age: int,
    *,
    capable: bool | None,
    shown: bool = True,
) -> bool:
    """Tell whether this representative decides for the resident now; `shown` asks a recent source.

    None is: not established.
    """
    if not stands(record, day) or (shown and not is_shown(record, day)):
        return False
    if age < ADULT_AGE:
        represented = age < YOUTH_AGE or capable is False
        holds = record.relation in _WITH_GEZAG and record.gezag not in _GIVES_NOBODY_AUTHORITY
        return represented and holds
    if capable is not False:
        return False
    # A bewindvoerder stands beside the ladder; that he speaks about money only is the gate's.
    return record.relation == Relation.BEWINDVOERDER or _highest(record, people, day)


def _highest(record: Representative, people: Representation, day: date) -> bool:
    rung = RUNGS.get(record.relation)
    if rung is None:
        return False
    # A higher one whose source is too old still goes first: then nobody speaks until it is renewed or ended.
    return all(RUNGS.get(one.relation, rung) >= rung for one in people.representatives if stands(one, day))


def bound(
    people: Representation, author: Author, day: date, *, shown: bool = True
) -> tuple[Representative, ...]:
    """Return the records of the person who signed in as a representative; `shown` asks a recent source."""
    return tuple(
        one
        for one in people.representatives
        if (one.person_oin, one.person) == (author.oin, author.professional)
        and stands(one, day)
        and (is_shown(one, day) or not shown)
    )


def given_by(
    people: Representation, author: Author, authority: Collection[str]
) -> tuple[Representative, ...]:
    """Return the records of this person that show a yes, ended or not: he takes back what he gave."""
    records = (people.ever(name) for name in authority)
    return tuple(
        one
        for one in records
        if one is not None and (one.person_oin, one.person) == (author.oin, author.professional)
    )


def capable_in(
    people: Representation, matters: Collection[str], day: date, *, registered: bool
) -> bool | None:
    """Return what the latest judgement in these matters says (None: expired), else what was registered."""
    judged = [one for one in people.judgements if one.matter in matters]
    if not judged:
        return registered
    latest = max(judged, key=lambda one: (one.at, one.until))
    return latest.capable if day < latest.until else None


def spoken_by(
    people: Representation,
    author: Author,
    words: tuple[str, ...],
    named: tuple[str, ...],
    day: date,
) -> Spoken:
    """Return what shows the words. Raises RuleBroken where nothing does.

    The resident speaks for himself alone, a representative as what he is recorded to be; a professional who
    writes down the words of others names the records where several would fit.
    """
    if not author.is_residents_side:
        return Spoken(words, _evidence(people, words, named, day))
    if author.task == RESIDENT_TASK:
        if words != (SELF,) or named:
            raise RuleBroken(
                "who signed in as the resident speaks for himself only", rule="GIVER_NOT_RECORDED"
            )
        return Spoken(words)
    records = [one for one in bound(people, author, day) if (one.relation,) == words]
    if not records or any(name != records[0].representative_id for name in named):
        raise RuleBroken(
            "who signed in is not recorded as this: record the representative with a recent source",
            rule="GIVER_NOT_RECORDED",
        )
    return Spoken(words, (records[0].representative_id,))


def _evidence(
    people: Representation, words: tuple[str, ...], named: tuple[str, ...], day: date
) -> tuple[str, ...]:
    found: list[str] = []
    for word in words:
        if word == SELF:
            continue
        fit = [
            one
            for one in people.representatives
            if one.relation == word and stands(one, day) and is_shown(one, day)
        ]
        chosen = [one for one in fit if one.representative_id in named] or fit
        if not chosen:
            raise RuleBroken(
                "nobody is recorded as this: record the representative with a recent source first",
                rule="GIVER_NOT_RECORDED",
            )
        if len(chosen) > 1:
            raise RuleBroken(
                "several are recorded as this: name the one who spoke", rule="WHICH_REPRESENTATIVE"
            )
        found.append(chosen[0].representative_id)
    if set(named) - set(found):
        raise RuleBroken("a representative is named who said none of these words", rule="GIVER_NOT_RECORDED")
    return tuple(found)
