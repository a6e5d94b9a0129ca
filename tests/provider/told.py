"""What one organisation is told: to erase, that was rectified, is restricted; the rest of `world`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.kit.rectifications import RectificationPort, RectifiedTold
from adapters.kit.restrictions import RestrictionPort, RestrictionTold
from adapters.sdk.errors import Refusal, Unreachable
from adapters.sdk.purge_port import PurgePort

if TYPE_CHECKING:
    from adapters.sdk.purges import PurgeAsked
    from tests.provider.world import World


class Purges(PurgePort):
    """What one organisation is asked to erase."""

    def __init__(self, world: World) -> None:
        self._world = world

    def asked(self) -> tuple[PurgeAsked, ...]:
        if self._world.away:
            raise Unreachable(Refusal("", "nobody is there"))
        held = self._world.held()
        return tuple(one for one in held.purges if one.erasure_id not in held.purged)

    def answer(self, erasure_id: str, *, erased: bool) -> None:
        held = self._world.held()
        held.purged.setdefault(erasure_id, erased)
        self._world.save(held)


class Rectifications(RectificationPort):
    """What one organisation is told was rectified."""

    def __init__(self, world: World) -> None:
        self._world = world

    def told(self) -> tuple[RectifiedTold, ...]:
        if self._world.away:
            raise Unreachable(Refusal("", "nobody is there"))
        held = self._world.held()
        return tuple(one for one in held.rectifications if one.rights_request_id not in held.rectified)

    def answer(self, rights_request_id: str, *, rectified: bool) -> None:
        held = self._world.held()
        held.rectified.setdefault(rights_request_id, rectified)
        self._world.save(held)


class Restrictions(RestrictionPort):
    """What one organisation is told is restricted, or no more."""

    def __init__(self, world: World) -> None:
        self._world = world

    def told(self) -> tuple[RestrictionTold, ...]:
        if self._world.away:
            raise Unreachable(Refusal("", "nobody is there"))
        held = self._world.held()
        return tuple(
            one for one in held.restrictions if (one.restriction_id, one.lifted) not in held.restricted
        )

    def answer(self, told: RestrictionTold, *, kept: bool) -> None:
        held = self._world.held()
        held.restricted.setdefault((told.restriction_id, told.lifted), kept)
        self._world.save(held)
