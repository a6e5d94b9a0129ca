"""Whether one serial order, that of the log, explains everything that clients were answered.

`python -m tests.history.check HISTORY --data DIR` prints what was looked at and every fault; exit 1 where
there is one. Promises: near-linear in operations and events; reads only; believes nothing of the service but
its log. Source: Herlihy and Wing (1990), linearizability; the order is given, so checking it needs no search.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exchange.settings import load_settings
from exchange.store.verify import verify_store
from exchange.wiring.history import open_history
from tests.history.entries import entries_of
from tests.history.log import PERMITS, Log
from tests.history.order import Point, misplaced
from tests.history.record import read
from tests.history.report import Check, Report
from tests.history.streams import check_streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.settings import Settings
    from tests.history.entries import Entry
    from tests.history.record import Operation

# Reasons that say "not now": the same request id may be answered otherwise before and after.
NOT_NOW: Final = frozenset(
    {
        "DRAINING",
        "HOLDER_AWAY",
        "KEY_MADE_ELSEWHERE",
        "KEY_UNAVAILABLE",
        "OUTCOME_OPEN",
        "OUTCOME_UNKNOWN",
        "OVERLOADED",
        "PERSON_TOKEN_INVALID",
        "QUOTA_EXCEEDED",
        "STORE_FULL",
        "STORE_UNAVAILABLE",
        "UNAVAILABLE",
    }
)
OF_STREAMS: Final = frozenset({"opened", "event", "stayed"})
READS: Final = frozenset({"read"})


def check(operations: Sequence[Operation], entries: Sequence[Entry]) -> Report:
    """Hold the answers to the log."""
    report = Report(operations=len(operations), entries=len(entries))
    log = Log(entries)
    _check_log(log, report)
    commands: defaultdict[str, list[Operation]] = defaultdict(list)
    reads: list[Operation] = []
    told: list[Operation] = []
    for number, one in enumerate(operations):
        if one.op in OF_STREAMS:
            told.append(one)
        elif one.op in READS:
            reads.append(one)
        else:
            commands[one.request_id or f"attempt {number}"].append(one)
    points = [point for attempts in commands.values() for point in _check_command(attempts, log, report)]
    _check_invented(operations, log, report)
    _check_places(points, report)
    points += [point for one in reads for point in _check_read(one, log, report)]
    points += check_streams(told, log, report)
    looked, faults = misplaced(points)
    report.looked_at[Check.REAL_TIME] += looked
    report.passed_over[Check.REAL_TIME] += len(points) - looked
    for first, then in faults:
        report.say(
            Check.REAL_TIME,
            f"{then.what} was sent after {first.what} was answered, and stands at {then.position}, "
            f"before {first.position}",
        )
    return report


# --- the log itself ----------------------------------------------------------------------------------------


def _check_log(log: Log, report: Report) -> None:
    for place, entry in enumerate(log.entries, start=1):
        report.hold(
            Check.POSITIONS,
            true=entry.position == place and bool(entry.leaf),
            what=f"event {entry.position} stands at place {place}"
            if entry.leaf
            else f"event {entry.position} has no leaf",
        )
    latest = None
    for entry in log.entries:
        if latest is not None:
            report.hold(
                Check.TIME,
                true=entry.at >= latest.at,
                what=f"event {entry.position} is dated before the command at {latest.position}",
            )
        # Of decisions on reads, and of what became of them, the service promises no such thing.
        if not entry.kind.startswith("disclosure.") and (latest is None or entry.at > latest.at):
            latest = entry


def _check_invented(operations: Sequence[Operation], log: Log, report: Report) -> None:
    """Nothing of this run is in the log that no client of it sent: a run's marks begin with one word."""
    sent = {one.mark for one in operations if one.mark}
    runs = {mark.partition("-")[0] for mark in sent if "-" in mark and " " not in mark}
    for mark in log.marks:
        if mark.partition("-")[0] in runs:
            report.hold(Check.INVENTED, true=mark in sent, what=f"nobody sent what holds {mark!r}")


# --- commands ----------------------------------------------------------------------------------------------


def _check_command(attempts: list[Operation], log: Log, report: Report) -> list[Point]:
    """Hold all attempts under one request id to the log; return where it stands, where that is known."""
    done = [one for one in attempts if one.outcome == "ok"]
    mark = next((one.mark for one in attempts if one.mark), "")
    found = log.of_mark(mark)
    open_ended = [one for one in attempts if one.outcome != "refused"]
    what = str(attempts[0])
    if done:
        _check_receipt(done[0], found, log, report)
        _check_repeats(done, attempts, report)
    elif mark and open_ended:
        report.hold(Check.ONCE, true=len(found) <= 1, what=f"{what} has no answer and is there {len(found)}x")
    elif mark:
        report.hold(
            Check.REFUSED, true=not found, what=f"{what} was refused ({attempts[-1].reason}) and is there"
        )
    else:
        report.passed_over[Check.ONCE] += 1
    if not open_ended:
        return _refusals(attempts, log, report)
    position = done[0].position if done else found[0].position if found else 0
    if not position:
        return []
    answered = min((one.answered_ns for one in done), default=0)
    sent = min(one.sent_ns for one in open_ended)
    return [Point(position, sent, answered, attempts[0].clock, what)]


def _check_receipt(one: Operation, found: list[Entry], log: Log, report: Report) -> None:
    if not one.position:
        report.passed_over[Check.RECEIPTS] += 1
    else:
        entry = log.at.get(one.position)
        right = entry is not None
        right = right and (not one.decision or entry is None or one.decision == entry.decision)
        right = right and (not one.leaf or entry is None or one.leaf == entry.leaf)
        report.hold(
            Check.RECEIPTS, true=right, what=f"{one} was acknowledged at {one.position} and is not there"
        )
    if not one.mark:
        report.passed_over[Check.ONCE] += 1
        return
    first = one.position - max(one.leaves, 1) + 1
    placed = not one.position or any(first <= entry.position <= one.position for entry in found)
    report.hold(
        Check.ONCE,
        true=len(found) == 1 and placed,
        what=f"{one} was acknowledged at {one.position} and stands at {[e.position for e in found]}",
    )


def _check_repeats(done: list[Operation], attempts: list[Operation], report: Report) -> None:
    if len(attempts) == 1:
        return
    answers = {(one.position, one.decision, one.leaf, one.answer) for one in done}
    report.hold(Check.REPEATS, true=len(answers) == 1, what=f"{done[0]} has {len(answers)} different answers")
    acknowledged = min(one.answered_ns for one in done)
    for one in attempts:
        if one.outcome == "refused" and one.sent_ns > acknowledged and one.reason not in NOT_NOW:
            report.say(Check.REPEATS, f"{one} was acknowledged, and refused later ({one.reason})")


def _refusals(attempts: list[Operation], log: Log, report: Report) -> list[Point]:
    """Hold refusals by the gate to their decisions."""
    points = []
    for one in attempts:
        if one.decision:
            entry = log.decisions.get(one.decision)
            report.hold(
                Check.DECISIONS,
                true=entry is not None and entry.outcome not in PERMITS,
                what=f"{one} was refused by a decision that is not in the log",
            )
            if entry is not None:
                points.append(Point(entry.position, one.sent_ns, one.answered_ns, one.clock, str(one)))
    return points


def _check_places(points: list[Point], report: Report) -> None:
    places = Counter(point.position for point in points)
    for point in points:
        if places[point.position] > 1:
            report.say(Check.RECEIPTS, f"{point.what} shares its place {point.position} with another")


# --- reads -------------------------------------------------------------------------------------------------


def _check_read(one: Operation, log: Log, report: Report) -> list[Point]:
    """Hold one answer to the log before its decision; return where it stands, where that is known."""
    if one.outcome == "unknown" or not one.decision:
        # Nothing was told, or refused before the gate: nothing to explain.
        report.passed_over[Check.DECISIONS] += 1
        return []
    entry = log.decisions.get(one.decision)
    gave = one.outcome == "ok"
    if entry is None:
        report.hold(Check.DECISIONS, true=False, what=f"{one} rests on a decision that is not in the log")
        return []
    agrees = gave == (entry.outcome in PERMITS) and (
        not (gave and one.fields) or set(one.fields) == set(entry.released)
    )
    report.hold(
        Check.DECISIONS, true=agrees, what=f"{one} was answered otherwise than decided at {entry.position}"
    )
    _check_consent(one, entry, log, report)
    if gave:
        _check_state(one, entry, log, report)
    return [Point(entry.position, one.sent_ns, one.answered_ns, one.clock, str(one))]


def _check_consent(one: Operation, entry: Entry, log: Log, report: Report) -> None:
    if not one.on_consent:
        report.passed_over[Check.CONSENT] += 1
        return
    allowed = log.model.allows(one.plan, entry.position, entry.at)
    if one.outcome == "ok":
        ended = log.model.withdrawn_before(one.plan, entry.position)
        report.hold(
            Check.CONSENT,
            true=allowed,
            what=f"{one} was given at {entry.position} what no consent opens; the last ended at {ended}",
        )
    else:
        report.hold(
            Check.CONSENT,
            true=not allowed,
            what=f"{one} was refused at {entry.position} what a consent opens",
        )


def _check_state(one: Operation, entry: Entry, log: Log, report: Report) -> None:
    if one.version is None and one.chain is None:
        report.passed_over[Check.STATE] += 1
        return
    version = log.model.version(one.plan, entry.position)
    chain = log.model.chain(one.plan, one.elements, entry.position)
    right = one.version in {None, version} and one.chain in {None, chain}
    report.hold(
        Check.STATE,
        true=right,
        what=f"{one} tells version {one.version}, and at {entry.position} it was {version}"
        if one.version not in {None, version}
        else f"{one} tells other {one.elements} than there were at {entry.position}",
    )


# --- the store, and the whole of it ------------------------------------------------------------------------


def check_store(operations: Sequence[Operation], settings: Settings) -> Report:
    """Hold the answers to the log of a data folder; also its ledger, and each decision judged again."""
    report = check(operations, entries_of(settings))
    with open_history(settings) as history:
        stored = verify_store(history.reader)
        for problem in stored.problems:
            report.say(Check.POSITIONS, f"store verify: {problem}")
        tally = history.replay(1)
        report.looked_at[Check.DECISIONS] += tally.decisions + tally.commands
        for one in tally.differences:
            report.say(Check.DECISIONS, f"gate replay: {one.found} at {one.position}")
        if not tally.ok and not tally.differences:
            report.say(Check.DECISIONS, "gate replay: a decision differs")
    return report


def main() -> int:
    """Check a history against a data folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    words = parser.parse_args()
    report = check_store(read(words.history), load_settings(words.config, data=words.data))
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
