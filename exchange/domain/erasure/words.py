"""The words an erasure is decided in: articles, reasons, reasons to keep; closed lists.

Promises: every word names its source; what a list does not hold nobody can decide on.
Source: GDPR 17(1) and (3); Wmo 2015 5.3.4-5.3.5; Jeugdwet 7.3.8-7.3.9.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from exchange.domain.values import DataCategory


class ErasureArticle(StrEnum):
    """On what article data are erased."""

    NO_LONGER_NEEDED = "avg_17_1_a"
    CONSENT_WITHDRAWN = "avg_17_1_b"
    OBJECTED = "avg_17_1_c"
    UNLAWFUL = "avg_17_1_d"
    OBLIGED = "avg_17_1_e"
    CHILD_ONLINE = "avg_17_1_f"
    WMO = "wmo_5_3_5"
    JEUGDWET = "jeugdwet_7_3_9"
    TERM_ENDED = "retention_end"


class ErasureReason(StrEnum):
    """What it comes from."""

    RESIDENT_ASKED = "resident_asked"
    REPRESENTATIVE_ASKED = "representative_asked"
    TERM_ENDED = "term_ended"
    UNLAWFULLY_RECORDED = "unlawfully_recorded"
    WRONG_PERSON = "wrong_person"
    ORDERED = "ordered"


# A term that ended is no reason while the resident waits for an answer, or may have to prove something.
ENDED_BY_TERM: Final = frozenset({ErasureArticle.TERM_ENDED})
# What a court or supervisor orders is done, whatever is held for another matter.
ORDERED: Final = frozenset({ErasureArticle.OBLIGED})


class KeepingReason(StrEnum):
    """Why data are kept, wholly or in part: what a refusal says."""

    OTHER_PERSON = "other_person"  # the substantial interest of another: Wmo 5.3.5, Jeugdwet 7.3.9
    LAW_FORBIDS = "law_forbids"
    RETENTION_TERM = "retention_term"  # GDPR 17(3)(b)
    EXPRESSION = "expression"  # 17(3)(a)
    PUBLIC_HEALTH = "public_health"  # 17(3)(c)
    ARCHIVING = "archiving"  # 17(3)(d)
    LEGAL_CLAIM = "legal_claim"  # 17(3)(e)
    ARTICLE_NOT_MET = "article_not_met"


_ASKED: Final = frozenset({ErasureReason.RESIDENT_ASKED, ErasureReason.REPRESENTATIVE_ASKED})
_WRONG: Final = frozenset({ErasureReason.UNLAWFULLY_RECORDED, ErasureReason.WRONG_PERSON})
# An article is claimed for what it is for: a request is what makes Wmo 5.3.5 and Jeugdwet 7.3.9 apply.
REASONS_OF: Final[Mapping[str, frozenset[ErasureReason]]] = MappingProxyType(
    {
        ErasureArticle.NO_LONGER_NEEDED: _ASKED,
        ErasureArticle.CONSENT_WITHDRAWN: _ASKED,
        ErasureArticle.OBJECTED: _ASKED,
        ErasureArticle.UNLAWFUL: _ASKED | _WRONG,
        ErasureArticle.OBLIGED: frozenset({ErasureReason.ORDERED}),
        ErasureArticle.CHILD_ONLINE: _ASKED,
        ErasureArticle.WMO: _ASKED,
        ErasureArticle.JEUGDWET: _ASKED,
        ErasureArticle.TERM_ENDED: frozenset({ErasureReason.TERM_ENDED}),
    }
)
# Who the resident is and what was decided about him carry everything else: they are erased with everything or
# not at all. Of each of these the events count on in their stream, and say nothing any more. The plan's own
# category takes goals, supports and what was agreed of them along together: nothing that stays rests on them.
ERASABLE_APART: Final = frozenset(DataCategory) - {
    DataCategory.CONTACT,
    DataCategory.LOG,
    DataCategory.BSN,
}
