"""The hourly look at all open cases: what is no case is set apart by itself, and the rest goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from adapters.municipal.exchange_port import SdkExchange
from tests.municipal.around import Adapter, configured, plan_of, settings
from tests.municipal.bent import HTML, Bent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from adapters.simulators.open_zaak.whole import OpenZaak
    from tests.municipal.around import Clock, Town
    from tests.server.town import Town as Exchange

LARGE = "x" * 10 * 1024 * 1024
UUID = "8d2d1c5e-8c4b-4a0e-9d55-0f2a4c1f7b10"


@pytest.fixture
def bent(system: OpenZaak) -> Iterator[Bent]:
    made = Bent(system).start()
    yield made
    made.close()


class Reporting(NamedTuple):
    """Where a case comes from, and where its report goes."""

    exchange: Exchange
    bent: Bent


@pytest.fixture
def reporting(exchange: Exchange, bent: Bent) -> Reporting:
    return Reporting(exchange, bent)


@pytest.fixture
def adapter(
    exchange: Exchange, system: OpenZaak, bent: Bent, clock: Clock, tmp_path: Path
) -> Iterator[Adapter]:
    zgw = settings(system)["zgw"] | {"zaken": bent.base}
    credentials = str(exchange.settings.data / "operator")
    config = configured(tmp_path, system, target=exchange.target, credentials=credentials, zgw=zgw)
    port = SdkExchange.connect(config)
    made = Adapter(config, port, clock)
    yield made
    made.close()
    port.close()


def rows(bent: Bent, system: OpenZaak) -> list[Any]:
    """Return the list as it really is, with our own urls."""
    held = json.dumps(list(system.zaken.zaken.by_uuid.values())).encode()
    found: list[Any] = json.loads(bent.ours(held))
    return found


def page(found: list[Any], following: str | None = None) -> bytes:
    told = {"count": len(found), "next": following, "previous": None, "results": found}
    return json.dumps(told).encode()


def next_hour(adapter: Adapter, passes: int = 4) -> None:
    adapter.clock.pass_by(hours=1)
    adapter.work(passes)


def alarms(adapter: Adapter) -> int:
    return adapter.events.count("errand_parked")


def test_each_row_that_is_no_case_is_set_apart_once_and_the_others_are_reported(
    exchange: Exchange, adapter: Adapter, town: Town, bent: Bent
) -> None:
    first, last = (town.case(town.person(next(exchange.bsns))) for _ in range(2))
    real = rows(bent, town.system)
    like = {**real[0], "url": f"{bent.base}/zaken/{UUID}", "uuid": UUID}
    bad = [
        {name: value for name, value in like.items() if name != "url"},  # by its uuid
        {"omschrijving": "no name at all"},
        "a text",
        None,
        {**like, "url": ["a", "list"], "uuid": 7},
        {**like, "url": "https://elsewhere.example/zaken/1", "uuid": "x"},
        {**like, "url": f"{bent.base}/zaken/1"},  # the uuid of the first: one thing to look at
        # These have a url: each is asked for by itself, and is not there.
        {**like, "url": f"{bent.base}/zaken/{UUID[:-1]}1", "uuid": None},
        {**like, "url": f"{bent.base}/zaken/{UUID[:-1]}2", "kenmerken": "text"},
        {**like, "url": f"{bent.base}/zaken/{UUID[:-1]}3"},
        {**like, "url": f"{bent.base}/zaken/{UUID[:-1]}4", "omschrijving": "\ud800"},
        {**like, "url": f"{bent.base}/zaken/{UUID}", "toelichting": LARGE},
    ]
    whole = page([real[0], *bad, real[1]])
    bent.answer = lambda method, path, _query: whole if (method, path) == ("GET", "/zaken") else None
    adapter.work()
    assert plan_of(first) != plan_of(last)
    apart = adapter.journal.parked()
    assert [one.reason for one in apart] == [
        *("no_url", "no_url", "case_is_no_object", "case_is_no_object", "no_url"),
        "another_id",
    ]
    assert {one.subject for one in apart} >= {f"row {UUID}"}
    assert alarms(adapter) == len(apart) == 6
    # Seen again, it is told no more; nor is anything said of what the rows hold.
    next_hour(adapter)
    assert alarms(adapter) == 6
    # Mended, it waits for nobody.
    bent.answer = lambda _method, _path, _query: None
    next_hour(adapter)
    assert adapter.journal.parked() == ()
    assert len(town.cases()) == 2


def large(real: dict[str, Any]) -> bytes:
    return json.dumps({**real, "toelichting": LARGE}).encode()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (lambda _real: HTML, "zaken answer_is_no_json"),
        (large, "zaken answer_too_large"),
        (lambda real: json.dumps({**real, "url": real["url"][:-1]}).encode(), "zaken another_case"),
        (lambda real: json.dumps({**real, "rollen": {"a": 1}}).encode(), "case_system no_rollen"),
        (lambda _real: b'{"url": null}', "case_system no_url"),
        (lambda _real: b"[]", "zaken case_is_no_object"),
        (lambda _real: b'"\\ud800"', "zaken answer_is_no_json"),
        (lambda _real: b"[" * 200_000, "zaken answer_is_no_json"),
    ],
    ids=["html", "10 MB", "wrong id", "wrong type", "missing", "no object", "half a letter", "deep"],
)
def test_a_case_that_reads_wrong_is_parked_by_itself_and_the_rest_goes_on(
    bad: Callable[[dict[str, Any]], bytes], reason: str, adapter: Adapter, town: Town, reporting: Reporting
) -> None:
    exchange, bent = reporting
    wrong, good = (town.case(town.person(next(exchange.bsns))) for _ in range(2))
    real = next(one for one in rows(bent, town.system) if one["uuid"] == wrong["uuid"])
    answer = bad(real)
    bent.answer = lambda method, path, _query: (
        answer if (method, path) == ("GET", f"/zaken/{wrong['uuid']}") else None
    )
    adapter.work()
    assert plan_of(good)
    assert wrong["kenmerken"] == []
    assert adapter.parked() == [reason]
    assert alarms(adapter) == 1
    next_hour(adapter)
    assert alarms(adapter) == 1
    # Mended, and told of: it is reported like any other.
    bent.answer = lambda _method, _path, _query: None
    adapter.service.desk.ask("zaak", real["url"])
    adapter.work()
    assert plan_of(wrong)
    assert adapter.parked() == []


def test_a_case_that_vanishes_between_the_list_and_the_look_holds_up_nothing(
    exchange: Exchange, adapter: Adapter, town: Town, bent: Bent
) -> None:
    gone, good = (town.case(town.person(next(exchange.bsns))) for _ in range(2))
    listed = page(rows(bent, town.system))
    del town.system.zaken.zaken.by_uuid[gone["uuid"]]
    bent.answer = lambda method, path, _query: listed if (method, path) == ("GET", "/zaken") else None
    adapter.work()
    assert plan_of(good)
    assert (adapter.parked(), adapter.journal.waiting(), alarms(adapter)) == ([], (), 0)


@pytest.mark.parametrize("bad", [HTML, b"7", b'{"results": 7}', b"", b"[" * 200_000])
def test_a_page_that_is_none_hides_no_other(
    bad: bytes, exchange: Exchange, adapter: Adapter, town: Town, bent: Bent
) -> None:
    first, last = (town.case(town.person(next(exchange.bsns))) for _ in range(2))
    one, other = rows(bent, town.system)
    pages = {
        "1": page([one], f"{bent.base}/zaken?page=2"),
        "2": bad,
        "3": page([other], f"{bent.base}/zaken?page=4"),
        "4": bad,
    }

    def answer(method: str, path: str, query: str) -> bytes | None:
        if (method, path) != ("GET", "/zaken"):
            return None
        # Past the last one the real system answers that there is none.
        return pages.get(query.rpartition("page=")[2] if "page=" in query else "1")

    bent.answer = answer
    adapter.work()
    assert plan_of(first) != plan_of(last)
    assert [one.subject for one in adapter.journal.parked()] == ["page 2", "page 4"]
    assert alarms(adapter) == 2


def test_where_no_page_can_be_read_the_look_comes_again_soon(
    exchange: Exchange, adapter: Adapter, town: Town, bent: Bent
) -> None:
    zaak = town.case(town.person(next(exchange.bsns)))
    bent.answer = lambda method, path, _query: HTML if (method, path) == ("GET", "/zaken") else None
    adapter.work(1)
    assert "sweep_not_now" in adapter.events
    bent.answer = lambda _method, _path, _query: None
    adapter.clock.pass_by(minutes=1)
    adapter.work()
    assert plan_of(zaak)
    assert adapter.parked() == []
