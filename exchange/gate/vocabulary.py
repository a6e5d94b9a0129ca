"""The words the gate knows: categories, purposes, kinds of party, codes. Other words are refused.

Promises: nothing here decides; the register is checked against these lists when it is loaded.
Source: GDPR 4(13)-(15), 9, 10; UAVG 22-33, 46; the sector laws named in the register.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

# Labels of personal data; every stored field carries exactly one.
CATEGORIES: Final = frozenset(
    {
        "WMO-PLAN",
        "JEUGDHULP",
        "GEZONDHEID-FUNCTIONEEL",
        "GEZONDHEID-DIAGNOSE",
        "INKOMEN",
        "VERMOGEN",
        "SCHULDEN",
        "WONEN",
        "ARBEID",
        "BELASTBAARHEID",
        "ONDERWIJS",
        "CONTACT",
        "NETWERK",
        "AANBOD",
        "KOPPELING",
        "STRAFRECHT",
        "BSN",
        "LOG",
    }
)
SPECIAL: Final = frozenset({"GEZONDHEID-FUNCTIONEEL", "GEZONDHEID-DIAGNOSE"})
CRIMINAL: Final = frozenset({"STRAFRECHT"})
MONEY: Final = frozenset({"INKOMEN", "VERMOGEN", "SCHULDEN"})
BSN: Final = "BSN"
# What a resident offers others and asks of them, which he is never held to; and what he says to a match.
OFFERED: Final = "AANBOD"
SAID_TO_A_MATCH: Final = "KOPPELING"

# A kind is an organisation and its task: the Wmo desk and the Pw desk of one municipality are two kinds.
KINDS: Final = frozenset(
    {
        "college:WMO",
        "college:JW",
        "college:PW",
        "college:WGS",
        "college-andere-gemeente:PW",
        "college-andere-gemeente:WMO",
        "wmo-aanbieder",
        "jeugdhulpaanbieder",
        "zorgaanbieder-zvw",
        "uwv",
        "svb",
        "verhuurder",
        "belastingdienst",
        "reintegratiebedrijf",
        "school",
        "woningcorporatie",
        "veilig-thuis",
        "crisisdienst",
        "vrijwilligersorganisatie",
        "mantelzorger",
        "betrokkene",
        "wettelijk-vertegenwoordiger",
        "fg",
        "beheer",
        "beleid",
    }
)
COLLEGE: Final = "college"
# Who speaks as, or for, the resident.
REPRESENTATIVE: Final = "wettelijk-vertegenwoordiger"
RESIDENT_SIDE: Final = frozenset({"betrokkene", REPRESENTATIVE})
PURPOSES: Final = frozenset(
    {
        "wmo-onderzoek",
        "wmo-levering",
        "wmo-heroverweging",
        "wmo-afstemming",
        "jeugd-toegang",
        "jeugdhulp-verlenen",
        "jeugd-afstemming",
        "pw-recht-vaststellen",
        "pw-arbeidsinschakeling",
        "wgs-plan",
        "wgs-vroegsignalering",
        "vt-onderzoek",
        "informele-hulp",
        "vraag-en-aanbod",
        "integrale-aanpak",
        "acute-nood",
        "inzage",
        "correctie",
        "klacht-bezwaar",
        "toezicht",
        "audit",
        "statistiek",
        # An organisation's own registration, certificates and case team: no data of a resident.
        "beheer",
    }
)
# The law for which data were acquired; `*` in a register entry means any.
ORIGINS: Final = frozenset(
    {
        *("wmo", "jw", "pw", "wgs", "suwi", "wgbo", "zvw", "wlz", "avg"),
        *("ww", "wia", "wao", "wajong", "zw", "anw", "aow", "akw", "ioaw", "ioaz"),
        *("belasting", "awir", "huur", "onderwijs"),
    }
)
ANY_ORIGIN: Final = "*"

# Who is bound to professional secrecy about the residents he helps, and by which article.
SECRECY_OF_KIND: Final = MappingProxyType(
    {
        "jeugdhulpaanbieder": "Jeugdwet 7.3.11(1)",
        "zorgaanbieder-zvw": "BW 7:457(1)",
        "wmo-aanbieder": "Wmo 2015 5.3.3(1)",
    }
)
# Where the law that imposes the duty itself demands the disclosure: 5.3.3(1) stands "without prejudice to"
# 5.2.2, by which a provider must tell the college what it needs. The other two have no such basis here.
SECRECY_YIELDS: Final = frozenset({("wmo-aanbieder", "WMO-5.2.2-a")})

# Kinds of consent that say nothing about data: agreement to care, and a courtesy.
SAY_NOTHING_ABOUT_DATA: Final = frozenset({"CARE", "ASSENT"})
# By what a youth of 16 or 17 lets a representative see: consent as such (UAVG 5), or as the sector law has it
# (Wmo 2015 5.3.2(3)). A case file tells no kind.
LEAVE_OF_A_YOUTH: Final = frozenset({"", "GDPR", "STATUTORY"})
# The law asks this kind in writing: Pw 65(2)(b), SUWI 74(2)(b).
WRITTEN: Final = "NO_OBJECTION"

BREAK_GLASS_CODES: Final = frozenset({"LEVENSGEVAAR", "ACUUT-GEVAAR-KIND", "ACUUT-GEVAAR-ANDER"})
BREAK_GLASS_REASON_CHARS_MIN: Final = 20
STRONG_AUTHENTICATION: Final = frozenset({"2FA+mTLS", "mTLS+2FA"})
SEALED_READER: Final = "sealed-reader"
OBJECTION_UPHELD: Final = "UPHELD"
OBJECTION_REJECTED: Final = "REJECTED"

# Duties that a verdict can carry.
LOG: Final = "LOG"
RETRY: Final = "RETRY"
STOP_FEED: Final = "STOP-FEED"
ALERT_SNOOP: Final = "ALERT-SNOOP"
INFORM_RESIDENT: Final = "INFORM-RESIDENT"
TREAT_AS_OBJECTION: Final = "TREAT-AS-OBJECTION"
ABORT_DELIVERY: Final = "ABORT-DELIVERY"
NOTIFY_FG: Final = "NOTIFY-FG"
ALERT_BREAK_GLASS_REFUSED: Final = "ALERT-BREAK-GLASS-REFUSED"
NOTIFY_SUBJECT: Final = "NOTIFY-SUBJECT"
REVIEW_1_WORKDAY: Final = "REVIEW-1-WORKDAY"
TTL_60M: Final = "TTL-60M"
BREAK_GLASS_DUTIES: Final = (NOTIFY_FG, NOTIFY_SUBJECT, REVIEW_1_WORKDAY, TTL_60M)
DEFER_NOTICE: Final = "DEFER-NOTICE-4W"
DEFERRED_NOTICE: Final = frozenset({DEFER_NOTICE, "NO-NOTICE-TO-SUSPECT"})
PERMIT_DUTIES: Final = DEFERRED_NOTICE


def keeps_secret(kind: str, legal_basis: str) -> bool:
    """Tell whether words this kind of party recorded are a secret under the claimed basis (R22)."""
    return kind in SECRECY_OF_KIND and (kind, legal_basis) not in SECRECY_YIELDS
