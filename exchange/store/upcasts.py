"""One pure function for every stored version that is no longer written: old topic in, next topic out.

Promises: history is never rewritten; an old event is read as the event that would be written today.
A new version is a new topic (`plan.goal_set.v2`); its predecessor's entry stands here for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Upcast = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]


def _with_scope(topic: str, name: str, **absent: object) -> Upcast:
    """Return what reads a limit of before there were scopes: it was about everything, and there was one."""

    def upcast(told: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return topic, told | {name: ""} | absent

    return upcast


UPCASTS: Final[Mapping[str, Upcast]] = {
    "resident.restricted.v1": _with_scope(
        "resident.restricted.v2", "restriction_id", purpose="", recipient="", review_date=None
    ),
    "resident.restriction_lifted.v1": _with_scope("resident.restriction_lifted.v2", "restriction_id"),
    "resident.objected.v1": _with_scope("resident.objected.v2", "objection_id", purpose="", recipient=""),
    "resident.objection_decided.v1": _with_scope("resident.objection_decided.v2", "objection_id"),
}
