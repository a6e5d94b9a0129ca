"""Mutation testing of exchange/gate: one thing is changed at a time; does a test notice? `make mutate`.

Works in a copy under build/mutation, from which `lru_cache` is taken out: mutmut leaves decorated functions
alone, and the table of who decides would go unlooked at. Exit 0 when at least 95 of 100 mutants are killed
and each survivor stands in SURVIVORS.md with its reason, and none else does; 1 otherwise.
Source: mutmut 3, https://mutmut.readthedocs.io.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PLACE: Final = REPOSITORY / "build" / "mutation"
SURVIVORS: Final = Path(__file__).with_name("SURVIVORS.md")
MUTMUT: Final = Path(sys.executable).with_name("mutmut")
COPIED: Final = ("exchange", "tests/gate", "tests/conftest.py", "pyproject.toml")
CACHE: Final = re.compile(r"^ *@(?:lru_cache\(.*\)|cache)\n", re.MULTILINE)
KILLED_PERCENT_MIN: Final = 95.0
# What mutmut calls a mutant that some test noticed: it failed, or it never came to an end.
NOTICED: Final = frozenset({"killed", "timeout", "caught by type check"})
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


def explained(page: str) -> set[str]:
    """Return the mutants that the page gives a reason for."""
    return set(re.findall(r"`(exchange\.gate\.\S+)`", page))


def main(arguments: list[str]) -> int:
    """Run, or with `--results` only tell the last run."""
    if "--results" not in arguments:
        shutil.rmtree(PLACE / "mutants", ignore_errors=True)
        copy(PLACE)
        subprocess.run([str(MUTMUT), "run"], cwd=PLACE, check=True)  # noqa: S603 -- fixed arguments
    found = states(mutmut("results", "--all", "true").stdout)
    survivors = {mutant for mutant, state in found.items() if state not in NOTICED}
    told = explained(SURVIVORS.read_text(encoding="utf-8"))
    score = 100 * (len(found) - len(survivors)) / max(1, len(found))
    sys.stdout.write(f"{len(found)} mutants, {score:.1f} % killed: {dict(Counter(found.values()))}\n")
    for mutant in sorted(survivors - told):
        sys.stdout.write(f"unexplained: {mutant} ({found[mutant]})\n{mutmut('show', mutant).stdout}\n")
    for mutant in sorted(told - survivors):
        sys.stdout.write(f"explained, but no survivor: {mutant}\n")
    return 0 if score >= KILLED_PERCENT_MIN and survivors == told else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
