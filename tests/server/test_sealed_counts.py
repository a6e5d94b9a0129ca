"""What is counted and refused where a link is sealed: two towns, in one of which a shelter got something.

Source: GDPR 16, 17, 19, 32; exchange/decisions/0041-the-same-steps.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.test_rights_requests import ANSWER, ASK
from tests.server.town import DELIVER
from tests.server.twins import LINK, Twin, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.sdk.client import ExchangeClient

RECTIFIED = claim(pb.PURPOSE_CORRECTIE, "RECTIFIED-12")
PURGED = claim(pb.PURPOSE_BEHEER, "ERASURE-12")
ERASE = claim(pb.PURPOSE_KLACHT_BEZWAAR, "ERASE-17")


@pytest.fixture
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Twin, Twin]]:
    folders = [tmp_path_factory.mktemp(name) for name in ("linked", "unlinked")]
    yield from opened(folders, Twin.let_a_shelter_work)


def shelter(twin: Twin) -> ExchangeClient:
    return twin.town.client(Person("opvang-1", "wmo-aanbieder", "begeleider"), twin.shelter)


def rectified(twin: Twin, professional: str) -> Any:  # noqa: ANN401 -- ExecuteRightsRequestResponse
    """Let a rectification of goals be asked, granted and executed by one professional."""
    worker = twin.town.worker("college:WMO", professional)
    asked = twin.story.resident().rights.receive_rights_request(
        claim=ASK, case_id=twin.story.case_id, right=rights_pb.RIGHT_RECTIFICATION, statement="Klopt niet."
    )
    name = asked.rights_request_id
    worker.rights.decide_rights_request(
        claim=ANSWER, rights_request_id=name, outcome=rights_pb.RIGHTS_OUTCOME_GRANTED
    )
    return worker.rights.execute_rights_request(
        claim=ANSWER, rights_request_id=name, reference="goal-2", how="letter", paths=["goals"]
    )


def test_a_rectification_reaches_the_shelter_and_its_count_and_receipt_do_not_tell(
    linked: tuple[Twin, Twin],
) -> None:
    told = [rectified(twin, "w-second") for twin in linked]
    assert [one.recipients for one in told] == [0, 0]
    assert [one.receipt.leaves for one in told] == [1, 1]
    # Who is named by the seal is told the whole of it.
    seen = [rectified(twin, "w-reader") for twin in linked]
    assert [one.recipients for one in seen] == [1, 0]
    rows = shelter(linked[0]).rights.list_rectifications(claim=RECTIFIED).rectifications
    assert len(rows) == 2


def approving(twin: Twin, *who: tuple[str, str]) -> Any:  # noqa: ANN401 -- ApproveErasureResponse
    """Let an erasure be proposed and approved by these, in order; return the last answer."""
    erasure_id = twin.story.wmo.rights.propose_erasure(
        claim=ERASE,
        case_id=twin.story.case_id,
        article=rights_pb.ERASURE_ARTICLE_WMO_5_3_5,
        reason=rights_pb.ERASURE_REASON_RESIDENT_ASKED,
        motivation="Inwoner vroeg het in een brief.",
    ).erasure_id
    answers = [
        twin.town.worker(task, name).rights.approve_erasure(
            claim=ERASE, case_id=twin.story.case_id, erasure_id=erasure_id
        )
        for task, name in who
    ]
    return answers[-1]


@pytest.mark.parametrize(
    ("last", "more"),
    [(("college:WMO", "w-second"), 0), (("college:WMO", "w-reader"), 1), (("fg", "fg-1"), 1)],
)
def test_an_erasure_asks_the_shelter_too_and_tells_of_it_to_who_sees_the_link(
    linked: tuple[Twin, Twin], last: tuple[str, str], more: int
) -> None:
    sealed, absent = (approving(twin, ("college:JW", "w-jeugd"), last) for twin in linked)
    assert sealed.executed
    assert sealed.recipients - absent.recipients == more
    assert sealed.receipt.leaves - absent.receipt.leaves == more
    asked = shelter(linked[0]).rights.list_purge_requests(claim=PURGED).purge_requests
    assert [f"{one.organisation}/{one.task}" for one in asked] == [LINK]


def test_what_still_holds_an_erasure_is_told_to_nobody_who_tries_it_alone(linked: tuple[Twin, Twin]) -> None:
    sealed, absent = linked
    # Somebody at the shelter who does not work on the case looks; his look is the officer's to judge.
    stranger = sealed.town.client(Person("opvang-9", "wmo-aanbieder", "begeleider"), sealed.shelter)
    with pytest.raises(errors.Denied):
        stranger.plan.get_plan(claim=DELIVER, plan_id=sealed.story.plan_id, fields=["goals.own_words"])
    alone = f"w-{sealed.story.bsn[-5:]}"
    told = []
    for twin in linked:
        with pytest.raises(errors.RuleBroken) as refused:
            approving(twin, ("college:WMO", alone))
        told.append((refused.value.rule, refused.value.message))
    assert told[0] == told[1]
    assert told[0][0] == "PROPOSER_APPROVES"
    # Another organisation is refused by the gate, alike.
    denied = []
    for twin in linked:
        with pytest.raises(errors.Denied) as refused_by_gate:
            shelter(twin).rights.approve_erasure(
                claim=ERASE, case_id=twin.story.case_id, erasure_id="5f3c9d1e-6a52-4c0e-9b1f-0d8a7e6c5b4a"
            )
        denied.append((refused_by_gate.value.rules, refused_by_gate.value.localized))
    assert denied[0] == denied[1]
    # A second person of the operator is told that a review is open, and not of whom.
    waiting = sealed.town.worker("fg", "fg-1").rights
    erasure_id = (
        sealed.town.state("resident", sealed.town.resident_of(sealed.story.pseudonym)).erasures[-1].erasure_id
    )
    with pytest.raises(errors.RuleBroken) as held:
        waiting.approve_erasure(claim=ERASE, case_id=sealed.story.case_id, erasure_id=erasure_id)
    assert held.value.rule == "DUTY_OPEN"
    assert LINK not in str(held.value)
    assert absent.story.case_id == sealed.story.case_id
