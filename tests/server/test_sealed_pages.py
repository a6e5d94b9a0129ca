"""A seal that is set between two pages, or while a stream is read: what comes after knows of it.

Neither a page token nor a cursor is a right: both say where to go on, and what is there is looked at anew.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.calls import claim
from adapters.sdk.client import ExchangeClient
from adapters.sdk.tokens import Person
from exchange.server.services import notices as notices_room
from exchange.v1 import common_pb2 as pb
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from tests.server.test_consents_shown import FIELDS as CONSENT_FIELDS
from tests.server.test_consents_shown import ask
from tests.server.town import ACCESS, CITY, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.story import Story
    from tests.server.town import Town

SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
SAFETY = claim(pb.PURPOSE_VT_ONDERZOEK, "WMO-5.2.6", "nodig voor het onderzoek")
SAFE_OIN = "00000005003214345000"
GOALS = 3


@pytest.fixture
def town(aging_town: Town) -> Town:
    """Return a town of one's own: weeks pass in it."""
    return aging_town


@pytest.fixture
def safe_house(town: Town) -> Any:  # noqa: ANN401 -- credentials
    return town.join(SAFE_OIN, "veilig-thuis")


@pytest.fixture
def told_of(town: Town, story: Story, safe_house: Any) -> list[str]:  # noqa: ANN401 -- credentials
    """Let Veilig Thuis read a stream of goals; return the decisions of what it was given."""
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=SAFE_OIN,
        task="veilig-thuis",
        professional="vt-1",
        role="begeleider",
    )
    let_in_second(story)
    for _ in range(GOALS):
        story.goal()
    with ExchangeClient(town.target, safe_house, Person("vt-1", "veilig-thuis", "onderzoeker")) as safe:
        return [one.decision_id for one in streamed(safe, story, SAFETY)]


def let_in_second(story: Story) -> None:
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:WMO",
        professional="w-second",
        role="consulent",
    )


def streamed(client: ExchangeClient, story: Story, why: pb.Claim, cursor: int = 0, *fields: str) -> list[Any]:
    """Return the events of this plan until the first beat without any."""
    asked = fields or ("goals.own_words",)
    request = SubscribeRequest(claim=why, fields=asked, heartbeat_seconds=1, cursor=cursor)
    stream: Any = client.open_stream(request)
    found = []
    for answer in stream:
        if not answer.events:
            break
        found += [event for event in answer.events if event.plan_id == story.plan_id]
    stream.cancel()
    return found


def seal_goals(town: Town, story: Story, *readers: str) -> None:
    first, second = (
        now_there(town, Person(name, "college:WMO", "regisseur"))
        for name in (f"w-{story.bsn[-5:]}", "w-second")
    )
    proposed = first.rights.seal_compartment(
        claim=SEAL,
        case_id=story.case_id,
        paths=["goals"],
        readers=[f"{CITY}/college:WMO/w-reader", *readers],
        reason="Adres van de opvang.",
    )
    second.rights.confirm_seal(claim=SEAL, case_id=story.case_id, proposal_id=proposed.proposal_id)


def now_there(town: Town, person: Person) -> ExchangeClient:
    """Return the client of somebody whose clock is the town's, whatever time it is there."""
    return ExchangeClient(town.target, town.credentials(), person, clock=lambda: town.now().timestamp())


@contextmanager
def weeks_later(town: Town, story: Story) -> Iterator[ExchangeClient]:
    """Let the resident sign in when the deferral of what Veilig Thuis was given is over."""
    person = Person("burger-1", "betrokkene", "inwoner", resident=story.pseudonym)
    town.skew = timedelta(weeks=4, minutes=10)
    try:
        with now_there(town, person) as client:
            yield client
    finally:
        town.skew = timedelta()


def pages(
    client: ExchangeClient, name: str, story: Story, *, between: Callable[[], None] | None = None
) -> list[str]:
    """Return the decisions of all pages of one row each; `between` is done after the first page."""
    found: list[str] = []
    token = ""
    rows = name.removeprefix("list_")
    while True:
        answer = getattr(client.disclosure, name)(
            claim=ACCESS,
            case_id=story.case_id,
            fields=[f"{rows}.decision_id"],
            page_size=1,
            page_token=token,
        )
        found += [one.decision_id for one in getattr(answer, rows)]
        token = answer.next_page_token
        if not token:
            return found
        if between is not None:
            between()
            between = None


@pytest.mark.parametrize(
    ("name", "named"), [("list_disclosures", False), ("list_notices", False), ("list_disclosures", True)]
)
def test_a_page_after_the_seal_tells_of_no_delivery_of_what_is_sealed(
    town: Town, story: Story, told_of: list[str], name: str, *, named: bool
) -> None:
    assert len(told_of) == GOALS
    readers = [f"{CITY}/betrokkene/burger-1"] if named else []
    with weeks_later(town, story) as resident:
        assert set(told_of) <= set(pages(resident, name, story))
        seen = pages(resident, name, story, between=lambda: seal_goals(town, story, *readers))
        again = pages(resident, name, story)
    if named:
        assert set(told_of) <= set(seen) & set(again)
        return
    # What was on the page before the seal had left; of what came after it nothing is told, nor a place kept.
    assert len(set(told_of) & set(seen)) <= 1
    assert set(told_of).isdisjoint(again)


def test_a_notice_that_was_looked_up_before_the_seal_is_not_told_after_it(
    town: Town, story: Story, told_of: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = notices_room._notices

    def sealed_after_looking(*asked: Any) -> Any:  # noqa: ANN401 -- as `_notices`
        found = look(*asked)
        seal_goals(town, story)
        return found

    with weeks_later(town, story) as resident:
        assert set(told_of) <= set(pages(resident, "list_notices", story))
        monkeypatch.setattr(notices_room, "_notices", sealed_after_looking)
        answer = resident.disclosure.list_notices(
            claim=ACCESS, case_id=story.case_id, fields=["notices.decision_id"], page_size=200
        )
    assert set(told_of).isdisjoint(one.decision_id for one in answer.notices)


def test_a_cursor_of_before_the_seal_opens_nothing_after_it(town: Town, story: Story) -> None:
    let_in_second(story)
    for _ in range(GOALS):
        story.goal()
    before = streamed(story.wmo, story, INVESTIGATE)
    assert [event.kind for event in before].count("plan.goal_set") == GOALS
    seal_goals(town, story)
    for cursor in (0, before[0].position, before[-1].position):
        assert streamed(story.wmo, story, INVESTIGATE, cursor) == []


def test_pages_of_consents_go_on_as_if_nothing_were_sealed(town: Town, story: Story) -> None:
    let_in_second(story)
    asked = [ask(story, story.wmo, INVESTIGATE) for _ in range(3)]
    question: dict[str, Any] = {"claim": INVESTIGATE, "case_id": story.case_id, "fields": CONSENT_FIELDS}
    first = story.wmo.consent.list_consents(**question, page_size=1)
    seal_goals(town, story)
    rest = story.wmo.consent.list_consents(**question, page_size=2, page_token=first.next_page_token)
    assert [one.consent_id for one in (*first.consents, *rest.consents)] == asked
    assert not rest.next_page_token
