"""What a resident reads when data about him were given to somebody who did not get them from him.

Promises: plain Dutch (B1) and no word of a professional: who asked, what for, on what ground, which kinds of
data, and where to find the rest; names of no element, no count, and nothing that a seal hides.
Source: GDPR 12(1), 14(1)(c)-(d), 14(2)(c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# By the first word of a path of the contract; what is not here is told in general words.
_KINDS: Final = {
    "agreements": "de afspraken met u",
    "answers": "wat er met uw voorwaarden of bezwaar is gedaan",
    "conversations": "gesprekken met u",
    "evaluations": "hoe het met uw doelen gaat",
    "funding": "uit welk geld uw hulp wordt betaald",
    "goals": "uw doelen",
    "lens_assessments": "wat er over uw situatie is onderzocht",
    "preferences": "welke aanbieder u het liefst heeft",
    "reports": "uw melding",
    "rule_conflicts": "welke regels voor u botsen, en hoe dat is opgelost",
    "signals": "een betalingsachterstand",
    "situations": "uw situatie",
    "supports": "de hulp die u krijgt",
    "trajectories": "wat u doet aan werk of meedoen",
}
_BESIDE: Final = "dat er een plan voor u is"
_WHY: Final = "U leest dit omdat deze organisatie de gegevens niet van u zelf kreeg."
_ONCE: Final = "U krijgt dit bericht één keer. In uw overzicht staat wie later nog gegevens kreeg."
_RIGHTS: Final = "U mag uw gegevens zien en laten verbeteren. U mag ook bezwaar maken."


def informed(explanation: str, released: Iterable[str]) -> str:
    """Return the notice: the decision as the resident is told of it, and what it comes to.

    `released` are the names of the fields as he may know them.
    """
    kinds = sorted({_KINDS.get(_first_word(name), _BESIDE) for name in released})
    about = f"Het gaat om: {', '.join(kinds)}." if kinds else ""
    return " ".join(part for part in (explanation, about, _WHY, _ONCE, _RIGHTS) if part)


def _first_word(name: str) -> str:
    return name.partition("[")[0].partition(".")[0]
