"""Every leaf of a plan is corrected, or says why it is not: no new element is forgotten."""

from __future__ import annotations

import pytest

from exchange.domain.plan import PLAN
from exchange.domain.plan.correctable import FIELDS, NOT_CORRECTED, NotCorrected
from exchange.domain.plan.corrections import PlanCorrected
from exchange.domain.plan.events import PlanEvent
from exchange.domain.plan.received import ElementsReceived
from exchange.domain.plan.rectified import NAMED_BY
from exchange.pipeline.apart import COLLECTION_OF
from exchange.server.contract.plans import PLAN_COLLECTIONS

# These bring or change what other events hold, and hold no leaf of their own.
OF_OTHERS = (PlanCorrected, ElementsReceived)
SHOWN = frozenset(leaf for leaves in PLAN_COLLECTIONS.values() for leaf in leaves)


def sealed_leaves() -> frozenset[str]:
    """Return what the events of a plan seal, by collection and field."""
    return frozenset(
        f"{COLLECTION_OF[event.TOPIC.rpartition('.v')[0]]}.{field}"
        for event in PLAN.events
        if issubclass(event, PlanEvent) and event not in OF_OTHERS
        for field in event.SEALED
    )


def undecided(leaves: frozenset[str]) -> list[str]:
    return sorted(leaves - FIELDS.keys() - NOT_CORRECTED.keys())


def test_every_leaf_the_contract_shows_is_corrected_or_says_why_not() -> None:
    assert len(SHOWN) > len(NOT_CORRECTED)
    assert undecided(SHOWN) == [], "add it to FIELDS, or to NOT_CORRECTED with its reason"
    assert undecided(SHOWN | {"goals.colour"}) == ["goals.colour"]


def test_every_personal_leaf_of_an_event_is_corrected_or_says_why_not() -> None:
    assert undecided(sealed_leaves()) == []
    assert {"trajectories.step", "signals.arrears_cents"} <= sealed_leaves()


def test_nothing_is_both_and_nothing_is_named_that_is_nowhere() -> None:
    assert FIELDS.keys() & NOT_CORRECTED.keys() == set()
    assert FIELDS.keys() <= SHOWN
    unshown = {leaf for leaf, why in NOT_CORRECTED.items() if why is NotCorrected.UNSHOWN}
    assert NOT_CORRECTED.keys() - SHOWN == unshown


@pytest.mark.parametrize("collection", sorted(PLAN_COLLECTIONS))
def test_a_collection_of_which_something_is_corrected_names_its_elements(collection: str) -> None:
    corrected = any(path.startswith(f"{collection}.") for path in FIELDS)
    assert corrected is (collection in NAMED_BY)
