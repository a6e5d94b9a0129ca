"""Which leaves the resident's own key does not find: on both sides of each line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from exchange.domain.case import ProfessionalJoined
from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.limits.compartments import LEAVES_OF, Compartments, sealed_with
from exchange.domain.limits.seals import CompartmentSealed, Seal, SealLifted, SealProposed
from exchange.domain.obligations import Duty
from exchange.domain.plan import PlanCorrected
from exchange.domain.plan.events import GoalSet, ReportReceived
from exchange.domain.rights.corrections import RightsRectified
from exchange.domain.rights.recipients import RightsRecipientTold
from exchange.domain.rights.restricting import RestrictionConfirmed, RestrictionRecipientTold
from exchange.pipeline.apart import is_kept_apart
from tests.golden.write_missing import META, sample
from tests.pipeline.shard import COLLECTIONS

if TYPE_CHECKING:
    from exchange.domain.kernel import Event

READER = "00000001003214345000/college:WMO/w-2"
GOALS = tuple(sorted(COLLECTIONS["goals"]))
GOALS_BUT_ONE = tuple(path for path in GOALS if path != "goals.own_words")
GOAL, REPORT = sample(GoalSet), sample(ReportReceived)
ASKED = sample(DisclosureDecided)
assert isinstance(ASKED, DisclosureDecided)
DECIDED = replace(ASKED, action="READ", purpose="wmo-onderzoek", obligations=("LOG",), released=())


def apart(event: Event, *seals: Seal, **said: Any) -> bool:  # noqa: ANN401 -- any word of a walk
    return is_kept_apart(event, msgspec.structs.replace(META, **said), Compartments.of(seals).in_person)


def sealed(paths: tuple[str, ...] = GOALS, *readers: str) -> Seal:
    return Seal("s-1", paths, (), readers or (READER,))


def test_what_is_not_kept_from_the_resident_is_found_by_his_key() -> None:
    assert not any(apart(one) for one in (GOAL, REPORT, DECIDED, sample(ProfessionalJoined)))


@pytest.mark.parametrize("kind", [SealProposed, CompartmentSealed, SealLifted])
def test_what_is_done_about_seals_is_apart(kind: type[Event]) -> None:
    assert apart(sample(kind))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"task": "veilig-thuis"}, True),
        ({"task": "crisisdienst"}, False),
        ({"purpose": "vt-onderzoek"}, True),
        ({"purpose": "acute-nood"}, False),
        ({"legal_basis": "SEAL-32@1"}, True),
        ({"legal_basis": "SEAL-32"}, True),
        ({"legal_basis": "SEAL-321@1"}, False),
    ],
)
def test_a_walk_that_tells_of_a_seal_or_an_investigation_is_apart(said: dict[str, str], kept: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    assert apart(GOAL, **said) is kept


def test_who_is_let_in_for_veilig_thuis_is_apart() -> None:
    joined = sample(ProfessionalJoined)
    assert isinstance(joined, ProfessionalJoined)
    assert apart(replace(joined, task="veilig-thuis"))
    assert not apart(replace(joined, task="wmo-aanbieder"))


@pytest.mark.parametrize("duty", Duty)
def test_a_decision_that_is_told_later_or_never_is_apart(duty: Duty) -> None:
    kept = duty in {Duty.DEFER_NOTICE_4W, Duty.NO_NOTICE_TO_SUSPECT}
    assert apart(replace(DECIDED, obligations=("LOG", duty))) is kept


def test_trying_to_seal_is_apart_on_whatever_basis_and_asking_for_such_fields_is_not() -> None:
    names = ("paths", "readers")
    assert apart(replace(DECIDED, action="COMMAND", withheld=names))
    assert apart(replace(DECIDED, action="EVALUATE", withheld=names))
    assert not apart(replace(DECIDED, action="READ", withheld=names))
    assert not apart(replace(DECIDED, action="COMMAND", withheld=("paths",)))


def test_what_changes_a_collection_that_is_wholly_sealed_to_the_resident_is_apart() -> None:
    assert apart(GOAL, sealed())
    assert not apart(REPORT, sealed())
    # A part of it is not all: the element shows, and so does its leaf.
    assert not apart(GOAL, sealed(GOALS_BUT_ONE))
    # Two seals together seal all of it.
    assert apart(GOAL, sealed(GOALS_BUT_ONE), sealed(("goals.own_words",)))


def test_a_seal_from_before_there_were_statements_seals_all_there_was() -> None:
    before = tuple(path for path in GOALS if path != "goals.statement")
    assert len(before) == len(GOALS) - 1
    assert apart(GOAL, sealed(before))
    assert "goals.statement" in sealed_with("goals.target_date")
    assert sealed_with("supports.kind") == ("supports.kind",)


def test_a_correction_is_apart_as_what_it_corrects_and_so_is_word_of_it() -> None:
    corrected = replace(sample(PlanCorrected), collection="goals")  # type: ignore[call-arg] # its own field
    told = replace(sample(RightsRecipientTold), paths=("goals.own_words",))  # type: ignore[call-arg] # its own field
    noted = replace(sample(RightsRectified), paths=("goals.own_words",))  # type: ignore[call-arg] # its own field
    for event in (corrected, told, noted):
        assert apart(event, sealed())
        assert not apart(event)
        assert not apart(event, sealed(GOALS_BUT_ONE))
    assert not apart(replace(corrected, collection="reports"), sealed())  # type: ignore[call-arg] # its own field


@pytest.mark.parametrize(
    ("reader", "kept"),
    [
        ("00000001003214345000/betrokkene", False),
        ("00000001003214345000/betrokkene/burger-1", False),
        ("00000001003214345000/wettelijk-vertegenwoordiger", True),
        ("00000001003214345000/betrokkene-2", True),
    ],
)
def test_what_the_resident_reads_behind_a_seal_is_his_to_find(reader: str, kept: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    assert apart(GOAL, sealed(GOALS, reader)) is kept


def test_the_delivery_of_such_a_change_is_apart_and_a_question_about_it_is_not() -> None:
    delivered = replace(DECIDED, action="SUBSCRIBE", released=("goals.own_words",))
    assert apart(delivered, sealed())
    assert not apart(delivered)
    assert not apart(replace(delivered, action="READ"), sealed())
    assert not apart(replace(delivered, released=("reports.desk", "plan_id")), sealed())


@pytest.mark.parametrize("task", ["wmo-aanbieder", "school"])
def test_what_is_told_to_a_recipient_is_apart_where_its_link_is_sealed(task: str) -> None:
    told = sample(RightsRecipientTold)
    assert isinstance(told, RightsRecipientTold)
    of_shelter = replace(told, organisation="00000004000000000000", task=task)
    link = sealed(("link:00000004000000000000/wmo-aanbieder",))
    assert apart(of_shelter, link) is (task == "wmo-aanbieder")
    assert not apart(of_shelter)


@pytest.mark.parametrize("kind", [RestrictionRecipientTold, RestrictionConfirmed])
def test_word_of_a_restriction_to_who_got_it_for_an_investigation_alone_is_apart(kind: type[Event]) -> None:
    found = sample(kind)
    assert isinstance(found, RestrictionRecipientTold | RestrictionConfirmed)
    told = replace(found, task="wmo-aanbieder", apart=False)
    assert not apart(told)
    assert apart(replace(told, apart=True))
    assert apart(replace(told, task="veilig-thuis"))


def test_the_leaves_of_a_collection_are_those_of_the_contract() -> None:
    assert dict(LEAVES_OF) == COLLECTIONS
