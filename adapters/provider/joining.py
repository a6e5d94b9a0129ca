"""What stood on a plan before this adapter was let in to its case: looked up once, and taken up.

Promises: each time the stream tells that it joined, the plan is read once, on the ground of all its reading;
what it still has to tell there becomes the same errand as an event would have made, so that whichever comes
first makes it, and the other changes nothing. What others tell, or told, is left alone.
Source: protos/exchange/v1/subscription_service.proto (with_joins); history_service.proto;
exchange/decisions/0156-who-joins-is-told-so.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.provider.plan_seen import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.provider.desk import Desk
    from adapters.provider.errands import Errand
    from adapters.provider.plan_seen import Entry, PlanSeen, Support

JOINED_KIND: Final = "case.professional_joined"
REQUESTED_KIND: Final = "plan.support_requested"
CHANGED_KIND: Final = "plan.support_changed"
# An errand of no message: the plan is to be looked at.
LOOK: Final = "look"
# What was agreed with is what these wrote; an assignment, or care, is no other support.
_WRITES_NOTHING: Final = frozenset(
    {"plan.support_assigned", "plan.support_started", "plan.support_stopped", "plan.support_refused"}
)


class Joining:
    """Takes up what a municipality's adapter has to tell of a plan that it did not follow from the start."""

    def __init__(self, desk: Desk, kind: str, is_ours: Callable[[Support], bool]) -> None:
        self._desk: Final = desk
        self._kind: Final = kind
        self._is_ours: Final = is_ours

    def settle(self, errand: Errand) -> None:
        """Look at a plan that was joined. Raises the SDK's errors."""
        desk, plan_id = self._desk, errand.plan_id
        seen = desk.exchange.look(plan_id)
        requested = [one for one in seen.supports if one.stage is Stage.REQUESTED and self._is_ours(one)]
        told = [one for one in seen.supports if desk.care.numbered(one.support_id) is not None]
        past = desk.exchange.look_back(plan_id) if requested or told else ()
        with desk.journal.transaction():
            for one in requested:
                desk.errands.requested(one.support_id, plan_id, _since(one, past, seen))
            for one in told:
                # Changed while it was away: which was told to nobody.
                if any((entry.kind, entry.support_id) == (CHANGED_KIND, one.support_id) for entry in past):
                    desk.errands.changed(one.support_id, plan_id, _since(one, past, seen))
            if seen.agreement is not None:
                agreed = seen.agreement.plan_version if seen.agreement.agreed else 0
                desk.errands.agreed(plan_id, agreed)
            want_covered(desk, plan_id, self._kind)
            desk.errands.done(errand)


def want_covered(desk: Desk, plan_id: str, kind: str) -> None:
    """Make an errand of each support, and of each change, that the resident's yes covers."""
    # Changes first: one that ends sooner makes room for another of the same product.
    for support_id, version in desk.errands.changes_covered(plan_id):
        desk.errands.want_change(support_id, kind, plan_id, version)
    for support_id in desk.errands.covered(plan_id):
        desk.errands.want(support_id, kind, plan_id)


def _since(support: Support, past: Sequence[Entry], seen: PlanSeen) -> int:
    """Return from which version on a yes is to a support as it is, as far as the order of events tells it.

    The past has no versions: a support that was written before the resident spoke last stands at that word;
    one that was written after it, or that the past does not show, needs another.
    """
    spoken = max((place for place, one in enumerate(past) if one.said), default=-1)
    written = max(
        (
            place
            for place, one in enumerate(past)
            if one.support_id == support.support_id and one.kind not in _WRITES_NOTHING
        ),
        default=len(past),
    )
    word = 0 if seen.agreement is None else seen.agreement.plan_version
    return word if written < spoken else word + 1
