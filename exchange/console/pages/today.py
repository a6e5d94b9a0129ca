"""Today: what an officer must do now, and by when; what was refused; whether the ledger is sound.

Promises: each list is asked of the exchange at each look, and so is a recorded decision; what cannot be shown
is told as missing, and the rest of the page stands.
Source: GDPR 12(3), 33-34, 39(1)(b); the gate's duties.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.duties import ALARMS, HELP, NAMES, REVIEW, RIGHTS, TOLD_ON, ways_of
from exchange.console.language import later
from exchange.console.ledger_state import ledger_state
from exchange.console.page import Page
from exchange.console.purges import purges
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.roles import OFFICER
from exchange.console.templating import HERE, as_datetime
from exchange.v1 import audit_service_pb2 as pb
from exchange.v1.common_pb2 import PURPOSE_AUDIT, PURPOSE_TOEZICHT, Claim

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from starlette.responses import Response

    from exchange.console.page import Look

AUDIT: Final = Claim(purpose=PURPOSE_AUDIT, legal_basis="FG-AUDIT-39")
WATCH: Final = Claim(purpose=PURPOSE_TOEZICHT, legal_basis="FG-WATCH-39")
PAGE_ROWS: Final = 200
PAGES_MAX: Final = 5
REFUSED_SHOWN: Final = 10
SOON: Final = timedelta(hours=8)
LATELY: Final = timedelta(days=7)
HOW: Final = "console"
DUTY_FIELDS: Final = [
    f"obligations.{name}"
    for name in (
        "decision_id",
        "duty",
        "organisation",
        "task",
        "professional",
        "resident_pseudonym",
        "decide_time",
        "due_time",
    )
]
FOLLOWER_FIELDS: Final = [f"deliveries.{one.name}" for one in pb.Delivery.DESCRIPTOR.fields]
ORDER: Final = ("bad", "warn", "good")
REFUSED_FIELDS: Final = [
    f"decisions.disclosure.{name}"
    for name in ("decision_id", "decide_time", "organisation", "task", "legal_basis", "action", "rules")
]


class Kind(NamedTuple):
    """A block of the page: its duties, its heading, what stands there when there are none."""

    name: str
    duties: tuple[str, ...]
    title: str
    none: str


KINDS: Final = (
    Kind("nood", (REVIEW,), later("Noodtoegang beoordelen"), later("Er is geen noodtoegang te beoordelen.")),
    Kind(
        "rechten",
        RIGHTS,
        later("Verzoeken en bezwaren van inwoners"),
        later("Er wacht geen verzoek van een inwoner."),
    ),
    Kind("meldingen", ALARMS, later("Meldingen aan u"), later("Er zijn geen meldingen.")),
    Kind(
        "ontvangers",
        TOLD_ON,
        later("Ontvangers die nog moeten bevestigen"),
        later("Alle ontvangers hebben bevestigd."),
    ),
    Kind("overig", (), later("Andere plichten"), later("Er staan geen andere plichten open.")),
)


class Row(NamedTuple):
    """One open duty as the page shows it; `left` is negative once its time has passed."""

    told: pb.Obligation
    name: str
    left: timedelta

    @property
    def help(self) -> str:
        """Return what is to be done where the name does not say it, or empty."""
        return HELP.get(self.told.duty, "")

    @property
    def late(self) -> bool:
        """Tell whether its time has passed."""
        return self.left < timedelta(0)

    @property
    def soon(self) -> bool:
        """Tell whether it has to be done within a working day."""
        return not self.late and self.left < SOON


class Follower(NamedTuple):
    """One named subscription, and its light."""

    told: pb.Delivery

    @property
    def light(self) -> str:
        """Return "bad" where nobody follows, "warn" where something could not be taken, else "good"."""
        if not self.told.followed:
            return "bad"
        return "warn" if self.told.parked or self.told.failing else "good"


async def show(look: Look) -> Response:
    """Show the day."""
    rows, more = await _open_duties(look)
    refused, more_refused = await _refused(look)
    followers, more_followers = await _followers(look)
    waiting, more_purges = await purges(look, only_open=True)
    blocks = [(kind, [row for row in rows if _is_of(row, kind)]) for kind in KINDS]
    return look.page(
        "today.html",
        blocks=blocks,
        late=sum(row.late for row in rows) + sum(one.late for one in waiting),
        more=more,
        refused=refused,
        more_refused=more_refused,
        refused_since=(look.now - LATELY).astimezone(HERE).date().isoformat(),
        followers=followers,
        more_followers=more_followers,
        purges=waiting,
        more_purges=more_purges,
        ways={row.told.duty: ways_of(row.told.duty) for row in rows},
        ids={(row.told.decision_id, row.told.duty): look.fresh_id() for row in rows},
        ledger=await ledger_state(look),
    )


async def end_duty(look: Look) -> Response:
    """Record how a duty ended, and show the proof."""
    told = look.field("outcome")
    ways = {pb.DutyOutcome.Name(way.outcome): way for way in ways_of(look.field("duty"))}
    way = ways.get(told)
    if way is None:
        raise Refused("OUTCOME", later("Kies hoe de plicht is geëindigd."))
    if way.why and not look.field("remark").strip():
        raise Refused("REMARK", later("Schrijf op waarom. Dat wordt vastgelegd."))
    request = pb.ExecuteObligationRequest(
        request_id=look.field("request_id"),
        claim=WATCH,
        of_decision_id=look.field("decision_id"),
        duty=look.field("duty"),
        outcome=way.outcome,
        how=HOW,
        remark=look.field("remark").strip(),
    )
    answer = await look.ask(request, pb.ExecuteObligationResponse)
    return look.page("receipt.html", receipt=answer.receipt, way=way.says, back="/vandaag")


async def _open_duties(look: Look) -> tuple[list[Row], bool]:
    """Return the open duties, first what is due first; and whether there are more than are shown."""
    found: list[Row] = []
    token = ""
    for _ in range(PAGES_MAX):
        request = pb.ListObligationsRequest(
            claim=AUDIT,
            fields=DUTY_FIELDS,
            state=pb.OBLIGATION_STATE_OPEN,
            page_size=PAGE_ROWS,
            page_token=token,
        )
        answer = await look.ask(request, pb.ListObligationsResponse)
        found += [duty_row(one, look.now) for one in answer.obligations]
        token = answer.next_page_token
        if not token:
            break
    return sorted(found, key=lambda row: row.left), bool(token)


async def _refused(look: Look) -> tuple[Sequence[pb.AuditedDecision], bool]:
    """Return what was refused lately, newest first; and whether the list is behind and cannot tell."""
    asked = pb.DecisionFilter(outcomes=["DENY"])
    asked.from_time.FromDatetime(look.now - LATELY)
    request = pb.ListDecisionsRequest(
        claim=AUDIT, fields=REFUSED_FIELDS, filter=asked, newest_first=True, page_size=REFUSED_SHOWN
    )
    try:
        answer = await look.ask(request, pb.ListDecisionsResponse)
    except AnswerRefused as refused:
        if not refused.retry:
            raise
        return (), True
    return answer.decisions, bool(answer.next_page_token)


async def _followers(look: Look) -> tuple[list[Follower], bool]:
    """Return the systems that follow what happens, first what does not; and whether there are more."""
    found: list[Follower] = []
    token = ""
    for _ in range(PAGES_MAX):
        request = pb.ListDeliveriesRequest(
            claim=AUDIT, fields=FOLLOWER_FIELDS, page_size=PAGE_ROWS, page_token=token
        )
        answer = await look.ask(request, pb.ListDeliveriesResponse)
        found += map(Follower, answer.deliveries)
        token = answer.next_page_token
        if not token:
            break
    return sorted(found, key=lambda one: ORDER.index(one.light)), bool(token)


def duty_row(told: pb.Obligation, now: datetime) -> Row:
    """Return a duty as a page shows it."""
    return Row(told, NAMES.get(told.duty, told.duty), as_datetime(told.due_time) - now)


def _is_of(row: Row, kind: Kind) -> bool:
    if kind.duties:
        return row.told.duty in kind.duties
    return not any(row.told.duty in one.duties for one in KINDS)


ROUTES: Final = (
    Page("/vandaag", show, (OFFICER,), menu=later("Vandaag"), place=10),
    Page("/vandaag/plicht", end_duty, (OFFICER,), methods=("POST",)),
)
