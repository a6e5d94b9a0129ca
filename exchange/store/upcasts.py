"""One pure function for every stored version that is no longer written: old topic in, next topic out.

Promises: history is never rewritten; an old event is read as the event that would be written today.
A new version is a new topic (`plan.goal_set.v2`); its predecessor's entry stands here for ever. What an old
event did not say is read as not said: nobody gets evidence that was never recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Upcast = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]


def _adding(topic: str, **unsaid: object) -> Upcast:
    """Return an upcast to a topic that says more: what is added reads as not said."""

    def upcast(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return topic, {**data, **unsaid}

    return upcast


_NO_MANDATE: Final[Mapping[str, object]] = {
    "mandate_reference": "",
    "mandate_day": None,
    "mandate_text": "",
}
UPCASTS: Final[Mapping[str, Upcast]] = {
    "consent.requested.v1": _adding(
        "consent.requested.v2",
        notice_version=0,
        notice_language="",
        notice_level="",
        withdrawal_channels=(),
    ),
    # Then a consent named no law and was about whoever's data.
    "consent.requested.v2": _adding("consent.requested.v3", sources=(), regime=""),
    "consent.given.v1": _adding("consent.given.v2", authority=()),
    # Then one word said that it was free: by what, and who found so, was not asked. It stands as it was said.
    "consent.given.v2": _adding("consent.given.v3", alternatives=False, no_detriment=False, assessed_by=""),
    # Then only the resident's own no was told apart from nobody's: whose it was is not known.
    "consent.refused.v1": _adding("consent.refused.v2", said_by="", authority=""),
    "consent.withdrawn.v1": _adding("consent.withdrawn.v2", said_by="", authority=""),
    # Then there was one reason: it was denied when it was judged again.
    "disclosure.delivery_aborted.v1": _adding("disclosure.delivery_aborted.v2", reason="denied"),
    # Then a task of the college asked no mandate: without one nobody but the operator holds it any more.
    "organisation.joined.v1": _adding("organisation.joined.v2", **_NO_MANDATE),
    "organisation.task_granted.v1": _adding("organisation.task_granted.v2", **_NO_MANDATE),
    # Then who was handed over stood in the cells: how many is not known.
    "insight.table_published.v1": _adding("insight.table_published.v2", handed_over=""),
    # They said the same in the clear: from v2 on it is sealed, so that it goes with the rest at an erasure.
    "plan.support_assigned.v1": _adding("plan.support_assigned.v2"),
    "plan.support_started.v1": _adding("plan.support_started.v2"),
    "plan.support_stopped.v1": _adding("plan.support_stopped.v2"),
    # A limit of before there were scopes was about everything, and there was one.
    "resident.restricted.v1": _adding(
        "resident.restricted.v2", restriction_id="", purpose="", recipient="", review_date=None
    ),
    "resident.restriction_lifted.v1": _adding("resident.restriction_lifted.v2", restriction_id=""),
    "resident.objected.v1": _adding("resident.objected.v2", objection_id="", purpose="", recipient=""),
    "resident.objection_decided.v1": _adding("resident.objection_decided.v2", objection_id=""),
    # Then no copy was taken along.
    "rights_request.executed.v1": _adding("rights_request.executed.v2", sha256=""),
    # Then it was not asked who was there.
    "plan.conversation_recorded.v1": _adding("plan.conversation_recorded.v2", present=()),
    # Then whoever wrote in a plan was shown all that stood in it.
    "plan.situation_described.v1": _adding("plan.situation_described.v2", beside=False),
    # Then nobody said where a description was filled in from: it reads as asked.
    "plan.situation_described.v2": _adding("plan.situation_described.v3", source=""),
    # Then what those around somebody do stood among his strengths, or nowhere.
    "plan.situation_described.v3": _adding("plan.situation_described.v4", own_network=""),
    "plan.agreed.v1": _adding("plan.agreed.v2", supports_unseen=False),
    # Then a child's yes, and its parent's, each was a yes alone: what was agreed stays agreed.
    "plan.agreed.v2": _adding("plan.agreed.v3", waits=False),
    "plan.agreed_on_conditions.v1": _adding("plan.agreed_on_conditions.v2", waits=False),
    "plan.agreement_answered.v1": _adding("plan.agreement_answered.v2", without_parents=""),
}
