"""A command that was refused behind an attempt without an answer: no adapter takes that for its end.

Promises: what ends a command (the gate's no, a wrong shape, a rule) is raised as OutcomeUnknown where the
command may be recorded all the same: it is asked again under its request id, and what is told then ends it.
Source: exchange/decisions/0212-a-refusal-behind-a-cut-line.md.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from adapters.sdk.errors import Denied, Invalid, OutcomeUnknown, RuleBroken

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDS: Final = (Denied, Invalid, RuleBroken)


@contextmanager
def until_told() -> Iterator[None]:
    """Give a command. Raises what the SDK raises, OutcomeUnknown where a refusal does not tell its end."""
    try:
        yield
    except _ENDS as refused:
        # Of a question, which has no id, nothing is recorded that would be done twice.
        if not (refused.may_be_recorded and refused.request_id):
            raise
        said = replace(refused.refusal, localized=refused.localized, remedies=refused.remedies)
        raise OutcomeUnknown(said) from refused
