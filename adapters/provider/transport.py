"""How messages travel besides folders: the GGk envelope, and HTTP in and out; their settings.

Promises: a door on another address than this machine's own has a certificate and names the certificates that
may knock; an address outside this machine begins with https. Source: GGk koppelvlak 2.1.04; Digikoppeling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.kit.outward import LOOPBACK, require_safe
from adapters.kit.rates import BURST_MOST, PER_MINUTE_MOST, Rate
from adapters.provider.errors import ConfigInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.provider.config import Table

APPLICATION: Final = "exchange-adapter"
_APPLICATION: Final = r"[A-Za-z0-9 ._\-]{3,50}"
_PORT_MOST: Final = 65_535
RATE: Final = Rate(6_000, 100)


@dataclass(frozen=True, slots=True)
class Ggk:
    """Messages leave in the envelope, and come in it or bare; the names of both applications stand on it."""

    application: str = APPLICATION
    counterparty_application: str = "GGk"


@dataclass(frozen=True, slots=True)
class Http:
    """A door for messages in, where `port` is one; messages out are posted, where `deliver_to` is one.

    `certificate` and `key` are ours, at the door and at the other side; `callers` holds the certificates that
    may knock, `authorities` who may have signed the other side's. `rate` is how often we post.
    """

    port: int | None = None
    host: str = "127.0.0.1"
    deliver_to: str = ""
    certificate: Path | None = None
    key: Path | None = None
    callers: Path | None = None
    authorities: Path | None = None
    rate: Rate = RATE

    @property
    def in_the_clear(self) -> bool:
        """Tell whether the door speaks no TLS: then it stands behind a proxy on this machine."""
        return self.certificate is None


def ggk_of(table: Table) -> Ggk:
    """Read `[ggk]`. Raises ConfigInvalid."""
    made = Ggk(
        application=table.text("application", _APPLICATION, APPLICATION),
        counterparty_application=table.text("counterparty_application", _APPLICATION, "GGk"),
    )
    table.refuse_rest()
    return made


def http_of(table: Table, base: Path) -> Http:
    """Read `[http]`; paths count from `base`. Raises ConfigInvalid."""

    def file(key: str) -> Path | None:
        told = table.text(key, "|.+", "")
        return base / told if told else None

    port = table.take("port", int, -1)
    made = Http(
        port=None if port == -1 else port,
        host=table.text("host", r"[0-9A-Za-z.:\-]+", "127.0.0.1"),
        deliver_to=table.text("deliver_to", r"|https?://[^\s?#]+", ""),
        certificate=file("certificate"),
        key=file("key"),
        callers=file("callers"),
        authorities=file("authorities"),
        rate=Rate(
            _number(table, "calls_per_minute", RATE.per_minute, PER_MINUTE_MOST),
            _number(table, "calls_at_once", RATE.burst, BURST_MOST),
        ),
    )
    table.refuse_rest()
    _require_whole(made)
    return made


def _number(table: Table, key: str, default: int, most: int) -> int:
    value: int = table.take(key, int, default)
    if not 1 <= value <= most:
        raise ConfigInvalid(f"http.{key} lies between 1 and {most}")
    return value


def _require_whole(made: Http) -> None:
    if made.port is None and not made.deliver_to:
        raise ConfigInvalid("http has a port, or deliver_to, or both")
    if made.port is not None and not 0 <= made.port <= _PORT_MOST:
        raise ConfigInvalid(f"http.port lies between 0 and {_PORT_MOST}")
    if (made.certificate is None) is not (made.key is None):
        raise ConfigInvalid("http.certificate and http.key go together")
    if made.port is not None and made.certificate is not None and made.callers is None:
        raise ConfigInvalid("http.callers is missing: a door with a certificate names who may knock")
    if made.callers is not None and made.certificate is None:
        raise ConfigInvalid("http.callers needs http.certificate: only TLS tells who knocks")
    if made.host not in LOOPBACK and made.in_the_clear:
        raise ConfigInvalid("http.host: in the clear on this machine only; elsewhere with a certificate")
    if made.deliver_to:
        try:
            require_safe(made.deliver_to)
        except ValueError as error:
            raise ConfigInvalid(f"http.deliver_to: {error}") from None
