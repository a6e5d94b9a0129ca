"""The demo and the bench on the screen and for programs, told by a story without processes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exchange.cli import bench as bench_command
from exchange.cli import demo as demo_command
from exchange.errors import Unavailable
from exchange.ledger.verify import Report
from exchange.wiring import bench
from exchange.wiring.bench_ledger import Turn
from exchange.wiring.demo import FILES, Shown
from exchange.wiring.demo_years import Years
from exchange.wiring.load.place import Place
from exchange.wiring.load.sizes import LONG, SHORT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.wiring.load.run import Run
    from tests.cli.conftest import Shell

STORY: list[dict[str, Any]] = [
    {"chapter": "One story, told once"},
    {"name": "report", "text": "At the desk.", "outcome": "PERMIT", "rules": []},
    {"name": "work-reads", "text": "Its own part.", "outcome": "PARTIAL", "rules": ["R09", "R31"]},
    {"name": "wrong-hat", "text": "The wrong law:", "outcome": "DENY", "rules": ["R07"]},
    {"name": "one-lens", "text": "Too early:", "outcome": "REFUSED", "rules": ["RULE_BROKEN"]},
    {"name": "new", "text": "An outcome of tomorrow.", "outcome": "MAYBE", "rules": []},
]
BSN, YEARS_BSN = "999900006", "999900018"
YEARS_STEP: dict[str, Any] = {"name": "sixteen", "outcome": "DENY", "rules": ["R21"]}


class Teller:
    """Stands for `run_demo`: tells the same story, and shows what it was told to show."""

    def __init__(self) -> None:
        self.ok = True
        self.verified = True
        self.signed_twice: bool | None = None
        self.years_ok = True

    def __call__(
        self,
        data: Path,
        tell: Callable[[dict[str, Any]], None],
        pause: Callable[[str, str, str], None] | None = None,
        databases: Mapping[str, str] = FILES,
    ) -> Shown:
        assert not databases
        for line in STORY:
            tell(line)
        if pause is not None:
            pause("127.0.0.1:1", "https://localhost:2", "999990019")
        shown = Shown(data, ok=self.ok, origin="exchange.example/x/2026", log_vkey="x+1+2")
        if self.ok:
            shown.bsns, shown.receipts = [BSN], ["0.tlog-proof"]
            shown.pack, shown.policy = data / "pack.zip", data / "policy"
            shown.report = Report(self.verified, 41, b"r" * 32, shown.origin, (), 41, 9_000, 0)
            shown.signed_twice = self.signed_twice
            shown.service_rss_mb = 93.26
        shown.steps = [{key: line[key] for key in ("name", "outcome", "rules")} for line in STORY[1:]]
        return shown

    def years(
        self, data: Path, tell: Callable[[dict[str, Any]], None], databases: Mapping[str, str] = FILES
    ) -> Years:
        """Stand for `run_years`: a chapter of one step."""
        assert not databases
        tell({"chapter": "2023: one address"})
        tell(YEARS_STEP | {"text": "He is 16 now:"})
        report = Report(self.years_ok, 20, b"r" * 32, "exchange.example/x/2026", (), 20, 4_000, 0)
        years = Years(data, ok=self.years_ok, bsns=[YEARS_BSN], steps=[YEARS_STEP], service_rss_mb=90.0)
        years.packs = [(data / f"household-{year}.zip", report) for year in (2025, 2026)]
        return years


@pytest.fixture
def teller(monkeypatch: pytest.MonkeyPatch) -> Teller:
    told = Teller()
    monkeypatch.setattr(demo_command, "run_demo", told)
    monkeypatch.setattr(demo_command, "run_years", told.years)
    return told


def test_the_story_is_readable(exchange: Shell, teller: Teller) -> None:
    said = exchange("demo", "--data", "new")
    lines = [line.strip() for line in said.out.splitlines()]
    assert said.code == 0
    assert "One story, told once" in lines
    assert "✔ At the desk." in lines
    assert "◐ Its own part. [partial: R09, R31]" in lines
    assert "✘ The wrong law: [deny: R07]" in lines
    assert "✘ Too early: [refused: RULE_BROKEN]" in lines
    assert "? An outcome of tomorrow. [maybe]" in lines
    assert "✔ The officer's pack of 41 leaves: verified, every byte." in lines
    here = Path("new").resolve()
    keys = f"--policy {here / 'policy'} --signers {here / 'signers'}"
    assert f"exchange audit verify {here / 'pack.zip'} {keys}" in lines
    assert "✘ He is 16 now: [deny: R21]" in lines
    assert any(line.startswith("✔ A log for each year, 2 of them, 40 leaves") for line in lines)
    follows = f"--policy {here / 'household-policy'} --follows {here / 'household-2025.zip'}"
    assert f"exchange audit verify {here / 'household-2026.zip'} {follows}" in lines
    assert lines.index("✔ At the desk.") < lines.index("2023: one address")
    assert "\x1b" not in said.out


def test_a_terminal_of_ascii_gets_marks_it_can_show(
    exchange: Shell, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    code = exchange("demo", "--data", "new").code
    sys.stdout.flush()
    lines = [line.strip() for line in raw.getvalue().decode("ascii").splitlines()]
    assert code == 0
    assert {"+ At the desk.", "~ Its own part. [partial: R09, R31]", "x The wrong law: [deny: R07]"} <= set(
        lines
    )


def test_a_pack_that_differs_is_not_shown_as_good(exchange: Shell, teller: Teller) -> None:
    teller.verified = False
    said = exchange("demo", "--data", "new")
    assert "✘ The officer's pack of 41 leaves: differs." in said.out
    assert "every byte" not in said.out


def test_what_a_policy_that_asks_both_keys_says_is_told(exchange: Shell, teller: Teller) -> None:
    def told() -> str:
        return " ".join(exchange("demo", "--data", "new").out.split())

    assert "signed twice" not in told()
    teller.signed_twice = True
    assert "✔ Its head is signed twice" in told()
    assert "asks both accepts it." in told()
    teller.signed_twice = False
    assert "✘ Its head is signed twice" in told()
    assert "asks both does not accept it." in told()


def test_a_folder_with_a_strange_name_is_told_as_it_is(exchange: Shell, teller: Teller) -> None:
    said = exchange("demo", "--data", "[red]new")
    assert str(Path("[red]new").resolve() / "pack.zip") in said.out


def test_a_story_that_stopped_exits_one_and_says_where_to_look(exchange: Shell, teller: Teller) -> None:
    teller.ok = False
    said = exchange("demo", "--data", "new")
    assert said.code == 1
    assert "The story stopped before its end; see above and service.out." in said.out
    assert "audit verify" not in said.out


def test_one_object_for_programs(exchange: Shell, teller: Teller) -> None:
    said = exchange("demo", "--data", "new", "--json")
    told = json.loads(said.out)
    here = Path("new").resolve()
    assert said.code == 0
    assert set(told) >= {
        "ok", "data", "origin", "size", "checkpoint", "log_vkey", "policy", "pack", "receipts", "tiles",
        "log_vkey_mldsa", "bsns", "steps", "elapsed_s",
    }  # fmt: skip
    assert (told["ok"], told["size"], told["bsns"]) == (True, 41, [BSN, YEARS_BSN])
    assert told["data"] == str(here)
    assert told["checkpoint"] == str(here / "exchange" / "ledger" / "checkpoint")
    assert told["tiles"] == str(here / "exchange" / "ledger")
    assert told["service_rss_mb"] == 93.3
    assert told["steps"][0] == {"name": "report", "outcome": "PERMIT", "rules": []}
    assert told["steps"][-1] == YEARS_STEP


def test_years_that_stopped_are_no_good_demo(exchange: Shell, teller: Teller) -> None:
    teller.years_ok = False
    said = exchange("demo", "--data", "new")
    assert said.code == 1
    assert "✘ A log for each year" in said.out
    assert "The story stopped before its end; see above and service.out." in said.out
    assert json.loads(exchange("demo", "--json").out)["ok"] is False


def test_one_object_also_when_the_story_stopped(exchange: Shell, teller: Teller) -> None:
    teller.ok = False
    said = exchange("demo", "--json")
    told = json.loads(said.out)
    assert (said.code, told["ok"], told["size"], told["bsns"]) == (1, False, 0, [])


def test_a_folder_with_something_in_it_is_left_alone(exchange: Shell, teller: Teller) -> None:
    Path("taken").mkdir()
    Path("taken/mine").write_text("mine", encoding="utf-8")
    said = exchange("demo", "--data", "taken")
    assert (said.code, said.out) == (2, "")
    assert "taken is not empty" in said.err


def test_a_pause_waits_for_a_person_and_says_where_the_service_is(
    exchange: Shell, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[bool] = []

    def press_enter() -> str:
        waited.append(True)
        return ""

    monkeypatch.setattr("builtins.input", press_enter)
    told = exchange("demo", "--data", "new", "--pause").out
    assert "listens on 127.0.0.1:1, and people look at https://localhost:2" in told
    assert "Ouder 1 may act for the child of the story: 999990019" in told
    assert waited == [True]
    # A program would wait for ever.
    exchange("demo", "--json", "--pause")
    assert waited == [True]


def test_a_service_that_does_not_start_is_not_reachable(
    exchange: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(*_: object) -> Shown:
        raise Unavailable("the service did not start; see service.out in its folder")

    monkeypatch.setattr(demo_command, "run_demo", stuck)
    said = exchange("demo", "--data", "new", "--json")
    assert (said.code, said.out) == (3, "")
    assert "service.out" in said.err


# --- bench -----------------------------------------------------------------------------------------------

MEASURED = {"targets": {"gate_us": {"target": "≤ 60", "verdict": "met"}}} | bench.report_of(
    bench.Measured(
        [300.0, 100.0, 200.0],
        [500.0, 400.0, 600.0],
        [10.0, 30.0, 20.0],
        [4.0, 2.0, 3.0],
        [40.0, 20.0, 30.0],
        [Turn(100.0, 11.0, 110.0, 10.0)],
        12.34,
        {"cores": 2, "machine": "x86_64", "python": "3.11.2", "sqlite": "3.40.1", "synchronous": 2},
    ),
    "sqlite",
)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def measure(progress: Callable[[str], None], run: Run) -> dict[str, Any]:
        progress("round 1 of 3")
        return MEASURED | {"store": run.place.store}

    monkeypatch.setattr(bench_command, "run_bench", measure)
    return MEASURED


def test_a_bench_for_programs_prints_one_object(exchange: Shell, measured: dict[str, Any]) -> None:
    said = exchange("bench", "--json", "--store", "sqlite")
    assert (said.code, said.err) == (0, "round 1 of 3\n")
    assert json.loads(said.out) == measured


def test_a_bench_on_the_screen_names_each_number(exchange: Shell, measured: dict[str, Any]) -> None:
    said = exchange("bench")
    assert said.code == 0
    for words in (
        "library: save one event",
        "writer: commands",
        "commands a second",
        "300, 100, 200",
        "microseconds",
        "writer against one save",
        "times",
        "≤ 60",
    ):
        assert words in said.out
    assert said.out.count("12.3") == len(("median", "runs"))


@pytest.mark.parametrize(
    "words",
    [
        ("--store", "granite"),
        ("--store", "postgres"),
        ("--postgres", "dbname=x"),
        ("run.json",),
        ("--table",),
        ("--table", "missing.json"),
    ],
)
def test_what_cannot_be_measured_or_told_exits_two(
    exchange: Shell, measured: dict[str, Any], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("EXCHANGE_POSTGRES", raising=False)
    said = exchange("bench", *words)
    assert (said.code, said.out) == (2, "")


@pytest.mark.parametrize("named", ["flag", "environment"])
def test_a_database_is_named_by_a_flag_or_by_the_environment(
    exchange: Shell, measured: dict[str, Any], monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    if named == "environment":
        monkeypatch.setenv("EXCHANGE_POSTGRES", "dbname=x password=hidden")
    words = ["--postgres", "dbname=x"] if named == "flag" else []
    said = exchange("bench", "--json", "--store", "postgres", *words)
    assert (said.code, json.loads(said.out)["store"]) == (0, "postgres")
    assert "hidden" not in said.out + said.err


def test_how_long_and_where_profiles_go_is_said(
    exchange: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Run] = []

    def measure(_progress: Callable[[str], None], run: Run) -> dict[str, Any]:
        asked.append(run)
        return MEASURED

    monkeypatch.setattr(bench_command, "run_bench", measure)
    slow = ("--store", "postgres", "--postgres", "dbname=x", "--slow-postgres", "dbname=y")
    for words in ((), ("--long", "--profile", str(tmp_path)), slow):
        assert exchange("bench", "--json", *words).code == 0
    short, long, named = asked
    assert (short.sizes, short.profile, short.place) == (SHORT, None, Place())
    assert (long.sizes, long.profile) == (LONG, tmp_path)
    assert (named.place, named.slow_dsn) == (Place("dbname=x"), "dbname=y")


def told_run(folder: Path, name: str, writes: int, **changes: object) -> str:
    """Write a run of the bench to a file; return its path."""
    figure = {"median": writes, "unit": "calls/s", "runs": [writes]}
    report = MEASURED | {
        "results": {"door_writes": figure},
        "ratios": {"writes_vs_echo": writes / 10_000, "rss_growth_mb_10min": None},
    }
    (folder / name).write_text(json.dumps(report | changes), encoding="utf-8")
    return str(folder / name)


def test_runs_are_told_as_a_table_of_medians(exchange: Shell, tmp_path: Path) -> None:
    runs = [told_run(tmp_path, f"{writes}.json", writes) for writes in (9_000, 1_000, 5_500)]
    machine = MEASURED["machine"] | {"postgres": "18.1"}
    runs.append(told_run(tmp_path, "p.json", 400, store="postgres", machine=machine))
    said = exchange("bench", "--table", *runs)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "| measured | target | SQLite | PostgreSQL |"
    # On the line it is met.
    assert "| commands against the echo | ≥ 0.55 | 0.55 times, met | 0.04 times, short |" in lines
    assert "| service: commands, 64 in flight |  | 5,500 calls a second | 400 calls a second |" in lines
    assert any("growth in ten minutes" in line and "not measured | not measured" in line for line in lines)
    assert lines[-1] == (
        "Medians of 3 on SQLite and 1 on PostgreSQL, each of three rounds. 2 cores (x86_64), Python 3.11.2, "
        "SQLite 3.40.1, PostgreSQL 18.1."
    )


def test_runs_of_two_machines_are_no_table(exchange: Shell, tmp_path: Path) -> None:
    other = MEASURED["machine"] | {"cores": 64}
    runs = [told_run(tmp_path, "a.json", 1), told_run(tmp_path, "b.json", 1, machine=other)]
    said = exchange("bench", "--table", *runs)
    assert (said.code, said.out) == (2, "")
    assert "different machines" in said.err
