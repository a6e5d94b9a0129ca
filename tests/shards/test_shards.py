"""A front before two municipalities, a third one added under load, and maps that are wrong."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.errors import Unavailable
from adapters.sdk.tokens import Person
from exchange.server.shards.errors import ShardMapInvalid
from exchange.server.shards.map import parse_map
from exchange.wiring.shards import looked_at, read_caller, read_map
from tests.e2e.service import CITY, Case, exchange
from tests.shards.country import Front, Municipality, replaced
from tests.shards.maps import table, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres.server import PostgresServer

OINS = {"0363": CITY, "0518": "00000001821002193000", "0599": "00000001001949259000"}
PACE_S = 0.02


class Country:
    """Two municipalities in one map, a third beside it, and the front."""

    def __init__(self, base: Path, postgres: PostgresServer) -> None:
        self.base, self.file = base, base / "map.toml"
        stores = ({"store": "postgres", "postgres": postgres.schema()} for _ in OINS)
        self.all = [
            Municipality(base, code, oin, **store)
            for (code, oin), store in zip(OINS.items(), stores, strict=True)
        ]
        self.front: Front


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Country]:
    made = Country(tmp_path_factory.mktemp("country"), postgres)
    with ExitStack() as closing:
        for one in made.all:
            closing.callback(one.close)
            one.start()
        for one in made.all[:2]:
            one.added_to(made.file)
        made.front = Front(made.base, made.file)
        closing.callback(made.front.close)
        for one in made.all:
            one.through = made.front
        yield made


class Working(threading.Thread):
    """Somebody who sets goals for residents of one municipality, one after another, until it is enough."""

    def __init__(self, where: Municipality) -> None:
        super().__init__()
        self.case = Case(where)
        self.enough = threading.Event()
        self.began = threading.Event()
        self.done = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        """Work; each call is tried once, and the first that fails is kept."""
        try:
            while not self.enough.is_set():
                # A plan holds so many goals: another resident, on the same line.
                if self.done % 10 == 0:
                    self.case = Case(self.case.service)
                self.case.goal()
                self.done += 1
                if self.done > 1:
                    self.began.set()
                # Somebody who works, not somebody who floods: each organisation has its share of calls.
                self.enough.wait(PACE_S)
        except BaseException as error:  # noqa: BLE001 -- told by the thread that waits
            self.error = error
            self.began.set()


def test_a_shard_is_added_under_load_and_no_call_of_the_others_fails(country: Country) -> None:
    third = country.all[2]
    with pytest.raises(Unavailable):
        third.pseudonym(third.worker(), third.bsn())
    assert country.front.metric('exchange_front_connections{how="unknown"}') > 0
    people = [Working(one) for one in country.all[:2]]
    for one in people:
        one.start()
    try:
        for one in people:
            assert one.began.wait(60)
        added = third.added_by_hand(country.file)
        assert added.returncode == 0, added.stderr
        country.front.look()
        assert country.front.until("shard_map_taken", 1)["version"] == 3
        third.hang_up()
        Case(third).goal()
        before = [one.done for one in people]
        for one in people:
            one.began.clear()
            assert one.began.wait(60), one.error
    finally:
        for one in people:
            one.enough.set()
            one.join()
    assert [one.error for one in people] == [None, None]
    assert all(one.done > then for one, then in zip(people, before, strict=True))
    assert country.front.metric("exchange_shard_map_serial") == 3
    assert country.front.metric("exchange_shard_map_refused") == 0


def test_who_is_known_to_one_is_nobody_to_another(country: Country) -> None:
    one, other = country.all[:2]
    Case(one)
    with pytest.raises(Unavailable):
        other.pseudonym(
            other.client(Person("w-1", "college:WMO", "regisseur"), one.credentials()), other.bsn()
        )


def test_a_wrong_map_is_refused_whole_and_told_and_the_former_stays(country: Country) -> None:
    raw = country.file.read_bytes()
    found = parse_map(raw)
    refused = len(country.front.lines("shard_map_refused"))
    twice = raw + b"[[shard]]\n" + raw.partition(b"[[shard]]\n")[2].partition(b"[[shard]]")[0]
    wrong = [
        (twice.replace(b"serial = ", b"serial = 9"), "named twice"),
        (raw.replace(f"serial = {found.serial}".encode(), b"serial = 1"), "older"),
        (raw + b"\nmaster = true\n", "unknown key"),
        (b"serial = ", "cannot be read"),
        (text(99, table("0363")), "does not"),
        (b"", "serial"),
    ]
    case = Case(country.all[0])
    try:
        for number, (content, what) in enumerate(wrong, refused + 1):
            replaced(country.file, content)
            country.front.look()
            line = country.front.until("shard_map_refused", number)
            assert what in line["error"]
            assert line["reason"] == "SHARD_MAP_INVALID"
            assert country.front.metric("exchange_shard_map_refused") == 1
            assert country.front.metric("exchange_shard_map_serial") == found.serial
            case.goal()
        country.file.unlink()
        country.front.look()
        assert "cannot be read" in country.front.until("shard_map_refused", refused + 1 + len(wrong))["error"]
    finally:
        replaced(country.file, raw)
    country.front.look()
    case.goal()


def test_the_map_is_held_against_what_answers(country: Country, tmp_path: Path) -> None:
    one, other = country.all[:2]
    folders = tmp_path / "credentials"
    folders.mkdir()
    for at in country.all:
        (folders / at.municipality).symlink_to(at.data / "operator")
    # The doors of two municipalities changed places, as a hand that slips does.
    file = tmp_path / "crossed.toml"
    raw = country.file.read_text()
    held = raw.replace(one.target, "HELD").replace(other.target, one.target)
    file.write_text(held.replace("HELD", other.target))
    words = ["--credentials", str(folders), "--json"]
    bad = exchange("shards", "check", "--map", str(file), *words)
    found = {line["municipality"]: line["wrong"] for line in json.loads(bad.stdout)["findings"]}
    assert bad.returncode == 1
    assert {code for code, wrong in found.items() if wrong} == {one.municipality, other.municipality}
    for shard in read_map(country.file).shards:
        caller = read_caller(folders, shard.municipality)
        assert [line.wrong for line in looked_at(shard, caller)] == [""]
    # Who is known to one shard alone cannot ask another.
    shard = read_map(country.file).shards[1]
    (line,) = looked_at(shard, read_caller(one.data / "operator", shard.municipality))
    assert line.wrong


def test_a_shard_is_not_added_unless_it_is_the_one_that_answers(country: Country, tmp_path: Path) -> None:
    one, other = country.all[:2]
    file = tmp_path / "map.toml"
    with pytest.raises(ShardMapInvalid, match="is of another shard"):
        one.added_to(file, log_key=other.log_vkey)
    with pytest.raises(ShardMapInvalid, match="does not answer under this name"):
        one.added_to(file, server_names=["other.exchange.example"])
    with pytest.raises(ShardMapInvalid, match="does not answer under this name"):
        one.added_to(file, doors=[one.target, "127.0.0.1:1"])
    assert not file.exists()
    found = one.added_to(file, databases={"postgres": "events-0363"})
    assert parse_map(file.read_bytes()) == found
    with pytest.raises(ShardMapInvalid, match="twice"):
        one.added_to(file)
    assert parse_map(file.read_bytes()) == found
    assert found.serial == 1


def test_a_front_that_is_stopped_ends_well_and_with_a_wrong_map_does_not_start(
    country: Country, tmp_path: Path
) -> None:
    front = Front(tmp_path, country.file)
    assert front.close() == 0
    assert len(front.lines("front_stopped")) == 1
    (tmp_path / "map.toml").write_text("serial = 0")
    refused = exchange("front", "--map", str(tmp_path / "map.toml"), "--port", "0", "--metrics-port", "0")
    assert (refused.returncode, b"serial" in refused.stderr) == (2, True)
