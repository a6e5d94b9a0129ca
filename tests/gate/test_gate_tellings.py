"""The three tellings of a verdict, word for word; the words of a rule itself are those of the rulebook."""

from __future__ import annotations

from dataclasses import replace

from exchange.gate.explain import (
    explain,
    view_for_requester,
)
from exchange.gate.judge import judge
from exchange.gate.model import Explanation, Facts, Field, Outcome
from exchange.gate.rulebook import RULEBOOK
from tests.gate.test_gate_lines import BREAKS, READS, REGISTER, SEES

POLICY = f"Beleid {REGISTER.policy_hash[:16]}."
ARTICLE = "Wmo 2015 art. 2.3.2, lid 4"
WMO = f"WMO-2.3.2 ({ARTICLE})"
ASKED = "De gemeente (Wmo) vroeg gegevens, om te onderzoeken welke hulp u nodig heeft."
SEALED = Field("verblijf", "CONTACT", sealed=True)
CRIME = Field("straf", "STRAFRECHT")


def told(facts: Facts) -> Explanation:
    return explain(judge(facts, REGISTER), facts, REGISTER)


def causes(*rules: str, mark: str = ":") -> str:
    """Return the reasons as requester and officer read them."""
    return " ".join(f"{name}{mark} {RULEBOOK[name].cause} [{RULEBOOK[name].citation}]" for name in rules)


def plain(*rules: str) -> str:
    """Return the reasons as the resident reads them."""
    return " ".join(RULEBOOK[name].resident for name in rules)


def test_a_permit_is_told_with_its_basis_and_what_was_given() -> None:
    assert told(READS) == Explanation(
        requester=f"Toegestaan op grondslag {WMO}.",
        resident=f"{ASKED} Dat mag volgens {ARTICLE}. Gegeven, als het er is: andere gegevens.",
        officer=f"PERMIT: P-WMO-2.3.2. Grondslag {WMO}, versie 1. doelen: gegeven. klacht: gegeven. "
        f"Plichten: LOG. {POLICY}",
        remedies=(),
    )


def test_a_permit_of_nothing_names_no_field() -> None:
    nothing = replace(READS, fields=(), records=True)
    assert told(nothing).resident == f"{ASKED} Dat mag volgens {ARTICLE}."


def test_part_of_it_is_told_with_the_reasons_of_what_was_not_given() -> None:
    fields = (*(READS.fields or ()), CRIME, Field("adres", "CONTACT", retention_end=READS.now), SEALED)
    part = replace(READS, fields=fields)
    rules = ("R10", "R12", "R30")
    assert told(part) == Explanation(
        requester=f"Deels toegestaan op grondslag {WMO}. Niet gegeven: straf (R10, R12), adres (R30). "
        f"{causes(*rules)}",
        resident=f"{ASKED} Dat mag volgens {ARTICLE}. Gegeven, als het er is: andere gegevens. "
        f"Niet gegeven: andere gegevens. {plain(*rules)}",
        officer=f"PARTIAL: R10, R12, R26, R30. Grondslag {WMO}, versie 1. "
        f"{causes('R10', 'R12', 'R26', 'R30', mark='')} doelen: gegeven. klacht: gegeven. "
        f"straf: niet gegeven (R10, R12). adres: niet gegeven (R30). verblijf: niet gegeven (R26). "
        f"Plichten: LOG. {POLICY}",
        remedies=tuple(RULEBOOK[name].remedy for name in rules),
    )


def test_a_deny_is_told_with_every_reason() -> None:
    denied = replace(READS, case_relation=False, actor_auth="2FA")
    assert told(denied) == Explanation(
        requester=f"Geweigerd. {causes('R02', 'R03')}",
        resident=f"{ASKED} Dat is geweigerd. {plain('R02', 'R03')}",
        officer=f"DENY: R02, R03. Grondslag {WMO}, versie 1. {causes('R02', 'R03', mark='')} "
        f"doelen: niet gegeven (R02, R03). klacht: niet gegeven (R02, R03). "
        f"Plichten: ALERT-SNOOP, LOG. {POLICY}",
        remedies=(RULEBOOK["R02"].remedy, RULEBOOK["R03"].remedy),
    )


def test_a_consent_that_was_judged_is_named_to_the_officer() -> None:
    officer = told(SEES).officer
    assert officer.endswith(
        f"adres: niet gegeven (R17). Toestemming leave, versie 3. Plichten: LOG. {POLICY}"
    )
    assert "Toestemming" not in told(READS).officer


def test_what_could_not_be_judged_is_told_with_what_was_missing() -> None:
    missing = told(replace(READS, purpose=None, provider=None, recipient=None))
    assert missing.officer == (
        f"DENY: R01. {causes('R01', mark='')} Ontbreekt: purpose, provider, recipient. "
        f"Plichten: LOG, RETRY. {POLICY}"
    )
    assert missing.resident == (
        f"Een organisatie vroeg gegevens, voor een doel dat wij niet kennen. Dat is geweigerd. {plain('R01')}"
    )
    down = told(replace(READS, store_unavailable=True))
    assert down.officer == (
        f"DENY: R01. {causes('R01', mark='')} De opslag was niet bereikbaar. Plichten: LOG, RETRY. {POLICY}"
    )
    timeless = told(replace(READS, now=None))
    assert timeless.requester == f"Geweigerd. {causes('R01')}"
    assert "Ontbreekt: now." in timeless.officer


def test_only_what_was_not_judged_speaks_of_the_store() -> None:
    """A rule that denies and a store that failed later do not come together."""
    verdict = judge(replace(READS, case_relation=False), REGISTER)
    later = replace(READS, case_relation=False, store_unavailable=True, age=None)
    assert "opslag" not in explain(verdict, later, REGISTER).officer


def test_an_unknown_basis_has_no_words() -> None:
    unknown = told(replace(READS, legal_basis="ONBEKEND-1"))
    assert unknown.officer.startswith(f"DENY: R04. {causes('R04', mark='')} doelen: niet gegeven (R04).")
    assert unknown.requester == f"Geweigerd. {causes('R04')}"
    permit = judge(READS, REGISTER)
    lost = explain(replace(permit, basis_id="WEG-1"), READS, REGISTER)
    assert lost.requester == "Toegestaan op grondslag ."
    assert lost.officer.startswith("PERMIT: P-WMO-2.3.2. doelen: gegeven.")


def test_the_view_without_seals_is_whole() -> None:
    mixed = judge(replace(READS, fields=(SEALED, CRIME)), REGISTER)
    assert (mixed.outcome, mixed.rules) == (Outcome.DENY, ("R10", "R12", "R26"))
    view = view_for_requester(mixed)
    assert (view.outcome, view.rules) == (Outcome.PARTIAL, ("R10", "R12"))
    assert view.fields == {"verblijf": (), "straf": ("R10", "R12")}
    broken = view_for_requester(judge(replace(BREAKS, fields=(SEALED, CRIME)), REGISTER))
    assert broken.outcome is Outcome.PARTIAL_BREAK_GLASS
    partly = view_for_requester(judge(replace(READS, fields=(*(READS.fields or ())[:1], SEALED)), REGISTER))
    assert (partly.outcome, partly.rules) == (Outcome.PERMIT, ("P-WMO-2.3.2",))
