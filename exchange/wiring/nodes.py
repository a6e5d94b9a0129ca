"""What this process is among many nodes on one shard: its lease, its front, its door to the others.

Promises: made where the settings name an address for it, and nowhere else; the parts that publish, and the
read models, are woken when the shard comes to this node; a node opens a shard while no other one does.
Source: exchange/decisions/0095-a-lease-and-who-holds-it.md, 0096-forwarding-as-bytes.md.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exchange.errors import SettingsInvalid
from exchange.server.caller.certificates import names_organisation
from exchange.server.limits import Streams
from exchange.server.nodes.door import NodeDoor
from exchange.server.nodes.doors import NodeDoors
from exchange.server.nodes.front import Front
from exchange.server.nodes.line import Lines, NodeMaterial
from exchange.wiring.stores import refuse_no_extra
from exchange.wiring.tenure import Keeping

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from exchange.pipeline.publisher import Publisher
    from exchange.pipeline.queue import Pipeline
    from exchange.server.app import ServerConfig
    from exchange.settings import Settings
    from exchange.store.lease import Tenure
    from exchange.wiring.following import Following

FILES: Final = ("node_certificate", "node_key", "node_authorities")


@dataclass(frozen=True, slots=True)
class Node:
    """One of many; owned by one event loop."""

    keeping: Keeping
    doors: NodeDoors

    @classmethod
    def of(
        cls,
        settings: Settings,
        config: ServerConfig,
        log: Any,  # noqa: ANN401 -- structlog's bound logger has no public type
    ) -> Node | None:
        """Return it, None for the only node; nothing runs yet. Raises SettingsInvalid."""
        if not settings.node_address:
            return None
        from exchange.store.lease import PostgresLease  # noqa: PLC0415 -- the extra may not be there

        material = node_material(settings, config.client_authorities)
        lease = PostgresLease(settings.postgres, settings.node_address, settings.lease_seconds)
        keeping, lines = Keeping(lease, settings.lease_seconds, log), Lines(material)
        front = Front(
            keeping,
            lines,
            log,
            limit_default_s=config.deadline_default_s,
            limit_max_s=config.deadline_max_s,
            streams=Streams(config.streams_per_organisation_max, config.streams_max),
            stream_wait_s=config.stream_wait_s,
        )
        port = int(settings.node_address.rpartition(":")[2])
        doors = NodeDoors(keeping, front, NodeDoor(keeping), lines, material, settings.node_host, port)
        return cls(keeping, doors)

    async def start(
        self, publisher: Publisher, pipeline: Pipeline, following: Following, now: Callable[[], datetime]
    ) -> None:
        """Ask who holds the shard, take it where nobody does, and go on so."""
        loop, looking = asyncio.get_running_loop(), set[asyncio.Task[int]]()

        def ended(task: asyncio.Task[int]) -> None:
            looking.discard(task)
            if not task.cancelled():
                # It is only a look ahead: who is answered looks for himself.
                task.exception()

        def take_over() -> None:
            publisher.wake()
            # What the others wrote is followed before somebody waits for it.
            task = loop.create_task(pipeline.look(now()))
            looking.add(task)
            task.add_done_callback(ended)

        self.keeping.when_taken.append(take_over)
        self.keeping.when_looked.append(following.wake)
        await self.keeping.start()


def node_material(settings: Settings, client_authorities: bytes) -> NodeMaterial:
    """Return what the nodes know each other by. Raises SettingsInvalid.

    Who comes from an authority of organisations is no node: what a node says of a caller is believed.
    """
    read = []
    for name in FILES:
        path: Path | None = getattr(settings, name)
        assert path is not None, "a node has all of its settings"
        try:
            read.append(path.read_bytes())
        except OSError:
            raise SettingsInvalid("a file of this node cannot be read", name=name) from None
    material = NodeMaterial(*read)
    if names_organisation(material.certificate):
        raise SettingsInvalid("a node's certificate names no organisation", name="node_certificate")
    if not _authorities(client_authorities, "client_authorities").isdisjoint(
        _authorities(material.authorities, "node_authorities")
    ):
        raise SettingsInvalid("nodes have an authority that organisations have not", name="node_authorities")
    return material


def _authorities(pem: bytes, name: str) -> frozenset[bytes]:
    try:
        # By their keys: the same one may sign under another name.
        return frozenset(
            one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for one in x509.load_pem_x509_certificates(pem)
        )
    except ValueError:
        raise SettingsInvalid("the certificates in this file cannot be read", name=name) from None


def lease_now(settings: Settings) -> Tenure:
    """Return who holds the shard of a store. Raises SettingsInvalid, StoreUnavailable."""
    _refuse_file(settings)
    from exchange.store.lease import lease_of  # noqa: PLC0415 -- the extra may not be there

    return lease_of(settings.postgres)


def moved_lease(settings: Settings) -> Tenure:
    """End the lease for another node to take; return who held it. Raises as `lease_now` does."""
    _refuse_file(settings)
    from exchange.store.lease import pass_on  # noqa: PLC0415 -- the extra may not be there

    return pass_on(settings.postgres)


def _refuse_file(settings: Settings) -> None:
    if settings.store != "postgres":
        raise SettingsInvalid("a store in a file has one node and no lease", store=settings.store)
    refuse_no_extra(settings)


def opening(settings: Settings) -> AbstractContextManager[None]:
    """Return what one node at a time holds while it opens the shard; nothing for the only node."""
    if not settings.node_address:
        return nullcontext()
    refuse_no_extra(settings)
    from exchange.store.lease import alone_while_opening  # noqa: PLC0415 -- the extra may not be there

    # Its tables, too, are made by the first.
    return alone_while_opening(settings.postgres)
