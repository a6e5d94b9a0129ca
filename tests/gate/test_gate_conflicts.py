"""How an objection stands to a consent: the whole table, each combination once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING

import pytest

from exchange.gate.conflicts import Objection, standing_objection
from exchange.gate.model import Consent, Facts, Field
from exchange.gate.register import Register

if TYPE_CHECKING:
    from collections.abc import Container

    from exchange.gate.entry import LegalBasis

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CARE, OTHER_CARE = "00000003271543200000/wmo-aanbieder", "00000003271543200001/wmo-aanbieder"
FACTS = Facts(
    now=NOON,
    purpose="wmo-levering",
    recipient_id=CARE,
    fields=(Field("goals.own_words", "WMO-PLAN"), Field("situations.description", "WONEN")),
    age=44,
    capable=True,
)
REGISTER = Register.load()
# A basis in the law that asks no consent: there an objection is heard.
CARRIES = REGISTER.find("WMO-5.2.1-2a", NOON)
assert CARRIES is not None
YES = Consent(
    consent_id="c-1",
    state="GIVEN",
    start=NOON - timedelta(days=1),
    end=NOON + timedelta(days=1),
    purposes=frozenset({"wmo-levering"}),
    recipients=frozenset({CARE, OTHER_CARE}),
    categories=frozenset({"WMO-PLAN", "WONEN", "NETWERK"}),
    given_by=("self",),
    spoken_at=NOON - timedelta(days=1),
    kind="STATUTORY",
)
STATES = ("PENDING", "UPHELD", "REJECTED")
# What the objection names, and whether it reaches the request and goes before a consent to exactly that.
SCOPES = {
    ("", ""): (True, False),
    ("wmo-levering", ""): (True, False),
    ("", CARE): (True, False),
    ("wmo-levering", CARE): (True, True),
    ("wgs-plan", ""): (False, False),
    ("", OTHER_CARE): (False, False),
    ("wgs-plan", CARE): (False, False),
    ("wmo-levering", OTHER_CARE): (False, False),
}
# What the resident said, and whether it is a yes to exactly this.
WORDS = {
    "nothing": ((), False),
    "yes": ((YES,), True),
    "yes that lifts secrecy": ((replace(YES, kind="SECRECY"),), True),
    "yes, and no other word of its kind": ((replace(YES, kind="NO_OBJECTION", explicit=True),), True),
    "yes that had to be written and was not": ((replace(YES, kind="NO_OBJECTION"),), False),
    "GDPR consent for a task of the law": (
        (replace(YES, kind="GDPR", free_assessed=True, explicit=True),),
        False,
    ),
    "yes, of no kind that was told": ((replace(YES, kind=""),), False),
    "yes of another": ((replace(YES, given_by=("partner",)),), False),
    "yes of nobody": ((replace(YES, given_by=()),), False),
    "yes of nobody that was told": ((replace(YES, given_by=None),), False),
    "yes to care": ((replace(YES, kind="CARE"),), False),
    "yes as a courtesy": ((replace(YES, kind="ASSENT"),), False),
    "yes for something else": ((replace(YES, purposes=frozenset({"wgs-plan"})),), False),
    "yes to somebody else": ((replace(YES, recipients=frozenset({OTHER_CARE})),), False),
    "yes to exactly what is asked": ((replace(YES, categories=frozenset({"WMO-PLAN", "WONEN"})),), True),
    "yes to less": ((replace(YES, categories=frozenset({"WMO-PLAN"})),), False),
    "asked": ((replace(YES, state="REQUESTED"),), False),
    "no": ((replace(YES, state="REFUSED"),), False),
    "withdrawn": ((replace(YES, state="WITHDRAWN", withdrawn_at=NOON),), False),
    "over, from this moment": ((replace(YES, end=NOON),), False),
    "from this moment": ((replace(YES, start=NOON, spoken_at=NOON),), True),
    "not yet": ((replace(YES, start=NOON + timedelta(microseconds=1)),), False),
    "two that cover it together": (
        (
            replace(YES, categories=frozenset({"WMO-PLAN"})),
            replace(YES, consent_id="c-2", categories=frozenset({"WONEN"})),
        ),
        True,
    ),
    "two, of which one was withdrawn": (
        (
            replace(YES, categories=frozenset({"WMO-PLAN"})),
            replace(YES, consent_id="c-2", categories=frozenset({"WONEN"}), state="WITHDRAWN"),
        ),
        False,
    ),
    "yes, and withdrawn for something else": (
        (YES, replace(YES, consent_id="c-2", categories=frozenset({"NETWERK"}), withdrawn_at=NOON)),
        True,
    ),
    "yes, and later withdrawn": ((YES, replace(YES, consent_id="c-2", withdrawn_at=NOON)), False),
    "yes, and later no": ((YES, replace(YES, consent_id="c-2", state="REFUSED", spoken_at=NOON)), False),
}


@pytest.mark.parametrize("said", WORDS)
@pytest.mark.parametrize(("scope", "state"), list(product(SCOPES, STATES)))
def test_every_objection_against_every_word(scope: tuple[str, str], state: str, said: str) -> None:
    reaches, before_consent = SCOPES[scope]
    consents, agreed = WORDS[said]
    yields = state == "PENDING" and agreed and not before_consent
    expected = state if reaches and not yields else None
    assert standing_objection([Objection(state, *scope)], consents, FACTS, CARRIES) == expected


@pytest.mark.parametrize(
    ("objections", "expected"),
    [
        ((), None),
        ((Objection("PENDING"), Objection("UPHELD", "wmo-levering")), "UPHELD"),
        ((Objection("REJECTED"), Objection("PENDING", "wmo-levering")), "PENDING"),
        ((Objection("REJECTED"), Objection("REJECTED", "wmo-levering")), "REJECTED"),
        ((Objection("ODD"),), "PENDING"),
        ((Objection("UPHELD", "wgs-plan"), Objection("PENDING")), "PENDING"),
    ],
)
def test_of_several_the_strictest_that_reaches_speaks(
    objections: tuple[Objection, ...], expected: str | None
) -> None:
    assert standing_objection(objections, (), FACTS, CARRIES) == expected
    assert standing_objection(objections[::-1], (), FACTS, CARRIES) == expected


def test_a_consent_outweighs_the_general_and_leaves_the_specific() -> None:
    general, specific = Objection("PENDING"), Objection("PENDING", "wmo-levering", CARE)
    assert standing_objection([general], (YES,), FACTS, CARRIES) is None
    assert standing_objection([general, specific], (YES,), FACTS, CARRIES) == "PENDING"
    assert standing_objection([general, replace(specific, state="REJECTED")], (YES,), FACTS, CARRIES) is None


@pytest.mark.parametrize("fields", [(), None])
def test_what_names_no_data_is_not_what_was_agreed_to(fields: tuple[Field, ...] | None) -> None:
    assert (
        standing_objection([Objection("PENDING")], (YES,), replace(FACTS, fields=fields), CARRIES)
        == "PENDING"
    )


def test_without_a_moment_no_consent_is_in_force() -> None:
    assert standing_objection([Objection("PENDING")], (YES,), replace(FACTS, now=None), CARRIES) == "PENDING"


# --- an objection that was upheld ----------------------------------------------------------------------

INSTANT = timedelta(microseconds=1)
SAID_AT = NOON - timedelta(days=1)


@pytest.mark.parametrize(
    ("decided_at", "said_at", "expected"),
    [
        (SAID_AT - INSTANT, SAID_AT, None),
        (SAID_AT, SAID_AT, "UPHELD"),
        (SAID_AT + INSTANT, SAID_AT, "UPHELD"),
        (None, SAID_AT, "UPHELD"),
        (SAID_AT - INSTANT, None, "UPHELD"),
        (None, None, "UPHELD"),
    ],
)
def test_an_upheld_objection_yields_only_to_what_was_said_after_it(
    decided_at: datetime | None, said_at: datetime | None, expected: str | None
) -> None:
    upheld = Objection("UPHELD", decided_at=decided_at)
    said = replace(YES, spoken_at=said_at)
    assert after_upholding(upheld, said) == expected
    # What its own rules refuse does not count by coming later.
    assert after_upholding(upheld, replace(said, given_by=("ouder",))) == "UPHELD"
    specific = replace(upheld, purpose="wmo-levering", recipient_id=CARE)
    assert after_upholding(specific, said) == "UPHELD"
    # Nor does what somebody noted of a conversation.
    assert after_upholding(upheld, said, in_writing=()) == "UPHELD"


def after_upholding(
    upheld: Objection,
    *said: Consent,
    facts: Facts = FACTS,
    basis: LegalBasis | None = CARRIES,
    in_writing: Container[str] = ("c-1", "c-2"),
) -> str | None:
    return standing_objection([upheld], said, facts, basis, in_writing=in_writing)


LONG_UPHELD = Objection("UPHELD", decided_at=SAID_AT - INSTANT)
STATUTORY, SECRECY = REGISTER.find("WMO-5.1.1-4", NOON), REGISTER.find("JW-7.3.11-1", NOON)


@pytest.mark.parametrize("basis", [CARRIES, STATUTORY, SECRECY], ids=["none asked", "statutory", "secrecy"])
@pytest.mark.parametrize("kind", ["STATUTORY", "SECRECY", "NO_OBJECTION"])
def test_whatever_kind_is_asked_an_upheld_one_yields_to_ones_own_writing_only(
    basis: LegalBasis, kind: str
) -> None:
    """Of another kind than is asked it opens nothing either way; noted by a desk it undoes no decision."""
    fits = basis.consent_kind in {"", kind}
    said = replace(YES, kind=kind, explicit=True)
    assert after_upholding(LONG_UPHELD, said, basis=basis) == (None if fits else "UPHELD")
    assert after_upholding(LONG_UPHELD, said, basis=basis, in_writing=("c-2",)) == "UPHELD"
    # One that waits still yields to any word that is more specific.
    pending = replace(LONG_UPHELD, state="PENDING")
    assert after_upholding(pending, said, basis=basis, in_writing=()) == (None if fits else "PENDING")


def test_a_yes_that_was_noted_lends_nothing_to_one_in_writing() -> None:
    signed = replace(YES, categories=frozenset({"WMO-PLAN"}))
    noted = replace(YES, consent_id="c-2", categories=frozenset({"WONEN"}))
    assert after_upholding(LONG_UPHELD, signed, noted) is None
    assert after_upholding(LONG_UPHELD, signed, noted, in_writing=("c-1",)) == "UPHELD"
    # A no is a no however it was said.
    no = replace(YES, consent_id="c-3", state="REFUSED", spoken_at=NOON)
    assert after_upholding(LONG_UPHELD, YES, no) == "UPHELD"
    withdrawn = replace(YES, consent_id="c-3", state="WITHDRAWN", withdrawn_at=NOON)
    assert after_upholding(LONG_UPHELD, YES, withdrawn, in_writing=("c-1",)) == "UPHELD"


def test_an_upheld_one_is_not_outweighed_by_an_older_yes_beside_a_newer_one_about_less() -> None:
    upheld = Objection("UPHELD", decided_at=NOON - timedelta(hours=1))
    less = replace(YES, consent_id="c-2", categories=frozenset({"WONEN"}), spoken_at=NOON)
    assert after_upholding(upheld, YES, less) == "UPHELD"
    only = replace(FACTS, fields=(Field("situations.description", "WONEN"),))
    assert after_upholding(upheld, YES, less, facts=only) is None
    assert after_upholding(upheld, YES, facts=only) == "UPHELD"


# --- a consent that its own rules refuse -------------------------------------------------------------------

PRIVATE = REGISTER.find("AVG-6.1.a", NOON)


@pytest.mark.parametrize(
    ("changes", "outweighs"),
    [
        ({}, True),
        ({"free_assessed": False}, False),
        ({"kind": "STATUTORY"}, False),
        ({"kind": "SECRECY"}, False),
        ({"given_by": ("mentor",)}, False),
    ],
)
def test_gdpr_consent_outweighs_where_it_is_the_ground_itself(
    changes: dict[str, object], *, outweighs: bool
) -> None:
    said = replace(YES, **{"kind": "GDPR", "free_assessed": True} | changes)  # type: ignore[arg-type] # any field
    expected = None if outweighs else "PENDING"
    assert standing_objection([Objection("PENDING")], (said,), FACTS, PRIVATE) == expected


@pytest.mark.parametrize(
    ("gdpr6", "public_task", "outweighs"),
    [
        ("6(1)(a)", True, False),
        ("6(1)(a)", False, True),
        ("6(1)(c)", False, False),
        ("6(1)(e)", False, False),
        ("6(1)(f)", False, True),
    ],
)
def test_gdpr_consent_is_the_wrong_ground_for_a_public_task(
    gdpr6: str, *, public_task: bool, outweighs: bool
) -> None:
    assert CARRIES is not None
    basis = replace(CARRIES, gdpr6=gdpr6, public_task=public_task)
    said = replace(YES, kind="GDPR", free_assessed=True)
    found = standing_objection([Objection("PENDING")], (said,), FACTS, basis)
    assert found == (None if outweighs else "PENDING")


@pytest.mark.parametrize(("explicit", "expected"), [(True, None), (False, "PENDING")])
def test_special_data_ask_an_express_yes(explicit: bool, expected: str | None) -> None:  # noqa: FBT001 -- a case
    health = replace(FACTS, fields=(Field("functioning.limits", "GEZONDHEID-FUNCTIONEEL"),))
    said = replace(YES, explicit=explicit, categories=frozenset({"GEZONDHEID-FUNCTIONEEL"}))
    assert standing_objection([Objection("PENDING")], (said,), health, CARRIES) == expected


def test_a_bewindvoerder_outweighs_about_money_only() -> None:
    incapable = replace(FACTS, capable=False, fields=(Field("debts.amount", "SCHULDEN"),))
    said = replace(
        YES,
        kind="GDPR",
        free_assessed=True,
        given_by=("bewindvoerder",),
        categories=frozenset({"SCHULDEN", "WONEN"}),
    )
    assert standing_objection([Objection("PENDING")], (said,), incapable, PRIVATE) is None
    both = replace(incapable, fields=(*(incapable.fields or ()), Field("situations.description", "WONEN")))
    assert standing_objection([Objection("PENDING")], (said,), both, PRIVATE) == "PENDING"


def test_a_parents_yes_counts_where_a_record_shows_the_authority() -> None:
    child = replace(FACTS, age=11)
    said = replace(YES, given_by=("parent",))
    for shown, expected in ((("c-1",), None), (("c-2",), "PENDING"), ((), "PENDING")):
        assert standing_objection([Objection("PENDING")], (said,), child, CARRIES, shown) == expected
    disputed = replace(child, authority_disputed=True)
    assert standing_objection([Objection("PENDING")], (said,), disputed, CARRIES, ("c-1",)) == "PENDING"


@pytest.mark.parametrize("unknown", [{"age": None}, {"capable": None}])
def test_whoever_decides_not_known_is_nobodys_yes(unknown: dict[str, None]) -> None:
    facts = replace(FACTS, **unknown)  # type: ignore[arg-type] # a fact not established
    assert standing_objection([Objection("PENDING")], (YES,), facts, CARRIES) == "PENDING"


def test_under_no_known_basis_nothing_outweighs() -> None:
    assert standing_objection([Objection("PENDING")], (YES,), FACTS, None) == "PENDING"
