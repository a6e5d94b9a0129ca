"""One verdict told three times: to the requester, to the resident, to the privacy officer.

Promises: what the requester and the resident are told is the same, word for word, whether a thing is sealed
or does not exist; every refusal names a rule, its source and a remedy. No personal data, only field names,
and to the resident none but words of parts and articles of laws.
Source: GDPR 5(2), 12(1), 15, 32; CJEU C-579/21.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.gate.judge import missing_facts
from exchange.gate.model import Explanation, Outcome
from exchange.gate.parts import parts_in_words
from exchange.gate.rulebook import RULEBOOK, Rule
from exchange.gate.vocabulary import ALERT_BREAK_GLASS_REFUSED, REPRESENTATIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exchange.gate.entry import LegalBasis
    from exchange.gate.model import Facts, Verdict
    from exchange.gate.register import Register

_SEAL: Final = "R26"
_PERMITTING: Final = {
    Outcome.PERMIT: "Toegestaan",
    Outcome.PARTIAL: "Deels toegestaan",
    Outcome.PERMIT_BREAK_GLASS: "Toegestaan als noodtoegang",
    Outcome.PARTIAL_BREAK_GLASS: "Deels toegestaan als noodtoegang",
}
_AS_REPRESENTATIVE: Final = (
    "Als vertegenwoordiger van de inwoner [UAVG art. 5; Jeugdwet art. 7.3.15; Wmo 2015 art. 5.3.2]."
)
_BY_REPRESENTATION: Final = (
    "Namens de inwoner, op een vastgelegde vertegenwoordiging "
    "[UAVG art. 5; Jeugdwet art. 7.3.15; Wmo 2015 art. 5.3.2]."
)
# How a resident reads who asked and what for; what is not here is told in general words.
_WHO: Final = {
    "college:WMO": "De gemeente (Wmo)",
    "college:JW": "De gemeente (jeugd)",
    "college:PW": "De gemeente (werk en inkomen)",
    "college:WGS": "De gemeente (schuldhulp)",
    "college-andere-gemeente:PW": "Een andere gemeente (werk en inkomen)",
    "college-andere-gemeente:WMO": "Een andere gemeente (Wmo)",
    "wmo-aanbieder": "Een organisatie die u Wmo-hulp geeft",
    "jeugdhulpaanbieder": "Een organisatie voor jeugdhulp",
    "zorgaanbieder-zvw": "Een zorgaanbieder",
    "uwv": "UWV",
    "svb": "De SVB",
    "verhuurder": "Een verhuurder",
    "belastingdienst": "De Belastingdienst",
    "reintegratiebedrijf": "Een bedrijf dat helpt bij het vinden van werk",
    "school": "Een school",
    "woningcorporatie": "Een woningcorporatie",
    "veilig-thuis": "Veilig Thuis",
    "crisisdienst": "De crisisdienst",
    "vrijwilligersorganisatie": "Een vrijwilligersorganisatie",
    "mantelzorger": "Uw mantelzorger",
    "betrokkene": "U",
    "wettelijk-vertegenwoordiger": "Uw vertegenwoordiger",
    "fg": "De functionaris gegevensbescherming",
}
_WHAT_FOR: Final = {
    "wmo-onderzoek": "om te onderzoeken welke hulp u nodig heeft",
    "wmo-levering": "om u hulp te geven",
    "wmo-heroverweging": "om te kijken of uw hulp nog past",
    "wmo-afstemming": "om hulp op elkaar af te stemmen",
    "jeugd-toegang": "om te kijken welke jeugdhulp nodig is",
    "jeugdhulp-verlenen": "om jeugdhulp te geven",
    "jeugd-afstemming": "om jeugdhulp af te stemmen",
    "pw-recht-vaststellen": "om te kijken of u recht heeft op een uitkering",
    "pw-arbeidsinschakeling": "om u te helpen bij het vinden van werk",
    "wgs-plan": "om u te helpen met schulden",
    "wgs-vroegsignalering": "om vroeg te helpen bij een achterstand",
    "vt-onderzoek": "om te zorgen dat iedereen thuis veilig is",
    "informele-hulp": "om u te helpen als vrijwilliger of naaste",
    "vraag-en-aanbod": "om vraag en aanbod in de buurt bij elkaar te brengen",
    "integrale-aanpak": "om hulp uit verschillende wetten samen te brengen",
    "acute-nood": "omdat iemand in direct gevaar was",
    "inzage": "om uw gegevens te bekijken",
    "correctie": "om uw gegevens te verbeteren",
    "klacht-bezwaar": "voor een klacht of bezwaar",
    "toezicht": "om toezicht te houden",
    "audit": "om te controleren of het goed gaat",
    "statistiek": "voor cijfers zonder namen",
    "beheer": "voor de eigen administratie",
}


@dataclass(frozen=True, slots=True)
class RequesterView:
    """A verdict as if no seal existed.

    `fields` maps a name to its rules; none is: released, or nothing there, which a sealed value looks like.
    """

    outcome: Outcome
    rules: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]


def view_for_requester(verdict: Verdict) -> RequesterView:
    """Return what the requester may know: the view of the same facts without any seal."""
    fields = {name: _unsealed(field.rules) for name, field in verdict.fields.items()}
    rules = _unsealed(verdict.rules)
    if _SEAL not in verdict.rules:
        return RequesterView(verdict.outcome, verdict.rules, fields)
    # The seal was a reason: say what would have been said without it.
    if not rules:
        outcome = Outcome.PERMIT_BREAK_GLASS if _broke_glass(verdict) else Outcome.PERMIT
        return RequesterView(outcome, (f"P-{verdict.basis_id}",), fields)
    if verdict.outcome is Outcome.DENY and not all(fields.values()):
        return RequesterView(
            Outcome.PARTIAL_BREAK_GLASS if _broke_glass(verdict) else Outcome.PARTIAL, rules, fields
        )
    return RequesterView(verdict.outcome, rules, fields)


def rules_for_requester(verdict: Verdict) -> tuple[str, ...]:
    """Return the rule ids the requester may know: those of a verdict without seals."""
    # Most verdicts name no seal: then these are its own, and no view of each field is made.
    return verdict.rules if _SEAL not in verdict.rules else view_for_requester(verdict).rules


def obligations_for_requester(verdict: Verdict) -> tuple[str, ...]:
    """Return the obligations the requester may know: an alarm about him is not for him."""
    return tuple(name for name in verdict.obligations if not name.startswith("ALERT-"))


def explain(verdict: Verdict, facts: Facts, register: Register) -> Explanation:
    """Tell one verdict three times. Remedies are those the requester may read."""
    view = view_for_requester(verdict)
    basis = _basis_in_words(verdict, facts, register)
    return Explanation(
        requester=_to_requester(view, basis) + _for_another(view, facts, _AS_REPRESENTATIVE),
        resident=_to_resident(view, facts, _article(verdict, facts, register)),
        officer=_to_officer(verdict, facts, register, basis),
        remedies=tuple(RULEBOOK[rule].remedy for rule in view.rules if rule in RULEBOOK),
    )


def _unsealed(rules: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(rule for rule in rules if rule != _SEAL)


def _broke_glass(verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.PARTIAL_BREAK_GLASS or ALERT_BREAK_GLASS_REFUSED in verdict.obligations


def _basis(verdict: Verdict, facts: Facts, register: Register) -> LegalBasis | None:
    if not verdict.basis_id or facts.now is None:
        return None
    return register.find(verdict.basis_id, facts.now)


def _basis_in_words(verdict: Verdict, facts: Facts, register: Register) -> str:
    basis = _basis(verdict, facts, register)
    return "" if basis is None else f"{basis.id} ({basis.citation})"


def _article(verdict: Verdict, facts: Facts, register: Register) -> str:
    """Return where the law says it: the id of a basis says nothing to a resident."""
    basis = _basis(verdict, facts, register)
    return "" if basis is None else str(basis.citation)


def _for_another(view: RequesterView, facts: Facts, said: str) -> str:
    """Return that representation is why it was permitted, to who reads it; nothing where it is not."""
    permitted = view.outcome is not Outcome.DENY
    return f" {said}" if permitted and facts.recipient == REPRESENTATIVE else ""


def _known(rules: Iterable[str]) -> list[Rule]:
    return [RULEBOOK[rule] for rule in rules if rule in RULEBOOK]


def _to_requester(view: RequesterView, basis: str) -> str:
    reasons = " ".join(f"{rule.id}: {rule.cause} [{rule.citation}]" for rule in _known(view.rules))
    withheld = ", ".join(f"{path} ({', '.join(rules)})" for path, rules in _by_path(view).items())
    if view.outcome is Outcome.DENY:
        return f"Geweigerd. {reasons}"
    told = f"{_PERMITTING[view.outcome]} op grondslag {basis}."
    return f"{told} Niet gegeven: {withheld}. {reasons}" if withheld else told


def _by_path(view: RequesterView) -> dict[str, list[str]]:
    """Return what is withheld by path: who else brought something to it is not for the requester."""
    found: dict[str, set[str]] = {}
    for name, rules in view.fields.items():
        if rules:
            found.setdefault(name.partition("[")[0], set()).update(rules)
    return {path: sorted(rules) for path, rules in found.items()}


def _to_resident(view: RequesterView, facts: Facts, article: str) -> str:
    who = _WHO.get(facts.recipient or "", "Een organisatie")
    what_for = _WHAT_FOR.get(facts.purpose or "", "voor een doel dat wij niet kennen")
    asked = f"{who} vroeg gegevens, {what_for}."
    reasons = " ".join(dict.fromkeys(rule.resident for rule in _known(view.rules)))
    if view.outcome is Outcome.DENY:
        return f"{asked} Dat is geweigerd. {reasons}"
    given = parts_in_words(name for name, rules in view.fields.items() if not rules)
    withheld = parts_in_words(name for name, rules in view.fields.items() if rules)
    represented = _for_another(view, facts, "omdat deze persoon u vertegenwoordigt,")
    told = f"{asked} Dat mag{represented} volgens {article}."
    if given:
        told += f" Gegeven, als het er is: {given}."
    return f"{told} Niet gegeven: {withheld}. {reasons}" if withheld else told


def _to_officer(verdict: Verdict, facts: Facts, register: Register, basis: str) -> str:
    reasons = " ".join(f"{rule.id} {rule.cause} [{rule.citation}]" for rule in _known(verdict.rules))
    parts = [f"{verdict.outcome.value}: {', '.join(verdict.rules)}."]
    if basis:
        parts.append(f"Grondslag {basis}, versie {verdict.basis_version}.")
    if represented := _for_another(view_for_requester(verdict), facts, _BY_REPRESENTATION):
        parts.append(represented.strip())
    if reasons:
        parts.append(reasons)
    missing = missing_facts(facts, register)
    if "R01" in verdict.rules and facts.store_unavailable:
        parts.append("De opslag was niet bereikbaar.")
    if "R01" in verdict.rules and missing:
        parts.append(f"Ontbreekt: {', '.join(missing)}.")
    parts += [
        f"{name}: {'gegeven' if field.release else 'niet gegeven (' + ', '.join(field.rules) + ')'}."
        for name, field in verdict.fields.items()
    ]
    if verdict.consent_id:
        parts.append(f"Toestemming {verdict.consent_id}, versie {verdict.consent_version}.")
    parts.append(f"Plichten: {', '.join(verdict.obligations)}. Beleid {verdict.policy_hash[:16]}.")
    return " ".join(parts)
