"""The checker finds each fault that is planted in a right history, and none in that history itself."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.history.check import check
from tests.history.made import AWAY_NS, STEP_NS, Made
from tests.history.record import HistoryMisread, Operation, Recorder, parse, read
from tests.history.report import Check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOVES = 400
SEEDS = (1, 2, 3)


def operations(made: Made, op: str, outcome: str = "ok") -> list[Operation]:
    return [one for one in made.operations if (one.op, one.outcome) == (op, outcome)]


def middle(made: Made, op: str, outcome: str = "ok") -> Operation:
    """Return one that was sent once, with others before and behind it."""
    sent = Counter(one.request_id for one in made.operations if one.request_id)
    found = [
        one
        for one in operations(made, op, outcome)
        if (one.mark or one.decision) and sent[one.request_id] <= 1
    ]
    return found[len(found) // 2]


def drop_entry(made: Made, position: int) -> None:
    """Take an event out of the log and close the gap, as a restore of too old a backup would."""
    del made.entries[position - 1]
    for entry in made.entries[position - 1 :]:
        entry.position -= 1


# --- the faults --------------------------------------------------------------------------------------------


def an_acknowledged_command_is_lost(made: Made) -> None:
    last = max(operations(made, "command"), key=lambda one: one.position)
    del made.entries[last.position - 1 :]


def an_acknowledged_command_is_lost_in_the_middle(made: Made) -> None:
    drop_entry(made, middle(made, "command").position)


def a_command_is_executed_twice(made: Made) -> None:
    one = middle(made, "command")
    twin = copy.copy(made.entries[one.position - 1])
    twin.position, twin.event = len(made.entries) + 1, "twin"
    made.entries.append(twin)


def an_unknown_command_is_executed_twice(made: Made) -> None:
    lost = {one.mark for one in operations(made, "command", "unknown")}
    sure = {one.mark for one in operations(made, "command")}
    entry = next(one for one in made.entries if one.mark in lost - sure)
    twin = copy.copy(entry)
    twin.position, twin.event = len(made.entries) + 1, "twin"
    made.entries.append(twin)


def a_receipt_names_another_place(made: Made) -> None:
    middle(made, "command").position += 1


def a_receipt_has_another_leaf(made: Made) -> None:
    middle(made, "command").leaf = "another"


def two_commands_have_one_receipt(made: Made) -> None:
    first = middle(made, "command")
    second = copy.copy(first)
    second.request_id, second.mark = "another", ""
    made.operations.append(second)


def a_repeat_is_answered_otherwise(made: Made) -> None:
    again = [one for one in operations(made, "command") if one.request_id]
    ids = [one.request_id for one in again]
    next(one for one in again if ids.count(one.request_id) > 1).answer = "another"


def an_acknowledged_command_is_refused_when_it_is_repeated(made: Made) -> None:
    one = middle(made, "command")
    again = copy.copy(one)
    again.outcome, again.reason, again.sent_ns = "refused", "RULE_BROKEN", one.answered_ns + 1
    made.operations.append(again)


def a_refused_command_is_recorded(made: Made) -> None:
    one = middle(made, "command")
    one.outcome, one.reason, one.decision = "refused", "STORE_UNAVAILABLE", ""


def something_nobody_sent_is_recorded(made: Made) -> None:
    entry = copy.copy(made.entries[-1])
    entry.kind, entry.position, entry.mark, entry.plan, entry.outcome = (
        "case.noted",
        entry.position + 1,
        "made-0",
        "",
        "",
    )
    made.entries.append(entry)


def a_later_command_stands_before_an_earlier_one(made: Made) -> None:
    one = middle(made, "command")
    one.sent_ns += AWAY_NS * 4 + STEP_NS
    one.answered_ns += AWAY_NS * 4 + STEP_NS


def a_read_sees_the_state_of_before_an_acknowledged_command(made: Made) -> None:
    one = next(one for one in operations(made, "read") if (one.version or 0) > 20)
    assert one.version is not None
    one.version -= 1


def a_read_misses_an_element(made: Made) -> None:
    reads = [one for one in operations(made, "read") if one.elements == "reports"]
    last, first = reads[-1], next(one for one in reads if one.plan == reads[-1].plan)
    last.chain = first.chain


def an_answer_rests_on_what_was_never_committed(made: Made) -> None:
    middle(made, "read").decision = "of nobody"


def a_read_is_released_after_a_withdrawal(made: Made) -> None:
    end = next(entry for entry in made.entries if entry.kind == "consent.withdrawn")
    refused = next(
        one
        for one in operations(made, "read", "refused")
        if int(one.decision[1:]) > end.position and one.plan == end.consent.partition("-")[0]
    )
    refused.outcome = "ok"
    entry = made.entries[int(refused.decision[1:]) - 1]
    entry.outcome, entry.released = "PERMIT", refused.fields


def a_read_is_refused_while_the_consent_stands(made: Made) -> None:
    one = next(one for one in operations(made, "read") if one.on_consent)
    one.outcome = "refused"
    entry = made.entries[int(one.decision[1:]) - 1]
    entry.outcome, entry.released = "DENY", ()


def a_read_gives_more_than_was_decided(made: Made) -> None:
    made.entries[int(middle(made, "read").decision[1:]) - 1].released = ("version",)


def a_refused_read_gives_all_the_same(made: Made) -> None:
    middle(made, "read", "refused").outcome = "ok"


def an_event_is_dated_before_what_stands_before_it(made: Made) -> None:
    made.entries[-1].at -= timedelta(hours=1)


def an_event_is_delivered_after_the_withdrawal(made: Made) -> None:
    """The last of them is judged once more, behind a withdrawal of everything that stood."""
    one = [one for one in operations(made, "event") if one.on_consent][-1]
    late = copy.copy(made.entries[int(one.decision[1:]) - 1])
    end = next(entry for entry in made.entries if entry.kind == "consent.withdrawn")
    for consent in {entry.consent for entry in made.entries if entry.kind == "consent.given"}:
        ended = copy.copy(end)
        ended.consent, ended.mark, ended.position = consent, "", len(made.entries) + 1
        made.entries.append(ended)
    late.position, late.decision = len(made.entries) + 1, "late"
    made.entries.append(late)
    one.decision = "late"


def an_event_is_delivered_twice(made: Made) -> None:
    made.operations.append(copy.copy(middle(made, "event")))


def events_are_delivered_out_of_order(made: Made) -> None:
    stream = operations(made, "event")[0].stream
    first, second = [one for one in operations(made, "event") if one.stream == stream][3:5]
    one, other = made.operations.index(first), made.operations.index(second)
    made.operations[one], made.operations[other] = second, first


def an_event_is_delivered_under_another_id(made: Made) -> None:
    middle(made, "event").event = "another"


def an_event_is_delivered_without_a_decision(made: Made) -> None:
    middle(made, "event").decision = "of nobody"


def an_event_is_delivered_that_was_refused(made: Made) -> None:
    made.entries[int(middle(made, "event").decision[1:]) - 1].outcome = "DENY"


def who_stayed_misses_an_event(made: Made) -> None:
    made.operations.remove(next(one for one in reversed(operations(made, "event")) if not one.on_consent))


def an_event_of_the_log_has_no_leaf(made: Made) -> None:
    made.entries[MOVES // 2].leaf = ""


def the_log_has_a_gap(made: Made) -> None:
    del made.entries[MOVES // 2]


PLANTED: list[tuple[Callable[[Made], None], Check]] = [
    (an_acknowledged_command_is_lost, Check.RECEIPTS),
    (an_acknowledged_command_is_lost_in_the_middle, Check.ONCE),
    (a_command_is_executed_twice, Check.ONCE),
    (an_unknown_command_is_executed_twice, Check.ONCE),
    (a_receipt_names_another_place, Check.RECEIPTS),
    (a_receipt_has_another_leaf, Check.RECEIPTS),
    (two_commands_have_one_receipt, Check.RECEIPTS),
    (a_repeat_is_answered_otherwise, Check.REPEATS),
    (an_acknowledged_command_is_refused_when_it_is_repeated, Check.REPEATS),
    (a_refused_command_is_recorded, Check.REFUSED),
    (something_nobody_sent_is_recorded, Check.INVENTED),
    (a_later_command_stands_before_an_earlier_one, Check.REAL_TIME),
    (a_read_sees_the_state_of_before_an_acknowledged_command, Check.STATE),
    (a_read_misses_an_element, Check.STATE),
    (an_answer_rests_on_what_was_never_committed, Check.DECISIONS),
    (a_read_is_released_after_a_withdrawal, Check.CONSENT),
    (a_read_is_refused_while_the_consent_stands, Check.CONSENT),
    (a_read_gives_more_than_was_decided, Check.DECISIONS),
    (a_refused_read_gives_all_the_same, Check.DECISIONS),
    (an_event_is_dated_before_what_stands_before_it, Check.TIME),
    (an_event_is_delivered_after_the_withdrawal, Check.STREAM_CONSENT),
    (an_event_is_delivered_twice, Check.STREAM_ORDER),
    (events_are_delivered_out_of_order, Check.STREAM_ORDER),
    (an_event_is_delivered_under_another_id, Check.STREAM_ORDER),
    (an_event_is_delivered_without_a_decision, Check.DECISIONS),
    (an_event_is_delivered_that_was_refused, Check.DECISIONS),
    (who_stayed_misses_an_event, Check.STREAM_WHOLE),
    (an_event_of_the_log_has_no_leaf, Check.POSITIONS),
    (the_log_has_a_gap, Check.POSITIONS),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_right_history_is_explained_and_every_check_looked_at_something(seed: int) -> None:
    made = Made(seed, MOVES)
    report = check(made.operations, made.entries)
    assert report.faults == []
    assert report.ok
    assert {one for one in Check if not report.looked_at[one]} == set()
    assert report.lines()[-1].startswith("one order of the log explains")


@pytest.mark.parametrize(("plant", "found_by"), PLANTED, ids=lambda one: getattr(one, "__name__", ""))
def test_a_planted_fault_is_found(plant: Callable[[Made], None], found_by: Check) -> None:
    made = Made(1, MOVES)
    plant(made)
    report = check(made.operations, made.entries)
    assert found_by in report.checks_failed(), report.lines()
    assert any(line.startswith(f"FAULT {found_by}") for line in report.lines())


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert {found_by for _, found_by in PLANTED} == set(Check)


def test_what_a_history_does_not_say_is_not_checked_and_told() -> None:
    """A load recorder of few words: places and times are enough for the order."""
    made = Made(1, MOVES)
    few = [
        Operation(
            client=one.client,
            op=one.op,
            request_id=one.request_id,
            sent_ns=one.sent_ns,
            answered_ns=one.answered_ns,
            outcome=one.outcome,
            position=one.position,
        )
        for one in made.operations
        if one.op not in {"opened", "event", "stayed"}
    ]
    report = check(few, made.entries)
    assert report.faults == []
    assert report.looked_at[Check.REAL_TIME] == report.looked_at[Check.RECEIPTS] > 0
    assert report.looked_at[Check.STATE] == report.looked_at[Check.CONSENT] == 0
    assert report.passed_over[Check.ONCE] > 0
    one = next(one for one in few if one.request_id == middle(made, "command").request_id)
    one.sent_ns = one.answered_ns = 2**62
    assert check(few, made.entries).checks_failed() == {Check.REAL_TIME}


def test_times_of_two_machines_are_not_compared() -> None:
    made = Made(1, MOVES)
    one = middle(made, "command")
    one.sent_ns, one.answered_ns = one.sent_ns + 2**40, one.answered_ns + 2**40
    assert Check.REAL_TIME in check(made.operations, made.entries).checks_failed()
    one.clock = "another"
    assert check(made.operations, made.entries).ok


def test_a_stream_that_goes_on_elsewhere_may_bring_again_what_is_behind_its_cursor() -> None:
    made = Made(1, MOVES)
    one = middle(made, "event")
    again = copy.copy(one)
    again.connection = 2
    opened = Operation(client="c0", op="opened", stream=one.stream, connection=2, cursor=one.position - 1)
    made.operations += [opened, again]
    assert check(made.operations, made.entries).ok
    opened.cursor = one.position
    assert check(made.operations, made.entries).checks_failed() == {Check.STREAM_ORDER}


def test_a_history_is_written_and_read_again(tmp_path: Path) -> None:
    made, recorder, file = Made(2, 50), Recorder(), tmp_path / "history.jsonl"
    for one in made.operations:
        recorder.add(one)
    recorder.write(file)
    assert read(file) == made.operations


def test_a_line_that_is_no_operation_is_named() -> None:
    good = b'{"client": "a", "op": "command", "position": null, "of_others": 1}\n'
    assert list(parse([good, b"\n"])) == [Operation(client="a", op="command")]
    for wrong in (b"{", b'{"client": "a"}', b'{"client": "a", "op": "x", "sent_ns": "soon"}', b"[]"):
        with pytest.raises(HistoryMisread, match="line 2"):
            list(parse([good, wrong]))
    with pytest.raises(HistoryMisread, match="outcome is ok, refused, unknown"):
        list(parse([b'{"client": "a", "op": "command", "outcome": "perhaps"}']))
