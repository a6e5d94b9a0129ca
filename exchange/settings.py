"""Settings: flags over `EXCHANGE_*` over a TOML file over defaults; an unknown setting is refused.

Promises: what production may not do is refused here, before anything is opened; a secret is never printed.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exchange.errors import SettingsInvalid

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

ENV_PREFIX: Final = "EXCHANGE_"
# Read by tests and tools, not by the service.
ENV_OTHERS: Final = frozenset(
    {"EXCHANGE_STANDARDS_DIR", "EXCHANGE_DESIGN_DIR", "EXCHANGE_CONFIG", "EXCHANGE_TEST_STORE"}
)
DATABASES: Final = ("postgres", "keys_postgres", "checkpoints_postgres")
HIDDEN: Final = frozenset({"operator_signing_key", "kek_pin", *DATABASES})
# Both ways of writing a libpq string: `password=`, also of the client's key, and `//user:password@`.
PASSWORD: Final = re.compile(r"password\s*=|://[^/@]*:[^/@]*@", re.IGNORECASE)
NOT_SET: Final = "not set"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
PRODUCTION_NAMES: Final = (
    "server_certificate",
    "server_key",
    "client_authorities",
    "operator_thumbprint",
    "operator_signing_key",
    "kek",
)

SECOND_PARTY_NAMES: Final = (
    "identity_second_party",
    "identity_second_party_key",
    "identity_second_party_authority",
    "identity_line_certificate",
    "identity_line_key",
)

CONSOLE_ROLES: Final = (
    "officer=officer,author=author,approver=approver,resident=resident,insight=insight,keeper=keeper"
)

NODE_NAMES: Final = ("node_address", "node_certificate", "node_key", "node_authorities")

# By the beginning of pydantic's name for a fault; in braces what pydantic tells of the bound.
_MUST_BE: Final = {
    "less_than_equal": "must be at most {le}",
    "greater_than_equal": "must be at least {ge}",
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a number",
    "literal": "must be {expected}",
    "string_too_long": "must be at most {max_length} characters",
    "string_pattern": "must be written as {pattern}",
    "string": "must be a text",
    "path": "must be the name of a file or folder",
}


class Settings(BaseSettings):
    """What is in force. Folders left out lie below `data`."""

    # An empty variable is one that is not set: a folder named "" would be the current one.
    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, env_ignore_empty=True
    )

    mode: Literal["development", "production"] = "development"
    data: Path = Path("data")
    keys: Path | None = None
    checkpoints: Path | None = None
    store: Literal["sqlite", "postgres"] = "sqlite"
    # A libpq string, as postgresql.org/docs/current/libpq-connect.html says.
    postgres: str = Field(default="", max_length=1000, repr=False)
    # Where nodes share them: the databases of keys and of what was signed, each apart from the others.
    keys_postgres: str = Field(default="", max_length=1000, repr=False)
    checkpoints_postgres: str = Field(default="", max_length=1000, repr=False)
    # How a node hears what another committed: a delay where it does not, and never a loss.
    bell: Literal["none", "postgres", "nats"] = "none"
    bell_nats: str = Field(default="", max_length=1000, pattern=r"^[!-~]*$")
    bell_nats_authority: Path | None = None
    bell_nats_replicas: int = Field(default=1, ge=1, le=5)
    host: str = "127.0.0.1"
    port: int = Field(default=8443, ge=0, le=65535)
    metrics_port: int = Field(default=9464, ge=0, le=65535)
    admin_host: str = "127.0.0.1"
    admin_port: int | None = Field(default=None, ge=0, le=65535)
    operator_oin: str = Field(default="00000001003214345000", pattern=r"^[0-9]{20}$")
    operator_name: str = Field(default="Gemeente Voorbeeld", max_length=200)
    officer_contact: str = Field(default="", max_length=200)
    security_measures: str = Field(default="", max_length=500)
    operator_thumbprint: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    operator_signing_key: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    origin_host: str = Field(default="exchange.example", pattern=r"^[a-z0-9.-]{1,80}$")
    server_certificate: Path | None = None
    server_key: Path | None = None
    client_authorities: Path | None = None
    log_file: Path | None = None
    log_level: Literal["debug", "info", "warning"] = "info"
    identity_second_party: str = Field(default="", pattern=r"^([a-zA-Z0-9.-]{1,200}:[0-9]{1,5})?$")
    identity_second_party_key: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    identity_second_party_authority: Path | None = None
    identity_line_certificate: Path | None = None
    identity_line_key: Path | None = None
    evaluations_per_day: int = Field(default=10_000, ge=1, le=10_000_000)
    insight_total_thousandths: int = Field(default=1_000, ge=50, le=1_000)
    hot_mib: int = Field(default=64, ge=1, le=65536)
    integrate_ms: int = Field(default=250, ge=10, le=60_000)
    checkpoint_days: int = Field(default=14, ge=1, le=36_500)
    drain_s: float = Field(default=10.0, ge=0, le=300)
    witness_policy: Path | None = None
    witness_wait_s: float = Field(default=2.0, ge=0.1, le=60)
    directory_url: str = Field(default="", pattern=r"^(https?://[!-~]{1,300})?$")
    directory_every_s: float = Field(default=60.0, ge=0, le=86_400)
    tiles_host: str = "127.0.0.1"
    tiles_port: int | None = Field(default=None, ge=0, le=65535)

    # Many nodes on one store: where the others reach this one, and what they know each other by.
    node_address: str = Field(default="", pattern=r"^([a-zA-Z0-9.-]{1,200}:[0-9]{1,5})?$")
    node_host: str = "127.0.0.1"
    node_certificate: Path | None = None
    node_key: Path | None = None
    node_authorities: Path | None = None
    lease_seconds: float = Field(default=5.0, ge=0.5, le=60)

    # Many shards behind one front: the map of all, and which of them this node says it is.
    shard_map: Path | None = None
    municipality: str = Field(default="", pattern=r"^([0-9]{4})?$")

    # The console: pages for people. Its organisation's own credentials; in development those of the operator.
    console_host: str = "127.0.0.1"
    console_port: int | None = Field(default=None, ge=0, le=65535)
    console_url: str = Field(default="", pattern=r"^(https://[a-z0-9.-]{1,200}(:[0-9]{1,5})?)?$")
    console_target: str = Field(default="", pattern=r"^([a-zA-Z0-9.-]{1,200}:[0-9]{1,5})?$")
    console_credentials: Path | None = None
    console_issuer: str = Field(default="", pattern=r"^(https?://[!-~]{1,300})?$")
    console_issuer_authority: Path | None = None
    console_client_id: str = Field(default="exchange-console", pattern=r"^[!-~]{1,200}$")
    console_client_secret_file: Path | None = None
    console_role_claim: str = Field(default="exchange_role", pattern=r"^[!-~]{1,100}$")
    console_roles: str = Field(default=CONSOLE_ROLES, max_length=2000)
    console_bsn_claim: str = Field(default="bsn", pattern=r"^[!-~]{1,100}$")
    console_two_factor: str = Field(default="mfa", max_length=500)
    console_theme: Path | None = None
    # For one that runs alone: the keys of the logs, name+id+key, with commas; a service knows its own.
    console_log_keys: str = Field(default="", max_length=2000, pattern=r"^[!-~]*$")
    # Where a resident goes who has to leave at once: a place that says nothing of him.
    console_away: str = Field(default="https://www.knmi.nl/", pattern=r"^https://[!-~]{1,300}$")
    # Folder with the texts that residents are told when they are asked for consent, one a file.
    console_notices: Path | None = None

    kek: Literal["file", "pkcs11"] | None = None
    kek_file: Path | None = None
    kek_module: Path | None = None
    kek_token: str = Field(default="", max_length=32)
    kek_label: str = Field(default="exchange-kek", min_length=1, max_length=100)
    kek_pin_file: Path | None = None
    kek_pin: str = Field(default="", max_length=200, repr=False)
    log_key: Literal["file", "pkcs11"] = "file"  # in the token that the KEK's settings name
    log_key_label: str = Field(default="exchange-log", min_length=1, max_length=100)

    @property
    def keys_folder(self) -> Path:
        """Where the key database and the KEK lie; never beside the events in production."""
        return self.keys or self.data / "keys"

    @property
    def checkpoints_folder(self) -> Path:
        """Where the last signed checkpoint lies, apart from the event store."""
        return self.checkpoints or self.data / "checkpoints"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No dotenv, no secret folder: the order is flags, environment; the file is merged before."""
        del settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings


def load_settings(file: Path | None = None, **flags: Any) -> Settings:  # noqa: ANN401 -- pydantic checks each
    """Return the settings in force. Raises SettingsInvalid naming each wrong setting, never its value."""
    named = {name: value for name, value in flags.items() if value is not None}
    _refuse_unknown_environment()
    from_file = _read(file or _named_file())
    unknown = sorted((from_file.keys() | named.keys()) - Settings.model_fields.keys())
    if unknown:
        raise SettingsInvalid("unknown settings", names=", ".join(unknown))
    # A file sits below the environment: only what neither names comes from it.
    below = {
        name: value
        for name, value in from_file.items()
        if name not in named and not os.environ.get(ENV_PREFIX + name.upper())
    }
    try:
        settings = Settings(**{**below, **named})
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, one['loc']))} {_in_words(one)}" for one in error.errors())
        raise SettingsInvalid("settings are not right", settings=", ".join(wrong)) from None
    _refuse_half_a_second_party(settings)
    _refuse_half_a_kek(settings, from_file)
    _refuse_half_a_store(settings)
    _refuse_half_a_node(settings)
    _refuse_half_a_bell(settings)
    _refuse_half_a_shard(settings)
    _refuse_weak(settings)
    _refuse_open_line(settings)
    return settings


def _in_words(wrong: ErrorDetails) -> str:
    """Return what a setting must be: the type's bounds, never the value."""
    bounds = {name: str(value) for name, value in wrong.get("ctx", {}).items()}
    for kind, words in _MUST_BE.items():
        if wrong["type"].startswith(kind):
            return words.format_map(bounds)
    return "is not right"


class _ThrowAway(Settings):
    """Of arguments and defaults only."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave the environment out."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def throw_away_settings(**named: Any) -> Settings:  # noqa: ANN401 -- pydantic checks each
    """Return settings of a demo or a bench: the environment speaks of another service, with real keys."""
    return _ThrowAway(**named)


def shown(settings: Settings) -> dict[str, str]:
    """Return the settings for `exchange config show`, secrets hidden."""
    return {
        name: NOT_SET if value is None else "(hidden)" if name in HIDDEN and value else str(value)
        for name, value in settings.model_dump().items()
    }


def _named_file() -> Path | None:
    name = os.environ.get("EXCHANGE_CONFIG")
    return Path(name) if name else None


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsInvalid("the settings file is not there", file=file.name) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsInvalid("the settings file cannot be read", file=file.name) from error


def _refuse_unknown_environment() -> None:
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields} | ENV_OTHERS
    # In any case: `exchange_port` would be read as a setting, and pass by those who look for `EXCHANGE_PORT`.
    unknown = sorted(name for name in os.environ if name.upper().startswith(ENV_PREFIX) and name not in known)
    if unknown:
        raise SettingsInvalid("unknown settings in the environment", names=",".join(unknown))


def _refuse_half_a_second_party(settings: Settings) -> None:
    named = {name: bool(getattr(settings, name)) for name in SECOND_PARTY_NAMES}
    if any(named.values()) and not all(named.values()):
        missing = next(name for name, given in named.items() if not given)
        raise SettingsInvalid("a second party needs all of its settings", name=missing)


def _refuse_half_a_store(settings: Settings) -> None:
    if settings.store == "postgres" and not settings.postgres:
        raise SettingsInvalid("a store in PostgreSQL needs this setting", name="postgres")
    if settings.store != "postgres" and settings.postgres:
        # Whoever names a database means it: events in a file beside it would be missed at the restore.
        raise SettingsInvalid('a database is named, and not used: say store = "postgres"', name="store")
    sides = {name: getattr(settings, name) for name in DATABASES[1:]}
    if any(sides.values()) and not all(sides.values()):
        missing = next(name for name, dsn in sides.items() if not dsn)
        raise SettingsInvalid("nodes share both their keys and what they signed, or neither", name=missing)
    if any(sides.values()) and settings.store != "postgres":
        raise SettingsInvalid("nodes that share keys share their events too", name="store")
    for name in DATABASES:
        if settings.mode == "production" and PASSWORD.search(unquote(getattr(settings, name))):
            raise SettingsInvalid(
                "the database's password stands in a file which PGPASSFILE names, or in a service file",
                name=name,
            )


def _refuse_half_a_node(settings: Settings) -> None:
    """Refuse a node that others could not be sure of, in either mode: what it is sent, it believes."""
    given = [name for name in NODE_NAMES if getattr(settings, name)]
    if not given:
        return
    if len(given) < len(NODE_NAMES):
        missing = next(name for name in NODE_NAMES if name not in given)
        raise SettingsInvalid("one of many nodes needs all of its settings", name=missing)
    if settings.store != "postgres":
        raise SettingsInvalid('many nodes write one store: say store = "postgres"', name="node_address")


def _refuse_half_a_shard(settings: Settings) -> None:
    if (settings.shard_map is None) != (not settings.municipality):
        missing = "shard_map" if settings.shard_map is None else "municipality"
        raise SettingsInvalid("a shard of a map needs both settings", name=missing)


def _refuse_half_a_bell(settings: Settings) -> None:
    if settings.bell == "postgres" and settings.store != "postgres":
        raise SettingsInvalid(
            'the bell of PostgreSQL is rung by its store: say store = "postgres"', name="bell"
        )
    if (settings.bell == "nats") != bool(settings.bell_nats):
        raise SettingsInvalid("a bell over NATS needs its servers, and they need that bell", name="bell_nats")
    for one in settings.bell_nats.split(",") if settings.bell_nats else ():
        at = urlsplit(one)
        if at.scheme not in {"nats", "tls"} or not at.hostname:
            raise SettingsInvalid("a server of NATS is nats://host:port or tls://host:port", name="bell_nats")
        if at.username or at.password:
            raise SettingsInvalid("no password stands in a setting that is shown", name="bell_nats")
        # It holds no personal data; but who stands in between could tell when something happened.
        if at.scheme != "tls" and at.hostname not in LOOPBACK:
            raise SettingsInvalid("NATS outside this machine is reached by tls://", name="bell_nats")


def _refuse_half_a_kek(settings: Settings, from_file: dict[str, Any]) -> None:
    if "kek_pin" in from_file:
        raise SettingsInvalid("a PIN stands in the environment or in a file of its own", name="kek_pin")
    if "pkcs11" not in (settings.kek, settings.log_key):
        return
    for name in ("kek_module", "kek_token"):
        if not getattr(settings, name):
            raise SettingsInvalid("a key in hardware needs this setting", name=name)
    if bool(settings.kek_pin) == bool(settings.kek_pin_file):
        raise SettingsInvalid("a key in hardware needs a PIN, from one place", name="kek_pin_file")


def _refuse_open_line(settings: Settings) -> None:
    # The answers are not signed: who stands in between could say what is held.
    if settings.mode == "production" and settings.directory_url.startswith("http://"):
        raise SettingsInvalid("production hands checkpoints over by https", name="directory_url")


def _refuse_weak(settings: Settings) -> None:
    if settings.mode == "development":
        for name in ("host", "admin_host", "tiles_host", "node_host", "console_host"):
            if getattr(settings, name) not in LOOPBACK:
                raise SettingsInvalid("development mode serves loopback only", **{name: "not loopback"})
        return
    for name in PRODUCTION_NAMES:
        if not getattr(settings, name):
            raise SettingsInvalid("production needs this setting", name=name)
    data = settings.data.resolve()
    for name, folder in (("keys", settings.keys_folder), ("checkpoints", settings.checkpoints_folder)):
        if folder.resolve().is_relative_to(data):
            raise SettingsInvalid("production keeps this apart from the events", name=name)
        # The other way round too: a backup of the outer folder would hold both.
        if data.is_relative_to(folder.resolve()):
            raise SettingsInvalid("production keeps the events apart from this", name=name)
    keys, checkpoints = settings.keys_folder.resolve(), settings.checkpoints_folder.resolve()
    if keys.is_relative_to(checkpoints) or checkpoints.is_relative_to(keys):
        # The list of erasures lies with the checkpoints: restored with old keys it would not know them.
        raise SettingsInvalid(
            "production keeps checkpoints and erasure list apart from the keys", name="keys"
        )
