"""What no new register entry can mean: a wrong ground, half a duty, a reference to nothing.

Promises: pure; an entry of the shipped register has no fault. What was recorded before one of these was asked
is not held against it.
Source: GDPR 4(11), 6(1), 7(4), 9(2), 14(5), 30, 35, recital 43; UAVG 22-30.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from exchange.gate import vocabulary as words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.gate.entry import LegalBasis

# Exceptions to the prohibition of GDPR 9(1): its own letters, and the articles of the UAVG that fill them in.
_is_exception: Final = re.compile(r"9\(2\)\([a-j]\)", re.ASCII).fullmatch
_is_filled_in: Final = re.compile(r"UAVG (?:2[2-9]|30)(?:\(\d\))?(?:\([a-z]\))?", re.ASCII).fullmatch
_is_address: Final = re.compile(r"https://[^\W_](?:[\w.-]*[^\W_])?(?::\d+)?(?:[/?#]\S*)?").fullmatch
_names_a_year: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)", re.ASCII).search
_says_something: Final = re.compile(r"[^\W_]").search
_OFFERED: Final = frozenset({words.OFFERED, words.SAID_TO_A_MATCH})
OF_WHO_OFFERS: Final = (
    "an offer opens to its resident, or by his consent to no college; an answer to him alone"
)
OWN_DATA: Final = "GDPR 15"
DEFERS: Final = "DEFER:P4W"


def faults(basis: LegalBasis) -> Iterator[tuple[str, str]]:
    """Return the keys that mean nothing together, or nothing at all, each with what is asked."""
    on_consent = basis.gdpr6 == "6(1)(a)"
    deferring = words.DEFERRED_NOTICE.issubset(basis.permit_obligations)
    checked = (
        (
            basis.consent_kind in words.SAY_NOTHING_ABOUT_DATA,
            "consent_kind",
            "not a kind of consent that can be a condition",
        ),
        (
            on_consent and basis.consent_kind != "GDPR",
            "consent_kind",
            "6(1)(a) is consent: the kind GDPR is asked",
        ),
        (
            basis.consent_kind == "GDPR" and not on_consent,
            "gdpr6",
            "GDPR consent is a ground of its own, 6(1)(a); as a condition of another it is not freely given",
        ),
        (
            basis.information_duty == DEFERS and not deferring,
            "permit_obligations",
            "to defer the notice asks its duties: DEFER-NOTICE-4W and NO-NOTICE-TO-SUSPECT",
        ),
        (
            words.DEFER_NOTICE in basis.permit_obligations and basis.information_duty != DEFERS,
            "information_duty",
            "a notice is deferred by this duty only: DEFER:P4W",
        ),
        (
            bool(basis.gdpr9) and not _lifts_the_prohibition(basis),
            "gdpr9",
            "letters of GDPR 9(2) are asked, such as 9(2)(h), with articles 22 to 30 of the UAVG beside them",
        ),
        (
            not _names_a_year(basis.citation.wording),
            "citation.wording",
            "the year of the text it was written on is asked, such as 2015",
        ),
        (not _of_who_offers(basis), "categories", OF_WHO_OFFERS),
        (not _says_something(basis.dpia_ref), "dpia_ref", "a reference to an assessment is asked"),
        (
            not _is_address(basis.processing_activity_uri),
            "processing_activity_uri",
            "an https address of a host is asked",
        ),
    )
    return ((key, why) for wrong, key, why in checked if wrong)


def _of_who_offers(basis: LegalBasis) -> bool:
    """Tell whether an entry leaves an offer the resident's own.

    A college sees nothing of it: neither a benefit nor its duties (Participatiewet 9(1)(c)) can rest on it.
    """
    if basis.recipients <= words.RESIDENT_SIDE or basis.categories.isdisjoint(_OFFERED):
        return True
    colleges = [one for one in basis.recipients if one.startswith(words.COLLEGE)]
    return words.SAID_TO_A_MATCH not in basis.categories and basis.gdpr6 == "6(1)(a)" and not colleges


def _lifts_the_prohibition(basis: LegalBasis) -> bool:
    """Tell whether each exception is one. What a resident sees of himself is his right of article 15."""
    if basis.subject_access and all(word.startswith(OWN_DATA) for word in basis.gdpr9):
        return True
    known = all(_is_exception(word) or _is_filled_in(word) for word in basis.gdpr9)
    return known and any(map(_is_exception, basis.gdpr9))
