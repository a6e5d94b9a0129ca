"""A refusal that would end a command: taken for its end only where it tells of every attempt."""

from __future__ import annotations

import pytest

from adapters.kit.open_ends import until_told
from adapters.sdk.errors import (
    Conflict,
    Denied,
    ExchangeRefused,
    Invalid,
    NotAuthenticated,
    OutcomeUnknown,
    Refusal,
    RuleBroken,
)

SAID = {"message": "so it is", "localized": "Het is zo.", "remedies": ("Draw a new request id.",)}


def refused(kind: type[ExchangeRefused], *, unanswered: bool, request_id: str = "r-1") -> ExchangeRefused:
    return kind(Refusal("REASON", request_id=request_id, unanswered=unanswered, **SAID))  # type: ignore[arg-type] # texts


@pytest.mark.parametrize("kind", [Denied, Invalid, RuleBroken])
def test_what_ends_a_command_does_not_where_it_may_be_recorded(kind: type[ExchangeRefused]) -> None:
    was = refused(kind, unanswered=True)
    with pytest.raises(OutcomeUnknown) as caught, until_told():
        raise was
    found = caught.value
    assert (found.reason, found.request_id, found.may_be_recorded) == ("REASON", "r-1", True)
    assert (found.localized, found.remedies) == (was.localized, was.remedies)
    assert found.remedies[0].startswith("First send it again under the same request id")
    assert found.__cause__ is was


@pytest.mark.parametrize(
    "was",
    [
        *(refused(kind, unanswered=False) for kind in (Denied, Invalid, RuleBroken)),
        # Of a question.
        *(refused(kind, unanswered=True, request_id="") for kind in (Denied, Invalid, RuleBroken)),
        # No end: whoever gave the command tries again.
        *(refused(kind, unanswered=True) for kind in (Conflict, NotAuthenticated)),
    ],
    ids=lambda was: f"{type(was).__name__}-{was.may_be_recorded}",
)
def test_all_else_is_told_as_it_is(was: ExchangeRefused) -> None:
    with pytest.raises(type(was)) as caught, until_told():
        raise was
    assert caught.value is was
