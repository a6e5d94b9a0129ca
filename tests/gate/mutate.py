"""Mutation testing of exchange/gate: one thing is changed at a time; does a test notice? `make mutate`.

Works in a copy under build/mutation, from which `lru_cache` is taken out: mutmut leaves decorated functions
alone, and the table of who decides would go unlooked at. Exit 0 when at least 95 of 100 mutants are killed
and each survivor stands in SURVIVORS.md with its reason; 1 otherwise; 2 when tests fail unmutated. What is
explained and was killed is told, and is no failure: a slow machine kills some by time.
Source: mutmut 3, https://mutmut.readthedocs.io.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final, TypeAlias

# Where, what stood there, what the mutant put in its place.
Change: TypeAlias = tuple[str, str, str]

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PLACE: Final = REPOSITORY / "build" / "mutation"
SURVIVORS: Final = Path(__file__).with_name("SURVIVORS.md")
MUTMUT: Final = Path(sys.executable).with_name("mutmut")
COPIED: Final = ("exchange", "tests/gate", "tests/conftest.py", "pyproject.toml")
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
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
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
    """Return the changes that the page gives a reason for: a heading for each function, a line for each."""
    told: dict[Change, str] = {}
    where = ""
    for line in page.splitlines():
        if heading := HEADING.fullmatch(line):
            where = heading[1]
        elif found := EXPLAINED.fullmatch(line):
            told[where, found["was"], found["becomes"]] = found["why"]
    return told


def report(found: dict[str, str]) -> int:
    """Write the score, and what of SURVIVORS.md does not hold. Return the exit code."""
    survivors = [mutant for mutant, state in found.items() if state not in NOTICED]
    changes = {change(mutant, mutmut("show", mutant).stdout) for mutant in survivors}
    told = set(explained(SURVIVORS.read_text(encoding="utf-8")))
    score = 100 * (len(found) - len(survivors)) / max(1, len(found))
    say = sys.stdout.write
    say(f"{len(found)} mutants, {score:.1f} % killed: {dict(Counter(found.values()))}\n")
    for where, was, becomes in sorted(changes - told):
        say(f"not explained, in {where}:\n- `{was}` → `{becomes}`: \n")
    for where, was, becomes in sorted(told - changes):
        say(f"explained, yet killed this time, in {where}: `{was}` → `{becomes}`\n")
    return 0 if score >= KILLED_PERCENT_MIN and changes <= told else 1


def main(arguments: list[str]) -> int:
    """Run, or with `--results` only tell the last run."""
    if "--results" not in arguments:
        shutil.rmtree(PLACE / "mutants", ignore_errors=True)
        copy(PLACE)
        run = subprocess.run([str(MUTMUT), "run"], cwd=PLACE, check=False)  # noqa: S603 -- fixed arguments
        if run.returncode:
            sys.stderr.write("mutmut could not run: the tests have to pass on the copy first\n")
            return 2
    return report(states(mutmut("results", "--all", "true").stdout))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
