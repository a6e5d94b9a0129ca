"""Law P7: two engines that share no rule agree, on every case that is written down and on many drawn ones.

The first is the gate; the second is its rules in Cedar (`cedar/`, `second_engine.py`). A difference is told
as an entry for a case file, so that it can be kept.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.gate import vocabulary as words
from exchange.gate.cases import read_cases
from exchange.gate.entry import LegalBasis
from exchange.gate.judge import judge
from exchange.gate.model import BreakGlass, Consent, Facts, Field, Outcome
from exchange.gate.register import Register
from exchange.gate.rules import RULE_IDS
from tests.conftest import beside
from tests.gate.drawn import STATES, draw_facts, registers
from tests.gate.second_engine import (
    FOLDER,
    NOT_JUDGED,
    OF_BASIS,
    OF_CONSENT,
    OF_FIELD,
    OF_REQUEST,
    OF_REQUESTER,
    OF_RESIDENT,
    Judgement,
    SecondEngine,
    read_policies,
)
from tests.gate.written import entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.gate.model import Verdict

OWN_FILE = Path(__file__).parent / "cases.json"
# Of what is compared quickly, and by what wide means there; the many are drawn anew in every run.
SEED = 38
DRAWN_QUICKLY = 2_000
DRAWN = 20_000
SHIPPED, _ = registers(SEED)
DUTIES = """LOG RETRY STOP-FEED ALERT-SNOOP INFORM-RESIDENT TREAT-AS-OBJECTION ABORT-DELIVERY NOTIFY-FG
    ALERT-BREAK-GLASS-REFUSED NOTIFY-SUBJECT REVIEW-1-WORKDAY TTL-60M NO-NOTICE-TO-SUSPECT
    DEFER-NOTICE-4W"""


def in_short(verdict: Verdict) -> Judgement:
    return Judgement(
        outcome=verdict.outcome.value,
        rules=verdict.rules,
        fields={
            name: () if field.release else (field.rules or ("withheld",))
            for name, field in verdict.fields.items()
        },
        obligations=verdict.obligations,
        basis=(verdict.basis_id, verdict.basis_version),
    )


@dataclass
class Seen:
    """What a run came across, counted in cases."""

    cases: int = 0
    spoke: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    duties: Counter[str] = field(default_factory=Counter)
    several: int = 0

    def count(self, judgement: Judgement) -> None:
        self.cases += 1
        self.spoke.update(judgement.rules)
        self.alone.update(judgement.rules if len(judgement.rules) == 1 else ())
        self.outcomes[judgement.outcome] += 1
        self.duties.update(judgement.obligations)
        self.several += len(judgement.rules) > 2

    def add(self, other: Seen) -> None:
        self.cases += other.cases
        self.several += other.several
        for mine, more in (
            (self.spoke, other.spoke),
            (self.alone, other.alone),
            (self.outcomes, other.outcomes),
            (self.duties, other.duties),
        ):
            mine.update(more)


def compare(
    cases: Iterable[Facts], register: Register, engine: SecondEngine, seed: int | None = None
) -> Seen:
    """Judge all cases twice; fail on the first difference, told as an entry of a case file."""
    seen = Seen()
    asked = list(cases)
    for number, (facts, second) in enumerate(zip(asked, engine.judge(asked), strict=True)):
        first = in_short(judge(facts, register))
        if first != second:
            kept = json.dumps(entry(f"D{number:05}", facts), ensure_ascii=False)
            drawn = "" if seed is None else f"\ndrawn by --randomly-seed={seed}"
            pytest.fail(f"two engines differ on\n{kept}\ngate:  {first}\ncedar: {second}{drawn}")
        seen.count(second)
    return seen


def test_p07_two_engines_agree_on_our_own_cases() -> None:
    cases = [case.facts for case in read_cases(OWN_FILE)]
    seen = compare(cases, SHIPPED, SecondEngine(SHIPPED.entries()))
    assert seen.cases == len(cases)
    assert set(seen.spoke) >= RULE_IDS


def test_p07_two_engines_agree_on_the_cases_of_the_design() -> None:
    cases = read_cases(beside("EXCHANGE_DESIGN_DIR", "design") / "gate-cases.json")
    seen = compare([case.facts for case in cases], SHIPPED, SecondEngine(SHIPPED.entries()))
    assert seen.cases == len(cases) >= 12


def test_p07_two_engines_agree_on_drawn_cases() -> None:
    seen, policies = agree_on_drawn_cases(DRAWN_QUICKLY, SEED)
    assert seen.cases == DRAWN_QUICKLY
    assert_wide(seen, least=2)
    assert len(policies) > 60


@pytest.mark.slow
def test_p07_two_engines_agree_on_many_drawn_cases(run_seed: int) -> None:
    seen, policies = agree_on_drawn_cases(DRAWN, run_seed)
    assert seen.cases == DRAWN
    assert_wide(seen, least=30)
    # Several policies bear one rule: each has to have held, alone or not, or nothing was compared with it.
    written = list(json.loads(cedar_json())["staticPolicies"])
    assert {policy for policy in written if policies[policy] < 5} == set()
    assert {rule for rule in RULE_IDS if seen.alone[rule] < 5} == set()


@pytest.mark.parametrize("kind", ["NO_OBJECTION", "SECRECY"])
@pytest.mark.parametrize("in_writing", [True, False])
@pytest.mark.parametrize("explicit", [True, False])
def test_p07_what_is_asked_in_writing_lifts_secrecy_in_writing(
    kind: str, *, in_writing: bool, explicit: bool
) -> None:
    """No shipped entry asks both; chance found it in one run of many."""
    (basis,) = (one for one in SHIPPED.entries() if one.id == "WGBO-457-1")
    register = Register([replace(basis, consent_kind=kind, explicit_required=in_writing)])
    case = next(
        one.facts
        for one in read_cases(OWN_FILE)
        if one.facts.legal_basis == basis.id and judge(one.facts, SHIPPED).outcome is Outcome.PERMIT
    )
    assert isinstance(case.consent, Consent)
    secret = tuple(replace(one, secret=True) for one in case.fields or ())
    facts = replace(case, fields=secret, consent=replace(case.consent, kind=kind, explicit=explicit))
    seen = compare([facts], register, SecondEngine(register.entries()))
    not_said = kind == "NO_OBJECTION" and in_writing and not explicit
    assert (bool(seen.spoke["R22"]), bool(seen.spoke["R15"])) == (not_said, not_said)


@pytest.fixture
def run_seed(pytestconfig: pytest.Config) -> int:
    """Return the seed of this run, which its header tells: `--randomly-seed=N` draws the same again."""
    # Where the order is not random either, as when mutants are looked at, every run draws the same.
    return int(pytestconfig.getoption("randomly_seed", SEED))


def agree_on_drawn_cases(number: int, seed: int) -> tuple[Seen, Counter[str]]:
    """Three quarters under the shipped register; the rest under one that has every combination."""
    _, bent_register = registers(seed)
    shipped, bent = SecondEngine(SHIPPED.entries()), SecondEngine(bent_register.entries())
    drawn = islice(draw_facts(seed, SHIPPED), number * 3 // 4)
    seen = compare(drawn, SHIPPED, shipped, seed)
    # Every entry but what is not in force, and what exists to be refused.
    permitting = {f"P-{basis.id}" for basis in SHIPPED.entries() if basis.enabled and not basis.public_task}
    assert {rule for rule in seen.spoke if rule.startswith("P-")} == permitting
    drawn = islice(draw_facts(seed + 1, bent_register), number - seen.cases)
    seen.add(compare(drawn, bent_register, bent, seed))
    return seen, shipped.spoke + bent.spoke


def assert_wide(seen: Seen, least: int) -> None:
    """Hold that chance reached everything: each rule spoke and was silent, each outcome, each duty."""
    assert {rule for rule in RULE_IDS if seen.spoke[rule] < least} == set()
    assert {rule for rule in RULE_IDS if seen.cases - seen.spoke[rule] < least} == set()
    assert {outcome for outcome in Outcome if seen.outcomes[outcome.value] < least} == set()
    assert set(seen.duties) == set(DUTIES.split())
    assert {duty for duty in seen.duties if seen.duties[duty] < least} == set()
    assert seen.several >= least


def cedar_json() -> str:
    import cedarpy

    return cedarpy.policies_to_json_str(read_policies())


# --- the second engine itself ------------------------------------------------------------------------------


def permitted() -> Facts:
    cases = [case.facts for case in read_cases(OWN_FILE)]
    return next(facts for facts in cases if judge(facts, SHIPPED).outcome is Outcome.PERMIT)


def test_every_rule_is_written_in_cedar() -> None:
    policies = json.loads(cedar_json())["staticPolicies"].values()
    forbidding = {one["annotations"]["id"] for one in policies if one["effect"] == "forbid"}
    assert forbidding == RULE_IDS
    concluding = {
        one["annotations"]["id"] for one in policies if one["effect"] == "permit" and "annotations" in one
    }
    assert concluding - {"in its days"} == {*DUTIES.split(), *Outcome}


def test_an_error_of_a_policy_denies() -> None:
    # Cedar skips a forbid that errs: without the check, this one would be silent and the fields would leave.
    erring = """
        @id("R99") forbid (principal, action == Action::"release", resource)
        when { resource.request.field_names + 9223372036854775807 > 0 };
    """.replace(
        "resource.request.field_names", "(if resource.request has fields then resource.request.fields else 1)"
    )
    engine = SecondEngine(SHIPPED.entries(), read_policies() + erring)
    (judgement,) = engine.judge([permitted()])
    assert (judgement.outcome, judgement.rules, judgement.fields) == ("DENY", (NOT_JUDGED,), {})
    assert judgement.obligations == ("LOG", "RETRY")


@pytest.mark.parametrize(
    "policy",
    [
        'permit (principal, action == Action::"judge", resource) when { resource.colour == "red" };',
        'permit (principal, action == Action::"judge", resource) when { resource.now > 0 };',
        'permit (principal, action == Action::"judge", resource) when { context.now > 0 };',
        "permit (principal, action, resource",
    ],
    ids=["unknown attribute", "attribute not asked for", "fact in the context", "half"],
)
def test_a_policy_that_does_not_pass_the_schema_is_not_used(policy: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        SecondEngine(SHIPPED.entries(), policy)


def test_a_rule_left_out_is_seen() -> None:
    text = read_policies()
    sealed = '@id("R26")\nforbid (principal, action == Action::"release", resource)\nwhen { resource.sealed }'
    assert sealed in text
    opened = text.replace(sealed, sealed.replace("resource.sealed", "false"))
    with pytest.raises(pytest.fail.Exception, match="two engines differ") as told:
        compare(islice(draw_facts(SEED, SHIPPED), 500), SHIPPED, SecondEngine(SHIPPED.entries(), opened))
    assert '"sealed": true' in str(told.value)


def test_a_difference_can_be_kept_as_a_case(tmp_path: Path) -> None:
    drawn = list(islice(draw_facts(SEED, SHIPPED), 400))
    # What no case file may say: a state of an objection or a consent that there is not, an empty text.
    drawn = [
        facts
        for facts in drawn
        if facts.objection != "ANDERS"
        and "" not in {facts.provider, facts.recipient, facts.purpose, facts.acquired_for}
        and not (isinstance(facts.consent, Consent) and facts.consent.state in {"ONBEKEND", ""})
    ]
    entries = [entry(f"D{number}", facts) for number, facts in enumerate(drawn)]
    kept = [
        (one, facts)
        for one, facts in zip(entries, drawn, strict=True)
        if "beyond" not in one
        and len({named.name for named in facts.fields or ()}) == len(facts.fields or ())
    ]
    assert len(kept) > 100
    file = tmp_path / "kept.json"
    file.write_text(json.dumps([one for one, _ in kept]), encoding="utf-8")
    assert [case.facts for case in read_cases(file)] == [facts for _, facts in kept]
    beyond = entry("x", replace(permitted(), records=True, break_glass=BreakGlass("HAAST", "x")))
    assert beyond["beyond"] == {"records": True}
    assert beyond["facts"]["break_glass"] == {"code": "HAAST", "reason": "x"}


def test_every_fact_is_carried_over_and_bent() -> None:
    """A fact that the second engine never hears of, or that is never drawn, is compared with nothing."""
    apart = {
        Facts: {"legal_basis", "consent", "necessity", "acquired_for", "fields", "break_glass"},
        Consent: {"given_by"},
        Field: {"acquired_for"},
        # What the gate does not look at: which consent was chosen, and when it was spoken.
        "unseen": {"consent_id", "version", "spoken_at"},
    }
    carried = {
        Facts: f"{OF_REQUESTER} {OF_RESIDENT} {OF_REQUEST}",
        Consent: OF_CONSENT,
        Field: OF_FIELD,
    }
    drawn = list(islice(draw_facts(SEED, SHIPPED), 3_000))
    fields_drawn = [one for facts in drawn for one in facts.fields or ()]
    consents = [facts.consent for facts in drawn if isinstance(facts.consent, Consent)]
    for kind, found in ((Facts, drawn), (Consent, consents), (Field, fields_drawn)):
        names = {one.name for one in fields(kind)}
        assert names - apart["unseen"] == {*carried[kind].split()} | apart[kind]
        for name in names - apart["unseen"]:
            assert len({repr(getattr(one, name)) for one in found}) > 1, name


# What of an entry is for people, or for the register itself: no rule looks at it.
OF_NO_RULE = """id version title citation approved_by gdpr6 mode regime information_duty retention_rule
    processing_activity_uri dpia_ref succeeds"""


def test_every_key_of_an_entry_is_carried_over() -> None:
    assert {one.name for one in fields(LegalBasis)} == {*OF_BASIS.split(), *OF_NO_RULE.split()}


def test_no_rule_stands_in_python() -> None:
    """The mapping names no category, purpose, party, state or code: it cannot judge by what it cannot say."""
    text = (FOLDER.parent / "second_engine.py").read_text(encoding="utf-8")
    meaning = {*words.CATEGORIES, *words.PURPOSES, *words.KINDS, *words.BREAK_GLASS_CODES, *STATES, *RULE_IDS}
    assert set(re.findall(r'"([^"\n]*)"', text)) & (meaning - {NOT_JUDGED, ""}) == set()
    assert set(re.findall(r"from (exchange\S*) import", text)) == {
        "exchange.gate.entry",
        "exchange.gate.model",
    }
