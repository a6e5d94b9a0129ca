"""A group that is walked and committed in one go: there is nobody to walk for meanwhile.

Promises: as of two steps in two threads: nobody sees anything of it before it is committed; where that fails
it is known how far it came, so that it is recovered as any other.
Source: exchange/decisions/0192-what-one-caller-waits-for.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.pipeline.walk import AnyWalk
    from exchange.pipeline.walked import Walked
    from exchange.pipeline.writer import Writer


class AtOnce:
    """One group. `walked` is written by the thread that runs it, and read once that has ended."""

    __slots__ = ("walked",)

    def __init__(self) -> None:
        self.walked: Walked | None = None  # none until it was: then there is nothing to commit

    def run(self, writer: Writer, walks: Sequence[AnyWalk]) -> None:
        """Walk, and commit what was walked. Raises what either raises."""
        self.walked = writer.walk(walks)
        writer.commit(self.walked)
