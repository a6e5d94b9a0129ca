"""The key store: pending until flushed, whole or not at all, destroyed for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import TYPE_CHECKING

import pytest

from exchange.errors import KeyDestroyed, KeyUnavailable, SealBroken, StoreFull
from exchange.keys.keystore import CACHED_KEYS_MAX, KeyStore
from exchange.keys.sealing import open_sealed, seal
from tests.databases.kept import Faulty, let_it_not_wait, line_to, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.databases.place import Place
    from exchange.keys.kek import Kek

# Each writes four tables anew on PostgreSQL, with three threads that ask for Python's lock at every turn.
ROUNDS = 12


@pytest.fixture
def place(place_of: Callable[[str], Place]) -> Place:
    return place_of("keys.db")


@pytest.fixture
def opened(place: Place, kek_named: Callable[[str], Kek]) -> Iterator[Callable[..., KeyStore]]:
    """Open the same key database as often as asked; all are closed at the end."""
    stores: list[KeyStore] = []

    def open_again(kek: str = "kek", cached_keys_max: int = CACHED_KEYS_MAX) -> KeyStore:
        stores.append(KeyStore(place, kek_named(kek), cached_keys_max=cached_keys_max))
        return stores[-1]

    yield open_again
    for store in stores:
        store.close()


def test_a_flushed_key_opens_after_a_restart(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    key = store.obtain("resident-1", "WMO-PLAN")
    sealed = seal(key, b"goal", b"envelope")
    assert store.flush() == 1
    again = opened()
    assert open_sealed(again.open_key("resident-1", "WMO-PLAN", 1), sealed, b"envelope") == b"goal"
    assert again.obtain("resident-1", "WMO-PLAN").ledger_key == key.ledger_key


def test_each_resident_and_category_has_its_own_key(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    keys = [
        store.obtain(ref, category) for ref in ("r-1", "r-2") for category in ("WONEN", "ARBEID", "LEDGER")
    ]
    assert len({key.material for key in keys}) == 6
    assert store.flush() == 6
    assert store.flush() == 0


def test_a_key_is_the_same_object_until_it_is_forgotten(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    key = store.obtain("r-1", "WONEN")
    assert store.obtain("r-1", "WONEN") is key
    assert store.open_key("r-1", "WONEN", 1) is key
    store.flush()
    assert store.obtain("r-1", "WONEN") is key
    assert store.open_key("r-1", "WONEN", 1) is key


def test_a_crash_between_obtain_and_flush_leaves_no_key(opened: Callable[..., KeyStore]) -> None:
    lost = opened().obtain("r-1", "WONEN")
    again = opened()
    with pytest.raises(KeyUnavailable, match="no such key") as refused:
        again.open_key("r-1", "WONEN", 1)
    assert not isinstance(refused.value, KeyDestroyed)
    assert again.obtain("r-1", "WONEN").material != lost.material


def test_discarded_keys_are_never_written(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    discarded = store.obtain("r-1", "WONEN")
    store.discard_pending()
    assert store.flush() == 0
    with pytest.raises(KeyUnavailable):
        store.open_key("r-1", "WONEN", 1)
    assert store.obtain("r-1", "WONEN").material != discarded.material


@pytest.mark.parametrize("persisted", [False, True])
def test_a_flush_reported_lost_can_be_repeated(
    opened: Callable[..., KeyStore], monkeypatch: pytest.MonkeyPatch, *, persisted: bool
) -> None:
    store = opened()
    keys = [store.obtain(f"r-{number}", "WONEN") for number in range(3)]
    monkeypatch.setattr(store, "_writer", Faulty(store._writer, persisted=persisted))
    with pytest.raises(KeyUnavailable):
        store.flush()
    store.obtain("r-3", "WONEN")
    assert store.flush() == 4
    again = opened()
    assert [again.open_key(f"r-{number}", "WONEN", 1).material for number in range(3)] == [
        key.material for key in keys
    ]
    assert again.open_key("r-3", "WONEN", 1)


def test_a_full_disk_writes_nothing_and_keeps_the_keys_pending(
    tmp_path: Path, kek_named: Callable[[str], Kek]
) -> None:
    def opened() -> KeyStore:
        return KeyStore(tmp_path / "keys.db", kek_named("kek"))

    store = opened()
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    keys = {ref: store.obtain(ref, "WONEN").material for ref in (f"r-{number}" for number in range(500))}
    with pytest.raises(StoreFull):
        store.flush()
    again = opened()
    with pytest.raises(KeyUnavailable):
        again.open_key("r-0", "WONEN", 1)
    again.close()
    store._writer.execute("PRAGMA max_page_count = 100000")
    assert store.flush() == 500
    again = opened()
    assert {ref: again.open_key(ref, "WONEN", 1).material for ref in keys} == keys
    again.close()
    store.close()


def test_two_processes_that_make_one_key_do_not_both_win(opened: Callable[..., KeyStore]) -> None:
    first, second = opened(), opened()
    winner = first.obtain("r-1", "WONEN")
    second.obtain("r-1", "WONEN")
    second.obtain("r-2", "WONEN")
    first.flush()
    with pytest.raises(KeyUnavailable, match="another process"):
        second.flush()
    second.discard_pending()
    assert second.obtain("r-1", "WONEN").material == winner.material
    with pytest.raises(KeyUnavailable):
        second.open_key("r-2", "WONEN", 1)


def test_a_rotated_key_seals_new_data_and_the_old_key_opens_the_old(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    old = store.obtain("r-1", "WONEN")
    assert store.rotate("r-1", "WONEN") is old
    store.flush()
    new = store.rotate("r-1", "WONEN")
    assert (old.version, new.version) == (1, 2)
    assert store.obtain("r-1", "WONEN") is new
    assert store.open_key("r-1", "WONEN", 2) is new
    store.flush()
    again = opened()
    assert again.obtain("r-1", "WONEN").material == new.material
    assert again.open_key("r-1", "WONEN", 1).material == old.material


def test_a_destroyed_key_is_gone_for_ever(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    for category in ("WONEN", "ARBEID"):
        store.obtain("r-1", category)
    kept = store.obtain("r-2", "WONEN")
    store.flush()
    store.obtain("r-1", "PENDING")
    assert not store.is_destroyed("r-1")
    assert store.destroy("r-1") == 2
    for each in (store, opened()):
        for category in ("WONEN", "ARBEID", "PENDING", "NEVER-USED"):
            with pytest.raises(KeyDestroyed):
                each.open_key("r-1", category, 1)
            with pytest.raises(KeyDestroyed):
                each.obtain("r-1", category)
        assert each.is_destroyed("r-1")
        assert each.obtain("r-2", "WONEN").material == kept.material
    assert store.flush() == 0


def test_destroying_twice_or_without_keys_changes_nothing(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    assert store.destroy("r-unknown") == 0
    assert store.destroy("r-unknown") == 0
    with pytest.raises(KeyDestroyed):
        store.obtain("r-unknown", "WONEN")


def test_destroyed_bytes_are_in_no_table_and_no_file(opened: Callable[..., KeyStore], place: Place) -> None:
    store = opened()
    store.obtain("r-1", "WONEN")
    store.flush()
    ((wrapped,),) = store._reader.execute("SELECT wrapped FROM data_key").fetchall()
    assert wrapped in stored(place)
    store.destroy("r-1")
    assert wrapped not in stored(place)


def test_destroying_under_a_reader_says_so_and_can_be_finished(
    opened: Callable[..., KeyStore], place: Place
) -> None:
    store = opened()
    let_it_not_wait(store._writer, place)
    store.obtain("r-1", "WONEN")
    store.flush()
    reader = line_to(place)
    reader.execute("BEGIN")
    ((wrapped,),) = reader.execute("SELECT wrapped FROM data_key").fetchall()
    with pytest.raises(KeyUnavailable, match="destroy again"):
        store.destroy("r-1")
    with pytest.raises(KeyDestroyed):
        store.open_key("r-1", "WONEN", 1)
    reader.execute("COMMIT")
    reader.close()
    assert store.destroy("r-1") == 0
    assert wrapped not in stored(place)


def test_another_kek_opens_nothing(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    store.obtain("r-1", "WONEN")
    store.flush()
    store.check()
    stranger = opened(kek="other")
    attempts: list[Callable[[], object]] = [
        lambda: stranger.open_key("r-1", "WONEN", 1),
        lambda: stranger.obtain("r-1", "WONEN"),
        stranger.check,
    ]
    for attempt in attempts:
        with pytest.raises(KeyUnavailable, match="another KEK"):
            attempt()


def test_a_wrapped_key_copied_to_another_row_does_not_open(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    for ref in ("r-1", "r-2"):
        store.obtain(ref, "WONEN")
    store.flush()
    store._writer.execute(
        "UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE resident_ref = 'r-1')"
        " WHERE resident_ref = 'r-2'"
    )
    again = opened()
    assert again.open_key("r-1", "WONEN", 1)
    with pytest.raises(KeyUnavailable, match="does not open"):
        again.open_key("r-2", "WONEN", 1)


def test_a_service_secret_is_made_once(opened: Callable[..., KeyStore]) -> None:
    first, second = opened(), opened()
    secret = first.service_secret("identity")
    assert len(secret) == 32
    assert second.service_secret("identity") == secret
    assert second.service_secret("ledger") != secret
    with pytest.raises(KeyUnavailable, match="another KEK"):
        opened(kek="other").service_secret("identity")


def test_the_caches_are_bounded_and_lose_nothing(opened: Callable[..., KeyStore]) -> None:
    store = opened(cached_keys_max=4)
    materials = {ref: store.obtain(ref, "WONEN").material for ref in (f"r-{number}" for number in range(20))}
    store.flush()
    assert len(store._newest) == len(store._opened) == 4
    assert {ref: store.open_key(ref, "WONEN", 1).material for ref in materials} == materials
    assert {ref: store.obtain(ref, "WONEN").material for ref in materials} == materials
    assert len(store._newest) == len(store._opened) == 4


def test_the_cache_forgets_the_key_used_longest_ago(opened: Callable[..., KeyStore]) -> None:
    store = opened(cached_keys_max=2)
    first, second = store.obtain("r-1", "WONEN"), store.obtain("r-2", "WONEN")
    store.flush()
    store.obtain("r-1", "WONEN")
    store.obtain("r-3", "WONEN")
    store.flush()
    assert store.obtain("r-1", "WONEN") is first
    assert store.obtain("r-2", "WONEN") is not second


def test_many_who_obtain_at_once_get_one_key(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    start = Barrier(8)

    def obtain(_: int) -> list[int]:
        start.wait(timeout=10)
        return [id(store.obtain(f"r-{number}", "WONEN")) for number in range(50)]

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(obtain, range(8)))
    assert all(ids == seen[0] for ids in seen)
    assert store.flush() == 50


def test_loaders_read_while_the_writer_flushes_and_destroys(opened: Callable[..., KeyStore]) -> None:
    store = opened(cached_keys_max=8)
    materials = {f"r-{number}": store.obtain(f"r-{number}", "WONEN").material for number in range(16)}
    store.flush()
    done, reading = Event(), Barrier(4)

    def load(seed: int) -> int:
        opened_keys = 0
        while not done.is_set():
            ref = f"r-{(seed + opened_keys) % 16}"
            assert store.open_key(ref, "WONEN", 1).material == materials[ref]
            opened_keys += 1
            if opened_keys == 1:
                reading.wait(timeout=60)
        return opened_keys

    with ThreadPoolExecutor(3) as pool:
        loads = [pool.submit(load, seed) for seed in range(3)]
        try:
            # However slowly they begin: the writer does not end before they read.
            reading.wait(timeout=60)
            for number in range(ROUNDS):
                store.obtain(f"w-{number}", "WONEN")
                assert store.flush() == 1
                assert store.destroy(f"w-{number}") == 1
                with pytest.raises(KeyDestroyed):
                    store.open_key(f"w-{number}", "WONEN", 1)
        finally:
            done.set()
        assert all(each.result(timeout=10) > 0 for each in loads)


def test_a_closed_store_gives_no_key(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    store.obtain("r-1", "WONEN")
    store.flush()
    store.close()
    with pytest.raises(KeyUnavailable):
        store.open_key("r-1", "WONEN", 1)
    store.close()


def test_no_refusal_names_a_resident(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    store.destroy("resident-secret")
    attempts: list[Callable[[], object]] = [
        lambda: store.open_key("resident-secret", "WONEN", 1),
        lambda: store.open_key("resident-secret-2", "WONEN", 1),
        lambda: store.obtain("resident-secret", "WONEN"),
    ]
    for attempt in attempts:
        with pytest.raises(KeyUnavailable) as refused:
            attempt()
        assert "resident-secret" not in str(refused.value)


def test_data_of_a_destroyed_resident_do_not_open_with_a_later_key(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    sealed = seal(store.obtain("r-1", "WONEN"), b"address", b"envelope")
    store.flush()
    store.destroy("r-1")
    with pytest.raises(SealBroken):
        open_sealed(store.obtain("r-2", "WONEN"), sealed, b"envelope")


def test_every_version_on_disk_is_found_oldest_first(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    assert store.versions("resident-1", "LEDGER") == ()
    first = store.obtain("resident-1", "LEDGER")
    # What is pending is on no disk: nothing was recorded under it.
    assert store.versions("resident-1", "LEDGER") == ()
    store.flush()
    second = store.rotate("resident-1", "LEDGER")
    store.obtain("resident-1", "LOG")
    store.flush()
    found = [key.material for key in opened().versions("resident-1", "LEDGER")]
    assert found == [first.material, second.material]
    store.destroy("resident-1")
    assert store.versions("resident-1", "LEDGER") == ()


def test_the_two_keys_of_the_ledger_are_two(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    key = store.obtain("resident-1", "LEDGER")
    assert key.ledger_key != key.ledger_key_apart
    assert len(key.ledger_key_apart) == len(key.ledger_key)
    assert key.ledger_key_apart not in {key.material, store.obtain("resident-2", "LEDGER").ledger_key_apart}
