"""The rights a resident uses, a page each: what it is called, what it does, how long it may take.

Source: GDPR 12(3), 15-18, 20, 21; Wmo 2015 5.3.5; Jeugdwet 7.3.9 (three months).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from exchange.console.language import later
from exchange.v1 import resident_rights_service_pb2 as pb


class Way(NamedTuple):
    """One right. `number` is its page; `words` asks what somebody writes, and `needed` whether he must."""

    number: str
    name: str
    title: str
    about: str
    button: str
    term: str
    words: str
    needed: bool = False


MONTH: Final = later("U hoort binnen een maand wat er gebeurt. Duurt het langer, dan hoort u waarom.")
AT_ONCE: Final = later("Dit geldt meteen.")
WAYS: Final = (
    Way(
        "1",
        "inzage",
        later("Zien wat er van mij is"),
        later("U kunt zien wat er van u is: wat er staat, waarom, wie het kreeg en hoe lang het blijft."),
        later("Vraag om inzage"),
        MONTH,
        later("Wat wilt u zien? U hoeft niets in te vullen."),
    ),
    Way(
        "2",
        "verbeteren",
        later("Iets laten verbeteren"),
        later("Klopt er iets niet, of ontbreekt er iets? Schrijf op wat er staat en wat er moet staan."),
        later("Vraag om verbetering"),
        MONTH,
        later("Wat klopt er niet, en wat moet er staan?"),
        needed=True,
    ),
    Way(
        "3",
        "bezwaar",
        later("Bezwaar maken"),
        later(
            "Wilt u niet dat uw gegevens ergens voor worden gebruikt? Maak bezwaar. "
            "Tot er is beslist, worden ze daar niet voor gebruikt."
        ),
        later("Maak bezwaar"),
        AT_ONCE,
        later("Waarom? U hoeft niets in te vullen."),
    ),
    Way(
        "4",
        "beperken",
        later("Gebruik laten stoppen zolang iets niet duidelijk is"),
        later(
            "Uw gegevens blijven bewaard, maar worden niet gebruikt. Bijvoorbeeld omdat er iets niet klopt, "
            "of omdat u ze zelf nodig hebt."
        ),
        later("Vraag om beperking"),
        AT_ONCE,
        later("Waarom?"),
        needed=True,
    ),
    Way(
        "5",
        "meenemen",
        later("Mijn gegevens meenemen"),
        later("U krijgt een bestand met wat u zelf gaf. Een computer van een ander kan het lezen."),
        later("Vraag om mee te nemen"),
        MONTH,
        later("Wilt u er iets bij zeggen? U hoeft niets in te vullen."),
    ),
    Way(
        "6",
        "wissen",
        later("Gegevens laten wissen"),
        later(
            "U vraagt om gegevens weg te halen. Soms moet iets blijven van de wet. "
            "Dan hoort u welke wet dat is."
        ),
        later("Vraag om wissen"),
        later(
            "U hoort binnen een maand wat er gebeurt. "
            "Voor Wmo-gegevens en jeugdhulpgegevens is dat drie maanden."
        ),
        later("Welke gegevens, en waarom? U hoeft niets in te vullen."),
    ),
)
RIGHTS: Final = {
    "inzage": pb.RIGHT_ACCESS,
    "verbeteren": pb.RIGHT_RECTIFICATION,
    "meenemen": pb.RIGHT_PORTABILITY,
}
ERASED: Final = {
    "alles": (pb.RIGHT_ERASURE, later("alles wat niet hoeft te blijven")),
    "wmo": (pb.RIGHT_DESTRUCTION_WMO, later("wat de gemeente bewaart voor de Wmo")),
    "jeugd": (pb.RIGHT_DESTRUCTION_JEUGDWET, later("wat er is bewaard over jeugdhulp")),
}
