"""Tests that tell: each one claims something, and each that may not run says why."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

from tests.house.tree import Room, rooms

if TYPE_CHECKING:
    from collections.abc import Iterator

# Calls that claim something: pytest's own, given-when-then, and helpers named for what they hold.
CLAIMS = re.compile(
    r"^(raises|warns|fail|then\w*|refused\w*|_?(assert|check|expect|must|verify|same|holds)\w*)$"
)
SKIPS = frozenset({"skip", "skipif", "xfail", "importorskip"})


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def called(node: ast.AST) -> set[str]:
    return {
        ast.unparse(call.func).rpartition(".")[2] for call in ast.walk(node) if isinstance(call, ast.Call)
    }


def claims(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Assert | ast.Raise) for inner in ast.walk(node)) or any(
        CLAIMS.match(name) for name in called(node)
    )


@cache
def claiming_functions() -> frozenset[str]:
    """Return names of functions in any room of tests that claim something themselves."""
    return frozenset(
        function.name
        for room in rooms("tests")
        for function in functions(room.tree)
        if not function.name.startswith("test_") and claims(function)
    )


def silent(room: Room) -> Iterator[str]:
    for function in functions(room.tree):
        told = claims(function) or called(function) & claiming_functions()
        if function.name.startswith("test_") and not told:
            yield f"{room.name}:{function.lineno}: {function.name} claims nothing"


def skips_without_reason(room: Room) -> Iterator[str]:
    calls = [node for node in ast.walk(room.tree) if isinstance(node, ast.Call)]
    called_parts = {id(call.func) for call in calls}
    bare = [
        node
        for node in ast.walk(room.tree)
        if isinstance(node, ast.Attribute) and id(node) not in called_parts and _skip_of(node)
    ]
    without = [call for call in calls if _skip_of(call.func) and not _has_reason(call)]
    for node in [*bare, *without]:
        yield f"{room.name}:{node.lineno}: {ast.unparse(node)[:60]} without a reason"


def _skip_of(node: ast.expr) -> str:
    head, _, last = ast.unparse(node).rpartition(".")
    return last if last in SKIPS and head in {"pytest", "pytest.mark"} else ""


def _has_reason(call: ast.Call) -> bool:
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "reason"), None)
    if given is None and _skip_of(call.func) == "skip" and call.args:
        given = call.args[0]
    return given is not None and not (isinstance(given, ast.Constant) and not str(given.value).strip())


def test_every_test_claims_something() -> None:
    looked_at = rooms("tests")
    assert looked_at
    assert [fault for room in looked_at for fault in silent(room)] == []


def test_every_skip_says_why() -> None:
    assert [fault for room in rooms("tests") for fault in skips_without_reason(room)] == []


SILENT = """
def test_nothing():
    called_by_nobody_else()

async def test_only_looks():
    x = 1
"""
TELLING = """
def test_a(): assert 1
def test_b():
    with pytest.raises(ValueError): walk()
def test_c(): given(A).when(B).then(C)
def helper(): return 2
"""
SKIPPING = """
@pytest.mark.skip
def test_a(): assert 1
@pytest.mark.skipif(True)
def test_b(): assert 1
def test_c(): pytest.skip()
def test_d(): pytest.skip("  ")
def test_e(): pytest.importorskip("x")
"""
EXPLAINING = """
@pytest.mark.skip(reason="no tape drive")
def test_a(): assert 1
def test_b(): pytest.skip(f"no {thing}")
def test_c(): pytest.importorskip("x", reason="x is an extra")
"""


def test_silent_tests_are_seen() -> None:
    assert len(list(silent(Room("tests/sample.py", SILENT)))) == 2
    assert list(silent(Room("tests/sample.py", TELLING))) == []


def test_skips_without_reason_are_seen() -> None:
    assert len(list(skips_without_reason(Room("tests/sample.py", SKIPPING)))) == 5
    assert list(skips_without_reason(Room("tests/sample.py", EXPLAINING))) == []
