"""Pseudonyms through the exchange's own identity keys: right, pinned, and refused when not proven."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import rbcl

from adapters.sdk import residents
from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.bsn import Bsn, passes_eleven_proof
from adapters.sdk.calls import claim
from adapters.sdk.errors import PseudonymRefused
from adapters.sdk.pins import write_pin
from adapters.sdk.residents import Pseudonyms
from exchange.keys.identity import IdentityKeys
from exchange.keys.voprf import KeyPair, Mode, blind_evaluate_proved, derive_key_pair
from exchange.v1.common_pb2 import PURPOSE_WMO_ONDERZOEK
from exchange.v1.identity_service_pb2 import EvaluateBlindedResponse
from tests.sdk.conftest import OIN, QUICK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.tokens import Person
    from exchange.v1.identity_service_pb2 import EvaluateBlindedRequest
    from tests.sdk.exchange_fake import FakeExchange

CLAIM = claim(PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", "to find the case")
KEYS = IdentityKeys(b"m" * 32)
BSNS = [
    Bsn(digits)
    for digits in map("{:09d}".format, range(900_000_000, 900_003_000))
    if passes_eleven_proof(digits)
]


def evaluated(
    request: EvaluateBlindedRequest, keys: IdentityKeys = KEYS, oin: str = OIN
) -> EvaluateBlindedResponse:
    answer = keys.evaluate_batch(oin, list(request.blinded_elements))
    return EvaluateBlindedResponse(
        evaluated_elements=answer.elements, proof=answer.proof, public_key=keys.public_key(oin)
    )


@pytest.fixture
def identity(exchange: FakeExchange) -> FakeExchange:
    exchange.on("EvaluateBlinded", lambda request, _context: evaluated(request))
    return exchange


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    return tmp_path / "exchange.pin"


def test_the_same_bsn_is_the_same_pseudonym_at_every_visit(
    identity: FakeExchange, client: ExchangeClient, pin: Path
) -> None:
    (first,) = Pseudonyms(pin).of(client.identity, CLAIM, [BSNS[0]])
    (again,) = Pseudonyms(pin).of(client.identity, CLAIM, [BSNS[0]])
    (other,) = Pseudonyms(pin).of(client.identity, CLAIM, [BSNS[1]])
    assert first == again
    assert first != other
    assert KEYS.root(OIN, first) != first
    sent = [request.blinded_elements[0] for request in identity.requests["EvaluateBlinded"]]
    assert len(set(sent)) == 3


def test_two_organisations_meet_at_one_root(
    client: ExchangeClient, identity: FakeExchange, tmp_path: Path
) -> None:
    (mine,) = Pseudonyms(tmp_path / "mine").of(client.identity, CLAIM, [BSNS[0]])
    other_oin = "00000009876543210000"
    identity.on("EvaluateBlinded", lambda request, _context: evaluated(request, oin=other_oin))
    (theirs,) = Pseudonyms(tmp_path / "theirs").of(client.identity, CLAIM, [BSNS[0]])
    assert mine != theirs
    assert KEYS.translate(OIN, other_oin, mine) == theirs


def test_no_bsn_is_on_the_wire(identity: FakeExchange, client: ExchangeClient, pin: Path) -> None:
    Pseudonyms(pin).of(client.identity, CLAIM, BSNS[:20])
    wire = b"".join(request.SerializeToString() for request in identity.requests["EvaluateBlinded"])
    assert len(wire) > 20 * 32
    assert not [bsn for bsn in BSNS[:20] if bsn.reveal().encode() in wire]


def test_many_go_in_batches_and_come_back_in_order(
    identity: FakeExchange, client: ExchangeClient, pin: Path
) -> None:
    asked = [*BSNS[:205], BSNS[3], BSNS[0]]
    found = Pseudonyms(pin).of(client.identity, CLAIM, asked)
    sizes = [len(request.blinded_elements) for request in identity.requests["EvaluateBlinded"]]
    assert sizes == [100, 100, 5]
    assert len(set(found)) == 205
    assert found[205:] == [found[3], found[0]]


def test_what_is_known_is_not_asked_again(identity: FakeExchange, client: ExchangeClient, pin: Path) -> None:
    pseudonyms = Pseudonyms(pin)
    first = pseudonyms.of(client.identity, CLAIM, BSNS[:3])
    assert pseudonyms.of(client.identity, CLAIM, BSNS[:3]) == first
    assert len(identity.requests["EvaluateBlinded"]) == 1
    pseudonyms.forget(BSNS[0])
    pseudonyms.of(client.identity, CLAIM, BSNS[:3])
    assert [len(request.blinded_elements) for request in identity.requests["EvaluateBlinded"]] == [3, 1]


def test_memory_is_bounded(identity: FakeExchange, client: ExchangeClient, pin: Path) -> None:
    pseudonyms = Pseudonyms(pin, cached_max=4)
    pseudonyms.of(client.identity, CLAIM, BSNS[:10])
    pseudonyms.of(client.identity, CLAIM, BSNS[6:10])
    assert len(identity.requests["EvaluateBlinded"]) == 1
    pseudonyms.of(client.identity, CLAIM, BSNS[:1])
    assert len(identity.requests["EvaluateBlinded"]) == 2
    assert len(pseudonyms._cache) == 4


def test_memory_holds_no_bsn_and_no_plain_hash_of_one(
    identity: FakeExchange, client: ExchangeClient, pin: Path
) -> None:
    one, other = Pseudonyms(pin), Pseudonyms(pin)
    one.of(client.identity, CLAIM, BSNS[:1])
    other.of(client.identity, CLAIM, BSNS[:1])
    assert set(one._cache).isdisjoint(other._cache)
    assert list(one._cache.values()) == list(other._cache.values())


async def test_the_asyncio_client_finds_the_same(
    identity: FakeExchange, client: ExchangeClient, credentials: Credentials, person: Person, pin: Path
) -> None:
    async with AsyncExchangeClient(identity.target, credentials, person, patience=QUICK) as other:
        found = await Pseudonyms(pin).of_async(other.identity, CLAIM, BSNS[:3])
    assert found == Pseudonyms(pin).of(client.identity, CLAIM, BSNS[:3])


def test_the_first_key_is_pinned_and_another_refused(
    identity: FakeExchange, client: ExchangeClient, pin: Path
) -> None:
    Pseudonyms(pin).of(client.identity, CLAIM, BSNS[:1])
    assert pin.read_text() == KEYS.public_key(OIN).hex() + "\n"
    stranger = IdentityKeys(b"s" * 32)
    identity.on("EvaluateBlinded", lambda request, _context: evaluated(request, stranger))
    with pytest.raises(PseudonymRefused, match="another public key"):
        Pseudonyms(pin).of(client.identity, CLAIM, BSNS[:1])
    assert pin.read_text() == KEYS.public_key(OIN).hex() + "\n"


def test_a_key_that_another_thread_pinned_meanwhile_stands(
    identity: FakeExchange, client: ExchangeClient, pin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = (IdentityKeys(b"s" * 32).public_key(OIN),)

    def too_late(path: Path, keys: tuple[bytes, ...]) -> None:
        write_pin(path, other)
        write_pin(path, keys)

    monkeypatch.setattr(residents, "write_pin", too_late)
    pseudonyms = Pseudonyms(pin)
    with pytest.raises(PseudonymRefused, match="another public key"):
        pseudonyms.of(client.identity, CLAIM, BSNS[:1])
    assert identity.requests["EvaluateBlinded"]
    assert pin.read_text() == other[0].hex() + "\n"
    assert not pseudonyms._cache


def test_a_key_given_by_the_operator_stands_from_the_start(
    identity: FakeExchange, client: ExchangeClient, pin: Path
) -> None:
    pin.write_text(IdentityKeys(b"s" * 32).public_key(OIN).hex())
    with pytest.raises(PseudonymRefused, match="another public key"):
        Pseudonyms(pin).of(client.identity, CLAIM, BSNS[:1])


@pytest.mark.parametrize("content", [b"", b"no hexadecimal", b"00", b"\xff\xfe"])
def test_a_spoilt_pin_is_refused(
    identity: FakeExchange, client: ExchangeClient, pin: Path, content: bytes
) -> None:
    pin.write_bytes(content)
    with pytest.raises(PseudonymRefused, match=r"exchange\.pin"):
        Pseudonyms(pin).of(client.identity, CLAIM, BSNS[:1])


def _other_element(answer: EvaluateBlindedResponse) -> None:
    answer.evaluated_elements[0] = rbcl.crypto_core_ristretto255_random()


def _swapped(answer: EvaluateBlindedResponse) -> None:
    first, second = answer.evaluated_elements
    answer.evaluated_elements[:] = [second, first]


def _one_missing(answer: EvaluateBlindedResponse) -> None:
    del answer.evaluated_elements[1]


def _no_element(answer: EvaluateBlindedResponse) -> None:
    answer.evaluated_elements[1] = bytes(32)


def _broken_proof(answer: EvaluateBlindedResponse) -> None:
    answer.proof = bytes(64)


def _short_proof(answer: EvaluateBlindedResponse) -> None:
    answer.proof = answer.proof[:63]


def _key_of_another(answer: EvaluateBlindedResponse) -> None:
    answer.public_key = KEYS.public_key("00000009876543210000")


def _neutral_key(answer: EvaluateBlindedResponse) -> None:
    answer.public_key = bytes(32)


def _no_key(answer: EvaluateBlindedResponse) -> None:
    answer.public_key = b""


@pytest.mark.parametrize(
    "spoil",
    [
        _other_element,
        _swapped,
        _one_missing,
        _no_element,
        _broken_proof,
        _short_proof,
        _key_of_another,
        _neutral_key,
        _no_key,
    ],
)
def test_an_answer_that_is_not_proven_is_refused_and_pins_nothing(
    identity: FakeExchange, client: ExchangeClient, pin: Path, spoil: object
) -> None:
    def answer(request: EvaluateBlindedRequest, _context: object) -> EvaluateBlindedResponse:
        made = evaluated(request)
        assert callable(spoil)
        spoil(made)
        return made

    identity.on("EvaluateBlinded", answer)
    pseudonyms = Pseudonyms(pin)
    with pytest.raises(PseudonymRefused):
        pseudonyms.of(client.identity, CLAIM, BSNS[:2])
    assert not pin.exists()
    assert not pseudonyms._cache


# --- the key over two parties -----------------------------------------------------------------------------


def of_two(request: EvaluateBlindedRequest, *, second: KeyPair | None = None) -> EvaluateBlindedResponse:
    half = blind_evaluate_proved(second or SECOND, list(request.blinded_elements))
    answer = KEYS.evaluate_batch(OIN, half.elements)
    return EvaluateBlindedResponse(
        evaluated_elements=answer.elements,
        proof=answer.proof,
        public_key=KEYS.public_key(OIN),
        intermediate_elements=half.elements,
        second_proof=half.proof,
        second_public_key=(second or SECOND).public,
    )


SECOND = derive_key_pair(bytes(32), b"second", Mode.VOPRF)
OTHER = derive_key_pair(bytes(32), b"other", Mode.VOPRF)


def test_both_keys_are_pinned_and_both_must_stay(
    exchange: FakeExchange, client: ExchangeClient, pin: Path
) -> None:
    exchange.on("EvaluateBlinded", lambda request, _context: of_two(request))
    (first,) = Pseudonyms(pin).of(client.identity, CLAIM, [BSNS[0]])
    assert pin.read_text().split() == [KEYS.public_key(OIN).hex(), SECOND.public.hex()]
    assert Pseudonyms(pin).of(client.identity, CLAIM, [BSNS[0]]) == [first]
    # The second party is gone, or another: every pseudonym would change, and one party could try them all.
    for changed in (evaluated, lambda request: of_two(request, second=OTHER)):
        exchange.on("EvaluateBlinded", partial(_answering, changed))
        with pytest.raises(PseudonymRefused, match="another public key"):
            Pseudonyms(pin).of(client.identity, CLAIM, [BSNS[0]])


def _answering(
    made: Callable[[EvaluateBlindedRequest], EvaluateBlindedResponse],
    request: EvaluateBlindedRequest,
    _context: object,
) -> EvaluateBlindedResponse:
    return made(request)


def _second_not_proven(answer: EvaluateBlindedResponse) -> None:
    answer.second_proof = bytes(64)


def _second_proof_of_the_first(answer: EvaluateBlindedResponse) -> None:
    answer.second_proof = answer.proof


def _other_intermediate(answer: EvaluateBlindedResponse) -> None:
    answer.intermediate_elements[0] = rbcl.crypto_core_ristretto255_random()


def _intermediate_missing(answer: EvaluateBlindedResponse) -> None:
    del answer.intermediate_elements[1:]


def _second_neutral(answer: EvaluateBlindedResponse) -> None:
    answer.second_public_key = bytes(32)


def _as_if_alone(answer: EvaluateBlindedResponse) -> None:
    answer.ClearField("second_public_key")


@pytest.mark.parametrize(
    "lie",
    [
        _second_not_proven,
        _second_proof_of_the_first,
        _other_intermediate,
        _intermediate_missing,
        _second_neutral,
        _as_if_alone,
    ],
)
def test_what_one_of_two_does_not_prove_is_refused_and_pins_nothing(
    exchange: FakeExchange,
    client: ExchangeClient,
    pin: Path,
    lie: Callable[[EvaluateBlindedResponse], None],
) -> None:
    def lying(request: EvaluateBlindedRequest, _context: object) -> EvaluateBlindedResponse:
        answer = of_two(request)
        lie(answer)
        return answer

    exchange.on("EvaluateBlinded", lying)
    with pytest.raises(PseudonymRefused):
        Pseudonyms(pin).of(client.identity, CLAIM, BSNS[:3])
    assert not pin.exists()
