"""Who decides for the resident: one table by question, age and capacity.

Promises: an unknown word in `given_by` never authorises anybody; a parent without proven authority counts for
nothing.
Source: UAVG 5; Jeugdwet 7.3.4, 7.3.11, 7.3.15; Wmo 2015 5.3.2-5.3.3; BW 7:457, 7:465.
"""

from __future__ import annotations

import re
from enum import Enum, StrEnum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

CHILD_AGE: Final = 12
YOUTH_AGE: Final = 16
ADULT_AGE: Final = 18
MANDATES_MAX: Final = 4_096
# A courtesy: everybody's is welcome, nobody's opens or closes anything.
ASSENT: Final = "ASSENT"


class Speaker(StrEnum):
    """The capacity in which somebody spoke."""

    SELF = "self"
    PARENT = "parent"
    REPRESENTATIVE = "representative"
    CURATOR = "curator"
    MENTOR = "mentor"
    BEWINDVOERDER = "bewindvoerder"
    PROXY = "proxy"
    PARTNER = "partner"
    FAMILY = "family"


class Mandate(Enum):
    """How far the word of those who spoke reaches."""

    NONE = auto()
    MONEY = auto()
    FULL = auto()


class Question(StrEnum):
    """The rows of the table."""

    DISCLOSE = "consent to disclose"
    GDPR = "GDPR consent"
    CARE = "consent to care"


_ALIASES: Final[dict[Speaker, str]] = {
    Speaker.SELF: "self betrokkene resident inwoner jeugdige youth child kind jongere",
    Speaker.PARENT: "parent parents ouder ouders mother father moeder vader guardian voogd "
    "parent-with-authority ouder-met-gezag",
    Speaker.REPRESENTATIVE: "representative legal-representative vertegenwoordiger "
    "wettelijk-vertegenwoordiger wettelijke-vertegenwoordiger representative-with-authority "
    "vertegenwoordiger-met-gezag",
    Speaker.CURATOR: "curator",
    Speaker.MENTOR: "mentor",
    Speaker.BEWINDVOERDER: "bewindvoerder administrator",
    Speaker.PROXY: "proxy written-proxy gemachtigde schriftelijk-gemachtigde schriftelijke-gemachtigde",
    Speaker.PARTNER: "partner spouse echtgenoot echtgenote levensgezel",
    Speaker.FAMILY: "family familie familielid sibling brother sister broer zus",
}
_between: Final = re.compile(r"[\s_-]+").sub
_WORDS: Final = {word: speaker for speaker, words in _ALIASES.items() for word in words.split()}
_BOTH: Final = (Speaker.SELF.value, Speaker.PARENT.value)
_WORDS_FOR_BOTH: Final = frozenset({"both", "beide", "beiden"})
_ROW_OF_KIND: Final = {
    "GDPR": Question.GDPR,
    "STATUTORY": Question.DISCLOSE,
    "SECRECY": Question.DISCLOSE,
    "NO_OBJECTION": Question.DISCLOSE,
    "CARE": Question.CARE,
}
_WITH_AUTHORITY: Final = frozenset({Speaker.PARENT, Speaker.REPRESENTATIVE})
_APPOINTED: Final = frozenset({Speaker.CURATOR, Speaker.MENTOR})
# A parent of an incapable adult is family (Jw 7.3.15(3)) and needs no authority.
_LADDER: Final = _APPOINTED | {Speaker.PROXY, Speaker.PARTNER, Speaker.FAMILY, Speaker.PARENT}


def who_spoke(given_by: Iterable[str]) -> frozenset[Speaker]:
    """Return the known capacities; words nobody knows fall away."""
    return frozenset(_WORDS[word] for word in map(form_of, given_by) if word in _WORDS)


def as_said(given_by: Iterable[str]) -> tuple[str, ...]:
    """Return the words with "both", as the table calls a child and who has authority, told as two."""
    return tuple(one for word in given_by for one in (_BOTH if form_of(word) in _WORDS_FOR_BOTH else (word,)))


def form_of(word: str) -> str:
    """Return a word as the table has it: small letters, and one hyphen for spaces, underscores, hyphens."""
    return _between("-", word.strip().lower())


@lru_cache(maxsize=MANDATES_MAX)
def mandate(
    consent_kind: str, given_by: tuple[str, ...], age: int, *, capable: bool, has_authority: bool
) -> Mandate:
    """Say how far the word of `given_by` reaches. Raises KeyError for a kind that is no condition."""
    question, speakers = _ROW_OF_KIND[consent_kind], who_spoke(given_by)
    if age >= ADULT_AGE:
        return _adult(question, speakers, capable=capable, has_authority=has_authority)
    represented = has_authority and not speakers.isdisjoint(_WITH_AUTHORITY)
    spoke = Speaker.SELF in speakers
    if age < CHILD_AGE or not capable:
        enough = represented
    elif age >= YOUTH_AGE or question is Question.DISCLOSE:
        enough = spoke
    elif question is Question.CARE:
        enough = spoke and represented
    else:
        enough = represented
    return Mandate.FULL if enough else Mandate.NONE


def is_heard(consent_kind: str, word: str, age: int, *, capable: bool) -> bool:
    """Tell whether a word of proven authority counts, alone or beside another's; an assent is anybody's."""
    question = _ROW_OF_KIND.get(consent_kind)
    if question is None:
        return consent_kind == ASSENT
    if question is Question.CARE and capable and CHILD_AGE <= age < YOUTH_AGE:
        return not who_spoke((word,)).isdisjoint({Speaker.SELF, *_WITH_AUTHORITY})
    found = mandate(consent_kind, (word,), age, capable=capable, has_authority=True)
    return found is not Mandate.NONE


def reach(consent_kind: str, given_by: tuple[str, ...], age: int, *, capable: bool) -> Mandate:
    """Say how far words of proven authority reach; of a kind that was not told anybody's do."""
    if consent_kind not in _ROW_OF_KIND:
        return Mandate.FULL if given_by else Mandate.NONE
    return mandate(consent_kind, given_by, age, capable=capable, has_authority=True)


def own_words(given_by: Iterable[str]) -> tuple[str, ...]:
    """Return the words that are the resident's own."""
    return tuple(word for word in given_by if who_spoke((word,)) == {Speaker.SELF})


def _adult(
    question: Question, speakers: frozenset[Speaker], *, capable: bool, has_authority: bool
) -> Mandate:
    if capable:
        return Mandate.FULL if Speaker.SELF in speakers else Mandate.NONE
    if speakers & _APPOINTED or (has_authority and Speaker.REPRESENTATIVE in speakers):
        return Mandate.FULL
    if question is Question.GDPR:
        return Mandate.MONEY if Speaker.BEWINDVOERDER in speakers else Mandate.NONE
    return Mandate.FULL if speakers & _LADDER else Mandate.NONE
