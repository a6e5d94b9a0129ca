"""What this adapter asks of the exchange: a small protocol, and the SDK behind it.

Promises: nothing of gRPC gets past this room but the SDK's errors; a BSN leaves it blinded only; each call
states the one purpose and legal basis of its law, and asks listed fields only.
Source: protos/exchange/v1; Wmo 2015 2.3.2; Jeugdwet 2.3.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from adapters.kit.open_ends import until_told
from adapters.kit.receipts import ReceiptsKept
from adapters.kit.restrictions import SdkRestrictions
from adapters.municipal.config import Law
from adapters.municipal.records import Goal, PlanSeen, Support, SupportState
from adapters.municipal.situation_port import SdkSituations
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.purge_port import SdkPurges
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.subscription import HEARTBEAT_S, PATIENCE, Position, Subscription
from exchange.v1 import plan_pb2 as pb
from exchange.v1 import representation_service_pb2 as representation
from exchange.v1.common_pb2 import LifeDomain, Purpose
from exchange.v1.identity_service_pb2 import NO_CASE_REASON_INCOMING_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from adapters.kit.restrictions import RestrictionPort
    from adapters.municipal.config import Config
    from adapters.municipal.records import Holder
    from adapters.municipal.situation_port import SituationPort
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.purge_port import PurgePort
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.subscription_service_pb2 import PublishedEvent, SubscribeResponse

NECESSITY: Final = "Nodig om melding en plan in het zaaksysteem van de gemeente bij te houden"
CATCHING_UP_HEARTBEAT_S: Final = 1
CATCHING_UP_GIVE_UP_S: Final = 5.0
STATE_FIELDS: Final = (
    "version",
    "conversations.outcome",
    "situations.judge_date",
    "goals.goal_id",
    "goals.state",
    "supports.support_id",
    "supports.kind",
    "supports.state",
    "supports.start_date",
    "supports.end_date",
    "agreements.outcome",
    "agreements.plan_version",
    "agreements.waits",
)
# Asked only where the plan is kept as an object, or its decisions as documents.
OBJECT_FIELDS: Final = (
    "goals.own_words",
    "goals.desired_effect",
    "goals.life_domain",
    "goals.target_date",
    "supports.provider_oin",
    "supports.product_category",
    "supports.product_code",
)
# One leaf of each collection a case depends on: an event is told where one of its own fields is asked.
FOLLOWED_FIELDS: Final = (
    "conversations.outcome",
    "situations.judge_date",
    "goals.goal_id",
    "supports.state",
    "agreements.outcome",
)
_STATES: Final[Mapping[int, SupportState]] = MappingProxyType(
    {
        pb.SUPPORT_STATE_REQUESTED: SupportState.REQUESTED,
        pb.SUPPORT_STATE_ASSIGNED: SupportState.ASSIGNED,
        pb.SUPPORT_STATE_STARTED: SupportState.STARTED,
        pb.SUPPORT_STATE_STOPPED: SupportState.STOPPED,
        pb.SUPPORT_STATE_REFUSED: SupportState.REFUSED,
    }
)
CLAIMS: Final[Mapping[Law, Claim]] = MappingProxyType(
    {
        Law.WMO: claim(Purpose.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", NECESSITY),
        Law.JW: claim(Purpose.PURPOSE_JEUGD_TOEGANG, "JW-2.3", NECESSITY),
    }
)


@dataclass(frozen=True, slots=True)
class CaseFound:
    """A resident's case and plan; both empty for who has no part in it."""

    case_id: str
    plan_id: str


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened on a plan: no more than that, for the plan is read anew."""

    position: int
    plan_id: str


@dataclass(frozen=True, slots=True)
class ReportOrder:
    """A report to record. The same id with the same content has the same answer."""

    request_id: str
    pseudonym: bytes = field(repr=False)
    own_words: str = field(repr=False)
    domains: tuple[str, ...]
    desk: str


class ExchangePort(Protocol):
    """What the exchange does for this adapter. Every method raises the SDK's errors."""

    def pseudonym(self, bsn: Bsn) -> bytes:
        """Return our pseudonym of a BSN, 32 bytes."""

    def register_resident(self, request_id: str, pseudonym: bytes, born: str, *, capable: bool) -> None:
        """Register a resident; of who is known nothing changes."""

    def report(self, order: ReportOrder) -> CaseFound:
        """Record a report; tell case and plan where we have a part in them."""

    def find_case(self, pseudonym: bytes) -> CaseFound:
        """Return the resident's case. Raises Denied alike for no case and for a case of others."""

    def look(self, plan_id: str) -> PlanSeen:
        """Return a plan as it is now."""

    def record_holder(self, request_id: str, case_id: str, holder: Holder, found_on: str) -> None:
        """Record who has authority over the resident, as the BRP said on a day."""

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
    def restrictions(self) -> RestrictionPort:
        """Return what the exchange tells us is restricted, or is so no more."""

    @property
    def situations(self) -> SituationPort:
        """Return what stands of life domains in plans."""


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
    _claim: Claim
    _fields: Sequence[str]
    _followed: Sequence[str]
    own_oin: str
    _following: Subscription | None = field(default=None)

    @classmethod
    def connect(cls, config: Config) -> SdkExchange:
        """Open the connection. Raises CredentialsInvalid."""
        credentials = Credentials.load(config.credentials)
        more = OBJECT_FIELDS if config.tells_words else ()
        receipts = ReceiptsKept(config.state)
        return cls(
            _client=ExchangeClient(config.target, credentials, config.person).with_receipts(receipts),
            _pseudonyms=Pseudonyms(config.exchange_key),
            _claim=CLAIMS[config.law],
            _fields=(*STATE_FIELDS, *more),
            _followed=(*FOLLOWED_FIELDS, *more),
            own_oin=credentials.oin,
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
    def restrictions(self) -> SdkRestrictions:
        """Ask over the same connection, of what we read plans for."""
        return SdkRestrictions(self._client, self._claim.purpose)

    @property
    def situations(self) -> SdkSituations:
        """Ask over the same connection, on the same ground."""
        return SdkSituations(self._client, self._claim)

    def pseudonym(self, bsn: Bsn) -> bytes:
        """Blind a BSN here and return our pseudonym."""
        (pseudonym,) = self._pseudonyms.of(
            self._client.identity, self._claim, [bsn], reason=NO_CASE_REASON_INCOMING_MESSAGE
        )
        return pseudonym

    @until_told()
    def register_resident(self, request_id: str, pseudonym: bytes, born: str, *, capable: bool) -> None:
        """Register a resident."""
        self._client.identity.register_resident(
            request_id=request_id,
            claim=self._claim,
            resident=pseudonym,
            birth_date=born,
            capable=capable,
        )

    @until_told()
    def report(self, order: ReportOrder) -> CaseFound:
        """Record a report."""
        answer = self._client.case.receive_report(
            request_id=order.request_id,
            claim=self._claim,
            resident=order.pseudonym,
            life_domains=[LifeDomain.Value(f"LIFE_DOMAIN_{one}") for one in order.domains],
            own_words=order.own_words,
            desk=order.desk,
        )
        return CaseFound(answer.case_id, answer.plan_id)

    def find_case(self, pseudonym: bytes) -> CaseFound:
        """Ask for the resident's case and plan."""
        answer = self._client.case.find_case(
            claim=self._claim, resident=pseudonym, fields=["case_id", "plan_id"]
        )
        return CaseFound(answer.case_id, answer.plan_id)

    def look(self, plan_id: str) -> PlanSeen:
        """Ask for the plan as it is now."""
        answer = self._client.plan.get_plan(
            claim=self._claim,
            plan_id=plan_id,
            fields=self._fields,
            # What another law brought to the same plan is not ours to see, and no reason to see nothing.
            allow_partial=True,
        )
        return read_plan(plan_id, answer.plan)

    @until_told()
    def record_holder(self, request_id: str, case_id: str, holder: Holder, found_on: str) -> None:
        """Record who has authority. The municipality's portal knows him by our own pseudonym of him."""
        name = base64.urlsafe_b64encode(self.pseudonym(holder.bsn)).decode().rstrip("=")
        self._client.representation.record_representative(
            request_id=request_id,
            claim=self._claim,
            case_id=case_id,
            person_oin=self.own_oin,
            person_id=name,
            relation=representation.Relation.Value(f"RELATION_{holder.relation}"),
            gezag=representation.Gezag.Value(f"GEZAG_{holder.gezag}"),
            evidence_source=representation.EVIDENCE_SOURCE_BRP,
            source_reference=f"brp-personen-{found_on}",
            source_date=found_on,
            start_date=found_on,
        )

    def follow(
        self, cursor: int, keep_cursor: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[Happening]:
        """Follow the plans the adapter works on."""
        position = _CatchingUp(
            self._claim,
            self._followed,
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
            yield Happening(event.position, event.plan_id)

    def stop_following(self) -> None:
        """End the subscription."""
        if self._following is not None:
            self._following.close()


def read_plan(plan_id: str, plan: pb.Plan) -> PlanSeen:
    """Return a plan of the contract as a record; what is withheld is absent."""
    solved = pb.CONVERSATION_OUTCOME_SOLVED_IN_GENERAL_SERVICES
    last = plan.agreements[-1] if plan.agreements else None
    return PlanSeen(
        plan_id=plan_id,
        version=plan.version,
        investigated=bool(plan.conversations or plan.situations or plan.goals),
        solved=any(one.outcome == solved for one in plan.conversations),
        agreed=last is not None and _is_yes(last),
        goals=tuple(_goal(one) for one in plan.goals if one.goal_id),
        # A state that is withheld or not known here says nothing of where a support stands.
        supports=tuple(_support(one) for one in plan.supports if one.support_id and one.state in _STATES),
    )


def _is_yes(told: pb.Agreement) -> bool:
    """Tell whether it is a yes that waits for nobody, to this plan: of another it has no version."""
    return told.outcome == pb.AGREEMENT_OUTCOME_AGREED and not told.waits and told.plan_version > 0


def _goal(told: pb.Goal) -> Goal:
    return Goal(
        goal_id=told.goal_id,
        own_words=told.own_words,
        desired_effect=told.desired_effect,
        life_domain=_word(LifeDomain, told.life_domain, "LIFE_DOMAIN_"),
        target_date=told.target_date,
        state=_word(pb.GoalState, told.state, "GOAL_STATE_"),
    )


def _support(told: pb.Support) -> Support:
    return Support(
        support_id=told.support_id,
        custom=told.kind == pb.SUPPORT_KIND_CUSTOM,
        state=_STATES[told.state],
        provider_oin=told.provider_oin,
        product_category=told.product_category,
        product_code=told.product_code,
        start_date=told.start_date,
        end_date=told.end_date,
    )


def _word(kind: Any, value: int, prefix: str) -> str:  # noqa: ANN401 -- any enum of the contract
    """Return the name of a value, empty where there is none or it is not known here."""
    return "" if not value or value not in kind.values() else str(kind.Name(value)).removeprefix(prefix)
