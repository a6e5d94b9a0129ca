"""Person tokens: what they say, how long they are kept, and that the exchange's own check takes them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from adapters.sdk import tokens
from adapters.sdk.tokens import LIFETIME_S, RENEW_BEFORE_S, Person, PersonTokens, base64url
from exchange.server.caller.tokens import Binding, verify
from tests.sdk.conftest import OIN

if TYPE_CHECKING:
    from adapters.sdk.credentials import Credentials

NOW = 1_780_000_000.0
RESIDENT = bytes(range(32))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer(credentials: Credentials, clock: Clock) -> PersonTokens:
    return PersonTokens(credentials, clock)


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def test_a_token_says_exactly_what_the_contract_asks(
    signer: PersonTokens, credentials: Credentials, person: Person
) -> None:
    assert claims_of(signer.token_for(person)) == {
        "iss": OIN,
        "sub": "p-17",
        "task": "college:WMO",
        "role": "regisseur",
        "acr": "2fa",
        "aud": "exchange.v1",
        "iat": int(NOW),
        "exp": int(NOW) + LIFETIME_S,
        "cnf": {"x5t#S256": base64url(credentials.thumbprint)},
    }
    assert LIFETIME_S <= 15 * 60


def test_one_factor_is_said(signer: PersonTokens) -> None:
    token = signer.token_for(Person("p", "college:WMO", "regisseur", two_factor=False))
    assert claims_of(token)["acr"] == "1fa"


def test_the_exchange_takes_it(signer: PersonTokens, credentials: Credentials) -> None:
    binding = Binding(
        OIN, credentials.thumbprint.hex(), credentials.signing_key.public_key().public_bytes_raw().hex()
    )
    spoken = Person("b-1", "betrokkene", "betrokkene", resident=RESIDENT)
    found = verify(signer.token_for(spoken), binding, datetime.fromtimestamp(NOW + 1, UTC))
    assert (found.professional, found.task, found.role) == ("b-1", "betrokkene", "betrokkene")
    assert found.two_factor
    assert found.pseudonym == RESIDENT


def test_a_token_is_kept_until_shortly_before_it_ends(
    signer: PersonTokens, clock: Clock, person: Person
) -> None:
    first = signer.token_for(person)
    clock.now = NOW + LIFETIME_S - RENEW_BEFORE_S - 1
    assert signer.token_for(person) == first
    clock.now = NOW + LIFETIME_S - RENEW_BEFORE_S
    renewed = signer.token_for(person)
    assert claims_of(renewed)["exp"] - clock.now == LIFETIME_S


def test_a_clock_set_back_brings_a_new_token(signer: PersonTokens, clock: Clock, person: Person) -> None:
    signer.token_for(person)
    clock.now = NOW - 3_600
    assert claims_of(signer.token_for(person))["iat"] == int(clock.now)


def test_each_person_and_task_has_its_own(signer: PersonTokens) -> None:
    one = signer.token_for(Person("p-1", "college:WMO", "regisseur"))
    other = signer.token_for(Person("p-1", "college:PW", "regisseur"))
    assert claims_of(one)["task"] != claims_of(other)["task"]


def test_what_is_kept_is_bounded(signer: PersonTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "PERSONS_CACHED_MAX", 3)
    for number in range(10):
        signer.token_for(Person(f"p-{number}", "college:WMO", "regisseur"))
    assert len(signer._kept) == 3
    assert [person.professional for person in signer._kept] == ["p-7", "p-8", "p-9"]


def test_many_threads_share_one_token(signer: PersonTokens, person: Person) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(signer.token_for(person))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    ("professional", "task", "role"),
    [
        ("", "college:WMO", "regisseur"),
        ("Jan de Vries", "college:WMO", "regisseur"),
        ("p" * 61, "college:WMO", "regisseur"),
        ("p", "", "regisseur"),
        ("p", "college:WMO", ""),
        ("p", "t" * 41, "regisseur"),
        ("p", "college:WMO", "r\n"),
    ],
)
def test_a_person_of_another_shape_is_refused(professional: str, task: str, role: str) -> None:
    with pytest.raises(ValueError, match="opaque id"):
        Person(professional, task, role)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_pseudonym_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Person("b", "betrokkene", "betrokkene", resident=bytes(size))


def test_no_repr_shows_the_resident() -> None:
    shown = repr(Person("b", "betrokkene", "betrokkene", resident=RESIDENT))
    assert "resident" not in shown
    assert repr(RESIDENT) not in shown
