"""What this adapter asks of the exchange: whether it may ask Suwinet, and to fill a plan in.

Promises: nothing of gRPC gets past this room but the SDK's errors; a BSN leaves it blinded only. Before any
question to Suwinet the gate is asked twice, under the purpose of the order and the basis that Suwinet rests
on: for the number, and for what is known of work in that resident's plan. Both are recorded decisions, which
the resident finds in the log. What is written rests on the college's own task, and on what it saw there.
Source: protos/exchange/v1; Wet SUWI 62; Participatiewet 7; GDPR 5(1)(b).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from adapters.kit.open_ends import until_told
from adapters.kit.receipts import ReceiptsKept
from adapters.kit.rectifications import SdkRectifications
from adapters.kit.restrictions import SdkRestrictions
from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.credentials import Credentials
from adapters.sdk.looking import look
from adapters.sdk.purge_port import SdkPurges
from adapters.sdk.renewing import Renewal
from adapters.sdk.residents import Pseudonyms
from adapters.work_income.records import Domain
from adapters.work_income.services import SERVICES_OF
from exchange.v1 import common_pb2 as common

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapters.kit.rectifications import RectificationPort
    from adapters.kit.restrictions import RestrictionPort
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.purge_port import PurgePort
    from adapters.work_income.config import Config
    from adapters.work_income.records import Prefill
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.plan_service_pb2 import Seen

ASKING: Final = "SUWI-62"
WRITING: Final = "PW-7"
OURS: Final = "suwinet:"
FILLING: Final = "Nodig om niet opnieuw te vragen wat UWV en gemeente al weten"
_SITUATIONS: Final = tuple(
    f"situations.{name}" for name in ("life_domain", "description", "source", "score", "judge_date")
)
# What the plan has of the very kind of data that is asked for; a basis that does not cover it refuses.
_OF_WORK: Final = ("trajectories.trajectory_id", "trajectories.facility", "trajectories.start_date")
_DOMAINS: Final[Mapping[Domain, common.LifeDomain.ValueType]] = MappingProxyType(
    {
        Domain.FINANCE: common.LIFE_DOMAIN_FINANCE,
        Domain.WORK_AND_EDUCATION: common.LIFE_DOMAIN_WORK_AND_EDUCATION,
    }
)


@dataclass(frozen=True, slots=True)
class Permit:
    """The gate's yes to asking Suwinet about a resident, for one purpose."""

    purpose: str
    plan_id: str
    decision_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in a life domain now, as this desk may read it; `seen` is what a command says of that."""

    description: str = field(repr=False)
    source: str
    score: int = field(repr=False)
    judged_on: str
    seen: Seen = field(repr=False)

    @property
    def empty(self) -> bool:
        """Tell whether nobody wrote here yet."""
        return not self.description

    @property
    def from_suwinet(self) -> bool:
        """Tell whether it says that Suwinet told it; a person may have changed its words since."""
        return self.source.startswith(OURS)


@dataclass(frozen=True, slots=True)
class FillIn:
    """The one command this adapter gives. The score is a person's, judged on a day."""

    request_id: str
    plan_id: str
    purpose: str
    prefill: Prefill
    score: int = field(repr=False)
    judged_on: str
    seen: Seen = field(repr=False)


class ExchangePort(Protocol):
    """What the exchange does for this adapter. Every method raises the SDK's errors."""

    def permit(self, bsn: Bsn, purpose: str, necessity: str) -> Permit:
        """Return the gate's yes. Raises Denied, alike for no case and for a purpose that is not listed."""

    def standing(self, plan_id: str, purpose: str, domain: Domain) -> Standing:
        """Return what stands in a life domain."""

    def fill_in(self, order: FillIn) -> None:
        """Describe a situation. Raises Conflict where somebody else wrote since."""

    def renew(self) -> bool:
        """Take renewed credentials into use; tell whether there were any. Raises CredentialsInvalid once."""

    @property
    def purges(self) -> PurgePort:
        """Return what the exchange asks us to erase."""

    @property
    def restrictions(self) -> RestrictionPort:
        """Return what the exchange tells of restrictions."""

    @property
    def rectifications(self) -> RectificationPort:
        """Return what the exchange tells was rectified."""


def purpose_of(word: str) -> common.Purpose.ValueType | None:
    """Return a purpose of the contract for a word of the register; None where there is no such purpose."""
    name = "PURPOSE_" + word.replace("-", "_").upper()
    known = name in common.Purpose.keys()  # noqa: SIM118 -- no mapping
    return (common.Purpose.Value(name) or None) if known else None


@dataclass(slots=True)
class SdkExchange:
    """The exchange over mutual TLS, as the one person of the settings."""

    _client: ExchangeClient
    _pseudonyms: Pseudonyms
    _renewal: Renewal

    @classmethod
    def connect(cls, config: Config) -> SdkExchange:
        """Open the connection. Raises CredentialsInvalid."""
        credentials = Credentials.load(config.credentials)
        receipts = ReceiptsKept(config.state)
        client = ExchangeClient(config.target, credentials, config.person).with_receipts(receipts)
        renewal = Renewal(config.credentials, client, credentials)
        return cls(client, Pseudonyms(config.exchange_key), renewal)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def renew(self) -> bool:
        """Look at the folder of credentials."""
        return self._renewal.look()

    @property
    def purges(self) -> SdkPurges:
        """Ask over the same connection."""
        return SdkPurges(self._client)

    @property
    def restrictions(self) -> SdkRestrictions:
        """Ask over the same connection."""
        purposes = (purpose_of(word) for word in SERVICES_OF)
        return SdkRestrictions(self._client, *(one for one in purposes if one is not None))

    @property
    def rectifications(self) -> SdkRectifications:
        """Ask over the same connection."""
        return SdkRectifications(self._client)

    def permit(self, bsn: Bsn, purpose: str, necessity: str) -> Permit:
        """Ask the gate: for the number first, then for the kind of data."""
        asking = _claim(purpose, ASKING, necessity)
        # Drawn anew for each order: a pseudonym kept in memory would leave no decision behind.
        self._pseudonyms.forget(bsn)
        (pseudonym,) = self._pseudonyms.of(self._client.identity, asking, [bsn])
        found = self._client.case.find_case(
            claim=_claim(purpose, WRITING, necessity), resident=pseudonym, fields=["case_id", "plan_id"]
        )
        answer = self._client.plan.get_plan(claim=asking, plan_id=found.plan_id, fields=list(_OF_WORK))
        return Permit(purpose, found.plan_id, answer.decision_id)

    def standing(self, plan_id: str, purpose: str, domain: Domain) -> Standing:
        """Read the situations of the plan under the college's own task."""
        seen = look(self._client, _claim(purpose, WRITING, FILLING), plan_id, _SITUATIONS)
        for one in seen.plan.situations:
            if one.life_domain == _DOMAINS[domain]:
                return Standing(one.description, one.source, one.score, one.judge_date, seen.seen)
        return Standing("", "", 0, "", seen.seen)

    @until_told()
    def fill_in(self, order: FillIn) -> None:
        """Give the command."""
        self._client.plan.describe_situation(
            claim=_claim(order.purpose, WRITING, FILLING),
            request_id=order.request_id,
            plan_id=order.plan_id,
            life_domain=_DOMAINS[order.prefill.domain],
            description=order.prefill.description,
            score=order.score,
            judge_date=order.judged_on,
            source=order.prefill.source,
            seen=order.seen,
        )


def _claim(purpose: str, basis: str, necessity: str) -> Claim:
    found = purpose_of(purpose)
    if found is None:
        raise ValueError("a purpose was not checked when the order came in")
    return claim(found, basis, necessity)
