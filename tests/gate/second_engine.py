"""The rules written once more, as Cedar policies (`cedar/`): facts in, judgement out; law P7.

Promises: nothing of exchange/gate runs here but the reading of its data; what is written in Python carries
facts over and collects ids, the rules stand in Cedar; policies that do not pass the schema are not used; an
error of an evaluation is a deny (Cedar skips a `forbid` that errs, which would open what it should close).
Source: the Cedar policy language, version 4: https://docs.cedarpolicy.com.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import cedarpy

from exchange.gate.model import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exchange.gate.entry import LegalBasis
    from exchange.gate.model import Consent, Facts, Field

FOLDER: Final = Path(__file__).parent / "cedar"
BATCH_CASES: Final = 250
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NOT_JUDGED: Final = "R01"

Attributes: TypeAlias = dict[str, Any]

# Attributes that are carried over as they are.
OF_BASIS: Final = """enabled valid_from valid_to gdpr9 criminal_allowed direction providers recipients
    purposes categories acquired_for consent_kind explicit_required secrecy necessity_required
    disproportion_check bsn_allowed break_glass public_task subject_access case_relation_required limits_apply
    fields_optional permit_obligations"""
OF_CONSENT: Final = """state kind explicit free_assessed start end withdrawn_at purposes recipients
    categories sources"""
OF_REQUESTER: Final = """actor_auth recipient recipient_id roles case_relation directly_involved has_authority
    relative_of_subject speaks_for_self"""
OF_RESIDENT: Final = """age capable objection restricted authority_disputed contrary_to_child_interest
    disproportionate"""
OF_REQUEST: Final = """now purpose provider need_fields staff_identity_needed delivered_later
    store_unavailable records bulk about_consent"""
OF_FIELD: Final = "name category secret sealed third_party staff_name retention_end provider"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the second engine says; `fields` maps a name to the rules that withhold it, none is: released."""

    outcome: str
    rules: tuple[str, ...]
    fields: dict[str, tuple[str, ...]]
    obligations: tuple[str, ...]
    basis: tuple[str, int]


class SecondEngine:
    """Judges facts under one set of register entries. `spoke` counts how often each policy held."""

    def __init__(self, entries: Iterable[LegalBasis], policies: str | None = None) -> None:
        """Raise ValueError if a policy does not pass the schema; `policies` stand in for the folder's."""
        text = read_policies() if policies is None else policies
        schema = (FOLDER / "gate.cedarschema").read_text(encoding="utf-8")
        found = cedarpy.validate_policies(text, schema)
        if not found.validation_passed:
            raise ValueError("; ".join(str(error) for error in found.errors))
        self._policies = cedarpy.PolicySet.from_str(text)
        self._schema = cedarpy.Schema.from_str(schema)
        self._versions: dict[str, list[LegalBasis]] = {}
        for basis in sorted(entries, key=lambda basis: basis.valid_from):
            self._versions.setdefault(basis.id, []).append(basis)
        self._register = self._load(
            entity("Basis", _basis_key(basis), _attributes(basis, OF_BASIS) | {"name": basis.id})
            for versions in self._versions.values()
            for basis in versions
        )
        self.spoke: Counter[str] = Counter()

    def judge(self, cases: Iterable[Facts]) -> Iterator[Judgement]:
        """Judge each case, in order, in batches: parsing costs more than judging."""
        waiting = iter(cases)
        while batch := list(islice(waiting, BATCH_CASES)):
            yield from self._judge(batch)

    def _judge(self, batch: Sequence[Facts]) -> Iterator[Judgement]:
        bases = self._find(batch)
        known = self._register.with_added_json_str(
            json.dumps(
                [one for key, facts in enumerate(batch) for one in _entities(str(key), facts, bases[key])]
            ),
            self._schema,
        )
        asked = [one for key, facts in enumerate(batch) for one in _questions(str(key), facts)]
        answers = iter(self._ask(asked, known))
        found = [_Found.of(facts, answers) for facts in batch]
        known = known.with_added_json_str(
            json.dumps([entity("Findings", str(key), one.attributes()) for key, one in enumerate(found)]),
            self._schema,
        )
        follows = iter(
            self._ask(
                [
                    question(("Findings", str(key)), action, ("Request", str(key)))
                    for key in range(len(batch))
                    for action in ("conclude", "oblige")
                ],
                known,
            )
        )
        for one, basis in zip(found, bases, strict=True):
            outcome, duties = next(follows), next(follows)
            yield one.judgement(basis, outcome, duties)

    def _find(self, batch: Sequence[Facts]) -> list[LegalBasis | None]:
        """Return the version of the claimed entry for each case: the one in its days, else the newest."""
        versions = [self._versions.get(facts.legal_basis or "", []) for facts in batch]
        several = [key for key, found in enumerate(versions) if len(found) > 1]
        known = self._register.with_added_json_str(
            json.dumps([one for key in several for one in _entities(str(key), batch[key], None)]),
            self._schema,
        )
        answers = iter(
            self._ask(
                [
                    question(("Request", str(key)), "find", ("Basis", _basis_key(basis)))
                    for key in several
                    for basis in versions[key]
                ],
                known,
            )
        )
        chosen: list[LegalBasis | None] = [found[-1] if found else None for found in versions]
        for key in several:
            for basis in versions[key]:
                if next(answers):
                    chosen[key] = basis
        return chosen

    def _load(self, entities: Iterable[Attributes]) -> cedarpy.Entities:
        return cedarpy.Entities.from_json_str(json.dumps(list(entities)), self._schema)

    def _ask(self, questions: list[Attributes], known: cedarpy.Entities) -> list[frozenset[str]]:
        """Return, for each question, the ids of the policies that settled it; R01 where one of them erred."""
        answered = cedarpy.is_authorized_batch(questions, self._policies, known, self._schema)
        return [self._ids(result) for result in answered]

    def _ids(self, result: cedarpy.AuthzResult) -> frozenset[str]:
        if result.diagnostics.errors or result.decision is cedarpy.Decision.NoDecision:
            return frozenset({NOT_JUDGED})
        self.spoke.update(result.diagnostics.reasons)
        return frozenset(result.diagnostics.id_annotations_by_reason.values())


@dataclass(frozen=True, slots=True)
class _Found:
    """The rules that spoke about one case: of the request, and of each field by name."""

    of_request: frozenset[str]
    of_fields: dict[str, frozenset[str]]

    @classmethod
    def of(cls, facts: Facts, answers: Iterator[frozenset[str]]) -> _Found:
        """Take this case's answers. Where the facts are not there, nothing else is heard (R01)."""
        established, of_request = next(answers), next(answers)
        of_fields = {field.name: next(answers) for field in facts.fields or ()}
        if established or NOT_JUDGED in of_request.union(*of_fields.values()):
            return cls(frozenset({NOT_JUDGED}), {})
        return cls(of_request, {name: of_request | rules for name, rules in of_fields.items()})

    @property
    def rules(self) -> frozenset[str]:
        return self.of_request.union(*self.of_fields.values())

    def attributes(self) -> Attributes:
        return {
            "rules": sorted(self.rules),
            "rules_of_request": sorted(self.of_request),
            "released": sum(not rules for rules in self.of_fields.values()),
        }

    def judgement(
        self, basis: LegalBasis | None, outcome: frozenset[str], duties: frozenset[str]
    ) -> Judgement:
        (only,) = outcome
        judged = basis is not None and NOT_JUDGED not in self.of_request
        name = basis.id if basis is not None else ""
        return Judgement(
            outcome=only,
            rules=tuple(sorted(self.rules)) or (f"P-{name}",),
            fields={name: tuple(sorted(rules)) for name, rules in self.of_fields.items()},
            obligations=tuple(sorted(duties)),
            basis=(basis.id, basis.version) if judged and basis is not None else ("", 0),
        )


def read_policies() -> str:
    """Return the text of all policies."""
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.cedar")))


def entity(kind: str, key: str, attributes: Attributes) -> Attributes:
    return {"uid": {"type": kind, "id": key}, "attrs": attributes, "parents": []}


def question(principal: tuple[str, str], action: str, resource: tuple[str, str]) -> Attributes:
    """Return a request in Cedar's sense. Its context is empty: facts travel in entities."""
    return {
        "principal": {"type": principal[0], "id": principal[1]},
        "action": {"type": "Action", "id": action},
        "resource": {"type": resource[0], "id": resource[1]},
        "context": {},
    }


def _questions(key: str, facts: Facts) -> Iterator[Attributes]:
    for action in ("establish", "judge"):
        yield question(("Requester", key), action, ("Request", key))
    for position, _ in enumerate(facts.fields or ()):
        yield question(("Requester", key), "release", ("Field", f"{key}.{position}"))


def _entities(key: str, facts: Facts, basis: LegalBasis | None) -> Iterator[Attributes]:
    yield entity("Requester", key, _attributes(facts, OF_REQUESTER))
    yield entity("Resident", key, _attributes(facts, OF_RESIDENT))
    consent = facts.consent
    if consent is not MISSING and consent is not None:
        yield entity("Consent", key, _consent(consent))
    yield entity("Request", key, _request(key, facts, basis))
    for position, field in enumerate(facts.fields or ()):
        yield entity("Field", f"{key}.{position}", _field(key, field))


def _request(key: str, facts: Facts, basis: LegalBasis | None) -> Attributes:
    told = _attributes(facts, OF_REQUEST)
    told["resident"] = _reference("Resident", key)
    told["consent_looked_up"] = facts.consent is not MISSING
    if facts.consent is not MISSING and facts.consent is not None:
        told["consent"] = _reference("Consent", key)
    if basis is not None:
        told["basis"] = _reference("Basis", _basis_key(basis))
    if facts.legal_basis is not None:
        told["claimed"] = facts.legal_basis
    if facts.acquired_for is not None:
        told["acquired_for"] = facts.acquired_for.lower()
    if facts.necessity is not None:
        told["necessity_chars"] = len(facts.necessity.strip())
    if facts.fields is not None:
        told["fields"] = len(facts.fields)
        told["field_names"] = len({field.name for field in facts.fields})
    if facts.break_glass is not None:
        claim = facts.break_glass
        told["break_glass"] = {"code": claim.code, "reason_chars": len(claim.reason.strip())}
    return told


def _consent(consent: Consent) -> Attributes:
    told = _attributes(consent, OF_CONSENT)
    if consent.given_by is not None:
        told["given_by"] = sorted(
            {re.sub(r"[\s_-]+", "-", word.strip().lower()) for word in consent.given_by}
        )
    return told


def _field(key: str, field: Field) -> Attributes:
    told = _attributes(field, OF_FIELD) | {"request": _reference("Request", key)}
    if field.acquired_for is not None:
        told["acquired_for"] = field.acquired_for.lower()
    return told


def _attributes(source: object, names: str) -> Attributes:
    """Carry the named attributes over; one that is not established is left out."""
    values = {name: getattr(source, name) for name in names.split()}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(microseconds=1)
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def _reference(kind: str, key: str) -> Attributes:
    return {"__entity": {"type": kind, "id": key}}


def _basis_key(basis: LegalBasis) -> str:
    return f"{basis.id}@{basis.version}"
