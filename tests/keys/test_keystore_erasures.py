"""Erasures in the key store: a category, once, down to the log; and what this database never knew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.errors import KeyDestroyed, KeyMadeElsewhere, KeyUnavailable
from exchange.keys import keystore
from exchange.keys.kek import FileKek
from exchange.keys.keystore import CACHED_KEYS_MAX, KeyStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., KeyStore]]:
    """Open the same key database as often as asked; all are closed at the end."""
    stores: list[KeyStore] = []

    def open_again(kek: str = "kek", cached_keys_max: int = CACHED_KEYS_MAX) -> KeyStore:
        opener = FileKek(tmp_path / kek, create=True)
        stores.append(KeyStore(tmp_path / "keys.db", opener, cached_keys_max=cached_keys_max))
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

    def busy(_: object) -> None:
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


def test_what_another_process_destroyed_opens_here_no_more(opened: Callable[..., KeyStore]) -> None:
    mine, theirs = opened(), opened()
    kept, part = mine.obtain("r-1", "CONTACT"), mine.obtain("r-1", "SCHULDEN")
    whole = mine.obtain("r-2", "CONTACT")
    mine.flush()
    assert mine.open_key("r-2", "CONTACT", whole.version) == whole
    theirs.destroy("r-1", ("SCHULDEN",), erasure_id="e-1")
    theirs.destroy("r-2", erasure_id="e-2")
    later = theirs.obtain("r-1", "SCHULDEN")
    theirs.flush()
    # Not before it looks: this is what every commit that finds the head moved does.
    assert not mine.is_destroyed("r-2")
    mine.learn_destroyed()
    assert mine.is_destroyed("r-2")
    for owner, name, version in (("r-2", "CONTACT", whole.version), ("r-1", "SCHULDEN", part.version)):
        with pytest.raises(KeyDestroyed):
            mine.open_key(owner, name, version)
    assert mine.open_key("r-1", "CONTACT", kept.version).material == kept.material
    assert mine.obtain("r-1", "SCHULDEN").material == later.material
    assert mine.erasures == 2
    mine.learn_destroyed()
    assert mine.erasures == 2


def test_two_that_make_the_first_key_at_once_do_not_both_keep_theirs(opened: Callable[..., KeyStore]) -> None:
    mine, theirs = opened(), opened()
    mine.obtain("r-1", "CONTACT")
    made = theirs.obtain("r-1", "CONTACT")
    theirs.flush()
    with pytest.raises(KeyMadeElsewhere):
        mine.flush()
    mine.discard_pending()
    assert mine.obtain("r-1", "CONTACT").material == made.material
