"""What was made of an opened event, for all streams that tell it: opened once, not once for each of them.

Promises: found again only where the event, the state it was made over and the keys are what they were: an
erasure ends all of it, and what was opened before one is neither kept nor used after it. Bounded in events
and in bytes. Who may be told of it is no part of it: each stream judges for itself.
Source: GDPR 17; exchange/decisions/0195-what-eight-streams-share.md.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.store.batch import Row
    from exchange.store.codec import Codec

OPENED_KEPT_MAX: Final = 1_024
# As they are stored: an opened one takes some times as much.
OPENED_BYTES_MAX: Final = 2 * 1024 * 1024


class _Kept(NamedTuple):
    """What was made of an event, beside the state and the erasures of then, and its size as it is stored."""

    made: Any
    state: Any
    erasures: int
    size: int


class _All:
    """What is kept, and its size: forgotten as one, so that neither ever tells of what the other lost."""

    __slots__ = ("kept", "size")

    def __init__(self) -> None:
        self.kept: OrderedDict[int, _Kept] = OrderedDict()  # by position
        self.size = 0


class OpenedOnce:
    """Owned by the event loop, but for `forget`, which anybody may call at any moment."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._all = _All()

    def found(self, row: Row, state: Any) -> Any:  # noqa: ANN401 -- each aggregate has its own state class, and whatever was made
        """Return what was made of an event over this very state; None where it is not kept."""
        kept = self._all.kept.get(row.position)
        if kept is None or kept.state is not state or kept.erasures != self._codec.erasures:
            return None
        return kept.made

    def make(self, row: Row, state: Any, made_of: Callable[[], Any]) -> Any:  # noqa: ANN401 -- as above
        """Make it and keep it. Raises what making it raises: then nothing is kept."""
        erasures = self._codec.erasures
        made = made_of()
        # Once: what is forgotten meanwhile is all of this, and nobody finds it any more.
        every, size = self._all, len(row.state)
        before = every.kept.pop(row.position, None)
        every.size += size - (0 if before is None else before.size)
        every.kept[row.position] = _Kept(made, state, erasures, size)
        while len(every.kept) > OPENED_KEPT_MAX or (every.size > OPENED_BYTES_MAX and len(every.kept) > 1):
            every.size -= every.kept.popitem(last=False)[1].size
        # After it is kept: an erasure that begins from here on finds it, and has it forgotten.
        if erasures != self._codec.erasures:
            self.forget()
        return made

    def forget(self) -> None:
        """Forget all of it."""
        self._all = _All()
