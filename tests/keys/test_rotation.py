"""A new identity key: every link goes along or none does, and what is older is refused by name."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters.sdk.blinding import tagged as tagged_by_sdk
from exchange.errors import GroupElementInvalid, KeyUnavailable, PseudonymOutdated, SealBroken
from exchange.keys import ristretto
from exchange.keys.identity import IdentityKeys, IdentityResolver, secret_name, tagged
from exchange.keys.kek import FileKek
from exchange.keys.keystore import KeyStore
from exchange.keys.links import LinkStore
from tests.databases.kept import let_it_read_only, stored, word_of
from tests.e2e.service import REPOSITORY, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.databases.place import Place

OIN, OTHER = "00000001001234567000", "00000003123456780000"
FORMER, FOLLOWING = IdentityKeys(b"1" * 32), IdentityKeys(b"2" * 32, 2)
uniform = st.binary(min_size=64, max_size=64)


def person(number: int) -> bytes:
    return ristretto.from_uniform(str(number).encode().ljust(64, b"."))


@pytest.fixture
def place(place_of: Callable[[str], Place]) -> Place:
    return place_of("keys.db")


@pytest.fixture
def links(place: Place, tmp_path: Path) -> Iterator[Callable[[], LinkStore]]:
    opened: list[LinkStore] = []

    def open_again() -> LinkStore:
        opened.append(LinkStore(place, FileKek(tmp_path / "kek", create=True)))
        return opened[-1]

    yield open_again
    for store in opened:
        store.close()


@settings(max_examples=25, deadline=None)
@given(who=uniform, generation=st.integers(1, 9))
def test_a_pseudonym_shows_its_generation_and_the_sdk_writes_it_alike(who: bytes, generation: int) -> None:
    element = ristretto.from_uniform(who)
    assume(element != ristretto.IDENTITY)
    keys = IdentityKeys(bytes(range(32)), generation)
    pseudonym = tagged(keys.evaluate(OIN, element).element, generation)
    assert tagged_by_sdk(keys.evaluate(OIN, element).element, generation) == pseudonym
    assert keys.pseudonym_for(OIN, keys.root(OIN, pseudonym)) == pseudonym
    assert keys.root(OTHER, keys.translate(OIN, OTHER, pseudonym)) == keys.root(OIN, pseudonym)
    for step in (1, 2, 3):
        with pytest.raises(PseudonymOutdated):
            IdentityKeys(bytes(range(32)), generation + step).root(OIN, pseudonym)


@pytest.mark.parametrize("generation", [1, 2, 3, 4])
@pytest.mark.parametrize("bad", [b"", bytes(31), bytes(32), b"\x01" + bytes(31), b"\xff" * 32], ids=range(5))
def test_what_is_no_element_is_no_pseudonym_of_any_generation(bad: bytes, generation: int) -> None:
    with pytest.raises(GroupElementInvalid):
        IdentityKeys(b"1" * 32, generation).root(OIN, bad)


def test_every_link_goes_along_and_the_former_secret_is_gone(
    links: Callable[[], LinkStore], place: Place, tmp_path: Path
) -> None:
    with closing(KeyStore(place, FileKek(tmp_path / "kek", create=True))) as keys:
        secrets = [keys.service_secret(secret_name(generation)) for generation in (1, 2)]
    former, following = (IdentityKeys(secret, n) for n, secret in enumerate(secrets, 1))
    store = links()
    before = {n: former.evaluate(OIN, person(n)).element for n in range(5)}
    for number, pseudonym in before.items():
        store.link(former.root(OIN, pseudonym), f"r-{number}")
    (wrapped,) = store._connection.execute("SELECT wrapped FROM secret WHERE name = 'identity'").fetchone()
    assert store.rekey(former.step_to(following), secret_name(1)) == 5
    assert store.generation() == links().generation() == 2
    resolver = IdentityResolver(following, links())
    for number, outdated in before.items():
        renewed = tagged(following.evaluate(OIN, person(number)).element, 2)
        assert resolver.resolve(OIN, renewed) == f"r-{number}"
        assert resolver.pseudonym_of(OIN, f"r-{number}") == renewed
        with pytest.raises(PseudonymOutdated) as refused:
            resolver.resolve(OIN, outdated)
        assert "blind the BSN again" in refused.value.remedy
    # Told alike of somebody nobody knows: the link is not looked at.
    with pytest.raises(PseudonymOutdated):
        resolver.resolve(OIN, former.evaluate(OIN, person(99)).element)
    assert resolver.resolve(OIN, tagged(following.evaluate(OIN, person(99)).element, 2)) is None
    assert wrapped not in stored(place)


def test_a_process_that_still_has_the_former_key_links_nobody(links: Callable[[], LinkStore]) -> None:
    running, renewing = links(), links()
    running.link(person(1), "r-1")
    renewing.rekey(FORMER.step_to(FOLLOWING), "identity")
    with pytest.raises(KeyUnavailable, match="restart"):
        running.link(person(2), "r-2")
    assert (running.count(), renewing.link(person(3), "r-3")) == (1, "r-3")


def test_one_broken_link_changes_nothing(links: Callable[[], LinkStore]) -> None:
    store = links()
    for number in range(4):
        store.link(person(number), f"r-{number}")
    store._connection.execute(
        "UPDATE link SET sealed = ? WHERE ref_mac = ?", (bytes(90), store._ref_mac("r-3"))
    )
    with pytest.raises(SealBroken):
        store.rekey(FORMER.step_to(FOLLOWING), "identity")
    assert store.generation() == 1
    assert [links().resolve(person(number)) for number in range(3)] == ["r-0", "r-1", "r-2"]


def test_a_disk_that_does_not_write_changes_nothing(links: Callable[[], LinkStore], place: Place) -> None:
    store = links()
    store.link(person(1), "r-1")
    let_it_read_only(store._connection, place)
    with pytest.raises(KeyUnavailable):
        store.rekey(FORMER.step_to(FOLLOWING), "identity")
    assert (store.generation(), store.resolve(person(1))) == (1, "r-1")


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from exchange.keys import links as room
    from exchange.keys.kek import FileKek
    from exchange.keys.identity import IdentityKeys
    from tests.databases.kept import place_named

    folder, place, left = Path(sys.argv[1]), place_named(sys.argv[2]), [int(sys.argv[3])]
    store = room.LinkStore(place, FileKek(folder / "kek"))
    whole = room.multiply

    def counted(scalar, point):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(scalar, point)

    def killed(connection):
        os.kill(os.getpid(), signal.SIGKILL)

    room.multiply, room.scrub = counted, killed
    step = IdentityKeys(b"1" * 32).step_to(IdentityKeys(b"2" * 32, 2))
    store.rekey(step, "identity")
"""


@pytest.mark.parametrize("moment", [(0, 1), (7, 1), (20, 2)], ids=["first", "middle", "after"])
def test_killed_at_any_moment_it_is_the_former_or_the_new_generation_whole(
    links: Callable[[], LinkStore], place: Place, tmp_path: Path, moment: tuple[int, int]
) -> None:
    done, generation = moment
    store = links()
    for number in range(20):
        store.link(FORMER.root(OIN, FORMER.evaluate(OIN, person(number)).element), f"r-{number}")
    store.close()
    ended = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), word_of(place), str(done)],
        check=False,
        cwd=REPOSITORY,
        env=environment(),
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL
    again = links()
    assert again.generation() == generation
    if generation == 1:
        for number in range(20):
            root = FORMER.root(OIN, FORMER.evaluate(OIN, person(number)).element)
            assert again.resolve(root) == f"r-{number}"
        again.rekey(FORMER.step_to(FOLLOWING), "identity")
    for number in range(20):
        root = FOLLOWING.root(OIN, tagged(FOLLOWING.evaluate(OIN, person(number)).element, 2))
        assert again.resolve(root) == f"r-{number}"
