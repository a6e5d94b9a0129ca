"""Composition of everything below the door: store, keys, ledger, writer.

Promises: parts are opened in the order of trust (keys, store, ledger, writer) and closed in reverse; nothing
is written to a store that is behind what was signed over it.
"""

from __future__ import annotations

import hmac
import os
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from exchange.domain import AGGREGATES, stream_of
from exchange.domain.organisation import JoinOrganisation
from exchange.errors import ExchangeError, KeysBehindEvents, SettingsInvalid
from exchange.gate.register import Register
from exchange.keys.authority import DevelopmentAuthority
from exchange.keys.datakey import LEDGER_CATEGORY
from exchange.keys.identity import IdentityKeys, IdentityResolver, secret_name
from exchange.keys.keystore import KeyStore
from exchange.keys.links import LinkStore
from exchange.ledger.years import YearlyIntegrator
from exchange.pipeline.hot import HotStates, Loader
from exchange.pipeline.matching import Matcher
from exchange.pipeline.opening import Years
from exchange.pipeline.past_plans import PastPlans
from exchange.pipeline.publisher import Publisher
from exchange.pipeline.queue import Pipeline
from exchange.pipeline.registers import FollowedEntries, Registers
from exchange.pipeline.settled import SettledLeaves
from exchange.pipeline.tabulating import Tabulator
from exchange.pipeline.writer import Writer
from exchange.store.codec import Codec, Meta
from exchange.wiring.behind import refuse_forgotten, refuse_lost_checkpoints, refuse_rollback
from exchange.wiring.erasing import SECRET, Erasures
from exchange.wiring.erasure_list import ErasureList
from exchange.wiring.kek import open_kek
from exchange.wiring.key_events import refuse_former_identity
from exchange.wiring.ledger import Ledger, start_ledger
from exchange.wiring.noise import add_noise
from exchange.wiring.places import (
    KEY_FILE,
    erasure_lines,
    has_keys,
    key_place,
    refuse_no_keys,
    refuse_together,
    where_keys_are,
)
from exchange.wiring.published import ledger_folder
from exchange.wiring.read_models import ReadModels, open_read_models
from exchange.wiring.register import GENESIS_BASIS, adopting
from exchange.wiring.stores import has_events, open_reader, open_recorder, refuse_no_events

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.keys.kek import KekRing
    from exchange.ledger.checkpoints import CheckpointStore
    from exchange.ledger.note import Cosigner, NoteSigner
    from exchange.ledger.tiles import TileStore
    from exchange.ledger.years import YearLog
    from exchange.pipeline.cosigning import Cosigners, Witnessed
    from exchange.projections.decisions import DecisionList
    from exchange.projections.erasures import ErasureRecords
    from exchange.projections.insight import InsightIndex
    from exchange.projections.lookups.index import LookupIndex
    from exchange.projections.matching import OfferIndex
    from exchange.projections.obligations import ObligationList
    from exchange.settings import Settings
    from exchange.store.ports import EventReader, EventRecorder

OPERATOR_TASKS: Final = (
    "beheer",
    "beleid",
    "college:JW",
    "college:PW",
    "college:WGS",
    "college:WMO",
    "betrokkene",
    "fg",
)
_RANDOM_BLOCK: Final = 64 * 16


def utc_now() -> datetime:
    """Return the time; microseconds, UTC."""
    return datetime.now(UTC)


def fresh_uuid() -> str:
    """Return a new random id for something of the domain."""
    return str(uuid.uuid4())


class FreshIds:
    """16 random bytes at a time, drawn from the system in blocks. Owned by the writer thread."""

    def __init__(self) -> None:
        self._block = b""
        self._next = 0

    def __call__(self) -> bytes:
        """Return 16 random bytes."""
        start = self._next
        if start >= len(self._block):
            self._block, start = os.urandom(_RANDOM_BLOCK), 0
        self._next = start + 16
        return self._block[start : start + 16]


@dataclass(slots=True)
class Core:
    """Everything below the door: store, keys, ledger, register, writer. Without an event loop."""

    settings: Settings
    clock: Callable[[], datetime]
    kek: KekRing
    keys: KeyStore
    links: LinkStore
    identity: IdentityKeys
    residents: IdentityResolver
    recorder: EventRecorder
    reader: EventReader
    codec: Codec
    hot: HotStates
    loader: Loader
    registers: Registers
    writer: Writer
    ledger: Ledger
    checkpoints: CheckpointStore
    integrator: YearlyIntegrator
    log_pseudonym: Callable[[str], str]
    page_key: bytes
    obligations: ObligationList
    erasures: Erasures
    records: ErasureRecords
    insight: InsightIndex
    offers: OfferIndex
    lookups: LookupIndex
    decisions: DecisionList

    @property
    def matcher(self) -> Matcher:
        """What finds who may be asked along; it draws ids of its own."""
        return Matcher(self.offers, self.reader, self.codec, fresh_uuid)

    @property
    def tables(self) -> Tabulator:
        """What makes tables for publishing; the noise is drawn here."""
        return Tabulator(self.insight, self.reader, self.codec, self.loader, add_noise)

    @property
    def past(self) -> PastPlans:
        """What looks up plans as they were."""
        return PastPlans(self.reader, self.codec, self.hot)

    @property
    def origin(self) -> str:
        """The newest log's name."""
        return self.ledger.origin

    @property
    def tiles(self) -> TileStore:
        """The newest log's files."""
        return self.ledger.tiles

    @property
    def signer(self) -> NoteSigner:
        """Who signs the newest log."""
        return self.ledger.signer

    @property
    def second(self) -> Cosigner | None:
        """The newest log's second key."""
        return self.ledger.second

    @property
    def register(self) -> Register:
        """The register of legal bases in force."""
        return self.registers.now

    def close(self) -> None:
        """Close in reverse order of trust."""
        for name in ReadModels._fields:
            getattr(self, name).database.close()
        self.ledger.close()
        self.reader.close()
        self.recorder.close()
        self.links.close()
        self.keys.close()
        self.kek.close()


def open_core(settings: Settings, now: Callable[[], datetime] = utc_now) -> Core:
    """Open a shard's parts, making what is not there yet in development. Raises ExchangeError.

    ForkRefused when the store is behind what was signed: then nothing was written to it.
    """
    refuse_together(settings)
    _refuse_lost_keys(settings)
    for folder in (settings.data, settings.keys_folder, settings.checkpoints_folder, ledger_folder(settings)):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        core = _open_parts(settings, now, opened)
        # Before anybody is answered from what was erased, in a backup that does not know of it.
        core.erasures.replay()
        refuse_former_identity(core)
        # Whatever failed above closed what was open; from here on `Core.close` does.
        opened.pop_all()
    return core


def _open_parts(settings: Settings, now: Callable[[], datetime], opened: ExitStack) -> Core:
    kek = opened.enter_context(closing(_open_kek(settings)))
    keys = opened.enter_context(closing(KeyStore(key_place(settings), kek)))
    links = opened.enter_context(closing(LinkStore(key_place(settings), kek)))
    identity, residents = _identity(keys, links)
    recorder = opened.enter_context(closing(open_recorder(settings)))
    reader = opened.enter_context(closing(open_reader(settings)))
    codec, hot = Codec(keys), HotStates(settings.hot_mib * 1024 * 1024)
    loader = Loader(reader, codec, hot)
    ledger, integrator = _open_ledger(settings, now, SettledLeaves(reader, recorder), opened)
    erasures = _erasures(settings, keys, residents, reader, (ledger.checkpoints, integrator))
    registers = Registers.load(reader, codec)
    pseudonym, entries = log_pseudonyms(keys), FollowedEntries(reader, codec)
    models = open_read_models(projection_folder(settings), entries, pseudonym, opened)
    return Core(
        settings=settings,
        clock=now,
        kek=kek,
        keys=keys,
        links=links,
        identity=identity,
        residents=residents,
        recorder=recorder,
        reader=reader,
        codec=codec,
        hot=hot,
        loader=loader,
        registers=registers,
        writer=Writer(
            recorder=recorder,
            reader=reader,
            codec=codec,
            keys=keys,
            hot=hot,
            loader=loader,
            registers=registers,
            eraser=erasures,
            years=Years(ledger.logs.first.origin, settings.operator_oin),
            fresh_id=FreshIds(),
        ),
        ledger=ledger,
        checkpoints=ledger.checkpoints,
        integrator=integrator,
        log_pseudonym=pseudonym,
        page_key=keys.service_secret("page-token"),
        erasures=erasures,
        **models._asdict(),
    )


def _open_ledger(
    settings: Settings, now: Callable[[], datetime], reader: SettledLeaves, opened: ExitStack
) -> tuple[Ledger, YearlyIntegrator]:
    heads = reader.heads()
    refuse_lost_checkpoints(settings, heads.position)
    ledger = opened.enter_context(closing(start_ledger(settings, now, opened=heads.opened)))
    refuse_rollback(ledger, reader.heads)
    refuse_forgotten(settings, ledger, reader)
    publishes = settings.witness_policy is None
    return ledger, YearlyIntegrator(reader, ledger.logs, ledger.checkpoints, clock=now, publishes=publishes)


def _identity(keys: KeyStore, links: LinkStore) -> tuple[IdentityKeys, IdentityResolver]:
    generation = links.generation()
    identity = IdentityKeys(keys.service_secret(secret_name(generation)), generation)
    return identity, IdentityResolver(identity, links)


def _erasures(
    settings: Settings,
    keys: KeyStore,
    residents: IdentityResolver,
    reader: EventReader,
    signing: tuple[CheckpointStore, YearlyIntegrator],
) -> Erasures:
    checkpoints, integrator = signing
    listed = ErasureList(erasure_lines(settings, checkpoints), keys.service_secret(SECRET))
    return Erasures(listed, keys, residents, reader, Codec(keys), integrator.confirm)


def genesis(core: Core, now: datetime, *, thumbprint: str, signing_key: str) -> None:
    """Let the operator join as the first event of an empty store, and adopt the shipped register with it.

    A store with history is left alone.
    """
    settings, shipped = core.settings, Register.load()
    command = JoinOrganisation(
        now=now,
        oin=settings.operator_oin,
        name=settings.operator_name,
        tasks=OPERATOR_TASKS,
        certificate_thumbprint=thumbprint,
        signing_key=signing_key,
        operator=True,
    )
    events = AGGREGATES["organisation"].decide(command, None)
    meta = Meta(
        at=now,
        organisation=settings.operator_oin,
        task="beheer",
        professional="",
        purpose="beheer",
        legal_basis=GENESIS_BASIS,
        decision_id="",
        policy_hash=shipped.policy_hash,
        facts_position=0,
    )
    joined = (stream_of("organisation", settings.operator_oin), events)
    core.writer.genesis([joined, *adopting(now, shipped.written)], meta)


def publisher_of(
    core: Core,
    on_error: Callable[[ExchangeError], None],
    cosigners: Callable[[YearLog], Cosigners] | None = None,
    on_missing: Callable[[Witnessed], None] = lambda _: None,
    may: Callable[[], bool] = lambda: True,
) -> Publisher:
    """Return the publisher of a core's ledger."""
    return Publisher(
        core.integrator,
        core.ledger.logs,
        core.reader,
        interval_s=core.settings.integrate_ms / 1000,
        on_error=on_error,
        cosigners=cosigners,
        on_missing=on_missing,
        may=may,
    )


def pipeline_of(core: Core) -> Pipeline:
    """Return the queue before a core's writer."""
    return Pipeline(core.writer, core.hot, core.loader, core.clock)


def log_pseudonyms(keys: KeyStore) -> Callable[[str], str]:
    """Return what makes pseudonyms of residents for the officers' logs: 96 bits of an HMAC-SHA-256."""
    key = keys.service_secret("log-pseudonym")
    return lambda ref: hmac.new(key, ref.encode(), sha256).hexdigest()[:24]


def scanning_keys(keys: KeyStore) -> Callable[[str], tuple[bytes, ...]]:
    """Return what finds the keys by which a resident finds his own leaves, oldest first; none once erased."""

    def found(ref: str) -> tuple[bytes, ...]:
        return tuple(key.ledger_key for key in keys.versions(ref, LEDGER_CATEGORY))

    return found


def development_authority(settings: Settings) -> DevelopmentAuthority:
    """Return the throw-away authority of a development shard."""
    if settings.mode != "development":
        raise SettingsInvalid("the development authority is for development only", mode=settings.mode)
    return DevelopmentAuthority(settings.data / "authority")


def projection_folder(settings: Settings) -> Path:
    """Where the read models are; they are made anew from the events wherever they are not."""
    return settings.data / "projections"


def key_file(settings: Settings) -> Path:
    """Where the keys of residents and the service's own secrets are, each wrapped by the KEK."""
    return settings.keys_folder / KEY_FILE


def refuse_no_service(settings: Settings) -> None:
    """Raise SettingsInvalid where no service ran with these settings, or a part of it is gone."""
    refuse_no_events(settings)
    refuse_no_keys(settings)


def _open_kek(settings: Settings) -> KekRing:
    return open_kek(settings, create=settings.mode == "development" and not has_events(settings))


def _refuse_lost_keys(settings: Settings) -> None:
    if has_events(settings) and not has_keys(settings):
        raise KeysBehindEvents("there are events but no key database", **where_keys_are(settings))
