"""Builders for walks on a real shard: valid by default, a test names only what it is about."""
# ruff: noqa: ANN401 -- builders take any field of a walk

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain import AGGREGATES, stream_of
from exchange.domain.consent import GiveConsent, RequestConsent, WithdrawConsent
from exchange.domain.intake import receive_report
from exchange.domain.limits.seals import ConfirmSeal, LiftSeal, SealCompartment
from exchange.domain.mandate import Mandate
from exchange.domain.organisation import JoinOrganisation
from exchange.domain.plan import ReceiveReport, SetGoal
from exchange.domain.resident import RegisterResident
from exchange.domain.values import Author
from exchange.gate.model import Field
from exchange.pipeline.walk import (
    Caller,
    Claim,
    CommandOutcome,
    CommandWalk,
    Group,
    ReadOutcome,
    ReadWalk,
    Steps,
)
from exchange.server.contract.plans import PLAN_LABELS
from exchange.settings import Settings
from exchange.store.sqlite import SQLiteRecorder
from exchange.store.verify import verify_store
from exchange.wiring.core import genesis, open_core, pipeline_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from eventsourcing.sqlite import SQLiteDatastore

    from exchange.pipeline.queue import Pipeline
    from exchange.pipeline.walk import View, Walk

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
THUMBPRINT = "ab" * 32
SIGNING_KEY = "cd" * 32
COLLECTIONS = {
    name: frozenset(path for path in PLAN_LABELS if path.startswith(f"{name}."))
    for name in {path.partition(".")[0] for path in PLAN_LABELS if "." in path}
}
NECESSITY = "Nodig voor het onderzoek; niet op minder ingrijpende wijze te verkrijgen"
WIJKTEAM = Claim("wmo-onderzoek", "WMO-2.3.2", NECESSITY)
# What the college holds under the Jeugdwet is asked for the Wmo with the resident's consent.
WITH_CONSENT = Claim("wmo-onderzoek", "WMO-5.1.1-4", NECESSITY)

MANDATE = Mandate("gmb-2026-41233", NOW.date(), "Toegang tot hulp, namens het college.")


class Shard:
    """A core whose writer is run directly, one group at a time."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.settings = Settings(data=data, **settings)
        self.core = open_core(self.settings, lambda: NOW)
        genesis(self.core, NOW, thumbprint=THUMBPRINT, signing_key=SIGNING_KEY)

    @property
    def datastore(self) -> SQLiteDatastore:
        """The database itself, for what no service would do to it."""
        if not isinstance(self.core.recorder, SQLiteRecorder):
            pytest.skip("what is done to the store here is done to a file")
        return self.core.recorder.datastore

    def queue(self) -> Pipeline:
        """Return a queue before the writer; who asks for it drains it."""
        return pipeline_of(self.core)

    @property
    def oin(self) -> str:
        """The operator's, who is also the municipality."""
        return self.settings.operator_oin

    @property
    def head(self) -> int:
        """Last position in the store."""
        return self.core.reader.head()[0]

    def caller(self, task: str = "college:WMO", professional: str = "prof-1", **changes: Any) -> Caller:
        """A professional of the municipality."""
        facts: dict[str, Any] = {
            "organisation": self.oin,
            "task": task,
            "professional": professional,
            "role": "regisseur",
            "thumbprint": THUMBPRINT,
            "two_factor": True,
            "mutual_tls": True,
            "authenticated_at": int(NOW.timestamp()),
        }
        return Caller(**(facts | changes))

    def run(self, *walks: Walk) -> list[Any]:
        """Run one group."""
        return self.core.writer.run(walks)

    def done(self, walk: Walk) -> Any:
        """Run one walk that must succeed."""
        (outcome,) = self.run(walk)
        assert isinstance(outcome, CommandOutcome | ReadOutcome), outcome
        return outcome

    def topics(self, after: int = 0) -> list[str]:
        """Topics of the events after a position, in order."""
        return [row.topic for row in self.core.reader.page(after, 10_000)]

    def verified(self) -> int:
        """Return how many events the store holds; every one of them is that of its leaf."""
        report = verify_store(self.core.reader)
        assert report.problems == []
        assert report.events == report.leaves == report.position
        return report.position

    # --- whom it is about ---------------------------------------------------------------------------

    def resident(self) -> str:
        """Register somebody."""
        ref = uuid.uuid4().hex
        self.done(self.registration(ref))
        return ref

    def registration(self, ref: str, **changes: Any) -> CommandWalk:
        """A walk that registers a resident."""
        order = RegisterResident(
            now=NOW, author=self.author(), resident=ref, birth_date=date(1980, 5, 1), capable=True
        )
        facts: dict[str, Any] = {"anchor": f"resident-{ref}", "relation": False, "category": "CONTACT"}
        return self.command(order, "resident", ref, **(facts | changes))

    def plan(self, ref: str | None = None) -> tuple[str, str, str]:
        """Report somebody; return (resident, case id, plan id)."""
        ref = ref or self.resident()
        case_id, plan_id, report_id = (str(uuid.uuid4()) for _ in range(3))
        order = ReceiveReport(
            now=NOW,
            author=self.author(),
            resident=ref,
            case_id=case_id,
            plan_id=plan_id,
            report_id=report_id,
            life_domains=("social_network",),
            own_words="ik kom niet meer buiten",
            desk="wijkteam-oost",
        )
        self.done(
            self.walk(
                process=lambda _: Steps(receive_report(order, None, None)),
                anchor=f"resident-{ref}",
                relation=False,
            )
        )
        return ref, case_id, plan_id

    def author(self, task: str = "college:WMO") -> Author:
        """The professional as the domain knows him."""
        return Author(self.oin, task, "prof-1", operator=True)

    def author_of(self, task: str, professional: str) -> Author:
        """Somebody of the municipality as the domain knows him."""
        return Author(self.oin, task, professional, operator=True)

    # --- commands -----------------------------------------------------------------------------------

    def goal(self, plan_id: str, words: str = "weer onder de mensen", **changes: Any) -> CommandWalk:
        """A walk that sets a goal."""
        order = SetGoal(
            now=NOW,
            author=self.author(),
            goal_id=str(uuid.uuid4()),
            own_words=words,
            desired_effect="elke week naar de buurtkamer",
            life_domain="social_network",
            target_date=date(2026, 12, 1),
        )
        return self.command(order, "plan", plan_id, anchor=f"plan-{plan_id}", **changes)

    def consent(self, ref: str, case_id: str, kind: str = "statutory", **changes: Any) -> str:
        """Ask a consent for what stands under the Jeugdwet and let the resident give it; return its id."""
        consent_id = str(uuid.uuid4())
        asked = RequestConsent(
            now=NOW,
            author=self.author(),
            consent_id=consent_id,
            case_id=case_id,
            resident=ref,
            kind=kind,
            purpose="wmo-onderzoek",
            recipients=(f"{self.oin}/college:WMO",),
            categories=("WMO-PLAN",),
            start_time=NOW,
            end_time=NOW + timedelta(days=365),
            notice_id="toestemming-b1-3",
            notice_version=3,
            notice_sha256="ab" * 32,
            notice_language="nl",
            notice_level="B1",
            withdrawal_channels=("https://mijn.voorbeeld.nl/toestemming",),
        )
        asked = replace(asked, **changes)
        given = GiveConsent(
            now=NOW + timedelta(minutes=1),
            author=self.author("betrokkene"),
            given_by=("self",),
            explicit=True,
            free_assessed=True,
            alternatives=True,
            no_detriment=True,
            method="in_person",
        )
        self.done(self.command(asked, "consent", consent_id, anchor=f"case-{case_id}"))
        self.done(self.command(given, "consent", consent_id, anchor=f"consent-{consent_id}"))
        return consent_id

    def withdrawal(self, consent_id: str, **changes: Any) -> CommandWalk:
        """A walk that withdraws a consent."""
        order = WithdrawConsent(now=NOW + timedelta(minutes=2), author=self.author())
        facts: dict[str, Any] = {"anchor": f"consent-{consent_id}", "fence": True}
        return self.command(order, "consent", consent_id, **(facts | changes))

    def seal(self, ref: str, proposal_id: str, paths: tuple[str, ...], readers: tuple[str, ...] = ()) -> None:
        """Let two persons hide paths from everybody but the readers."""
        order = SealCompartment(
            now=NOW,
            author=self.author(),
            proposal_id=proposal_id,
            paths=paths,
            readers=readers or (f"{self.oin}/veilig-thuis",),
            reason="Adres van de opvang.",
        )
        self._by_two(ref, order)

    def unseal(self, ref: str, proposal_id: str, compartment: str) -> None:
        """Let two persons lift a seal."""
        who: dict[str, Any] = {"now": NOW, "author": self.author(), "proposal_id": proposal_id}
        self._by_two(ref, LiftSeal(**who, compartment=compartment, reason="De dreiging is weg."))

    def _by_two(self, ref: str, order: SealCompartment | LiftSeal) -> None:
        second = replace(self.author(), professional="prof-2")
        confirm = ConfirmSeal(now=NOW, author=second, proposal_id=order.proposal_id)
        for one in (order, confirm):
            anchor: dict[str, Any] = {"anchor": f"resident-{ref}", "relation": False}
            self.done(self.command(one, "resident", ref, category="CONTACT", **anchor))

    def joining(self, oin: str, thumbprint: str, *tasks: str, **changes: Any) -> CommandWalk:
        """A walk that lets an organisation join."""
        order = JoinOrganisation(
            now=NOW,
            author=self.author("beheer"),
            oin=oin,
            name="Aanbieder",
            tasks=tasks,
            certificate_thumbprint=thumbprint,
            signing_key=SIGNING_KEY,
            mandate=MANDATE if any(task.startswith("college:") for task in tasks) else None,
        )
        facts: dict[str, Any] = {
            "caller": self.caller("beheer"),
            "claim": Claim("beheer", "ORG-ADMIN-24", NECESSITY),
            "relation": False,
            "fields": (),
        }
        return self.command(order, "organisation", oin, **(facts | changes))

    def command(
        self, command: Any, aggregate: str, key: str, category: str = "WMO-PLAN", **changes: Any
    ) -> CommandWalk:
        """A walk of one command on one stream."""
        stream = stream_of(aggregate, key)

        def process(view: View) -> Steps:
            return Steps([(stream, AGGREGATES[aggregate].decide(command, view.state(stream)))])

        return self.walk(process=process, streams=(stream,), category=category, **changes)

    def walk(
        self, process: Callable[[View], Steps], category: str = "WMO-PLAN", **changes: Any
    ) -> CommandWalk:
        """A command walk; the content hash follows the request id unless given."""
        request_id = changes.pop("request_id", str(uuid.uuid4()))
        facts: dict[str, Any] = {
            "rpc": "Test",
            "caller": self.caller(),
            "claim": WIJKTEAM,
            "now": NOW,
            "request_id": request_id,
            "content": sha256(request_id.encode()).digest(),
            "anchor": "",
            "fields": (("own_words", category),),
            "process": process,
            "collections": COLLECTIONS,
        }
        return CommandWalk(**(facts | changes))

    # --- questions ----------------------------------------------------------------------------------

    def question(self, plan_id: str, *paths: str, **changes: Any) -> ReadWalk:
        """A read of a plan; every path is one field of category WMO-PLAN, held under the Wmo."""
        fact = Field("", "WMO-PLAN", provider="college:WMO", acquired_for="wmo")

        facts: dict[str, Any] = {
            "rpc": "GetPlan",
            "caller": self.caller(),
            "claim": WIJKTEAM,
            "now": NOW + timedelta(hours=1),
            "anchor": f"plan-{plan_id}",
            "fields": paths or ("goals.own_words",),
            "groups": lambda _, asked: [Group(path, replace(fact, name=path)) for path in asked],
            "capture": lambda view: view.state(f"plan-{plan_id}"),
        }
        return ReadWalk(**(facts | changes))

    def question_with_consent(self, plan_id: str, **changes: Any) -> ReadWalk:
        """A read of what the college holds under the Jeugdwet, permitted only while a consent stands."""
        fact = Field("goals.own_words", "WMO-PLAN", provider="college:JW", acquired_for="jw")
        facts: dict[str, Any] = {
            "claim": WITH_CONSENT,
            "groups": lambda _, asked: [Group(path, replace(fact, name=path)) for path in asked],
        }
        return self.question(plan_id, **(facts | changes))

    # --- closing ------------------------------------------------------------------------------------

    def reopen(self) -> Shard:
        """Close, then open the same folder as after a restart."""
        self.close()
        return Shard(self.settings.data, **self.settings.model_dump(exclude={"data"}))

    def beside(self) -> Shard:
        """Open the same folder a second time, as another process would."""
        return Shard(self.settings.data, **self.settings.model_dump(exclude={"data"}))

    def close(self) -> None:
        """Close the parts."""
        self.core.close()
