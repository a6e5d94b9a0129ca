"""One client of a load: draws its moves, tries until it is answered, and records each attempt."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

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

    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.tokens import Person
    from tests.history.doors import Doors
    from tests.history.record import Recorder

WAIT_S = 0.1
GIVES_UP_AFTER_S = 45.0
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
        moves: list[Callable[[Ground], object]] = [
            self._goal,
            self._report,
            self._goals_read,
            self._reports_read,
        ]
        if self._number < len(self._grounds) and self._chance.random() < 0.25:
            self._turn(self._grounds[self._number])
        else:
            self._chance.choice(moves)(ground)

    def last_words(self) -> int:
        """Renew each consent, then set a goal and report on each plan; return the last position."""
        last = 0
        for ground in self._grounds:
            if not ground.consent:
                self._turn(ground)
            while (done := self._goal(ground)) is None:
                self._goals_read(ground)
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
            lambda client, request_id: client.plan.set_goal(
                request_id=request_id,
                claim=WORK,
                plan_id=ground.plan,
                expected_version=version,
                own_words=mark,
                **Ground.GOAL,
            ),
            mark,
        )

    def _report(self, ground: Ground) -> Any:  # noqa: ANN401 -- ReceiveReportResponse, None where it was refused
        mark = self._words()
        return self._command(
            "command",
            ground,
            ground.wmo,
            lambda client, request_id: client.case.receive_report(
                request_id=request_id,
                claim=INVESTIGATE,
                resident=ground.pseudonym,
                life_domains=[pb.LIFE_DOMAIN_INSTRUMENTAL_ADL],
                own_words=mark,
                desk="wijkteam-oost",
            ),
            mark,
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
                receipt = answer.receipt
                told.position, told.leaves, told.decision = (
                    receipt.position,
                    receipt.leaves,
                    receipt.decision_id,
                )
                told.leaf = sha256(receipt.leaf_entry).hexdigest()
                told.answer = sha256(answer.SerializeToString(deterministic=True)).hexdigest()
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
        if self._client is None:
            self._client = self._doors.connect(person)
        told.wall_ns, told.sent_ns = time.time_ns(), time.monotonic_ns()
        try:
            answer = call(self._client.with_person(person))
        except ServerFault:
            raise
        except ExchangeRefused as refused:
            told.reason = refused.reason
            told.decision = refused.decision_id if isinstance(refused, Denied) else ""
            open_ended = isinstance(refused, OutcomeUnknown) or refused.reason in MAY_BE_THERE
            cut = isinstance(refused, Unavailable) and not refused.reason
            told.outcome = "unknown" if open_ended or cut else "refused"
            answer = None
            if cut or open_ended:
                self._hang_up()
            if told.outcome == "unknown" or told.reason in NOT_NOW:
                self._given_up.wait(WAIT_S)
        told.answered_ns = 0 if told.outcome == "unknown" else time.monotonic_ns()
        return answer

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
