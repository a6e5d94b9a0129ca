"""Random facts for two engines: each begins as a request that its basis carries, and is then bent.

Promises: the same seed gives the same facts; every entry of the register gets its turn, and so does a bent
register, for combinations that no shipped entry has; times lie on a line, or a microsecond beside it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from exchange.gate import vocabulary as words
from exchange.gate.model import MISSING, BreakGlass, Consent, Facts, Field
from exchange.gate.register import Register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exchange.gate.entry import LegalBasis

NOW: Final = datetime(2026, 3, 2, 10, tzinfo=UTC)
# The bent register has two versions of each entry: this is where the second begins.
TURN: Final = datetime(2026, 1, 1, tzinfo=UTC)
STEPS: Final = (
    *(timedelta(microseconds=step) for step in (-1, 0, 1)),
    *(timedelta(days=days) for days in (-400, -1, 1, 400)),
)
KINDS_OF_CONSENT: Final = ("", "GDPR", "STATUTORY", "SECRECY", "NO_OBJECTION", "CARE")
# Who is it about, and who spoke: age, capable, words, authority.
WHO: Final = [
    (44, True, ("self",), False),
    (44, True, ("inwoner", "partner"), False),
    (17, True, ("jeugdige",), False),
    (14, True, ("kind",), False),
    (14, True, ("ouder",), True),
    (14, True, (" Self ", "voogd"), True),
    (8, True, ("Ouder",), True),
    (8, True, ("wettelijk-vertegenwoordiger",), True),
    (15, False, ("moeder",), True),
    (44, False, ("curator",), False),
    (44, False, ("bewindvoerder",), False),
    (44, False, ("bewindvoerder", "mentor"), False),
    (44, False, ("representative",), True),
    (44, False, ("broer",), False),
    (44, False, ("vader",), False),
    (44, False, ("written proxy",), False),
]
SPEAKERS: Final = """self betrokkene youth child parent ouder_met_gezag guardian representative
    wettelijke__Vertegenwoordiger curator mentor bewindvoerder administrator gemachtigde
    schriftelijke-gemachtigde echtgenoot family familielid buurman"""
STATES: Final = ("GIVEN", "GIVEN", "GIVEN", "REQUESTED", "REFUSED", "WITHDRAWN", "EXPIRED", "ONBEKEND", "")
FLAGS_OF_FACTS: Final = """directly_involved has_authority staff_identity_needed relative_of_subject
    authority_disputed contrary_to_child_interest disproportionate restricted delivered_later speaks_for_self
    records bulk about_consent"""
FLAGS_OF_BASIS: Final = """enabled criminal_allowed explicit_required necessity_required disproportion_check
    bsn_allowed break_glass public_task subject_access case_relation_required limits_apply
    fields_optional"""

Bend: TypeAlias = "Callable[[Random, Facts, LegalBasis], Facts]"


def registers(seed: int) -> tuple[Register, Register]:
    """Return the shipped register, and one whose entries got a second version, bent at random."""
    shipped = Register.load()
    draw = Random(seed)  # noqa: S311 -- chance for a test, and the same one each time
    bent: list[LegalBasis] = []
    for basis in shipped.entries():
        bent += [replace(basis, valid_to=TURN), _bent_basis(draw, basis)]
    return shipped, Register(bent)


def _bent_basis(draw: Random, basis: LegalBasis) -> LegalBasis:
    changes: dict[str, Any] = {
        name: draw.random() < 0.5 for name in draw.sample(FLAGS_OF_BASIS.split(), draw.randint(1, 4))
    }
    changes["consent_kind"] = draw.choice(KINDS_OF_CONSENT)
    changes["secrecy"] = draw.choice(["NONE", "LIFTS", "DIRECT", "CONSENT"])
    changes["direction"] = draw.choice(["OBTAIN", "DISCLOSE", "REUSE"])
    # The reader refuses an entry that lists a category without its right; here that right is all that lacks.
    changes["bsn_allowed"], changes["criminal_allowed"] = draw.random() < 0.5, draw.random() < 0.5
    changes["categories"] = basis.categories | set(draw.choices(["STRAFRECHT", "BSN", "CONTACT"], k=2))
    changes["gdpr9"] = draw.choice([(), ("9(2)(h)",)])
    changes["permit_obligations"] = tuple(duty for duty in sorted(words.PERMIT_DUTIES) if draw.random() < 0.3)
    if draw.random() < 0.3:
        changes["valid_to"] = NOW + draw.choice(STEPS[:3])
    return replace(basis, version=basis.version + 1, valid_from=TURN, **changes)


def draw_facts(seed: int, register: Register) -> Iterator[Facts]:
    """Yield facts without end: entries take turns; those with rules of their own have turns of theirs too."""
    draw = Random(seed)  # noqa: S311 -- chance for a test, and the same one each time
    entries = register.entries()
    turns = [
        cycle(entries),
        # One entry is of an emergency among many on consent: it comes round twice as often.
        cycle([one for one in entries for _ in range(bool(one.consent_kind) + 2 * one.break_glass)]),
        cycle([basis for basis in entries if basis.subject_access]),
        cycle([basis for basis in entries if basis.disproportion_check]),
    ]
    while True:
        basis = next(draw.choices(turns, weights=[10, 6, 4, 1])[0])
        yield _bent(draw, standing(draw, basis), basis)


def standing(draw: Random, basis: LegalBasis) -> Facts:
    """Return a request that the basis carries as far as its entry allows, for a resident drawn from WHO."""
    age, capable, given_by, has_authority = draw.choice(WHO)
    recipient = _one(draw, basis.recipients)
    purpose = _one(draw, basis.purposes)
    fields = _fields(draw, sorted(basis.categories))
    claim = BreakGlass("LEVENSGEVAAR", "De inwoner reageert niet meer") if basis.break_glass else None
    consent = Consent(
        state="GIVEN",
        kind=draw.choice(["", basis.consent_kind]),
        explicit=True,
        free_assessed=True,
        start=NOW - timedelta(days=30),
        end=NOW + timedelta(days=300),
        purposes=frozenset({purpose}),
        recipients=frozenset({"ontvanger-1"}),
        categories=frozenset(field.category for field in fields),
        given_by=given_by,
    )
    return Facts(
        now=NOW,
        actor_auth=_one(draw, words.STRONG_AUTHENTICATION),
        legal_basis=basis.id,
        purpose=purpose,
        provider=_one(draw, basis.providers),
        recipient=recipient,
        recipient_id="ontvanger-1",
        fields=fields,
        case_relation=True,
        necessity="Nodig voor de taak; met minder kan het niet",
        age=age,
        capable=capable,
        consent=consent if basis.consent_kind or draw.random() < 0.3 else None,
        has_authority=has_authority or recipient == "wettelijk-vertegenwoordiger",
        directly_involved=basis.secrecy == "DIRECT",
        break_glass=claim,
        records=basis.direction == "OBTAIN" and draw.random() < 0.7,
    )


def _fields(draw: Random, categories: Sequence[str]) -> tuple[Field, ...]:
    chosen = draw.choices(categories, k=draw.randint(1, 4)) if categories else []
    return tuple(Field(f"veld-{number}", category) for number, category in enumerate(chosen))


def _bent(draw: Random, facts: Facts, basis: LegalBasis) -> Facts:
    for bend in draw.sample(BENDS, draw.choice([0, 0, 1, 1, 1, 2, 2, 3, 5])):
        facts = bend(draw, facts, basis)
    return facts


def _one(draw: Random, allowed: frozenset[str]) -> str:
    return draw.choice(sorted(allowed)) if allowed else "geen"


def _near(draw: Random) -> datetime:
    return NOW + draw.choice(STEPS)


def _bend_a_moment(draw: Random, facts: Facts, basis: LegalBasis) -> Facts:
    lines = [TURN, basis.valid_from, basis.valid_to or TURN]
    return replace(facts, now=draw.choice(lines) + draw.choice(STEPS))


def _bend_a_flag(draw: Random, facts: Facts, _: LegalBasis) -> Facts:
    flags = {name: draw.random() < 0.5 for name in draw.sample(FLAGS_OF_FACTS.split(), draw.randint(1, 3))}
    changed: Facts = replace(facts, **flags)  # type: ignore[arg-type] # the names are those of flags
    return changed


def _bend_a_party(draw: Random, facts: Facts, basis: LegalBasis) -> Facts:
    other: list[dict[str, Any]] = [
        {"provider": draw.choice([*sorted(words.KINDS), ""])},
        {"recipient": draw.choice([*sorted(words.KINDS), "iemand"])},
        {
            "recipient": _one(draw, words.RESIDENT_SIDE & basis.recipients),
            "has_authority": draw.random() < 0.5,
        },
        {"recipient_id": "ontvanger-2"},
        {"purpose": draw.choice([*sorted(words.PURPOSES), "alles"])},
        {"acquired_for": draw.choice([None, "", "WMO", *sorted(words.ORIGINS)])},
        {"acquired_for": _one(draw, basis.acquired_for)},
        {"legal_basis": draw.choice(["ONBEKEND-1", "AVG-6.1.d", "SUBJECT-15", "AVG-6.1.a"])},
        {"actor_auth": draw.choice(["2FA", "mTLS", "", "2FA+mTLS"])},
    ]
    return replace(facts, **draw.choice(other))


def _bend_a_person(draw: Random, facts: Facts, _: LegalBasis) -> Facts:
    return replace(
        facts,
        age=draw.choice([0, 11, 12, 15, 16, 17, 18, 90]),
        capable=draw.random() < 0.6,
        has_authority=draw.random() < 0.5,
    )


def _bend_a_youth(draw: Random, facts: Facts, basis: LegalBasis) -> Facts:
    """A youth of about 16 or 17, and a representative who may have leave to see what some hold, or all."""
    others = words.RESIDENT_SIDE & basis.recipients - {"betrokkene"}
    leave = facts.consent
    if isinstance(leave, Consent):
        leave = replace(
            leave,
            given_by=draw.choice([("youth",), ("self", "ouder"), ("ouder",)]),
            sources=frozenset(draw.choice([(), (), ("college:WMO",), sorted(words.KINDS)[::2]])),
        )
    return replace(
        facts,
        age=draw.choice([15, 16, 17, 18]),
        capable=True,
        has_authority=True,
        consent=leave,
        recipient=draw.choice(sorted(others)) if others else facts.recipient,
    )


def _bend_a_relation(draw: Random, facts: Facts, _: LegalBasis) -> Facts:
    other: list[dict[str, Any]] = [
        {"case_relation": draw.choice([False, None])},
        {"necessity": draw.choice([None, "", " \t\n", "nodig"])},
        {"roles": draw.choice([frozenset({"regisseur"}), frozenset({"sealed-reader", "x"})])},
        {"objection": draw.choice(["PENDING", "UPHELD", "UPHELD", "REJECTED", "ANDERS"])},
        {"need_fields": draw.choice([frozenset(), frozenset({"veld-0", "veld-2"})])},
        {"delivered_later": True},
        {"disproportionate": True},
    ]
    changes = {key: value for one in draw.sample(other, draw.randint(1, 2)) for key, value in one.items()}
    return replace(facts, **changes)


def _bend_to_harm(_: Random, facts: Facts, basis: LegalBasis) -> Facts:
    """Telling would harm the resident out of proportion, where the entry asks that it be weighed."""
    return replace(facts, disproportionate=basis.disproportion_check)


def _bend_a_claim_of_danger(draw: Random, facts: Facts, _: LegalBasis) -> Facts:
    code = draw.choice([*sorted(words.BREAK_GLASS_CODES), "HAAST", ""])
    reason = draw.choice(["x" * 20, "x" * 19, f" {'x' * 19} ", f"  {'x' * 20}\n", "", "é" * 20])
    return replace(
        facts, break_glass=draw.choice([None, BreakGlass(code, reason), BreakGlass(code, "x" * 20)])
    )


def _bend_what_is_known(draw: Random, facts: Facts, _: LegalBasis) -> Facts:
    names = (
        "now actor_auth legal_basis purpose provider recipient recipient_id fields case_relation age capable"
    )
    nothing: dict[str, Any] = dict.fromkeys(names.split())
    nothing |= {"consent": MISSING, "store_unavailable": True}
    name = draw.choice(list(nothing))
    return replace(facts, **{name: nothing[name]})


def _bend_the_consent(draw: Random, facts: Facts, _: LegalBasis) -> Facts:
    consent = facts.consent
    if consent is MISSING or consent is None or draw.random() < 0.1:
        return replace(facts, consent=draw.choice([None, Consent(state="REFUSED"), Consent(state="GIVEN")]))
    other: list[dict[str, Any]] = [
        {"state": draw.choice(STATES)},
        {"kind": draw.choice([*KINDS_OF_CONSENT, "ASSENT"])},
        {"explicit": False},
        {"free_assessed": False},
        {"start": draw.choice([None, _near(draw)])},
        {"end": draw.choice([None, _near(draw)])},
        {"withdrawn_at": draw.choice([None, _near(draw), _near(draw)])},
        {"purposes": frozenset(draw.choice([(), ("wmo-onderzoek",), ("inzage",)]))},
        {"recipients": frozenset(draw.choice([(), ("ontvanger-2",)]))},
        {"categories": frozenset(draw.sample(sorted(words.CATEGORIES), draw.randint(0, 8)))},
        {"sources": frozenset(draw.choice([(), ("college:WMO",), sorted(words.KINDS)[::2], ("", "uwv")]))},
        {"given_by": draw.choice([None, (), tuple(draw.sample(SPEAKERS.split(), draw.randint(1, 2)))])},
    ]
    changes = {key: value for one in draw.sample(other, draw.randint(1, 2)) for key, value in one.items()}
    return replace(facts, consent=replace(consent, **changes))


def _bend_to_a_withdrawal(draw: Random, facts: Facts, _: LegalBasis) -> Facts:
    if not isinstance(facts.consent, Consent):
        return facts
    withdrawn = draw.choice([{"withdrawn_at": NOW + step} for step in STEPS] + [{"state": "WITHDRAWN"}])
    return replace(facts, consent=replace(facts.consent, **withdrawn))


def _bend_a_field(draw: Random, facts: Facts, _: LegalBasis) -> Facts:
    if not facts.fields:
        return facts
    other: list[dict[str, Any]] = [
        {"category": draw.choice([*sorted(words.CATEGORIES), "ONBEKEND"])},
        {"category": draw.choice(["STRAFRECHT", "BSN", "GEZONDHEID-FUNCTIONEEL", "GEZONDHEID-DIAGNOSE"])},
        {"secret": True},
        {"sealed": True},
        {"third_party": True},
        {"staff_name": True},
        {"retention_end": _near(draw)},
        {"provider": draw.choice([None, "", *sorted(words.KINDS)])},
        {"acquired_for": draw.choice([None, "", "Pw", *sorted(words.ORIGINS)])},
    ]
    fields = list(facts.fields)
    position = draw.randrange(len(fields))
    fields[position] = replace(fields[position], **draw.choice(other))
    return replace(facts, fields=tuple(fields))


def _bend_all_fields(draw: Random, facts: Facts, basis: LegalBasis) -> Facts:
    mark = draw.choice(["secret", "sealed", "third_party", "staff_name"])
    fields = _fields(draw, sorted(draw.choice([basis.categories, words.CATEGORIES])))
    marked = tuple(replace(field, **{mark: draw.random() < 0.7}) for field in fields)  # type: ignore[arg-type] # the names are those of flags
    twice = (Field("veld-0", "CONTACT"), Field("veld-0", "BSN", sealed=True))
    return replace(facts, fields=draw.choice([marked, marked, marked, fields, (), twice]))


BENDS: Final[list[Bend]] = [
    _bend_a_moment,
    _bend_a_flag,
    _bend_a_party,
    _bend_a_party,
    _bend_a_person,
    _bend_a_youth,
    _bend_a_relation,
    _bend_a_relation,
    _bend_to_a_withdrawal,
    _bend_to_harm,
    _bend_a_claim_of_danger,
    _bend_what_is_known,
    *(_bend_the_consent,) * 3,
    *(_bend_a_field,) * 3,
    _bend_all_fields,
]
