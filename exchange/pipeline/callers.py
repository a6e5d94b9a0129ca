"""Whether who asks may still ask anything at all, in the one order of all walks.

Promises: an organisation that left, a certificate that was revoked and a task that ended are refused before
anything of the request is judged, and before an answer given earlier is repeated.
Source: the design's walk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.domain import stream_of
from exchange.errors import CallerUnknown

if TYPE_CHECKING:
    from exchange.domain.organisation import OrganisationState
    from exchange.pipeline.walk import Caller, View


def check_caller(caller: Caller, view: View) -> None:
    """Refuse a caller whose certificate or task ended, in the same order as everything else."""
    refuse_ended(caller, view.state(stream_of("organisation", caller.organisation)))


def refuse_ended(caller: Caller, organisation: OrganisationState | None) -> None:
    """Refuse a caller whose organisation, as it stands, left or has the certificate or the task no more."""
    if organisation is None or organisation.left:
        raise CallerUnknown("this organisation is not registered")
    if not any(one.thumbprint == caller.thumbprint and not one.revoked for one in organisation.certificates):
        raise CallerUnknown("this certificate is not registered, or was revoked")
    if caller.task not in organisation.tasks:
        raise CallerUnknown("this organisation has not been granted this task", task=caller.task)
