"""The shard map: each municipality's shard, the names callers use, its doors and the key of its log.

Promises: a map is taken whole or not at all; no two shards have a municipality, name, door, database or log
in common; a map follows another only where every municipality stays where it was. It holds no secret, and
no error repeats a value of it but codes, keys and serials.
Source: ARCHITECTURE 4 (shard = municipality); CBS, Gemeentelijke indelingen (codes of four digits); RFC 6066
section 3 (server names); RFC 1123 section 2.1; exchange/decisions/0124-a-shard-map-only-grows.md.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.ledger import NO_YEAR, year_of
from exchange.errors import ProofInvalid
from exchange.ledger.checkpoint import are_years_of_one
from exchange.ledger.note import ED25519, VerifierKey, parse_vkey
from exchange.server.shards.errors import ShardMapInvalid
from exchange.settings import DATABASES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAP_BYTES_MAX: Final = 1024 * 1024
SHARDS_MAX: Final = 1_000
SERVER_NAMES_MAX: Final = 8
DOORS_MAX: Final = 16
SERIAL_MAX: Final = 2**53 - 1
PORT_MAX: Final = 65_535
NAME_CHARACTERS_MAX: Final = 253
_KEYS: Final = ("municipality", "name", "server_names", "doors", "log_key", "valid_from")
_OPTIONAL: Final = ("databases",)
_is_code = re.compile(r"[0-9]{4}", re.ASCII).fullmatch
_is_shard_name = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII).fullmatch
_is_service = re.compile(r"[A-Za-z0-9_-]{1,63}", re.ASCII).fullmatch
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label holds a letter: an address is no server name (RFC 6066).
_is_server_name = re.compile(rf"(?:{_LABEL}\.)*(?=[a-z0-9-]*[a-z]){_LABEL}", re.ASCII).fullmatch
_is_door = re.compile(r"[a-zA-Z0-9.-]{1,200}:([0-9]{1,5})", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class Shard:
    """One municipality's. `doors` are the callers' doors of its nodes, `host:port`, as a front reaches them.

    `log_key` is the Ed25519 key of its logs, under the name of any year. `databases` are names of services of
    libpq by the setting that uses them; empty where the store is in files.
    """

    municipality: str
    name: str
    server_names: tuple[str, ...]
    doors: tuple[str, ...]
    log_key: VerifierKey
    valid_from: datetime
    databases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def has_log(self, key: VerifierKey) -> bool:
        """Tell whether a key is that of this shard's log, of whatever year."""
        mine = self.log_key
        same = mine.name == key.name or are_years_of_one(mine.name, key.name)
        return same and (mine.kind, mine.public) == (key.kind, key.public)


@dataclass(frozen=True, slots=True)
class ShardMap:
    """All shards, in the order of their municipalities. `serial` grows with every change."""

    serial: int
    shards: tuple[Shard, ...]

    def of(self, municipality: str) -> Shard | None:
        """Return a municipality's shard, None where the map does not name it."""
        return next((one for one in self.shards if one.municipality == municipality), None)

    def by_server_name(self) -> dict[str, Shard]:
        """Return the shards by each name that callers use."""
        return {name: shard for shard in self.shards for name in shard.server_names}

    def with_shard(self, shard: Shard) -> ShardMap:
        """Return the next map, with one more shard. Raises ShardMapInvalid."""
        return _whole(self.serial + 1, (*self.shards, shard))


def parse_map(raw: bytes) -> ShardMap:
    """Read a map. Raises ShardMapInvalid naming the first fault: shard, key and what is wrong."""
    if len(raw) > MAP_BYTES_MAX:
        raise ShardMapInvalid("the shard map is too large")
    try:
        told = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise ShardMapInvalid("the shard map cannot be read as TOML") from None
    if unknown := sorted(told.keys() - {"serial", "shard"}):
        raise ShardMapInvalid("the shard map has an unknown key", key=_shown(unknown[0]))
    serial, tables = told.get("serial"), told.get("shard", [])
    if type(serial) is not int or not 1 <= serial <= SERIAL_MAX:
        raise ShardMapInvalid("the shard map's serial is a whole number from 1", key="serial")
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise ShardMapInvalid("each shard is a table [[shard]]", key="shard")
    return _whole(serial, tuple(shard_of(one, f"number {at}") for at, one in enumerate(tables, 1)))


def shard_of(told: Mapping[str, Any], which: str) -> Shard:
    """Read one shard's table. Raises ShardMapInvalid."""
    code = told.get("municipality")
    if isinstance(code, str) and _is_code(code):
        which = code
    if unknown := sorted(told.keys() - {*_KEYS, *_OPTIONAL}):
        raise ShardMapInvalid("a shard has an unknown key", shard=which, key=_shown(unknown[0]))
    if missing := next((key for key in _KEYS if key not in told), None):
        raise ShardMapInvalid("a shard lacks a key", shard=which, key=missing)
    for key, good, what in _shapes(told):
        if not good:
            raise ShardMapInvalid(f"this key of a shard {what}", shard=which, key=key)
    return Shard(
        municipality=told["municipality"],
        name=told["name"],
        server_names=tuple(told["server_names"]),
        doors=tuple(told["doors"]),
        log_key=_log_key(told["log_key"], which),
        valid_from=told["valid_from"].astimezone(UTC),
        databases=MappingProxyType(dict(told.get("databases", {}))),
    )


def written(found: ShardMap) -> bytes:
    """Return the text of a map; `parse_map` of it is the same map."""
    lines = ["# Written by `exchange shards add`: comments do not stay.", f"serial = {found.serial}"]
    for shard in found.shards:
        lines += [
            "",
            "[[shard]]",
            f'municipality = "{shard.municipality}"',
            f'name = "{shard.name}"',
            f"server_names = {_listed(shard.server_names)}",
            f"doors = {_listed(shard.doors)}",
            f'log_key = "{shard.log_key}"',
            f"valid_from = {shard.valid_from.astimezone(UTC).isoformat()}",
        ]
        if shard.databases:
            named = ", ".join(f'{name} = "{service}"' for name, service in shard.databases.items())
            lines.append(f"databases = {{ {named} }}")
    return ("\n".join(lines) + "\n").encode()


def refuse_not_following(found: ShardMap, former: ShardMap, now: datetime) -> None:
    """Raise ShardMapInvalid where a map may not take the place of the one in force.

    A municipality whose residents, log and rights are in one shard stays there: they move one by one, by
    handover, and a shard that nobody is left in still answers for what it did.
    """
    if found.serial < former.serial:
        raise ShardMapInvalid(
            "this shard map is older than the one in force",
            serial=str(found.serial),
            in_force=str(former.serial),
        )
    if found.serial == former.serial and found != former:
        raise ShardMapInvalid(
            "this shard map has another content under the same serial", serial=str(found.serial)
        )
    for shard in former.shards:
        told = {"shard": shard.municipality}
        then = found.of(shard.municipality)
        if then is None:
            raise ShardMapInvalid(
                "a municipality does not leave the map: its shard answers for what it did", **told
            )
        if then.name != shard.name or not then.has_log(shard.log_key):
            raise ShardMapInvalid(
                "a municipality does not move to another shard: residents do, by handover", **told
            )
        if shard.valid_from <= now < then.valid_from:
            raise ShardMapInvalid("a shard that is open is not closed by a later valid_from", **told)


def _shapes(told: Mapping[str, Any]) -> tuple[tuple[str, bool, str], ...]:
    """Return (key, whether it has its shape, which that is) of a shard's table."""
    valid_from = told["valid_from"]
    return (
        ("municipality", _fits(told["municipality"], _is_code), "is a code of four digits, as a text"),
        ("name", _fits(told["name"], _is_shard_name), "is written with a-z, 0-9 and -"),
        (
            "server_names",
            _all_fit(told["server_names"], _fits_server_name, SERVER_NAMES_MAX),
            "is 1 to 8 host names, small letters",
        ),
        ("doors", _all_fit(told["doors"], _fits_door, DOORS_MAX), "is 1 to 16 of host:port"),
        (
            "valid_from",
            isinstance(valid_from, datetime) and valid_from.tzinfo is not None,
            "is a moment with its offset, such as 2027-01-01T00:00:00Z",
        ),
        ("databases", _fit_databases(told.get("databases", {})), "names services of libpq by setting"),
    )


def _whole(serial: int, shards: tuple[Shard, ...]) -> ShardMap:
    if len(shards) > SHARDS_MAX:
        raise ShardMapInvalid("the shard map has too many shards", most=str(SHARDS_MAX))
    for key, values in (
        ("municipality", [(one, one.municipality) for one in shards]),
        ("name", [(one, one.name) for one in shards]),
        ("server_names", [(one, name) for one in shards for name in one.server_names]),
        ("doors", [(one, door) for one in shards for door in one.doors]),
        ("databases", [(one, service) for one in shards for service in one.databases.values()]),
        ("log_key", [(one, one.log_key.public) for one in shards]),
        ("log_key", [(one, _log_name(one.log_key)) for one in shards]),
    ):
        _refuse_twice(key, values)
    if serial > SERIAL_MAX:
        raise ShardMapInvalid("the shard map's serial is at its end", key="serial")
    return ShardMap(serial, tuple(sorted(shards, key=lambda one: one.municipality)))


def _refuse_twice(key: str, values: Iterable[tuple[Shard, Any]]) -> None:
    listed = list(values)
    count = Counter(value for _, value in listed)
    twice = next((shard for shard, value in reversed(listed) if count[value] > 1), None)
    if twice is not None:
        raise ShardMapInvalid("this of a shard is named twice in the map", shard=twice.municipality, key=key)


def _log_key(told: Any, which: str) -> VerifierKey:  # noqa: ANN401 -- whatever stands in the file
    try:
        key = parse_vkey(told) if isinstance(told, str) else None
    except ProofInvalid:
        key = None
    if key is None or key.kind != ED25519:
        raise ShardMapInvalid(
            "this key of a shard is the log's verifier key on Ed25519, `log_vkey` in service.json",
            shard=which,
            key="log_key",
        )
    return key


def _log_name(key: VerifierKey) -> str:
    """Return the name of a log without its year: of all years one shard's."""
    return key.name if year_of(key.name) == NO_YEAR else key.name.rpartition("/")[0]


def _fits(told: Any, matches: Any) -> bool:  # noqa: ANN401 -- whatever stands in the file
    return isinstance(told, str) and bool(matches(told))


def _fits_server_name(told: str) -> bool:
    return len(told) <= NAME_CHARACTERS_MAX and bool(_is_server_name(told))


def _fits_door(told: str) -> bool:
    found = _is_door(told)
    return found is not None and 1 <= int(found[1]) <= PORT_MAX


def _all_fit(told: Any, fits: Any, most: int) -> bool:  # noqa: ANN401 -- whatever stands in the file
    return isinstance(told, list) and 1 <= len(told) <= most and all(_fits(one, fits) for one in told)


def _fit_databases(told: Any) -> bool:  # noqa: ANN401 -- whatever stands in the file
    return (
        isinstance(told, dict)
        and told.keys() <= set(DATABASES)
        and all(_fits(one, _is_service) for one in told.values())
    )


def _listed(words: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def _shown(key: str) -> str:
    """Return a key that somebody wrote, where it can be one: what is wrong may be anything."""
    return key if re.fullmatch(r"[a-z_]{1,40}", key) else "(not a key)"
