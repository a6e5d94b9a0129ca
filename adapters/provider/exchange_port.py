"""What this adapter asks of the exchange: a small protocol, and the SDK behind it.

Promises: nothing of gRPC gets past this room but the SDK's errors; a BSN leaves it blinded only; each call
states the one purpose and legal basis of its law and side, and asks listed fields only; an enum value that is
not known here is refused by the mapping, never guessed.
Source: protos/exchange/v1; Wmo 2015 2.3.2, 5.1.2, 5.2.1(2)(a); Jeugdwet 2.3, 7.3.11(2)(a).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from adapters.kit.open_ends import until_told
from adapters.kit.receipts import ReceiptsKept
from adapters.kit.rectifications import SdkRectifications
from adapters.kit.restrictions import SdkRestrictions
from adapters.provider.config import Side
from adapters.provider.plan_seen import CaseFound, PlanSeen, newest, read_entry, read_event, read_support
from adapters.provider.schema import Law
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.purge_port import SdkPurges
from adapters.sdk.renewing import Renewal
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.subscription import HEARTBEAT_S, PATIENCE, Position, Subscription
from exchange.v1.common_pb2 import Purpose
from exchange.v1.identity_service_pb2 import NO_CASE_REASON_INCOMING_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from adapters.kit.rectifications import RectificationPort
    from adapters.kit.restrictions import RestrictionPort
    from adapters.provider.config import Config
    from adapters.provider.plan_seen import AssignOrder, Entry, Happening
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.purge_port import PurgePort
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.subscription_service_pb2 import PublishedEvent, SubscribeResponse

NECESSITY: Final = "Nodig om een toegewezen voorziening via het berichtenverkeer te leveren"
AT_ONCE: Final = 32
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
    )
)
CARE_FIELDS: Final = ("supports.care_start_date", "supports.care_end_date", "supports.stop_reason")
# Of the past no more than what tells whether the resident spoke after a support was written as it is.
PAST_FIELDS: Final = ("supports.support_id", "agreements.outcome")
AGREEMENT_FIELDS: Final = ("agreements.outcome", "agreements.plan_version", "agreements.waits")


class ExchangePort(Protocol):
    """What the exchange does for this adapter. Every method raises the SDK's errors."""

    @property
    def own_oin(self) -> str:
        """Return the number of the organisation that calls."""

    def renew(self) -> bool:
        """Take renewed credentials into use; tell whether there were some. Raises CredentialsInvalid."""

    @property
    def at_once(self) -> int:
        """Return how many questions and commands may be under way side by side, each in a thread."""

    def pseudonyms(self, bsns: Sequence[Bsn]) -> list[bytes]:
        """Return our pseudonyms of BSNs, 32 bytes each, in order."""

    def pseudonym(self, bsn: Bsn) -> bytes:
        """Return our pseudonym of a BSN, 32 bytes."""

    def find_case(self, pseudonym: bytes) -> CaseFound:
        """Return the resident's case. Raises Denied alike for no case and for a case of others."""

    def look(self, plan_id: str, *, with_care: bool = True) -> PlanSeen:
        """Return the supports of a plan, and for a municipality the newest agreement.

        Without care where it is not needed: then nothing tells a stop for a while from another.
        """

    def look_back(self, plan_id: str) -> tuple[Entry, ...]:
        """Return what happened to the supports of a plan, and when the resident spoke of it, in order."""

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
    at_once: int
    _with_joins: bool
    _renewal: Renewal
    _following: Subscription | None = field(default=None)

    @classmethod
    def connect(cls, config: Config) -> SdkExchange:
        """Open the connection. Raises CredentialsInvalid."""
        credentials = Credentials.load(config.credentials)
        # A provider does not need what the resident said of the plan; the exchange holds that rule itself.
        more = AGREEMENT_FIELDS if config.side is Side.MUNICIPALITY else ()
        receipts = ReceiptsKept(config.state)
        client = ExchangeClient(config.target, credentials, config.person).with_receipts(receipts)
        return cls(
            _client=client,
            _pseudonyms=Pseudonyms(config.exchange_key),
            _claims=CLAIMS[config.law, config.side],
            _fields=(*SUPPORT_FIELDS, *more),
            own_oin=credentials.oin,
            at_once=AT_ONCE,
            # A provider learns of a case by its 301; what came before it is not its own to take up.
            _with_joins=config.side is Side.MUNICIPALITY,
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
        (pseudonym,) = self.pseudonyms([bsn])
        return pseudonym

    def pseudonyms(self, bsns: Sequence[Bsn]) -> list[bytes]:
        """Blind BSNs here and return our pseudonyms."""
        return self._pseudonyms.of(
            self._client.identity, self._claims.keeping, bsns, reason=NO_CASE_REASON_INCOMING_MESSAGE
        )

    def find_case(self, pseudonym: bytes) -> CaseFound:
        """Ask for the resident's case and plan."""
        answer = self._client.case.find_case(
            claim=self._claims.keeping, resident=pseudonym, fields=["case_id", "plan_id"]
        )
        return CaseFound(answer.case_id, answer.plan_id)

    def look(self, plan_id: str, *, with_care: bool = True) -> PlanSeen:
        """Ask for the supports as they are now."""
        answer = self._client.plan.get_plan(
            claim=self._claims.reading,
            plan_id=plan_id,
            fields=["version", *self._fields, *(CARE_FIELDS if with_care else ())],
            # Another law's support of the same plan is not ours to see, and no reason to see nothing.
            allow_partial=True,
        )
        supports = (read_support(one) for one in answer.plan.supports)
        seen = tuple(one for one in supports if one is not None)
        return PlanSeen(answer.plan.version, seen, newest(answer.plan))

    def look_back(self, plan_id: str) -> tuple[Entry, ...]:
        """Ask for what happened, page by page."""
        found: list[Entry] = []
        token = ""
        while True:
            page = self._client.history.list_timeline(
                claim=self._claims.reading,
                plan_id=plan_id,
                fields=PAST_FIELDS,
                allow_partial=True,
                page_token=token,
            )
            found += map(read_entry, page.entries)
            token = page.next_page_token
            if not token:
                return tuple(found)

    @until_told()
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
            (*self._fields, *CARE_FIELDS),
            cursor,
            keep_cursor,
            heartbeat_s=CATCHING_UP_HEARTBEAT_S if until_caught_up else HEARTBEAT_S,
            give_up_after_s=CATCHING_UP_GIVE_UP_S if until_caught_up else None,
            patience=PATIENCE,
            with_joins=self._with_joins,
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
