"""What the gate is told and what it answers: facts in, verdict out.

Promises: every value is frozen; a fact that may be absent says so in its type. A fact that supports a permit
is absent until somebody proves it; one that limits it (objection, seal, withdrawal) stands once it is given.
Source: GDPR 5(2), 6, 7, 18, 21; the facts are those of a decision-case file (README.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final, Literal

from exchange.domain.kernel import quickly_made
from exchange.gate.vocabulary import CRIMINAL, SPECIAL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Outcome(StrEnum):
    """What the gate says. The break-glass outcomes are permits that are always reviewed."""

    PERMIT = "PERMIT"
    PARTIAL = "PARTIAL"
    DENY = "DENY"
    PERMIT_BREAK_GLASS = "PERMIT_BREAK_GLASS"
    PARTIAL_BREAK_GLASS = "PARTIAL_BREAK_GLASS"


class Missing(Enum):
    """The mark of a fact nobody established, where None already means something."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


# As many as are told apart at once: with more, what was alike is looked at anew.
ALIKE_MAX: Final = 4_096
_alike: dict[tuple[object, ...], object] = {}


class _Alike:
    """Has room for what is found once of a field."""

    __slots__ = ("_found_alike",)
    _found_alike: object


@dataclass(frozen=True, slots=True)
class Field(_Alike):
    """One labelled piece of a resident's data. Its `provider` and `acquired_for` override the request's."""

    name: str
    category: str
    secret: bool = False
    sealed: bool = False
    third_party: bool = False
    retention_end: datetime | None = None
    staff_name: bool = False
    provider: str | None = None
    acquired_for: str | None = None

    @property
    def alike(self) -> object:
        """One object for all fields of the same category and marks: the same rules withhold these."""
        try:
            found: object = self._found_alike
        except AttributeError:
            if len(_alike) >= ALIKE_MAX:
                _alike.clear()
            found = _alike.setdefault((self.category, *self.marks), object())
            object.__setattr__(self, "_found_alike", found)
        return found

    @property
    def marks(self) -> tuple[object, ...]:
        """All but its name, category and seal: fields that bear the same are alike to what looks at these."""
        return (
            self.secret,
            self.third_party,
            self.staff_name,
            self.retention_end,
            self.provider,
            self.acquired_for,
        )

    @property
    def special(self) -> bool:
        """GDPR 9: data about health."""
        return self.category in SPECIAL

    @property
    def criminal(self) -> bool:
        """GDPR 10."""
        return self.category in CRIMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One recorded word of a resident about one purpose. The period includes `start` and excludes `end`.

    `recipients` are recipient ids; `kind` is the word a basis has for it, empty where none was told.
    `spoken_at` is when the word was spoken; without it `start` stands in. `sources` are kinds of organisation
    whose data it is about; none is: whoever's.
    """

    consent_id: str = ""
    version: int = 0
    state: str = ""
    explicit: bool = False
    start: datetime | None = None
    end: datetime | None = None
    withdrawn_at: datetime | None = None
    purposes: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    given_by: tuple[str, ...] | None = None
    free_assessed: bool = False
    spoken_at: datetime | None = None
    kind: str = ""
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """A claim of vital interest: a code and at least twenty characters of reason."""

    code: str
    reason: str


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a decision rests on. None is: not established; only for `consent` it is: there is none."""

    now: datetime | None = None
    actor_auth: str | None = None
    legal_basis: str | None = None
    purpose: str | None = None
    provider: str | None = None
    recipient: str | None = None
    recipient_id: str | None = None
    fields: tuple[Field, ...] | None = None
    case_relation: bool | None = None
    necessity: str | None = None
    need_fields: frozenset[str] | None = None
    age: int | None = None
    capable: bool | None = None
    consent: Consent | Literal[Missing.MISSING] | None = MISSING
    roles: frozenset[str] = frozenset()
    directly_involved: bool = False
    has_authority: bool = False
    staff_identity_needed: bool = False
    acquired_for: str | None = None
    relative_of_subject: bool = False
    # Two holders of authority contradict each other about this purpose: no representative's word counts.
    authority_disputed: bool = False
    contrary_to_child_interest: bool = False
    disproportionate: bool = False
    objection: str | None = None
    restricted: bool = False
    delivered_later: bool = False
    store_unavailable: bool = False
    break_glass: BreakGlass | None = None
    # Established from the person token in the service; a decision-case file is about the resident himself.
    speaks_for_self: bool = True
    # A command: something is recorded. A case file asks to see.
    records: bool = False
    # More than one thing of one resident: a list, a search, a stream, an export. A case file asks for one.
    bulk: bool = False
    # A command that asks for a consent or records what was said to it: it uses nothing of the resident's.
    about_consent: bool = False


@dataclass(frozen=True, slots=True)
class FieldVerdict:
    """Released, or withheld by the named rules (sorted; those of the whole request included)."""

    release: bool
    rules: tuple[str, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision. `fields` is empty when the facts were not there to judge (R01)."""

    outcome: Outcome
    rules: tuple[str, ...]
    fields: Mapping[str, FieldVerdict]
    obligations: tuple[str, ...]
    basis_id: str
    basis_version: int
    consent_id: str
    consent_version: int
    policy_hash: str

    @property
    def permitted(self) -> bool:
        """At least something may leave."""
        return self.outcome is not Outcome.DENY


@dataclass(frozen=True, slots=True)
class Explanation:
    """Three tellings of one verdict, in Dutch. Only `officer` may know of a seal."""

    requester: str
    resident: str
    officer: str
    remedies: tuple[str, ...] = field(default=())
