"""One entry of the register of legal bases, and the strict reading of it.

Promises: a key that is unknown, missing, of another type or with a foreign word raises RegisterInvalid that
names file, entry and key; what is not said is the strict choice (no special data, no BSN, limits apply).
Source: GDPR 5(1)(b)-(c), 6(3), 9(2), 13-14, 30, 35; UAVG 22-33, 46.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.shape import person_key
from exchange.errors import RegisterInvalid
from exchange.gate import vocabulary as words
from exchange.gate.entry_meaning import faults

if TYPE_CHECKING:
    from collections.abc import Mapping

APPROVERS_MIN: Final = 2
VERSION_MAX: Final = 1_000_000
TEXT_CHARS_MAX: Final = 1_000
LIST_ITEMS_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where the law says it. `wording` tells which text and year the entry was written on."""

    law: str
    article: str
    paragraph: str = ""
    part: str = ""
    wording: str

    def __str__(self) -> str:
        paragraph = f", lid {self.paragraph}" if self.paragraph else ""
        part = f", onder {self.part}" if self.part else ""
        return f"{self.law} art. {self.article}{paragraph}{part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasis:
    """One version of one legal basis, in force from `valid_from` until `valid_to` (UTC days).

    `succeeds` is the version that ends where this one begins, 0 for none.
    """

    id: str
    version: int
    succeeds: int
    title: str
    citation: Citation
    valid_from: datetime
    valid_to: datetime | None
    enabled: bool
    approved_by: tuple[str, ...]
    gdpr6: str
    gdpr9: tuple[str, ...]
    criminal_allowed: bool
    mode: str
    direction: str
    providers: frozenset[str]
    recipients: frozenset[str]
    purposes: frozenset[str]
    categories: frozenset[str]
    acquired_for: frozenset[str]
    consent_kind: str
    explicit_required: bool
    regime: str
    secrecy: str
    necessity_required: bool
    disproportion_check: bool
    bsn_allowed: bool
    information_duty: str
    retention_rule: str
    processing_activity_uri: str
    dpia_ref: str
    break_glass: bool
    public_task: bool
    subject_access: bool
    case_relation_required: bool
    limits_apply: bool
    fields_optional: bool
    permit_obligations: tuple[str, ...]

    @property
    def in_order(self) -> bool:
        """Tell whether the validity begins before it ends."""
        return self.valid_to is None or self.valid_from < self.valid_to

    def in_force(self, now: datetime) -> bool:
        """Tell whether it is enabled and `now` is within its validity."""
        return self.enabled and self.valid_at(now)

    def valid_at(self, now: datetime) -> bool:
        """Tell whether `now` is within the validity, enabled or not."""
        return self.valid_from <= now and (self.valid_to is None or now < self.valid_to)


# Keys of one word; the empty set of words means free text.
_TEXTS: Final[dict[str, frozenset[str]]] = {
    "id": frozenset(),
    "title": frozenset(),
    "gdpr6": frozenset({"6(1)(a)", "6(1)(b)", "6(1)(c)", "6(1)(d)", "6(1)(e)", "6(1)(f)"}),
    "mode": frozenset({"MAY", "MUST_ON_REQUEST", "MUST"}),
    "direction": frozenset({"OBTAIN", "DISCLOSE", "REUSE"}),
    "regime": frozenset({"WMO", "JW", "WGBO", "PW", "SUWI", "WGS", "GDPR"}),
    "secrecy": frozenset({"NONE", "LIFTS", "DIRECT", "CONSENT"}),
    "information_duty": frozenset({"13", "14", "DEFER:P4W"}),
    "retention_rule": frozenset(),
    "processing_activity_uri": frozenset(),
    "dpia_ref": frozenset(),
}
_LISTS: Final[dict[str, frozenset[str]]] = {
    "providers": words.KINDS,
    "recipients": words.KINDS,
    "purposes": words.PURPOSES,
    "categories": words.CATEGORIES,
    "acquired_for": words.ORIGINS | {words.ANY_ORIGIN},
}
# ASSENT is a courtesy without a veto: it is never the condition of a basis.
_CONSENT_KINDS: Final = frozenset({"", "GDPR", "STATUTORY", "SECRECY", "NO_OBJECTION", "CARE"})
# Permanent, like the texts that leave them out: another default would change what was approved.
KEY_DEFAULTS: Final[dict[str, object]] = {
    "valid_to": None,
    "succeeds": 0,
    "gdpr9": [],
    "consent_kind": "",
    "permit_obligations": [],
    "criminal_allowed": False,
    "explicit_required": False,
    "necessity_required": True,
    "disproportion_check": False,
    "bsn_allowed": False,
    "break_glass": False,
    "public_task": False,
    "subject_access": False,
    "case_relation_required": True,
    "limits_apply": True,
    "fields_optional": False,
}
_FLAGS: Final = frozenset(key for key, default in KEY_DEFAULTS.items() if isinstance(default, bool)) | {
    "enabled"
}
_KEYS: Final = frozenset(
    {*_TEXTS, *_LISTS, *KEY_DEFAULTS, "version", "citation", "valid_from", "enabled", "approved_by"}
)
_CITATION_KEYS: Final = {"law": True, "article": True, "paragraph": False, "part": False, "wording": True}
_ID: Final = re.compile(r"[A-Z][A-Za-z0-9.\-]{1,39}")


class _EntryReader:
    """Reads the keys of one entry; every failure names the same file and entry."""

    def __init__(self, file: str, entry: Mapping[str, object]) -> None:
        self._file = file
        self._entry = entry
        given = entry.get("id")
        self.name = given if isinstance(given, str) and _ID.fullmatch(given) else "?"

    def refuse(self, key: str, why: str) -> RegisterInvalid:
        """Return the error that names where and what."""
        return RegisterInvalid(
            f"a register entry is refused: {why}", file=self._file, entry=self.name, key=key
        )

    def value(self, key: str) -> object:
        if key in self._entry:
            return self._entry[key]
        if key in KEY_DEFAULTS:
            return KEY_DEFAULTS[key]
        raise self.refuse(key, "the key is missing")

    def text(self, key: str, allowed: frozenset[str]) -> str:
        value = self.value(key)
        if not isinstance(value, str) or not value.strip() or len(value) > TEXT_CHARS_MAX:
            raise self.refuse(key, "a text is asked")
        if allowed and value not in allowed:
            raise self.refuse(key, "not a word of the list")
        return value

    def texts(self, key: str, allowed: frozenset[str] = frozenset()) -> tuple[str, ...]:
        value = self.value(key)
        if not isinstance(value, list) or len(value) > LIST_ITEMS_MAX:
            raise self.refuse(key, "a list of texts is asked")
        found = tuple(item for item in value if isinstance(item, str) and item.strip())
        if len(found) != len(value) or len(set(found)) != len(found):
            raise self.refuse(key, "each item is a text, and said once")
        if allowed and not allowed.issuperset(found):
            raise self.refuse(key, "holds a word that is not in the list")
        return found

    def flag(self, key: str) -> bool:
        value = self.value(key)
        if not isinstance(value, bool):
            raise self.refuse(key, "true or false is asked")
        return value

    def day(self, key: str) -> datetime | None:
        value = self.value(key)
        if value is None:
            return None
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.refuse(key, "a day is asked, without a time")
        return datetime(value.year, value.month, value.day, tzinfo=UTC)

    def number(self, key: str, least: int) -> int:
        value = self.value(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= VERSION_MAX:
            raise self.refuse(key, f"a number from {least} to {VERSION_MAX} is asked")
        return value

    def citation(self) -> Citation:
        value = self.value("citation")
        if not isinstance(value, dict):
            raise self.refuse("citation", "a table of law, article, paragraph, part and wording is asked")
        for key in value:
            if key not in _CITATION_KEYS:
                raise self.refuse(f"citation.{key}", "the key is unknown")
        for key, needed in _CITATION_KEYS.items():
            part = value.get(key, None if needed else "")
            if not isinstance(part, str) or (needed and not part.strip()):
                raise self.refuse(f"citation.{key}", "a text is asked")
        return Citation(**value)

    def unknown_keys(self) -> list[str]:
        return sorted(str(key) for key in self._entry if key not in _KEYS)


def read_entry(
    file: str, entry: Mapping[str, object], *, proposed: bool = False, recorded: bool = False
) -> LegalBasis:
    """Read one entry. Raises RegisterInvalid naming file, entry and key.

    A proposed one names no approvers: they approve it one by one, each in his own name. A recorded one stands
    as it was approved: what is asked of new entries since then does not make history unreadable.
    """
    reader = _EntryReader(file, entry)
    for key in reader.unknown_keys():
        raise reader.refuse(key, "the key is unknown")
    if reader.name == "?":
        raise reader.refuse("id", "an id of letters, digits, dots and hyphens is asked")
    consent_kind = reader.value("consent_kind")
    if not isinstance(consent_kind, str) or consent_kind not in _CONSENT_KINDS:
        raise reader.refuse("consent_kind", "not a kind of consent that can be a condition")
    valid_from = reader.day("valid_from")
    if valid_from is None:  # the key has no default, so only a bug comes here
        raise reader.refuse("valid_from", "a day is asked")
    values: dict[str, Any] = {key: reader.text(key, allowed) for key, allowed in _TEXTS.items()}
    values |= {key: frozenset(reader.texts(key, allowed)) for key, allowed in _LISTS.items()}
    values |= {key: reader.flag(key) for key in _FLAGS}
    values["approved_by"] = () if proposed and "approved_by" not in entry else reader.texts("approved_by")
    basis = LegalBasis(
        **values
        | {
            "version": reader.number("version", 1),
            "succeeds": reader.number("succeeds", 0),
            "citation": reader.citation(),
            "gdpr9": tuple(sorted(reader.texts("gdpr9"))),
            "permit_obligations": tuple(sorted(reader.texts("permit_obligations", words.PERMIT_DUTIES))),
            "consent_kind": consent_kind,
            "valid_from": valid_from,
            "valid_to": reader.day("valid_to"),
        }
    )
    if proposed and basis.approved_by:
        raise reader.refuse("approved_by", "who approves a proposal does so himself; leave the key out")
    if not proposed and basis.enabled and len(basis.approved_by) < APPROVERS_MIN:
        raise reader.refuse("approved_by", "two approvers are asked")
    if len(set(map(person_key, basis.approved_by))) < len(basis.approved_by):
        raise reader.refuse("approved_by", "one person is named twice: two different persons are asked")
    _check_together(reader, basis)
    for key, why in () if recorded else faults(basis):
        raise reader.refuse(key, why)
    return basis


def _check_together(reader: _EntryReader, basis: LegalBasis) -> None:
    """Refuse keys that are each well formed and together are not."""
    contradictions = (
        (basis.succeeds >= basis.version, "succeeds", "an earlier version is asked"),
        (not basis.in_order, "valid_to", "the validity ends before it begins"),
        (
            not basis.processing_activity_uri.startswith("https://"),
            "processing_activity_uri",
            "an https address",
        ),
        (basis.secrecy == "CONSENT" and not basis.consent_kind, "secrecy", "no consent is there to lift it"),
        (basis.explicit_required and not basis.consent_kind, "explicit_required", "no consent is asked"),
        (
            words.BSN in basis.categories and not basis.bsn_allowed,
            "bsn_allowed",
            "BSN is one of the categories",
        ),
        (
            bool(basis.categories & words.SPECIAL) and not basis.gdpr9,
            "gdpr9",
            "special data need an exception",
        ),
        (
            bool(basis.categories & words.CRIMINAL) and not basis.criminal_allowed,
            "criminal_allowed",
            "criminal data need an exception",
        ),
        (not basis.providers, "providers", "an empty list allows nothing"),
        (not basis.recipients, "recipients", "an empty list allows nothing"),
        (not basis.purposes, "purposes", "an empty list allows nothing"),
    )
    for contradicts, key, why in contradictions:
        if contradicts:
            raise reader.refuse(key, why)


# What an unknown basis is judged by: it allows nothing and excuses nothing.
NO_BASIS: Final = LegalBasis(
    id="",
    version=0,
    succeeds=0,
    title="",
    citation=Citation(law="", article="", wording=""),
    valid_from=datetime.max.replace(tzinfo=UTC),
    valid_to=None,
    enabled=False,
    approved_by=(),
    gdpr6="",
    gdpr9=(),
    criminal_allowed=False,
    mode="",
    direction="",
    providers=frozenset(),
    recipients=frozenset(),
    purposes=frozenset(),
    categories=frozenset(),
    acquired_for=frozenset(),
    consent_kind="",
    explicit_required=False,
    regime="",
    secrecy="NONE",
    necessity_required=True,
    disproportion_check=True,
    bsn_allowed=False,
    information_duty="",
    retention_rule="",
    processing_activity_uri="",
    dpia_ref="",
    break_glass=False,
    public_task=False,
    subject_access=False,
    case_relation_required=True,
    limits_apply=True,
    fields_optional=True,
    permit_obligations=(),
)
