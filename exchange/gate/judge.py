"""The gate itself: facts and register in, one verdict out.

Promises: deny by default; every rule runs and every reason is collected; a rule that raises denies (R01); the
same facts under the same policy hash give the same verdict. No I/O, no clock.
Source: GDPR 5(2), 25; the rules cite their own articles.
"""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.kernel import maker, with_changes
from exchange.gate import vocabulary as words
from exchange.gate.entry import NO_BASIS, LegalBasis
from exchange.gate.model import MISSING, Facts, Field, FieldVerdict, Outcome, Verdict
from exchange.gate.rules import (
    ALL_RULES,
    BREAK_GLASS_RULES,
    REFUSED_GLASS_RULES,
    SEAL,
    UNKNOWN_BASIS_RULES,
    RuleSet,
)
from exchange.gate.rules_field import sealed_to_this_reader
from exchange.gate.rules_request import break_glass_unfounded, missing_for_any_basis, missing_for_basis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.gate.register import Register

RELEASED: Final = FieldVerdict(release=True)
RULE_SETS_MAX: Final = 4_096
# Of a whole request, in an emergency or not: nothing is withheld, something is, nothing leaves.
_ORDINARY: Final = (Outcome.PERMIT, Outcome.PARTIAL, Outcome.DENY)
_EMERGENCY: Final = (Outcome.PERMIT_BREAK_GLASS, Outcome.PARTIAL_BREAK_GLASS, Outcome.DENY)
_alike_of, _name_of, _seal_of = attrgetter("alike"), attrgetter("name"), attrgetter("sealed")
_as_it_is, _without_seal = attrgetter("as_it_is"), attrgetter("without_seal")
_rules_of, _release_of = attrgetter("as_it_is.rules"), attrgetter("as_it_is.release")
_unsealed_rules_of = attrgetter("without_seal.rules")
_unsealed_release_of = attrgetter("without_seal.release")


_made_verdict = maker(Verdict, *(field.name for field in dataclass_fields(Verdict)))


class _Pair:
    """What a field came to, and would have without its seal. Made once: two that are equal are one."""

    __slots__ = ("as_it_is", "without_seal")

    def __init__(self, as_it_is: FieldVerdict, without_seal: FieldVerdict) -> None:
        self.as_it_is: Final = as_it_is
        self.without_seal: Final = without_seal


class _Judged(NamedTuple):
    """The fields of a request by name, the rules that withhold any of them, and whether any is released."""

    fields: dict[str, FieldVerdict]
    rules: frozenset[str]
    gives: bool


def judge(facts: Facts, register: Register) -> Verdict:
    """Judge one request. Never raises: what cannot be judged is denied by R01 and may be tried again."""
    return _judge_or_deny(facts, register, tell=False)[0]


def judge_and_tell(facts: Facts, register: Register) -> tuple[Verdict, Verdict]:
    """Return the verdict, and the one the requester is told: that of the same facts without any seal.

    Both are made in the same steps whether anything is sealed or not: time must not tell it either.
    """
    return _judge_or_deny(facts, register, tell=True)


def owing(verdict: Verdict, told: Verdict) -> Verdict:
    """Return the verdict with the duties of what is told as well: the verdict as it is recorded.

    What the requester is told binds: were a notice or an objection left out for a seal, that would tell it.
    """
    return with_changes(verdict, obligations=tuple(sorted({*verdict.obligations, *told.obligations})))


def judge_to_record(facts: Facts, register: Register) -> Verdict:
    """Judge one request with the duties of its record. Never raises."""
    return owing(*judge_and_tell(facts, register))


def _judge_or_deny(facts: Facts, register: Register, *, tell: bool) -> tuple[Verdict, Verdict]:
    try:
        return _judge(facts, register, tell=tell)
    except Exception:  # noqa: BLE001 -- a rule that raises must deny, whatever it raised (R01)
        denied = _not_judged(facts, register)
        return denied, denied


def missing_facts(facts: Facts, register: Register) -> tuple[str, ...]:
    """Return the names of the needed facts that nobody established: what R01 speaks of."""
    missing = missing_for_any_basis(facts)
    if missing or facts.legal_basis is None or facts.now is None:
        return missing
    basis = register.find(facts.legal_basis, facts.now)
    return missing if basis is None else missing_for_basis(facts, basis)


def rules_standing(facts: Facts, basis: LegalBasis | None) -> RuleSet:
    """Return the rules that stand in the situation of these facts; `basis` is None for an unknown one."""
    if basis is None:
        return UNKNOWN_BASIS_RULES
    if basis.break_glass and facts.break_glass is not None:
        # A claim that R28 refuses overrides nothing: every other reason there is, is told beside it.
        return REFUSED_GLASS_RULES if break_glass_unfounded(facts, basis) else BREAK_GLASS_RULES
    return ALL_RULES


def _judge(facts: Facts, register: Register, *, tell: bool) -> tuple[Verdict, Verdict]:
    if (
        facts.store_unavailable
        or facts.legal_basis is None
        or facts.now is None
        or missing_for_any_basis(facts)
    ):
        return (_not_judged(facts, register),) * 2
    basis = register.find(facts.legal_basis, facts.now)
    found: list[str] = []
    if basis is not None and missing_for_basis(facts, basis):
        return (_not_judged(facts, register),) * 2
    rules = rules_standing(facts, basis)
    if basis is None:
        basis, found = NO_BASIS, ["R04"]
    found += [name for name, denies in rules.request if denies(facts, basis)]
    verdicts, told = _judge_fields(facts, basis, rules, tuple(found))
    verdict = _verdict(facts, basis, register, found, verdicts)
    if not tell:
        return verdict, verdict
    return verdict, _verdict(facts, basis, register, found, told)


def _judge_fields(
    facts: Facts, basis: LegalBasis, rules: RuleSet, of_request: tuple[str, ...]
) -> tuple[_Judged, _Judged]:
    """Judge the fields; return the verdicts, and those of the same fields without any seal.

    Each is judged by itself, those that are alike at once: the same rules withhold them. Raises ValueError if
    two fields bear one name.
    """
    asked: tuple[Field, ...] = facts.fields or ()
    alike = [*map(_alike_of, asked)]
    # One of each kind; in whatever order, for each is judged by itself.
    kinds = dict(zip(alike, asked, strict=True))
    # Who reads what is sealed is asked as often whether anything is.
    seals = [sealed_to_this_reader(sealed, facts) for sealed in (False, True)]
    unnamed = rules.name if facts.need_fields is None else ()
    of_category: dict[str, list[str]] = {}
    of_marks: dict[object, list[str]] = {}
    found: dict[object, tuple[_Pair, _Pair]] = {}
    for kind, field in kinds.items():
        by_category = of_category.get(field.category)
        if by_category is None:
            by_category = [rule for rule, withholds in rules.category if withholds(field, facts, basis)]
            of_category[field.category] = by_category
        marks = field.marks
        by_mark = of_marks.get(marks)
        if by_mark is None:
            by_mark = [rule for rule, withholds in rules.mark if withholds(field, facts, basis)]
            of_marks[marks] = by_mark
        # Where no fields are named as needed, a name says nothing: then it is asked once as well.
        by_name = [rule for rule, withholds in unnamed if withholds(field, facts, basis)]
        reasons = (*of_request, *by_category, *by_mark, *by_name)
        found[kind] = _judged(reasons, seals[False]), _judged(reasons, seals[True])
    # One step for all: a field that is released takes as long as one that is not.
    pairs = [found[kind][sealed] for kind, sealed in zip(alike, map(_seal_of, asked), strict=True)]
    if facts.need_fields is not None:
        pairs = _by_name(facts, basis, rules, pairs)
    names = [*map(_name_of, asked)]
    fields = dict(zip(names, map(_as_it_is, pairs), strict=True))
    if len(fields) != len(asked):
        raise ValueError("two fields bear one name")
    # What all of them came to is what the different ones did: few, of however many fields.
    each = {*pairs}
    return (
        _Judged(fields, frozenset().union(*map(_rules_of, each)), any(map(_release_of, each))),
        _Judged(
            dict(zip(names, map(_without_seal, pairs), strict=True)),
            frozenset().union(*map(_unsealed_rules_of, each)),
            any(map(_unsealed_release_of, each)),
        ),
    )


def _by_name(facts: Facts, basis: LegalBasis, rules: RuleSet, pairs: Sequence[_Pair]) -> list[_Pair]:
    """Return the verdicts with what withholds a field for its name, which is only where names are given."""
    return [
        _judged(
            (
                *pair.without_seal.rules,
                *[rule for rule, withholds in rules.name if withholds(field, facts, basis)],
            ),
            SEAL in pair.as_it_is.rules,
        )
        for field, pair in zip(facts.fields or (), pairs, strict=True)
    ]


@lru_cache(maxsize=RULE_SETS_MAX)
def _judged(rules: tuple[str, ...], sealed: bool) -> _Pair:  # noqa: FBT001 -- a key of the cache
    """Return the verdict on a field that these rules withhold, and the one without its seal."""
    return _Pair(_withheld_by({*rules, SEAL} if sealed else {*rules}), _withheld_by({*rules}))


def _withheld_by(rules: set[str]) -> FieldVerdict:
    return FieldVerdict(release=False, rules=tuple(sorted(rules))) if rules else RELEASED


def _verdict(
    facts: Facts,
    basis: LegalBasis,
    register: Register,
    of_request: list[str],
    judged: _Judged,
) -> Verdict:
    reasons = {*of_request, *judged.rules}
    breaking_glass = basis.break_glass and facts.break_glass is not None
    # Looked up, not branched to: what a seal makes of an outcome takes the steps of what it was without one.
    withheld = bool(reasons)
    # What the whole request is refused for withholds each of its fields.
    denied = withheld & (not judged.gives)
    outcome = (_EMERGENCY if breaking_glass else _ORDINARY)[withheld + denied]
    consent = (
        facts.consent
        if (basis.consent_kind or basis.subject_access) and facts.consent is not MISSING
        else None
    )
    made: Verdict = _made_verdict(
        outcome,
        ((f"P-{basis.id}",), tuple(sorted(reasons)))[withheld],
        judged.fields,
        _obligations(facts, basis, reasons, denied=denied),
        basis.id,
        basis.version,
        "" if consent is None else consent.consent_id,
        0 if consent is None else consent.version,
        register.policy_hash,
    )
    return made


def _obligations(facts: Facts, basis: LegalBasis, reasons: set[str], *, denied: bool) -> tuple[str, ...]:
    """Return the duties that come with the verdict, sorted; recording it always is one."""
    duties = {words.LOG}
    if "R19" in reasons:
        duties.add(words.STOP_FEED)
    if "R03" in reasons or "R32" in reasons:
        duties.add(words.ALERT_SNOOP)
    # Both are worked out, and one is taken: time does not tell whether it was a seal that denied.
    duties |= (_duties_of_a_permit(facts, basis), _duties_of_a_deny(facts))[denied]
    return tuple(sorted(duties))


def _duties_of_a_permit(facts: Facts, basis: LegalBasis) -> set[str]:
    duties = set(basis.permit_obligations)
    if facts.break_glass is not None:
        duties.update(words.BREAK_GLASS_DUTIES)
    if basis.limits_apply and not basis.consent_kind and _refused(facts):
        # The refusal is no veto here, but it is heard: the resident is told, and it counts as an objection.
        duties.update((words.INFORM_RESIDENT, words.TREAT_AS_OBJECTION))
    return duties


def _duties_of_a_deny(facts: Facts) -> set[str]:
    """Return what every deny brings, whatever its reason: also one that could not be judged."""
    duties: set[str] = set()
    # By identity: a fact that raises when it is looked at must not keep its deny from being told (R01).
    if facts.delivered_later is not False:
        duties.add(words.ABORT_DELIVERY)
    if facts.break_glass is not None:
        duties.update((words.NOTIFY_FG, words.ALERT_BREAK_GLASS_REFUSED))
    return duties


def _refused(facts: Facts) -> bool:
    consent = facts.consent
    if consent is MISSING or consent is None or consent.state != "REFUSED":
        return False
    return consent.kind not in words.SAY_NOTHING_ABOUT_DATA


def _not_judged(facts: Facts, register: Register) -> Verdict:
    return Verdict(
        outcome=Outcome.DENY,
        rules=("R01",),
        fields={},
        obligations=tuple(sorted({words.LOG, words.RETRY} | _duties_of_a_deny(facts))),
        basis_id="",
        basis_version=0,
        consent_id="",
        consent_version=0,
        policy_hash=register.policy_hash,
    )
