"""What a resident reads when data about him were given to somebody who did not get them from him.

Promises: plain Dutch (B1) and no word of a professional: who asked, what for, on what ground, which kinds of
data, and where to find the rest; names of no element, no count, and nothing that a seal hides.
A notice that was deferred says so.
Source: GDPR 12(1), 14(1)(c)-(d), 14(2)(c); Wmo 2015 5.3.1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from exchange.domain.disclosure import AbortReason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.projections.obligations import Aborted
    from exchange.server.contract.decisions import Decision

# By the first word of a path of the contract; what is not here is told in general words.
_KINDS: Final = {
    "agreements": "de afspraken met u",
    "answers": "wat er met uw voorwaarden of bezwaar is gedaan",
    "contributions": "wat u voor anderen wilt doen",
    "conversations": "gesprekken met u",
    "evaluations": "hoe het met uw doelen gaat",
    "funding": "uit welk geld uw hulp wordt betaald",
    "goals": "uw doelen",
    "lens_assessments": "wat er over uw situatie is onderzocht",
    "matches": "of iemand uit de buurt bij u past",
    "preferences": "welke aanbieder u het liefst heeft",
    "reports": "uw melding",
    "rule_conflicts": "welke regels voor u botsen, en hoe dat is opgelost",
    "signals": "een betalingsachterstand",
    "situations": "uw situatie",
    "supports": "de hulp die u krijgt",
    "trajectories": "wat u doet aan werk of meedoen",
    "wishes": "wat u aan anderen vraagt",
}
_BESIDE: Final = "dat er een plan voor u is"
_WHY: Final = "U leest dit omdat deze organisatie de gegevens niet van u zelf kreeg."
_ONCE: Final = "U krijgt dit bericht één keer. In uw overzicht staat wie later nog gegevens kreeg."
_LATER: Final = (
    "U leest dit nu pas. Bij een onderzoek naar veiligheid thuis mag een organisatie vier weken wachten "
    "voordat u dit hoort."
)
_NOT_SENT: Final = "Het antwoord is niet verstuurd. De organisatie kreeg uw gegevens deze keer niet."
_NOT_ARRIVED: Final = (
    "Het antwoord kwam niet aan, voor zover wij weten: de verbinding werd verbroken. "
    "Misschien is toch een deel gezien."
)
_RIGHTS: Final = "U mag uw gegevens zien en laten verbeteren. U mag ook bezwaar maken."


def informed(explanation: str, released: Iterable[str]) -> str:
    """Return the notice: the decision as the resident is told of it, and what it comes to.

    `released` are the names of the fields as he may know them.
    """
    return _joined(explanation, _about(released), _WHY, _ONCE, _RIGHTS)


def told_later(explanation: str, released: Iterable[str]) -> str:
    """Return the notice that was deferred: what was given, and why it is told now (Wmo 2015 5.3.1)."""
    return _joined(explanation, _about(released), _LATER, _RIGHTS)


def as_arrived(decision: Decision, aborted: Aborted | None) -> Decision:
    """Return a decision as the resident reads it, with what is known of its answer."""
    if aborted is None:
        return decision
    said = _NOT_SENT if aborted.reason == AbortReason.ANSWER_REFUSED else _NOT_ARRIVED
    return replace(decision, explanation=_joined(decision.explanation, said), abort_time=aborted.at)


def _about(released: Iterable[str]) -> str:
    kinds = sorted({_KINDS.get(_first_word(name), _BESIDE) for name in released})
    return f"Het gaat om: {', '.join(kinds)}." if kinds else ""


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _first_word(name: str) -> str:
    return name.partition("[")[0].partition(".")[0]
