"""Mutation testing of exchange/gate: one thing is changed at a time; does a test notice? `make mutate`.

    mutate.py [--results] [ROOM ...]

Of the rooms that are named (`canonical`, `judge`), or of all; `--results` tells the last run once more.

Works in a copy under build/mutation, from which `lru_cache` is taken out: mutmut leaves decorated functions
alone, and the table of who decides would go unlooked at. Exit 0 when at least 95 of 100 mutants are killed
and each survivor stands in SURVIVORS.md with its reason; 1 otherwise; 2 when tests fail unmutated, or a room
is not there. What is explained and was killed is told, and is no failure: a slow machine kills some by time.
Source: mutmut 3, https://mutmut.readthedocs.io.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Where, what stood there, what the mutant put in its place.
Change: TypeAlias = tuple[str, str, str]

REPOSITORY: Final = Path(__file__).resolve().parents[2]
GATE: Final = REPOSITORY / "exchange" / "gate"
PLACE: Final = REPOSITORY / "build" / "mutation"
SURVIVORS: Final = Path(__file__).with_name("SURVIVORS.md")
MUTMUT: Final = Path(sys.executable).with_name("mutmut")
COPIED: Final = ("exchange", "tests/gate", "tests/conftest.py", "tests/softhsm.py", "pyproject.toml")
# They look at the code as written, which a mutated room is not, and at steps that a cache spares.
LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", "test_survivors.py", "test_gate_steps.py")
CACHE: Final = re.compile(r"^ *@(?:lru_cache\(.*\)|cache)\n", re.MULTILINE)
KILLED_PERCENT_MIN: Final = 95.0
# What mutmut calls a mutant that some test noticed: it failed, or it never came to an end.
NOTICED: Final = frozenset({"killed", "timeout", "caught by type check"})
HEADING: Final = re.compile(r"#+ `(\S+)`")
EXPLAINED: Final = re.compile(r"- `(?P<was>.*)` → `(?P<becomes>.*)`: (?P<why>\S.*)")
RESULT: Final = re.compile(r"^\s+(?P<mutant>exchange\.gate\.\S+): (?P<state>.+)$", re.MULTILINE)


def copy(place: Path) -> None:
    """Lay out what is mutated and what judges it."""
    for name in COPIED:
        source, target = REPOSITORY / name, place / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=LEFT_OUT)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for room in (place / "exchange" / "gate").glob("*.py"):
        room.write_text(CACHE.sub("", room.read_text(encoding="utf-8")), encoding="utf-8")


def mutmut(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- fixed arguments
        [str(MUTMUT), *arguments], cwd=PLACE, check=False, text=True, stdout=subprocess.PIPE
    )


def states(told: str) -> dict[str, str]:
    """Return mutant -> state, from `mutmut results --all true`."""
    return {found["mutant"]: found["state"] for found in RESULT.finditer(told)}


def change(mutant: str, shown: str) -> Change:
    """Return what a mutant is, from `mutmut show`; its number tells nothing once its room changes."""
    before, after = (
        " ".join(
            line[1:].strip()
            for line in shown.splitlines()
            if line.startswith(sign) and not line.startswith(sign * 3)
        )
        for sign in "-+"
    )
    room, _, rest = mutant.removeprefix("exchange.gate.").partition(".")
    name = rest.partition("__mutmut_")[0].removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return f"{room}.{name}", before, after


def explained(page: str) -> dict[Change, str]:
    """Return the changes that the page gives a reason for: a heading for each function, a line for each.

    Raises ValueError for a line of a list that gives none, or gives a second one.
    """
    told: dict[Change, str] = {}
    where = ""
    for line in page.splitlines():
        if heading := HEADING.fullmatch(line):
            where = heading[1]
        elif line.startswith("- "):
            found = EXPLAINED.fullmatch(line)
            if not where or found is None or (where, found["was"], found["becomes"]) in told:
                raise ValueError(f"this explains no mutant, or one twice: {line}")
            told[where, found["was"], found["becomes"]] = found["why"]
    return told


def code_of(where: str, gate: Path = GATE) -> str:
    """Return the code of `room.function` or `room.Class.method`, its lines joined as `change` joins them.

    Empty where there is no such room or function.
    """
    room, *names = where.split(".")
    file = gate / f"{room}.py"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    node: ast.AST | None = ast.parse(text)
    for name in names:
        inside = ast.iter_child_nodes(node) if node is not None else ()
        node = next((one for one in inside if getattr(one, "name", None) == name), None)
    if not isinstance(node, ast.FunctionDef):
        return ""
    return " ".join(line.strip() for line in text.splitlines()[node.lineno - 1 : node.end_lineno])


def rotten(told: Iterable[Change], gate: Path = GATE) -> list[Change]:
    """Return the changes of what no longer stands in the code, or that change nothing."""
    return [one for one in told if one[1] == one[2] or one[1] not in code_of(one[0], gate)]


def room_of(mutant: str) -> str:
    return mutant.removeprefix("exchange.gate.").partition(".")[0]


def judged(found: dict[str, str], changes: Mapping[str, Change], told: set[Change]) -> tuple[int, str]:
    """Return the exit code, and what there is to say: the score, each room's, and what is not explained.

    `found` is mutant -> state, `changes` each survivor -> what it is, `told` what SURVIVORS.md explains.
    """
    killed = Counter(room_of(mutant) for mutant, state in found.items() if state in NOTICED)
    rooms = Counter(map(room_of, found))
    score = 100 * killed.total() / max(1, rooms.total())
    said = [
        f"{room:16}{rooms[room]:6} mutants{killed[room]:6} killed{100 * killed[room] / rooms[room]:7.1f} %"
        for room in sorted(rooms)
    ]
    said.append(f"{rooms.total()} mutants, {score:.1f} % killed: {dict(Counter(found.values()))}")
    missing = sorted(set(changes.values()) - told)
    said += [f"not explained, in {where}:\n- `{was}` → `{becomes}`: " for where, was, becomes in missing]
    looked_at = {one for one in told if one[0].partition(".")[0] in rooms}
    said += [
        f"explained, yet killed this time, in {where}: `{was}` → `{becomes}`"
        for where, was, becomes in sorted(looked_at - set(changes.values()))
    ]
    return 1 if missing or score < KILLED_PERCENT_MIN else 0, "\n".join(said) + "\n"


def main(arguments: list[str]) -> int:
    """Run, or with `--results` only tell the last run."""
    rooms = [argument for argument in arguments if argument != "--results"]
    if not all((GATE / f"{room}.py").is_file() for room in rooms):
        sys.stderr.write(f"these are rooms of exchange/gate, without .py: {rooms}?\n")
        return 2
    if "--results" not in arguments:
        shutil.rmtree(PLACE / "mutants", ignore_errors=True)
        copy(PLACE)
        command = [str(MUTMUT), "run", *(f"exchange.gate.{room}.*" for room in rooms)]
        if subprocess.run(command, cwd=PLACE, check=False).returncode:  # noqa: S603 -- rooms that are there
            sys.stderr.write(
                "mutmut could not run: the copy fails its tests, or a room has nothing to change\n"
            )
            return 2
    found = states(mutmut("results", "--all", "true").stdout)
    found = {mutant: state for mutant, state in found.items() if not rooms or room_of(mutant) in rooms}
    survivors = [mutant for mutant, state in found.items() if state not in NOTICED]
    changes = {mutant: change(mutant, mutmut("show", mutant).stdout) for mutant in survivors}
    code, said = judged(found, changes, set(explained(SURVIVORS.read_text(encoding="utf-8"))))
    sys.stdout.write(said)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
