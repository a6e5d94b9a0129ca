"""The load: what it counts and keeps, on known samples; then whole, of a toy size, on both stores."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from base64 import b64decode
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from exchange.cli.bench_names import NAMES, UNITS
from exchange.errors import Unavailable
from exchange.ledger.leaf import Signed
from exchange.ledger.signers import is_signed_by, request_hash
from exchange.settings import throw_away_settings
from exchange.store.verify import verify_store
from exchange.v1.plan_service_pb2 import DescribeSituationRequest
from exchange.wiring.bench_targets import DESIGN
from exchange.wiring.load import caller, growth, processes, rates, rebuilds, slow_disk
from exchange.wiring.load.calls import WRITE, Call, Organisation
from exchange.wiring.load.echo import read_messages, write_messages
from exchange.wiring.load.figures import figure, percentile, ratio
from exchange.wiring.load.filler import filled
from exchange.wiring.load.machine_share import GROWN, GROWN_SINCE_FIRST
from exchange.wiring.load.place import SQLITE, Place, store_environment
from exchange.wiring.load.run import IN_THE_STORE, THROUGH_THE_DOOR, Run, measure_load
from exchange.wiring.load.sampler import Sampler, processor_s
from exchange.wiring.load.sizes import SHORT, Sizes
from exchange.wiring.service import OPERATOR_FOLDER, door_material
from tests.postgres.server import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TINY: Final = Sizes(
    rounds=2,
    plans=4,
    in_flight=2,
    calls=8,
    library_commands=4,
    slow_commands=2,
    idle_calls=3,
    few_calls=8,
    rate_s=0.2,
    subscribers=2,
    followed_events=6,
    echoed_times=3,
    replayed_plans=2,
    few_events=200,
    many_events=400,
    most_events=300,
    flat_turns=2,
    flat_groups=2,
    soak_s=0.2,
    soak_after_calls=20,
    profiled_calls=300,
)
BOUND_S: Final = 30


# --- figures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "share", "found"),
    [
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
        ([float(n) for n in range(1, 102)], 0.99, 100.0),
        ([7.0], 0.99, 7.0),
        ([7.0, 9.0], 0.0, 7.0),
        ([7.0, 9.0], 1.0, 9.0),
    ],
)
def test_a_percentile_is_the_least_time_that_so_many_do_not_pass(
    times: list[float], share: float, found: float
) -> None:
    assert percentile(times, share) == found


def test_a_ratio_is_of_what_was_measured_side_by_side() -> None:
    # Of the medians it would be 2: a machine that slows down in between changes both sides of a round.
    assert ratio([10.0, 20.0, 90.0], [10.0, 40.0, 10.0]) == 1.0
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


def test_a_figure_keeps_its_rounds() -> None:
    assert figure([1.26, 9.04, 2.0], "ms", 1) == {"median": 2.0, "unit": "ms", "runs": [1.3, 9.0, 2.0]}
    assert figure([1.6], "calls/s") == {"median": 2, "unit": "calls/s", "runs": [2]}


# --- who calls -------------------------------------------------------------------------------------------


def test_a_command_is_signed_as_every_command_and_stands_on_its_version(tmp_path: Path) -> None:
    settings = throw_away_settings(data=tmp_path)
    _, _, signing_key = door_material(settings)
    plan = "11111111-1111-4111-8111-111111111111"
    call = Organisation(settings.data / OPERATOR_FOLDER).write(plan, 7)
    request = DescribeSituationRequest.FromString(call.raw)
    assert (request.plan_id, request.expected_version, call.path) == (plan, 7, WRITE)
    signature = dict(call.headers)["x-exchange-signature"]
    signed = Signed(request_hash(WRITE, "bench", call.raw), b64decode(signature))
    assert is_signed_by(bytes.fromhex(signing_key), settings.operator_oin, "college:WMO", signed)


class Door:
    """Stands for a line: answers the first call when it is let, and notes what came in which order."""

    def __init__(self) -> None:
        self.came: list[bytes] = []
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def __call__(self, raw: bytes, metadata: object) -> bytes:
        assert metadata is None  # a bare call
        self.came.append(raw)
        if len(self.came) == 1:
            self.asked.set()
            await self.let.wait()
        return b""


async def test_a_call_that_had_to_wait_counts_from_when_it_was_due() -> None:
    door, took = Door(), list[float]()
    loop, due = asyncio.get_running_loop(), time.perf_counter() - 5
    call = Call(WRITE, b"1", (), "plan")
    first = loop.create_task(caller._late(door, call, due, took, None, bare=True))
    second = loop.create_task(caller._late(door, call._replace(raw=b"2"), due, took, first, bare=True))
    await door.asked.wait()
    # Two commands of one plan are never under way at once, and the second one waits from when it was due.
    assert door.came == [b"1"]
    door.let.set()
    await second
    assert door.came == [b"1", b"2"]
    assert min(took) >= 5


def test_messages_are_kept_byte_by_byte(tmp_path: Path) -> None:
    messages = [b"", b"\0" * 70_000, b"x"]
    write_messages(tmp_path / "kept", messages)
    assert read_messages(tmp_path / "kept") == messages


def test_an_order_that_fails_is_no_answer() -> None:
    with processes.caller() as obedient, pytest.raises(Unavailable, match="could not do this"):
        obedient.ask("open", line="x", target="localhost:1", folder="/nowhere", plans=[])


def test_a_process_that_ended_is_no_answer() -> None:
    with processes.child("json.tool", ["--nothing"]) as process:
        process.wait(BOUND_S)
        with pytest.raises(Unavailable, match="has ended"):
            processes.Obedient(process).ask("closed")


# --- stores ----------------------------------------------------------------------------------------------


def test_what_fills_a_store_stands_as_if_it_was_commanded(tmp_path: Path) -> None:
    few, plans = filled(throw_away_settings(data=tmp_path), 2, 250)
    with closing(few.core):
        report = verify_store(few.core.reader)
        state = few.core.loader.load(f"plan-{plans[0]}").state
    assert (report.problems, report.events) == ([], report.position)
    assert report.events >= 250
    assert len(state.situations) == 13


def test_a_password_of_a_database_is_no_word_of_a_command(tmp_path: Path) -> None:
    settings = throw_away_settings(data=tmp_path, store="postgres", postgres="dbname=x password=hidden")
    assert store_environment(settings)["EXCHANGE_POSTGRES"] == settings.postgres
    assert "hidden" not in repr(Run(Place("password=hidden"), slow_dsn="password=hidden"))
    assert store_environment(throw_away_settings(data=tmp_path)) == {}


def test_a_slow_disk_needs_a_compiler_and_makes_each_flush_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = slow_disk.slow_disk(tmp_path)
    if environment is None:
        pytest.skip("no C compiler here")
    program = (
        "import os, sys, time\n"
        "with open(sys.argv[1], 'wb') as file:\n"
        "    started = time.perf_counter()\n"
        "    for _ in range(10): os.fdatasync(file.fileno()); os.fsync(file.fileno())\n"
        "    print(time.perf_counter() - started)\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "file")]
    took = subprocess.run(words, env=environment, capture_output=True, check=True)  # noqa: S603 -- our own program
    assert float(took.stdout) >= 20 * slow_disk.MORE_MS / 1e3
    monkeypatch.setattr(slow_disk, "COMPILERS", ("no-such-compiler",))
    assert slow_disk.slow_disk(tmp_path) is None


# --- where a process is ----------------------------------------------------------------------------------


def test_a_sampler_sees_where_a_thread_was_and_tells_its_processor_time(tmp_path: Path) -> None:
    ended, sampler = threading.Event(), Sampler()

    def busy_here() -> None:
        while not ended.is_set():
            sum(range(1_000))

    thread = threading.Thread(target=busy_here, name="busy")
    before = processor_s()
    sampler.start()
    thread.start()
    until = time.monotonic() + BOUND_S
    while processor_s().get("busy", 0.0) < 0.05:
        assert time.monotonic() < until
        thread.join(0.01)
    sampler.stop()
    ended.set()
    thread.join()
    sampler.write(tmp_path, "work")
    assert "busy" not in before
    folded = (tmp_path / "work.folded").read_text()
    assert "busy;" in folded
    assert "busy_here" in folded
    assert "sampler;" not in folded
    assert "busy" in (tmp_path / "work.txt").read_text()


# --- the whole of it -------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgres"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """A run on a toy size; of PostgreSQL a second server stands for the one on a slow disk."""
    with ExitStack() as opened:
        if request.param == "sqlite":
            yield Run(SQLITE, sizes=TINY, profile=tmp_path / "profiles")
            return
        server: PostgresServer = request.getfixturevalue("postgres")
        slow = PostgresServer()
        opened.callback(slow.stop)
        environment = slow_disk.slow_disk(slow.folder)
        slow.environment.update(environment or {})
        slow.start()
        yield Run(Place(server.dsn()), slow.dsn(), TINY, tmp_path / "profiles")


@pytest.mark.slow
def test_every_key_has_a_figure_of_this_run_or_says_why(run: Run) -> None:
    told: list[str] = []
    found = measure_load(run, told.append)
    here = set(DESIGN) - {"batch_vs_raw", "ledger_overhead", "gate_us"}
    grown = growth.KEYS | {f"{key}_cpu" for key in growth.KEYS - {rebuilds.KEY}}
    batched = {"batched_vs_writes", "batched_vs_library"}
    assert set(found.ratios) == here | grown | batched
    assert here | growth.KEYS == THROUGH_THE_DOOR | IN_THE_STORE
    # What a warm-up takes away from a figure stands beside it.
    soaked = found.results["rss_growth_mb"]
    assert soaked["after_calls"] >= TINY.soak_after_calls
    assert found.results[GROWN_SINCE_FIRST]["calls"] == soaked["after_calls"] + soaked["calls"]
    assert f"after {soaked['after_calls']} calls" in found.reasons[GROWN]
    assert str(found.results[GROWN_SINCE_FIRST]["median"]) in found.reasons[GROWN]
    missing = {name for name, value in found.ratios.items() if value is None}
    assert missing <= set(found.reasons)
    compiler = slow_disk.slow_disk(run.profile.parent) if run.profile else None
    assert missing == (set() if run.place.dsn or compiler else {rates.SLOW_KEY})
    for one in (*found.baselines.values(), *found.results.values()):
        assert min(one["runs"]) >= 0
        assert one["runs"]
    assert json.loads(json.dumps(found.ratios)) == found.ratios
    assert {*found.baselines, *found.results, *found.ratios} <= set(NAMES)
    assert {one["unit"] for one in (*found.baselines.values(), *found.results.values())} <= set(UNITS)
    # Growth of memory may be none, or less.
    assert all(
        value > 0 for name, value in found.ratios.items() if value and not name.startswith("rss_growth")
    )
    assert run.profile is not None
    assert sorted(file.name for file in run.profile.iterdir()) == [
        *("read.folded", "read.txt", "write.folded", "write.txt")
    ]
    assert "writer" in (run.profile / "write.txt").read_text()


def test_without_a_slow_server_the_slow_disk_says_why(tmp_path: Path) -> None:
    site: Any = type("Site", (), {"place": Place("dbname=x"), "folder": tmp_path})
    assert rates.slowness(site, "") == (None, rates.NO_SLOW_SERVER)
    assert rates.slowness(site, "dbname=slow") == (rates.Slowness(Place("dbname=slow"), {}), "")
    assert SHORT.most_events == 0
