"""Batches as a program of somebody else's might send them, and what came of each command."""

from __future__ import annotations

import time
from base64 import b64decode
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from adapters.sdk.batches import SEND_COMMANDS, Batch, Collected
from adapters.sdk.line import PERSON_KEY
from adapters.sdk.signing import sign
from adapters.sdk.tokens import Person, PersonTokens
from exchange.v1 import common_pb2 as pb
from exchange.v1.batch_service_pb2 import (
    BatchedCommand,
    BatchedOutcome,
    SendCommandsRequest,
    SendCommandsResponse,
)
from tests.server.town import INVESTIGATE, Town, raw_call

if TYPE_CHECKING:
    from exchange.v1.plan_service_pb2 import SetGoalResponse
    from tests.server.story import Story

SET_GOAL = "/exchange.v1.PlanService/SetGoal"


def goal(batch: Batch, story: Story, version: int, **changes: Any) -> Collected[SetGoalResponse]:  # noqa: ANN401 -- any field
    said: dict[str, Any] = {
        "claim": INVESTIGATE,
        "plan_id": story.plan_id,
        "expected_version": version,
        "own_words": "Weer zelf koken.",
        "desired_effect": "zelfstandig eten",
        "life_domain": pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
        "target_date": "2027-06-01",
    }
    return batch.plan.set_goal(**said | changes)


def head(town: Town) -> int:
    return town.core.reader.head()[0]


class Raw:
    """What a program of somebody else's might send."""

    def __init__(self, town: Town, story: Story) -> None:
        self.town, self.story = town, story
        self.credentials = town.credentials()
        self.person = Person(f"w-{story.bsn[-5:]}", "college:WMO", "regisseur")

    def command(self, rpc: str = SET_GOAL, signed_as: str = SET_GOAL, **changes: Any) -> BatchedCommand:  # noqa: ANN401 -- any field
        batch = Batch()
        goal(batch, self.story, self.story.version, request_id=str(uuid4()), **changes)
        raw = batch.collected[0].request.SerializeToString()
        signature = sign(self.credentials, signed_as, self.person, raw).signature
        return BatchedCommand(rpc=rpc, request=raw, signature=b64decode(signature))

    def send(self, *commands: BatchedCommand, timeout_s: float = 10) -> SendCommandsResponse:
        token = PersonTokens(self.credentials, time.time).token_for(self.person)
        answer = raw_call(
            self.town,
            SEND_COMMANDS.path,
            SendCommandsRequest(commands=commands),
            credentials=self.credentials,
            headers=((PERSON_KEY, token),),
            timeout_s=timeout_s,
        )
        return SendCommandsResponse.FromString(answer)

    def reason(self, *commands: BatchedCommand) -> tuple[str, dict[str, str]]:
        """Return why the first of these was refused, and which fields were named."""
        status = Status.FromString(self.send(*commands).outcomes[0].status)
        info, bad = ErrorInfo(), BadRequest()
        assert status.details[0].Unpack(info)
        fields = [one for one in status.details if one.Unpack(bad)]
        return info.reason, {one.field: one.description for one in bad.field_violations} if fields else {}


def reason_of(outcome: BatchedOutcome) -> str:
    """Return why a command was refused, empty where it was done."""
    info = ErrorInfo()
    status = Status.FromString(outcome.status)
    return info.reason if status.details and status.details[0].Unpack(info) else ""
