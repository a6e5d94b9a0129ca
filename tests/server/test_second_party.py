"""The identity key over two parties: both prove, neither can do it alone, and half an answer is none."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.blinding import blind_with
from adapters.sdk.bsn import Bsn
from adapters.sdk.residents import Pseudonyms
from exchange.errors import (
    GroupElementInvalid,
    QuotaExceeded,
    RuleBroken,
    SecondPartyRefused,
    SecondPartyUnavailable,
    SettingsInvalid,
)
from exchange.keys import ristretto
from exchange.keys.authority import DevelopmentAuthority
from exchange.keys.kek import FileKek
from exchange.keys.links import LinkStore
from exchange.keys.second_party import SecondPartyKey
from exchange.keys.voprf import BatchEvaluation, KeyPair, blind_evaluate_proved
from exchange.logs import open_log
from exchange.server.party.door import PartyDoor
from exchange.server.party.frames import EVALUATE, FRAME_BYTES_MAX, Word, framed
from exchange.server.party.line import PartyLine
from exchange.settings import load_settings, throw_away_settings
from exchange.wiring.parties import PartySettings, party_tls, second_party_of
from tests.server.story import Story
from tests.server.town import CITY, INVESTIGATE, Town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from exchange.keys.half_renewal import HalfStep, Stepped

EXCHANGE_OIN, STRANGER_OIN = "00000001003214345000", "00000009000000099000"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SHARE = 200
ANNA = Bsn("999993653")
GOOD = ristretto.from_uniform(bytes(range(64)))
WAIT_S = 60


class Party:
    """A second party in a thread, with certificates of a development authority."""

    def __init__(self, folder: Path) -> None:
        authority = DevelopmentAuthority(folder / "authority")
        self.server = authority.issue_server(folder / "party-door")
        self.mine = authority.issue_organisation(EXCHANGE_OIN, "Gemeente Voorbeeld", folder / "mine")
        self.other = authority.issue_organisation(STRANGER_OIN, "Een ander", folder / "other")
        self.now = NOON
        self.key = SecondPartyKey(b"2" * 32, folder / "party.db", SHARE, lambda: self.now)
        self.answers: Any = self.key
        self.steps: HalfStep | None = None
        self.lines = (folder / "party.log").open("w", encoding="utf-8")
        self.log = folder / "party.log"
        self.port = 0
        self._lines: list[PartyLine] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="party")
        self._ready = threading.Event()

    def evaluate(self, blinded: Sequence[bytes]) -> BatchEvaluation:
        """What the door asks: the key, or what a test put in its place."""
        answer: BatchEvaluation = self.answers.evaluate(blinded)
        return answer

    def step(self, blinded: Sequence[bytes]) -> Stepped:
        """What the door asks while a half is renewed."""
        if self.steps is None:
            raise RuleBroken("no renewal of this half was begun", rule="NO_RENEWAL")
        return self.steps.step(blinded)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(WAIT_S)

    def stop(self) -> None:
        for line in self._lines:
            line.close()
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        settings = PartySettings(
            data=self.log.parent,
            host="127.0.0.1",
            port=0,
            certificate=self.server.certificate,
            key=self.server.key,
            caller_authority=self.server.client_ca,
            caller_thumbprint=self.mine.thumbprint,
            elements_per_day=SHARE,
        )
        door = PartyDoor(self, party_tls(settings), self.mine.thumbprint, open_log(stream=self.lines), self)
        self.port = await door.start("127.0.0.1", 0)
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        await door.stop()

    def settings(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any setting
        return {
            "identity_second_party": f"127.0.0.1:{self.port}",
            "identity_second_party_key": self.key.public_key.hex(),
            "identity_second_party_authority": self.server.client_ca,
            "identity_line_certificate": self.mine.folder / "client.pem",
            "identity_line_key": self.mine.folder / "client.key",
        } | changes

    def tls(self, folder: Path | None = None) -> ssl.SSLContext:
        mine = folder or self.mine.folder
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.load_verify_locations(self.server.client_ca)
        tls.load_cert_chain(mine / "client.pem", mine / "client.key")
        return tls

    def line(self, folder: Path | None = None, public_key: bytes = b"") -> PartyLine:
        line = PartyLine("127.0.0.1", self.port, self.tls(folder), public_key or self.key.public_key)
        self._lines.append(line)
        return line


@pytest.fixture
def party(tmp_path: Path) -> Iterator[Party]:
    party = Party(tmp_path)
    party.start()
    yield party
    party.stop()
    party.key.close()
    party.lines.close()


@contextmanager
def town_with(party: Party, folder: Path, **changes: Any) -> Iterator[Town]:  # noqa: ANN401 -- any setting
    with (folder / "exchange.log").open("a", encoding="utf-8") as lines:
        town = Town(folder / "town", open_log(stream=lines), party.settings(**changes))
        town.start()
        try:
            yield town
        finally:
            town.close()


# --- through the whole of it ----------------------------------------------------------------------------


def test_a_pseudonym_takes_both_halves_and_both_prove_theirs(party: Party, tmp_path: Path) -> None:
    with town_with(party, tmp_path) as town:
        pin = tmp_path / "exchange.pin"
        worker = town.worker()
        (pseudonym,) = Pseudonyms(pin).of(worker.identity, INVESTIGATE, [ANNA])
        assert pin.read_text().split() == [
            town.core.identity.public_key(CITY).hex(),
            party.key.public_key.hex(),
        ]
        # By hand: H, then k2, then s·k1. With one half alone it is another element.
        hashed, _ = blind_with(ANNA.reveal().encode(), (1).to_bytes(32, "little"))
        with_second = blind_evaluate_proved(party.key._pair, (hashed,)).elements[0]
        assert pseudonym == town.core.identity.evaluate(CITY, with_second).element
        assert pseudonym not in {with_second, town.core.identity.evaluate(CITY, hashed).element}
        # Residents are linked, found and translated without the second party.
        story = Story(town, next(town.bsns))
        party.stop()
        found = story.wmo.case.find_case(claim=INVESTIGATE, resident=story.pseudonym, fields=["case_id"])
        assert found.case_id == story.case_id


def test_where_the_second_party_does_not_answer_nothing_is_recorded(party: Party, tmp_path: Path) -> None:
    with town_with(party, tmp_path) as town:
        worker, before = town.worker(), town.core.reader.head()
        party.stop()
        with pytest.raises(errors.Unavailable) as refused:
            Pseudonyms(tmp_path / "pin").of(worker.identity, INVESTIGATE, [ANNA])
        assert refused.value.reason == "SECOND_PARTY_UNAVAILABLE"
        assert refused.value.retry_after_s == 2
        assert town.core.reader.head() == before
        assert not (tmp_path / "pin").exists()


def test_a_second_party_that_uses_another_key_is_refused_by_name(party: Party, tmp_path: Path) -> None:
    with town_with(party, tmp_path, identity_second_party_key=GOOD.hex()) as town:
        before = town.core.reader.head()
        with pytest.raises(errors.Unavailable) as refused:
            Pseudonyms(tmp_path / "pin").of(town.worker().identity, INVESTIGATE, [ANNA])
        assert refused.value.reason == "SECOND_PARTY_REFUSED"
        assert town.core.reader.head() == before


def test_bytes_that_are_no_element_are_named_as_ever(party: Party, tmp_path: Path) -> None:
    from exchange.v1.identity_service_pb2 import NO_CASE_REASON_FIND_CASE

    with town_with(party, tmp_path) as town, pytest.raises(errors.Invalid) as refused:
        town.worker().identity.evaluate_blinded(
            claim=INVESTIGATE, blinded_elements=[b"\xff" * 32], no_case_reason=NO_CASE_REASON_FIND_CASE
        )
    assert refused.value.reason == "GROUP_ELEMENT_INVALID"


def test_a_shard_never_goes_on_with_another_second_party_or_with_none(tmp_path: Path) -> None:
    links = LinkStore(tmp_path / "keys.db", FileKek(tmp_path / "kek", create=True))
    try:
        whole = throw_away_settings(data=tmp_path)
        links.bind_second_party(GOOD)
        # As long as nobody is linked it may be chosen anew.
        assert second_party_of(whole, links) is None
        links.bind_second_party(GOOD)
        links.link(GOOD, "r-1")
        links.bind_second_party(GOOD)
        for other in (b"", b"\x01" * 32):
            with pytest.raises(SettingsInvalid, match="linked with another second party"):
                links.bind_second_party(other)
    finally:
        links.close()


def test_half_a_setting_is_refused(party: Party, tmp_path: Path) -> None:
    whole = party.settings()
    for name in whole:
        with pytest.raises(SettingsInvalid) as refused:
            load_settings(None, data=tmp_path / "d", **{n: v for n, v in whole.items() if n != name})
        assert refused.value.metadata["name"] == name
    assert (
        load_settings(None, data=tmp_path / "d", **whole).identity_second_party == f"127.0.0.1:{party.port}"
    )
    links = LinkStore(tmp_path / "keys.db", FileKek(tmp_path / "kek", create=True))
    nowhere = throw_away_settings(data=tmp_path, **(whole | {"identity_line_key": tmp_path / "none"}))
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        second_party_of(nowhere, links)
    links.close()


# --- the line and the door ----------------------------------------------------------------------------------


def test_many_ask_at_once_and_a_line_outlives_a_hang_up(party: Party) -> None:
    line = party.line()
    results: list[BatchEvaluation] = []
    threads = [threading.Thread(target=lambda: results.append(line.evaluate((GOOD,)))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len({one.elements for one in results}) == 1
    assert len({one.proof for one in results}) == len(results) == 6
    for kept in line._idle:
        kept.shutdown(socket.SHUT_RDWR)
    assert line.evaluate((GOOD,)).elements == results[0].elements
    line.close()


@pytest.mark.parametrize(
    "lie",
    [
        lambda batch: BatchEvaluation(batch.elements, bytes(64)),
        lambda batch: BatchEvaluation(batch.elements, b"\xff" * 64),
        lambda batch: BatchEvaluation((GOOD,) * len(batch.elements), batch.proof),
        lambda batch: BatchEvaluation((bytes(32),) * len(batch.elements), batch.proof),
        lambda batch: BatchEvaluation(batch.elements[:-1], batch.proof),
        lambda batch: BatchEvaluation((*batch.elements, GOOD), batch.proof),
        lambda batch: BatchEvaluation(tuple(reversed(batch.elements)), batch.proof),
    ],
    ids=range(7),
)
def test_what_the_second_party_does_not_prove_is_refused(
    party: Party, lie: Callable[[BatchEvaluation], BatchEvaluation]
) -> None:
    class Liar:
        def evaluate(self, blinded: Sequence[bytes]) -> BatchEvaluation:
            return lie(party.key.evaluate(blinded))

    party.answers = Liar()
    with pytest.raises(SecondPartyRefused):
        party.line().evaluate((GOOD, ristretto.add(GOOD, GOOD)))


def test_an_answer_under_a_key_made_for_tracing_is_refused(party: Party) -> None:
    other = KeyPair((7).to_bytes(32, "little"), ristretto.multiply_base((7).to_bytes(32, "little")))

    class Tracer:
        def evaluate(self, blinded: Sequence[bytes]) -> BatchEvaluation:
            return blind_evaluate_proved(other, blinded)

    party.answers = Tracer()
    with pytest.raises(SecondPartyRefused, match="public key"):
        party.line().evaluate((GOOD,))
    assert party.line(public_key=other.public).evaluate((GOOD,)).elements


def test_only_the_one_caller_is_answered(party: Party) -> None:
    with pytest.raises(SecondPartyUnavailable):
        party.line(party.other.folder).evaluate((GOOD,))
    without = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    without.load_verify_locations(party.server.client_ca)
    with pytest.raises(SecondPartyUnavailable):
        PartyLine("127.0.0.1", party.port, without, party.key.public_key).evaluate((GOOD,))
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(SecondPartyUnavailable):
        PartyLine("127.0.0.1", party.port, stranger, party.key.public_key).evaluate((GOOD,))
    assert party.key.used("2026-11-25") == 0


def test_the_second_party_counts_for_itself_and_also_after_a_restart(party: Party, tmp_path: Path) -> None:
    line = party.line()
    for count in (100, SHARE - 101):
        line.evaluate((GOOD,) * count)
    with pytest.raises(QuotaExceeded) as refused:
        line.evaluate((GOOD,) * 2)
    assert refused.value.metadata["limit"] == "second_party_per_day"
    assert timedelta(milliseconds=refused.value.retry_after_ms or 0) >= timedelta(hours=12)
    line.evaluate((GOOD,))
    again = SecondPartyKey(b"2" * 32, tmp_path / "party.db", SHARE, lambda: NOON)
    with pytest.raises(QuotaExceeded):
        again.evaluate((GOOD,))
    again.close()
    tight = SecondPartyKey(b"2" * 32, tmp_path / "tight.db", 1, lambda: NOON)
    with pytest.raises(QuotaExceeded):
        tight.evaluate((GOOD, GOOD))
    assert tight.used("2026-11-25") == 0
    tight.close()
    party.now += timedelta(days=1)
    line.evaluate((GOOD,))
    assert party.key.used("2026-11-26") == 1


def test_what_is_no_element_costs_nothing(party: Party) -> None:
    with pytest.raises(GroupElementInvalid):
        party.line().evaluate((GOOD, bytes(32)))
    assert party.key.used("2026-11-25") == 0


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x00\x00\x00",
        (FRAME_BYTES_MAX + 1).to_bytes(4, "big") + b"\x01",
        b"\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=range(4),
)
def test_what_is_no_frame_ends_its_connection_and_nothing_else(party: Party, frame: bytes) -> None:
    with raw(party) as connection:
        connection.sendall(frame)
        assert connection.recv(100) == b""
    assert party.line().evaluate((GOOD,)).elements


@pytest.mark.parametrize("content", [EVALUATE, b"\x03" + GOOD, EVALUATE + GOOD[:-1], EVALUATE + GOOD + b"x"])
def test_a_question_of_another_shape_is_answered_as_such(party: Party, content: bytes) -> None:
    with raw(party) as connection:
        connection.sendall(framed(content))
        assert connection.recv(100)[4:] == bytes((Word.MALFORMED,))
        connection.sendall(framed(EVALUATE + GOOD))
        assert connection.recv(1000)[4] == Word.EVALUATED


@contextmanager
def raw(party: Party) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", party.port), WAIT_S) as plain,
        party.tls().wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        yield connection


def test_its_log_holds_numbers_only(party: Party) -> None:
    line = party.line()
    line.evaluate((GOOD,))
    with pytest.raises(GroupElementInvalid):
        line.evaluate((bytes(32),))
    line.close()
    party.stop()
    party.lines.flush()
    said = party.log.read_text()
    assert '"count":1' in said
    assert "GROUP_ELEMENT_INVALID" in said
    assert GOOD.hex() not in said
    assert hashlib.sha256(GOOD).hexdigest() not in said
