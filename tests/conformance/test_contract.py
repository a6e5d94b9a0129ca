"""The file that says how an adapter is driven: refused by name before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from adapters.cli import app
from adapters.conformance.command import _with_command
from adapters.conformance.contract import load_contract
from adapters.conformance.errors import ContractInvalid

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[adapter]
name = "a"
run = ["${python}", "a.py"]
task = "wmo-aanbieder"
professional = "a"

[files]
"a.toml" = "target = ${target}, costs $$1"

[input]
inbox = "inbox"
name = "${number}.json"
good = "${bsn}"
bad = "x"
effect = "PlanService.SetGoal"

[event]
happening = "goal_set"
output = "outbox/*"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "conformance.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_contract_is_read(tmp_path: Path) -> None:
    contract = load_contract(written(tmp_path, GOOD))
    assert contract.input.effect == "/exchange.v1.PlanService/SetGoal"
    assert (contract.role, contract.input.rejected, contract.is_municipal) == ("adapter", None, False)
    assert contract.event is not None
    less = load_contract(written(tmp_path, GOOD.partition("[event]")[0]))
    assert (less.event, less.follows_nothing) == (None, False)
    nothing = GOOD.replace('happening = "goal_set"\noutput = "outbox/*"', 'happening = "nothing"')
    none = load_contract(written(tmp_path, nothing))
    assert (none.event, none.follows_nothing) == (None, True)


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ('name = "a"\n', "", "adapter.name is missing"),
        ('name = "a"\n', 'name = ""\n', "adapter.name is empty"),
        ('task = "wmo-aanbieder"', "task = 1", "adapter.task is of another kind"),
        ('run = ["${python}", "a.py"]', 'run = "a.py"', "adapter.run is of another kind"),
        ('run = ["${python}", "a.py"]', "run = [1]", "adapter.run is a list of texts"),
        ("SetGoal", "GetPlan", "input.effect is not the name of a command"),
        ("SetGoal", "NoSuch", "input.effect is not the name of a command"),
        ('"goal_set"', '"else"', "event.happening is one of goal_set, support_started, nothing"),
        ('good = "${bsn}"', 'good = "${bns}"', "input.good holds words the suite does not fill in: bns"),
        ("${target}", "${bsn}", "files.a.toml holds words the suite does not fill in: bsn"),
        ("$$1", "$1", "files.a.toml holds words the suite does not fill in"),
        ('bad = "x"', 'bad = "x"\nmore = 1', "unknown: input.more"),
        ('"goal_set"', '"nothing"', "unknown: event.output"),
        ("[files]", "[other]\n[files]", "unknown: other"),
        (
            'name = "a"\n',
            'name = "a"\nelsewhere = ["erasure"]\n',
            "adapter.elsewhere holds some of restriction,",
        ),
        (
            'name = "a"\n',
            'name = "a"\nelsewhere = ["restriction"]\nfor_a_person = ["restriction"]\n',
            "name the same",
        ),
        ('output = "outbox/*"', 'output = "outbox/*"\nwithdraws = 1', "event.withdraws is of another kind"),
        (
            'bad = "x"',
            'bad = "x"\nreading = ["${bsn}"]',
            "input.reading holds words the suite does not fill in",
        ),
        ("[adapter]", "[adapter", "cannot be read as TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, was: str, becomes: str, told: str) -> None:
    assert was in GOOD
    with pytest.raises(ContractInvalid) as refused:
        load_contract(written(tmp_path, GOOD.replace(was, becomes)))
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("told", "run"),
    [
        ("notes.service", ("${python}", "-m", "notes.service")),
        ("./run.sh", ("./run.sh",)),
        ("java -jar 'my adapter.jar'", ("java", "-jar", "my adapter.jar")),
    ],
)
def test_another_command_or_module_may_be_named(tmp_path: Path, told: str, run: tuple[str, ...]) -> None:
    contract = load_contract(written(tmp_path, GOOD))
    assert _with_command(contract, told).run == run
    assert _with_command(contract, None) is contract


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "bsn"], "no such check: bsn"),
        (["--adapter", " "], "--adapter is empty"),
        (["--keep", "."], "is there already"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_starts(tmp_path: Path, words: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["conformance", str(written(tmp_path, GOOD)), *words])
    assert (done.exit_code, told in done.output) == (2, True)
