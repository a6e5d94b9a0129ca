"""What a command holds that wants the service to stand still: data folder, and shard of all nodes.

Promises: refused while any node holds the shard; none opens it meanwhile. What only adds to the store goes
beside nodes that run.
Source: exchange/decisions/0095-a-lease-and-who-holds-it.md, 0121-a-step-says-whether-it-only-adds.md.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from exchange.errors import DataFolderInUse, StoreUnavailable
from exchange.wiring.holding import held
from exchange.wiring.stores import refuse_no_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.settings import Settings


@contextmanager
def standing_still(settings: Settings, *, beside_nodes: bool = False) -> Iterator[None]:
    """Hold what a service would, or with `beside_nodes` only what keeps one from starting.

    Raises DataFolderInUse, SettingsInvalid, StoreUnavailable.
    """
    refuse_no_extra(settings)
    with ExitStack() as opened:
        opened.enter_context(held(settings.data))
        if settings.store == "postgres":
            from exchange.store.lease import alone_while_opening, lease_of  # noqa: PLC0415 -- of an extra

            opened.enter_context(alone_while_opening(settings.postgres))
            # A store of before the lease, or without tables, is held by nobody.
            with suppress(StoreUnavailable):
                found = lease_of(settings.postgres)
                if found.holder and found.left_s > 0 and not beside_nodes:
                    raise DataFolderInUse("a node holds this shard: stop all of them", holder=found.holder)
        yield
