"""Who is linked: nobody before the gate permitted the command that names him."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.sdk import errors
from exchange.errors import Unavailable
from exchange.server.caller.residents import Residents
from exchange.v1 import common_pb2 as pb
from tests.server.town import CITY, DELIVER, INVESTIGATE

if TYPE_CHECKING:
    from tests.server.town import Town


def commands(town: Town, pseudonym: bytes, claim: pb.Claim) -> list[Any]:
    """Return the two commands that can be the first about somebody."""
    worker = town.worker("college:WMO", "w-links")
    return [
        lambda: worker.identity.register_resident(
            claim=claim, resident=pseudonym, birth_date="1980-02-29", capable=True
        ),
        lambda: worker.case.receive_report(
            claim=claim,
            resident=pseudonym,
            life_domains=[pb.LIFE_DOMAIN_HOUSING],
            own_words="Mijn huis is te klein.",
            desk="balie",
        ),
    ]


def test_a_refused_command_links_nobody_and_a_permitted_one_does(town: Town) -> None:
    for number in range(2):
        pseudonym = town.pseudonym(town.worker(), next(town.bsns))
        with pytest.raises(errors.Denied):
            commands(town, pseudonym, DELIVER)[number]()
        assert town.core.residents.resolve(CITY, pseudonym) is None
        commands(town, pseudonym, INVESTIGATE)[number]()
        resident = town.core.residents.resolve(CITY, pseudonym)
        commands(town, pseudonym, INVESTIGATE)[1 - number]()
        assert town.resident_of(pseudonym) == resident


def test_registering_tells_nobody_whether_somebody_is_known(town: Town) -> None:
    worker = town.worker("college:WMO", "w-links")
    known, unknown = (town.pseudonym(worker, next(town.bsns)) for _ in range(2))
    ask: dict[str, Any] = {"claim": INVESTIGATE, "birth_date": "1980-02-29", "capable": True}
    worker.identity.register_resident(resident=known, **ask)
    stranger = town.worker("college:WMO", "w-fishing")
    told = []
    for pseudonym in (known, unknown):
        head = town.core.reader.head()[0]
        receipt = stranger.identity.register_resident(resident=pseudonym, **ask).receipt
        leaf = json.loads(receipt.leaf_entry)
        assert town.core.reader.head()[0] == receipt.position == receipt.leaf_index + 1
        told.append(
            (receipt.leaves, receipt.position - head, len(receipt.leaf_entry), leaf["t"], sorted(leaf))
        )
    assert told[0] == told[1]


def test_a_command_the_domain_refuses_links_nobody(town: Town) -> None:
    pseudonym = town.pseudonym(town.worker(), next(town.bsns))
    with pytest.raises(errors.ExchangeRefused):
        town.worker().identity.register_resident(
            claim=INVESTIGATE, resident=pseudonym, birth_date="2999-01-01", capable=True
        )
    assert town.core.residents.resolve(CITY, pseudonym) is None


def test_the_first_of_two_at_once_wins_and_the_other_records_nothing(town: Town) -> None:
    pseudonym = town.pseudonym(town.worker(), next(town.bsns))

    async def both() -> list[Any]:
        with ThreadPoolExecutor(1) as pool:
            residents = Residents(town.core.residents, lambda: str(uuid4()), pool)
            return [await residents.for_command(CITY, pseudonym) for _ in range(2)]

    (first, bind_first), (second, bind_second) = asyncio.run(both())
    assert first != second
    bind_first()
    bind_first()
    with pytest.raises(Unavailable):
        bind_second()
    assert town.resident_of(pseudonym) == first
