"""What a provider asks and a municipality answers: 315, 317 and 319, as records and as messages. Pure.

Promises: each message to records and back without loss; no repr shows a BSN, a name or a free text.
Source: iWmo and iJw 3.2, messages 315, 317 and 319; only iJw has GezagsdragerBekend and Woonplaatsbeginsel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adapters.provider.codes import (
    Frequency,
    Referrer,
    RequestOutcome,
    RequestReason,
    RequestRefusal,
    Unit,
)
from adapters.provider.parts import (
    body_of,
    day_at,
    day_or_none,
    read_bsn,
    read_envelope,
    read_product,
    read_resident,
    whole_number,
    write_client,
    write_day,
    write_message,
    write_person,
    write_product,
    write_short_name,
    write_size,
)
from adapters.provider.xml import element, leaf

if TYPE_CHECKING:
    from datetime import date

    from adapters.provider.records import Envelope, Product, Resident
    from adapters.provider.xml import Message, Node
    from adapters.sdk.bsn import Bsn

ASK: Final = "315"
CHANGE: Final = "317"
ANSWER: Final = "319"
_YES: Final = "1"
_NO: Final = "2"


@dataclass(frozen=True, slots=True)
class Size:
    """How much: a volume in a unit per a frequency, or a budget in cents, or nothing said."""

    volume: int | None = None
    unit: Unit | None = None
    frequency: Frequency | None = None
    budget_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What support is wanted, from its first to its last day, both included."""

    starts_on: date
    ends_on: date | None = None
    product: Product | None = None
    size: Size = field(default_factory=Size)


@dataclass(frozen=True, slots=True)
class Referral:
    """Who referred; a doctor has a name or an AGB code, not both (CD066, CD067)."""

    kind: Referrer
    name: str | None = field(default=None, repr=False)
    care_code: str | None = None


@dataclass(frozen=True, slots=True)
class AskedProduct:
    """One product asked for; `reference` is the provider's own and used once (TR347)."""

    reference: str = field(repr=False)
    wanted: Wanted
    referral: Referral
    decision_number: int | None = None
    decision_from: date | None = None
    framework_contract: bool | None = None
    comment: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AssignmentRequest:
    """A 315. `guardian_known` is of the Jeugdwet alone."""

    envelope: Envelope
    resident: Resident
    products: tuple[AskedProduct, ...]
    guardian_known: bool | None = None
    comment: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Changed:
    """An assignment that is to become other than it is."""

    number: int
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A 317: with what stays as it is, it names every current assignment (TR349)."""

    envelope: Envelope
    bsn: Bsn
    reference: str = field(repr=False)
    reason: RequestReason
    unchanged: tuple[int, ...] = ()
    changed: tuple[Changed, ...] = ()
    added: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    """A 319; `municipality` is where a youth belongs, for RequestRefusal.RESIDENCE under the Jeugdwet."""

    envelope: Envelope
    reference: str = field(repr=False)
    outcome: RequestOutcome
    refusal: RequestRefusal | None = None
    municipality: str | None = None


# --- from messages --------------------------------------------------------------------------------------


def read_assignment_request(message: Message) -> AssignmentRequest:
    """Read a 315 that passed its rules. Raises MappingImpossible for what is none, or breaks them."""
    body = body_of(message, ASK)
    lines = body.find("AangevraagdeProducten")
    return AssignmentRequest(
        envelope=read_envelope(message),
        resident=read_resident(body),
        products=tuple(map(_read_asked, () if lines is None else lines.children)),
        guardian_known=_yes_or_no(body, "GezagsdragerBekend"),
        comment=body.value("Commentaar"),
    )


def read_change_request(message: Message) -> ChangeRequest:
    """Read a 317 that passed its rules. Raises MappingImpossible for what is none, or breaks them."""
    body = body_of(message, CHANGE)
    return ChangeRequest(
        envelope=read_envelope(message),
        bsn=read_bsn(body),
        reference=body.required("Verzoek/ReferentieAanbieder"),
        reason=RequestReason.of(body.required("Verzoek/RedenVerzoek")),
        unchanged=tuple(
            int(line.required("ToewijzingNummer")) for line in _lines(body, "OngewijzigdeProducten")
        ),
        changed=tuple(
            Changed(int(line.required("ToewijzingNummer")), _read_wanted(line))
            for line in _lines(body, "TeWijzigenProducten")
        ),
        added=tuple(map(_read_wanted, _lines(body, "NieuweProducten"))),
    )


def read_request_answer(message: Message) -> RequestAnswer:
    """Read a 319. Raises MappingImpossible for what is none."""
    body = body_of(message, ANSWER)
    refusal = body.value("RedenAfwijzingVerzoek")
    return RequestAnswer(
        envelope=read_envelope(message),
        reference=body.required("ReferentieAanbieder"),
        outcome=RequestOutcome.of(body.required("VerzoekAntwoord")),
        refusal=None if refusal is None else RequestRefusal.of(refusal),
        municipality=body.value("Woonplaatsbeginsel/Gemeente"),
    )


def _lines(body: Node, name: str) -> tuple[Node, ...]:
    found = body.find(f"Verzoek/{name}")
    return () if found is None else found.children


def _read_asked(line: Node) -> AskedProduct:
    return AskedProduct(
        reference=line.required("ReferentieAanbieder"),
        wanted=Wanted(
            starts_on=day_at(line, "ToewijzingIngangsdatum"),
            ends_on=day_or_none(line, "ToewijzingEinddatum"),
            product=read_product(line),
            size=_read_size(line),
        ),
        referral=Referral(
            kind=Referrer.of(line.required("Verwijzer/Type")),
            name=line.value("Verwijzer/Naam"),
            care_code=line.value("Verwijzer/ZorgverlenerCode"),
        ),
        decision_number=whole_number(line, "BeschikkingNummer"),
        decision_from=day_or_none(line, "BeschikkingIngangsdatum"),
        framework_contract=_yes_or_no(line, "Raamcontract"),
        comment=line.value("Commentaar"),
    )


def _read_wanted(line: Node) -> Wanted:
    return Wanted(
        starts_on=day_at(line, "GewensteIngangsdatum"),
        ends_on=day_or_none(line, "Einddatum"),
        product=read_product(line),
        size=_read_size(line),
    )


def _read_size(line: Node) -> Size:
    unit, frequency = line.value("Omvang/Eenheid"), line.value("Omvang/Frequentie")
    return Size(
        volume=whole_number(line, "Omvang/Volume"),
        unit=None if unit is None else Unit.of(unit),
        frequency=None if frequency is None else Frequency.of(frequency),
        budget_cents=whole_number(line, "Budget"),
    )


def _yes_or_no(node: Node, path: str) -> bool | None:
    text = node.value(path)
    return None if text is None else text == _YES


# --- to messages ------------------------------------------------------------------------------------------


def write_assignment_request(asked: AssignmentRequest) -> Message:
    """Make a 315. `emit` controls it against the schema; the rules are the caller's to run."""
    return write_client(
        ASK,
        asked.envelope,
        *write_person(asked.resident, write_short_name(asked.resident.name)),
        _write_yes_or_no("GezagsdragerBekend", answer=asked.guardian_known),
        leaf("Commentaar", asked.comment),
        element("AangevraagdeProducten", *map(_write_asked, asked.products)),
    )


def write_change_request(asked: ChangeRequest) -> Message:
    """Make a 317."""
    request = element(
        "Verzoek",
        leaf("ReferentieAanbieder", asked.reference),
        leaf("RedenVerzoek", asked.reason.code),
        _group(
            "OngewijzigdeProducten",
            [element("OngewijzigdProduct", leaf("ToewijzingNummer", number)) for number in asked.unchanged],
        ),
        _group("TeWijzigenProducten", list(map(_write_changed, asked.changed))),
        _group("NieuweProducten", list(map(_write_added, asked.added))),
    )
    return write_client(CHANGE, asked.envelope, leaf("Bsn", asked.bsn.reveal()), request)


def write_request_answer(answer: RequestAnswer) -> Message:
    """Make a 319."""
    elsewhere = answer.municipality
    return write_message(
        ANSWER,
        answer.envelope,
        element(
            "Antwoord",
            leaf("ReferentieAanbieder", answer.reference),
            leaf("VerzoekAntwoord", answer.outcome.code),
            leaf("RedenAfwijzingVerzoek", None if answer.refusal is None else answer.refusal.code),
            None if elsewhere is None else element("Woonplaatsbeginsel", leaf("Gemeente", elsewhere)),
        ),
    )


def _group(name: str, lines: list[Node]) -> Node | None:
    return element(name, *lines) if lines else None


def _write_asked(asked: AskedProduct) -> Node:
    wanted, referral, size = asked.wanted, asked.referral, asked.wanted.size
    return element(
        "AangevraagdProduct",
        leaf("ReferentieAanbieder", asked.reference),
        leaf("BeschikkingNummer", asked.decision_number),
        write_product(wanted.product),
        write_day("BeschikkingIngangsdatum", asked.decision_from),
        write_day("ToewijzingIngangsdatum", wanted.starts_on),
        write_day("ToewijzingEinddatum", wanted.ends_on),
        write_size(size.volume, size.unit, size.frequency),
        leaf("Budget", size.budget_cents),
        element(
            "Verwijzer",
            leaf("Type", referral.kind.code),
            leaf("Naam", referral.name),
            leaf("ZorgverlenerCode", referral.care_code),
        ),
        _write_yes_or_no("Raamcontract", answer=asked.framework_contract),
        leaf("Commentaar", asked.comment),
    )


def _write_changed(changed: Changed) -> Node:
    return element(
        "TeWijzigenProduct", leaf("ToewijzingNummer", changed.number), *_write_wanted(changed.wanted)
    )


def _write_added(wanted: Wanted) -> Node:
    return element("NieuwProduct", write_product(wanted.product), *_write_wanted(wanted))


def _write_wanted(wanted: Wanted) -> tuple[Node | None, ...]:
    size = wanted.size
    return (
        write_day("GewensteIngangsdatum", wanted.starts_on),
        write_day("Einddatum", wanted.ends_on),
        write_size(size.volume, size.unit, size.frequency),
        leaf("Budget", size.budget_cents),
    )


def _write_yes_or_no(name: str, *, answer: bool | None) -> Node | None:
    return leaf(name, None if answer is None else _YES if answer else _NO)
