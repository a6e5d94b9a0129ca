"""Laws of the limits on a resident's data, for any sequence of commands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given as for_all
from hypothesis import strategies as st

from exchange.domain.limits.objections import DecideObjection, Object
from exchange.domain.limits.restrictions import AnnounceLifting, LiftRestriction, Restrict
from exchange.domain.limits.seals import CompartmentSealed, ConfirmSeal, LiftSeal, SealLifted
from exchange.domain.resident import RESIDENT
from tests.domain.builders import CONSULENT, NOON, PROVIDER, REGISTER
from tests.domain.test_laws import STEPS_MAX, obey
from tests.domain.test_limits import SEAL

if TYPE_CHECKING:
    from exchange.domain.kernel import Command

SCOPES = st.fixed_dictionaries(
    {
        "purpose": st.sampled_from(["", "wmo-onderzoek"]),
        "recipient": st.sampled_from(["", f"{PROVIDER}/wmo-aanbieder"]),
    }
)
TWO_PEOPLE = st.sampled_from([CONSULENT, replace(CONSULENT, professional="p-2")])
NAMES = st.sampled_from(["s-1", "s-2"])
RESIDENT_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda capable: replace(REGISTER, capable=capable), st.booleans()),
    st.builds(lambda name, who: replace(SEAL, proposal_id=name, author=who), NAMES, TWO_PEOPLE),
    st.builds(ConfirmSeal, now=st.just(NOON), author=TWO_PEOPLE, proposal_id=NAMES),
    st.builds(
        LiftSeal,
        now=st.just(NOON),
        author=TWO_PEOPLE,
        proposal_id=st.just("s-3"),
        compartment=NAMES,
        reason=st.just("Niet meer nodig."),
    ),
    st.builds(
        lambda name, scope: Restrict(
            now=NOON, author=CONSULENT, restriction_id=name, reason="Juistheid betwist.", **scope
        ),
        NAMES,
        SCOPES,
    ),
    st.builds(
        AnnounceLifting,
        now=st.just(NOON),
        author=st.just(CONSULENT),
        restriction_id=NAMES,
        how=st.just("letter"),
    ),
    st.builds(
        LiftRestriction,
        now=st.just(NOON),
        author=st.just(CONSULENT),
        restriction_id=NAMES,
        reason=st.just("Nagegaan."),
    ),
    st.builds(
        lambda name, scope: Object(now=NOON, author=CONSULENT, objection_id=name, **scope), NAMES, SCOPES
    ),
    st.builds(
        DecideObjection,
        now=st.just(NOON),
        author=st.just(CONSULENT),
        objection_id=NAMES,
        outcome=st.sampled_from(["UPHELD", "REJECTED"]),
        reason=st.sampled_from(["", "Zie brief."]),
    ),
)


@for_all(commands=st.lists(RESIDENT_COMMANDS, max_size=STEPS_MAX))
def test_a_resident_keeps_birth_date_and_one_limit_for_each_scope(commands: list[Command]) -> None:
    def holds(before: Any, after: Any) -> None:  # noqa: ANN401 -- the folded states
        assert after.birth_date == REGISTER.birth_date
        assert len({one.scope for one in after.objections}) == len(after.objections)
        scopes = [(one.purpose, one.recipient) for one in after.restrictions]
        assert len(set(scopes)) == len(scopes)
        assert {one.status for one in after.objections} <= {"PENDING", "UPHELD", "REJECTED"}
        # Nothing is hidden, and nothing comes to light, by what one person says.
        if before is not None and len(after.seals) != len(before.seals):
            assert len(after.proposals) < len(before.proposals)

    history = obey(RESIDENT, [REGISTER, *commands], holds)
    assert history[0].resident == REGISTER.resident
    for event in history:
        if isinstance(event, CompartmentSealed | SealLifted):
            assert len(set(event.approved_by)) == 2
