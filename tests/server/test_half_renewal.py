"""Both halves renewed between two parties: the case is found by new pseudonyms, and the ledger says so."""

from __future__ import annotations

import socket
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.bsn import Bsn
from adapters.sdk.residents import Pseudonyms
from exchange.domain.service_keys import KeyPutInUse
from exchange.errors import (
    GroupElementInvalid,
    SecondPartyRefused,
    SecondPartyUnavailable,
    SettingsInvalid,
)
from exchange.keys.half_renewal import STEP_ELEMENTS_MAX, HalfBook, HalfStep, Stepped
from exchange.keys.links import LinkStore
from exchange.keys.second_party import SecondPartyKey, half_of
from exchange.server.party.frames import STEP, Word, framed
from exchange.store.verify import verify_store
from exchange.wiring.core import key_file, open_core, utc_now
from exchange.wiring.kek import open_kek
from exchange.wiring.key_events import tell_keys
from exchange.wiring.parties import second_party_of
from exchange.wiring.rotation import identity_public_key, rotate_both_halves
from tests.server.story import Story
from tests.server.test_second_party import ANNA, GOOD, SHARE, Party, party, raw, town_with
from tests.server.town import CITY, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from exchange.settings import Settings

__all__ = ["party"]
FORMER, FOLLOWING = b"2" * 32, b"3" * 32
NEXT = half_of(FOLLOWING).public


@pytest.fixture
def book(party: Party, tmp_path: Path) -> Iterator[HalfBook]:
    with closing(HalfBook(tmp_path / "party.db")) as book:
        party.steps = HalfStep(FORMER, FOLLOWING, book)
        yield book


def finished(party: Party, book: HalfBook, links: int, folder: Path) -> None:
    """What the second party's operator does last, and that it serves again."""
    book.finish(links)
    party.steps = None
    party.key.close()
    party.key = party.answers = SecondPartyKey(FOLLOWING, folder / "party.db", SHARE, lambda: party.now)


def test_the_case_is_found_under_both_new_halves_and_the_ledger_tells_of_both(
    party: Party, book: HalfBook, tmp_path: Path
) -> None:
    pin = tmp_path / "exchange.pin"
    with town_with(party, tmp_path) as town:
        town.register_notice("folder-1", b"\1" * 32)
        story = Story(town, next(town.bsns))
        (before,) = Pseudonyms(pin).of(story.wmo.identity, INVESTIGATE, [Bsn(story.bsn)])
        settings = town.settings
    core = open_core(settings)
    tell_keys(core, utc_now())
    core.close()
    # The door says no until the second party's operator allowed it.
    with pytest.raises(SecondPartyRefused, match="began no renewal"):
        rotate_both_halves(settings, NEXT)
    book.begin(1)
    with pytest.raises(SecondPartyRefused, match="two public keys"):
        rotate_both_halves(settings, GOOD)
    book.begin(2)
    done = rotate_both_halves(settings, NEXT)
    assert (done.generation, done.links) == (2, 1)
    assert rotate_both_halves(settings, NEXT) == done
    finished(party, book, 1, tmp_path)
    kek = open_kek(settings)
    links = LinkStore(key_file(settings), kek)
    with pytest.raises(SettingsInvalid, match="linked with another second party"):
        second_party_of(settings, links)
    links.close()
    kek.close()
    tells_of_both(settings.model_copy(update={"identity_second_party_key": NEXT.hex()}))
    with town_with(party, tmp_path, identity_second_party_key=NEXT.hex()) as town:
        worker = town.worker("college:WMO", f"w-{story.bsn[-5:]}")
        with pytest.raises(errors.Invalid) as refused:
            worker.case.find_case(claim=INVESTIGATE, resident=before, fields=["case_id"])
        assert refused.value.reason == "PSEUDONYM_OUTDATED"
        _, public_key = identity_public_key(town.settings, CITY)
        pin.write_text(f"{public_key.hex()}\n{NEXT.hex()}\n", encoding="ascii")
        (after,) = Pseudonyms(pin).of(worker.identity, INVESTIGATE, [Bsn(story.bsn)])
        found = worker.case.find_case(claim=INVESTIGATE, resident=after, fields=["case_id"])
        assert (found.case_id, after != before) == (story.case_id, True)
        # Somebody new is evaluated by the next half.
        assert len(Pseudonyms(pin).of(worker.identity, INVESTIGATE, [ANNA])) == 1


def tells_of_both(settings: Settings) -> None:
    """The next start tells the ledger of both keys, with the names of what they took the place of."""
    core = open_core(settings)
    assert tell_keys(core, utc_now()) == 2
    rows = core.reader.page(0, 10_000, (KeyPutInUse.TOPIC,))
    told = [
        core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic).event
        for row in rows[-2:]
    ]
    by_use = {one.use: one for one in told if isinstance(one, KeyPutInUse)}
    assert set(by_use) == {"identity", "second_party"}
    assert by_use["second_party"].key_name == sha256(NEXT).hexdigest()
    assert by_use["second_party"].former_name == sha256(half_of(FORMER).public).hexdigest()
    assert verify_store(core.reader).problems == []
    core.close()


def test_what_renews_nothing_is_refused_by_name(party: Party, tmp_path: Path) -> None:
    with town_with(party, tmp_path) as town:
        settings = town.settings
    with pytest.raises(SettingsInvalid, match="the settings name already"):
        rotate_both_halves(settings, party.key.public_key)
    whole = settings.model_copy(update={"identity_second_party": "", "identity_second_party_key": ""})
    with pytest.raises(SettingsInvalid, match="lies with two parties"):
        rotate_both_halves(whole, NEXT)


@pytest.mark.parametrize(
    "lie",
    [
        lambda made: made._replace(proof=bytes(64)),
        lambda made: made._replace(public=GOOD),
        lambda made: made._replace(elements=(GOOD,) * len(made.elements)),
        lambda made: made._replace(elements=made.elements[:-1]),
        lambda made: made._replace(elements=(*made.elements, GOOD)),
        lambda made: made._replace(elements=tuple(reversed(made.elements))),
    ],
    ids=range(6),
)
def test_what_the_second_party_does_not_prove_of_a_step_is_refused(
    party: Party, book: HalfBook, lie: Callable[[Stepped], Stepped]
) -> None:
    honest = HalfStep(FORMER, FOLLOWING, book)
    book.begin(10)

    class Liar:
        def step(self, blinded: Sequence[bytes]) -> Stepped:
            return lie(honest.step(blinded))

    liar: Any = Liar()
    party.steps = liar
    with pytest.raises(SecondPartyRefused):
        party.line().step((GOOD, NEXT), NEXT)


def test_a_step_takes_what_a_frame_holds_and_elements_only(party: Party, book: HalfBook) -> None:
    book.begin(STEP_ELEMENTS_MAX)
    assert len(party.line().step((GOOD,) * STEP_ELEMENTS_MAX, NEXT)) == STEP_ELEMENTS_MAX
    with pytest.raises(SecondPartyRefused, match="as much as its operator allowed"):
        party.line().step((GOOD,), NEXT)
    with pytest.raises(GroupElementInvalid):
        party.line().step((bytes(32),), NEXT)
    with raw(party) as connection:
        connection.sendall(framed(STEP + GOOD * (STEP_ELEMENTS_MAX + 1)))
        assert connection.recv(100)[4:] == bytes((Word.MALFORMED,))
    # None of it counts on the share of BSNs.
    assert party.key.used("2026-11-25") == 0
    party.stop()
    with socket.socket() as probe, pytest.raises(OSError, match="refused"):
        probe.connect(("127.0.0.1", party.port))
    with pytest.raises(SecondPartyUnavailable):
        party.line().step((GOOD,), NEXT)
