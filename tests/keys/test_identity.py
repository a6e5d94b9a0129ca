"""Pseudonyms: each organisation its own, one root behind them, no BSN anywhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exchange.errors import GroupElementInvalid, KeyUnavailable, RuleBroken, SealBroken
from exchange.keys import ristretto
from exchange.keys.identity import IdentityKeys, IdentityResolver
from exchange.keys.kek import FileKek
from exchange.keys.links import LinkStore
from tests.databases.kept import Faulty, let_it_read_only, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.databases.place import Place

MUNICIPALITY, PROVIDER = "00000001001234567000", "00000003123456780000"
KEYS = IdentityKeys(bytes(range(32)))
few = settings(max_examples=25, deadline=None)
uniform = st.binary(min_size=64, max_size=64)
oins = st.text(alphabet="0123456789", min_size=20, max_size=20)


def person(name: bytes) -> bytes:
    """The hash of an identifier to the group; which hash does not matter here."""
    return ristretto.from_uniform(name.ljust(64, b"."))


ANNA, BRAM = person(b"anna"), person(b"bram")


@pytest.fixture
def place(place_of: Callable[[str], Place]) -> Place:
    return place_of("keys.db")


@pytest.fixture
def links(place: Place, tmp_path: Path) -> Iterator[Callable[..., LinkStore]]:
    stores: list[LinkStore] = []

    def open_again(kek: str = "kek") -> LinkStore:
        stores.append(LinkStore(place, FileKek(tmp_path / kek, create=True)))
        return stores[-1]

    yield open_again
    for store in stores:
        store.close()


@few
@given(who=uniform, one=oins, other=oins)
def test_translation_commutes_with_the_root(who: bytes, one: str, other: str) -> None:
    element = ristretto.from_uniform(who)
    assume(element != ristretto.IDENTITY)
    pseudonym_one, pseudonym_other = (KEYS.evaluate(oin, element).element for oin in (one, other))
    assert KEYS.translate(one, other, pseudonym_one) == pseudonym_other
    root = KEYS.root(one, pseudonym_one)
    assert root == KEYS.root(other, pseudonym_other)
    assert KEYS.pseudonym_for(other, root) == pseudonym_other


def test_organisations_have_unlike_pseudonyms_of_one_resident() -> None:
    seen = {KEYS.evaluate(f"{number:020}", ANNA).element for number in range(20)}
    assert len(seen) == 20
    assert ANNA not in seen
    assert KEYS.root(MUNICIPALITY, KEYS.evaluate(MUNICIPALITY, ANNA).element) not in seen


def test_two_residents_have_unlike_roots() -> None:
    roots = {KEYS.root(PROVIDER, KEYS.evaluate(PROVIDER, who).element) for who in (ANNA, BRAM)}
    assert len(roots) == 2


def test_the_same_master_gives_the_same_keys_and_another_others() -> None:
    assert IdentityKeys(bytes(range(32))).public_key(PROVIDER) == KEYS.public_key(PROVIDER)
    other = IdentityKeys(bytes(32))
    assert other.public_key(PROVIDER) != KEYS.public_key(PROVIDER)
    assert other.evaluate(PROVIDER, ANNA).element != KEYS.evaluate(PROVIDER, ANNA).element


def test_the_derivation_never_changes() -> None:
    # Every stored link depends on it. The value was computed once and is kept here for ever.
    assert (
        KEYS.public_key(PROVIDER).hex() == "30f8e63e2675ec8ac02926849810b754f27e83b4f124d80aa7c71faba53d8e79"
    )


@pytest.mark.parametrize("master", [b"", bytes(31), bytes(33)])
def test_a_master_of_another_length_is_refused(master: bytes) -> None:
    with pytest.raises(KeyUnavailable):
        IdentityKeys(master)


@pytest.mark.parametrize("bad", [b"", bytes(32), b"\xff" * 32, ANNA[:31], b"\x01" + bytes(31)], ids=range(5))
def test_what_is_no_element_is_refused_everywhere(bad: bytes, links: Callable[..., LinkStore]) -> None:
    resolver = IdentityResolver(KEYS, links())
    attempts: list[Callable[[], object]] = [
        lambda: KEYS.evaluate(PROVIDER, bad),
        lambda: KEYS.root(PROVIDER, bad),
        lambda: KEYS.pseudonym_for(PROVIDER, bad),
        lambda: KEYS.translate(PROVIDER, MUNICIPALITY, bad),
        lambda: resolver.resolve(PROVIDER, bad),
        lambda: resolver.link(PROVIDER, bad, "r-1"),
    ]
    for attempt in attempts:
        with pytest.raises(GroupElementInvalid):
            attempt()


def test_a_linked_resident_is_found_by_each_organisation(links: Callable[..., LinkStore]) -> None:
    resolver = IdentityResolver(KEYS, links())
    pseudonyms = {oin: KEYS.evaluate(oin, ANNA).element for oin in (MUNICIPALITY, PROVIDER)}
    assert resolver.resolve(PROVIDER, pseudonyms[PROVIDER]) is None
    assert resolver.link(MUNICIPALITY, pseudonyms[MUNICIPALITY], "r-anna") == "r-anna"
    assert resolver.resolve(PROVIDER, pseudonyms[PROVIDER]) == "r-anna"
    assert resolver.resolve(PROVIDER, pseudonyms[MUNICIPALITY]) is None
    assert resolver.pseudonym_of(PROVIDER, "r-anna") == pseudonyms[PROVIDER]
    assert resolver.pseudonym_of(PROVIDER, "r-bram") is None
    restarted = IdentityResolver(KEYS, links())
    assert restarted.resolve(MUNICIPALITY, pseudonyms[MUNICIPALITY]) == "r-anna"


def test_the_first_ref_wins(links: Callable[..., LinkStore]) -> None:
    first, second = links(), links()
    assert first.link(ANNA, "r-1") == "r-1"
    assert first.link(ANNA, "r-1") == "r-1"
    assert second.link(ANNA, "r-2") == "r-1"
    assert second.resolve(ANNA) == "r-1"
    assert second.root_of("r-2") is None


def test_many_who_link_at_once_get_one_ref(links: Callable[..., LinkStore]) -> None:
    stores = [links() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        refs = list(pool.map(lambda pair: pair[1].link(ANNA, f"r-{pair[0]}"), enumerate(stores)))
    assert len(set(refs)) == 1
    assert links().resolve(ANNA) == refs[0]


def test_a_ref_has_one_root(links: Callable[..., LinkStore]) -> None:
    store = links()
    store.link(ANNA, "r-1")
    with pytest.raises(RuleBroken) as refused:
        store.link(BRAM, "r-1")
    assert "r-1" not in str(refused.value)
    assert store.resolve(BRAM) is None


def test_an_erased_link_is_gone_from_cache_and_disk(links: Callable[..., LinkStore], place: Place) -> None:
    store = links()
    resolver = IdentityResolver(KEYS, store)
    pseudonym = KEYS.evaluate(PROVIDER, ANNA).element
    resolver.link(PROVIDER, pseudonym, "r-1")
    resolver.link(PROVIDER, KEYS.evaluate(PROVIDER, BRAM).element, "r-2")
    (sealed,) = store._connection.execute("SELECT sealed FROM link LIMIT 1").fetchone()
    assert resolver.resolve(PROVIDER, pseudonym) == "r-1"
    assert resolver.forget("r-1")
    assert not resolver.forget("r-1")
    assert resolver.resolve(PROVIDER, pseudonym) is None
    assert resolver.resolve(PROVIDER, KEYS.evaluate(PROVIDER, BRAM).element) == "r-2"
    assert resolver.link(PROVIDER, pseudonym, "r-3") == "r-3"
    resolver.forget("r-2")
    assert sealed not in stored(place)


def test_an_answer_read_before_an_erasure_does_not_enter_the_cache_after_it(
    links: Callable[..., LinkStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = links()
    resolver = IdentityResolver(KEYS, store)
    pseudonym = KEYS.evaluate(PROVIDER, ANNA).element
    resolver.link(PROVIDER, pseudonym, "r-1")
    slow = IdentityResolver(KEYS, store)
    read = store.resolve

    def read_then_erase(root: bytes) -> str | None:
        found = read(root)
        slow.forget("r-1")
        return found

    monkeypatch.setattr(store, "resolve", read_then_erase)
    assert slow.resolve(PROVIDER, pseudonym) == "r-1"
    monkeypatch.setattr(store, "resolve", read)
    assert slow.resolve(PROVIDER, pseudonym) is None


def test_the_cache_of_pseudonyms_is_bounded(links: Callable[..., LinkStore]) -> None:
    resolver = IdentityResolver(KEYS, links(), cached_pseudonyms_max=3)
    for number in range(10):
        pseudonym = KEYS.evaluate(PROVIDER, person(b"%d" % number)).element
        assert resolver.link(PROVIDER, pseudonym, f"r-{number}") == f"r-{number}"
    assert len(resolver._refs) == 3


def test_the_disk_holds_no_ref_and_no_root_in_clear(links: Callable[..., LinkStore], place: Place) -> None:
    links().link(ANNA, "resident-ref-of-anna")
    content = stored(place)
    assert content
    assert b"resident-ref" not in content
    assert ANNA not in content


def test_a_row_moved_to_another_root_or_ref_breaks_its_seal(links: Callable[..., LinkStore]) -> None:
    store = links()
    store.link(ANNA, "r-1")
    store.link(BRAM, "r-2")
    other = store._connection
    other.execute(
        "UPDATE link SET sealed = (SELECT sealed FROM link WHERE root_mac = ?) WHERE root_mac = ?",
        (store._root_mac(ANNA), store._root_mac(BRAM)),
    )
    with pytest.raises(SealBroken):
        store.resolve(BRAM)
    with pytest.raises(SealBroken):
        store.link(BRAM, "r-2")
    other.execute(
        "UPDATE link SET ref_mac = ? WHERE root_mac = ?", (store._ref_mac("r-9"), store._root_mac(ANNA))
    )
    with pytest.raises(SealBroken):
        store.root_of("r-9")


def test_an_altered_link_breaks_its_seal(links: Callable[..., LinkStore]) -> None:
    store = links()
    store.link(ANNA, "r-1")
    for sealed in (b"", b"short", bytes(90)):
        store._connection.execute("UPDATE link SET sealed = ?", (sealed,))
        with pytest.raises(SealBroken):
            store.resolve(ANNA)


def test_another_kek_opens_no_link(links: Callable[..., LinkStore]) -> None:
    links().link(ANNA, "r-1")
    with pytest.raises(KeyUnavailable, match="another KEK"):
        links(kek="other")


def test_a_link_that_could_not_be_written_is_not_reported(
    links: Callable[..., LinkStore], place: Place
) -> None:
    store = links()
    let_it_read_only(store._connection, place)
    with pytest.raises(KeyUnavailable):
        store.link(ANNA, "r-1")
    assert store.resolve(ANNA) is None


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "kept"])
def test_a_link_reported_lost_is_made_once(
    links: Callable[..., LinkStore], monkeypatch: pytest.MonkeyPatch, *, persisted: bool
) -> None:
    store = links()
    with monkeypatch.context() as fault:
        fault.setattr(store, "_connection", Faulty(store._connection, persisted=persisted))
        with pytest.raises(KeyUnavailable):
            store.link(ANNA, "r-1")
    assert store.link(ANNA, "r-2") == ("r-1" if persisted else "r-2")
    assert links().count() == 1


def test_a_closed_store_answers_nothing(links: Callable[..., LinkStore]) -> None:
    store = links()
    store.close()
    with pytest.raises(KeyUnavailable):
        store.resolve(ANNA)
