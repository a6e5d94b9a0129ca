"""Keys in use: each change is told once, by the name of the key."""

from __future__ import annotations

import pytest

from exchange.domain.service_keys import SERVICE_KEYS, USES, KeyPutInUse, TellKeys
from exchange.errors import RequestInvalid
from tests.domain.builders import MUNICIPALITY, NOON, fold

KEK, OTHER, LOG = "0a" * 8, "0b" * 8, "0c" * 32


def telling(*keys: tuple[str, str]) -> TellKeys:
    return TellKeys(now=NOON, oin=MUNICIPALITY, keys=keys)


def put(use: str, name: str, former: str = "") -> KeyPutInUse:
    return KeyPutInUse(oin=MUNICIPALITY, use=use, key_name=name, former_name=former)


def test_what_was_never_told_is_told_and_then_no_more() -> None:
    told = SERVICE_KEYS.decide(telling(("kek", KEK), ("log", LOG)), None)
    assert told == (put("kek", KEK), put("log", LOG))
    assert SERVICE_KEYS.decide(telling(("log", LOG), ("kek", KEK)), fold(SERVICE_KEYS, *told)) == ()


def test_a_key_in_the_place_of_another_names_it_also_when_it_comes_back() -> None:
    first = put("kek", KEK)
    second = SERVICE_KEYS.decide(telling(("kek", OTHER), ("log", LOG)), fold(SERVICE_KEYS, first))
    assert second == (put("kek", OTHER, KEK), put("log", LOG))
    again = SERVICE_KEYS.decide(telling(("kek", KEK)), fold(SERVICE_KEYS, first, *second))
    assert again == (put("kek", KEK, OTHER),)


def test_a_use_that_is_not_told_stays_as_it_was() -> None:
    state = fold(SERVICE_KEYS, put("kek", KEK), put("log", LOG))
    assert SERVICE_KEYS.decide(telling(("kek", KEK)), state) == ()
    assert {use: state.name_of(use) for use in USES if state.name_of(use)} == {"kek": KEK, "log": LOG}


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ((("door", KEK),), "keys.use"),
        ((("kek", KEK), ("kek", OTHER)), "keys.use"),
        ((("kek", KEK[:-1]),), "keys.name"),
        ((("kek", KEK + "00"),), "keys.name"),
        ((("kek", KEK.upper()),), "keys.name"),
        ((("kek", ""),), "keys.name"),
    ],
)
def test_what_names_no_key_is_refused(keys: tuple[tuple[str, str], ...], field: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        SERVICE_KEYS.decide(telling(*keys), None)
    assert field in refused.value.fields
