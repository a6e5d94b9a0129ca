"""How an adapter is driven without being known: what its author writes down in one TOML file.

Promises: an unknown key, a missing one and a value of another kind are refused by name before anything is
started. Words such as `${bsn}` are filled in by the suite; one it does not know is refused.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from string import Template
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from adapters.conformance.errors import ContractInvalid
from adapters.conformance.recording import is_command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PATIENCE_S: Final = 30.0
STAGES: Final = ("case", "agreed")
NOTHING: Final = "nothing"
# What an adapter may leave to a person to answer, or not ask about at all.
LIMITS: Final = ("restriction", "rectification")
HAPPENINGS: Final = ("goal_set", "support_started", NOTHING)
PORTS: Final = 4
_is_rpc = re.compile(r"[A-Za-z]+\.[A-Za-z]+").fullmatch
# Filled in once for an adapter, and for each input. `$$` writes a dollar.
OF_ADAPTER: Final = (
    "python",
    "target",
    "oin",
    "counterparty_oin",
    *(f"port{number}" for number in range(1, PORTS + 1)),
)
OF_INPUT: Final = (
    *OF_ADAPTER,
    "number",
    "bsn",
    "birth_date",
    "today",
    "plan_id",
    "case_id",
    "goal_id",
    "support_id",
    "product_category",
    "product_code",
    "start_date",
    "end_date",
    "volume",
    "unit",
    "frequency",
)


@dataclass(frozen=True, slots=True)
class Input:
    """What comes in from the adapter's own world, and what a good one leads to.

    `rejected` and `apart` are None where the adapter has no such place; `reading` prints one of what is
    rejected as it came, where it is kept sealed.
    """

    inbox: str
    name: str
    good: str
    bad: str
    effect: str  # path of a command
    command: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    rejected: str | None = None
    apart: str | None = None
    subject: str = "case"


@dataclass(frozen=True, slots=True)
class Event:
    """What happens on a plan, and what the adapter makes of it: files, by a pattern.

    `withdraws` says that what nobody took yet is out of reach while its plan is restricted.
    """

    happening: str
    output: str
    withdraws: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """One adapter, as its author declares it. `base` is the folder of the file.

    `event` is None where none is declared, and where `follows_nothing`: then it is held to that. So it is to
    what it leaves to a person, or to another system of its organisation: it answers none of that.
    """

    base: Path
    name: str
    run: tuple[str, ...]
    path: tuple[str, ...]
    task: str
    professional: str
    role: str
    holds_bsn: tuple[str, ...]
    for_a_person: tuple[str, ...]
    elsewhere: tuple[str, ...]
    patience_s: float
    beside: tuple[tuple[str, ...], ...]
    wait_for: tuple[str, ...]
    files: Mapping[str, str]
    input: Input
    event: Event | None
    follows_nothing: bool

    @property
    def is_municipal(self) -> bool:
        """Tell whether it works for the operator itself: others act for a college under a mandate only."""
        return self.task.startswith("college:")


def load_contract(file: Path) -> Contract:
    """Read a contract. Raises ContractInvalid."""
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ContractInvalid(f"{file.name} cannot be read as TOML") from None
    whole = _Table("", told)
    adapter, files = _Table("adapter.", whole.take("adapter", dict)), whole.take("files", dict, {})
    given, told_event = _Table("input.", whole.take("input", dict)), whole.take("event", dict, {})
    event = _event(_Table("event.", told_event)) if told_event else None
    contract = Contract(
        base=file.resolve().parent,
        name=adapter.text("name"),
        run=adapter.words("run"),
        path=adapter.words("path", ()),
        task=adapter.text("task"),
        professional=adapter.text("professional"),
        role=adapter.text("role", "adapter"),
        holds_bsn=adapter.words("holds_bsn", ()),
        for_a_person=adapter.some_of("for_a_person", LIMITS),
        elsewhere=adapter.some_of("elsewhere", LIMITS),
        patience_s=float(adapter.take("patience_s", (int, float), PATIENCE_S)),
        beside=tuple(_words("adapter.beside", one, OF_ADAPTER) for one in adapter.take("beside", list, [])),
        wait_for=adapter.words("wait_for", ()),
        files=MappingProxyType({name: _template(f"files.{name}", files[name], OF_ADAPTER) for name in files}),
        input=_input(given),
        event=event if event is not None and event.happening != NOTHING else None,
        follows_nothing=event is not None and event.happening == NOTHING,
    )
    for table in (whole, adapter, given):
        table.refuse_rest()
    if set(contract.for_a_person) & set(contract.elsewhere):
        raise ContractInvalid("adapter.for_a_person and adapter.elsewhere name the same")
    return contract


def _input(table: _Table) -> Input:
    effect = table.text("effect")
    path = f"/exchange.v1.{effect.replace('.', '/')}"
    if not _is_rpc(effect) or not is_command(path):
        raise ContractInvalid("input.effect is not the name of a command, such as PlanService.SetGoal")
    return Input(
        inbox=table.text("inbox"),
        name=_template("input.name", table.text("name"), OF_INPUT),
        good=_template("input.good", table.text("good"), OF_INPUT),
        bad=_template("input.bad", table.text("bad"), OF_INPUT),
        effect=path,
        command=table.words("command", (), (*OF_INPUT, "file")),
        reading=table.words("reading", (), (*OF_ADAPTER, "kept")),
        rejected=table.text("rejected", None),
        apart=table.text("apart", None),
        subject=table.one_of("subject", STAGES, STAGES[0]),
    )


def _event(table: _Table) -> Event:
    happening = table.one_of("happening", HAPPENINGS)
    withdraws = table.flag("withdraws")
    event = Event(happening, "" if happening == NOTHING else table.text("output"), withdraws)
    table.refuse_rest()
    return event


_MISSING: Final = object()


class _Table:
    """A TOML table whose keys are taken one by one; what is left over is unknown."""

    def __init__(self, name: str, told: Mapping[str, Any]) -> None:
        self._name: Final = name
        self._left: Final = dict(told)

    def take(self, key: str, kind: type | tuple[type, ...], default: object = _MISSING) -> Any:  # noqa: ANN401 -- TOML holds any kind
        value = self._left.pop(key, default)
        if value is _MISSING:
            raise ContractInvalid(f"{self._name}{key} is missing")
        if value is not default and (not isinstance(value, kind) or isinstance(value, bool)):
            raise ContractInvalid(f"{self._name}{key} is of another kind")
        return value

    def flag(self, key: str) -> bool:
        value = self._left.pop(key, False)
        if not isinstance(value, bool):
            raise ContractInvalid(f"{self._name}{key} is of another kind")
        return value

    def text(self, key: str, default: Any = _MISSING) -> Any:  # noqa: ANN401 -- a text, or the default
        value = self.take(key, str, default)
        if value == "":
            raise ContractInvalid(f"{self._name}{key} is empty")
        return value

    def words(
        self, key: str, default: object = _MISSING, known: tuple[str, ...] = OF_ADAPTER
    ) -> tuple[str, ...]:
        return _words(f"{self._name}{key}", self.take(key, list, default), known)

    def one_of(self, key: str, choices: tuple[str, ...], default: object = _MISSING) -> str:
        value = self.text(key, default)
        if value not in choices:
            raise ContractInvalid(f"{self._name}{key} is one of {', '.join(choices)}")
        return str(value)

    def some_of(self, key: str, choices: tuple[str, ...]) -> tuple[str, ...]:
        found = self.words(key, ())
        if not set(found) <= set(choices):
            raise ContractInvalid(f"{self._name}{key} holds some of {', '.join(choices)}")
        return found

    def refuse_rest(self) -> None:
        if self._left:
            names = ", ".join(sorted(f"{self._name}{key}" for key in self._left))
            raise ContractInvalid(f"unknown: {names}")


def _words(key: str, told: Any, known: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ANN401 -- TOML holds any kind
    if not isinstance(told, list | tuple) or not all(isinstance(one, str) for one in told):
        raise ContractInvalid(f"{key} is a list of texts")
    return tuple(_template(key, one, known) for one in told)


def _template(key: str, text: object, known: tuple[str, ...]) -> str:
    if not isinstance(text, str):
        raise ContractInvalid(f"{key} is not a text")
    template = Template(text)
    unknown = sorted(set(template.get_identifiers()) - set(known))
    if unknown or not template.is_valid():
        raise ContractInvalid(f"{key} holds words the suite does not fill in: {', '.join(unknown) or '$'}")
    return text
