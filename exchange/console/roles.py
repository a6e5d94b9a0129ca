"""Who may look at what in the console: one role a person, and how each is known to the exchange.

Promises: a person who signs in has exactly one role, or does not come in; what a role may do is not decided
here but by the gate, which gets the task on every call.
Source: GDPR 37-39 (officer), 24 (register), 15 (resident); RFC 8176 (amr).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exchange.console.language import later
from exchange.console.refusals import LoginRefused

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Role:
    """`task` and `role` are the words of the person token; `title` is on the screen, `whose` in a refusal."""

    name: str
    task: str
    role: str
    title: str
    whose: str
    # Where this role begins.
    home: str = "/"


OFFICER: Final = Role(
    "officer",
    "fg",
    "functionaris",
    later("Functionaris gegevensbescherming"),
    later("de functionaris gegevensbescherming"),
    "/vandaag",
)
AUTHOR: Final = Role(
    "author",
    "beheer",
    "registeropsteller",
    later("Opsteller van het register"),
    later("wie grondslagen voorstelt"),
)
APPROVER: Final = Role(
    "approver",
    "beheer",
    "registerbeslisser",
    later("Beslisser over het register"),
    later("wie over grondslagen beslist"),
)
RESIDENT: Final = Role("resident", "betrokkene", "inwoner", later("Inwoner"), later("inwoners"), "/mijn/1")
# Nobody signs in as this: who signed in as a resident chooses for whom he acts (pages/on_behalf.py).
REPRESENTATIVE: Final = Role(
    "representative",
    "wettelijk-vertegenwoordiger",
    "vertegenwoordiger",
    later("Namens een ander"),
    later("inwoners"),
    "/mijn/1",
)
# Who keeps a resident's money: what is about money is all that he sees.
MONEY: Final = Role(
    "money",
    "wettelijk-vertegenwoordiger",
    "vertegenwoordiger",
    later("Bewindvoerder van een ander"),
    later("bewindvoerders"),
    "/mijn/7",
)
# Whose the pages of a resident are: his own, and those of who acts for him.
IN_PERSON: Final = (RESIDENT, REPRESENTATIVE)
NO_STAFF: Final = (*IN_PERSON, MONEY)
# Nobody's: in this task the organisation itself recognises who signs in as a resident, before he is one.
DESK: Final = Role("desk", "college:WMO", "aanmelding", "", "")
INSIGHT: Final = Role("insight", "beleid", "beleid", later("Beleid"), later("beleidsmedewerkers"), "/inzicht")
# The second person where names are asked for: no officer, and neither of the two who change the register.
KEEPER: Final = Role(
    "keeper",
    "beheer",
    "beheerder",
    later("Beheerder"),
    later("de beheerder"),
    "/toezicht/verzoeken",
)
ROLES: Final[Mapping[str, Role]] = {
    role.name: role for role in (OFFICER, AUTHOR, APPROVER, RESIDENT, INSIGHT, KEEPER)
}
STAFF: Final = (OFFICER, AUTHOR, APPROVER, INSIGHT, KEEPER)


def role_of(claims: Mapping[str, Any], claim: str, mapping: Mapping[str, str]) -> Role:
    """Return the one role a person has by a claim of the ID token. LoginRefused for none or two."""
    told = claims.get(claim)
    values = [told] if isinstance(told, str) else told if isinstance(told, list) else []
    names = {mapping[value] for value in values if isinstance(value, str) and value in mapping}
    if not names:
        raise LoginRefused("NO_ROLE", later("U hebt geen rol in deze console."))
    if len(names) > 1:
        # Who audits cannot grant: nobody holds both in one session.
        raise LoginRefused("TWO_ROLES", later("U hebt meer dan één rol. Meld u aan met één rol."))
    return ROLES[names.pop()]
