"""What happens to inputs and events: once each, whatever comes twice, late, broken or never.

Each check gets the bench with the adapter running, and leaves it running. It raises Failed or NotTried, and
returns what was seen. After what must have no effect another input is given and waited for: what the adapter
did until then it will not do any more.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from adapters.conformance.bench import Failed, NotTried
from adapters.conformance.faults import Fault, Kind
from adapters.conformance.recording import ids_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.conformance.bench import Bench, Given
    from adapters.conformance.people import Subject
    from adapters.conformance.recording import Call

KILL_WITHIN_S: Final = 1.0
CONFLICT: Final = "VERSION_CONFLICT"
SUBSCRIPTIONS: Final = "/exchange.v1.SubscriptionService/"
NO_EVENTS: Final = "it declares no [event], and so nothing that could come twice"


def good_input(bench: Bench) -> str:
    """Require that a good input has its effect."""
    bench.done()
    return f"one input, one {bench.contract.input.effect.rsplit('/', 1)[1]}"


def idempotence(bench: Bench) -> str:
    """Require that the same input again, before and after a restart, has no second effect."""
    subject = bench.subject()
    given = bench.give(subject)
    bench.require_effect(subject, "an input")
    again = bench.give_again(given)
    _require_gone(bench, again)
    bench.restart()
    last = bench.give_again(given)
    bench.done()
    _require_gone(bench, last)
    bench.require_once(subject, "the same input, given three times,")
    # Where the exchange itself allows one only, asking for a second is a doubling all the same.
    asked = (one for one in bench.recording.calls(bench.contract.input.effect) if _is_decided(one, subject))
    if len({one.asked.request_id for one in asked}) != 1:
        raise Failed("the same input led to commands under several request ids")
    return "the same input three times, once after a restart: one effect"


def redelivery(bench: Bench) -> str:
    """Require that events which come again after a restart have no second effect."""
    if bench.contract.follows_nothing:
        return _follows_nothing(bench)
    _require_events(bench)
    subject, before = bench.done(), bench.outputs()
    bench.people.happen(subject)
    bench.require_outputs(before, 1, "one event")
    bench.adapter.stop()
    with bench.rewound():
        bench.adapter.start()
        last = bench.people.happen(bench.done())
        if not bench.wait(lambda: bench.proxy.told_up_to >= last):
            raise Failed("it did not follow what happens after a restart")
        bench.require_outputs(before, 2, "all events again, and a new one")
    return "all events came again after a restart: told once"


def _follows_nothing(bench: Bench) -> str:
    """Require that who declares that it follows nothing opens no stream, also after a restart."""
    bench.done()
    bench.restart()
    bench.done()
    if any(one.path.startswith(SUBSCRIPTIONS) for one in bench.recording.calls()):
        raise Failed("it declares that it follows nothing, and asks for a subscription")
    return "it follows nothing: no event can come twice"


def withdrawal(bench: Bench) -> str:
    """Require that where its part in a case ended it stops, and sets apart what waits."""
    if bench.contract.input.apart is None:
        raise NotTried("it does not declare input.apart: where it sets apart what it may not do any more")
    subject = bench.done()
    other = bench.done() if bench.contract.event is not None else subject
    bench.adapter.stop()
    before = bench.adapter.matching(bench.contract.input.apart)
    given = bench.give(subject)
    bench.people.leave(subject)
    bench.adapter.start()
    if not bench.wait(lambda: bench.adapter.matching(bench.contract.input.apart or "") != before):
        raise Failed("what waited when its part in the case ended was not set apart")
    _require_gone(bench, given)
    asked = _asked_about(bench, subject)
    if bench.contract.event is not None:
        told = bench.outputs()
        bench.people.happen(subject)
        bench.people.happen(other)
        bench.require_outputs(told, 1, "an event of a case it left, and one of a case it works on")
    bench.done()
    bench.require_once(subject, "an input before, and one after its part in the case ended,")
    if _asked_about(bench, subject) > asked:
        raise Failed("it went on asking about a case after it was told that it has no part in it")
    return "no effect, set apart, not asked again"


def outage(seconds: int) -> Callable[[Bench], str]:
    """Return the check that an outage of so long loses and doubles nothing."""

    def check(bench: Bench) -> str:
        events = bench.contract.event is not None
        earlier = bench.done() if events else None
        before = bench.outputs() if events else 0
        subject, lasted = bench.subject(), seconds * bench.measure.outage_scale
        with bench.away():
            bench.give(subject)
            if earlier is not None:
                bench.people.happen(earlier)
            time.sleep(lasted)
            if not bench.adapter.runs:
                raise Failed("it ended while the exchange was away")
        bench.require_effect(subject, "an input given while the exchange was away")
        if earlier is not None:
            bench.require_outputs(before, 1, "an event while it was away")
        bench.done()
        bench.require_once(subject, "an input given while the exchange was away")
        return f"{lasted:g} s stood for {seconds} s: nothing lost, nothing doubled"

    return check


def kill(bench: Bench) -> str:
    """Require that killed at random moments it loses and doubles nothing."""
    events = bench.contract.event is not None
    before = bench.outputs() if events else 0
    subjects: list[Subject] = []
    for _ in range(bench.measure.kills):
        subject = bench.subject()
        if subjects and events:
            # Of the one before, whose input may still be on its way: some happenings build upon it.
            bench.require_effect(subjects[-1], "an input, with a kill -9 after it,")
            bench.people.happen(subjects[-1])
        subjects.append(subject)
        bench.give(subject)
        time.sleep(bench.chance.uniform(0.0, KILL_WITHIN_S))
        bench.adapter.kill()
        bench.adapter.start()
    for subject in subjects:
        bench.require_effect(subject, "an input, with a kill -9 after it,")
    if events:
        bench.require_outputs(before, len(subjects) - 1, "events around kills")
    bench.done()
    for subject in subjects:
        bench.require_once(subject, "an input, with a kill -9 after it,")
    return (
        f"{len(subjects)} kills at random moments (seed {bench.measure.seed}): nothing lost, nothing doubled"
    )


def bad_input(bench: Bench) -> str:
    """Require that a bad input is kept beside its reason, and that the rest goes on."""
    rejected = bench.contract.input.rejected
    if rejected is None:
        raise NotTried("it does not declare input.rejected: where a bad input is kept with its reason")
    subject, pattern = bench.subject(), f"{rejected}/**/*"
    before = bench.adapter.matching(pattern)
    given = bench.give(subject, bad=True)

    def new() -> list[bytes]:
        paths = (bench.adapter.home / name for name in bench.adapter.matching(pattern) - before)
        return [bench.adapter.read_rejected(path) for path in paths if path.is_file()]

    kept = given.content.encode()
    if not bench.wait(lambda: kept in new()):
        raise Failed("a bad input is not kept, as it came, where it declares")
    if not bench.wait(lambda: any(content.strip() and content != kept for content in new())):
        raise Failed("no reason is kept beside a bad input")
    digits = subject.bsn.reveal().encode()
    if any(digits in content for content in new() if content != kept):
        raise Failed("the reason beside a bad input holds the BSN")
    bench.done()
    if bench.effects(subject):
        raise Failed("a bad input had an effect")
    return "kept with its reason; the next one was taken"


def retry(bench: Bench) -> str:
    """Require the same request again, in id and bytes, where the exchange names a time to come back."""
    calls = _with_fault(bench, Kind.COME_BACK, effects=1)
    _require_same(calls, "refused with a time to come back")
    return "came back with the same request"


def answer_lost(bench: Bench) -> str:
    """Require the same request again, in id and bytes, where an answer is lost; and one effect."""
    calls = _with_fault(bench, Kind.ANSWER_LOST, effects=1)
    _require_same(calls, "left without an answer")
    return "asked again under the same request id: one effect"


def no_retry(bench: Bench) -> str:
    """Require that a refusal without a time to come back is not tried again: it is an answer."""
    calls = _with_fault(bench, Kind.NO, effects=0)
    if len(calls) != 1:
        raise Failed(f"refused by the gate, it tried {len(calls) - 1} times more")
    return "a refusal was not tried again"


def _with_fault(bench: Bench, kind: Kind, *, effects: int) -> list[Call]:
    """Give an input whose command meets a fault; return the calls of that command about its subject."""
    path, subject = bench.contract.input.effect, bench.subject()
    bench.proxy.faults.add(Fault(kind, path, subject.ids))
    given = bench.give(subject)

    def calls() -> list[Call]:
        return [one for one in bench.recording.calls(path) if subject.ids & ids_of(one.asked)]

    if not bench.wait(lambda: bool(calls())):
        raise Failed("a good input led to no call")
    if effects:
        bench.require_effect(subject, "an input")
    _require_gone(bench, given)
    bench.done()
    if bench.effects(subject) != effects:
        raise Failed(f"{bench.effects(subject)} effects, expected {effects}")
    return calls()


def _require_same(calls: list[Call], what: str) -> None:
    if len({one.asked.request_id for one in calls}) != 1:
        raise Failed(f"{what}, it asked again under another request id")
    if len({one.request for one in calls}) != 1:
        raise Failed(f"{what}, it asked something else under the same request id")


def _require_gone(bench: Bench, given: Given) -> None:
    if not bench.contract.input.command and not bench.wait(lambda: not bench.adapter.waits(given.name)):
        raise Failed("an input stays where it was given")


def _require_events(bench: Bench) -> None:
    if bench.contract.event is None:
        raise NotTried(NO_EVENTS)


def _is_decided(call: Call, subject: Subject) -> bool:
    """Tell whether a command is about somebody, and was not overtaken: then another is decided anew."""
    return bool(subject.ids & ids_of(call.asked)) and call.reason != CONFLICT


def _asked_about(bench: Bench, subject: Subject) -> int:
    return sum(1 for one in bench.recording.calls() if subject.ids & ids_of(one.asked))
