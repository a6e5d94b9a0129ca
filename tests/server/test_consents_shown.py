"""Which consents are listed to whom: each by who asked for it; of the others nothing, not even a count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.calls import claim
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from tests.server.town import ACCESS, CARE, CITY, INVESTIGATE, WORD, WORK

if TYPE_CHECKING:
    from adapters.sdk.client import ExchangeClient
    from tests.server.story import Story
    from tests.server.town import Town

REUSE = claim(pb.PURPOSE_WMO_AFSTEMMING, "WMO-5.1.1-4", "nodig om af te stemmen")
WRONG_PURPOSE = claim(pb.PURPOSE_PW_RECHT_VASTSTELLEN, "WMO-2.3.2", "nodig voor het onderzoek")
FIELDS = ["consents.consent_id", "consents.purpose"]


def stamp(moment: datetime) -> Timestamp:
    time = Timestamp()
    time.FromDatetime(moment)
    return time


def ask(
    story: Story,
    client: ExchangeClient,
    why: pb.Claim,
    *recipients: str,
    purpose: pb.Purpose.ValueType = pb.PURPOSE_WMO_LEVERING,
) -> str:
    """Put a question to the resident; return the consent's id."""
    now = datetime.now(UTC)
    answer = client.consent.request_consent(
        claim=why,
        case_id=story.case_id,
        kind=consent_pb.CONSENT_KIND_STATUTORY,
        consent_purpose=purpose,
        recipients=recipients or [f"{CARE}/wmo-aanbieder"],
        categories=["WMO-PLAN"],
        start_time=stamp(now - timedelta(minutes=1)),
        end_time=stamp(now + timedelta(days=30)),
        notice_id="folder-1",
        notice_sha256=b"\1" * 32,
    )
    return answer.consent_id


def listed(client: ExchangeClient, why: pb.Claim, story: Story, **more: Any) -> list[str]:  # noqa: ANN401 -- any field of the question
    """Return the ids of all pages of two rows; a token is there only where another row is."""
    found, token = [], ""
    while True:
        answer = client.consent.list_consents(
            claim=why, case_id=story.case_id, fields=FIELDS, page_size=2, page_token=token, **more
        )
        assert answer.consents or not token
        assert all(one.purpose for one in answer.consents)
        found += [one.consent_id for one in answer.consents]
        token = answer.next_page_token
        if not token:
            return found


@pytest.fixture
def work(town: Town, story: Story) -> ExchangeClient:
    """Return the desk of Werk & Inkomen, at work on the case."""
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=CITY,
        task="college:PW",
        professional="p-5",
        role="consulent",
    )
    return town.worker("college:PW", "p-5")


def test_each_desk_sees_the_consents_it_asked_or_that_name_it_and_the_resident_all(
    story: Story, work: ExchangeClient
) -> None:
    ours = [ask(story, story.wmo, INVESTIGATE) for _ in range(4)]
    before = listed(story.wmo, INVESTIGATE, story)
    theirs = [ask(story, work, WORK) for _ in range(3)]
    names_work = ask(story, story.wmo, INVESTIGATE, f"{CITY}/college:PW")
    names_us = ask(story, work, WORK, f"{CITY}/college:WMO", f"{CARE}/wmo-aanbieder")
    assert before == ours
    assert listed(story.wmo, INVESTIGATE, story) == [*ours, names_work, names_us]
    assert listed(work, WORK, story) == [*theirs, names_work, names_us]
    assert listed(story.resident(), ACCESS, story) == [*ours, *theirs, names_work, names_us]


def test_consents_of_others_change_no_page_no_token_and_no_refusal(
    story: Story, work: ExchangeClient
) -> None:
    def told() -> tuple[list[str], bool, tuple[str, ...], str]:
        answer = work.consent.list_consents(
            claim=WORK, case_id=story.case_id, fields=FIELDS, page_size=1, allow_partial=True
        )
        with pytest.raises(errors.Denied) as refused:
            story.wmo.consent.list_consents(claim=WRONG_PURPOSE, case_id=story.case_id, fields=FIELDS)
        ids = [one.consent_id for one in answer.consents]
        return ids, bool(answer.next_page_token), refused.value.rules, refused.value.localized

    mine = ask(story, work, WORK)
    alone = told()
    assert alone[:3] == ([mine], False, ("R06",))
    for _ in range(3):
        ask(story, story.wmo, INVESTIGATE)
        ask(story, work, WORK)
    with_others = listed(work, WORK, story)
    assert len(with_others) == 1 + 3
    assert told()[2:] == alone[2:]


def test_the_basis_opens_what_another_desk_asked_and_without_the_word_it_does_not(
    story: Story, work: ExchangeClient
) -> None:
    ours, theirs = ask(story, story.wmo, INVESTIGATE), ask(story, work, WORK)
    for_us = ask(story, story.wmo, INVESTIGATE, f"{CITY}/college:WMO", purpose=pb.PURPOSE_WMO_AFSTEMMING)
    with pytest.raises(errors.Denied) as refused:
        listed(story.wmo, REUSE, story, allow_partial=True)
    # Of the own rows alone: that another desk asked something is not to be read off a refusal.
    assert refused.value.rules == ("R09", "R15")
    story.resident().consent.give_consent(
        claim=WORD,
        consent_id=for_us,
        given_by=["self"],
        explicit=True,
        free_assessed=True,
        method="portal",
        expected_version=1,
    )
    assert listed(story.wmo, REUSE, story, allow_partial=True) == [theirs]
    assert listed(story.wmo, INVESTIGATE, story) == [ours, for_us]


@pytest.mark.parametrize("version", [0, 2])
def test_an_answer_takes_the_version_that_was_seen(story: Story, version: int) -> None:
    consent_id = ask(story, story.wmo, INVESTIGATE)
    resident, reason = story.resident().consent, {0: "REQUEST_INVALID", 2: "VERSION_CONFLICT"}[version]
    common: dict[str, Any] = {"claim": WORD, "consent_id": consent_id}
    with pytest.raises(errors.ExchangeRefused) as no:
        resident.refuse_consent(**common, expected_version=version)
    with pytest.raises(errors.ExchangeRefused) as yes:
        resident.give_consent(
            **common,
            given_by=["self"],
            explicit=True,
            free_assessed=True,
            method="portal",
            expected_version=version,
        )
    assert (no.value.reason, yes.value.reason) == (reason, reason)
    # Withdrawing asks none.
    assert resident.withdraw_consent(**common).version == 2
