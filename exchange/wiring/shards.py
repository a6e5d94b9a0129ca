"""The shard map as a file: read, added to, held against what answers, and against the node that is started.

Promises: a map is written whole or not at all, by one at a time, and only after the new shard's doors
answered as it says; a node does not start as another shard than the map says it is.
Source: exchange/decisions/0124-a-shard-map-only-grows.md; rename(2), flock(2).
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography import x509

from exchange.databases.place import InPostgres, Refusal, server_of
from exchange.errors import SettingsInvalid
from exchange.ledger.note import parse_vkey
from exchange.server.shards.asking import Caller, wrong_with
from exchange.server.shards.errors import ShardMapInvalid
from exchange.server.shards.map import ShardMap, parse_map, shard_of, written
from exchange.settings import DATABASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from exchange.server.shards.map import Shard
    from exchange.settings import Settings

_MODE: Final = 0o644  # nothing in it is a secret, and fronts run under accounts of their own
_service_of = re.compile(r"(?:^|\s)service\s*=\s*([A-Za-z0-9_-]+)(?:\s|$)", re.ASCII).search


class Finding(NamedTuple):
    """What was looked at of a shard, and what is wrong with it: empty where nothing is."""

    municipality: str
    what: str
    wrong: str


def read_map(file: Path) -> ShardMap:
    """Return the map in a file. Raises ShardMapInvalid."""
    return parse_map(map_bytes(file))


def map_bytes(file: Path) -> bytes:
    """Return what lies in the file of a map. Raises ShardMapInvalid."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ShardMapInvalid(
            "the shard map cannot be read", file=file.name, reason=str(error.strerror)
        ) from None


def read_caller(folder: Path, municipality: str = "") -> Caller:
    """Return whose certificate asks a shard: of a folder of its own below, where there is one.

    Raises SettingsInvalid.
    """
    own = folder / municipality
    where = own if municipality and own.is_dir() else folder
    try:
        authorities, certificate, key = (
            (where / name).read_bytes() for name in ("ca.pem", "client.pem", "client.key")
        )
    except OSError:
        raise SettingsInvalid("these credentials cannot be read", folder=where.name) from None
    return Caller(authorities, certificate, key)


def looked_at(shard: Shard, caller: Caller) -> Iterator[Finding]:
    """Ask every door of a shard under every name; yield what came of each."""
    for door in shard.doors:
        for name in shard.server_names:
            yield Finding(shard.municipality, f"{door} as {name}", wrong_with(shard, door, name, caller))


def databases_apart(found: ShardMap) -> Iterator[Finding]:
    """Ask the servers of all databases who they are; yield those that two shards have in common.

    By what a server says of itself: one database has many names. The names of services are this machine's.
    """
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for shard in found.shards:
        for setting, service in shard.databases.items():
            try:
                place = server_of(InPostgres(f"service={service}"))
            except Refusal as error:
                yield Finding(shard.municipality, setting, f"the database does not answer ({error.name})")
                continue
            other = seen.setdefault(place, (shard.municipality, setting))
            same = "" if other == (shard.municipality, setting) else f"is {other[1]} of {other[0]} too"
            yield Finding(shard.municipality, setting, same)


def add_shard(file: Path, told: Mapping[str, Any], credentials: Path) -> ShardMap:
    """Add a shard to a map, or begin one; return the map as written.

    Raises ShardMapInvalid, also where a door of it does not answer as this shard: then nothing was written.
    """
    with _alone(file):
        former = read_map(file) if file.exists() else ShardMap(0, ())
        shard = shard_of(told, "to be added")
        found = former.with_shard(shard)
        for one in looked_at(shard, read_caller(credentials, shard.municipality)):
            if one.wrong:
                raise ShardMapInvalid(f"the door {one.wrong}", shard=shard.municipality, door=one.what)
        _write(file, written(found))
    return found


def refuse_other_shard(settings: Settings, log_vkey: str, certificate: bytes) -> None:
    """Raise ShardMapInvalid or SettingsInvalid where a node is not of the shard that the map says it is."""
    if settings.shard_map is None:
        return
    found = read_map(settings.shard_map)
    shard = found.of(settings.municipality)
    told = {"shard": settings.municipality}
    if shard is None:
        raise ShardMapInvalid("the shard map does not name this municipality", **told)
    if not shard.has_log(parse_vkey(log_vkey)):
        raise ShardMapInvalid("the map says another log for this municipality than this node has", **told)
    for name in DATABASES:
        given, mapped = _service_of(getattr(settings, name)), shard.databases.get(name, "")
        if mapped and (given is None or given[1] != mapped):
            raise ShardMapInvalid(
                "the map says another database for this municipality than this node has", name=name, **told
            )
    covered = _hosts_of(certificate)
    if not all(_covers(covered, name) for name in shard.server_names):
        raise ShardMapInvalid("the door's certificate lacks a name that callers use for this shard", **told)
    for name, other in found.by_server_name().items():
        if other != shard and _covers(covered, name):
            # TLS is what keeps a name from reaching another shard: here it would not.
            raise ShardMapInvalid("the door's certificate is good for another municipality's name", **told)


def _covers(hosts: frozenset[str], name: str) -> bool:
    """Tell whether a certificate for these hosts is good for a name (RFC 9525, section 6.3)."""
    return name in hosts or f"*.{name.partition('.')[2]}" in hosts


def _hosts_of(certificate: bytes) -> frozenset[str]:
    try:
        leaf = x509.load_pem_x509_certificates(certificate)[0]
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return frozenset()
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))


def shown_shard(shard: Shard) -> dict[str, Any]:
    """Return a shard for a person or a script."""
    return {
        "municipality": shard.municipality,
        "name": shard.name,
        "server_names": list(shard.server_names),
        "doors": list(shard.doors),
        "log": shard.log_key.name,
        "valid_from": shard.valid_from.astimezone(UTC).isoformat(),
        "databases": dict(shard.databases),
    }


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Let one at a time change a map."""
    try:
        lock = os.open(file.with_name(f"{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ShardMapInvalid(
            "the shard map cannot be written", file=file.name, reason=str(error.strerror)
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(file: Path, content: bytes) -> None:
    partial = file.with_name(f"{file.name}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
    except OSError as error:
        raise ShardMapInvalid(
            "the shard map cannot be written", file=file.name, reason=str(error.strerror)
        ) from None
