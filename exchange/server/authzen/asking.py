"""From an AuthZEN question to a walk of the exchange: whose right, what, on what, and on which claim.

Promises: who asks is never in the message; a word the exchange does not know is no error but a no; what is
kept of a question has a shape without room for personal data, and a BSN in it is refused.
Source: AuthZEN Authorization API 1.0, section 5; the gate's design section 2 (Request).
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.values import category_of
from exchange.errors import BsnRefused, RequestInvalid
from exchange.gate.model import Field
from exchange.pipeline.elements import BY_LIFE_DOMAIN, Asker, of_origin
from exchange.pipeline.evaluation import is_himself
from exchange.pipeline.facts import law_of
from exchange.pipeline.walk import Caller, Claim, Group
from exchange.server.contract.formats import (
    BSN_FOUND,
    holds_bsn,
    oin_fault,
    path_fault,
    text_fault,
    token_fault,
    uuid_fault,
)
from exchange.server.contract.labels import labels_of
from exchange.server.contract.plans import PLAN_LABELS
from exchange.v1.case_service_pb2 import FindCaseResponse
from exchange.v1.consent_service_pb2 import ListConsentsResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exchange.pipeline.elements import Groups, Label, PlanGroups
    from exchange.pipeline.walk import View
    from exchange.server.authzen.messages import Entity, Evaluation

PROFESSIONAL: Final = "professional"
COMMAND: Final = "COMMAND"
SUBSCRIBE: Final = "SUBSCRIBE"
ACTIONS: Final = ("READ", "DISCLOSE", "SEARCH", "EXPORT", SUBSCRIBE, COMMAND)
RESIDENT: Final = "resident"
LABELS: Final[Mapping[str, Mapping[str, Label]]] = {
    "plan": PLAN_LABELS,
    "case": labels_of(FindCaseResponse.DESCRIPTOR),
    "consent": labels_of(ListConsentsResponse.DESCRIPTOR),
    RESIDENT: labels_of(FindCaseResponse.DESCRIPTOR),
}
FIELDS_MAX: Final = 100
WORD_CHARS_MAX: Final = 60
NECESSITY_CHARS_MAX: Final = 4_000
PSEUDONYM_BYTES: Final = 32
# The parts of a necessity, as in the contract's Necessity.
_NECESSITY: Final = ("text", "proportionality", "subsidiarity")


class Told(NamedTuple):
    """A question in the exchange's own words. `understood` is False where it has no word for something."""

    about: Caller
    action: str
    kind: str  # of the resource
    key: str  # of the resource, as the question names it
    fields: tuple[str, ...]
    claim: Claim
    allow_partial: bool
    life_domain: str
    understood: bool
    takes_back: bool = False  # whether the command is a no or a withdrawal of a consent
    about_consent: bool = False  # whether the command asks for a consent, or records what was said to one

    def as_recorded(self, within: str) -> dict[str, Any]:
        """Return what is kept of the question beside its facts; the resource is the decision's subject."""
        about = self.about
        return {
            "within": within,
            "professional": about.professional,
            "organisation": about.organisation,
            "task": about.task,
            "role": about.role,
            "action": self.action,
            "resource": self.kind,
        } | ({"takes_back": True} if self.takes_back else {})


def tell(asked: Evaluation, asker: Caller) -> Told:
    """Read a question. Raises RequestInvalid, BsnRefused; both name the part that does not do."""
    _refuse_bsn(asked)
    about = _about(asked.subject, asker)
    kind, key = asked.resource.type, asked.resource.id
    known_key = _is_pseudonym(key) if kind == RESIDENT else not uuid_fault(key)
    action = asked.action.name if asked.action.name in ACTIONS else ""
    takes_back = _flag(asked.action.properties, "action.properties.takes_back")
    # A question for a consent is put on a case, and uses nothing of the resident's: no R24, no R25.
    asks_consent = _flag(asked.action.properties, "action.properties.asks_consent")
    understood = about is not None and bool(action) and kind in LABELS and known_key
    return Told(
        about=asker if about is None else about,
        action=action,
        kind=kind if kind in LABELS else "",
        key=key if known_key else "",
        fields=_fields(asked.resource),
        claim=_claim(asked.context),
        allow_partial=_flag(asked.context, "context.allow_partial"),
        life_domain=_word(asked.action.properties, "action.properties.life_domain"),
        understood=understood,
        takes_back=takes_back and action == COMMAND and kind == "consent",
        about_consent=action == COMMAND and (kind == "consent" or (asks_consent and kind == "case")),
    )


def pseudonym_of(key: str) -> bytes:
    """Return the 32 bytes by which an organisation knows a resident; empty where the text is none."""
    try:
        raw = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
    except (binascii.Error, ValueError):
        return b""
    return raw if len(raw) == PSEUDONYM_BYTES else b""


def groups_for(told: Told, plans: PlanGroups, asker: Asker) -> Groups:
    """Return the groups of what is asked about: as a read or a command of it would have them."""
    labels = LABELS.get(told.kind, {})
    if told.action == COMMAND:
        return _written(told, labels)
    if told.kind == "plan":
        return _with_unknown(plans.of_plan(stream_of("plan", told.key), asker), labels)
    return _with_unknown(of_origin(labels, told.about.task), labels)


def _with_unknown(groups: Groups, labels: Mapping[str, Label]) -> Groups:
    def found(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
        known = tuple(path for path in paths if path in labels)
        # What has no category is covered by no basis (R10).
        unknown = [Group(path, Field(path, "")) for path in paths if path not in labels]
        return [*groups(view, known), *unknown]

    return found


def _written(told: Told, labels: Mapping[str, Label]) -> Groups:
    task = told.about.task

    def found(_view: View, paths: tuple[str, ...]) -> Sequence[Group]:
        return [
            Group(path, Field(path, _category(told, labels, path), provider=task, acquired_for=law_of(task)))
            for path in paths
        ]

    return found


def _category(told: Told, labels: Mapping[str, Label], path: str) -> str:
    label = labels.get(path)
    if label is None:
        return ""
    return category_of(told.life_domain) if label.category == BY_LIFE_DOMAIN else label.category


def _about(subject: Entity, asker: Caller) -> Caller | None:
    """Return whose right is asked about, None where the exchange knows nobody by such a name."""
    named = subject.properties
    organisation = _word(named, "subject.properties.organisation") or asker.organisation
    task = _word(named, "subject.properties.task") or asker.task
    role = _word(named, "subject.properties.role")
    if subject.type != PROFESSIONAL or len(subject.id) > WORD_CHARS_MAX or token_fault(subject.id):
        return None
    if oin_fault(organisation):
        return None
    about = Caller(
        organisation=organisation,
        task=task,
        professional=subject.id,
        role=role,
        thumbprint="",
        # Presumed to sign in as strongly as who asks; what releases data looks at the token itself.
        two_factor=asker.two_factor,
        mutual_tls=asker.mutual_tls,
    )
    return asker if is_himself(asker, about) else about


def _claim(context: Mapping[str, Any]) -> Claim:
    return Claim(
        purpose=_word(context, "context.purpose"),
        legal_basis=_word(context, "context.legal_basis"),
        necessity=_necessity(context.get("necessity", "")),
    )


def _necessity(value: object) -> str:
    said = [value.get(name, "") for name in _NECESSITY] if isinstance(value, dict) else [value]
    texts = [text for text in said if isinstance(text, str)]
    if len(texts) != len(said):
        raise _misshapen("context.necessity", "must be a text, or its parts in texts")
    whole = "\n".join(text for text in texts if text)
    if len(whole) > NECESSITY_CHARS_MAX:
        raise _misshapen("context.necessity", f"must be at most {NECESSITY_CHARS_MAX} characters")
    fault = text_fault(whole)
    if fault == BSN_FOUND:
        raise _bsn("context.necessity")
    if fault:
        raise _misshapen("context.necessity", fault)
    return whole


def _fields(resource: Entity) -> tuple[str, ...]:
    path = "resource.properties.fields"
    named = resource.properties.get("fields", [])
    if not isinstance(named, list) or len(named) > FIELDS_MAX:
        raise _misshapen(path, f"must be a list of at most {FIELDS_MAX} paths")
    for name in named:
        if not isinstance(name, str) or path_fault(name):
            raise _misshapen(path, "must be paths of field names such as goals.own_words")
    return tuple(dict.fromkeys(named))


def _word(properties: Mapping[str, Any], path: str) -> str:
    """Return a name for machines, empty where none is told."""
    value = properties.get(path.rpartition(".")[2], "")
    if not isinstance(value, str) or len(value) > WORD_CHARS_MAX or (value and token_fault(value)):
        raise _misshapen(path, f"must be at most {WORD_CHARS_MAX} letters, digits and :._/@+-")
    return value


def _flag(properties: Mapping[str, Any], path: str) -> bool:
    value = properties.get(path.rpartition(".")[2], False)
    if not isinstance(value, bool):
        raise _misshapen(path, "must be true or false")
    return value


def _is_pseudonym(key: str) -> bool:
    return bool(pseudonym_of(key))


def _is_machine_name(key: str) -> bool:
    return not uuid_fault(key) or _is_pseudonym(key)


def _refuse_bsn(asked: Evaluation) -> None:
    named: tuple[tuple[str, str], ...] = (
        ("subject.id", asked.subject.id),
        ("subject.properties.task", str(asked.subject.properties.get("task", ""))),
        ("subject.properties.role", str(asked.subject.properties.get("role", ""))),
        # Digits of a UUID or a pseudonym mean nothing.
        ("resource.id", "" if _is_machine_name(asked.resource.id) else asked.resource.id),
        ("context.purpose", str(asked.context.get("purpose", ""))),
        ("context.legal_basis", str(asked.context.get("legal_basis", ""))),
    )
    for path, value in named:
        if holds_bsn(value):
            raise _bsn(path)


def _bsn(path: str) -> BsnRefused:
    return BsnRefused("a text holds a burgerservicenummer", {path: BSN_FOUND})


def _misshapen(path: str, why: str) -> RequestInvalid:
    return RequestInvalid("the request does not have the shape it needs", {path: why})
