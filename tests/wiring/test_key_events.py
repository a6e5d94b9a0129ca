"""A start tells the keys in use: all at the first, none at the next, the new one after a rotation."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from exchange.domain.service_keys import KeyPutInUse
from exchange.settings import throw_away_settings
from exchange.store.verify import verify_store
from exchange.wiring.core import open_core, utc_now
from exchange.wiring.kek import kek_file
from exchange.wiring.key_events import tell_keys
from exchange.wiring.lawful import audit_lawful
from exchange.wiring.rekeying import create_kek, rotate_kek
from exchange.wiring.rotation import rotate_identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.settings import Settings
    from exchange.wiring.core import Core


@contextmanager
def started(settings: Settings) -> Iterator[tuple[Core, int]]:
    core = open_core(settings)
    try:
        yield core, tell_keys(core, utc_now())
        assert verify_store(core.reader).problems == []
    finally:
        core.close()


def told(core: Core) -> list[KeyPutInUse]:
    rows = core.reader.page(0, 10_000, (KeyPutInUse.TOPIC,))
    opened = [
        core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic) for row in rows
    ]
    return [one.event for one in opened if isinstance(one.event, KeyPutInUse)]


def test_the_first_start_tells_every_key_and_the_next_none(shard: Settings) -> None:
    with started(shard) as (core, count):
        assert count == 4
        assert {one.use: one.former_name for one in told(core)} == dict.fromkeys(
            ("kek", "log", "log_mldsa", "identity"), ""
        )
        assert {one.key_name for one in told(core) if one.use == "kek"} == {core.kek.key_id}
    with started(shard) as (core, count):
        assert count == 0


def test_a_rotation_is_told_by_the_next_start_with_what_it_took_the_place_of(shard: Settings) -> None:
    with started(shard) as (core, _):
        before = {one.use: one.key_name for one in told(core)}
    rotate_identity(shard)
    other = throw_away_settings(data=shard.data, kek_file=kek_file(shard).with_name("kek-2"))
    create_kek(other)
    rotate_kek(other, shard)
    with started(other) as (core, count):
        assert count == 2
        changed = told(core)[-2:]
        assert {one.use: one.former_name for one in changed} == {
            use: before[use] for use in ("kek", "identity")
        }
        assert all(one.key_name != one.former_name for one in changed)


def test_what_the_service_tells_of_its_keys_is_no_command_that_nobody_permitted(shard: Settings) -> None:
    before = audit_lawful(shard).findings
    with started(shard) as (_, count):
        assert count == 4
    assert audit_lawful(shard).findings == before


def test_no_key_is_in_what_is_told(shard: Settings) -> None:
    with started(shard) as (core, _):
        rows = core.reader.page(0, 10_000, (KeyPutInUse.TOPIC,))
        secret = kek_file(shard).read_bytes()
        assert all(secret not in row.state and secret.hex().encode() not in row.state for row in rows)
        assert len(rows) == 4
