"""The code lists the mapping understands, each code with an English and a Dutch name.

Promises: a code outside its list raises ValueError, without repeating it. Source: code lists WJ756 (unit),
WMO757 (frequency), WMO002 and JZ002 (reason of change), WMO588 and JZ588 (reason to stop), COD046 (gender),
COD170, COD467, COD700, COD757, COD327 (referrer), WJ758, WJ759 and WJ760 (requests).
"""

from __future__ import annotations

from enum import Enum
from typing import Self, cast

from adapters.provider.schema import Law


class Coded(Enum):
    """A code of the standard: `value` is the code, the member's name the English word, `dutch` the Dutch."""

    dutch: str

    def __new__(cls, code: str, dutch: str) -> Self:
        """Make a member whose value is the code alone."""
        member = object.__new__(cls)
        member._value_ = code
        member.dutch = dutch
        return member

    @property
    def code(self) -> str:
        """Return the code as the message holds it."""
        return str(self._value_)

    @classmethod
    def of(cls, code: str) -> Self:
        """Return the member with this code. Raises ValueError for a code outside the list."""
        found = cls._value2member_map_.get(code)
        if found is None:
            # Called with the code, the class would repeat it in the error.
            raise ValueError(f"no such code in {cls.__name__}")
        return cast("Self", found)


class Gender(Coded):
    """Sex as registered (COD046)."""

    UNKNOWN = "0", "onbekend"
    MALE = "1", "man"
    FEMALE = "2", "vrouw"


class DateUse(Coded):
    """What of a birth date is not known (COD170)."""

    DAY_UNKNOWN = "1", "dag onbekend"
    MONTH_UNKNOWN = "2", "dag en maand onbekend"
    DATE_UNKNOWN = "3", "dag, maand en jaar onbekend"


class NameUse(Coded):
    """Which names a person goes by (COD700)."""

    OWN = "1", "eigen naam"
    PARTNER = "2", "naam partner"
    PARTNER_THEN_OWN = "3", "naam partner, dan eigen naam"
    OWN_THEN_PARTNER = "4", "eigen naam, dan naam partner"
    PSEUDONYM = "5", "pseudoniem"
    NOT_NATURAL = "6", "niet-natuurlijk persoon"


class AddressKind(Coded):
    """What an address is for (COD757)."""

    REGISTERED = "01", "BRP-adres"
    CORRESPONDENCE = "02", "correspondentieadres"
    STAY = "03", "verblijfadres"
    TEMPORARY = "04", "tijdelijk adres"


class Unit(Coded):
    """In what support is counted (WJ756); the volume of EURO is in cents."""

    MINUTE = "01", "minuut"
    HOUR = "04", "uur"
    DAY_AND_NIGHT = "14", "etmaal"
    HALF_DAY = "16", "dagdeel (4 uur)"
    PIECE_OUTPUT = "82", "stuks (output)"
    EURO = "83", "euro's"
    PIECE_EFFORT = "84", "stuks (inspanning)"


class Frequency(Coded):
    """Per which span the volume counts (WMO757)."""

    PER_DAY = "1", "per dag"
    PER_WEEK = "2", "per week"
    PER_MONTH = "4", "per maand"
    IN_TOTAL = "6", "totaal binnen geldigheidsduur toewijzing"


class Delivery(Coded):
    """Whether a line is told for the first time or taken back (COD467); CS058 leaves these two."""

    FIRST = "1", "eerste aanlevering"
    REMOVED = "3", "verwijderen aanlevering"


class RequestReason(Coded):
    """Why a provider asks for a change (WJ758)."""

    SITUATION = "1", "verandering cliëntsituatie"
    CARE_PLAN = "2", "wijziging zorgplan"


class RequestOutcome(Coded):
    """What a municipality says to a request; a yes is an assignment (WJ760)."""

    REJECTED = "1", "verzoek afgewezen"
    INVESTIGATED = "2", "aanvraag in onderzoek"


class RequestRefusal(Coded):
    """Why a request was rejected (WJ759)."""

    NEW_APPLICATION = "1", "geen wijziging, maar nieuwe aanvraag"
    BUDGET = "2", "past niet binnen budget"
    NO_CONTRACT = "3", "geen contract"
    NOT_IN_CONTRACT = "4", "past niet binnen contract"
    OTHER_MUNICIPALITY = "5", "andere gemeente"
    PILED_UP = "6", "stapeling"
    SUBSTANCE = "7", "zorginhoudelijk"
    RESIDENCE = "8", "woonplaatsbeginsel"
    AGE = "9", "leeftijdsgrens"


class Referrer(Coded):
    """Who sent a resident to support (COD327)."""

    MUNICIPALITY = "01", "gemeente"
    FAMILY_DOCTOR = "02", "huisarts"
    YOUTH_DOCTOR = "03", "jeugdarts"
    CERTIFIED_INSTITUTION = "04", "gecertificeerde instelling"
    SPECIALIST = "05", "medisch specialist"
    SELF = "06", "zelfverwijzer"
    COURT = "08", "rechter of officier van justitie"


class ChangeReason(Coded):
    """Why an assignment changed (WMO002, JZ002); 01 lapsed and is no longer used (CS336)."""

    DECEASED = "02", "cliënt overleden"
    CONTRACT_CHANGED = "03", "contractwijziging"
    PROLONGED = "04", "verlenging toewijzing"
    SHORTENED = "05", "verkorting toewijzing"
    OTHER_DOMAIN = "06", "uitstroom naar ander domein"
    MOVED = "07", "verhuizing naar een andere gemeente"
    FORM_CHANGED = "08", "wijziging leveringsvorm"
    OTHER_PROVIDER = "09", "overstap naar andere aanbieder"
    FUNDING_CHANGED = "10", "overgang naar nieuwe bekostigingssystematiek"
    MUNICIPALITY_MERGED = "11", "gemeentelijke herindeling"
    ASKED_BY_PROVIDER = "12", "geïnitieerd door de aanbieder"
    REMOVED = "13", "verwijderd"
    CORRECTED = "14", "administratieve correctie"


class WmoStopReason(Coded):
    """Why support under the Wmo stopped (WMO588)."""

    DECEASED = "02", "overlijden"
    AS_PLANNED = "19", "levering volgens plan beëindigd"
    TEMPORARY = "20", "levering is tijdelijk beëindigd"
    BY_RESIDENT = "21", "levering is eenzijdig door cliënt beëindigd"
    BY_PROVIDER = "22", "levering is eenzijdig door aanbieder beëindigd"
    AGREED_EARLY = "23", "levering is in overeenstemming voortijdig beëindigd"
    MOVED = "31", "verhuizing naar een andere gemeente"
    BY_MUNICIPALITY = "36", "geïnitieerd door de gemeente"
    CHANGE_REQUESTED = "37", "in verband met wijzigingsverzoek"
    OTHER_PROVIDER = "38", "overstap naar andere aanbieder"
    OTHER_DOMAIN = "39", "uitstroom naar ander domein"


class JwStopReason(Coded):
    """Why youth support stopped (JZ588); 31 means something else here than under the Wmo."""

    DECEASED = "02", "overlijden"
    TEMPORARY = "20", "levering is tijdelijk beëindigd"
    AS_PLANNED = "31", "levering is volgens plan beëindigd"
    BY_RESIDENT = "32", "voortijdig afgesloten, door cliënt"
    BY_PROVIDER = "33", "voortijdig afgesloten, door aanbieder"
    AGREED_EARLY = "34", "voortijdig afgesloten, in overleg"
    OUTSIDE_CAUSE = "35", "voortijdig afgesloten, externe oorzaak"
    BY_MUNICIPALITY = "36", "geïnitieerd door de gemeente"
    CHANGE_REQUESTED = "37", "in verband met wijzigingsverzoek"
    OTHER_PROVIDER = "38", "overstap naar andere aanbieder"
    OTHER_DOMAIN = "39", "uitstroom naar ander domein"


StopReason = WmoStopReason | JwStopReason


def stop_reason(law: Law, code: str) -> StopReason:
    """Read a reason to stop in the list of its law. Raises ValueError for a code outside it."""
    return WmoStopReason.of(code) if law is Law.WMO else JwStopReason.of(code)
