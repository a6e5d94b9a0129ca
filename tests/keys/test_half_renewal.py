"""Both halves of the identity key renewed: every link goes along, and a kill loses nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final

import pytest

from exchange.errors import GroupElementInvalid, RuleBroken
from exchange.keys import ristretto
from exchange.keys.database import open_database
from exchange.keys.half_renewal import HalfBook, HalfStep, Stepped, half_name, is_stepped
from exchange.keys.identity import IdentityKeys, secret_name
from exchange.keys.kek import FileKek
from exchange.keys.keystore import KeyStore
from exchange.keys.link_renewal import take_over
from exchange.keys.links import LinkStore
from exchange.keys.second_party import half_of
from tests.databases.kept import word_of
from tests.e2e.service import REPOSITORY, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from exchange.databases.place import Place

FORMER, FOLLOWING = b"f" * 32, b"g" * 32
OWN, OWN_NEXT = IdentityKeys(b"1" * 32), IdentityKeys(b"2" * 32, 2)
TARGET: Final = b"target"


def person(number: int) -> bytes:
    return ristretto.from_uniform(str(number).encode().ljust(64, b"."))


def root(own: IdentityKeys, half: bytes, number: int) -> bytes:
    """By hand: k1·k2·H."""
    return ristretto.multiply(own._root, ristretto.multiply(half_of(half).secret, person(number)))


@pytest.fixture
def place(place_of: Callable[[str], Place]) -> Place:
    return place_of("keys.db")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[HalfBook]:
    with closing(HalfBook(tmp_path / "party.db")) as book:
        yield book


@pytest.fixture
def links(place: Place, tmp_path: Path) -> Iterator[Callable[[], LinkStore]]:
    with ExitStack() as opened:
        kek = FileKek(tmp_path / "kek", create=True)
        yield lambda: opened.enter_context(closing(LinkStore(place, kek)))


def stepping(book: HalfBook) -> Callable[[Sequence[bytes]], tuple[bytes, ...]]:
    half = HalfStep(FORMER, FOLLOWING, book)
    return lambda blinded: half.step(blinded).elements


# --- the second party -------------------------------------------------------------------------------------


def test_a_step_is_proved_against_both_public_keys_and_nothing_else_is(book: HalfBook) -> None:
    former, following = half_of(FORMER), half_of(FOLLOWING)
    book.begin(100)
    blinded = [person(number) for number in range(3)]
    made = HalfStep(FORMER, FOLLOWING, book).step(blinded)
    assert is_stepped(former.public, following.public, blinded, made)
    for before, after in zip(blinded, made.elements, strict=True):
        with_former = ristretto.multiply(former.secret, before)
        assert ristretto.multiply(former.secret, after) == ristretto.multiply(following.secret, before)
        assert after != with_former
    other = HalfStep(FORMER, b"x" * 32, book).step(blinded)
    forged = [
        other,
        made._replace(elements=other.elements),
        made._replace(public=other.public),
        made._replace(proof=other.proof),
        made._replace(elements=made.elements[:-1]),
        made._replace(elements=(*made.elements, person(9))),
        made._replace(elements=tuple(reversed(made.elements))),
        Stepped(made.elements, bytes(32), made.proof),
    ]
    assert [one for one in forged if is_stepped(former.public, following.public, blinded, one)] == []
    # A step to the same key by another scalar is not possible; one between other keys is not taken.
    assert not is_stepped(following.public, former.public, blinded, made)
    assert not is_stepped(former.public, former.public, blinded, made)


def test_so_many_are_taken_over_and_no_more_also_after_a_restart(book: HalfBook, tmp_path: Path) -> None:
    step = HalfStep(FORMER, FOLLOWING, book)
    with pytest.raises(RuleBroken) as early:
        step.step([person(1)])
    assert early.value.metadata["rule"] == "NO_RENEWAL"
    book.begin(3)
    step.step([person(1), person(2)])
    with closing(HalfBook(tmp_path / "party.db")) as again:
        with pytest.raises(RuleBroken) as beyond:
            HalfStep(FORMER, FOLLOWING, again).step([person(3), person(4)])
        assert beyond.value.metadata["rule"] == "RENEWAL_ALLOWED"
        with pytest.raises(GroupElementInvalid):
            HalfStep(FORMER, FOLLOWING, again).step([person(3), bytes(32)])
        HalfStep(FORMER, FOLLOWING, again).step([person(3)])
        assert again.taken() == 3
    # Its operator may allow more, and what was taken over counts on.
    book.begin(4)
    step.step([person(4)])
    with pytest.raises(RuleBroken):
        step.step([person(5)])


def test_the_former_half_goes_when_all_were_taken_over_and_not_before(book: HalfBook, tmp_path: Path) -> None:
    kek = FileKek(tmp_path / "kek", create=True)
    with closing(KeyStore(tmp_path / "party.db", kek)) as store:
        former, following = (store.service_secret(half_name(generation)) for generation in (1, 2))
        with pytest.raises(RuleBroken) as early:
            book.finish(0)
        assert early.value.metadata["rule"] == "NO_RENEWAL"
        book.begin(5)
        HalfStep(former, following, book).step([person(1), person(2)])
        with pytest.raises(RuleBroken) as short:
            book.finish(3)
        assert short.value.metadata["rule"] == "NOT_TAKEN_OVER"
        assert (book.generation(), store.service_secret(half_name(1))) == (1, former)
        assert book.finish(2) == book.generation() == 2
        assert (book.allowed(), book.taken()) == (None, 0)
        assert store.service_secret(half_name(2)) == following
    with closing(open_database(tmp_path / "party.db")) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM secret")]
    assert half_name(1) not in names


# --- the exchange -----------------------------------------------------------------------------------------


def test_every_link_goes_along_under_both_new_halves(links: Callable[[], LinkStore], book: HalfBook) -> None:
    store = links()
    store.bind_second_party(half_of(FORMER).public)
    for number in range(7):
        store.link(root(OWN, FORMER, number), f"r-{number}")
    book.begin(7)
    seen: list[bytes] = []
    stepped = stepping(book)

    def watched(blinded: Sequence[bytes]) -> tuple[bytes, ...]:
        seen.extend(blinded)
        return stepped(blinded)

    with pytest.raises(RuleBroken, match="not every link"):
        store.put_renewed(TARGET, half_of(FOLLOWING).public, secret_name(1))
    assert take_over(store, TARGET, OWN.step_to(OWN_NEXT), watched, batch=3) == 7
    # Until the end the former links hold.
    assert [store.resolve(root(OWN, FORMER, number)) for number in range(7)] == [f"r-{n}" for n in range(7)]
    assert store.put_renewed(TARGET, half_of(FOLLOWING).public, secret_name(1)) == 7
    assert (store.generation(), store.count(), store.second_party()) == (2, 7, half_of(FOLLOWING).public)
    again = links()
    for number in range(7):
        assert again.resolve(root(OWN_NEXT, FOLLOWING, number)) == f"r-{number}"
        assert again.resolve(root(OWN, FORMER, number)) is None
    # What the second party saw is no root, and no root's image under a step it could know.
    assert not set(seen) & {root(OWN, FORMER, number) for number in range(7)}


def test_whoever_is_erased_linked_or_renewed_to_another_key_in_between(
    links: Callable[[], LinkStore], book: HalfBook
) -> None:
    store = links()
    for number in range(4):
        store.link(root(OWN, FORMER, number), f"r-{number}")
    book.begin(50)
    take_over(store, b"another", OWN.step_to(OWN_NEXT), stepping(book))
    take_over(store, TARGET, OWN.step_to(OWN_NEXT), stepping(book))
    assert store.forget("r-2")
    store.link(root(OWN, FORMER, 9), "r-9")
    assert take_over(store, TARGET, OWN.step_to(OWN_NEXT), stepping(book)) == 1
    assert store.put_renewed(TARGET, b"", secret_name(1)) == 4
    found = [store.resolve(root(OWN_NEXT, FOLLOWING, number)) for number in (0, 1, 2, 3, 9)]
    assert found == ["r-0", "r-1", None, "r-3", "r-9"]
    (left,) = store._connection.execute("SELECT count(*) FROM link_renewed").fetchone()
    assert left == 0


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from exchange.keys import links as room
    from exchange.keys.half_renewal import HalfBook, HalfStep, half_name
    from exchange.keys.identity import IdentityKeys
    from exchange.keys.kek import FileKek
    from exchange.keys.link_renewal import take_over
    from tests.databases.kept import place_named

    folder, place, at = Path(sys.argv[1]), place_named(sys.argv[2]), sys.argv[3]
    store = room.LinkStore(place, FileKek(folder / "kek"))
    half = HalfStep(b"f" * 32, b"g" * 32, HalfBook(folder / "party.db"))
    left = [2]

    def killed(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def stepped(blinded):
        left[0] -= 1
        made = half.step(blinded).elements
        if left[0] < 0 and at == "asked":
            killed()
        return made

    whole = store.renew
    if at == "renewed":
        store.renew = lambda *given: (whole(*given), killed())
    if at == "put":
        store._next_generation = killed
    if at == "scrubbed":
        room.scrub = killed
    own = IdentityKeys(b"1" * 32).step_to(IdentityKeys(b"2" * 32, 2))
    take_over(store, b"target", own, stepped, batch=4)
    store.put_renewed(b"target", b"", "identity")
"""


@pytest.fixture
def killed(place: Place, tmp_path: Path) -> Callable[[str], int]:
    """Takes over in a process of its own that kills itself there; returns how it ended."""
    return lambda at: (
        subprocess.run(  # noqa: S603 -- our own program
            [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), word_of(place), at],
            check=False,
            cwd=REPOSITORY,
            env=environment(),
            timeout=60,
        ).returncode
    )


@pytest.mark.parametrize(
    "moment",
    [("asked", 4, 1), ("renewed", 8, 1), ("put", 0, 1), ("scrubbed", 0, 2)],
    ids=["asked", "renewed", "put", "scrubbed"],
)
def test_killed_anywhere_it_goes_on_behind_what_was_taken_over(
    links: Callable[[], LinkStore], book: HalfBook, killed: Callable[[str], int], moment: tuple[str, int, int]
) -> None:
    at, again, generation = moment
    store = links()
    for number in range(12):
        store.link(root(OWN, FORMER, number), f"r-{number}")
    store.close()
    book.begin(16)
    assert killed(at) == -signal.SIGKILL
    store = links()
    assert store.generation() == generation
    if generation == 1:
        assert store.resolve(root(OWN, FORMER, 5)) == "r-5"
        # One batch more than there are links was allowed: whoever dies asks for one twice at most.
        assert take_over(store, TARGET, OWN.step_to(OWN_NEXT), stepping(book), batch=4) == again
        assert store.put_renewed(TARGET, b"", secret_name(1)) == 12
    for number in range(12):
        assert store.resolve(root(OWN_NEXT, FOLLOWING, number)) == f"r-{number}"
