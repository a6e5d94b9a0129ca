"""SURVIVORS.md explains only what still stands in the gate, and `make mutate` fails for what it does not."""

from __future__ import annotations

import pytest

from tests.gate.mutate import (
    GATE,
    KILLED_PERCENT_MIN,
    SURVIVORS,
    Change,
    change,
    code_of,
    explained,
    judged,
    main,
    rotten,
    states,
)

PAGE = SURVIVORS.read_text(encoding="utf-8")
PLACES = sorted({f"{where}: {was}" for where, was, _ in explained(PAGE)})
KNOWN: Change = ("retention.term_of", "return WMO if law is None", "return WMO if law is not None")


# --- the page ------------------------------------------------------------------------------------------


def test_every_explained_place_still_stands_in_the_code() -> None:
    assert len(PLACES) > 1
    assert rotten(explained(PAGE)) == []


@pytest.mark.parametrize(
    "change",
    [
        ("retention.term_of", "return WMO if law is 1", "return None"),
        ("retention.term_off", KNOWN[1], KNOWN[2]),
        ("retentions.term_of", KNOWN[1], KNOWN[2]),
        ("retention", KNOWN[1], KNOWN[2]),
        ("retention.Term", "years: int", "years: str"),
        ("retention.retention_end", KNOWN[1], KNOWN[2]),
        (KNOWN[0], KNOWN[1], KNOWN[1]),
    ],
    ids=["code", "function", "room", "no function", "class", "another function", "no change"],
)
def test_a_place_that_is_gone_is_seen(change: Change) -> None:
    assert rotten([KNOWN, change]) == [change]


def test_a_function_is_found_by_its_name_and_its_class() -> None:
    method = code_of("conflicts.Objection.is_about")
    assert method.startswith("def is_about(self, facts: Facts) -> bool:")
    assert "specificity" not in method
    assert code_of("canonical.entries_of_text").count("\n") == 0


def test_the_page_gives_each_mutant_one_reason() -> None:
    page = "# Mutants\n\n- loose\n"
    with pytest.raises(ValueError, match="explains no mutant"):
        explained(page)
    head = "## `retention.term_of`\n\n"
    for lines in ("- `a` → `b`:\n", "- `a` → `b`: \n", "- a → b: so.\n", "- `a` → `b`: so.\n" * 2):
        with pytest.raises(ValueError, match="explains no mutant"):
            explained(head + lines)
    assert explained(f"{head}- `a` → `b`: so.\n") == {("retention.term_of", "a", "b"): "so."}


# --- the score -----------------------------------------------------------------------------------------


def found(killed: int, survived: int) -> dict[str, str]:
    count = killed + survived
    return {
        f"exchange.gate.retention.x_term_of__mutmut_{number}": "killed" if number < killed else "survived"
        for number in range(count)
    }


@pytest.mark.parametrize(("killed", "code"), [(100, 0), (96, 0), (95, 0), (94, 1), (0, 1)])
def test_a_score_below_the_line_fails_though_all_is_explained(killed: int, code: int) -> None:
    states = found(killed, 100 - killed)
    survivors = {mutant: KNOWN for mutant, state in states.items() if state == "survived"}
    assert KILLED_PERCENT_MIN == 95
    assert judged(states, survivors, {KNOWN})[0] == code


def test_one_survivor_that_is_not_explained_fails_and_is_told_as_a_line_of_the_page() -> None:
    states = found(99, 1)
    code, said = judged(states, {"exchange.gate.retention.x_term_of__mutmut_99": KNOWN}, set())
    assert code == 1
    assert "retention          100 mutants    99 killed   99.0 %" in said
    assert f"in {KNOWN[0]}:\n- `{KNOWN[1]}` → `{KNOWN[2]}`: " in said


@pytest.mark.parametrize(
    "state", ["survived", "no tests", "suspicious", "not checked", "segfault", "skipped"]
)
def test_only_what_a_test_noticed_is_killed(state: str) -> None:
    told = "\n".join(f"    exchange.gate.retention.x_term_of__mutmut_{n}: {state}" for n in (1, 2))
    assert judged(states(told), {}, set())[0] == 1
    assert judged(states(told.replace(state, "killed")), {}, set())[0] == 0


def test_nothing_mutated_is_no_success() -> None:
    assert judged({}, {}, set())[0] == 1


def test_what_was_killed_though_explained_is_told_for_the_rooms_that_were_looked_at() -> None:
    elsewhere: Change = ("judge.judge", "a", "b")
    code, said = judged(found(1, 0), {}, {KNOWN, elsewhere})
    assert code == 0
    assert "killed this time, in retention.term_of" in said
    assert "judge.judge" not in said


def test_a_mutant_is_told_by_its_place_and_what_changed() -> None:
    lines = [
        "--- a.py",
        "+++ a.py",
        " def f():",
        "-    return (",
        "-        1",
        "+    return (",
        "+        2",
        "     )",
    ]
    shown = "\n".join(lines)
    mutant = "exchange.gate.conflicts.xǁObjectionǁis_about__mutmut_3"
    assert change(mutant, shown) == ("conflicts.Objection.is_about", "return ( 1", "return ( 2")


def test_a_room_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert not (GATE / "nowhere.py").exists()
    assert main(["nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
