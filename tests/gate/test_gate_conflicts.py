"""How an objection stands to a consent: the whole table, each combination once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from exchange.gate.conflicts import Objection, standing_objection
from exchange.gate.model import Consent, Facts, Field

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CARE, OTHER_CARE = "00000003271543200000/wmo-aanbieder", "00000003271543200001/wmo-aanbieder"
FACTS = Facts(
    now=NOON,
    purpose="wmo-levering",
    recipient_id=CARE,
    fields=(Field("goals.own_words", "WMO-PLAN"), Field("situations.description", "WONEN")),
)
YES = Consent(
    consent_id="c-1",
    state="GIVEN",
    start=NOON - timedelta(days=1),
    end=NOON + timedelta(days=1),
    purposes=frozenset({"wmo-levering"}),
    recipients=frozenset({CARE, OTHER_CARE}),
    categories=frozenset({"WMO-PLAN", "WONEN", "NETWERK"}),
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
    "yes, of a basis in the GDPR": ((replace(YES, kind="GDPR"),), True),
    "yes, of no kind that was told": ((replace(YES, kind=""),), True),
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
    "yes, and later no": ((YES, replace(YES, consent_id="c-2", state="REFUSED", spoken_at=NOON)), False),
}


@pytest.mark.parametrize("said", WORDS)
@pytest.mark.parametrize(("scope", "state"), list(product(SCOPES, STATES)))
def test_every_objection_against_every_word(scope: tuple[str, str], state: str, said: str) -> None:
    reaches, before_consent = SCOPES[scope]
    consents, agreed = WORDS[said]
    expected = state if reaches and (state == "REJECTED" or before_consent or not agreed) else None
    assert standing_objection([Objection(state, *scope)], consents, FACTS) == expected


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
    assert standing_objection(objections, (), FACTS) == expected
    assert standing_objection(objections[::-1], (), FACTS) == expected


def test_a_consent_outweighs_the_general_and_leaves_the_specific() -> None:
    general, specific = Objection("UPHELD"), Objection("PENDING", "wmo-levering", CARE)
    assert standing_objection([general], (YES,), FACTS) is None
    assert standing_objection([general, specific], (YES,), FACTS) == "PENDING"
    assert standing_objection([general, replace(specific, state="REJECTED")], (YES,), FACTS) is None


@pytest.mark.parametrize("fields", [(), None])
def test_what_names_no_data_is_not_what_was_agreed_to(fields: tuple[Field, ...] | None) -> None:
    assert standing_objection([Objection("PENDING")], (YES,), replace(FACTS, fields=fields)) == "PENDING"


def test_without_a_moment_no_consent_is_in_force() -> None:
    assert standing_objection([Objection("PENDING")], (YES,), replace(FACTS, now=None)) == "PENDING"
