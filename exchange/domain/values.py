"""The words of the domain as values: stable strings that events store, and what the laws say of them.

Promises: a member's value is the contract's enum name without its prefix, lower-cased, with '-' for '_' in
purposes; it is stored and therefore permanent.
Source: protos/exchange/v1 (names), Gemeentelijk Gegevensmodel (life domains), the gate's design section 3
(categories); Wmo 2015 article 1.1.1 and Participatiewet article 7 (care and work needs).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Purpose(StrEnum):
    """Purposes of the register of legal bases; Dutch, as the laws they serve."""

    WMO_ONDERZOEK = "wmo-onderzoek"
    WMO_LEVERING = "wmo-levering"
    WMO_HEROVERWEGING = "wmo-heroverweging"
    WMO_AFSTEMMING = "wmo-afstemming"
    JEUGD_TOEGANG = "jeugd-toegang"
    JEUGDHULP_VERLENEN = "jeugdhulp-verlenen"
    JEUGD_AFSTEMMING = "jeugd-afstemming"
    PW_RECHT_VASTSTELLEN = "pw-recht-vaststellen"
    PW_ARBEIDSINSCHAKELING = "pw-arbeidsinschakeling"
    WGS_PLAN = "wgs-plan"
    WGS_VROEGSIGNALERING = "wgs-vroegsignalering"
    VT_ONDERZOEK = "vt-onderzoek"
    INFORMELE_HULP = "informele-hulp"
    INTEGRALE_AANPAK = "integrale-aanpak"
    ACUTE_NOOD = "acute-nood"
    INZAGE = "inzage"
    CORRECTIE = "correctie"
    KLACHT_BEZWAAR = "klacht-bezwaar"
    TOEZICHT = "toezicht"
    AUDIT = "audit"
    STATISTIEK = "statistiek"
    BEHEER = "beheer"
    VRAAG_EN_AANBOD = "vraag-en-aanbod"


class LifeDomain(StrEnum):
    """The thirteen life domains of the self-reliance matrix."""

    FINANCE = "finance"
    WORK_AND_EDUCATION = "work_and_education"
    USE_OF_TIME = "use_of_time"
    HOUSING = "housing"
    DOMESTIC_RELATIONS = "domestic_relations"
    MENTAL_HEALTH = "mental_health"
    PHYSICAL_HEALTH = "physical_health"
    SUBSTANCE_USE = "substance_use"
    BASIC_ADL = "basic_adl"
    INSTRUMENTAL_ADL = "instrumental_adl"
    SOCIAL_NETWORK = "social_network"
    SOCIETAL_PARTICIPATION = "societal_participation"
    JUSTICE = "justice"


class Law(StrEnum):
    """The laws a plan is looked at through."""

    WMO_2015 = "wmo_2015"
    JEUGDWET = "jeugdwet"
    PARTICIPATIEWET = "participatiewet"
    WGS = "wgs"


class DataCategory(StrEnum):
    """Data categories of the gate; Dutch, as in the register of legal bases."""

    WMO_PLAN = "WMO-PLAN"
    JEUGDHULP = "JEUGDHULP"
    GEZONDHEID_FUNCTIONEEL = "GEZONDHEID-FUNCTIONEEL"
    GEZONDHEID_DIAGNOSE = "GEZONDHEID-DIAGNOSE"
    INKOMEN = "INKOMEN"
    VERMOGEN = "VERMOGEN"
    SCHULDEN = "SCHULDEN"
    WONEN = "WONEN"
    ARBEID = "ARBEID"
    BELASTBAARHEID = "BELASTBAARHEID"
    ONDERWIJS = "ONDERWIJS"
    CONTACT = "CONTACT"
    NETWERK = "NETWERK"
    # What a resident offers others and asks of them, and what he says to a match: of no law, so that no desk
    # sees the one by its task, and nobody but himself the other.
    AANBOD = "AANBOD"
    KOPPELING = "KOPPELING"
    STRAFRECHT = "STRAFRECHT"
    BSN = "BSN"
    LOG = "LOG"


class ConsentKind(StrEnum):
    """Kinds of consent; kept apart because the laws ask for different things."""

    GDPR = "gdpr"
    STATUTORY = "statutory"
    SECRECY = "secrecy"
    NO_OBJECTION = "no_objection"
    CARE = "care"
    ASSENT = "assent"


class ConsentStatus(StrEnum):
    """Where a consent stands (the contract's ConsentState)."""

    REQUESTED = "requested"
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ConversationKind(StrEnum):
    """Kinds of conversation."""

    FIRST = "first"
    WITH_PROVIDER = "with_provider"
    EVALUATION = "evaluation"


class ConversationOutcome(StrEnum):
    """How a conversation ended."""

    CONTINUE = "continue"
    SOLVED_IN_GENERAL_SERVICES = "solved_in_general_services"


class LensFinding(StrEnum):
    """What looking through a law shows."""

    FITS = "fits"
    DOES_NOT_FIT = "does_not_fit"
    CONFLICT = "conflict"
    WAIVED = "waived"


class SupportKind(StrEnum):
    """Kinds of support (voorziening)."""

    OWN_NETWORK = "own_network"
    GENERAL_SERVICE = "general_service"
    CUSTOM = "custom"


class SupportStatus(StrEnum):
    """Where a support stands (the contract's SupportState)."""

    REQUESTED = "requested"
    ASSIGNED = "assigned"
    STARTED = "started"
    STOPPED = "stopped"
    REFUSED = "refused"


class StopReason(StrEnum):
    """Why care stopped (iWmo code list WMO588, by meaning)."""

    ACCORDING_TO_PLAN = "according_to_plan"
    DEATH = "death"
    TEMPORARY = "temporary"
    BY_RESIDENT = "by_resident"
    BY_PROVIDER = "by_provider"
    BY_AGREEMENT = "by_agreement"
    MOVED = "moved"


class CaseRole(StrEnum):
    """Roles on a case; Dutch, as the practice says them."""

    REGISSEUR = "regisseur"
    # The college professional whose report found no college at work on the case: made by reporting only.
    MELDER_REGIE = "melder-regie"
    CONSULENT = "consulent"
    BEGELEIDER = "begeleider"
    BEHANDELAAR = "behandelaar"
    NETWERKMAKELAAR = "netwerkmakelaar"
    VRIJWILLIGER = "vrijwilliger"
    # A system that carries messages, under the name of the organisation's own.
    ADAPTER = "adapter"
    # Stands in for a colleague, for a time: made by appointing only.
    WAARNEMER = "waarnemer"
    # Reads one sealed compartment: two persons name it when they seal, nobody on a case grants it.
    SEALED_READER = "sealed-reader"


class AgreementOutcome(StrEnum):
    """Whether the resident agrees with the plan."""

    AGREED = "agreed"
    DISAGREED = "disagreed"
    AGREED_ON_CONDITIONS = "agreed_on_conditions"


class Objection(StrEnum):
    """Where the resident's objection (GDPR 21) stands; empty where there is none."""

    NONE = ""
    PENDING = "PENDING"
    UPHELD = "UPHELD"
    REJECTED = "REJECTED"


class DisclosureOutcome(StrEnum):
    """Outcomes of the gate."""

    PERMIT = "PERMIT"
    PARTIAL = "PARTIAL"
    DENY = "DENY"
    PERMIT_BREAK_GLASS = "PERMIT_BREAK_GLASS"
    PARTIAL_BREAK_GLASS = "PARTIAL_BREAK_GLASS"


@dataclass(frozen=True, slots=True)
class Author:
    """Who gives a command: the certificate's organisation, the token's task and opaque professional id.

    `operator` tells whether the organisation is the municipality that runs this exchange; who it is does not
    hang on that, and what is not said is that it is not.
    """

    oin: str
    task: str
    professional: str
    operator: bool = field(default=False, compare=False)

    @property
    def is_college(self) -> bool:
        """Tell whether this is a task of the municipality's executive.

        Nobody signs in with such a task but the operator, or a body under its mandate (`organisation.py`).
        """
        return self.task.startswith(COLLEGE_PREFIX)

    @property
    def is_operators_college(self) -> bool:
        """Tell whether this is that executive itself, and no body that acts for it under a mandate."""
        return self.operator and self.is_college

    @property
    def is_provider(self) -> bool:
        """Tell whether this is a task in which an organisation delivers assigned support."""
        return self.task in TASKS_OF_PROVIDERS

    @property
    def is_residents_side(self) -> bool:
        """Tell whether this is the resident, or who represents the resident."""
        return self.task in TASKS_OF_RESIDENTS_SIDE


# For commands of aggregates where no rule looks at the author: the walk records who it was.
NOBODY: Final = Author("", "", "")

COLLEGE_PREFIX: Final = "college:"
# Who speaks for the resident: the resident, or the representative the law names (Wmo 2015 article 1.1.1).
RESIDENT_TASK: Final = "betrokkene"
TASKS_OF_RESIDENTS_SIDE: Final = frozenset({RESIDENT_TASK, "wettelijk-vertegenwoordiger"})
# GDPR 9: what is said about health asks for a consent in so many words.
SPECIAL_CATEGORIES: "Final[frozenset[str]]" = frozenset(
    {DataCategory.GEZONDHEID_FUNCTIONEEL, DataCategory.GEZONDHEID_DIAGNOSE}
)
OIN_DIGITS: Final = 20
SCORE_MIN: Final = 1
SCORE_MAX: Final = 5
# A score up to this one says "not self-reliant in this domain": a need (GGM, scores 1 to 3).
SCORE_OF_NEED_MAX: Final = 3
# Who has the lead on a case, and may hand it over where he is of a college.
ROLES_THAT_LEAD: "Final[frozenset[str]]" = frozenset({CaseRole.REGISSEUR, CaseRole.MELDER_REGIE})
# Roles nobody lets another in with: they come of reporting, of standing in, of a seal.
ROLES_NEVER_GRANTED: "Final[frozenset[str]]" = frozenset(
    {CaseRole.MELDER_REGIE, CaseRole.WAARNEMER, CaseRole.SEALED_READER}
)
# Tasks that deliver assigned support (Wmo 2015 1.1.1 and Jeugdwet 1.1, aanbieder; Participatiewet 7).
TASKS_OF_PROVIDERS: "Final[frozenset[str]]" = frozenset(
    {"wmo-aanbieder", "jeugdhulpaanbieder", "reintegratiebedrijf"}
)

CATEGORY_OF_LIFE_DOMAIN: "Final[Mapping[str, DataCategory]]" = MappingProxyType(
    {
        # The strictest of what the domain may hold: debts rather than income.
        LifeDomain.FINANCE: DataCategory.SCHULDEN,
        LifeDomain.WORK_AND_EDUCATION: DataCategory.ARBEID,
        LifeDomain.USE_OF_TIME: DataCategory.WMO_PLAN,
        LifeDomain.HOUSING: DataCategory.WONEN,
        LifeDomain.DOMESTIC_RELATIONS: DataCategory.WMO_PLAN,
        LifeDomain.MENTAL_HEALTH: DataCategory.GEZONDHEID_FUNCTIONEEL,
        LifeDomain.PHYSICAL_HEALTH: DataCategory.GEZONDHEID_FUNCTIONEEL,
        LifeDomain.SUBSTANCE_USE: DataCategory.GEZONDHEID_FUNCTIONEEL,
        LifeDomain.BASIC_ADL: DataCategory.GEZONDHEID_FUNCTIONEEL,
        LifeDomain.INSTRUMENTAL_ADL: DataCategory.GEZONDHEID_FUNCTIONEEL,
        LifeDomain.SOCIAL_NETWORK: DataCategory.NETWERK,
        LifeDomain.SOCIETAL_PARTICIPATION: DataCategory.WMO_PLAN,
        LifeDomain.JUSTICE: DataCategory.STRAFRECHT,
    }
)

# Self-reliance and participation are what the Wmo 2015 answers for (article 1.1.1).
CARE_DOMAINS: "Final[frozenset[str]]" = frozenset(
    {
        LifeDomain.USE_OF_TIME,
        LifeDomain.DOMESTIC_RELATIONS,
        LifeDomain.MENTAL_HEALTH,
        LifeDomain.PHYSICAL_HEALTH,
        LifeDomain.SUBSTANCE_USE,
        LifeDomain.BASIC_ADL,
        LifeDomain.INSTRUMENTAL_ADL,
        LifeDomain.SOCIAL_NETWORK,
        LifeDomain.SOCIETAL_PARTICIPATION,
    }
)
# A possibility of work is what the Participatiewet guides to (article 7).
WORK_DOMAINS: "Final[frozenset[str]]" = frozenset({LifeDomain.WORK_AND_EDUCATION})
# Debts are what the Wgs helps with (article 3).
DEBT_DOMAINS: "Final[frozenset[str]]" = frozenset({LifeDomain.FINANCE})

# For which law data recorded under a task were acquired (rule R07 compares these words).
LAW_OF_TASK: "Final[Mapping[str, str]]" = MappingProxyType(
    {
        "college:WMO": "wmo",
        "college:JW": "jw",
        "college:PW": "pw",
        "college:WGS": "wgs",
        "college-andere-gemeente:PW": "pw",
        "college-andere-gemeente:WMO": "wmo",
        "wmo-aanbieder": "wmo",
        "jeugdhulpaanbieder": "jw",
        "zorgaanbieder-zvw": "zvw",
        "uwv": "suwi",
        "svb": "suwi",
        "reintegratiebedrijf": "pw",
        "veilig-thuis": "wmo",
        "crisisdienst": "wmo",
        "school": "onderwijs",
        "belastingdienst": "awr",
        "woningcorporatie": "woningwet",
        "verhuurder": "bw",
        "vrijwilligersorganisatie": "avg",
        "mantelzorger": "avg",
        "betrokkene": "avg",
        "wettelijk-vertegenwoordiger": "avg",
        "fg": "avg",
    }
)
LAW_UNKNOWN: Final = "onbekend"


def law_of_task(task: str) -> str:
    """Return the law data of this task were acquired for; never empty: an unknown task is not 'no law'."""
    return LAW_OF_TASK.get(task, LAW_UNKNOWN)


def category_of(life_domain: str) -> str:
    """Return the data category of a life domain; empty where unknown: what has no category never leaves."""
    return CATEGORY_OF_LIFE_DOMAIN.get(life_domain, "")


def origin_of(task: str, organisation: str) -> str:
    """Return where an element comes from: the task and the organisation that recorded it."""
    return f"{task}@{organisation}"


def task_of(origin: str) -> str:
    """Return the task of an origin."""
    return origin.partition("@")[0]
