"""One pure function for every stored version that is no longer written: old topic in, next topic out.

Promises: history is never rewritten; an old event is read as the event that would be written today.
A new version is a new topic (`plan.goal_set.v2`); its predecessor's entry stands here for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Upcast = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]

UPCASTS: Final[Mapping[str, Upcast]] = {}
