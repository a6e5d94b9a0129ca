"""A group that is walked and committed in one go: there is nobody to walk for meanwhile.

Promises: as of two steps in two threads: nobody sees anything of it before it is committed, and what became
of the commit is told beside the group, so that it is recovered as any other.
Source: exchange/decisions/0192-what-one-caller-waits-for.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.pipeline.walk import AnyWalk
    from exchange.pipeline.walked import Walked
    from exchange.pipeline.writer import Writer


class Done(NamedTuple):
    """A group that was walked, and why it was not committed; None where it was."""

    walked: Walked
    error: BaseException | None


def walk_and_commit(writer: Writer, walks: Sequence[AnyWalk]) -> Done:
    """Walk a group, and commit it. Raises what walking raises: then there is nothing to commit."""
    walked = writer.walk(walks)
    try:
        writer.commit(walked)
    except BaseException as error:  # noqa: BLE001 -- told to whoever recovers the group, whatever it was
        return Done(walked, error)
    return Done(walked, None)
