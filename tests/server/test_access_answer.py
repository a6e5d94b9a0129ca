"""The answer on access over mutual TLS, and the proof that it leaves nothing out that the log holds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from adapters.sdk.access import gather
from adapters.sdk.calls import claim
from adapters.sdk.completeness import Completeness, complete, entries_of_pack, is_of
from adapters.sdk.proofs import verify_checkpoint
from adapters.sdk.tokens import Person
from exchange.ledger.checkpoint import SignedCheckpoint
from exchange.ledger.pack import export_pack
from exchange.pipeline.apart import COLLECTION_OF
from exchange.server.contract.changed import CHANGED
from exchange.server.contract.labels import labels_of
from exchange.v1 import common_pb2 as pb
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.server.family import Family
from tests.server.story import Story, denied_read
from tests.server.test_rights import SEAL, WMO, joined
from tests.server.town import ACCESS, INVESTIGATE

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient
    from tests.server.town import Town

COVERED = ["covered.log_size", "covered.leaf_indexes", "covered.scanning_keys"]
SAFETY = claim(pb.PURPOSE_VT_ONDERZOEK, "WMO-5.2.6", "onderzoek naar veiligheid")


def answered(client: ExchangeClient, story: Story, fields: list[str] = COVERED, **said: Any) -> Any:  # noqa: ANN401 -- GetAccessAnswerResponse
    asked: dict[str, Any] = {"claim": ACCESS, "case_id": story.case_id, "fields": fields}
    return client.rights.get_access_answer(**(asked | said))


def entries(town: Town, size: int) -> list[bytes]:
    return town.core.reader.leaf_entries(0, size)


def found(town: Town, answer: Any) -> set[int]:  # noqa: ANN401 -- GetAccessAnswerResponse
    """Return what the resident's keys find below the size of the answer."""
    keys = list(answer.covered.scanning_keys)
    return {index for index, one in enumerate(entries(town, answer.covered.log_size)) if is_of(one, keys)}


def topics(town: Town, indexes: set[int]) -> set[str]:
    return {town.core.reader.page(index, 1)[0].topic for index in indexes}


def test_the_answer_names_every_leaf_that_the_residents_key_finds_in_the_pack(
    town: Town, story: Story, tmp_path: Path
) -> None:
    story.goal()
    answer = answered(story.resident(), story)
    size, keys = answer.covered.log_size, list(answer.covered.scanning_keys)
    story.wmo.ledger.get_receipt(leaf_index=size)
    head = signed(town)
    pack = tmp_path / "pack.zip"
    export_pack(town.core.tiles, head, 0, pack, town.core.signer)
    checked = verify_checkpoint(head.note.decode(), town.core.signer.vkey)
    covered = list(answer.covered.leaf_indexes)
    result = complete(covered, size, entries_of_pack(pack, checked.size), keys, checked)
    assert result == Completeness((), ())
    assert {"plan.goal_set.v1", "case.opened.v1", "resident.registered.v1"} <= topics(town, set(covered))
    # One left out is found, and named.
    for left_out in (covered[0], covered[len(covered) // 2], covered[-1]):
        fewer = [index for index in covered if index != left_out]
        result = complete(fewer, size, entries_of_pack(pack, checked.size), keys, checked)
        assert result == Completeness(missing=(left_out,), foreign=())


def signed(town: Town) -> SignedCheckpoint:
    last = town.core.checkpoints.last(town.core.origin)
    assert last is not None
    return SignedCheckpoint(*last)


def test_the_key_finds_the_leaves_of_this_resident_and_of_nobody_else(town: Town, story: Story) -> None:
    answer = answered(story.resident(), story)
    resident = town.resident_of(story.pseudonym)
    for index in answer.covered.leaf_indexes:
        row = town.core.reader.page(index, 1)[0]
        clear, _, _ = town.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        assert clear["resident"] == resident
    # The decision on the question itself stands behind what it covers.
    assert max(answer.covered.leaf_indexes) < answer.covered.log_size
    again = answered(story.resident(), story)
    assert again.covered.log_size > answer.covered.log_size
    assert set(answer.covered.leaf_indexes) < set(again.covered.leaf_indexes)


def test_pages_together_cover_what_one_page_does(story: Story) -> None:
    story.goal()
    resident = story.resident()
    first = answered(resident, story, page_size=3)
    told, token = list(first.covered.leaf_indexes), first.next_page_token
    while token:
        page = answered(resident, story, page_size=3, page_token=token)
        assert page.covered.log_size == first.covered.log_size
        told += page.covered.leaf_indexes
        token = page.next_page_token
    whole = answered(resident, story).covered.leaf_indexes
    assert told == [index for index in whole if index < first.covered.log_size]


def test_the_answer_says_what_the_law_asks_beside_the_data(town: Town, story: Story) -> None:
    story.goal()
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    resident = story.resident()
    resident.rights.restrict(
        claim=claim(pb.PURPOSE_CORRECTIE, "LIMIT-18-RESIDENT"), case_id=story.case_id, reason="Klopt niet."
    )
    labelled = labels_of(rights_pb.GetAccessAnswerResponse.DESCRIPTOR)
    fields = [path for path in labelled if not path.startswith("covered.")]
    answer = answered(resident, story, fields)
    purpose = next(one for one in answer.processings if one.legal_basis.startswith("WMO-2.3.2@"))
    assert (purpose.purpose, purpose.citation) == (pb.PURPOSE_WMO_ONDERZOEK, "Wmo 2015 art. 2.3.2, lid 4")
    assert purpose.retention_rule
    assert purpose.categories
    assert [one.task for one in answer.recipients] == ["college:WMO"]
    assert [(one.task, one.retention_years) for one in answer.sources] == [("college:WMO", 15)]
    assert [one.state for one in answer.limits] == ["RESTRICTION"]
    assert {"AVG 16", "AVG 77"} <= {one.article for one in answer.rights}
    assert not answer.HasField("covered")


def test_a_scan_tells_of_no_seal(town: Town, story: Story) -> None:
    story.goal()
    second = joined(town, story, "w-scan")
    reader = joined(town, story, "w-reads")
    before = answered(story.resident(), story)
    proposed = story.wmo.rights.seal_compartment(
        claim=SEAL, case_id=story.case_id, paths=["goals"], readers=[f"{WMO}/w-reads"], reason="Opvang."
    )
    second.rights.confirm_seal(claim=SEAL, case_id=story.case_id, proposal_id=proposed.proposal_id)
    version = reader.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"]).plan.version
    reader.plan.set_goal(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=version,
        own_words="Veilig wonen.",
        desired_effect="rust",
        life_domain=pb.LIFE_DOMAIN_HOUSING,
        target_date="2027-06-01",
    )
    answer = answered(story.resident(), story)
    new = found(town, answer) - found(town, before)
    # What he asked himself, and what was read of the plan; neither the seal nor what was written behind it.
    assert topics(town, new) == {"disclosure.decided.v1"}
    assert found(town, answer) == set(answer.covered.leaf_indexes)
    # What was there before the seal stays counted, by its number alone.
    assert found(town, before) <= found(town, answer)
    # They are leaves of the same resident all the same, under the second key.
    ref = town.resident_of(story.pseudonym)
    (key,) = town.core.keys.versions(ref, "LEDGER")
    apart = [
        index
        for index, one in enumerate(entries(town, answer.covered.log_size))
        if is_of(one, [key.ledger_key_apart])
    ]
    assert {"resident.sealed.v1", "resident.seal_proposed.v1", "plan.goal_set.v1"} <= topics(town, set(apart))


def test_a_scan_tells_of_no_investigation(town: Town, story: Story) -> None:
    safety = "00000002004214345000"
    credentials = town.join(safety, "veilig-thuis")
    before = answered(story.resident(), story)
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=safety,
        task="veilig-thuis",
        professional="vt-1",
        role="behandelaar",
    )
    asking = town.client(Person("vt-1", "veilig-thuis", "onderzoeker"), credentials)
    asking.plan.get_plan(claim=SAFETY, plan_id=story.plan_id, fields=["goals.own_words"])
    answer = answered(story.resident(), story, [*COVERED, "recipients.task", "sources.task"])
    new = found(town, answer) - found(town, before)
    assert [town.core.reader.page(index, 1)[0].topic for index in sorted(new)] == ["disclosure.decided.v1"]
    assert found(town, answer) == set(answer.covered.leaf_indexes)
    assert "veilig-thuis" not in {one.task for one in (*answer.recipients, *answer.sources)}


def test_who_represents_gets_the_numbers_and_the_resident_in_person_the_key(town: Town) -> None:
    family = Family(town, 14)
    family.record()
    own = family.own().rights.get_access_answer(claim=ACCESS, case_id=family.case_id, fields=COVERED)
    parents = family.representative().rights.get_access_answer(
        claim=ACCESS, case_id=family.case_id, fields=COVERED
    )
    assert [len(key) for key in own.covered.scanning_keys] == [32]
    assert list(parents.covered.scanning_keys) == []
    assert set(own.covered.leaf_indexes) < set(parents.covered.leaf_indexes)


# A college records limits on these; what was recorded of who looked is not its own to read on them.
@pytest.mark.parametrize(
    ("legal_basis", "purpose"),
    [
        ("OBJECT-21", pb.PURPOSE_KLACHT_BEZWAAR),
        ("LIMIT-18", pb.PURPOSE_KLACHT_BEZWAAR),
        ("RIGHTS-12", pb.PURPOSE_INZAGE),
    ],
)
def test_no_basis_to_record_opens_the_log_to_a_college(
    story: Story, legal_basis: str, purpose: pb.Purpose.ValueType
) -> None:
    asked: dict[str, Any] = {"claim": claim(purpose, legal_basis), "case_id": story.case_id}
    for ask in (
        partial(story.wmo.disclosure.list_disclosures, fields=["disclosures.organisation"]),
        partial(story.wmo.disclosure.list_notices, fields=["notices.organisation"]),
        partial(story.wmo.rights.get_access_answer, fields=COVERED),
    ):
        with pytest.raises(errors.Denied) as refused:
            ask(**asked)
        assert refused.value.rules == ("R09",)


def test_strangers_are_refused_as_about_nobody(town: Town, story: Story) -> None:
    other = Story(town, next(town.bsns)).resident()
    desk = town.worker("college:WMO", "stranger")

    def refused(client: ExchangeClient, case_id: str) -> tuple[str, ...]:
        with pytest.raises(errors.Denied) as denied:
            answered(client, story, case_id=case_id)
        return denied.value.rules

    for client in (desk, other):
        # No rule tells a stranger more than it tells of nobody.
        assert refused(client, story.case_id) == refused(client, str(uuid4())) != ()


def test_every_event_of_a_plan_that_changes_a_collection_says_which() -> None:
    assert {kind: changed.collection for kind, changed in CHANGED.items()} == dict(COLLECTION_OF)


def test_the_whole_answer_is_gathered_and_what_is_not_in_it_is_named(town: Town, story: Story) -> None:
    story.goal()
    denied_read(town, story)
    resident = story.resident()
    resident.rights.receive_rights_request(
        claim=claim(pb.PURPOSE_INZAGE, "RIGHTS-12-RESIDENT"),
        case_id=story.case_id,
        right=rights_pb.RIGHT_ACCESS,
    )
    whole = gather(resident, ACCESS, story.case_id, story.plan_id)
    assert [one.own_words for one in whole.plan.goals] == ["Weer zelf koken."]
    assert [one.right for one in whole.requests] == [rights_pb.RIGHT_ACCESS]
    assert "DENY" in {one.outcome for one in whole.disclosures}
    # Who looked is told by organisation; the name of a person only where that was weighed (C-579/21).
    assert whole.withheld["disclosures"] == ("disclosures.professional",)
    assert {
        row.leaf_index for row in whole.disclosures if row.leaf_index < whole.answer.covered.log_size
    } <= set(whole.answer.covered.leaf_indexes)
    assert set(whole.answer.covered.leaf_indexes) == found(town, whole.answer)
