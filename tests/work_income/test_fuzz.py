"""Answers that chance changed: refused by name, or read as what was signed; never half of one in a plan.

With the rounds of all tests here some 2,600 messages are changed, and 600 more in the slow set.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

import pytest
from lxml import etree

from adapters.kit.rates import Rate
from adapters.simulators.suwinet import people
from adapters.simulators.suwinet.messages import Reply, written
from adapters.work_income.binding import judge, schema_of
from adapters.work_income.drafts import Told
from adapters.work_income.errors import AnswerRefused
from adapters.work_income.mapping import findings
from adapters.work_income.services import SERVICES, SERVICES_OF, WORK_COMPANY, Service
from adapters.work_income.soap import read_answer
from adapters.work_income.suwinet_port import SuwinetPort
from adapters.work_income.xml import parse, read_node
from tests.work_income.papers import ABOUT, BSN, CITY_OIN, NOW, SUWI_OIN, trusted
from tests.work_income.test_binding import spoiled
from tests.work_income.test_service import FOR_RIGHT, assert_nobody_is_named
from tests.work_income.world import PLAN, RIGHT, Adapter, Clock, Held, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.sdk.bsn import Bsn
    from adapters.simulators.suwinet.papers import Authority, Paper
    from adapters.work_income.soap import Period
    from adapters.work_income.xml import Node

_Found = TypeVar("_Found")
TRIES = 250
BITS = (b"<", b">", b"&", b'"', b"\x00", b"\xff", b"]]>", b"<!--x-->", b"<?x?>", b"&#0;", b" ", b"0", b"<x/>")


def changed(data: bytes, chance: random.Random) -> bytes:
    at, to = sorted(chance.randrange(len(data)) for _ in range(2))
    match chance.randrange(5):
        case 0:
            return data[:at] + chance.choice(BITS) + data[at:]
        case 1:
            return data[:at] + data[at + chance.randrange(1, 9) :]
        case 2:
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case 3:
            return data[:at] + data[at : at + 60] + data[at:]
        case _:
            return data[:at] + data[to:]


def attempt(done: Callable[[], _Found]) -> _Found | str:
    """Return what comes of it, or the words of its refusal."""
    try:
        return done()
    except AnswerRefused as refused:
        words = str(refused)
    assert BSN not in words
    return words


@pytest.mark.parametrize("part", range(2))
def test_a_signed_answer_reads_as_it_was_signed_or_not_at_all(
    part: int, authority: Authority, source: Paper
) -> None:
    service = WORK_COMPANY
    reply = Reply(f"{service.action}Response", ABOUT.message_id, CITY_OIN, SUWI_OIN)
    data = written(reply, people.answer(service.name, BSN, people.ANSWERS[service.name]), source, NOW)
    signed = read_answer(data, service, ABOUT, trusted(authority), NOW)
    chance = random.Random(part)  # noqa: S311 -- the same bytes at each run
    refused = 0
    for _ in range(TRIES):
        spoiled = changed(data, chance)
        found = attempt(lambda: read_answer(spoiled, service, ABOUT, trusted(authority), NOW))  # noqa: B023 -- called at once
        assert isinstance(found, str) or found == signed
        refused += isinstance(found, str)
    assert refused > TRIES * 3 // 4


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_what_fits_the_schema_is_mapped_whatever_it_says(service: Service) -> None:
    data = etree.tostring(people.answer(service.name, BSN, people.ANSWERS[service.name]))
    chance = random.Random(service.name)  # noqa: S311 -- the same bytes at each run
    mapped = 0
    for _ in range(TRIES * 2):
        spoiled = changed(data, chance)
        told = attempt(lambda: mapped_of(service, spoiled))  # noqa: B023 -- called at once
        assert isinstance(told, str) or BSN not in told.packed().decode()
        mapped += isinstance(told, Told)
    assert mapped


def mapped_of(service: Service, data: bytes) -> Told:
    answer = read_node(parse(data))
    judge(answer, schema_of(service, "answer"))
    return Told.of([findings(service, answer)])


class Spoiling(SuwinetPort):
    """A source with a defect: it signs what chance made of an answer, or chance changes what it signed."""

    def __init__(self, chance: random.Random, authority: Authority, source: Paper) -> None:
        self._chance = chance
        self._authority = authority
        self._source = source
        self.read: dict[str, Node] = {}

    def renew(self) -> bool:
        return False

    def ask(self, service: Service, bsn: Bsn, period: Period | None = None) -> Node:
        assert period is None
        body = people.answer(service.name, bsn.reveal(), people.ANSWERS[service.name])
        for _ in range(self._chance.choice((0, 0, 1, 2))):
            spoiled(body, self._chance)
        reply = Reply(f"{service.action}Response", ABOUT.message_id, CITY_OIN, SUWI_OIN)
        data = written(reply, body, self._source, NOW)
        if self._chance.randrange(5) == 0:
            data = changed(data, self._chance)
        self.read[service.name] = found = read_answer(data, service, ABOUT, trusted(self._authority), NOW)
        return found


@pytest.mark.parametrize(
    ("seed", "rounds"), [("a", 40), pytest.param("b", 300, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_a_plan_is_filled_in_with_whole_answers_or_not_at_all(
    seed: str, rounds: int, authority: Authority, source: Paper, tmp_path: Path
) -> None:
    world = World(tmp_path / "world")
    suwinet = Spoiling(random.Random(seed), authority, source)  # noqa: S311 -- the same answers at each run
    adapter = Adapter(tmp_path, world, Clock(), suwinet, rate=Rate(6_000, 100))
    wrote = 0
    for _ in range(rounds):
        world.save(Held(plan_of={BSN: PLAN}))
        suwinet.read.clear()
        adapter.order(FOR_RIGHT)
        adapter.work()
        both = [
            findings(one, suwinet.read[one.name]) for one in SERVICES_OF[RIGHT] if one.name in suwinet.read
        ]
        whole = Told.of(both).prefills if len(both) == len(SERVICES_OF[RIGHT]) else ()
        assert world.held().commands == len(whole)
        for prefill in whole:
            assert world.situation(prefill.domain.value).description == prefill.description
        wrote += len(whole)
        adapter.journal.connection.execute("DELETE FROM pulls")
    assert 0 < wrote < rounds
    adapter.close()
    assert_nobody_is_named(adapter)
