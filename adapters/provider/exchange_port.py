"""What this adapter asks of the exchange: a small protocol, and the SDK behind it.

Promises: nothing of gRPC gets past this room but the SDK's errors; a BSN leaves it blinded only; each call
states the one purpose and legal basis of its law and side, and asks listed fields only; an enum value that is
not known here is refused by the mapping, never guessed.
Source: protos/exchange/v1; Wmo 2015 2.3.2, 5.1.2, 5.2.1(2)(a); Jeugdwet 2.3, 7.3.11(2)(a).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from adapters.kit.restrictions import SdkRestrictions
from adapters.provider.config import Side
from adapters.provider.records import Product
from adapters.provider.rectification_port import SdkRectifications
from adapters.provider.schema import Law
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.purge_port import SdkPurges
from adapters.sdk.renewing import Renewal
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.subscription import HEARTBEAT_S, PATIENCE, Position, Subscription
from exchange.v1 import plan_pb2 as pb
from exchange.v1.common_pb2 import Purpose
from exchange.v1.identity_service_pb2 import NO_CASE_REASON_INCOMING_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from adapters.kit.restrictions import RestrictionPort
    from adapters.provider.config import Config
    from adapters.provider.rectification_port import RectificationPort
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.purge_port import PurgePort
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.subscription_service_pb2 import PublishedEvent, SubscribeResponse

NECESSITY: Final = "Nodig om een toegewezen voorziening via het berichtenverkeer te leveren"
CATCHING_UP_HEARTBEAT_S: Final = 1
CATCHING_UP_GIVE_UP_S: Final = 5.0
SUPPORT_FIELDS: Final = tuple(
    f"supports.{name}"
    for name in (
        "support_id",
        "kind",
        "provider_oin",
        "product_category",
        "product_code",
        "start_date",
        "end_date",
        "volume",
        "unit",
        "frequency",
        "state",
        "assignment_number",
        "care_start_date",
        "care_end_date",
        "stop_reason",
    )
)
AGREEMENT_FIELDS: Final = ("agreements.outcome", "agreements.plan_version")


class Stage(Enum):
    """Where a support stands; in the order in which a support goes through them, or refused before care."""

    REQUESTED = pb.SUPPORT_STATE_REQUESTED
    ASSIGNED = pb.SUPPORT_STATE_ASSIGNED
    STARTED = pb.SUPPORT_STATE_STARTED
    STOPPED = pb.SUPPORT_STATE_STOPPED
    REFUSED = pb.SUPPORT_STATE_REFUSED


_KNOWN_STATES: Final = frozenset(stage.value for stage in Stage)


@dataclass(frozen=True, slots=True)
class Support:
    """A support of a plan, as far as this adapter was given it. Both days of care are inclusive."""

    support_id: str
    stage: Stage
    custom: bool
    provider_oin: str
    product: Product | None
    starts_on: date | None
    ends_on: date | None = None
    volume: int | None = None
    unit: str | None = None
    frequency: str | None = None
    assignment_number: int | None = None
    care_starts_on: date | None = None
    care_ends_on: date | None = None
    stop_reason: int = 0  # of exchange.v1.StopReason

    @property
    def paused(self) -> bool:
        """Tell whether care stopped for a while: the assignment goes on."""
        return self.stage is Stage.STOPPED and self.stop_reason == pb.STOP_REASON_TEMPORARY


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the resident last said: yes or no, to the plan as it was at a version."""

    agreed: bool
    plan_version: int


@dataclass(frozen=True, slots=True)
class CaseFound:
    """A resident's case and plan."""

    case_id: str
    plan_id: str


@dataclass(frozen=True, slots=True)
class PlanSeen:
    """A plan as it is now; version 0 where the version was withheld."""

    version: int
    supports: tuple[Support, ...] = ()
    agreement: Agreement | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened on a plan; `support` is as it is now, its days of care as they were then."""

    position: int
    kind: str
    plan_id: str
    case_id: str
    plan_version: int
    support: Support | None = None
    agreement: Agreement | None = None


@dataclass(frozen=True, slots=True)
class AssignOrder:
    """The one command this adapter gives. The same id with the same content has the same answer."""

    request_id: str
    plan_id: str
    expected_version: int
    support_id: str
    assignment_number: int
    assigned_on: date


class ExchangePort(Protocol):
    """What the exchange does for this adapter. Every method raises the SDK's errors."""

    @property
    def own_oin(self) -> str:
        """Return the number of the organisation that calls."""

    def renew(self) -> bool:
        """Take renewed credentials into use; tell whether there were some. Raises CredentialsInvalid."""

    def pseudonym(self, bsn: Bsn) -> bytes:
        """Return our pseudonym of a BSN, 32 bytes."""

    def find_case(self, pseudonym: bytes) -> CaseFound:
        """Return the resident's case. Raises Denied alike for no case and for a case of others."""

    def look(self, plan_id: str) -> PlanSeen:
        """Return the supports of a plan, and for a municipality the newest agreement."""

    def assign(self, order: AssignOrder) -> None:
        """Assign a support. Raises Conflict for another version, RuleBroken, Denied."""

    def follow(
        self, cursor: int, keep_cursor: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[Happening]:
        """Give what happened after a position, in order, at least once; `keep_cursor` after each batch."""

    def stop_following(self) -> None:
        """End `follow`, from any thread."""

    @property
    def purges(self) -> PurgePort:
        """Return what the exchange asks us to erase."""

    @property
    def rectifications(self) -> RectificationPort:
        """Return what the exchange tells us was rectified."""

    @property
    def restrictions(self) -> RestrictionPort:
        """Return what the exchange tells us is restricted, or is so no more."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Why one side of one law reads what others brought, and why it keeps what is its own.

    Whose resident it is and that there is a case are the organisation's own: no disclosure by another.
    """

    reading: Claim
    keeping: Claim


def _claims(purpose: Purpose.ValueType, reading: str, keeping: str | None = None) -> Claims:
    return Claims(claim(purpose, reading, NECESSITY), claim(purpose, keeping or reading, NECESSITY))


CLAIMS: Final[Mapping[tuple[Law, Side], Claims]] = MappingProxyType(
    {
        (Law.WMO, Side.MUNICIPALITY): _claims(Purpose.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2"),
        (Law.WMO, Side.PROVIDER): _claims(Purpose.PURPOSE_WMO_LEVERING, "WMO-5.2.1-2a", "WMO-5.1.2"),
        (Law.JW, Side.MUNICIPALITY): _claims(Purpose.PURPOSE_JEUGD_TOEGANG, "JW-2.3"),
        (Law.JW, Side.PROVIDER): _claims(Purpose.PURPOSE_JEUGDHULP_VERLENEN, "JW-7.3.11-2a"),
    }
)


class _CatchingUp(Position):
    """A position that tells when the exchange had nothing more: an answer without events is a heartbeat."""

    caught_up: Callable[[], None] | None = None

    def new_events(self, response: SubscribeResponse) -> list[PublishedEvent]:
        if not response.events and self.caught_up is not None:
            self.caught_up()
        return super().new_events(response)


@dataclass(slots=True)
class SdkExchange:
    """The exchange over mutual TLS, as the one person of the settings."""

    _client: ExchangeClient
    _pseudonyms: Pseudonyms
    _claims: Claims
    _fields: Sequence[str]
    own_oin: str
    _renewal: Renewal
    _following: Subscription | None = field(default=None)

    @classmethod
    def connect(cls, config: Config) -> SdkExchange:
        """Open the connection. Raises CredentialsInvalid."""
        credentials = Credentials.load(config.credentials)
        # A provider does not need what the resident said of the plan; the exchange holds that rule itself.
        more = AGREEMENT_FIELDS if config.side is Side.MUNICIPALITY else ()
        client = ExchangeClient(config.target, credentials, config.person)
        return cls(
            _client=client,
            _pseudonyms=Pseudonyms(config.exchange_key),
            _claims=CLAIMS[config.law, config.side],
            _fields=(*SUPPORT_FIELDS, *more),
            own_oin=credentials.oin,
            _renewal=Renewal(config.credentials, client, credentials),
        )

    def close(self) -> None:
        """Hang up."""
        self.stop_following()
        self._client.close()

    @property
    def purges(self) -> SdkPurges:
        """Ask over the same connection."""
        return SdkPurges(self._client)

    @property
    def rectifications(self) -> SdkRectifications:
        """Ask over the same connection."""
        return SdkRectifications(self._client)

    @property
    def restrictions(self) -> SdkRestrictions:
        """Ask over the same connection, of what we read plans for."""
        return SdkRestrictions(self._client, self._claims.reading.purpose)

    def renew(self) -> bool:
        """Go on with other credentials of our folder, where there are some. Raises CredentialsInvalid."""
        return self._renewal.look()

    def pseudonym(self, bsn: Bsn) -> bytes:
        """Blind a BSN here and return our pseudonym."""
        (pseudonym,) = self._pseudonyms.of(
            self._client.identity, self._claims.keeping, [bsn], reason=NO_CASE_REASON_INCOMING_MESSAGE
        )
        return pseudonym

    def find_case(self, pseudonym: bytes) -> CaseFound:
        """Ask for the resident's case and plan."""
        answer = self._client.case.find_case(
            claim=self._claims.keeping, resident=pseudonym, fields=["case_id", "plan_id"]
        )
        return CaseFound(answer.case_id, answer.plan_id)

    def look(self, plan_id: str) -> PlanSeen:
        """Ask for the supports as they are now."""
        answer = self._client.plan.get_plan(
            claim=self._claims.reading,
            plan_id=plan_id,
            fields=["version", *self._fields],
            # Another law's support of the same plan is not ours to see, and no reason to see nothing.
            allow_partial=True,
        )
        supports = (read_support(one) for one in answer.plan.supports)
        seen = tuple(one for one in supports if one is not None)
        return PlanSeen(answer.plan.version, seen, _newest(answer.plan))

    def assign(self, order: AssignOrder) -> None:
        """Record that the support is assigned."""
        self._client.plan.assign_support(
            claim=self._claims.keeping,
            request_id=order.request_id,
            plan_id=order.plan_id,
            expected_version=order.expected_version,
            support_id=order.support_id,
            assignment_number=str(order.assignment_number),
            assign_date=order.assigned_on.isoformat(),
        )

    def follow(
        self, cursor: int, keep_cursor: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[Happening]:
        """Follow the plans the adapter works on."""
        position = _CatchingUp(
            self._claims.reading,
            self._fields,
            cursor,
            keep_cursor,
            heartbeat_s=CATCHING_UP_HEARTBEAT_S if until_caught_up else HEARTBEAT_S,
            give_up_after_s=CATCHING_UP_GIVE_UP_S if until_caught_up else None,
            patience=PATIENCE,
        )
        subscription = Subscription(self._client, position)
        if until_caught_up:
            position.caught_up = subscription.close
        self._following = subscription
        for event in subscription:
            yield read_event(event)

    def stop_following(self) -> None:
        """End the subscription."""
        if self._following is not None:
            self._following.close()


def read_support(told: pb.Support) -> Support | None:
    """Return a support of the contract as a record; None for a state that is withheld or not known here."""
    if told.state not in _KNOWN_STATES:
        return None
    return Support(
        support_id=told.support_id,
        stage=Stage(told.state),
        custom=told.kind == pb.SUPPORT_KIND_CUSTOM,
        provider_oin=told.provider_oin,
        product=Product(told.product_category, told.product_code or None) if told.product_category else None,
        starts_on=_day(told.start_date),
        ends_on=_day(told.end_date),
        volume=told.volume or None,
        unit=told.unit or None,
        frequency=told.frequency or None,
        assignment_number=int(told.assignment_number) if told.assignment_number else None,
        care_starts_on=_day(told.care_start_date),
        care_ends_on=_day(told.care_end_date),
        stop_reason=told.stop_reason,
    )


def read_event(event: PublishedEvent) -> Happening:
    """Return a published event as a record; a part that was withheld is absent."""
    supports = event.change.supports
    return Happening(
        position=event.position,
        kind=event.kind,
        plan_id=event.plan_id,
        case_id=event.case_id,
        plan_version=event.plan_version,
        support=read_support(supports[0]) if supports else None,
        agreement=_newest(event.change),
    )


def _newest(plan: pb.Plan) -> Agreement | None:
    if not plan.agreements:
        return None
    last = plan.agreements[-1]
    return Agreement(last.outcome == pb.AGREEMENT_OUTCOME_AGREED, last.plan_version)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
