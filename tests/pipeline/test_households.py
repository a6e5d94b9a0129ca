"""Memberships on a real shard: whose yes binds on which birthday, and a commit that fails lost or kept."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.consent import ConsentState
from exchange.domain.household import BeginMembership, begin_membership
from exchange.domain.household.events import MembershipEnded
from exchange.domain.limits.compartments import Compartments
from exchange.domain.limits.seals import Seal
from exchange.domain.representation.state import Dispute, Judgement, Representation, Representative
from exchange.domain.resident import ResidentState
from exchange.domain.values import Author, ConsentKind, ConsentStatus, Purpose
from exchange.errors import RuleBroken, StoreUnavailable
from exchange.pipeline.apart import is_kept_apart
from exchange.pipeline.households import member_shown
from exchange.pipeline.speakers import binds, refuse_not_to_end, refuse_undecided
from exchange.pipeline.walk import Steps
from tests.golden.write_missing import META
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.shard import NOW, Shard

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.pipeline.walk import View

TODAY = NOW.date()
A_DAY = timedelta(days=1)
PORTAL = "00000003271543200000"
MOTHER = Representative(
    representative_id="e1",
    person_oin=PORTAL,
    person="ouder-1",
    relation="parent",
    gezag="gezamenlijk_ouderlijk",
    evidence_source="brp",
    source_reference="brp-1",
    source_date=TODAY,
    start_date=date(2020, 1, 1),
    end_date=None,
    origin="college:WMO@00000001003214345000",
)
HIMSELF = Author(PORTAL, "betrokkene", "burger-1")
AS_PARENT = Author(PORTAL, "wettelijk-vertegenwoordiger", "ouder-1")


def born(age: int, *, days_ago: int = 0) -> date:
    """Return the birthday of who turned this age so many days ago."""
    return date(TODAY.year - age, TODAY.month, TODAY.day) - days_ago * A_DAY


def child(birth_date: date, **people: Any) -> ResidentState:  # noqa: ANN401 -- any field of the representation
    told: dict[str, Any] = {"representatives": (MOTHER,)}
    return ResidentState("r", birth_date, capable=True, representation=Representation(**(told | people)))


def said(*words: str, authority: tuple[str, ...] = ()) -> ConsentState:
    return ConsentState(
        consent_id="t",
        case_id="c",
        resident="r",
        origin="college:WMO@00000001003214345000",
        kind=ConsentKind.STATUTORY,
        purpose=Purpose.WMO_AFSTEMMING,
        recipients=("00000001003214345000/college:WMO",),
        categories=("NETWERK",),
        start_time=NOW - A_DAY,
        end_time=NOW + A_DAY,
        notice_id="n",
        notice_sha256="00" * 32,
        state=ConsentStatus.GIVEN,
        given_by=words,
        authority=authority,
    )


BY_CHILD, BY_MOTHER = said("self"), said("parent", authority=("e1",))


@pytest.mark.parametrize(
    ("birth_date", "himself", "mother"),
    [
        (born(9), False, True),
        (born(12, days_ago=-1), False, True),
        (born(12), True, False),
        (born(14), True, False),
        (born(16), True, False),
        (born(18), True, False),
    ],
)
def test_who_decides_about_a_part_in_the_family_changes_on_the_twelfth_birthday(
    birth_date: date,
    himself: bool,  # noqa: FBT001 -- what is expected
    mother: bool,  # noqa: FBT001 -- what is expected
) -> None:
    known = child(birth_date)
    assert binds(known, BY_CHILD, TODAY) is himself
    assert binds(known, BY_MOTHER, TODAY) is mother
    for author, decides in ((HIMSELF, himself), (AS_PARENT, mother)):
        if decides:
            refuse_undecided(known, BY_CHILD, author, TODAY)
            continue
        with pytest.raises(RuleBroken) as refused:
            refuse_undecided(known, BY_CHILD, author, TODAY)
        assert refused.value.metadata["rule"] == "NOT_TO_DECIDE"


def test_what_does_not_show_that_somebody_decides_binds_nobody() -> None:
    known = child(born(9))
    assert not binds(child(born(9), representatives=()), BY_MOTHER, TODAY)
    assert not binds(child(born(9), representatives=(replace(MOTHER, end_date=TODAY),)), BY_MOTHER, TODAY)
    old = replace(MOTHER, source_date=TODAY - 93 * A_DAY)
    assert not binds(child(born(9), representatives=(old,)), BY_MOTHER, TODAY)
    assert binds(
        child(born(9), representatives=(replace(old, source_date=TODAY - 92 * A_DAY),)), BY_MOTHER, TODAY
    )
    dispute = Dispute("d", "t", Purpose.WMO_AFSTEMMING, "e1", "e2")
    assert not binds(child(born(9), disputes=(dispute,)), BY_MOTHER, TODAY)
    assert binds(child(born(14), disputes=(dispute,)), BY_CHILD, TODAY)
    assert binds(child(born(9), disputes=(replace(dispute, purpose="wgs-plan"),)), BY_MOTHER, TODAY)
    with pytest.raises(RuleBroken):
        refuse_undecided(known, BY_MOTHER, replace(AS_PARENT, professional="ouder-2"), TODAY)


def test_a_judgement_of_capacity_that_is_over_binds_nobody_until_there_is_a_new_one() -> None:
    judged = Judgement("consent", capable=False, until=TODAY + A_DAY, at=NOW)
    assert not binds(child(born(14), judgements=(judged,)), BY_CHILD, TODAY)
    assert binds(child(born(14), judgements=(judged,)), BY_MOTHER, TODAY)
    over = replace(judged, until=TODAY)
    for consent in (BY_CHILD, BY_MOTHER):
        assert not binds(child(born(14), judgements=(over,)), consent, TODAY)


def test_a_representative_ends_what_he_gave_or_decides_about_and_nothing_else() -> None:
    for known, consent in ((child(born(9)), BY_MOTHER), (child(born(14)), BY_MOTHER)):
        refuse_not_to_end(known, consent, AS_PARENT, TODAY)
    refuse_not_to_end(child(born(9)), BY_MOTHER, HIMSELF, TODAY)
    with pytest.raises(RuleBroken):
        refuse_not_to_end(child(born(14)), BY_CHILD, AS_PARENT, TODAY)


@pytest.mark.parametrize("sealed", [False, True])
def test_the_leaf_of_a_sealed_membership_is_found_by_no_key_of_his_own(
    sealed: bool,  # noqa: FBT001 -- both sides
) -> None:
    seals = (Seal("s", ("membership",) if sealed else ("goals.goal_id",), (), ("x/y/z",)),)
    kept = Compartments.of(seals).in_person
    ended = MembershipEnded(resident="r", membership_id="m", reason="own_wish", at=NOW)
    assert is_kept_apart(ended, META, kept) is sealed


@pytest.mark.parametrize("fault", ["lost", "kept"])
def test_a_membership_is_on_both_streams_or_on_none(tmp_path: Path, fault: str) -> None:
    shard = Shard(tmp_path)
    ref, case_id, plan_id = shard.plan()
    membership_id, household_id = str(uuid.uuid4()), str(uuid.uuid4())
    order = BeginMembership(
        now=NOW,
        author=shard.author(),
        membership_id=membership_id,
        household_id=household_id,
        resident=ref,
        case_id=case_id,
        plan_id=plan_id,
        role="parent",
        consent_id="t",
        opens=True,
    )

    def process(view: View) -> Steps:
        household = view.state(f"household-{household_id}")
        return Steps(begin_membership(order, household, consented=True))

    walk = shard.walk(process=process, anchor=f"plan-{plan_id}", fields=(("role", "NETWERK"),))
    recorder = faulty_recorder(shard)
    recorder.faults = [fault]
    (outcome,) = shard.run(walk)
    assert isinstance(outcome, StoreUnavailable) is (fault == "lost")
    state = shard.core.loader.load
    for stream in (f"household-{household_id}", f"membership-{membership_id}"):
        assert (state(stream).state is None) is (fault == "lost")
    shard.done(walk)
    topics = shard.topics()
    for topic in ("household.opened.v1", "household.member_added.v1", "membership.begun.v1"):
        assert topics.count(topic) == 1
    # A household is about nobody: it is linked to no resident, and the membership is.
    assert shard.core.reader.scope(ref).streams.count(f"membership-{membership_id}") == 1
    assert f"household-{household_id}" not in shard.core.reader.scope(ref).streams
    # Nobody is shown a membership whose consent is not there.
    view: Any = _Loaded(shard)
    assert member_shown(view, membership_id, shard.caller(), NOW) is None
    shard.verified()


class _Loaded:
    """A view of what is in the store."""

    def __init__(self, shard: Shard) -> None:
        self._load = shard.core.loader.load

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        return self._load(stream).state
