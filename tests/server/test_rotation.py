"""After a new identity key: old pseudonyms are refused by name, alike for known and unknown residents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk import errors
from adapters.sdk.bsn import Bsn
from adapters.sdk.residents import Pseudonyms
from exchange.logs import open_log
from exchange.v1.common_pb2 import LIFE_DOMAIN_HOUSING
from exchange.wiring.rotation import identity_public_key, rotate_identity
from tests.server.story import Story
from tests.server.town import CITY, INVESTIGATE, WORK, Town

if TYPE_CHECKING:
    from pathlib import Path


def test_old_pseudonyms_are_refused_by_name_and_renewed_ones_find_the_case(tmp_path: Path) -> None:
    pin = tmp_path / "exchange.pin"
    with (tmp_path / "exchange.log").open("a", encoding="utf-8") as lines:
        town = Town(tmp_path / "town", open_log(stream=lines))
        town.start()
        try:
            town.register_notice("folder-1", b"\1" * 32)
            story = Story(town, next(town.bsns))
            stranger = Bsn(next(town.bsns))
            before = Pseudonyms(pin).of(story.wmo.identity, INVESTIGATE, [Bsn(story.bsn), stranger])
        finally:
            town.close()
        assert rotate_identity(town.settings).links == 1
        town = Town(tmp_path / "town", open_log(stream=lines))
        town.start()
        try:
            refused_and_renewed(town, story, before, pin)
        finally:
            town.close()


def refused_and_renewed(town: Town, story: Story, before: list[bytes], pin: Path) -> None:
    worker = town.worker("college:WMO", f"w-{story.bsn[-5:]}")
    head = town.core.reader.head()
    told = set()
    for outdated in before:
        with pytest.raises(errors.Invalid) as refused:
            worker.case.find_case(claim=INVESTIGATE, resident=outdated, fields=["case_id"])
        told.add((refused.value.reason, refused.value.message, refused.value.remedies))
        with pytest.raises(errors.Invalid) as reported:
            town.worker("college:PW", "w-9").case.receive_report(
                claim=WORK,
                resident=outdated,
                life_domains=[LIFE_DOMAIN_HOUSING],
                own_words="Hulp.",
                desk="balie",
            )
        assert reported.value.reason == "PSEUDONYM_OUTDATED"
    ((reason, _, remedies),) = told
    assert reason == "PSEUDONYM_OUTDATED"
    assert "blind the BSN again" in remedies[0]
    assert town.core.reader.head() == head
    # The pin of before stands in the way until the operator gave the new key.
    with pytest.raises(errors.PseudonymRefused, match="another public key"):
        Pseudonyms(pin).of(worker.identity, INVESTIGATE, [Bsn(story.bsn)])
    generation, public_key = identity_public_key(town.settings, CITY)
    pin.write_text(public_key.hex() + "\n", encoding="ascii")
    (renewed,) = Pseudonyms(pin).of(worker.identity, INVESTIGATE, [Bsn(story.bsn)])
    assert generation == 2
    assert renewed not in before
    found = worker.case.find_case(claim=INVESTIGATE, resident=renewed, fields=["case_id"])
    assert found.case_id == story.case_id
