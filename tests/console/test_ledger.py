"""The ledger as an officer sees it; what his browser checks is tested in a browser."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.console.ledger_state import LATE, LedgerState, ledger_state, signer_of
from exchange.console.pages import ledger, today
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.receipt import parse_receipt, verify_receipt
from exchange.ledger.verify import verify_pack
from tests.console.house import AUTHOR, INSIGHT, OFFICER

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.console.page import Look
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


def test_the_states_come_by_key_the_newest_first(house: House) -> None:
    visitor = house.as_(OFFICER)
    page = visitor.get("/grootboek").text
    sizes = [int(one) for one in re.findall(r'data-head="Bladen">([0-9]+)<', page)]
    assert sizes == sorted(set(sizes), reverse=True)
    assert len(sizes) > 1
    # Nobody asked: the proof since the state before stands there already.
    assert f"Bewijs van {sizes[1]} bladen naar nu" in page
    older = visitor.get(f"/grootboek?onder={sizes[1]}").text
    below = [int(one) for one in re.findall(r'data-head="Bladen">([0-9]+)<', older)]
    assert below[: len(sizes) - 2] == sizes[2:]
    assert "Naar de nieuwste" in older
    for none in ("x", "-1", "9999999999999999"):
        assert visitor.get(f"/grootboek?onder={none}").status_code == 400


@pytest.mark.parametrize(
    ("waited", "late"),
    [
        (timedelta(0), False),
        (LATE - timedelta(microseconds=1), False),
        (LATE, False),
        (LATE + timedelta(microseconds=1), True),
    ],
    ids=["now", "before", "on", "behind"],
)
def test_a_witness_that_misses_is_late_after_ten_minutes(waited: timedelta, *, late: bool) -> None:
    now = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
    missing = LedgerState(missing=("getuige.example",), quorum=True)
    assert timedelta(minutes=10) == LATE
    assert missing.late(now - waited, now) is late
    assert not missing.late(None, now), "nobody knows when the state was signed"
    assert not LedgerState(quorum=True).late(now - 2 * LATE, now), "nobody misses"


def test_who_is_late_is_told_apart_from_who_is_behind(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = house.as_(OFFICER)

    async def one_misses(look: Look) -> LedgerState:
        return (await ledger_state(look))._replace(missing=("getuige.example",))

    for page in (ledger, today):
        monkeypatch.setattr(page, "ledger_state", one_misses)
    assert '<span class="mark warn">ontbreekt nog</span>' in visitor.get("/grootboek").text
    # A moment without it is no alarm on Today, where states follow each other by the second.
    assert '<a href="#grootboek" class="warn">' in visitor.get("/vandaag").text
    monkeypatch.setattr("exchange.console.ledger_state.LATE", timedelta(days=-1))
    assert '<span class="mark bad">ontbreekt, te laat</span>' in visitor.get("/grootboek").text


def test_who_signed_along_is_told_with_its_moment() -> None:
    at = int(datetime(2026, 11, 26, 9, 0, tzinfo=UTC).timestamp())
    line = b64encode(b"\0" * 4 + at.to_bytes(8, "big") + b"\0" * 64).decode()
    assert signer_of("getuige.example", line) == ("getuige.example", datetime.fromtimestamp(at, UTC))
    for odd in ("", "AAAA", "?", b64encode(b"\0" * 68).decode(), b64encode(b"\xff" * 76).decode()):
        assert signer_of("log", odd) == ("log", None)


def test_the_pack_that_a_browser_saves_is_good(house: House, story: Story, tmp_path: Path) -> None:
    visitor = house.as_(OFFICER)
    visitor.get(f"/grootboek/bewijs/{story.opened.receipt.leaf_index}")
    saved = visitor.get("/grootboek/pak?vanaf=3")
    assert saved.status_code == 200
    assert saved.headers["content-disposition"] == 'attachment; filename="audit-pack.zip"'
    assert saved.headers["cache-control"] == "no-store"
    pack = tmp_path / "pack.zip"
    pack.write_bytes(saved.content)
    report = verify_pack(pack, f"log {house.town.log_vkey}\nquorum none\n")
    assert (report.ok, report.since) == (True, 3)
    assert visitor.get("/grootboek/pak?vanaf=999999999").status_code == 400
    assert visitor.get("/grootboek/pak?vanaf=%27").status_code == 400
    assert house.as_(AUTHOR).get("/grootboek/pak").status_code == 403


def test_it_is_no_page_of_policy(house: House) -> None:
    answer = house.as_(INSIGHT).get("/grootboek")
    assert answer.status_code == 403
    assert "Dit is een pagina voor de functionaris gegevensbescherming." in answer.text
