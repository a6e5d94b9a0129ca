"""Erasures in the key store: a category, once, down to the log; and what this database never knew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.errors import KeyDestroyed, KeyMadeElsewhere, KeyUnavailable
from exchange.keys import keystore
from exchange.keys.kek import FileKek
from exchange.keys.keystore import CACHED_KEYS_MAX, KeyStore
from tests.databases.kept import Faulty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.databases.place import Place


@pytest.fixture
def opened(tmp_path: Path, place_of: Callable[[str], Place]) -> Iterator[Callable[..., KeyStore]]:
    """Open the same key database as often as asked; all are closed at the end."""
    stores: list[KeyStore] = []

    def open_again(kek: str = "kek", cached_keys_max: int = CACHED_KEYS_MAX) -> KeyStore:
        opener = FileKek(tmp_path / kek, create=True)
        stores.append(KeyStore(place_of("keys.db"), opener, cached_keys_max=cached_keys_max))
        return stores[-1]

    yield open_again
    for store in stores:
        store.close()


def test_a_category_is_destroyed_and_its_next_key_is_a_later_one(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    old, kept = store.obtain("r-1", "SCHULDEN"), store.obtain("r-1", "CONTACT")
    store.flush()
    assert store.destroy("r-1", ("SCHULDEN",), erasure_id="e-1") == 1
    with pytest.raises(KeyDestroyed):
        store.open_key("r-1", "SCHULDEN", old.version)
    assert store.open_key("r-1", "CONTACT", kept.version).material == kept.material
    new = store.obtain("r-1", "SCHULDEN")
    assert new.version == old.version + 1
    store.flush()
    # Again, by the same erasure: the later key is not its.
    assert store.destroy("r-1", ("SCHULDEN",), erasure_id="e-1") == 0
    assert store.open_key("r-1", "SCHULDEN", new.version).material == new.material
    assert store.destroy("r-1", ("SCHULDEN",), erasure_id="e-2") == 1
    assert not store.is_destroyed("r-1")
    store = opened()
    for version in (old.version, new.version):
        with pytest.raises(KeyDestroyed):
            store.open_key("r-1", "SCHULDEN", version)
    assert store.obtain("r-1", "SCHULDEN").version == new.version + 1


def test_a_later_erasure_that_names_an_older_key_gives_no_number_out_again(
    opened: Callable[..., KeyStore],
) -> None:
    store = opened()
    store.obtain("r-1", "SCHULDEN")
    store.flush()
    # A version that no event was sealed under, so that nobody names it.
    renewed = store.rotate("r-1", "SCHULDEN")
    store.flush()
    assert store.destroy("r-1", ("SCHULDEN",), erasure_id="e-1") == renewed.version == 2
    assert store.destroy("r-1", ("SCHULDEN",), erasure_id="e-2", named={"SCHULDEN": 1}) == 0
    for one in (store, opened()):
        assert one.destroyed_up_to("r-1", "SCHULDEN") == renewed.version
        assert one.obtain("r-1", "SCHULDEN").version == renewed.version + 1


def test_what_this_database_never_knew_it_does_not_hold(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    key = store.obtain("r-1", "CONTACT")
    store.flush()
    assert store.holds("r-1", "CONTACT", key.version)
    assert not store.holds("r-1", "CONTACT", key.version + 1)
    assert not store.holds("somebody", "CONTACT", 1)
    store.destroy("r-1")
    assert store.holds("r-1", "CONTACT", key.version + 1)


def test_an_erasure_is_executed_once_the_log_is_empty(
    opened: Callable[..., KeyStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    store.obtain("r-1", "CONTACT")
    store.flush()
    assert not store.has_executed("e-1")

    def busy(_: object, **_alone: object) -> None:
        raise KeyUnavailable("a reader is in it")

    with monkeypatch.context() as reading:
        reading.setattr(keystore, "scrub", busy)
        with pytest.raises(KeyUnavailable):
            store.destroy("r-1", erasure_id="e-1")
    assert store.is_destroyed("r-1")
    assert not store.has_executed("e-1")
    store.destroy("r-1", erasure_id="e-1")
    assert store.has_executed("e-1")
    assert store.count() == (0, 0)


def test_the_place_is_as_old_as_the_database(opened: Callable[..., KeyStore]) -> None:
    store = opened()
    assert store.place == 0
    store.note_place(7)
    store = opened()
    assert store.place == 7


def test_what_another_process_destroyed_closes_here_once_it_is_learnt(
    opened: Callable[..., KeyStore],
) -> None:
    mine, theirs = opened(), opened()
    keys = {(ref, name): mine.obtain(ref, name) for ref in ("r-1", "r-2") for name in ("SCHULDEN", "CONTACT")}
    mine.flush()
    theirs.destroy("r-1")
    theirs.destroy("r-2", ("SCHULDEN",), erasure_id="e-1")
    for ref in ("r-1", "r-2"):
        mine.learn(ref)
        mine.learn(ref)
    assert (mine.erasures, mine.is_destroyed("r-1"), mine.is_destroyed("r-2")) == (2, True, False)
    assert mine.open_key("r-2", "CONTACT", 1).material == keys["r-2", "CONTACT"].material
    for ref, name in (("r-1", "CONTACT"), ("r-1", "SCHULDEN"), ("r-2", "SCHULDEN")):
        with pytest.raises(KeyDestroyed):
            mine.open_key(ref, name, 1)
    with pytest.raises(KeyDestroyed):
        mine.obtain("r-1", "CONTACT")
    assert mine.obtain("r-2", "SCHULDEN").version == 2


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "kept"])
def test_a_destruction_reported_lost_opens_nothing_and_is_ended_by_a_repeat(
    opened: Callable[..., KeyStore], monkeypatch: pytest.MonkeyPatch, *, persisted: bool
) -> None:
    store = opened()
    store.obtain("r-1", "CONTACT")
    store.flush()
    with monkeypatch.context() as fault:
        fault.setattr(store, "_writer", Faulty(store._writer, persisted=persisted))
        with pytest.raises(KeyUnavailable):
            store.destroy("r-1", erasure_id="e-1")
    with pytest.raises(KeyDestroyed):
        store.open_key("r-1", "CONTACT", 1)
    assert not store.has_executed("e-1")
    assert store.destroy("r-1", erasure_id="e-1") == int(not persisted)
    assert (store.has_executed("e-1"), opened().is_destroyed("r-1"), store.count()) == (True, True, (0, 0))


def test_two_that_make_the_first_key_at_once_do_not_both_keep_theirs(opened: Callable[..., KeyStore]) -> None:
    mine, theirs = opened(), opened()
    mine.obtain("r-1", "CONTACT")
    made = theirs.obtain("r-1", "CONTACT")
    theirs.flush()
    with pytest.raises(KeyMadeElsewhere):
        mine.flush()
    mine.discard_pending()
    assert mine.obtain("r-1", "CONTACT").material == made.material
