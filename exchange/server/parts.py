"""What the door is given: parts made by the composition root, and its limits.

Promises: nothing here has a default that weakens; every limit's name ends in its unit or bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import BinaryIO

    from exchange.keys.identity import IdentityKeys, IdentityResolver
    from exchange.keys.voprf import BatchEvaluation
    from exchange.ledger.checkpoints import PastCheckpoint
    from exchange.ledger.years import YearLog
    from exchange.pipeline.cosigning import Witnessed
    from exchange.pipeline.hot import HotStates, Loader
    from exchange.pipeline.matching import Matcher
    from exchange.pipeline.past_plans import PastPlans
    from exchange.pipeline.publisher import Proof
    from exchange.pipeline.queue import Pipeline
    from exchange.pipeline.registers import Registers
    from exchange.pipeline.tabulating import Tabulator
    from exchange.projections.decisions import DecisionList
    from exchange.projections.erasures import ErasureRecords
    from exchange.projections.lookups.index import LookupIndex
    from exchange.projections.obligations import ObligationList
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

DOMAIN: Final = "exchange.v1"
PACKAGE: Final = "exchange.v1"
MESSAGE_BYTES_MAX: Final = 1024 * 1024
# Up to here the door says what is wrong and what to do; above it gRPC cuts the call off without details.
CUT_OFF_BYTES: Final = 2 * MESSAGE_BYTES_MAX
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
PAGE_ROWS_DEFAULT: Final = 50
CONNECTIONS_MAX: Final = 4_096


class LedgerReads(Protocol):
    """What the door asks of the ledger."""

    def newest(self) -> Witnessed | None:
        """Return the newest signed checkpoint, None while the log is empty."""
        ...

    def newest_of(self, origin: str) -> Witnessed | None:
        """Return the newest of one log, None where nothing was signed of it; of the newest where unnamed."""
        ...

    def log_of(self, found: Witnessed) -> YearLog:
        """Return the log that a checkpoint is of."""
        ...

    async def receipt(self, leaf_index: int, *, await_quorum: bool = False, whole: bool = False) -> Proof:
        """Return the `.tlog-proof` of a leaf. Raises RequestInvalid, Unavailable."""
        ...

    async def consistency(self, from_size: int, origin: str = "") -> tuple[str, list[bytes]]:
        """Return the newest checkpoint of a log and the proof from an earlier size. Raises RequestInvalid."""
        ...


class Packs(Protocol):
    """What of the ledger lies in files and databases, and is asked from a thread."""

    def checkpoints(self, origin: str, below: int, limit: int) -> list[PastCheckpoint]:
        """Return at most `limit` signed checkpoints of a log, of the newest where unnamed, largest first.

        Raises RequestInvalid for a log that is none here.
        """
        ...

    def made(self, origin: str, since: int) -> BinaryIO:
        """Return the audit pack of a log, opened at its first byte; it lies on disk and has no name.

        Raises RequestInvalid for a log that is none here and a size it has not, Unavailable while nothing is
        signed, StoreUnavailable.
        """
        ...


class SecondParty(Protocol):
    """Who holds the other half of the identity key."""

    @property
    def public_key(self) -> bytes:
        """The key its proofs fit, 32 bytes."""
        ...

    def evaluate(self, blinded: Sequence[bytes]) -> BatchEvaluation:
        """Evaluate under its half; proven. Raises SecondPartyUnavailable, SecondPartyRefused."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """Made by the composition root. `page_key` is 32 secret bytes that bind page tokens to a request.

    `register` is that of legal bases, through time.
    """

    pipeline: Pipeline
    hot: HotStates
    loader: Loader
    reader: EventReader
    codec: Codec
    identity: IdentityKeys
    links: IdentityResolver
    ledger: LedgerReads
    packs: Packs
    register: Registers
    obligations: ObligationList
    decisions: DecisionList
    erasures: ErasureRecords
    lookups: LookupIndex
    tables: Tabulator
    matcher: Matcher
    past: PastPlans
    followed: Callable[[int, float], bool]  # whether the read models hold a position, within so many seconds
    now: Callable[[], datetime]
    fresh_uuid: Callable[[], str]
    log_pseudonym: Callable[[str], str]
    scanning_keys: Callable[[str], tuple[bytes, ...]]  # by which a resident finds his own leaves
    page_key: bytes
    # Where the identity key is split over two parties: who holds the other half.
    second_party: SecondParty | None = None
    # Other nodes write the shard too.
    among: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Where the door stands and what it bears. Certificates are PEM; port 0 takes a free one.

    `development` turns reflection on. `metrics_port` None serves no metrics, `admin_port` None no AuthZEN.
    """

    address: str
    port: int
    server_certificate: bytes
    server_key: bytes
    client_authorities: bytes
    development: bool = False
    metrics_port: int | None = None
    controller: str = ""  # name and OIN of who answers for the processing
    officer_contact: str = ""  # how its data protection officer is reached
    security_measures: str = ""  # where its own security measures are described
    # Of each line of its own: its name, and when what is shown there ends, Unix time.
    line_certificate_ends: tuple[tuple[str, float], ...] = ()
    # The same of those that are read again while the service runs.
    line_certificates_read: tuple[tuple[str, Callable[[], float]], ...] = ()
    admin_address: str = "127.0.0.1"
    admin_port: int | None = None
    deadline_default_s: float = 10.0
    deadline_max_s: float = 60.0
    calls_per_second: float = 5_000.0  # of one organisation, sustained
    calls_burst: int = 10_000
    evaluations_per_minute: int = 6_000  # blinded elements of one organisation
    insight_total_thousandths: int = 1_000  # of epsilon, for a year's tables where nobody decided otherwise
    evaluations_per_day: int = 10_000  # the same, counted in events: at this pace all BSNs take 25 years
    streams_per_organisation_max: int = 16
    streams_max: int = 256
    connections_max: int = CONNECTIONS_MAX  # to a door of gRPC, those that only begin included
    stream_wait_s: float = 20.0  # for whoever opened a stream to take one message
