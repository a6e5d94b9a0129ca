"""Each practice of the domain's design has its story, told over the wire and never skipped."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.house.tree import rooms

if TYPE_CHECKING:
    from tests.house.tree import Room

PRACTICES = tuple(range(1, 18))
STORY = re.compile(r"^tests/stories/test_p(?P<practice>[0-9]{2})_[a-z0-9_]+\.py$")
NOT_TOLD = frozenset({"skip", "skipif", "xfail", "importorskip"})


def practice_of(room: Room) -> int | None:
    found = STORY.match(room.name)
    return int(found["practice"]) if found else None


def stories() -> dict[int, list[Room]]:
    found: dict[int, list[Room]] = {}
    for room in rooms("tests"):
        practice = practice_of(room)
        if practice is not None:
            found.setdefault(practice, []).append(room)
    return found


def faults_of(room: Room) -> list[str]:
    """Return what makes a room no story: nothing told, told without the wire, or left out."""
    names = {node.id for node in ast.walk(room.tree) if isinstance(node, ast.Name)}
    marks = {node.attr for node in ast.walk(room.tree) if isinstance(node, ast.Attribute)}
    told = [node for node in room.tree.body if isinstance(node, ast.FunctionDef)]
    says = (ast.get_docstring(room.tree) or "").split(",")[0]
    faults = []
    if not any(one.name.startswith("test_") for one in told):
        faults.append("tells nothing")
    if not names & {"Town", "Desks"}:
        faults.append("asks no service")
    if (names | marks) & NOT_TOLD:
        faults.append("is left out")
    if says != f"P{practice_of(room)}":
        faults.append("does not open with its practice")
    return faults


def test_each_practice_has_a_story() -> None:
    told = stories()
    missing = [
        f"P{one} has no story: tests/stories/test_p{one:02}_*.py" for one in PRACTICES if one not in told
    ]
    assert missing == []


def test_each_story_is_told_over_the_wire_and_never_left_out() -> None:
    found = {room.name: faults for told in stories().values() for room in told if (faults := faults_of(room))}
    assert found == {}
