"""The shard map: what is taken, what is refused, and what may follow what."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from exchange.server.shards.errors import ShardMapInvalid
from exchange.server.shards.map import (
    DOORS_MAX,
    MAP_BYTES_MAX,
    SERIAL_MAX,
    SERVER_NAMES_MAX,
    SHARDS_MAX,
    parse_map,
    refuse_not_following,
    written,
)
from tests.shards.maps import NOW, OPEN, log_key, made, table, text

SECOND = timedelta(seconds=1)
LABEL = "a" * 63
SECRET = "p4ssw0rd"
MANY_DOORS = [f"h{one}:1" for one in range(DOORS_MAX + 1)]
MANY_NAMES = [f"n{one}.nl" for one in range(SERVER_NAMES_MAX + 1)]


def test_a_map_is_read_and_written_and_is_the_same() -> None:
    found = parse_map(text(7, table("0518"), table("0363", databases=None)))
    assert (found.serial, [one.municipality for one in found.shards]) == (7, ["0363", "0518"])
    assert found.by_server_name()["g0518.exchange.example"].doors == ("10.0.0.118:8443",)
    assert found.of("0599") is None
    again = parse_map(written(found))
    assert again == found
    assert written(again) == written(found)


def test_a_moment_is_one_whatever_its_offset() -> None:
    amsterdam = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    assert parse_map(text(1, table("0363", valid_from=amsterdam))).shards[0].valid_from == OPEN


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("municipality", "0000", "363"),
        ("municipality", "9999", "00363"),
        ("municipality", "0363", "036a"),
        ("municipality", "0363", "٠٣٦٣"),
        ("municipality", "0363", 363),
        ("name", "a" * 63, "a" * 64),
        ("name", "a-1", "1-a"),
        ("name", "a", ""),
        ("server_names", [f"{LABEL}.nl"], [f"{LABEL}a.nl"]),
        ("server_names", ["a.nl"] , ["A.nl"]),
        ("server_names", ["a.nl"], ["*.nl"]),
        ("server_names", ["a.nl"], ["a..nl"]),
        ("server_names", ["1.2.3.x4"], ["1.2.3.4"]),
        ("server_names", [f"{LABEL}.{LABEL}.{LABEL}.{'a' * 61}"], [f"{LABEL}.{LABEL}.{LABEL}.{'a' * 62}"]),
        ("server_names", MANY_NAMES[:-1], MANY_NAMES),
        ("server_names", ["a.nl"], []),
        ("server_names", ["a.nl"], "a.nl"),
        ("doors", ["h:65535"], ["h:65536"]),
        ("doors", ["h:1"], ["h:0"]),
        ("doors", ["h:1"], ["h"]),
        ("doors", MANY_DOORS[:-1], MANY_DOORS),
        ("log_key", log_key("0518"), log_key("0518")[:-1]),
        ("log_key", log_key("0518"), 5),
        ("valid_from", OPEN, OPEN.replace(tzinfo=None)),
        ("valid_from", OPEN, "2026-01-01"),
        ("databases", {"checkpoints_postgres": "a" * 63}, {"checkpoints_postgres": "a" * 64}),
        ("databases", {"postgres": "a_b-1"}, {"postgres": f"host=x password={SECRET}"}),
        ("databases", {"postgres": "a"}, {"store": "a"}),
    ],
)  # fmt: skip
def test_each_key_of_a_shard_has_its_shape(key: str, good: object, bad: object) -> None:
    assert parse_map(text(1, table("0363", **{key: good}))).serial == 1
    with pytest.raises(ShardMapInvalid) as caught:
        parse_map(text(1, table("0363", **{key: bad})))
    assert caught.value.metadata["key"] == key
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"\xff", "cannot be read"),
        (b"serial = ", "cannot be read"),
        (b"", "serial"),
        (text(0), "serial"),
        (text("true"), "serial"),
        (text("1.0"), "serial"),
        (text(SERIAL_MAX + 1), "serial"),
        (text(1, more="node = 1"), "key=node"),
        (text(1, more=f'"{SECRET}" = 1'), "not a key"),
        (text(1, more="shard = 3"), "table"),
        (text(1, more="shard = [3]"), "table"),
        (text(1, table("0363", password=SECRET)), "key=password, shard=0363"),
        (text(1, table("0363", log_key=None)), "key=log_key, shard=0363"),
        (b"#" * (MAP_BYTES_MAX + 1), "too large"),
    ],
)
def test_a_map_that_is_none_is_refused(raw: bytes, what: str) -> None:
    with pytest.raises(ShardMapInvalid, match=what) as caught:
        parse_map(raw)
    assert SECRET not in str(caught.value)


def test_the_largest_serial_and_file_are_taken_and_no_next_one() -> None:
    last = parse_map(text(SERIAL_MAX).ljust(MAP_BYTES_MAX, b"\n"))
    with pytest.raises(ShardMapInvalid, match="at its end"):
        last.with_shard(made(1, table("0363")).shards[0])


def test_a_map_holds_so_many_shards_and_no_more() -> None:
    few = made(1, table("0001"))
    tables = [table(f"{one:04}", doors=[f"h{one}:1"], databases=None) for one in range(SHARDS_MAX + 1)]
    assert len(parse_map(text(1, *tables[:-1])).shards) == SHARDS_MAX
    with pytest.raises(ShardMapInvalid, match="too many"):
        parse_map(text(1, *tables))
    assert few.serial == 1


@pytest.mark.parametrize(
    "named",
    [
        {"municipality": "0363"},
        {"name": "shard-0363"},
        {"server_names": ["b.nl", "g0363.exchange.example"]},
        {"doors": ["b:1", "10.0.0.163:8443"]},
        {"log_key": log_key("0363")},
        # The same log in another year, and the same name under another key.
        {"log_key": log_key("0363", 2027)},
        {"databases": {"postgres": "events-0363"}},
        # The events of one in the database of the other's keys.
        {"databases": {"postgres": "keys-0363"}},
    ],
    ids=lambda named: next(iter(named)),
)
def test_two_shards_have_nothing_in_common(named: dict[str, Any]) -> None:
    parse_map(text(1, table("0363"), table("0518")))
    with pytest.raises(ShardMapInvalid, match="twice") as caught:
        parse_map(text(1, table("0363"), table("0518", **named)))
    assert caught.value.metadata["key"] == next(iter(named))


@pytest.mark.parametrize(
    "named",
    [
        {"server_names": ["a.nl", "a.nl"]},
        {"doors": ["h:1", "h:1"]},
        {"databases": {"postgres": "one", "keys_postgres": "one"}},
    ],
    ids=lambda named: next(iter(named)),
)
def test_nor_is_anything_named_twice_of_one(named: dict[str, Any]) -> None:
    with pytest.raises(ShardMapInvalid, match="twice"):
        parse_map(text(1, table("0363", **named)))


# --- what may follow -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [
        {"doors": ["other:1"]},
        {"server_names": ["other.nl"]},
        {"databases": {"postgres": "other"}},
        {"log_key": log_key("0363", 2027)},
        {"valid_from": OPEN - SECOND},
        {"valid_from": NOW},
    ],
    ids=lambda named: next(iter(named)),
)
def test_where_a_shard_stands_may_change(named: dict[str, Any]) -> None:
    refuse_not_following(made(2, table("0363", **named)), made(1, table("0363")), NOW)


@pytest.mark.parametrize(
    ("named", "what"),
    [
        ({"name": "other"}, "does not move"),
        ({"log_key": log_key("0518")}, "does not move"),
        ({"valid_from": NOW + SECOND}, "is not closed"),
        ({"municipality": "0518"}, "does not leave"),
    ],
)
def test_whose_it_is_may_not(named: dict[str, Any], what: str) -> None:
    with pytest.raises(ShardMapInvalid, match=what):
        refuse_not_following(made(2, table("0363", **named)), made(1, table("0363")), NOW)


def test_a_shard_whose_time_has_not_come_may_be_put_off() -> None:
    announced = made(1, table("0363", valid_from=NOW + SECOND))
    later = made(2, table("0363", valid_from=NOW + 2 * SECOND))
    refuse_not_following(later, announced, NOW)
    with pytest.raises(ShardMapInvalid, match="is not closed"):
        refuse_not_following(later, announced, NOW + SECOND)


def test_a_serial_only_grows() -> None:
    in_force = made(5, table("0363"))
    refuse_not_following(in_force, in_force, NOW)
    refuse_not_following(made(6, table("0363"), table("0518")), in_force, NOW)
    with pytest.raises(ShardMapInvalid, match="older") as caught:
        refuse_not_following(made(4, table("0363")), in_force, NOW)
    assert caught.value.metadata == {"serial": "4", "in_force": "5"}
    with pytest.raises(ShardMapInvalid, match="under the same serial"):
        refuse_not_following(made(5, table("0363"), table("0518")), in_force, NOW)
