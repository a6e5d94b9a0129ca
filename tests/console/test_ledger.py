"""The ledger as an officer sees it; what his browser checks is tested in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.receipt import parse_receipt, verify_receipt
from tests.console.house import AUTHOR, INSIGHT, OFFICER

if TYPE_CHECKING:
    from tests.console.house import House
    from tests.server.story import Story


def test_the_newest_state_and_what_it_is_since(house: House) -> None:
    visitor = house.as_(OFFICER)
    page = visitor.get("/grootboek")
    assert page.status_code == 200
    assert house.town.core.origin in page.text
    assert "Bewijs van 3 bladen naar nu" in visitor.get("/grootboek?vanaf=3").text
    saved = visitor.get("/grootboek/stand")
    assert saved.text.startswith(f"{house.town.core.origin}\n")
    assert saved.headers["content-disposition"] == 'attachment; filename="checkpoint"'


def test_the_proof_that_is_saved_verifies_elsewhere(house: House, story: Story) -> None:
    visitor = house.as_(AUTHOR)
    receipt = story.opened.receipt
    saved = visitor.get(f"/grootboek/bewijs/{receipt.leaf_index}")
    assert saved.status_code == 200
    proof = saved.text.encode()
    assert parse_receipt(proof).extra == b""
    policy = parse_policy(f"log {house.town.log_vkey}\nquorum none\n")
    assert verify_receipt(receipt.leaf_entry, proof, policy).index == receipt.leaf_index


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/grootboek?vanaf=drie", 400),
        ("/grootboek?vanaf=-1", 400),
        ("/grootboek?vanaf=0", 400),
        ("/grootboek?vanaf=9999999999999999", 400),
        ("/grootboek?vanaf=999999999", 400),
        ("/grootboek/bewijs?blad=", 400),
        ("/grootboek/bewijs?blad=1e3", 400),
        ("/grootboek/bewijs?blad=٣", 400),
        ("/grootboek/bewijs/..%2f..%2fetc%2fpasswd", 404),
    ],
)
def test_a_number_that_is_none(house: House, path: str, status: int) -> None:
    answer = house.as_(OFFICER).get(path)
    assert answer.status_code == status, answer.text
    assert "<h1" in answer.text


def test_it_is_no_page_of_policy(house: House) -> None:
    answer = house.as_(INSIGHT).get("/grootboek")
    assert answer.status_code == 403
    assert "Dit is een pagina voor de functionaris gegevensbescherming." in answer.text
