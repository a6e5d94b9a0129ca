"""Another KEK and new key versions: from any kind to any kind, ended anywhere, and nothing lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from exchange.errors import KeyUnavailable, RuleBroken
from exchange.keys.database import open_database
from exchange.keys.datakey import LEDGER_CATEGORY
from exchange.keys.kek import FileKek, Kek, KekRing
from exchange.keys.keystore import KeyStore
from exchange.keys.links import LinkStore
from exchange.keys.renewal import renew, rewrap, wrappings
from tests.databases.kept import stored, word_of
from tests.e2e.service import REPOSITORY, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.databases.place import Place
    from tests.softhsm import SoftToken

CATEGORIES: Final = ("WONEN", "ARBEID", LEDGER_CATEGORY)
RESIDENTS: Final = 7
KEYS: Final = RESIDENTS * len(CATEGORIES)
SECRETS: Final = 3
Known = dict[tuple[str, str, int], bytes]


def filled(place: Place, kek: Kek) -> Known:
    """Make keys of residents, secrets and the links' own; return the bytes of each key."""
    known: Known = {}
    with closing(KeyStore(place, kek)) as store:
        for number in range(RESIDENTS):
            for category in CATEGORIES:
                key = store.obtain(f"r-{number}", category)
                known[key.resident_ref, category, 1] = key.material
        store.flush()
        store.service_secret("identity")
        store.service_secret("log-pseudonym")
    LinkStore(place, kek).close()
    return known


def read(place: Place, kek: Kek, known: Known) -> tuple[Known, bytes]:
    """Return the same keys, opened anew, and a secret."""
    with closing(KeyStore(place, kek)) as store:
        return {name: store.open_key(*name).material for name in known}, store.service_secret("identity")


class Ending:
    """A KEK that fails after so many wrappings, as a token does that is pulled out."""

    def __init__(self, kek: Kek, left: int) -> None:
        self._kek, self._left, self.key_id = kek, left, kek.key_id

    def wrap(self, key: bytes, associated: bytes) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise KeyUnavailable("the hardware module does not answer")
        return self._kek.wrap(key, associated)

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        return self._kek.unwrap(wrapped, associated)


@pytest.fixture
def place(place_of: Callable[[str], Place]) -> Place:
    return place_of("keys.db")


@pytest.fixture
def keks(tmp_path: Path) -> tuple[Kek, KekRing]:
    """A KEK, and the ring of another that knows it."""
    return ring_of(*(FileKek(tmp_path / name, create=True) for name in ("old", "new")))


def ring_of(former: Kek, following: Kek) -> tuple[Kek, KekRing]:
    return former, KekRing(following, lambda key_id: former if key_id == former.key_id else None)


@pytest.fixture(params=["file to hsm", "hsm to hsm", "hsm to file"])
def any_keks(
    request: pytest.FixtureRequest, soft_token: SoftToken, tmp_path: Path
) -> Iterator[tuple[Kek, KekRing]]:
    hsm = soft_token.hsm()

    def made(kind: str, name: str) -> Kek:
        if kind == "file":
            return FileKek(tmp_path / name, create=True)
        return hsm.create(f"{name}-{tmp_path.name}-{request.param}")

    former, _, following = request.param.partition(" to ")
    yield ring_of(made(former, "old"), made(following, "new"))
    hsm.close()


# --- another KEK -----------------------------------------------------------------------------------------


def test_every_key_and_secret_goes_to_any_other_kek(place: Place, any_keks: tuple[Kek, KekRing]) -> None:
    former, ring = any_keks
    known = filled(place, former)
    before = read(place, former, known)
    with closing(open_database(place)) as connection:
        assert wrappings(connection) == {former.key_id: KEYS + SECRETS}
        assert rewrap(connection, ring, step_rows=5) == KEYS + SECRETS
        assert wrappings(connection) == {ring.key_id: KEYS + SECRETS}
        assert rewrap(connection, ring) == 0
    assert read(place, ring.current, known) == before
    with pytest.raises(KeyUnavailable, match="another KEK"):
        read(place, former, known)


@pytest.mark.parametrize("step_rows", [1, 2, KEYS - 1, KEYS, KEYS + 1])
def test_steps_of_any_size_leave_nothing_behind(
    place: Place, keks: tuple[Kek, KekRing], step_rows: int
) -> None:
    former, ring = keks
    known = filled(place, former)
    with closing(open_database(place)) as connection:
        assert rewrap(connection, ring, step_rows) == KEYS + SECRETS
    assert read(place, ring.current, known)[0] == known


@pytest.mark.parametrize("left", [0, 1, 4, 5, KEYS - 1, KEYS, KEYS + 1, KEYS + SECRETS - 1])
def test_ended_anywhere_whole_steps_stay_and_it_goes_on(
    place: Place, keks: tuple[Kek, KekRing], left: int
) -> None:
    former, ring = keks
    known = filled(place, former)
    before = read(place, former, known)
    ending = KekRing(Ending(ring.current, left), ring.named)
    with closing(open_database(place)) as connection:
        with pytest.raises(KeyUnavailable):
            rewrap(connection, ending, step_rows=4)
        done = wrappings(connection).get(ring.key_id, 0)
        assert done == min(left - left % 4, KEYS) if left < KEYS else done == KEYS
        # Mixed, every key opens for who knows both; who knows one is told of the other.
        assert read(place, ring, known) == before
        with pytest.raises(KeyUnavailable, match="another KEK"):
            read(place, ring.current, known)
        assert rewrap(connection, ring, step_rows=4) == KEYS + SECRETS - done
    assert read(place, ring.current, known) == before


def test_a_key_that_does_not_open_stops_it_by_name(place: Place, keks: tuple[Kek, KekRing]) -> None:
    former, ring = keks
    filled(place, former)
    with closing(open_database(place)) as connection:
        connection.execute("UPDATE data_key SET wrapped = ? WHERE resident_ref = 'r-3'", (bytes(60),))
        with pytest.raises(KeyUnavailable, match="does not open") as refused:
            rewrap(connection, ring, step_rows=3)
        assert "r-3" not in str(refused.value)
        assert wrappings(connection) == {ring.key_id: 9, former.key_id: KEYS + SECRETS - 9}


def test_a_kek_nobody_knows_changes_nothing(place: Place, keks: tuple[Kek, KekRing]) -> None:
    former, ring = keks
    known = filled(place, former)
    with closing(open_database(place)) as connection:
        with pytest.raises(KeyUnavailable, match="another KEK"):
            rewrap(connection, KekRing(ring.current, lambda _: None))
        assert wrappings(connection) == {former.key_id: KEYS + SECRETS}
    assert read(place, former, known)[0] == known


def test_a_new_kek_that_opens_something_else_is_not_believed(place: Place, keks: tuple[Kek, KekRing]) -> None:
    former, ring = keks

    class Lying(Ending):
        def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
            return bytes(len(super().unwrap(wrapped, associated)))

    known = filled(place, former)
    with closing(open_database(place)) as connection, pytest.raises(KeyUnavailable, match="another key"):
        rewrap(connection, KekRing(Lying(ring.current, 10**6), ring.named))
    assert read(place, former, known)[0] == known


def test_the_former_wrappings_are_gone_from_the_files(place: Place, keks: tuple[Kek, KekRing]) -> None:
    former, ring = keks
    filled(place, former)
    with closing(open_database(place)) as connection:
        old = [
            row[0]
            for row in connection.execute("SELECT wrapped FROM data_key UNION SELECT wrapped FROM secret")
        ]
        rewrap(connection, ring)
        lies = stored(place)
        new = [row[0] for row in connection.execute("SELECT wrapped FROM data_key")]
    assert len(old) == KEYS + SECRETS
    assert not [one for one in old if one in lies]
    assert all(one in lies for one in new)


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from exchange.keys import renewal
    from exchange.keys.database import open_database
    from exchange.keys.kek import FileKek, KekRing
    from tests.databases.kept import place_named

    folder, what, left = Path(sys.argv[1]), sys.argv[2], [int(sys.argv[3])]
    place = place_named(sys.argv[4])
    old, new = (FileKek(folder / name) for name in ("old", "new"))
    whole = new.wrap

    def counted(key, associated):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(key, associated)

    new.wrap = counted
    connection = open_database(place)
    if what == "rewrap":
        renewal.rewrap(connection, KekRing(new, {old.key_id: old}.get), 4)
    else:
        renewal.renew(connection, new, step_rows=4)
"""


def killed(folder: Path, place: Place, what: str, left: int) -> None:
    ended = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", textwrap.dedent(KILLED), str(folder), what, str(left), word_of(place)],
        check=False,
        cwd=REPOSITORY,
        env=environment(),
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize("left", [0, 6, KEYS + 1])
def test_killed_anywhere_it_goes_on(
    place: Place, tmp_path: Path, keks: tuple[Kek, KekRing], left: int
) -> None:
    former, ring = keks
    known = filled(place, former)
    before = read(place, former, known)
    killed(tmp_path, place, "rewrap", left)
    assert read(place, ring, known) == before
    with closing(open_database(place)) as connection:
        done = wrappings(connection).get(ring.key_id, 0)
        assert done == (left // 4 * 4 if left < KEYS else KEYS)
        rewrap(connection, ring)
    assert read(place, ring.current, known) == before


# --- new versions of keys --------------------------------------------------------------------------------


def newest(place: Place, kek: Kek) -> dict[tuple[str, str], int]:
    with closing(KeyStore(place, kek)) as store:
        return {
            (f"r-{number}", category): store.obtain(f"r-{number}", category).version
            for number in range(RESIDENTS)
            for category in CATEGORIES
        }


@pytest.mark.parametrize("step_rows", [1, 3, 2 * RESIDENTS, 500])
def test_what_is_written_next_gets_a_new_key_and_former_ones_open(
    place: Place, keks: tuple[Kek, KekRing], step_rows: int
) -> None:
    kek, _ = keks
    known = filled(place, kek)
    with closing(open_database(place)) as connection:
        assert renew(connection, kek, step_rows=step_rows) == 2 * RESIDENTS
        assert newest(place, kek) == {name[:2]: 1 if name[1] == LEDGER_CATEGORY else 2 for name in known}
        assert renew(connection, kek, "WONEN", step_rows=step_rows) == RESIDENTS
    assert {version for (_, category), version in newest(place, kek).items() if category == "WONEN"} == {3}
    assert {version for (_, category), version in newest(place, kek).items() if category == "ARBEID"} == {2}
    assert read(place, kek, known)[0] == known


def test_the_key_of_pseudonyms_is_never_renewed(place: Place, keks: tuple[Kek, KekRing]) -> None:
    kek, _ = keks
    filled(place, kek)
    with closing(open_database(place)) as connection, pytest.raises(RuleBroken, match="pseudonyms"):
        renew(connection, kek, LEDGER_CATEGORY)
    assert set(newest(place, kek).values()) == {1}


@pytest.mark.parametrize("left", [0, 3, 4, 6, 2 * RESIDENTS - 1])
def test_ended_anywhere_each_gets_one_new_version(place: Place, keks: tuple[Kek, KekRing], left: int) -> None:
    kek, _ = keks
    known = filled(place, kek)
    with closing(open_database(place)) as connection:
        with pytest.raises(KeyUnavailable):
            renew(connection, Ending(kek, left), step_rows=4)
        assert renew(connection, kek, step_rows=4) == 2 * RESIDENTS - left // 4 * 4
        assert connection.execute("SELECT count(*) FROM renewal").fetchone() == (0,)
    assert newest(place, kek) == {name[:2]: 1 if name[1] == LEDGER_CATEGORY else 2 for name in known}


def test_killed_in_the_middle_each_gets_one_new_version(
    place: Place, tmp_path: Path, keks: tuple[Kek, KekRing]
) -> None:
    _, ring = keks
    known = filled(place, ring.current)
    killed(tmp_path, place, "renew", 6)
    with closing(open_database(place)) as connection:
        assert renew(connection, ring, step_rows=4) == 2 * RESIDENTS - 4
    assert newest(place, ring) == {name[:2]: 1 if name[1] == LEDGER_CATEGORY else 2 for name in known}


def test_who_was_erased_gets_no_new_key(place: Place, keks: tuple[Kek, KekRing]) -> None:
    kek, _ = keks
    filled(place, kek)
    with closing(KeyStore(place, kek)) as store:
        store.destroy("r-3")
    with closing(open_database(place)) as connection:
        assert renew(connection, kek) == 2 * (RESIDENTS - 1)
        found = connection.execute("SELECT count(*) FROM data_key WHERE resident_ref = 'r-3'").fetchone()
    assert found == (0,)
