"""Which decisions a privacy officer reads: those his own organisation asked; the operator's officer, all.

Promises: who the operator is, is read from the organisation's own stream, within the walk.
Source: GDPR 37, 39(1)(b): an officer watches over the controller that designated him.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.pipeline.walk import Caller, View

OFFICER: Final = "fg"


def asked_by(caller: Caller) -> Callable[[View], str]:
    """Return what finds the organisation whose decisions alone are told; empty where all are."""

    def found(view: View) -> str:
        if caller.task != OFFICER:
            return ""
        state = view.state(stream_of("organisation", caller.organisation))
        return "" if state is not None and state.operator else caller.organisation

    return found
