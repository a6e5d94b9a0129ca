"""A KEK made, every key wrapped anew under another, new versions of keys: while the service stands still.

Promises: holds the data folder, so that no running service keeps what is replaced; the former KEK is named as
no longer needed only when nothing is wrapped by it any more; no key is made in a database that is behind.
Source: LEDGER design, section 5.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.domain.values import DataCategory
from exchange.errors import SettingsInvalid
from exchange.keys.database import open_database
from exchange.keys.renewal import newest_versions, renew, rewrap, wrappings
from exchange.wiring.core import open_core
from exchange.wiring.holding import private_files
from exchange.wiring.kek import kind_of, make_kek, open_kek, open_keks
from exchange.wiring.places import has_keys, held_keys, key_place, refuse_no_keys
from exchange.wiring.second_key import rewrap_second_key, second_key_wrapped_by
from exchange.wiring.standing_still import standing_still
from exchange.wiring.stores import has_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.databases.place import Connection
    from exchange.settings import Settings


@dataclass(frozen=True, slots=True)
class Standing:
    """The KEK in force, where it is kept, and how many keys and secrets each KEK wraps.

    `versions` counts the keys that are in use for what is written now, by their version.
    """

    key_id: str
    kind: str
    wrapped: dict[str, int]
    versions: dict[int, int]

    @property
    def former(self) -> dict[str, int]:
        """What is still wrapped by others than the KEK in force."""
        return {key_id: count for key_id, count in self.wrapped.items() if key_id != self.key_id}


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """The KEK in force, how many keys and secrets went to it, and the KEKs that nothing needs any more."""

    key_id: str
    count: int
    freed: tuple[str, ...]


def create_kek(settings: Settings) -> Standing:
    """Make the KEK that settings name. Raises SettingsInvalid where there is one, KeyUnavailable."""
    with private_files():
        settings.keys_folder.mkdir(parents=True, exist_ok=True)
        kek = make_kek(settings)
    return Standing(kek.key_id, kind_of(kek), {}, {})


def kek_standing(settings: Settings) -> Standing:
    """Tell where the KEK stands. Raises SettingsInvalid, KeyUnavailable."""
    kek = open_kek(settings)
    if not has_keys(settings):
        return Standing(kek.key_id, kind_of(kek), {}, {})
    with closing(open_database(key_place(settings))) as connection:
        wrapped, versions = _wrapped(settings, connection), newest_versions(connection)
    return Standing(kek.key_id, kind_of(kek), wrapped, versions)


def rotate_kek(settings: Settings, former: Settings | None = None) -> Rewrapped:
    """Wrap every key and secret, and the log's second key, under the KEK that settings name.

    `former` settings name the KEK before it, where it lies in another token or another file. Raises
    SettingsInvalid, DataFolderInUse, KeyUnavailable; then what was done stays: do it again for the rest.
    """
    with _standing_still(settings) as connection:
        kek = open_keks(settings, former)
        before = _wrapped(settings, connection)
        count = rewrap(connection, kek) + rewrap_second_key(settings, kek)
        left = _wrapped(settings, connection)
    return Rewrapped(kek.key_id, count, tuple(key_id for key_id in before if key_id not in left))


def rotate_keys(settings: Settings, category: str | None) -> int:
    """Give every resident a next key in a category, or in all; return how many. Raises as `rotate_kek`.

    Raises KeysBehindEvents too: a key made here would have the name of one that is lost, and hide that it is.
    """
    if category is not None and category not in frozenset(DataCategory):
        raise SettingsInvalid("there is no such data category", name="category")
    with _standing_still(settings) as connection:
        if has_events(settings):
            open_core(settings).close()
        return renew(connection, open_kek(settings), category)


def _wrapped(settings: Settings, connection: Connection) -> dict[str, int]:
    """Return how many keys each KEK wraps: in the database, and the log's second one in its file."""
    found = wrappings(connection)
    if second := second_key_wrapped_by(settings):
        found[second] = found.get(second, 0) + 1
    return dict(sorted(found.items()))


@contextmanager
def _standing_still(settings: Settings) -> Iterator[Connection]:
    refuse_no_keys(settings)
    with (
        private_files(),
        standing_still(settings),
        held_keys(settings, alone=True),
        closing(open_database(key_place(settings))) as connection,
    ):
        yield connection
