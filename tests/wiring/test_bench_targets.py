"""Verdicts of the bench: on the line is met, one step beyond is short, and nothing is left out."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import typer

from exchange.cli import bench as shown
from exchange.wiring.bench_targets import (
    DESIGN,
    MET,
    NOT_MEASURED,
    SAME_ON_EVERY_STORE,
    SHORT,
    TARGETS,
    Target,
    is_short,
    with_verdicts,
)

STEP = 0.001


def report(**values: float) -> dict[str, Any]:
    """Return a report in which every figure lies on its line, but for those given."""
    found = {name: target.bound for name, target in TARGETS.items()} | values
    results = {"gate_us", "ledger_longer", "ledger_longer_cpu", "replay_decisions_s"}
    results |= {"audit_verify_s", "receipt_three_witnesses_p99_s", "receipt_bytes"}
    results |= {"plan_as_of_ms", "plan_first_as_of_ms", "plan_first_as_of_cpu_ms", "rebuild_events_s"}
    results |= {"rss_mb", "facets_ms", "page_ms"}
    return with_verdicts(
        {
            "machine": {"cores": 2, "python": "3"},
            "store": "sqlite",
            "baselines": {},
            "results": {
                name: {"median": found[name], "unit": "s", "runs": [found[name]]} for name in sorted(results)
            },
            "ratios": {name: value for name, value in found.items() if name not in results},
        },
        {},
    )


@pytest.mark.parametrize(
    ("target", "value", "verdict"),
    [
        (Target(3, at_least=True), 2.99, SHORT),
        (Target(3, at_least=True), 3, MET),
        (Target(3, at_least=True), 3.01, MET),
        (Target(15), 14.9, MET),
        (Target(15), 15, MET),
        (Target(15), 15.1, SHORT),
    ],
)
def test_on_the_line_is_met(target: Target, value: float, verdict: str) -> None:
    assert target.verdict(value) == verdict


@pytest.mark.parametrize("name", TARGETS)
def test_each_figure_is_held_against_its_own_target(name: str) -> None:
    assert not is_short(report())
    target = TARGETS[name]
    beyond = target.bound - STEP if target.at_least else target.bound + STEP
    judged = report(**{name: beyond})
    assert is_short(judged)
    assert {one for one, told in judged["targets"].items() if told["verdict"] == SHORT} == {name}
    assert judged["targets"][name] == {"value": beyond, "target": target.text(), "verdict": SHORT}


def test_every_key_of_the_design_has_a_target() -> None:
    assert set(DESIGN) >= {
        *("reads_vs_echo", "writes_vs_echo", "writes_vs_library", "writes_vs_library_slow_disk"),
        *("idle_p50_ms", "batch_vs_raw", "ledger_overhead", "fanout_events_s", "replay_vs_raw"),
        *("p99_vs_echo", "p50_idle_ms_4", "flat_1e6_vs_1e4", "shards_2_vs_1"),
        *("rss_mb", "rss_growth_mb_10min", "gate_us"),
    }
    assert set(report()["targets"]) == set(TARGETS)


@pytest.mark.parametrize("name", ["rss_growth_mb_10min", "writes_vs_library_slow_disk"])
def test_what_was_not_measured_is_neither_met_nor_short_and_says_why(name: str) -> None:
    found = report()
    found["ratios"][name] = None
    judged = with_verdicts(found, {name: "nothing to measure it with"})
    assert not is_short(judged)
    assert judged["targets"][name] == {
        "value": None,
        "target": TARGETS[name].text(),
        "verdict": NOT_MEASURED,
        "reason": "nothing to measure it with",
    }


def test_what_is_the_same_on_every_store_is_measured_on_one() -> None:
    found = report()
    del found["results"]["audit_verify_s"]
    told = with_verdicts(found, {})["targets"]["audit_verify_s"]
    assert (told["verdict"], told["reason"]) == (NOT_MEASURED, SAME_ON_EVERY_STORE)


def test_what_keeps_a_figure_from_its_target_is_told_beside_its_verdict() -> None:
    judged = with_verdicts(report(shards_2_vs_1=1.1), {"shards_2_vs_1": "two cores"})
    told = judged["targets"]["shards_2_vs_1"]
    assert (told["verdict"], told["reason"]) == (SHORT, "two cores")


@pytest.fixture(params=[3.0, 2.0], ids=[MET, SHORT])
def measured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the bench finds, without measuring."""
    found = report(writes_vs_library_save=request.param)
    monkeypatch.setattr(shown, "run_bench", lambda _progress, _run: copy.deepcopy(found))
    return found


@pytest.mark.parametrize("as_json", [False, True])
def test_only_a_check_tells_by_its_exit_code(
    measured: dict[str, Any], capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    shown.bench(as_json=as_json)
    if is_short(measured):
        with pytest.raises(typer.Exit) as ended:
            shown.bench(as_json=as_json, check=True)
        assert ended.value.exit_code == 1
    else:
        shown.bench(as_json=as_json, check=True)
    told = capsys.readouterr().out
    assert MET in told
    # As a word of its own: a figure's name may hold it.
    assert (SHORT in re.findall(r"[\w-]+", told)) == is_short(measured)
