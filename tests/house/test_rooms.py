"""Size and shape of rooms, what they may refer to and catch, and what they must give a reason for."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.house.tree import CODE, Room, references, rooms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOM_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
NAMELESS = frozenset({"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"})

CLOCK = (
    "datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today "
    "time.time time.time_ns"
)
CHANCE = "os.urandom uuid.uuid1 uuid.uuid4"
BANNED = frozenset([*CLOCK.split(), *CHANCE.split(), "print", "input", "breakpoint"])
BANNED_MODULES = ("random", "secrets")
# Where a clock, chance or the terminal belongs, and why. A path ending in "/" is a folder.
ALLOWED = {
    "exchange/wiring/": (CLOCK + " " + CHANCE, "the composition root owns clock, chance and ids"),
    "exchange/keys/authority.py": (CLOCK, "the development authority stamps certificates with today"),
    "exchange/keys/": (
        "os.urandom",
        "keys and nonces are drawn where they are used; no caller may choose them",
    ),
    "exchange/cli/": ("input", "the story waits for a person, when asked to"),
    "adapters/": (CLOCK + " " + CHANCE + " secrets random", "an adapter is its own composition root"),
    "tests/": (CLOCK + " " + CHANCE + " secrets random", "certificates of today and ids nobody compares"),
}
# Rooms that may catch everything without raising it again, how often, and why.
CATCHES_ALL = {
    "exchange/server/interceptor.py": (
        2,
        "the door answers every failure, unary and streamed, with a status",
    ),
    "exchange/server/batched.py": (2, "a batch, and each command in it, is answered with a status"),
    "exchange/server/authzen/app.py": (1, "the administration door answers every failure with JSON"),
    "exchange/console/app.py": (1, "the console answers every failure with a page"),
    "exchange/pipeline/aside.py": (1, "a thread hands every failure to whoever gave it the job"),
    "exchange/gate/judge.py": (1, "a rule that raises denies, whatever it raised"),
}
MARK = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
NOQA = re.compile(r"#\s*noqa\b(?!: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)* -- \S)")
TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore\b(?!\[[a-z, -]+\]\s+#.*\w)")


def too_long(room: Room) -> Iterator[str]:
    if len(room.lines) > ROOM_LINES_MAX:
        yield f"{room.name}: {len(room.lines)} lines"
    for node in ast.walk(room.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{room.name}:{node.lineno}: {node.name} has {length} lines"


def nameless(room: Room) -> Iterator[str]:
    for part in room.name.removesuffix(".py").split("/"):
        if part in NAMELESS:
            yield f"{room.name}: `{part}` says nothing"


def banned(room: Room) -> Iterator[str]:
    for name, line in references(room.tree):
        if (
            name in BANNED or name.startswith(tuple(f"{module}." for module in BANNED_MODULES))
        ) and not allows(room.name, name):
            yield f"{room.name}:{line}: {name} is an argument here, not a call"


def allows(room: str, name: str) -> bool:
    return any(
        {name, name.partition(".")[0]} & set(names.split())
        for place, (names, _) in ALLOWED.items()
        if room == place or (place.endswith("/") and room.startswith(place))
    )


def catches_all(room: Room) -> Iterator[str]:
    caught = [
        node.lineno
        for node in ast.walk(room.tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises_again(node)
    ]
    for node in ast.walk(room.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            caught += [node.lineno for argument in node.args if _is_broad(argument)]
    limit, _ = CATCHES_ALL.get(room.name, (0, ""))
    if len(caught) > limit:
        yield f"{room.name}: catches everything on lines {caught}, allowed {limit}"


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(one) for one in caught.elts)
    return caught is None or (isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"})


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Cleaning up and letting the error go on is not catching it."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def without_reason(room: Room) -> Iterator[str]:
    for number, line in enumerate(room.lines, start=1):
        if NOQA.search(line) or TYPE_IGNORE.search(line):
            yield f"{room.name}:{number}: a suppression names its rule and its reason"


def open_work(room: Room) -> Iterator[str]:
    for number, line in enumerate(room.lines, start=1):
        if MARK.search(line):
            yield f"{room.name}:{number}: open work lives in the issue list"


BAD = {
    too_long: "def f():\n" + "    x = 1\n" * 50,
    banned: "from datetime import datetime as d\nnow = d.now()\n",
    catches_all: "try:\n    f()\nexcept Exception:\n    pass\n",
    without_reason: "x = 1  # no" + "qa\n",
    open_work: "# TO" + "DO later\n",
}
ALSO_BAD = [
    (too_long, "x = 1\n" * 401),
    (banned, "import os\nf(entropy=os.urandom)\n"),
    (banned, "import secrets\nsecrets.token_bytes(4)\n"),
    (banned, "print('x')\n"),
    (banned, "from uuid import uuid4\nmake = uuid4\n"),
    (catches_all, "try:\n    f()\nexcept:\n    pass\n"),
    (catches_all, "try:\n    f()\nexcept (ValueError, Exception):\n    pass\n"),
    (catches_all, "import contextlib\nwith contextlib.suppress(Exception):\n    f()\n"),
    (without_reason, "x = 1  # no" + "qa: S603\n"),
    (without_reason, "x = 1  # ty" + "pe: ignore[misc]\n"),
]
GOOD = [
    (too_long, "x = 1\n" * 400),
    (too_long, "def f():\n" + "    x = 1\n" * 49),
    (banned, "import time\ntime.monotonic()\n"),
    (banned, "def f(now, random): return random.now()\n"),
    (catches_all, "try:\n    f()\nexcept BaseException:\n    undo()\n    raise\n"),
    (without_reason, "x = 1  # no" + "qa: S603 -- fixed arguments\n"),
    (without_reason, "x = 1  # ty" + "pe: ignore[misc] # the stub is wrong\n"),
]


@pytest.mark.parametrize(
    "check", [too_long, nameless, without_reason, open_work], ids=lambda check: check.__name__
)
def test_every_room(check: Callable[[Room], Iterator[str]]) -> None:
    assert [fault for room in rooms() for fault in check(room)] == []


@pytest.mark.parametrize("check", [banned, catches_all], ids=lambda check: check.__name__)
def test_every_room_of_the_product(check: Callable[[Room], Iterator[str]]) -> None:
    looked_at = rooms(*CODE)
    assert looked_at, "there is nothing to look at"
    assert [fault for room in looked_at for fault in check(room)] == []


@pytest.mark.parametrize(("check", "text"), [*BAD.items(), *ALSO_BAD])
def test_a_bad_room_is_seen(check: Callable[[Room], Iterator[str]], text: str) -> None:
    assert list(check(Room("exchange/gate/sample.py", text)))


@pytest.mark.parametrize(("check", "text"), GOOD)
def test_a_good_room_is_let_be(check: Callable[[Room], Iterator[str]], text: str) -> None:
    assert list(check(Room("exchange/gate/sample.py", text))) == []


def test_a_nameless_room_is_seen() -> None:
    assert list(nameless(Room("exchange/gate/utils.py", "")))
    assert list(nameless(Room("exchange/common/rules.py", "")))


def test_every_exception_still_names_a_place() -> None:
    names = [room.name for room in rooms()]
    places = [*ALLOWED, *CATCHES_ALL]
    assert [place for place in places if not any(name.startswith(place) for name in names)] == []
