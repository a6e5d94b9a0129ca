"""What stands of a life domain in a plan, and the one command that describes it.

Promises: what a person wrote in the plan is never replaced; a command says what it saw, so that who was first
is seen; each call states the purpose and legal basis of this adapter's law.
Source: protos/exchange/v1, PlanService.DescribeSituation; GDPR 5(1)(d), 14(2)(f).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from adapters.kit.open_ends import until_told
from adapters.sdk.looking import look
from exchange.v1.common_pb2 import LifeDomain

if TYPE_CHECKING:
    from adapters.municipal.records import Situation
    from adapters.sdk.client import ExchangeClient
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.plan_service_pb2 import Seen

# Where a description of ours says that it comes from.
OURS: Final = "zaaksysteem"
FIELDS: Final = tuple(f"situations.{name}" for name in ("life_domain", "description", "source", "score"))


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in a life domain now, as this desk may read it; `seen` is what a command says of that."""

    description: str = field(repr=False)
    score: int = field(repr=False)
    source: str
    seen: Seen = field(repr=False)

    @property
    def free(self) -> bool:
        """Tell whether nobody but this adapter wrote here."""
        return self.source == OURS or not (self.description or self.score)

    def is_of(self, situation: Situation) -> bool:
        """Tell whether it is what a case says already."""
        return (self.description, self.score, self.source) == (situation.description, situation.score, OURS)


class SituationPort(Protocol):
    """Raises the SDK's errors."""

    def standing(self, plan_id: str, domain: str) -> Standing:
        """Return what stands in a life domain."""

    def describe(
        self, request_id: str, plan_id: str, situation: Situation, judged_on: str, seen: Seen
    ) -> None:
        """Describe a life domain. Raises Conflict where somebody else wrote since."""


@dataclass(frozen=True, slots=True)
class SdkSituations:
    """Over the adapter's own connection."""

    _client: ExchangeClient
    _claim: Claim

    def standing(self, plan_id: str, domain: str) -> Standing:
        """Read the situations of a plan."""
        looked = look(self._client, self._claim, plan_id, FIELDS)
        wanted = LifeDomain.Value(f"LIFE_DOMAIN_{domain}")
        for one in looked.plan.situations:
            if one.life_domain == wanted:
                return Standing(one.description, one.score, one.source, looked.seen)
        return Standing("", 0, "", looked.seen)

    @until_told()
    def describe(
        self, request_id: str, plan_id: str, situation: Situation, judged_on: str, seen: Seen
    ) -> None:
        """Give the command."""
        self._client.plan.describe_situation(
            claim=self._claim,
            request_id=request_id,
            plan_id=plan_id,
            life_domain=LifeDomain.Value(f"LIFE_DOMAIN_{situation.domain}"),
            description=situation.description,
            score=situation.score,
            judge_date=judged_on,
            source=OURS,
            seen=seen,
        )
