"""Who got data of a resident from elsewhere is told to him once, and the list of it is a fold of the events.

Source: GDPR 14(3), 14(5)(a).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.obligations import EntryDuty, Informing
from exchange.errors import KeyDestroyed, StoreUnavailable
from exchange.pipeline.registers import FollowedEntries
from exchange.projections.follower import catch_up
from exchange.projections.obligations import ObligationList, Wanted
from tests.pipeline.faults import FaultyReader
from tests.pipeline.legal_bases import NEW_BASIS, UNDER_NEW, disabling, enabled, entry_text
from tests.pipeline.shard import NOW
from tests.pipeline.test_evaluation import with_consent
from tests.projections.test_obligations import break_glass, execute, follow, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipeline.shard import Shard

REUSED = "WMO-5.1.1-4"
AT = NOW + timedelta(hours=1)
# Asked on 2 March, so in time up to the end of 2 April in the Netherlands, where summer time has begun.
DUE = datetime(2026, 4, 2, 22, tzinfo=UTC)


@pytest.fixture
def listed(shard: Shard) -> Iterator[ObligationList]:
    made = listing(shard, shard.settings.data / "list")
    yield made
    made.database.close()


def to_inform(made: ObligationList, **wanted: Any) -> list[str]:  # noqa: ANN401 -- fields of Wanted
    """Return of which decisions the resident is still to be informed."""
    asked = Wanted(duties=(EntryDuty.INFORM_14,), **({"only_open": True} | wanted))
    return [one.decision_id for one in made.page(asked, (0, ""), 100, AT)]


def opened(shard: Shard) -> tuple[str, str]:
    """Return a resident whose yes opens what the college holds under the Jeugdwet, and his plan."""
    ref, case_id, plan_id = shard.plan()
    shard.consent(ref, case_id)
    return ref, plan_id


def reuse(shard: Shard, plan_id: str, **changes: Any) -> str:  # noqa: ANN401 -- any field of a walk
    return str(shard.done(shard.question_with_consent(plan_id, **changes)).decision_id)


# --- what opens it ------------------------------------------------------------------------------------------


def test_what_was_given_from_elsewhere_is_told_within_a_month(shard: Shard, listed: ObligationList) -> None:
    ref, plan_id = opened(shard)
    decision_id = reuse(shard, plan_id)
    follow(shard, listed)
    (duty,) = listed.of_decision(decision_id)
    assert duty.duty == "INFORM-14"
    assert (duty.stream, duty.organisation, duty.task) == (f"disclosure-{ref}", shard.oin, "college:WMO")
    moment_before = timedelta(microseconds=1)
    overdue = Wanted(only_overdue=True, duties=("INFORM-14",))
    assert listed.page(overdue, (0, ""), 5, DUE - moment_before) == []
    assert [one.decision_id for one in listed.page(overdue, (0, ""), 5, DUE)] == [decision_id]


def test_once_for_a_recipient_on_a_basis_while_it_is_open_and_after_it_was_told(
    shard: Shard, listed: ObligationList
) -> None:
    ref, plan_id = opened(shard)
    first = reuse(shard, plan_id)
    reuse(shard, plan_id)
    follow(shard, listed)
    assert to_inform(listed) == [first]
    execute(shard, ref, first, "INFORM-14")
    reuse(shard, plan_id)
    follow(shard, listed)
    assert to_inform(listed) == []
    other_ref, other_plan = opened(shard)
    other = reuse(shard, other_plan)
    follow(shard, listed)
    assert to_inform(listed) == [other], f"{other_ref} knows nothing of it yet"


def test_what_was_found_not_needed_is_opened_by_the_next(shard: Shard, listed: ObligationList) -> None:
    ref, plan_id = opened(shard)
    first = reuse(shard, plan_id)
    execute(shard, ref, first, "INFORM-14", "not_needed")
    follow(shard, listed)
    assert to_inform(listed) == []
    second = reuse(shard, plan_id)
    follow(shard, listed)
    assert to_inform(listed) == [second]


def test_what_gives_nothing_from_elsewhere_opens_none(shard: Shard, listed: ObligationList) -> None:
    ref, case_id, plan_id = shard.plan()
    shard.run(shard.question_with_consent(plan_id))  # refused: nobody said yes
    consent_id = shard.consent(ref, case_id)
    shard.run(with_consent(shard, plan_id))  # a question about a right
    shard.done(shard.question(plan_id))  # what the college has of the resident himself
    break_glass(shard, plan_id)  # told of in a notice of its own
    shard.done(shard.withdrawal(consent_id))
    shard.run(shard.question_with_consent(plan_id))
    follow(shard, listed)
    assert to_inform(listed, only_open=False) == []


@pytest.mark.parametrize(
    ("direction", "duty", "opens"),
    [
        ("OBTAIN", "13", False),
        ("OBTAIN", "14", False),
        ("DISCLOSE", "13", False),
        ("DISCLOSE", "14", True),
        ("REUSE", "14", True),
        ("DISCLOSE", "DEFER:P4W", False),
    ],
)
def test_whether_the_resident_is_informed_is_said_by_the_entry(
    shard: Shard, listed: ObligationList, direction: str, duty: str, *, opens: bool
) -> None:
    _, _, plan_id = shard.plan()
    lines: dict[str, Any] = {"direction": f'"{direction}"', "information_duty": f'"{duty}"'}
    if duty.startswith("DEFER"):
        lines["permit_obligations"] = '["DEFER-NOTICE-4W", "NO-NOTICE-TO-SUSPECT"]'
    enabled(shard, entry_text(**lines))
    shard.done(shard.question(plan_id, claim=UNDER_NEW))
    follow(shard, listed)
    assert len(to_inform(listed)) == int(opens)


# --- a fold, whatever became of the register since ------------------------------------------------------


def test_rebuilt_equals_followed_whatever_the_register_says_since(
    shard: Shard, listed: ObligationList
) -> None:
    _, plan_id = opened(shard)
    enabled(shard, entry_text(direction='"DISCLOSE"', information_duty='"14"'))
    expected = [reuse(shard, plan_id)]
    expected.append(shard.done(shard.question(plan_id, claim=UNDER_NEW)).decision_id)
    follow(shard, listed)
    shard.done(disabling(shard, REUSED))
    later: dict[str, Any] = {"succeeds": "1", "valid_from": "2026-03-02", "information_duty": '"13"'}
    enabled(shard, entry_text(version=2, **later))
    follow(shard, listed)
    followed = listed.database.dump()
    assert to_inform(listed) == expected
    listed.database.forget()
    follow(shard, listed)
    assert listed.database.dump() == followed
    fresh = listing(shard, shard.settings.data / "fresh")
    follow(shard, fresh)
    assert fresh.database.dump() == followed
    fresh.database.close()


def test_rebuilt_equals_followed_when_the_keys_are_gone(shard: Shard, listed: ObligationList) -> None:
    ref, plan_id = opened(shard)
    decision_id = reuse(shard, plan_id)
    follow(shard, listed)
    followed = listed.database.dump()
    shard.core.keys.destroy(ref)
    row = shard.core.reader.tail(f"disclosure-{ref}").rows[0]
    with pytest.raises(KeyDestroyed):
        shard.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
    listed.database.forget()
    follow(shard, listed)
    assert listed.database.dump() == followed
    assert to_inform(listed) == [decision_id]


def test_an_entry_that_came_later_is_read_by_who_follows_beside(shard: Shard) -> None:
    beside = FollowedEntries(shard.core.reader, shard.core.codec)
    assert beside(REUSED, "1") == Informing("REUSE", "14")
    assert beside(NEW_BASIS, "1") is None
    enabled(shard, entry_text())
    assert beside(NEW_BASIS, "1") == Informing("OBTAIN", "13")
    assert beside(NEW_BASIS, "2") is None
    assert shard.core.registers.informing(NEW_BASIS, "1") == Informing("OBTAIN", "13")
    assert shard.core.registers.informing("", "0") is None


def test_what_cannot_be_looked_up_now_leaves_rows_and_position_as_they_were(shard: Shard) -> None:
    _, plan_id = opened(shard)
    decision_id = reuse(shard, plan_id)
    reader = FaultyReader(shard.core.reader)
    made = ObligationList(shard.settings.data / "list", FollowedEntries(reader, shard.core.codec))  # type: ignore[arg-type] # a fake that passes every call on
    before = made.database.dump()
    reader.down = True
    with pytest.raises(StoreUnavailable):
        catch_up(made, shard.core.reader, shard.core.codec)
    assert made.database.dump() == before
    reader.down = False
    catch_up(made, shard.core.reader, shard.core.codec)
    assert to_inform(made) == [decision_id]
    made.database.close()
