"""A task of the college, granted to somebody else: it opens nothing before a mandate is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exchange.domain import stream_of
from exchange.domain.mandate import Mandate, as_fields
from exchange.domain.organisation_events import TaskGranted
from exchange.errors import AccessDenied, CallerUnknown
from exchange.pipeline.walk import Steps
from tests.pipeline.shard import MANDATE

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard


def test_a_task_of_the_college_that_was_granted_without_a_mandate_opens_nothing(shard: Shard) -> None:
    """As an older version granted it; what it recorded is read as without a mandate."""
    _, _, plan_id = shard.plan()
    other, thumbprint = "00000003001234567000", "ef" * 32
    stream = stream_of("organisation", other)
    shard.done(shard.joining(other, thumbprint, "svb"))
    caller = shard.caller(organisation=other, thumbprint=thumbprint)

    def granted(mandate: Mandate | None) -> None:
        event = TaskGranted(oin=other, task=caller.task, **as_fields(mandate))
        walk = shard.joining(other, thumbprint, "svb")
        shard.done(replace(walk, process=lambda _view: Steps([(stream, (event,))])))

    granted(None)
    (refused,) = shard.run(shard.question(plan_id, caller=caller))
    assert isinstance(refused, CallerUnknown)
    granted(MANDATE)
    (denied,) = shard.run(shard.question(plan_id, caller=caller))
    assert isinstance(denied, AccessDenied)
