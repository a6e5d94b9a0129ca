"""A year that ends under a running exchange, seen by an organisation over gRPC: receipts, proofs, a book."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from adapters.sdk import errors
from adapters.sdk.receipts import ReceiptBook
from adapters.sdk.tokens import Person
from exchange.keys.authority import DevelopmentAuthority
from tests.server.story import Story
from tests.server.town import CITY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.town import Town


@pytest.fixture(autouse=True)
def _valid_into_january(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let credentials be valid in the next year, whatever day of this one it is."""
    defaults = DevelopmentAuthority.issue_organisation.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "valid_for", timedelta(days=400))


@pytest.fixture
def january(aging_town: Town) -> datetime:
    # It stays there: in an aging town the clock never goes back.
    return datetime(aging_town.now().year + 1, 1, 1, 0, 5, tzinfo=UTC)


def test_an_organisation_follows_the_exchange_into_a_new_year(
    aging_town: Town, january: datetime, tmp_path: Path
) -> None:
    town = aging_town
    story = Story(town, next(town.bsns))
    ledger = story.wmo.ledger
    keys = [town.core.signer, town.core.signer.named(f"{town.core.origin[:-4]}{january.year}")]
    policy = "".join(f"log {one.vkey}\n" for one in keys) + "quorum none\n"
    book = ReceiptBook(tmp_path / "book", policy, CITY)
    book.keep(story.opened.receipt)
    assert book.settle(ledger) == 1
    story.report(story.wmo, "In december.")
    town.stands_at = january
    story.wmo = town.signed_in(Person("w-9", "college:WMO", "regisseur"))
    told = story.report(story.wmo, "In januari.")
    book.keep(told.receipt)
    assert book.settle(ledger) == 1
    newest, former = ledger.get_checkpoint(), ledger.get_checkpoint(origin=keys[0].name)
    assert newest.checkpoint.partition("\n")[0] == keys[1].name
    assert former.checkpoint.partition("\n")[0] == keys[0].name
    assert newest.opening.first_leaf == book.first_of(keys[1].name) == int(former.checkpoint.split("\n")[1])
    assert not former.HasField("opening")
    proof = ledger.get_consistency_proof(from_size=1, origin=keys[0].name)
    assert proof.checkpoint == former.checkpoint
    assert proof.hashes
    with pytest.raises(errors.Invalid):
        ledger.get_checkpoint(origin="exchange.example/nobody/2026")
    with pytest.raises(errors.Invalid):
        ledger.get_consistency_proof(from_size=1, origin="exchange.example/nobody/2026")
    book.close()
