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


class OpenedOnce:
    """Owned by the event loop, but for `forget`, which anybody may call."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._kept: OrderedDict[int, _Kept] = OrderedDict()  # by position
        self._bytes = 0

    def found(self, row: Row, state: Any) -> Any:  # noqa: ANN401 -- each aggregate has its own state class, and whatever was made
        """Return what was made of an event over this very state; None where it is not kept."""
        kept = self._kept.get(row.position)
        if kept is None or kept.state is not state or kept.erasures != self._codec.erasures:
            return None
        return kept.made

    def make(self, row: Row, state: Any, made_of: Callable[[], Any]) -> Any:  # noqa: ANN401 -- as above
        """Make it and keep it. Raises what making it raises: then nothing is kept."""
        erasures = self._codec.erasures
        made = made_of()
        before = self._kept.pop(row.position, None)
        size = len(row.state)
        self._bytes += size - (0 if before is None else before.size)
        self._kept[row.position] = _Kept(made, state, erasures, size)
        while len(self._kept) > OPENED_KEPT_MAX or (self._bytes > OPENED_BYTES_MAX and len(self._kept) > 1):
            self._bytes -= self._kept.popitem(last=False)[1].size
        # After it is kept: an erasure that begins from here on finds it, and has it forgotten.
        if erasures != self._codec.erasures:
            self.forget()
        return made

    def forget(self) -> None:
        """Forget all of it."""
        self._kept = OrderedDict()
        self._bytes = 0
