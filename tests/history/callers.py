"""One client of a load: draws its moves, tries until it is answered, and records each attempt."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.sdk.batches import Batch, Collected
from adapters.sdk.errors import Denied, ExchangeRefused, OutcomeUnknown, ServerFault, Unavailable
from exchange.v1 import common_pb2 as pb
from tests.e2e.service import ALIGN, INVESTIGATE, WORD, WORK
from tests.history.check import NOT_NOW
from tests.history.entries import asked, given, withdrawn
from tests.history.model import chain_of
from tests.history.plans import Ground
from tests.history.record import Operation

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from threading import Event

    from adapters.sdk.calls import CaseCalls, PlanCalls
    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.tokens import Person
    from tests.history.doors import Doors
    from tests.history.record import Recorder

WAIT_S = 0.1
GIVES_UP_AFTER_S = 45.0
TOGETHER = 5  # commands in one message
# A plan holds a thousand of each: whoever finds so many events on it reads instead, and last words still fit.
EVENTS_OF_PLAN_MAX = 1_600
# Whose outcome the exchange itself does not know; all others promise that nothing was recorded.
MAY_BE_THERE = frozenset({"OUTCOME_OPEN", "OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED"})


@dataclass(frozen=True)
class Scene:
    """What all clients of a load share."""

    doors: Doors
    grounds: Sequence[Ground]
    recorder: Recorder
    enough: Event


class Caller(threading.Thread):
    """Owned by a load. The first client of each plan also turns its consent; nobody else does."""

    def __init__(self, number: int, scene: Scene, chance: random.Random, run: str) -> None:
        super().__init__(name=f"caller-{number}", daemon=True)
        self._name, self._number, self._chance = f"{run}-{number}", number, chance
        self._doors, self._grounds = scene.doors, scene.grounds
        self._recorder, self._enough = scene.recorder, scene.enough
        self._client: ExchangeClient | None = None
        self._marks = 0
        self._given_up = threading.Event()
        self.defect: Exception | None = None

    def run(self) -> None:
        """Move after move, until it is enough."""
        try:
            while not self._enough.is_set():
                self._move()
        except Exception as error:  # noqa: BLE001 -- raised again by the load
            self.defect = error
        finally:
            self._hang_up()

    def give_up(self) -> None:
        """End at the next attempt."""
        self._given_up.set()

    def _move(self) -> None:
        ground = self._chance.choice(self._grounds)
        reads: list[Callable[[Ground], object]] = [self._goals_read, self._reports_read]
        writes = [self._goal, self._report, self._goals_together, self._reports_together]
        if self._number < len(self._grounds) and self._chance.random() < 0.25:
            self._turn(self._grounds[self._number])
            return
        move = self._chance.choice([*reads, *writes])
        if move in writes and ground.version > EVENTS_OF_PLAN_MAX:
            move = self._chance.choice(reads)
        move(ground)

    def last_words(self) -> int:
        """Renew each consent, then set a goal and report on each plan; return the last position.

        A client may have missed the last version, by an answer that was cut off; it is read by the law, for a
        consent that is dated behind a clock that was set back opens nothing yet.
        """
        last = 0
        for ground in self._grounds:
            if not ground.consent:
                self._turn(ground)
            ends_at = time.monotonic() + GIVES_UP_AFTER_S
            self._reports_read(ground)
            while (done := self._goal(ground)) is None:
                assert time.monotonic() < ends_at, "the last goal is refused time and again"
                self._reports_read(ground)
            told = self._report(ground)
            assert told is not None, "a report is refused by nothing"
            last = max(last, done.receipt.position, told.receipt.position)
        self._hang_up()
        return last

    # --- moves ------------------------------------------------------------------------------------------

    def _words(self) -> str:
        self._marks += 1
        return f"{self._name}-{self._marks}"

    def _goal(self, ground: Ground) -> Any:  # noqa: ANN401 -- SetGoalResponse, None where it was refused
        mark, version = self._words(), ground.version
        return self._command(
            "command",
            ground,
            ground.pw,
            lambda client, request_id: set_goal(client.plan, ground, request_id, mark, version),
            mark,
        )

    def _report(self, ground: Ground) -> Any:  # noqa: ANN401 -- ReceiveReportResponse, None where it was refused
        mark = self._words()
        return self._command(
            "command",
            ground,
            ground.wmo,
            lambda client, request_id: report(client.case, ground, request_id, mark),
            mark,
        )

    def _goals_together(self, ground: Ground) -> None:
        """Set goals in one message, each on the version that the one before it leaves."""
        version = ground.version
        places = self._together(
            ground,
            ground.pw,
            lambda batch, number, request_id, mark: set_goal(
                batch.plan, ground, request_id, mark, version + number
            ),
        )
        assert places == sorted(places), "what came behind another on its plan was done before it"

    def _reports_together(self, ground: Ground) -> None:
        self._together(
            ground,
            ground.wmo,
            lambda batch, _number, request_id, mark: report(batch.case, ground, request_id, mark),
        )

    def _turn(self, ground: Ground) -> None:
        """Withdraw what stands, or ask and give anew."""
        if consent := ground.consent:
            ground.consent = ""
            self._command(
                "withdrawal",
                ground,
                ground.resident,
                lambda client, request_id: client.consent.withdraw_consent(
                    request_id=request_id, claim=WORD, consent_id=consent
                ),
                withdrawn(consent),
            )
            return
        question = self._command(
            "consent",
            ground,
            ground.wmo,
            lambda client, request_id: client.consent.request_consent(
                request_id=request_id, **ground.question()
            ),
        )
        if question is None:
            return
        answer = self._command(
            "consent",
            ground,
            ground.resident,
            lambda client, request_id: client.consent.give_consent(
                request_id=request_id,
                claim=WORD,
                consent_id=question.consent_id,
                given_by=["self"],
                explicit=True,
                free_assessed=True,
                method="portal",
                expected_version=question.version,
            ),
            given(question.consent_id),
        )
        if answer is not None:
            ground.consent = question.consent_id

    def _goals_read(self, ground: Ground) -> None:
        self._read(ground, ALIGN, "goals", on_consent=True)

    def _reports_read(self, ground: Ground) -> None:
        self._read(ground, INVESTIGATE, "reports", on_consent=False)

    # --- attempts ---------------------------------------------------------------------------------------

    def _command(
        self,
        op: str,
        ground: Ground,
        person: Person,
        send: Callable[[ExchangeClient, str], Any],
        mark: str = "",
    ) -> Any:  # noqa: ANN401 -- the answer of any command, None where it was refused or given up
        request_id = str(UUID(int=self._chance.getrandbits(128), version=4))
        ends_at = time.monotonic() + GIVES_UP_AFTER_S
        while True:
            told = Operation(client=self._name, op=op, request_id=request_id, mark=mark, plan=ground.plan)
            answer = self._attempt(told, person, lambda client: send(client, request_id))
            if answer is not None:
                acknowledged(told, answer)
                if op == "consent" and not mark:
                    told.mark = asked(answer.consent_id)
                if getattr(answer, "plan_id", "") or op == "command":
                    ground.saw(answer.version)
            self._recorder.add(told)
            final = told.outcome == "refused" and told.reason not in NOT_NOW
            if answer is not None or final:
                return answer
            if self._given_up.is_set() or time.monotonic() > ends_at:
                return None

    def _together(
        self,
        ground: Ground,
        person: Person,
        collect: Callable[[Batch, int, str, str], Any],
    ) -> list[int]:
        """Send commands in one message until each has its end; return where those that were done stand."""
        names = [str(UUID(int=self._chance.getrandbits(128), version=4)) for _ in range(TOGETHER)]
        left = dict(enumerate(zip(names, [self._words() for _ in names], strict=True)))
        places: dict[int, int] = {}
        ends_at = time.monotonic() + GIVES_UP_AFTER_S
        while left and not self._given_up.is_set() and time.monotonic() < ends_at:
            batch = Batch()
            sent: list[tuple[int, Operation, Collected[Any]]] = []
            for number, (request_id, mark) in left.items():
                told = Operation(
                    client=self._name, op="command", request_id=request_id, mark=mark, plan=ground.plan
                )
                sent.append((number, told, collect(batch, number, request_id, mark)))
            self._send_together(batch, person, [(told, one) for _, told, one in sent])
            for number, told, one in sent:
                if told.outcome == "ok":
                    answer = one.answer()
                    places[number] = told.position
                    ground.saw(getattr(answer, "version", 0))
                if told.outcome == "ok" or (told.outcome == "refused" and told.reason not in NOT_NOW):
                    del left[number]
                self._recorder.add(told)
        return [places[number] for number in sorted(places)]

    def _send_together(
        self, batch: Batch, person: Person, sent: Sequence[tuple[Operation, Collected[Any]]]
    ) -> None:
        """Send a message once; note when and how each of its commands ended."""
        client = self._connected(person)
        wall_ns, sent_ns = time.time_ns(), time.monotonic_ns()
        client.with_person(person).send_batch(batch)
        answered_ns = time.monotonic_ns()
        for told, one in sent:
            told.wall_ns, told.sent_ns = wall_ns, sent_ns
            try:
                acknowledged(told, one.answer())
            except ServerFault:
                raise
            except ExchangeRefused as refused:
                ended(told, refused)
            told.answered_ns = 0 if told.outcome == "unknown" else answered_ns
        if any(told.outcome == "unknown" for told, _ in sent):
            self._hang_up()
        if any(told.outcome == "unknown" or told.reason in NOT_NOW for told, _ in sent):
            self._given_up.wait(WAIT_S)

    def _read(self, ground: Ground, claim: pb.Claim, elements: str, *, on_consent: bool) -> None:
        fields = (f"{elements}.own_words", "version")
        told = Operation(
            client=self._name,
            op="read",
            plan=ground.plan,
            elements=elements,
            on_consent=on_consent,
            fields=fields,
        )
        answer = self._attempt(
            told,
            ground.wmo,
            lambda client: client.plan.get_plan(claim=claim, plan_id=ground.plan, fields=fields),
        )
        if answer is not None:
            told.decision, told.version = answer.decision_id, answer.plan.version
            told.chain = chain_of(one.own_words for one in getattr(answer.plan, elements))
            ground.saw(told.version)
        self._recorder.add(told)

    def _attempt(self, told: Operation, person: Person, call: Callable[[ExchangeClient], Any]) -> Any:  # noqa: ANN401 -- any answer
        """Call once; note when and how it ended. What was cut off goes on over another connection."""
        client = self._connected(person)
        told.wall_ns, told.sent_ns = time.time_ns(), time.monotonic_ns()
        try:
            answer = call(client.with_person(person))
        except ServerFault:
            raise
        except ExchangeRefused as refused:
            ended(told, refused)
            answer = None
            if told.outcome == "unknown":
                self._hang_up()
            if told.outcome == "unknown" or told.reason in NOT_NOW:
                self._given_up.wait(WAIT_S)
        told.answered_ns = 0 if told.outcome == "unknown" else time.monotonic_ns()
        return answer

    def _connected(self, person: Person) -> ExchangeClient:
        if self._client is None:
            self._client = self._doors.connect(person)
        return self._client

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


# --- what is sent, and how it ended ------------------------------------------------------------------------


def set_goal(
    plan: PlanCalls[Any],
    ground: Ground,
    request_id: str,
    mark: str,
    version: int,
) -> Any:  # noqa: ANN401 -- the answer, or what is collected of it
    """Set a goal with words of its own, by a call or in a batch."""
    return plan.set_goal(
        request_id=request_id,
        claim=WORK,
        plan_id=ground.plan,
        expected_version=version,
        own_words=mark,
        **Ground.GOAL,
    )


def report(case: CaseCalls[Any], ground: Ground, request_id: str, mark: str) -> Any:  # noqa: ANN401 -- as above
    """Report about the resident with words of its own, by a call or in a batch."""
    return case.receive_report(
        request_id=request_id,
        claim=INVESTIGATE,
        resident=ground.pseudonym,
        life_domains=[pb.LIFE_DOMAIN_INSTRUMENTAL_ADL],
        own_words=mark,
        desk="wijkteam-oost",
    )


def acknowledged(told: Operation, answer: Any) -> None:  # noqa: ANN401 -- of any command
    """Note what a receipt says."""
    receipt = answer.receipt
    told.position, told.leaves, told.decision = receipt.position, receipt.leaves, receipt.decision_id
    told.leaf = sha256(receipt.leaf_entry).hexdigest()
    told.answer = sha256(answer.SerializeToString(deterministic=True)).hexdigest()


def ended(told: Operation, refused: ExchangeRefused) -> None:
    """Note why an attempt was refused, and whether what it asked may be there."""
    told.reason = refused.reason
    told.decision = refused.decision_id if isinstance(refused, Denied) else ""
    open_ended = isinstance(refused, OutcomeUnknown) or refused.reason in MAY_BE_THERE
    cut = isinstance(refused, Unavailable) and not refused.reason
    # These clients try once, so that nothing but this attempt can be what is open.
    assert refused.may_be_recorded is (open_ended or cut), refused.reason
    told.outcome = "unknown" if open_ended or cut else "refused"
