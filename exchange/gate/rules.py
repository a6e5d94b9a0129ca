"""Which function speaks for which rule id, and which of them break-glass and an unknown basis leave standing.

Promises: every rule that denies is in one of these tables, or is R01, R04 or R26, which `judge` itself says.
Source: GDPR 6(1)(d) for what a vital interest overrides: never purpose, authentication, a seal or recording.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from exchange.gate import rules_consent as consent
from exchange.gate import rules_field as field
from exchange.gate import rules_request as request
from exchange.gate.entry import LegalBasis
from exchange.gate.model import Facts, Field

RequestRules: TypeAlias = tuple[tuple[str, Callable[[Facts, LegalBasis], bool]], ...]
FieldRules: TypeAlias = tuple[tuple[str, Callable[[Field, Facts, LegalBasis], bool]], ...]

REQUEST_RULES: Final[RequestRules] = (
    ("R02", request.weakly_authenticated),
    ("R03", request.no_case_relation),
    ("R05", request.basis_not_in_force),
    ("R06", request.purpose_not_listed),
    ("R08", request.recipient_not_listed),
    ("R09", request.bare_provider_not_listed),
    ("R14", request.necessity_not_stated),
    ("R15", consent.consent_not_given),
    ("R16", consent.consent_not_free),
    ("R17", consent.consent_for_something_else),
    ("R18", consent.consent_out_of_period),
    ("R19", consent.consent_withdrawn),
    ("R21", request.wrong_person_asks),
    ("R21", consent.wrong_person_consented),
    ("R24", request.restricted_or_objected),
    ("R25", request.objection_upheld),
    ("R28", request.break_glass_unfounded),
    ("R31", request.against_the_childs_interest),
    ("R32", request.own_or_relatives_file),
    ("R36", request.harm_disproportionate),
)
# What looks at the category of a field and at nothing else of it: judged once for each category of a request.
CATEGORY_RULES: Final[FieldRules] = (
    ("R10", field.category_not_covered),
    ("R11", field.special_without_exception),
    ("R12", field.criminal_without_exception),
    ("R17", field.outside_the_consent),
    ("R17", field.outside_what_a_youth_lets_see),
    ("R21", field.beyond_a_money_mandate),
    ("R29", field.bsn_without_right),
)
# What looks at the marks and the origin of a field: judged once for all fields of a request with the same.
MARK_RULES: Final[FieldRules] = (
    ("R07", field.acquired_for_another_law),
    ("R09", field.provider_not_listed),
    ("R17", field.outside_its_sources),
    ("R22", field.secrecy_stands),
    ("R27", field.third_partys_data),
    ("R30", field.retention_ended),
    ("R31", field.staff_name_to_resident),
)
NAME_RULES: Final[FieldRules] = (("R14", field.field_not_needed),)
# By itself: it stands in every situation, and takes the same steps whether a field is sealed or not.
SEAL: Final = "R26"

# A vital interest overrides case relation, consent, secrecy, restriction and objection. No words of necessity
# are asked beside its own reason, be that a good one or not.
_SUSPENDED_FOR_REQUESTS = frozenset(
    {"R03", "R14", "R15", "R16", "R17", "R18", "R19", "R21", "R24", "R25", "R36"}
)
_SUSPENDED_FOR_FIELDS = frozenset({"R17", "R21", "R22"})
# Under an unknown basis only what needs no basis is judged; R04 has already denied.
_NEED_NO_BASIS = frozenset({"R02", "R03", "R24", "R25", "R30", "R32"})


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules that stand in one situation."""

    request: RequestRules
    category: FieldRules
    mark: FieldRules
    name: FieldRules


ALL_RULES: Final = RuleSet(REQUEST_RULES, CATEGORY_RULES, MARK_RULES, NAME_RULES)
BREAK_GLASS_RULES: Final = RuleSet(
    tuple(rule for rule in REQUEST_RULES if rule[0] not in _SUSPENDED_FOR_REQUESTS),
    tuple(rule for rule in CATEGORY_RULES if rule[0] not in _SUSPENDED_FOR_FIELDS),
    tuple(rule for rule in MARK_RULES if rule[0] not in _SUSPENDED_FOR_FIELDS),
    NAME_RULES,
)
REFUSED_GLASS_RULES: Final = RuleSet(
    tuple(rule for rule in REQUEST_RULES if rule[0] != "R14"), CATEGORY_RULES, MARK_RULES, NAME_RULES
)
UNKNOWN_BASIS_RULES: Final = RuleSet(
    tuple(rule for rule in REQUEST_RULES if rule[0] in _NEED_NO_BASIS),
    (),
    tuple(rule for rule in MARK_RULES if rule[0] in _NEED_NO_BASIS),
    (),
)
RULE_IDS: Final = frozenset(
    {"R01", "R04", SEAL}
    | {name for name, _ in REQUEST_RULES}
    | {name for name, _ in (*CATEGORY_RULES, *MARK_RULES, *NAME_RULES)}
)
