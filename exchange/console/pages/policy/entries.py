"""What a version of a legal basis says, and what it would open and close beside what is in force.

Promises: reads the canonical texts that the exchange gave and nothing that a person typed; says what texts
say: whether the gate gives something in a case hangs on purpose, consent and relation as well.
Source: the keys of exchange/gate/entry.py; GDPR 6, 9, 24, 30, 35.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.console.language import later
from exchange.v1 import legal_basis_service_pb2 as pb
from exchange.v1.common_pb2 import PURPOSE_BEHEER, Claim

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from exchange.console.page import Look

READING: Final = Claim(purpose=PURPOSE_BEHEER, legal_basis="REGISTER-12")
KEEPING: Final = Claim(purpose=PURPOSE_BEHEER, legal_basis="REGISTER-24")
PAGE_ROWS: Final = 200
# A register of ten thousand versions is none that people keep.
PAGES_MAX: Final = 50
NAMES: Final[Mapping[str, str]] = {
    "acquired_for": later("Waarvoor verkregen"),
    "bsn_allowed": later("BSN toegestaan"),
    "break_glass": later("Noodtoegang mogelijk"),
    "case_relation_required": later("Band met de casus nodig"),
    "categories": later("Categorieën gegevens"),
    "citation": later("Wetsartikel"),
    "consent_kind": later("Soort toestemming"),
    "criminal_allowed": later("Strafrechtelijke gegevens toegestaan"),
    "direction": later("Richting"),
    "disproportion_check": later("Toets op evenredigheid"),
    "dpia_ref": later("DPIA"),
    "enabled": later("Staat aan"),
    "explicit_required": later("Uitdrukkelijke toestemming nodig"),
    "fields_optional": later("Zonder velden te noemen"),
    "gdpr6": later("Grondslag in AVG artikel 6"),
    "gdpr9": later("Uitzondering in AVG artikel 9"),
    "information_duty": later("Informatieplicht"),
    "limits_apply": later("Grenzen van de inwoner gelden"),
    "mode": later("Mogen of moeten"),
    "necessity_required": later("Noodzaak opgeven"),
    "permit_obligations": later("Plichten bij geven"),
    "processing_activity_uri": later("Verwerkingsactiviteit"),
    "providers": later("Verstrekkers"),
    "public_task": later("Publieke taak"),
    "purposes": later("Doelen"),
    "recipients": later("Ontvangers"),
    "regime": later("Wettelijk regime"),
    "retention_rule": later("Bewaartermijn"),
    "secrecy": later("Geheimhouding"),
    "subject_access": later("Inzage door de inwoner zelf"),
    "title": later("Titel"),
    "valid_from": later("Geldig vanaf"),
    "valid_to": later("Geldig tot"),
}
# Of these it is told elsewhere on the page that they differ.
_NUMBERED: Final = frozenset({"id", "version", "succeeds"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One version with what its text says."""

    told: pb.LegalBasisVersion
    says: Mapping[str, Any]

    def in_force(self, today: date) -> bool:
        """Tell whether something can rest on it on a day."""
        told, day = self.told, today.isoformat()
        return (
            told.state == pb.LEGAL_BASIS_STATE_APPROVED
            and bool(self.says["enabled"])
            and told.valid_from <= day
            and (not told.valid_to or day < told.valid_to)
        )

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Return every recipient with every category the text lets it have."""
        if not self.says["enabled"]:
            return frozenset()
        return frozenset((one, two) for one in self.says["recipients"] for two in self.says["categories"])


class Opening(NamedTuple):
    """One recipient: what opens to it that nothing opens now, what other bases open too, what closes."""

    recipient: str
    opens: tuple[str, ...]
    also: tuple[tuple[str, str], ...]
    closes: tuple[str, ...]


class Change(NamedTuple):
    """One key that says something else; of lists what came and what went."""

    key: str
    name: str
    before: str
    after: str
    came: tuple[str, ...]
    went: tuple[str, ...]


async def entries(look: Look, basis_id: str = "") -> tuple[Entry, ...]:
    """Return every version of the register, or of one basis, in the order they came."""
    found: list[Entry] = []
    token = ""
    for _ in range(PAGES_MAX):
        request = pb.ListLegalBasesRequest(
            claim=READING, basis_id=basis_id, page_size=PAGE_ROWS, page_token=token
        )
        answer = await look.ask(request, pb.ListLegalBasesResponse)
        found += [entry_of(one) for one in answer.legal_bases]
        token = answer.next_page_token
        if not token:
            break
    return tuple(found)


def entry_of(told: pb.LegalBasisVersion) -> Entry:
    """Return a version with its text read."""
    return Entry(told, tomllib.loads(told.text))


def former_of(one: Entry, known: Sequence[Entry]) -> Entry | None:
    """Return the version of the same basis that ends where this one begins."""
    return next(
        (
            other
            for other in known
            if other.told.basis_id == one.told.basis_id and other.told.basis_version == one.told.succeeds
        ),
        None,
    )


def openings(one: Entry, former: Entry | None, known: Sequence[Entry], today: date) -> tuple[Opening, ...]:
    """Return what a version would open and close for each recipient, beside what is in force as widely."""
    before = former.pairs if former is not None and former.told.disable_time.seconds == 0 else frozenset()
    others: dict[tuple[str, str], str] = {}
    for other in known:
        if other is not one and other is not former and other.in_force(today) and _as_wide(other, one):
            others |= {pair: other.told.basis_id for pair in other.pairs if pair not in others}
    opened, closed = one.pairs - before, before - one.pairs
    return tuple(
        Opening(
            recipient,
            tuple(sorted(name for who, name in opened if who == recipient and (who, name) not in others)),
            tuple(
                sorted(
                    (name, others[who, name])
                    for who, name in opened
                    if who == recipient and (who, name) in others
                )
            ),
            tuple(sorted(name for who, name in closed if who == recipient)),
        )
        for recipient in sorted({who for who, _ in opened | closed})
    )


def _as_wide(other: Entry, one: Entry) -> bool:
    """Tell whether what another basis opens is open for the same purposes and on no more consent."""
    return (
        set(one.says["purposes"]).issubset(other.says["purposes"])
        and other.says.get("consent_kind", "") in {"", one.says.get("consent_kind", "")}
        # What opens in an emergency alone is not open.
        and other.says.get("break_glass", False) <= one.says.get("break_glass", False)
    )


def changes(one: Entry, former: Entry | None) -> tuple[Change, ...]:
    """Return what the text says otherwise than the version before it; of a new basis, all it says."""
    return tuple(_changes(one.says, {} if former is None else former.says))


def shown(value: object) -> str:
    """Return a value of an entry as people read it, "" for what a text leaves out."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return later("ja") if value else later("nee")
    return str(value)


def _changes(after: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Change]:
    for key in sorted((after.keys() | before.keys()) - _NUMBERED, key=lambda one: NAMES.get(one, one)):
        now, then = after.get(key), before.get(key)
        if now == then:
            continue
        came = went = ()
        if isinstance(now, list) or isinstance(then, list):
            came = tuple(sorted(set(now or ()) - set(then or ())))
            went = tuple(sorted(set(then or ()) - set(now or ())))
        yield Change(key, NAMES.get(key, key), shown(then), shown(now), came, went)
