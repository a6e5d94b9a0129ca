"""Settings of one adapter: one municipality, one case type, one law, in one TOML file.

Promises: an unknown key, a missing one and a value of another shape are refused with the key's name, before
anything is opened; a secret stands in a file of its own, never here; relative paths count from the file's own
folder. Source: ZGW (RSIN of nine digits), Digikoppeling (OIN of twenty).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from adapters.kit.outward import require_safe
from adapters.kit.rates import BURST_MOST, PER_MINUTE_MOST, Rate
from adapters.municipal.errors import ConfigInvalid
from adapters.municipal.mapping import LIFE_DOMAINS
from adapters.municipal.records import Names
from adapters.sdk.tokens import Person

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REJECTED_DAYS: Final = 30
POLL_MS: Final = 1_000
POLL_MS_LEAST: Final = 10
POLL_MS_MOST: Final = 60_000
SWEEP_S: Final = 3_600
SWEEP_S_LEAST: Final = 1
TIMEOUT_S: Final = 10
ROLE: Final = "adapter"
ZGW_RATE: Final = Rate(3_000, 100)
OBJECTS_RATE: Final = Rate(1_200, 50)
BRP_RATE: Final = Rate(600, 20)
PORT_MOST: Final = 65_535
PAIR: Final = 2
_RSIN: Final = "[0-9]{9}"
_TARGET: Final = r"[^\s/]+:[0-9]{1,5}"
_WORD: Final = "[!-~]{1,60}"


class Law(Enum):
    """Under which law this case type is handled."""

    WMO = "wmo"
    JW = "jw"


@dataclass(frozen=True, slots=True)
class Secret:
    """A text nobody prints."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CaseSystem:
    """Where the ZGW APIs are, and as whom we ask there."""

    zaken: str
    catalogi: str
    besluiten: str
    notificaties: str
    client_id: str
    secret: Secret
    rsin: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class ObjectsApi:
    """Where the plan is kept as an object, of which published type."""

    url: str
    key: Secret
    objecttype: str
    version: int
    rate: Rate


@dataclass(frozen=True, slots=True)
class DocumentsApi:
    """Where the document of a decision is kept, of which type, and who is told to have made it."""

    url: str
    kind: str
    author: str


@dataclass(frozen=True, slots=True)
class BrpApi:
    """Where BRP Personen is."""

    url: str
    key: Secret
    rate: Rate


@dataclass(frozen=True, slots=True)
class Webhook:
    """On which port of this machine we listen, which url leads there, and what is shown (`Authorization`)."""

    port: int
    url: str
    auth: Secret


@dataclass(frozen=True, slots=True)
class Config:
    """The settings."""

    law: Law
    target: str
    credentials: Path
    state: Path
    rejected: Path
    rejected_days: int
    desk: str
    poll_ms: int
    sweep_s: int
    timeout_s: int
    authorities: str
    person: Person
    zgw: CaseSystem
    brp: BrpApi
    objects: ObjectsApi | None
    documents: DocumentsApi | None
    webhook: Webhook | None
    names: Names
    situations: Mapping[str, tuple[str, str]]  # by life domain: the properties that describe and score it

    @property
    def journal(self) -> Path:
        """Return the file of the journal."""
        return self.state / "journal.db"

    @property
    def tells_words(self) -> bool:
        """Tell whether more is told of a plan than where it stands."""
        return self.objects is not None or self.documents is not None

    @property
    def exchange_key(self) -> Path:
        """Return the file that pins the exchange's public key for our pseudonyms."""
        return self.state / "exchange-key"

    @property
    def waits(self) -> Path:
        """Return the file of the waits other systems asked for."""
        return self.state / "waits.json"

    @property
    def seal_key(self) -> Path:
        """Return the file of the key that what was refused is sealed with."""
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
    base = file.resolve().parent
    table = _Table("", told, base)
    config = Config(
        law=_law(table),
        target=table.text("target", _TARGET),
        credentials=base / table.text("credentials"),
        state=base / table.text("state"),
        rejected=base / table.text("rejected"),
        rejected_days=table.number("rejected_days", REJECTED_DAYS, 1, 365),
        desk=table.text("desk", _WORD),
        poll_ms=table.number("poll_ms", POLL_MS, POLL_MS_LEAST, POLL_MS_MOST),
        sweep_s=table.number("sweep_s", SWEEP_S, SWEEP_S_LEAST, 24 * 3_600),
        timeout_s=table.number("timeout_s", TIMEOUT_S, 1, 120),
        authorities=table.text("authorities", ".*", ""),
        person=_person(table.part("person")),
        zgw=_zgw(table.part("zgw")),
        brp=_brp(table.part("brp")),
        objects=_objects(table.part("objects")) if "objects" in told else None,
        documents=_documents(table.part("documents")) if "documents" in told else None,
        webhook=_webhook(table.part("webhook")) if "webhook" in told else None,
        names=_names(table.part("zaaktype")),
        situations=_situations(table.part("situations")) if "situations" in told else {},
    )
    table.refuse_rest()
    return config


class _Table:
    """A TOML table whose keys are taken one by one; what is left over is unknown."""

    def __init__(self, name: str, told: Mapping[str, Any], base: Path) -> None:
        self._name: Final = name
        self._left: Final = dict(told)
        self._base: Final = base

    def take(self, key: str, kind: type, default: object = None) -> Any:  # noqa: ANN401 -- TOML holds any kind
        value = self._left.pop(key, default)
        if value is None:
            raise ConfigInvalid(f"{self._name}{key} is missing")
        # A boolean is an integer to Python, never to a settings file.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigInvalid(f"{self._name}{key} is not a {kind.__name__}")
        return value

    def part(self, key: str) -> _Table:
        return _Table(f"{self._name}{key}.", self.take(key, dict), self._base)

    def text(self, key: str, shape: str = ".+", default: str | None = None) -> str:
        value: str = self.take(key, str, default)
        if re.fullmatch(shape, value) is None:
            raise ConfigInvalid(f"{self._name}{key} has not the shape {shape}")
        return value

    def number(self, key: str, default: int, least: int, most: int) -> int:
        value: int = self.take(key, int, default)
        if not least <= value <= most:
            raise ConfigInvalid(f"{self._name}{key} lies between {least} and {most}")
        return value

    def rate(self, default: Rate) -> Rate:
        return Rate(
            self.number("calls_per_minute", default.per_minute, 1, PER_MINUTE_MOST),
            self.number("calls_at_once", default.burst, 1, BURST_MOST),
        )

    def address(self, key: str) -> str:
        value = self.text(key)
        try:
            require_safe(value)
        except ValueError as error:
            raise ConfigInvalid(f"{self._name}{key}: {error}") from None
        return value

    def secret(self, key: str) -> Secret:
        """Return the content of the file that this key names."""
        named = self._base / self.text(key)
        try:
            text = named.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigInvalid(f"{self._name}{key} names no file that can be read") from None
        if not text or not text.isascii() or not text.isprintable():
            raise ConfigInvalid(f"{self._name}{key} names a file without one line of ASCII")
        return Secret(text)

    def refuse_rest(self) -> None:
        if self._left:
            names = ", ".join(sorted(f"{self._name}{key}" for key in self._left))
            raise ConfigInvalid(f"unknown settings: {names}")


def _law(table: _Table) -> Law:
    value = table.text("law", default=Law.WMO.value)
    try:
        return Law(value)
    except ValueError:
        raise ConfigInvalid(f"law is one of {', '.join(one.value for one in Law)}") from None


def _person(table: _Table) -> Person:
    try:
        person = Person(
            professional=table.text("professional"),
            task=table.text("task"),
            role=table.text("role", default=ROLE),
        )
    except ValueError as error:
        raise ConfigInvalid(f"person: {error}") from None
    table.refuse_rest()
    return person


def _zgw(table: _Table) -> CaseSystem:
    made = CaseSystem(
        zaken=table.address("zaken"),
        catalogi=table.address("catalogi"),
        besluiten=table.address("besluiten"),
        notificaties=table.address("notificaties"),
        client_id=table.text("client_id", _WORD),
        secret=table.secret("secret_file"),
        rsin=table.text("rsin", _RSIN),
        rate=table.rate(ZGW_RATE),
    )
    table.refuse_rest()
    return made


def _brp(table: _Table) -> BrpApi:
    made = BrpApi(table.address("url"), table.secret("key_file"), table.rate(BRP_RATE))
    table.refuse_rest()
    return made


def _objects(table: _Table) -> ObjectsApi:
    made = ObjectsApi(
        table.address("url"),
        table.secret("key_file"),
        table.text("objecttype"),
        table.number("version", 1, 1, 10_000),
        table.rate(OBJECTS_RATE),
    )
    table.refuse_rest()
    return made


def _documents(table: _Table) -> DocumentsApi:
    made = DocumentsApi(
        table.address("url"), table.text("informatieobjecttype"), table.text("author", ".{1,200}")
    )
    table.refuse_rest()
    return made


def _webhook(table: _Table) -> Webhook:
    made = Webhook(
        table.number("port", 0, 0, PORT_MOST),
        table.text("url", ".*", ""),
        table.secret("auth_file"),
    )
    table.refuse_rest()
    return made


def _situations(table: _Table) -> dict[str, tuple[str, str]]:
    found = {}
    for word in LIFE_DOMAINS:
        pair = table.take(word, list, [])
        if not pair:
            continue
        if len(pair) != PAIR or any(not isinstance(one, str) or not one for one in pair):
            raise ConfigInvalid(f"situations.{word} names two properties: the description and the score")
        found[LIFE_DOMAINS[word]] = (pair[0], pair[1])
    table.refuse_rest()
    return found


def _names(table: _Table) -> Names:
    made = Names(
        zaaktype=table.text("identificatie"),
        received=table.text("received"),
        investigated=table.text("investigated"),
        agreed=table.text("agreed"),
        closed=table.text("closed"),
        granted=table.text("granted"),
        refused=table.text("refused"),
        solved=table.text("solved"),
        decision=table.text("decision", ".*", ""),
        plan_version=table.text("plan_version", ".*", ""),
        life_domains=table.text("life_domains", ".*", ""),
        life_domain=table.text("life_domain"),
    )
    table.refuse_rest()
    return made
