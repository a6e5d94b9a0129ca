"""Settings of one adapter: one side, one counterparty, one law, in one TOML file.

Promises: an unknown key, a missing one and a value of another shape are refused with the key's name, before
anything is opened; relative paths count from the file's own folder. Source: iWmo and iJw 3.2 (municipality
code of four digits, AGB code of eight), Digikoppeling (OIN of twenty).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from adapters.provider.errors import ConfigInvalid
from adapters.provider.schema import Law
from adapters.provider.transport import ggk_of, http_of
from adapters.sdk.tokens import Person

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from adapters.provider.transport import Ggk, Http

POLL_MS: Final = 1_000
POLL_MS_LEAST: Final = 10
POLL_MS_MOST: Final = 60_000
REJECTED_DAYS: Final = 90
REJECTED_DAYS_MOST: Final = 3_650
ROLE: Final = "adapter"
_MUNICIPALITY_CODE: Final = "[0-9]{4}"
_PROVIDER_CODE: Final = "[0-9]{8}"
_OIN: Final = "[0-9]{20}"
_TARGET: Final = r"[^\s/]+:[0-9]{1,5}"


_Choice = TypeVar("_Choice", bound=Enum)


class Side(Enum):
    """Whose adapter this is."""

    MUNICIPALITY = "municipality"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Config:
    """The settings. Codes are those of the messages; the OIN is the counterparty's on the exchange."""

    side: Side
    law: Law
    target: str
    credentials: Path
    inbox: Path
    outbox: Path
    archive: Path
    rejected: Path
    state: Path
    own_code: str
    counterparty_code: str
    counterparty_oin: str
    poll_ms: int
    rejected_days: int
    person: Person
    ggk: Ggk | None = None
    http: Http | None = None

    @property
    def journal(self) -> Path:
        """Return the file of journal and register."""
        return self.state / "journal.db"

    @property
    def exchange_key(self) -> Path:
        """Return the file that pins the exchange's public key for our pseudonyms."""
        return self.state / "exchange-key"

    @property
    def waits(self) -> Path:
        """Return the file of the waits the other side asked for."""
        return self.state / "waits.json"

    @property
    def seal_key(self) -> Path:
        """Return the file of the key under which messages that wait are sealed."""
        return self.state / "seal.key"

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
    table = Table("", told)
    person = Table("person.", table.take("person", dict))
    side = _member(table, "side", Side)
    codes = (_MUNICIPALITY_CODE, _PROVIDER_CODE)
    own, other = codes if side is Side.MUNICIPALITY else codes[::-1]
    ggk, http = table.part("ggk"), table.part("http")
    base = file.resolve().parent
    config = Config(
        side=side,
        law=_member(table, "law", Law, Law.WMO.value),
        target=table.text("target", _TARGET),
        credentials=base / table.text("credentials"),
        inbox=base / table.text("inbox"),
        outbox=base / table.text("outbox"),
        archive=base / table.text("archive"),
        rejected=base / table.text("rejected"),
        state=base / table.text("state"),
        own_code=table.text("own_code", own),
        counterparty_code=table.text("counterparty_code", other),
        counterparty_oin=table.text("counterparty_oin", _OIN),
        poll_ms=_poll_ms(table),
        rejected_days=_rejected_days(table),
        person=_person(person),
        ggk=None if ggk is None else ggk_of(Table("ggk.", ggk)),
        http=None if http is None else http_of(Table("http.", http), base),
    )
    table.refuse_rest()
    person.refuse_rest()
    folders = (config.inbox, config.outbox, config.archive, config.rejected, config.state)
    if len({folder.resolve() for folder in folders}) != len(folders):
        raise ConfigInvalid("inbox, outbox, archive, rejected and state are five different folders")
    return config


class Table:
    """A TOML table whose keys are taken one by one; what is left over is unknown."""

    def __init__(self, name: str, told: Mapping[str, Any]) -> None:
        self._name: Final = name
        self._left: Final = dict(told)

    def take(self, key: str, kind: type, default: object = None) -> Any:  # noqa: ANN401 -- TOML holds any kind
        """Take a value of a kind. Raises ConfigInvalid."""
        value = self._left.pop(key, default)
        if value is None:
            raise ConfigInvalid(f"{self._name}{key} is missing")
        # A boolean is an integer to Python, never to a settings file.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigInvalid(f"{self._name}{key} is not a {kind.__name__}")
        return value

    def text(self, key: str, shape: str = ".+", default: str | None = None) -> str:
        """Take a text of a shape. Raises ConfigInvalid."""
        value: str = self.take(key, str, default)
        if re.fullmatch(shape, value) is None:
            raise ConfigInvalid(f"{self._name}{key} has not the shape {shape}")
        return value

    def part(self, key: str) -> dict[str, Any] | None:
        """Take a table that may be left out."""
        value = self._left.pop(key, None)
        if value is not None and not isinstance(value, dict):
            raise ConfigInvalid(f"{self._name}{key} is not a dict")
        return value

    def refuse_rest(self) -> None:
        """Refuse what was not taken."""
        if self._left:
            names = ", ".join(sorted(f"{self._name}{key}" for key in self._left))
            raise ConfigInvalid(f"unknown settings: {names}")


def _member(table: Table, key: str, kind: type[_Choice], default: str | None = None) -> _Choice:
    value = table.text(key, default=default)
    try:
        return kind(value)
    except ValueError:
        raise ConfigInvalid(f"{key} is one of {', '.join(str(one.value) for one in kind)}") from None


def _poll_ms(table: Table) -> int:
    value: int = table.take("poll_ms", int, POLL_MS)
    if not POLL_MS_LEAST <= value <= POLL_MS_MOST:
        raise ConfigInvalid(f"poll_ms lies between {POLL_MS_LEAST} and {POLL_MS_MOST}")
    return value


def _rejected_days(table: Table) -> int:
    value: int = table.take("rejected_days", int, REJECTED_DAYS)
    if not 1 <= value <= REJECTED_DAYS_MOST:
        raise ConfigInvalid(f"rejected_days lies between 1 and {REJECTED_DAYS_MOST}")
    return value


def _person(table: Table) -> Person:
    try:
        return Person(
            professional=table.text("professional"),
            task=table.text("task"),
            role=table.text("role", default=ROLE),
        )
    except ValueError as error:
        raise ConfigInvalid(f"person: {error}") from None
