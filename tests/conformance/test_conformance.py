"""Good adapters pass every check; an adapter with one thing wrong fails the check of that name."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapters.conformance.bench import Measure
from adapters.conformance.contract import load_contract
from adapters.conformance.suite import CHECKS, FIRST, Outcome, run
from tests.house.tree import REPOSITORY

if TYPE_CHECKING:
    from adapters.conformance.bench import Benches
    from adapters.conformance.contract import Contract

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
BAD = HERE / "bad_adapter.py"
PATIENCE_S = 12.0
OUTAGE_S = 3.0

# What is wrong, and the check that says so.
FAULTS = [
    ("does-nothing", FIRST),
    ("forgets-inputs", "idempotence"),
    ("forgets-events", "redelivery"),
    ("another-id", "retry"),
    ("another-id", "answer-lost"),
    ("asks-on", "no-retry"),
    ("asks-on", "withdrawal"),
    ("drops-bad-ones", "bad-input"),
    *(("gives-up", f"outage-{seconds}") for seconds in (10, 60, 300, 600)),
    ("writes-too-late", "kill"),
    ("goes-on-restricted", "restriction"),
    ("keeps-it-in-reach", "restriction"),
    ("leaves-it-wrong", "rectification"),
    ("never-purges", "purge"),
    ("confirms-only", "erasure"),
    ("lets-it-out", "bsn-wire"),
    ("prints-it", "bsn-logs"),
    ("keeps-it-aside", "bsn-disk"),
    ("names-a-file-by-it", "bsn-disk"),
    ("signs-not-all", "signature"),
    ("waits-for-ever", "deadline"),
]


def conformance(file: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Run the command as an integrator does; return its exit code and its report."""
    command = [sys.executable, "-m", "adapters", "conformance", str(file), "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, cwd=REPOSITORY)  # noqa: S603 -- our own program
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_an_adapter_that_was_laid_out_passes_its_own_tests_and_the_suite(notes: Path) -> None:
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    own = subprocess.run(tests, cwd=notes, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 -- our own program
    assert own.returncode == 0, own.stdout
    code, report = conformance(notes / "conformance.toml", "--kills", "3")
    assert [one for one in report["checks"] if one["outcome"] != "passed"] == []
    assert (code, len(report["checks"])) == (0, len(CHECKS))


@pytest.mark.parametrize("name", ["provider", "municipal", "work_income"])
def test_an_adapter_of_this_repository_passes_the_suite(name: str) -> None:
    code, report = conformance(HERE / f"{name}.toml", "--kills", "3")
    assert [one for one in report["checks"] if one["outcome"] != "passed"] == []
    assert code == 0


def test_who_says_that_others_answer_is_held_to_that(notes: Path, benches: Benches) -> None:
    contract = load_contract(notes / "conformance.toml")
    with benches.bench(contract, Measure()) as bench:
        for name, declared in (
            ("restriction", replace(contract, for_a_person=("restriction",))),
            ("rectification", replace(contract, elsewhere=("rectification",))),
        ):
            bench.contract = declared
            outcomes = {one.name: one for one in run(bench, [name])}
            assert outcomes[name].outcome is Outcome.FAILED
            assert "as it declares" in outcomes[name].seen


def test_who_says_that_it_follows_nothing_is_held_to_that(notes: Path, benches: Benches) -> None:
    contract = replace(load_contract(notes / "conformance.toml"), event=None, follows_nothing=True)
    with benches.bench(contract, Measure()) as bench:
        outcomes = {one.name: one for one in run(bench, ["redelivery"])}
    assert outcomes["redelivery"].outcome is Outcome.FAILED
    assert "follows nothing" in outcomes["redelivery"].seen


def test_every_check_has_an_adapter_that_fails_it() -> None:
    assert {check for _, check in FAULTS} == set(CHECKS)


@pytest.mark.parametrize(("fault", "check"), FAULTS)
def test_a_bad_adapter_fails_by_name(notes: Path, benches: Benches, fault: str, check: str) -> None:
    only = ["purge", "erasure"] if check == "erasure" else [check]
    seconds = float(check.partition("outage-")[2] or OUTAGE_S)
    with benches.bench(bad(notes, fault, check), Measure(outage_scale=OUTAGE_S / seconds)) as bench:
        outcomes = {one.name: one for one in run(bench, only)}
    assert outcomes[check].outcome is Outcome.FAILED, outcomes
    # What is wrong is told apart: the others stand.
    assert all(one.outcome is Outcome.PASSED for name, one in outcomes.items() if name != check), outcomes
    assert not any(one.bsn.reveal() in outcomes[check].seen for one in bench.subjects)


def test_who_claims_another_ground_is_told_where_it_was_refused_and_why(
    notes: Path, benches: Benches
) -> None:
    with benches.bench(bad(notes, "claims-another-ground", FIRST), Measure()) as bench:
        (first,) = run(bench, [FIRST])
    assert first.outcome is Outcome.FAILED
    assert "IdentityService.EvaluateBlinded was refused last: ACCESS_DENIED R" in first.seen


def bad(notes: Path, fault: str, check: str) -> Contract:
    """Return the contract of the laid-out adapter, run with something wrong, as somebody of its own.

    Of one organisation, each follows the cases of its own professional only.
    """
    contract = load_contract(notes / "conformance.toml")
    professional = f"{fault}-{check}"
    files = {
        name: text.replace('professional = "notes"', f'professional = "{professional}"')
        for name, text in contract.files.items()
    }
    return replace(
        contract,
        run=("${python}", str(BAD), fault, "run", "--config", "adapter.toml"),
        professional=professional,
        files=files,
        patience_s=PATIENCE_S,
    )


def test_what_is_not_declared_is_not_tried_and_does_not_pass(notes: Path, tmp_path: Path) -> None:
    text = (notes / "conformance.toml").read_text(encoding="utf-8").partition("[event]")[0]
    text = text.replace('path = ["."]', f'path = ["{notes}"]')
    less = tmp_path / "conformance.toml"
    less.write_text(text.replace('rejected = "rejected"\n# The', "# The").replace('apart = "', '# apart = "'))
    only = [word for check in ("redelivery", "bad-input", "withdrawal") for word in ("--only", check)]
    code, report = conformance(less, *only)
    outcomes = {one["check"]: one["outcome"] for one in report["checks"]}
    assert code == 1
    assert outcomes == {
        "good-input": "passed",
        "redelivery": "not tried",
        "bad-input": "not tried",
        "withdrawal": "not tried",
    }
