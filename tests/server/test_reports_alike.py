"""What a report is answered: its case to who works on it; to everybody else alike, whoever it is about."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk.bsn import Bsn
from adapters.sdk.calls import claim
from adapters.sdk.errors import ExchangeRefused
from adapters.sdk.proofs import verify_receipt
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.tokens import Person
from exchange.logs import open_log
from exchange.v1 import common_pb2 as pb
from tests.server.story import Story
from tests.server.town import INVESTIGATE, Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient
    from exchange.v1 import case_service_pb2 as case_pb

PROVIDE = claim(pb.PURPOSE_WMO_LEVERING, "WMO-5.1.2", "nodig om hulp te geven")
CARER = Person("z-1", "wmo-aanbieder", "begeleider")
# Of an answer, what is drawn or counted anew for each one, and so tells nothing of whom it is about.
DRAWN = ("report_id", "receipt.decision_id", "receipt.leaf_entry", "receipt.record_time")
COUNTED = ("receipt.position", "receipt.leaf_index")


@pytest.fixture
def own_town(tmp_path: Path) -> Iterator[Town]:
    """Yield a town where nobody but the test grows the log."""
    with (tmp_path / "log").open("w", encoding="utf-8") as lines:
        town = Town(tmp_path, open_log(stream=lines))
        town.start()
        yield town
        town.close()


def carer_of(town: Town) -> ExchangeClient:
    return town.client(CARER, town.care())


def known_as(town: Town, carer: ExchangeClient, bsn: str) -> bytes:
    """Return the provider's own pseudonym of a resident."""
    pin = town.settings.data / f"pin-of-carer-{bsn}"
    return Pseudonyms(pin).of(carer.identity, PROVIDE, [Bsn(bsn)])[0]


def report(
    client: ExchangeClient, pseudonym: bytes, why: pb.Claim = PROVIDE, request_id: str = ""
) -> case_pb.ReceiveReportResponse:
    return client.case.receive_report(
        claim=why,
        resident=pseudonym,
        life_domains=[pb.LIFE_DOMAIN_HOUSING],
        own_words="De trap is te steil.",
        desk="thuiszorg",
        request_id=request_id,
    )


def leaves_of(message: Any, before: str = "") -> dict[str, Any]:  # noqa: ANN401 -- any message
    """Return every leaf of an answer, those that are not set included, by its path."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        path, value = f"{before}{field.name}", getattr(message, field.name)
        if field.message_type is not None and field.message_type.name == "Receipt":
            found |= leaves_of(value, f"{path}.")
        else:
            found[path] = value
    return found


def test_who_has_no_part_in_the_case_is_answered_alike_for_known_and_unknown_residents(
    own_town: Town,
) -> None:
    bsn, carer = next(own_town.bsns), carer_of(own_town)
    Story(own_town, bsn)
    known, *strangers = (known_as(own_town, carer, one) for one in (bsn, *islice(own_town.bsns, 2)))
    # Known to nobody, known with a case, reported before by this very desk, known to nobody.
    asked = [strangers[0], known, known, strangers[1]]
    sizes = [own_town.core.reader.head()[0]]
    told = []
    for pseudonym in asked:
        told.append(leaves_of(report(carer, pseudonym)))
        sizes.append(own_town.core.reader.head()[0])
    for path in told[0].keys() - {*DRAWN, *COUNTED}:
        assert len({str(one[path]) for one in told}) == 1, path
    for path in DRAWN:
        values = {str(one[path]) for one in told}
        assert len(values) == len(told), path
        assert len({len(str(one[path])) for one in told if path != "receipt.record_time"}) <= 1, path
    assert told[0]["receipt.leaves"] == 1
    nothing = {"case_id": "", "plan_id": "", "opened": False, "version": 0}
    assert nothing.items() <= told[0].items()
    # The log grew alike, and each receipt stands at its end.
    grown = [after - before for before, after in pairwise(sizes)]
    assert len(set(grown)) == 1, grown
    assert [one["receipt.position"] for one in told] == sizes[1:]


def test_the_receipt_of_a_stranger_proves_the_very_report(town: Town, story: Story) -> None:
    carer = carer_of(town)
    told = report(carer, known_as(town, carer, next(town.bsns)))
    proof = story.wmo.ledger.get_receipt(leaf_index=told.receipt.leaf_index).tlog_proof
    assert verify_receipt(told.receipt.leaf_entry, proof, town.core.signer.vkey) == told.receipt.leaf_index
    (row,) = town.core.reader.page(told.receipt.position - 1, 1)
    assert row.topic == "plan.report_received.v1"
    assert told.report_id


def test_who_works_on_the_case_is_told_which_it_is(story: Story) -> None:
    again = report(story.wmo, story.pseudonym, INVESTIGATE)
    assert (again.case_id, again.plan_id, again.opened) == (story.case_id, story.plan_id, False)
    assert again.version == story.version + 1
    assert story.opened.opened
    assert story.opened.report_id != again.report_id


def test_a_report_is_answered_the_same_again_also_after_a_restart(tmp_path: Path) -> None:
    request_id, answers = str(uuid4()), []
    pseudonym, care = b"", None
    for _ in range(2):
        with (tmp_path / "log").open("a", encoding="utf-8") as lines:
            town = Town(tmp_path, open_log(stream=lines))
            town.start()
            try:
                care = care or town.care()
                carer = town.client(CARER, care)
                pseudonym = pseudonym or known_as(town, carer, next(town.bsns))
                answers += [report(carer, pseudonym, request_id=request_id) for _ in range(2)]
                with pytest.raises(ExchangeRefused) as refused:
                    report(carer, pseudonym, request_id=request_id, why=INVESTIGATE)
                assert refused.value.reason == "REQUEST_ID_REUSED"
            finally:
                town.close()
    assert answers[0].receipt.leaves == 1
    assert all(answer == answers[0] for answer in answers)
