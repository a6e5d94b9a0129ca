"""What is told to whom: a seal to nobody but the privacy officer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.gate.cases import Case, read_cases
from exchange.gate.explain import (
    explain,
    obligations_for_requester,
    rules_for_requester,
    view_for_requester,
)
from exchange.gate.judge import judge
from exchange.gate.model import BreakGlass, Facts, Field, Outcome
from exchange.gate.register import Register

REGISTER = Register.load()
FILE = Path(__file__).parent / "cases.json"
CASES = read_cases(FILE)


TITLES = [str(case["title"]) for case in json.loads(FILE.read_text(encoding="utf-8"))]


def of_title(title: str) -> Facts:
    (found,) = [case.facts for case, wanted in zip(CASES, TITLES, strict=True) if wanted == title]
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_no_telling_but_the_officers_speaks_of_a_seal(case: Case) -> None:
    verdict = judge(case.facts, REGISTER)
    told = explain(verdict, case.facts, REGISTER)
    for text in (told.requester, told.resident, *told.remedies):
        assert text
        assert "R26" not in text
        assert "zegel" not in text.lower()
    assert ("R26" in told.officer) == ("R26" in verdict.rules)
    assert "R26" not in rules_for_requester(verdict)


def test_an_answer_of_only_sealed_fields_looks_like_a_permit_of_nothing() -> None:
    facts = replace(of_title("Verzegeld adres"), fields=(Field("adres", "CONTACT", sealed=True),))
    verdict = judge(facts, REGISTER)
    assert (verdict.outcome, verdict.rules) == (Outcome.DENY, ("R26",))
    view = view_for_requester(verdict)
    assert (view.outcome, view.rules, view.fields) == (Outcome.PERMIT, ("P-WMO-5.2.1-2a",), {"adres": ()})


def test_the_same_holds_under_break_glass() -> None:
    facts = of_title("Noodtoegang")
    sealed = replace(facts, fields=(Field("adres", "CONTACT", sealed=True),))
    assert view_for_requester(judge(sealed, REGISTER)).outcome is Outcome.PERMIT_BREAK_GLASS
    mixed = replace(facts, fields=(Field("adres", "CONTACT", sealed=True), Field("schulden", "SCHULDEN")))
    verdict = judge(mixed, REGISTER)
    assert verdict.outcome is Outcome.DENY
    assert view_for_requester(verdict).outcome is Outcome.PARTIAL_BREAK_GLASS
    refused = replace(sealed, break_glass=BreakGlass("HAAST", "x" * 20))
    assert view_for_requester(judge(refused, REGISTER)).rules == ("R03", "R28")


def test_a_refusal_names_rule_source_and_remedy() -> None:
    facts = of_title("Geen casusrelatie")
    told = explain(judge(facts, REGISTER), facts, REGISTER)
    assert "R03" in told.requester
    assert "Wmo 2015 art. 5.3.3" in told.requester
    assert told.remedies == ("Laat de regisseur u aan de casus toevoegen als u eraan gaat werken.",)
    assert told.resident.startswith(
        "Een organisatie die u Wmo-hulp geeft vroeg gegevens, om u hulp te geven."
    )


def test_a_partial_permit_tells_what_was_given_and_what_was_not() -> None:
    facts = of_title("Schulden horen er niet bij")
    told = explain(judge(facts, REGISTER), facts, REGISTER)
    assert "Niet gegeven: schulden (R10)" in told.requester
    assert "Gegeven, als het er is: andere gegevens." in told.resident
    assert "Niet gegeven: andere gegevens." in told.resident
    assert "versie 1" in told.officer


def test_the_officer_is_told_which_fact_was_missing() -> None:
    facts = of_title("Ontbreekt: leeftijd bij toestemming")
    told = explain(judge(facts, REGISTER), facts, REGISTER)
    assert "Ontbreekt: age." in told.officer
    assert "age" not in told.requester
    down = of_title("Opslag onbereikbaar")
    assert "niet bereikbaar" in explain(judge(down, REGISTER), down, REGISTER).officer


def test_no_telling_holds_a_value_of_the_request() -> None:
    facts = replace(of_title("Noodtoegang"), recipient_id="id-van-iemand", necessity="naam van iemand")
    told = explain(judge(facts, REGISTER), facts, REGISTER)
    for text in (told.requester, told.resident, told.officer):
        assert "iemand" not in text.replace("omdat iemand in direct gevaar was", "")
        assert "hulpgeroep" not in text


def test_an_unknown_party_and_purpose_are_told_in_general_words() -> None:
    facts = replace(of_title("Geen casusrelatie"), recipient="iets", purpose="iets")
    told = explain(judge(facts, REGISTER), facts, REGISTER)
    assert told.resident.startswith("Een organisatie vroeg gegevens, voor een doel dat wij niet kennen.")


def test_an_alarm_about_the_requester_is_not_told_to_him() -> None:
    facts = replace(of_title("Verzegeld adres"), case_relation=False)
    verdict = judge(facts, REGISTER)
    assert verdict.obligations == ("ALERT-SNOOP", "LOG")
    assert obligations_for_requester(verdict) == ("LOG",)


def test_the_requester_reads_paths_and_not_who_brought_what() -> None:
    facts = of_title("Verzegeld adres")
    told = (
        Field("goals.own_words[WMO-PLAN|college:WMO]", "WMO-PLAN"),
        Field("goals.own_words[SCHULDEN|college:WGS]", "STRAFRECHT"),
    )
    split = replace(facts, fields=(*(facts.fields or ()), *told))
    verdict = judge(split, REGISTER)
    assert verdict.outcome is Outcome.PARTIAL
    requester = explain(verdict, split, REGISTER).requester
    assert "goals.own_words (" in requester
    assert "college:WGS" not in requester
    assert "SCHULDEN" not in requester
