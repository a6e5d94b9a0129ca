"""A resident and the people who work on one plan, each over a connection of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.story import Story
from tests.server.town import ACCESS, CARE, CITY, INVESTIGATE, WORD, WORK

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

A_DAY = "2026-11-02"


class Desks:
    """One plan: the neighbourhood team, Werk & Inkomen, the provider, and the resident."""

    def __init__(self, town: Town, birth_date: str = "1980-02-29") -> None:
        self.town = town
        self.story = Story(town, next(town.bsns), birth_date=birth_date)
        self.team = self.story.wmo
        self.resident = self.story.resident()
        self.work = self._joined("college:PW", "consulent")
        self._why = {id(self.team): INVESTIGATE, id(self.work): WORK, id(self.resident): WORD}

    @property
    def version(self) -> int:
        return self.story.version

    def _joined(self, task: str, role: str) -> ExchangeClient:
        who = Person(f"{role[0]}-{self.story.bsn[-5:]}", task, role)
        self.join(CITY, who)
        return self.town.client(who)

    def join(self, oin: str, who: Person) -> None:
        self.team.case.join_professional(
            claim=INVESTIGATE,
            case_id=self.story.case_id,
            oin=oin,
            task=who.task,
            professional=who.professional,
            role=who.role,
        )

    def carer(self) -> ExchangeClient:
        """Let the provider join, and return its professional."""
        who = Person(f"z-{self.story.bsn[-5:]}", "wmo-aanbieder", "begeleider")
        credentials = self.town.care()
        self.join(CARE, who)
        return self.town.client(who, credentials)

    def does(self, client: ExchangeClient, command: str, **fields: Any) -> Any:  # noqa: ANN401 -- fields and answer of any command
        """Give a command with the version the one before gave."""
        said = {
            "claim": self._why.get(id(client)),
            "plan_id": self.story.plan_id,
            "expected_version": self.story.version,
        }
        answer = getattr(client.plan, command)(**(said | fields))
        self.story.version = answer.version
        return answer

    def broken(self, client: ExchangeClient, command: str, **fields: Any) -> str:  # noqa: ANN401 -- fields of any command
        """Give a command that breaks a rule; return the rule."""
        with pytest.raises(errors.RuleBroken) as refused:
            self.does(client, command, **fields)
        return refused.value.rule

    def at_fault(self, client: ExchangeClient, command: str, **fields: Any) -> set[str]:  # noqa: ANN401 -- fields of any command
        """Give a command with a fault in its shape; return the paths of the fields."""
        with pytest.raises(errors.Invalid) as refused:
            self.does(client, command, **fields)
        assert all(refused.value.field_violations.values())
        return set(refused.value.field_violations)

    def conflicts(self, client: ExchangeClient, command: str, **fields: Any) -> str:  # noqa: ANN401 -- fields of any command
        """Give a command on a version that is not the newest; return the reason of the refusal."""
        with pytest.raises(errors.Conflict) as refused:
            self.does(client, command, **fields)
        return refused.value.reason

    def plan(self, client: ExchangeClient, *fields: str, claim: pb.Claim | None = None) -> plan_pb2.Plan:
        """Read fields as somebody who works on the plan; the resident on the right of access."""
        why = claim or (ACCESS if client is self.resident else self._why[id(client)])
        answer = client.plan.get_plan(claim=why, plan_id=self.story.plan_id, fields=fields)
        return answer.plan

    def check(self, client: ExchangeClient, *fields: str) -> plan_pb2.PracticeCheck:
        """Read the practice check."""
        why = ACCESS if client is self.resident else self._why[id(client)]
        answer = client.plan.get_practice_check(claim=why, plan_id=self.story.plan_id, fields=fields)
        return answer.check

    # --- what most stories begin with -----------------------------------------------------------------

    def describe(self, life_domain: pb.LifeDomain.ValueType, score: int = 2) -> None:
        self.does(
            self.team,
            "describe_situation",
            life_domain=life_domain,
            description="Het lukt thuis niet meer.",
            strengths="Kookt graag.",
            score=score,
            judge_date=A_DAY,
        )

    def look(
        self,
        client: ExchangeClient,
        law: pb.Law.ValueType,
        finding: plan_pb2.LensFinding.ValueType = plan_pb2.LENS_FINDING_FITS,
        reason: str = "Past bij wat er nodig is.",
    ) -> None:
        self.does(client, "assess_lens", law=law, finding=finding, reason=reason)

    def choose(self, goal_id: str, **changes: Any) -> str:  # noqa: ANN401 -- any field of the request
        """Choose a custom support for a goal; return its id."""
        said = {
            "kind": plan_pb2.SUPPORT_KIND_CUSTOM,
            "provider_oin": CARE,
            "product_category": "02",
            "product_code": "02A05",
            "start_date": "2027-01-01",
            "end_date": "2027-12-31",
            "volume": 3,
            "unit": "04",
            "frequency": "2",
            "goal_ids": [goal_id],
        }
        support_id: str = self.does(self.team, "request_support", **(said | changes)).support_id
        return support_id

    def agree(self, remarks: str = "Zo is het goed.") -> None:
        self.does(self.resident, "agree_to_plan", outcome=plan_pb2.AGREEMENT_OUTCOME_AGREED, remarks=remarks)

    def assign(self, support_id: str) -> None:
        self.does(
            self.team,
            "assign_support",
            support_id=support_id,
            assignment_number="123456",
            assign_date="2026-12-01",
        )
