"""The running service: core, queue, publisher and door on one event loop, from start to drain.

Promises: one service to a data folder; says it is ready only when the ledger agreed with the last signed
checkpoint and the door is open; stops by refusing new calls, finishing accepted ones, publishing what was
committed, and closing in reverse order, and is gone a few seconds after its grace, whatever is away.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from exchange.gate.register import Register
from exchange.logs import open_log
from exchange.server.app import ExchangeServer, Parts, ServerConfig
from exchange.server.spans import open_spans
from exchange.wiring.bells import Ringing, open_bell
from exchange.wiring.collecting import collect_when_serving
from exchange.wiring.console_door import refuse_half_a_console
from exchange.wiring.core import (
    development_authority,
    fresh_uuid,
    genesis,
    open_core,
    pipeline_of,
    publisher_of,
    scanning_keys,
    utc_now,
)
from exchange.wiring.cosigning import Cosigning, witness_policy
from exchange.wiring.ending import Ending, ended_in_time, stop_signal
from exchange.wiring.feeding import Feeding
from exchange.wiring.following import Following
from exchange.wiring.holding import held, looping, never_hung_up, private_files
from exchange.wiring.key_events import tell_keys
from exchange.wiring.nodes import Node, opening
from exchange.wiring.open_files import connections_that_fit
from exchange.wiring.packs import LedgerPacks
from exchange.wiring.parties import second_party_of
from exchange.wiring.places import held_keys
from exchange.wiring.published import vkeys_of
from exchange.wiring.register import keep_register
from exchange.wiring.renewing import (
    Renewing,
    door_files,
    end_of_file,
    ends_read_anew,
    line_certificates,
    read_material,
)
from exchange.wiring.shards import refuse_other_shard
from exchange.wiring.thinning import Thinning
from exchange.wiring.web_doors import WebDoors

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from exchange.errors import ExchangeError
    from exchange.pipeline.publisher import Publisher
    from exchange.pipeline.queue import Pipeline
    from exchange.server.certificates import Material
    from exchange.settings import Settings
    from exchange.wiring.core import Core
    from exchange.wiring.register import Drift
    from exchange.wiring.tenure import Keeping
    from exchange.wiring.web_doors import Opened

READY_FILE: Final = "service.json"
OPERATOR_FOLDER: Final = "operator"
GRACE_MIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Starter:
    """Who started the service: is told where it listens, and may hold it on a leash.

    `leash` is a file descriptor: when its other end closes, however that comes, the service stops. A pipe
    works on every Unix and ends with its starter, also with one that was killed. `clock` is the service's
    only one; nothing in the settings changes it.
    """

    told: Callable[[str], None] | None = None
    leash: int | None = None
    clock: Callable[[], datetime] = utc_now

    def tell(self, target: str) -> None:
        """Say where it listens, where somebody wants to hear it."""
        if self.told is not None:
            self.told(target)


def serve(settings: Settings, starter: Starter | None = None) -> None:
    """Run until SIGTERM, SIGINT or the end of the leash. Raises ExchangeError where it may not start."""
    refuse_half_a_console(settings)
    with (
        # Around all else: what is held in a database is let go of there.
        ended_in_time() as ending,
        never_hung_up(),
        private_files(),
        held(settings.data),
        held_keys(settings, alone=False),
        looping() as runner,
    ):
        runner.run(_serve(settings, starter or Starter(), ending))


async def _serve(settings: Settings, starter: Starter, ending: Ending) -> None:
    # We hold the folder, so whoever wrote this is gone: nobody may take its port for ours.
    (settings.data / READY_FILE).unlink(missing_ok=True)
    log = open_log(settings.log_file, settings.log_level)
    material, thumbprint, signing_key = door_material(settings)
    with opening(settings):
        core = open_core(settings, starter.clock)
        try:
            # Before anything is recorded: residents of one municipality are nobody's business at another.
            refuse_other_shard(settings, core.signer.vkey, material.server_certificate)
            genesis(core, core.clock(), thumbprint=thumbprint, signing_key=signing_key)
            _tell_drift(keep_register(core, Register.load(), core.clock()), log)
        except BaseException:
            core.close()
            raise
    try:
        await run_core(core, material, log, starter, ending)
    finally:
        core.close()


async def run_core(
    core: Core,
    material: Material,
    log: Any,  # noqa: ANN401 -- structlog's bound logger has no public type
    starter: Starter,
    ending: Ending,
) -> None:
    """Serve an open core until a stop signal. Raises ForkRefused before the door opens."""
    settings = core.settings

    def report(error: ExchangeError) -> None:
        log.error("publish_failed", reason=error.code)

    config = config_of(settings, material)
    node = Node.of(settings, config, log)
    publishing = Publishing.of(core, report, log, None if node is None else node.keeping)
    publisher = publishing.publisher
    pipeline = pipeline_of(core)
    following = Following(core, report)
    ringing = Ringing(open_bell(settings, core.reader.head), pipeline, core.hot, following.wake)
    parts = replace(parts_of(core, publisher, pipeline, following), among=node is not None)
    server = ExchangeServer(parts, config, log, open_spans(core.clock), None if node is None else node.doors)
    stop = stop_signal(starter.leash)
    await publishing.start(pipeline)
    following.start(pipeline)
    ringing.start()
    collecting: asyncio.Task[None] | None = None
    web = WebDoors.of(core, material, log)
    renewing = _renewing(core, material, server, web, log)
    try:
        port = await server.start()
        if node is not None:
            await node.start(publisher, pipeline, following, core.clock)
        _say_ready(settings, core, port, server, await web.start(port))
        renewing.start()
        log.info("ready", port=port)
        starter.tell(f"{settings.host}:{port}")
        collecting = asyncio.create_task(collect_when_serving(lambda: pipeline.depth == 0))
        await stop.wait()
    finally:
        ending.begin(settings.drain_s, log)
        await _cancelled(collecting)
        await renewing.stop()
        _take_back(settings.data / READY_FILE)
        await _close(server, web, node, settings.drain_s)
        await pipeline.drain()
        await ringing.stop()
        await following.stop()
        await publishing.stop()
        log.info("stopped")


def _renewing(
    core: Core,
    material: Material,
    server: ExchangeServer,
    web: WebDoors,
    log: Any,  # noqa: ANN401 -- as above
) -> Renewing:
    """Return what looks for renewed certificates: of the doors, and of the console towards the exchange."""
    doors = (server.renew, web.renew)
    return Renewing(door_files(core.settings), material, doors, log, core.clock, beside=(web.console.look,))


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _close(server: ExchangeServer, web: WebDoors, node: Node | None, grace_s: float) -> None:
    """Close the doors; first let another node take the shard: what comes in from here on is served there.

    All of it within the grace: what one door took of it the next one has no more, but for a moment.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + grace_s
    await web.stop(grace_s)
    if node is not None:
        await node.keeping.give()
    await server.drain(min(grace_s, max(GRACE_MIN_S, until - loop.time())))
    if node is not None:
        await node.keeping.stop()


@dataclass(frozen=True, slots=True)
class Publishing:
    """What publishes the log, lets its old notes go, and tells those whom the settings name to witness it."""

    core: Core
    publisher: Publisher
    cosigning: Cosigning | None
    feeding: Feeding | None
    thinning: Thinning

    @classmethod
    def of(
        cls,
        core: Core,
        report: Callable[[ExchangeError], None],
        log: Any,  # noqa: ANN401 -- structlog's bound logger has no public type
        keeping: Keeping | None = None,
    ) -> Publishing:
        """Return it for a core; nothing runs yet. Of many nodes, who holds the shard publishes.

        Raises SettingsInvalid.
        """

        def may() -> bool:
            return keeping is None or keeping.here

        policy = witness_policy(core.settings)
        cosigning = None if policy is None else Cosigning(core, policy, log, core.clock)
        if cosigning is None:
            publisher = publisher_of(core, report, may=may)
        else:
            publisher = publisher_of(core, report, cosigning.cosigners, cosigning.missing, may)
        feeding = Feeding(core, publisher, log, core.clock) if core.settings.directory_url else None
        thinning = Thinning(core.checkpoints, core.settings.checkpoint_days, log, core.clock, may)
        return cls(core, publisher, cosigning, feeding, thinning)

    async def start(self, pipeline: Pipeline) -> None:
        """Publish and follow. Raises ForkRefused or LedgerDiffers: then nothing is served."""
        await self.publisher.start(pipeline)
        # Only now is it known that this store is what was signed.
        if tell_keys(self.core, self.core.clock()):
            await self.publisher.integrate()
        if self.feeding is not None:
            self.feeding.start()
        self.thinning.start()

    async def stop(self) -> None:
        """Publish what was committed last, hand it over, and stop."""
        await self.thinning.stop()
        try:
            await self.publisher.stop()
        finally:
            if self.feeding is not None:
                await self.feeding.stop()
            if self.cosigning is not None:
                self.cosigning.close()


def _tell_drift(drift: Drift, log: Any) -> None:  # noqa: ANN401 -- structlog's bound logger has no public type
    """Say how the shipped register differs from the recorded one, which is the one in force."""
    for reason, names in drift._asdict().items():
        for name in names:
            log.warning("register_differs", reason=reason, place=name)


def parts_of(core: Core, publisher: Publisher, pipeline: Pipeline, following: Following) -> Parts:
    """Return what the server is made of."""
    return Parts(
        pipeline=pipeline,
        hot=core.hot,
        loader=core.loader,
        reader=core.reader,
        codec=core.codec,
        identity=core.identity,
        links=core.residents,
        ledger=publisher,
        packs=LedgerPacks(core.settings, core.ledger),
        register=core.registers,
        obligations=core.obligations,
        decisions=core.decisions,
        erasures=core.records,
        lookups=core.lookups,
        tables=core.tables,
        matcher=core.matcher,
        past=core.past,
        followed=following.followed,
        now=core.clock,
        fresh_uuid=fresh_uuid,
        log_pseudonym=core.log_pseudonym,
        scanning_keys=scanning_keys(core.keys),
        page_key=core.page_key,
        second_party=second_party_of(core.settings, core.links),
    )


def config_of(settings: Settings, material: Material) -> ServerConfig:
    """Return how the server is set."""
    return ServerConfig(
        address=settings.host,
        port=settings.port,
        controller=f"{settings.operator_name}, OIN {settings.operator_oin}",
        officer_contact=settings.officer_contact,
        security_measures=settings.security_measures,
        metrics_port=settings.metrics_port,
        line_certificate_ends=tuple(
            (line, end_of_file(file).timestamp()) for line, _, file in line_certificates(settings)
        ),
        line_certificates_read=ends_read_anew(settings),
        admin_address=settings.admin_host,
        admin_port=settings.admin_port,
        server_certificate=material.server_certificate,
        server_key=material.server_key,
        client_authorities=material.client_authorities,
        development=settings.mode == "development",
        connections_max=connections_that_fit(settings),
        evaluations_per_day=settings.evaluations_per_day,
        insight_total_thousandths=settings.insight_total_thousandths,
    )


def door_material(settings: Settings) -> tuple[Material, str, str]:
    """Return the door's certificates, and the operator's thumbprint and signing key (hexadecimal)."""
    files = door_files(settings)
    if settings.mode == "production":
        return read_material(files), settings.operator_thumbprint, settings.operator_signing_key
    authority = development_authority(settings)
    folder = settings.data / OPERATOR_FOLDER
    if not (folder / "organisation.json").exists():
        authority.issue_organisation(settings.operator_oin, settings.operator_name, folder)
    issued = json.loads((folder / "organisation.json").read_text(encoding="utf-8"))
    if not files[0].exists():
        authority.issue_server(files[0].parent, ("localhost", "127.0.0.1", "::1"))
    return read_material(files), issued["thumbprint"], issued["signing_key"]


def _say_ready(settings: Settings, core: Core, port: int, server: ExchangeServer, opened: Opened) -> None:
    """Write, whole or not at all, where the service listens: for scripts that started it."""
    told = {
        "pid": os.getpid(),
        "target": f"{settings.host}:{port}",
        "metrics_port": server.metrics_port,
        "admin_target": f"{settings.admin_host}:{server.admin_port}" if server.admin_port else "",
        "node_target": settings.node_address,
        **opened._asdict(),
        "origin": core.origin,
        "log_vkey": core.signer.vkey,
        "log_vkey_mldsa": core.second.vkey if core.second is not None else "",
        # For policies: who lists the next year's keys now need not hurry when it begins.
        "logs": [one._asdict() for one in vkeys_of(core.ledger.logs, utc_now().year + 1)],
    }
    file: Path = settings.data / READY_FILE
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(told), encoding="utf-8")
    partial.replace(file)


def _take_back(file: Path) -> None:
    """Remove what this process said of itself; what another said stands."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if told.get("pid") == os.getpid():
        file.unlink(missing_ok=True)
