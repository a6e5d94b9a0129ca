"""A plan as it was known: the fold of what was recorded by then, whatever is remembered on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.kernel import with_changes
from exchange.domain.plan import DescribeSituation
from exchange.errors import Unavailable
from exchange.gate.register import Register
from exchange.pipeline import hot, past_plans
from exchange.pipeline.elements import Asker, PlanGroups
from exchange.pipeline.facts import FRESH_FACTOR_S_MAX
from exchange.pipeline.hot import PAST_PREFIX
from exchange.pipeline.past import Past as SecondEngine
from exchange.pipeline.past_plans import AsItWas, Past, PastPlans
from exchange.pipeline.telling import is_refused_of_anybody
from exchange.pipeline.walk import Claim, ReadOutcome
from exchange.server.contract.plans import PLAN_LABELS
from tests.domain.test_corrections import order, plan
from tests.domain.test_rectified import lived
from tests.pipeline.erasing import approving, erased, proposed
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exchange.store.batch import Row
    from tests.pipeline.shard import Shard

DOMAINS = ("housing", "finance", "social_network", "use_of_time")
MINUTE = timedelta(minutes=1)
GLASS = Claim("acute-nood", "AVG-6.1.d", "", ("LEVENSGEVAAR", "De buurvrouw hoort al dagen niets meer."))
FRESH = NOW + timedelta(seconds=FRESH_FACTOR_S_MAX)


@pytest.fixture(autouse=True)
def near_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot, "EVENTS_PER_MARK", 4)
    # No multiple of it: marks and pages end at different events.
    for room in (hot, past_plans):
        monkeypatch.setattr(room, "ROWS_PER_PAGE", 7)


def described(
    shard: Shard, plan_id: str, points: int, at: datetime = NOW, life_domain: str = "finance"
) -> None:
    order = DescribeSituation(
        now=at,
        author=shard.author(),
        life_domain=life_domain,
        description=f"stand {points}",
        score=points,
        judge_date=date(2026, 3, 2),
    )
    shard.done(shard.command(order, "plan", plan_id, anchor=f"plan-{plan_id}", now=at))


def long_plan(shard: Shard, events: int = 13) -> tuple[str, str]:
    """Return a resident whose plan has something new every minute."""
    ref, _, plan_id = shard.plan()
    for number in range(events):
        described(shard, plan_id, 1 + number % 5, NOW + (number + 1) * MINUTE, DOMAINS[number % 4])
    return ref, plan_id


def past_of(shard: Shard) -> PastPlans:
    return shard.core.past


def test_at_every_moment_it_is_what_was_folded_by_then(shard: Shard) -> None:
    _, plan_id = long_plan(shard)
    stream = f"plan-{plan_id}"
    rows = shard.core.reader.tail(stream).rows
    # A second fold that shares no code with the marks.
    second = SecondEngine(shard.core.reader, shard.core.codec)
    expected = {NOW - MINUTE: None}
    for row in rows:
        _, meta, _ = shard.core.codec.decode_clear(row.state, stream=stream, topic=row.topic)
        expected[meta.at] = second.at(row.position).state(stream)
    assert len(expected) == 15
    past = past_of(shard)
    for moment, state in [*expected.items(), *reversed(expected.items())]:
        assert past.as_of(stream, moment) == state
        assert past.as_of(stream, moment + MINUTE / 2) == state
    assert past.as_of(stream, NOW + timedelta(days=900)) == shard.core.loader.load(stream).state


def test_marks_are_kept_folded_on_and_are_near(shard: Shard) -> None:
    _, plan_id = long_plan(shard, 9)
    stream, past = f"plan-{plan_id}", past_of(shard)
    past.as_of(stream, NOW + timedelta(days=1))
    entry = shard.core.hot.peek(PAST_PREFIX + stream)
    assert entry is not None
    assert [mark.version for mark in entry.state] == [4, 8]
    for number in range(6):
        described(shard, plan_id, 5, NOW + (20 + number) * MINUTE)
    last = past.as_of(stream, NOW + timedelta(days=1))
    grown = shard.core.hot.peek(PAST_PREFIX + stream)
    assert grown is not None
    assert [mark.version for mark in grown.state] == [4, 8, 12, 16]
    assert grown.state[:2] == entry.state
    assert last == shard.core.loader.load(stream).state


def test_who_opens_a_plan_leaves_the_marks_of_its_past(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    ref, plan_id = long_plan(shard, 20)
    stream, past, hot_states = f"plan-{plan_id}", past_of(shard), shard.core.hot
    past.as_of(stream, NOW + timedelta(days=900))
    folded = hot_states.peek(PAST_PREFIX + stream)
    assert folded is not None
    hot_states.evict((PAST_PREFIX + stream,))
    opened = shard.core.loader.load(stream)
    left = hot_states.peek(PAST_PREFIX + stream)
    assert left is not None
    assert (left.state, left.as_of, left.size, left.settled) == (
        folded.state,
        folded.as_of,
        folded.size,
        True,
    )
    assert (opened.version, opened.as_of) == shard.core.reader.last_version(stream)[::-1]
    # And folds no more than from the nearest of them.
    codec, opened_since = shard.core.codec, []

    def counted(name: str, rows: Iterable[Row]) -> Any:  # noqa: ANN401 -- as the method
        some = list(rows)
        opened_since.extend(some)
        return type(codec).read(codec, name, some)

    monkeypatch.setattr(codec, "read", counted)
    assert past.as_of(stream, NOW + 9 * MINUTE).version == 11
    assert len(opened_since) <= hot.EVENTS_PER_MARK
    monkeypatch.undo()
    # What is marked already is not marked again; of other streams there are none.
    shard.core.loader.load(stream)
    assert hot_states.peek(PAST_PREFIX + stream) is left
    shard.core.loader.load(f"resident-{ref}")
    assert hot_states.peek(f"{PAST_PREFIX}resident-{ref}") is None


def test_no_more_is_folded_than_up_to_the_moment_that_is_asked(shard: Shard) -> None:
    _, plan_id = long_plan(shard, 20)
    stream, past = f"plan-{plan_id}", past_of(shard)
    # Version 3 was recorded a minute after the report, which is two events.
    for minutes, marks in (
        (1, [4]),
        (1, [4]),
        (5, [4, 8]),
        (6, [4, 8, 12]),
        (0, [4, 8, 12]),
        (99, [4, 8, 12, 16, 20]),
    ):
        found = past.as_of(stream, NOW + minutes * MINUTE)
        assert found.version == min(2 + minutes, 22)
        entry = shard.core.hot.peek(PAST_PREFIX + stream)
        assert entry is not None
        assert [mark.version for mark in entry.state] == marks
        assert entry.as_of == shard.core.reader.tail(stream, marks[-1] - 1, 1).rows[0].position
    other = shard.core.hot
    other.evict((PAST_PREFIX + stream,))
    assert [one.version for one in past.steps(stream, 8, 3)] == [9, 10, 11]
    entry = other.peek(PAST_PREFIX + stream)
    assert entry is not None
    assert [mark.version for mark in entry.state] == [4, 8]


def test_pages_of_what_happened_join_without_gap_or_overlap(shard: Shard) -> None:
    _, plan_id = long_plan(shard)
    stream, past = f"plan-{plan_id}", past_of(shard)
    whole = past.steps(stream, 0, 100)
    assert [one.version for one in whole] == list(range(1, 16))
    for size in (1, 3, 4, 5):
        found: list[Any] = []
        while page := past.steps(stream, len(found), size):
            found += page
        assert found == whole
    assert whole[-1].state == shard.core.loader.load(stream).state
    assert {one.by for one in whole} == {f"{shard.oin}/college:WMO"}


def test_a_clock_that_was_set_back_moves_nothing_to_before_what_was_there(shard: Shard) -> None:
    _, plan_id = long_plan(shard, 3)
    stream = f"plan-{plan_id}"
    # After a restart with a clock some minutes slow.
    again = shard.reopen()
    try:
        described(again, plan_id, 5, NOW + MINUTE / 2, "housing")
        before = again.core.past.as_of(stream, NOW + 2 * MINUTE)
        assert before.version == 4
        assert again.core.past.as_of(stream, NOW + 3 * MINUTE).version == 6
    finally:
        again.close()


# --- erasure ------------------------------------------------------------------------------------------------


def test_what_was_remembered_goes_with_the_keys(shard: Shard) -> None:
    for categories in ((), ("SCHULDEN",)):
        ref, plan_id = long_plan(shard, 9)
        stream, past = f"plan-{plan_id}", past_of(shard)
        was = past.as_of(stream, NOW + timedelta(days=1))
        assert {one.life_domain for one in was.situations} == set(DOMAINS)
        assert shard.core.hot.peek(PAST_PREFIX + stream) is not None
        erased(shard, ref, **({"categories": categories, "kept": ("legal_claim",)} if categories else {}))
        assert shard.core.hot.peek(PAST_PREFIX + stream) is None
        if categories:
            left = past.as_of(stream, NOW + timedelta(days=1))
            assert {one.life_domain for one in left.situations} == set(DOMAINS) - {"finance"}


@pytest.mark.parametrize("opens", [False, True])
def test_what_was_folded_before_an_erasure_is_not_kept_after_it(
    shard: Shard, monkeypatch: pytest.MonkeyPatch, *, opens: bool
) -> None:
    ref, plan_id = long_plan(shard, 9)
    stream, past = f"plan-{plan_id}", past_of(shard)
    put = shard.core.hot.put

    def late(name: str, entry: Any) -> None:  # noqa: ANN401 -- an entry
        # The erasure comes and is done between the fold and this.
        monkeypatch.undo()
        erased(shard, ref, categories=("SCHULDEN",), kept=("legal_claim",))
        put(name, entry)

    monkeypatch.setattr(shard.core.hot, "put", late)
    if opens:
        shard.core.loader.load(stream)
    else:
        past.as_of(stream, NOW)
    assert shard.core.hot.peek(PAST_PREFIX + stream) is None


def test_an_answer_folded_before_an_erasure_is_not_given_after_it(shard: Shard) -> None:
    ref, plan_id = long_plan(shard)
    stream, past = f"plan-{plan_id}", past_of(shard)
    stands = past.witness()
    was = Past(past.as_of(stream, NOW + timedelta(days=1)), folded=True, stands=stands)
    asked = shard.question(plan_id, "situations.description", past=was)
    assert isinstance(shard.done(asked), ReadOutcome)
    erased(shard, ref, categories=("SCHULDEN",), kept=("legal_claim",))
    (told,) = shard.run(replace(asked))
    assert isinstance(told, Unavailable)


def test_behind_an_erasure_in_its_group_there_is_nobody(shard: Shard) -> None:
    ref, plan_id = long_plan(shard)
    past = past_of(shard)
    was = Past(past.as_of(f"plan-{plan_id}", NOW), folded=True, stands=past.witness())
    erasure_id = proposed(shard, ref)
    _, told = shard.run(approving(shard, ref, erasure_id, "prof-3"), shard.question(plan_id, past=was))
    assert not isinstance(told, ReadOutcome)


def test_what_is_past_its_term_now_is_past_it_for_then_too(shard: Shard) -> None:
    _, plan_id = long_plan(shard, 3)
    stream, past = f"plan-{plan_id}", past_of(shard)
    was = Past(past.as_of(stream, NOW + MINUTE), folded=True, stands=past.witness())
    groups = PlanGroups(PLAN_LABELS, shard.core.registers)
    for years, permitted in ((14, True), (15, False)):
        now = NOW.replace(year=NOW.year + years) + timedelta(hours=1)
        asker = Asker(shard.caller(), "WMO-2.3.2", now)
        asked = shard.question(
            plan_id,
            "situations.score",
            now=now,
            past=was,
            groups=groups.of_plan(stream, asker),
            capture=lambda view, now=now: groups.within_term(stream, view.state(stream), now),
        )
        (told,) = shard.run(asked)
        assert isinstance(told, ReadOutcome) == permitted
        if isinstance(told, ReadOutcome):
            assert [one.score for one in told.captured.situations] == [1]
        else:
            assert "R30" in told.rules


def test_only_the_plan_itself_is_of_then(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    view = shard.core.loader

    class Now:
        def state(self, stream: str) -> Any:  # noqa: ANN401 -- any state
            return view.load(stream).state

        def version(self, stream: str) -> int:
            return view.load(stream).version

        def scope(self, resident: str) -> tuple[str, ...]:
            streams: tuple[str, ...] = view.load(f"scope-{resident}").state
            return streams

        def derive(self, _stream: str, _name: object, make: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401 -- whatever is made
            return make({})

    now = Now()
    then = with_changes(now.state(f"plan-{plan_id}"), version=77)
    seen = AsItWas(now, f"plan-{plan_id}", Past(then, folded=True))
    assert seen.state(f"plan-{plan_id}").version == 77
    assert seen.state(f"case-{case_id}") == now.state(f"case-{case_id}")
    assert seen.version(f"plan-{plan_id}") == 2
    assert seen.scope(ref) == now.scope(ref)
    assert AsItWas(now, "plan-unknown", Past(then, folded=True)).state("plan-unknown") is None
    assert AsItWas(now, f"plan-{plan_id}", Past()).state(f"plan-{plan_id}") is None


def test_what_was_corrected_since_is_right_without_being_asked() -> None:
    was, now = lived(plan("plan.goal_set"), order("Samen koken."))

    class Now:
        def state(self, _stream: str) -> Any:  # noqa: ANN401 -- any state
            return now

    view: Any = Now()
    seen = AsItWas(view, "plan-1", Past(was, folded=True))
    told = seen.state("plan-1")
    assert [one.own_words for one in told.goals] == ["Samen koken."]
    assert seen.state("plan-1") is told, "what is judged is what is told"
    assert was.goals[0].own_words != "Samen koken."


# --- a broken glass is judged before anything is looked up -------------------------------------------------

NOTHING_IS_OF_A_PLAN = frozenset({"WONEN"})


@pytest.mark.parametrize(
    ("path", "changes", "covered", "refused"),
    [
        ("goals.own_words", {}, None, False),
        ("trajectories.step", {}, None, True),
        ("situations.score", {}, None, False),
        ("goals.own_words", {"now": FRESH}, None, False),
        ("goals.own_words", {"now": FRESH + timedelta(seconds=1)}, None, True),
        ("goals.own_words", {"claim": replace(GLASS, purpose="wmo-onderzoek")}, None, True),
        ("goals.own_words", {"claim": replace(GLASS, break_glass=("LEVENSGEVAAR", "kort"))}, None, True),
        ("goals.own_words", {"bulk": True}, None, True),
        # A situation may be of a category that is covered, whatever where none is known.
        ("situations.score", {}, NOTHING_IS_OF_A_PLAN, False),
        ("trajectories.step", {}, NOTHING_IS_OF_A_PLAN, True),
        ("situations.score", {"bulk": True}, NOTHING_IS_OF_A_PLAN, True),
    ],
)
def test_a_broken_glass_is_refused_of_anybody_or_looked_at(
    shard: Shard, path: str, changes: dict[str, Any], covered: frozenset[str] | None, *, refused: bool
) -> None:
    register = shard.core.registers.now
    if covered is not None:
        entries = [replace(one, categories=covered) if one.break_glass else one for one in register.entries()]
        register = Register(entries)
    groups = PlanGroups(PLAN_LABELS, shard.core.registers)
    walk = shard.question(
        "0b6c1a52-8f0e-4d26-9f9f-0d8f0a6a1b11",
        path,
        **({"claim": GLASS, "bulk": False, "now": NOW} | changes),
    )
    asked = groups.of_plan(walk.anchor, Asker(walk.caller, walk.claim.legal_basis, walk.now))
    assert is_refused_of_anybody(replace(walk, groups=asked), register) is refused
