"""Doctor: what is wrong with a shard, and what to do about it, without starting it.

Promises: makes nothing that is not there; one light for each part; a red light names its remedy and no
personal datum.
"""

from __future__ import annotations

import shutil
import ssl
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from exchange.domain.ledger import name_in, year_of
from exchange.errors import (
    ErasureListBroken,
    ExchangeError,
    KeyUnavailable,
    SettingsInvalid,
    StoreFull,
    WitnessesMissing,
    WitnessObjects,
)
from exchange.gate.register import Register
from exchange.keys.keystore import KeyStore
from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.leaf import parse_leaf
from exchange.wiring.behind import refuse_forgotten, refuse_lost_checkpoints, refuse_rollback
from exchange.wiring.cosigning import evidence_of, witness_policy, witnessed_file
from exchange.wiring.kek import open_kek
from exchange.wiring.ledger import ORIGIN, open_ledger, stored_heads
from exchange.wiring.places import (
    checkpoint_place,
    databases,
    has_keys,
    has_signed,
    keeps_old_log,
    key_place,
    noted,
    on_one_server,
    refuse_together,
    where_keys_are,
)
from exchange.wiring.published import published_checkpoint
from exchange.wiring.rekeying import kek_standing
from exchange.wiring.remedies import remedy_at_the_keyboard
from exchange.wiring.renewing import door_files, end_of_file, line_certificates, read_anew, read_material
from exchange.wiring.shards import read_map, refuse_other_shard
from exchange.wiring.shredding import standing
from exchange.wiring.stores import has_events, open_reader, refuse_outdated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from pathlib import Path

    from exchange.settings import Settings

FREE_BYTES_MIN: Final = 512 * 1024 * 1024
EXPIRY_DAYS_MIN: Final = 14
CLOCK_LEEWAY: Final = timedelta(minutes=1)
DECEMBER: Final = 12


@dataclass(frozen=True, slots=True)
class Light:
    """One part: green where `ok`, amber where it should not stay so (`beware`), else what to do."""

    part: str
    ok: bool
    says: str
    beware: bool = False


class _Beware(str):
    """What holds and should not stay so: an amber light."""

    __slots__ = ()


def examine(settings: Settings) -> Iterator[Light]:
    """Look at every part; a part that cannot be looked at is red."""
    for part, look in (
        ("register", _register),
        ("disk", _disk),
        ("certificates", _certificates),
        ("store", _store),
        ("keys", _keys),
        ("databases", _databases),
        ("erasures", _erasures),
        ("clock", _clock),
        ("ledger", _ledger),
        ("witnesses", _witnesses),
        ("shard", _shard),
    ):
        yield _light(part, look, settings)


def _light(part: str, look: Callable[[Settings], str], settings: Settings) -> Light:
    try:
        says = look(settings)
        return Light(part, ok=True, says=str(says), beware=isinstance(says, _Beware))
    except ExchangeError as error:
        return Light(part, ok=False, says=f"{error}: {remedy_at_the_keyboard(error)}")
    except OSError as error:
        return Light(part, ok=False, says=f"{error.strerror}: look at the folders and their owner")


def _register(_settings: Settings) -> str:
    register = Register.load()
    return f"{len(register.entries())} entries, policy {register.policy_hash[:12]}"


def _disk(settings: Settings) -> str:
    # Three disks where they lie apart, as they should: each of them stops the service when it is full.
    folders = {
        "data": settings.data,
        "keys": settings.keys_folder,
        "checkpoints": settings.checkpoints_folder,
    }
    left = {name: shutil.disk_usage(_existing(folder)).free for name, folder in folders.items()}
    name = min(left, key=lambda one: left[one])
    if left[name] < FREE_BYTES_MIN:
        raise StoreFull("little disk space is left", folder=name, free_mib=str(left[name] // 2**20))
    return f"{left[name] // 2**30} GiB free"


def _existing(folder: Path) -> Path:
    return next(one for one in (folder.resolve(), *folder.resolve().parents) if one.exists())


def _certificates(settings: Settings) -> str:
    file = settings.server_certificate or settings.data / "door" / "server.pem"
    if not file.exists():
        if settings.server_certificate is not None:
            raise SettingsInvalid("the server certificate is not there", name="server_certificate")
        return "none yet; made at the first start"
    until = end_of_file(file)
    if _is_soon(until):
        raise SettingsInvalid(
            "the server certificate has ended or ends soon; in development remove the folder `door` and "
            "restart, in production name a new one in server_certificate",
            until=until.date().isoformat(),
        )
    for name, other in _other_certificates(settings):
        if not other.exists():
            raise SettingsInvalid("a certificate is not there", name=name)
        if _is_soon(ends := end_of_file(other)):
            told = ends.date().isoformat()
            raise SettingsInvalid("a certificate has ended or ends soon: renew it", name=name, until=told)
        until = min(until, ends)
    return f"valid until {until.date().isoformat()}, {ssl.OPENSSL_VERSION}"


def _other_certificates(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield what the service shows elsewhere than at its door, by the setting that names it."""
    for _, name, file in (*line_certificates(settings), *read_anew(settings)):
        yield name, file


def _is_soon(until: datetime) -> bool:
    return until - datetime.now(UTC) < timedelta(days=EXPIRY_DAYS_MIN)


def _store(settings: Settings) -> str:
    position = _position(settings)
    if position is None:
        return "empty; made at the first start"
    refuse_outdated(settings)
    return f"{position} events" if settings.store == "sqlite" else f"{position} events in PostgreSQL"


def _position(settings: Settings) -> int | None:
    """Return the last position; None where there is no store yet."""
    if not has_events(settings):
        return None
    with closing(open_reader(settings)) as reader:
        return reader.head()[0]


def _keys(settings: Settings) -> str:
    if not has_keys(settings):
        if has_events(settings):
            raise KeyUnavailable("there are events but no key database", **where_keys_are(settings))
        return "none yet; made at the first start"
    with closing(KeyStore(key_place(settings), open_kek(settings))) as keys:
        keys.check()
    stands = kek_standing(settings)
    versions = ", ".join(f"{count} at version {version}" for version, count in stands.versions.items())
    says = f"KEK {stands.key_id}, {stands.kind}; newest keys: {versions or 'none yet'}"
    if stands.former:
        left = sum(stands.former.values())
        return _Beware(f"{says}; {left} keys under a former KEK: exchange keys rotate-kek")
    if settings.mode == "production" and settings.kek == "file":
        return _Beware(f"{says}: who reads the disk has it; production keeps it in hardware (kek = pkcs11)")
    return says


def _databases(settings: Settings) -> str:
    """Look at which databases lie together, and at what the key database's own log keeps."""
    refuse_together(settings)
    found = databases(settings)
    if not settings.keys_postgres:
        return "keys and what was signed lie in folders of this machine"
    if len({place for _, place in found}) < len(found):
        return _Beware("two of events, keys and checkpoints lie in one database; production refuses that")
    beware = [
        f"{one} and {other} name one server, whose backup and log hold both"
        for one, other in on_one_server(settings)
    ]
    if keeps_old_log(settings):
        beware.append(
            "the key server uses files of its log again, with what was destroyed: wal_recycle = off"
        )
    if beware:
        return _Beware("; ".join(beware))
    return "events, keys and checkpoints lie in databases of servers apart"


def _erasures(settings: Settings) -> str:
    """Compare what is listed, what the events say and what was carried out."""
    if not has_events(settings) or not has_keys(settings):
        return "none yet"
    try:
        found = standing(settings)
    except ErasureListBroken:
        raise
    except ExchangeError:
        return _Beware("not compared: the store or the keys do not open")
    says = f"{found.decided} decided, {found.listed} listed, {len(found.left)} not carried out"
    if found.undecided:
        says += (
            "; listed and not in the events: these are older than the list, restore newer ones if there are"
        )
    if found.unlisted:
        says += "; in the events and not listed: the list is older, restore its copy, or start to list them"
    return says if found.whole else _Beware(says)


def _clock(settings: Settings) -> str:
    """Compare with the newest leaf: a clock that went back would date events before their causes."""
    position = _position(settings)
    now = datetime.now(UTC)
    if not position:
        return f"{now:%Y-%m-%d %H:%M} UTC"
    with closing(open_reader(settings)) as reader:
        entries = reader.leaf_entries(position - 1, position)
    newest = datetime.fromisoformat(parse_leaf(entries[0]).at) if entries else now
    if newest > now + CLOCK_LEEWAY:
        raise SettingsInvalid(
            "the clock stands before the newest event: set it by NTP", newest=newest.isoformat()
        )
    return f"{now:%Y-%m-%d %H:%M} UTC, not before the newest event"


def _ledger(settings: Settings) -> str:
    position = _position(settings) or 0
    refuse_lost_checkpoints(settings, position)
    if noted(settings, ORIGIN) is None:
        return "empty; made at the first start"
    with closing(open_ledger(settings)) as ledger:
        refuse_rollback(ledger, lambda: stored_heads(settings))
        if position:
            with closing(open_reader(settings)) as reader:
                refuse_forgotten(settings, ledger, reader)
        last = [(log.first, ledger.checkpoints.last(log.origin)) for log in ledger.logs]
    signed = max((first + found[0].size for first, found in last if found is not None), default=0)
    published = published_checkpoint(settings).exists()
    return f"signed up to {signed} of {position}, {'published' if published else 'not yet published'}"


def _witnesses(settings: Settings) -> str:
    """Look at who cosigned what was published, and at what a witness held against this log."""
    kept = _evidence(settings)
    if kept:
        raise WitnessObjects(
            "a witness or directory holds another history of this log, or says so",
            folder=str(settings.checkpoints_folder.name) + "/evidence",
            files=str(len(kept)),
            first=kept[0],
        )
    policy = witness_policy(settings)
    if policy is None:
        return "none named: nobody signs along"
    if not published_checkpoint(settings).exists():
        return f"{len(policy.witnesses)} named; nothing was published yet"
    size, missing, quorum = witnessed_file(policy, published_checkpoint(settings).read_bytes())
    if not quorum:
        raise WitnessesMissing(
            "too few witnesses cosigned what was published", missing=", ".join(missing), size=str(size)
        )
    names = f", missing {', '.join(missing)}" if missing else ""
    says = f"{len(policy.witnesses) - len(missing)} of {len(policy.witnesses)} cosigned {size}{names}"
    coming = next_log(settings, today())
    if coming and coming not in {key.name for key in policy.logs}:
        return _Beware(
            f"{says}; {coming} begins soon and is not in the policy: list its keys, there and at each witness"
        )
    return says


def _shard(settings: Settings) -> str:
    """Look whether this node is of the shard that the map says."""
    if settings.shard_map is None:
        return "no map named: nothing is compared"
    serial = f"serial {read_map(settings.shard_map).serial}"
    if noted(settings, ORIGIN) is None:
        return f"{serial}; nothing ran yet to compare it with"
    with closing(open_ledger(settings)) as ledger:
        vkey = ledger.logs.newest.signer.vkey
    refuse_other_shard(settings, vkey, read_material(door_files(settings)).server_certificate)
    return f"{serial}; log, databases and door are those of {settings.municipality}"


def _evidence(settings: Settings) -> list[str]:
    if not settings.checkpoints_postgres or not has_signed(settings):
        return evidence_of(settings).names()
    with closing(CheckpointStore(checkpoint_place(settings))) as checkpoints:
        return evidence_of(settings, checkpoints).names()


def today() -> date:
    """Return the day, in UTC as the years of logs are."""
    return datetime.now(UTC).date()


def next_log(settings: Settings, day: date) -> str:
    """Return the name of the log that begins soon: in December, where the newest log's name has a year."""
    with closing(open_ledger(settings)) as ledger:
        newest = ledger.origin
    if day.month != DECEMBER or year_of(newest) > day.year:
        return ""
    return name_in(newest, day.year + 1)
