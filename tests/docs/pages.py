"""What the pages of this repository say that can be checked: their blocks, tables and links.

Every fenced block carries a mark behind its language that tells how it is held: see MARKS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tests.house.tree import REPOSITORY, files

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKS = {
    "bash run": "run against a service that the page's own command started",
    "python run": "the same",
    "text output": "compared with what the block before it printed; … stands for anything",
    "text demo": "compared with what `exchange demo` prints; … stands for anything",
    "bash serve": "starts the service the others run against, on free ports",
    "bash make": "each line is a target of the Makefile",
    "bash commands": "each line begins with a command that exists",
    "bash machine": "each line is of a script, unit or tool that is there (tests/deploy/test_runbooks.py)",
    "toml settings": "read as settings of the service",
    "toml shards": "read as a map of shards",
    "toml console": "read as settings of a console alone",
    "toml adapter": "read as settings of the provider's adapter",
    "toml conformance": "read as what drives an adapter in the conformance suite",
    "sql owner": "run on a real PostgreSQL (tests/deploy/test_roles.py)",
    "bash node": "run by `tests/examples/test_node.py` with other paths",
    "text": "a drawing",
}
FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `line` is that of its opening fence."""

    page: str
    line: int
    mark: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def pages() -> tuple[str, ...]:
    """Return every page, from the root of the repository."""
    return tuple(name for name in files() if name.endswith(".md"))


def text_of(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    return list(parsed(page, text_of(page)))


def parsed(page: str, text: str) -> Iterator[Block]:
    """Yield the blocks; one that is never closed ends with the page."""
    opened: tuple[int, str, str] | None = None
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if opened is None:
            if fence:
                opened, inside = (number, fence[1], fence[2]), []
        elif fence and fence[1].startswith(opened[1]) and not fence[2]:
            yield Block(page, opened[0], opened[2], "\n".join(inside))
            opened = None
        else:
            inside.append(line)
    if opened is not None:
        yield Block(page, opened[0], opened[2] + " (never closed)", "\n".join(inside))


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    below = text_of(page).split(f"\n{heading}\n", 1)[1]
    table = re.search(r"^\|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", below, re.MULTILINE)
    assert table is not None, f"{page}: no table below {heading}"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table[1].splitlines()]


def shape(line: str) -> re.Pattern[str]:
    """Return what a line may look like where … stands for anything."""
    return re.compile(".*".join(re.escape(part) for part in line.rstrip().split("…")))


def first_not_printed(told: str, printed: str) -> str | None:
    """Return the first told line that was not printed after the ones before it; None where all were."""
    left = iter(line.rstrip() for line in printed.splitlines())
    for line in told.splitlines():
        # A line of … alone skips any number of lines, as does the search itself.
        if line.strip("… ") and not any(shape(line).fullmatch(one) for one in left):
            return line
    return None
