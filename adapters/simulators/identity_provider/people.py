"""The people of the demo. None of them exists; the numbers are given to nobody (they begin with a nine)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Somebody:
    """One person: what the console's role claim says of him, and for a resident a number."""

    subject: str
    name: str
    role: str
    about: str
    bsn: str = ""


PEOPLE: Final = (
    Somebody("fg-1", "Fatima Groen", "officer", "functionaris gegevensbescherming"),
    Somebody("fg-2", "Gerrit Bos", "officer", "tweede functionaris gegevensbescherming"),
    Somebody("register-1", "Anna Visser", "author", "stelt grondslagen op"),
    Somebody("register-2", "Bram de Wit", "approver", "beslist over grondslagen"),
    Somebody("beleid-1", "Daan Smit", "insight", "beleidsmedewerker"),
    # A version of the register takes two who approve beside who proposed it.
    Somebody("register-3", "Chaima Jansen", "approver", "beslist ook over grondslagen"),
    Somebody("beheer-1", "Els Kuiper", "keeper", "beheerder, de tweede persoon bij namen"),
)

# Who represents residents, each under the mark by which a record of representation knows him. They have no
# plan here and choose for whom they act; who of them may act for whom is recorded in the town, not here.
REPRESENTATIVES: Final = (
    Somebody("ouder-1", "Ouder 1", "resident", "ouder met gezag", "999800000"),
    Somebody("mentor-1", "Mentor 1", "resident", "mentor van een volwassene", "999800012"),
)


def resident(bsn: str, number: int) -> Somebody:
    """Return a resident of the demo, known by the number of a story."""
    return Somebody(f"inwoner-{number}", f"Inwoner {number}", "resident", "inwoner uit het verhaal", bsn)
