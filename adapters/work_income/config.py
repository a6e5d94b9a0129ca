"""Settings of the adapter, in one TOML file.

Promises: an unknown key, a missing one and a value of another shape are refused with the key's name, before
anything is opened; relative paths count from the file's own folder.
Source: Digikoppeling (OIN of twenty digits; HTTPS only).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from adapters.kit.rates import BURST_MOST, Rate
from adapters.sdk.tokens import Person
from adapters.work_income.errors import ConfigInvalid
from adapters.work_income.services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROLE: Final = "adapter"
BY_ADAPTER: Final = "adapter"
BY_PERSON: Final = "person"
RATE: Final = Rate(60, 4)
_OIN: Final = "[0-9]{20}"
_TARGET: Final = r"[^\s/]+:[0-9]{1,5}"
_ENDPOINT: Final = r"https://[^\s/?#]+/[^\s?#]*"


@dataclass(frozen=True, slots=True)
class Config:
    """The settings. `refresh_days` is 0 where nothing is asked anew by itself.

    `answers` is who tells the exchange what was done with an erasure, a restriction or a rectification: one
    answer counts for organisation and task, whatever other systems hold.
    """

    target: str
    credentials: Path
    inbox: Path
    drafts: Path
    rejected: Path
    state: Path
    poll_ms: int
    refresh_days: int
    draft_days: int
    rejected_days: int
    answers: str
    rate: Rate
    person: Person
    suwinet_credentials: Path
    suwinet_oin: str
    timeout_s: int
    endpoints: Mapping[str, str]

    @property
    def journal(self) -> Path:
        """Return the file of the journal."""
        return self.state / "journal.db"

    @property
    def aside(self) -> Path:
        """Return the folder of drafts nobody may use now."""
        return self.state / "aside"

    @property
    def seal_key(self) -> Path:
        """Return the file of the key that what is personal in the journal is sealed with."""
        return self.state / "seal.key"

    @property
    def exchange_key(self) -> Path:
        """Return the file that pins the exchange's public key for our pseudonyms."""
        return self.state / "exchange-key"

    @property
    def waits(self) -> Path:
        """Return the file of the waits Suwinet asked for."""
        return self.state / "waits.json"

    @property
    def lock(self) -> Path:
        """Return the file that keeps a second adapter off the same state."""
        return self.state / "lock"


def load_config(file: Path) -> Config:
    """Read and check a settings file. Raises ConfigInvalid."""
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigInvalid(f"{file.name} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ConfigInvalid(f"{file.name} is not TOML in UTF-8") from None
    table = _Table("", told)
    person = _Table("person.", table.take("person", dict))
    suwinet = _Table("suwinet.", table.take("suwinet", dict))
    endpoints = _Table("suwinet.endpoints.", suwinet.take("endpoints", dict))
    base = file.resolve().parent
    config = Config(
        target=table.text("target", _TARGET),
        credentials=base / table.text("credentials"),
        inbox=base / table.text("inbox"),
        drafts=base / table.text("drafts"),
        rejected=base / table.text("rejected"),
        state=base / table.text("state"),
        poll_ms=table.number("poll_ms", 10, 60_000, 1_000),
        refresh_days=table.number("refresh_days", 0, 365, 0),
        draft_days=table.number("draft_days", 1, 365, 30),
        rejected_days=table.number("rejected_days", 1, 365, 30),
        answers=table.text("answers", f"{BY_ADAPTER}|{BY_PERSON}", BY_ADAPTER),
        rate=Rate(
            table.number("calls_per_minute", 1, 6_000, RATE.per_minute),
            table.number("calls_at_once", 1, BURST_MOST, RATE.burst),
        ),
        person=_person(person),
        suwinet_credentials=base / suwinet.text("credentials"),
        suwinet_oin=suwinet.text("oin", _OIN),
        timeout_s=suwinet.number("timeout_s", 1, 120, 30),
        endpoints={name: endpoints.text(name, _ENDPOINT) for name in SERVICES},
    )
    for one in (table, person, suwinet, endpoints):
        one.refuse_rest()
    folders = (config.inbox, config.drafts, config.rejected, config.state)
    if len({folder.resolve() for folder in folders}) != len(folders):
        raise ConfigInvalid("inbox, drafts, rejected and state are four different folders")
    return config


class _Table:
    """A TOML table whose keys are taken one by one; what is left over is unknown."""

    def __init__(self, name: str, told: Mapping[str, Any]) -> None:
        self._name: Final = name
        self._left: Final = dict(told)

    def take(self, key: str, kind: type, default: object = None) -> Any:  # noqa: ANN401 -- TOML holds any kind
        value = self._left.pop(key, default)
        if value is None:
            raise ConfigInvalid(f"{self._name}{key} is missing")
        # A boolean is an integer to Python, never to a settings file.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigInvalid(f"{self._name}{key} is not a {kind.__name__}")
        return value

    def text(self, key: str, shape: str = ".+", default: str | None = None) -> str:
        value: str = self.take(key, str, default)
        if re.fullmatch(shape, value) is None:
            raise ConfigInvalid(f"{self._name}{key} has not the shape {shape}")
        return value

    def number(self, key: str, least: int, most: int, default: int) -> int:
        value: int = self.take(key, int, default)
        if not least <= value <= most:
            raise ConfigInvalid(f"{self._name}{key} lies between {least} and {most}")
        return value

    def refuse_rest(self) -> None:
        if self._left:
            names = ", ".join(sorted(f"{self._name}{key}" for key in self._left))
            raise ConfigInvalid(f"unknown settings: {names}")


def _person(table: _Table) -> Person:
    try:
        return Person(
            professional=table.text("professional"),
            task=table.text("task"),
            role=table.text("role", default=ROLE),
        )
    except ValueError as error:
        raise ConfigInvalid(f"person: {error}") from None
