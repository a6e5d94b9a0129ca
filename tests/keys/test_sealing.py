"""A sealed part opens under its own envelope and key, and under nothing else."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import SealBroken
from exchange.keys.datakey import DataKey
from exchange.keys.sealing import NONCE_BYTES, TAG_BYTES, envelope, open_sealed, opener, seal

KEY = DataKey("resident-1", "WMO-PLAN", 1, bytes(range(32)))
PARTS: dict[str, Any] = {
    "stream": "plan-7",
    "version": 3,
    "topic": "plan.goal_set.v1",
    "resident_ref": "resident-1",
    "category": "WMO-PLAN",
    "event_id": bytes(range(16)),
}
# The separators of the envelope's own form, so that texts which imitate it are tried often.
texts = st.text(alphabet="0123456789:|e-é", max_size=8)
all_parts = st.fixed_dictionaries(
    {
        "stream": texts,
        "version": st.integers(0, 99),
        "topic": texts,
        "resident_ref": texts,
        "category": texts,
        "event_id": st.binary(max_size=16),
    }
)


def opened(key: DataKey, sealed: bytes, parts: dict[str, Any]) -> bytes:
    """Open a part, both alone and as one of many; both say the same, or refuse alike."""
    many = parts | {"resident_ref": key.resident_ref}
    of_many = opener(key, many["stream"], many["topic"], many["category"])
    said: list[Any] = []
    for attempt in (
        partial(open_sealed, key, sealed, envelope(**many)),
        partial(of_many, sealed, many["version"], many["event_id"]),
    ):
        try:
            said.append(attempt())
        except SealBroken as broken:
            said.append((str(broken), broken.metadata))
    assert said[0] == said[1]
    return open_sealed(key, sealed, envelope(**parts))


@given(plaintext=st.binary(max_size=2000), parts=all_parts)
def test_what_is_sealed_opens(plaintext: bytes, parts: dict[str, Any]) -> None:
    sealed = seal(KEY, plaintext, envelope(**parts))
    assert len(sealed) == NONCE_BYTES + len(plaintext) + TAG_BYTES
    assert opened(KEY, sealed, parts) == plaintext


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("stream", "plan-8"),
        ("version", 4),
        ("topic", "plan.goal_set.v2"),
        ("resident_ref", "resident-2"),
        ("category", "GEZONDHEID-DIAGNOSE"),
        ("event_id", bytes(16)),
    ],
)
def test_a_part_moved_elsewhere_does_not_open(part: str, other: str | int | bytes) -> None:
    sealed = seal(KEY, b"two hours of help a week", envelope(**PARTS))
    with pytest.raises(SealBroken):
        opened(KEY, sealed, {**PARTS, part: other})


@given(left=all_parts, right=all_parts)
def test_no_two_envelopes_are_alike(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert (envelope(**left) == envelope(**right)) == (left == right)


def test_text_pushed_from_one_part_to_the_next_makes_another_envelope() -> None:
    pushed = {**PARTS, "stream": "plan-7|16:plan", "topic": ".goal_set.v1"}
    assert envelope(**pushed) != envelope(**PARTS)


def test_the_bytes_of_an_envelope_never_change() -> None:
    # Stored ciphertexts depend on them: another form needs another prefix, and this one must stay.
    assert envelope(**PARTS) == (
        b"e1|3|6:plan-7|16:plan.goal_set.v1|10:resident-1|8:WMO-PLAN|" + bytes(range(16))
    )


@given(data=st.data())
def test_one_altered_bit_breaks_the_seal(data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, b"goal: walk to the market again", envelope(**PARTS)))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealBroken):
        opened(KEY, bytes(sealed), PARTS)


@pytest.mark.parametrize("kept", [0, 1, NONCE_BYTES, NONCE_BYTES + TAG_BYTES - 1, NONCE_BYTES + TAG_BYTES])
def test_a_truncated_part_breaks_the_seal(kept: int) -> None:
    sealed = seal(KEY, b"goal", envelope(**PARTS))
    with pytest.raises(SealBroken):
        opened(KEY, sealed[:kept], PARTS)


def test_another_key_does_not_open_it() -> None:
    sealed = seal(KEY, b"goal", envelope(**PARTS))
    with pytest.raises(SealBroken):
        opened(DataKey("resident-1", "WMO-PLAN", 1, bytes(32)), sealed, PARTS)


def test_equal_texts_are_sealed_differently() -> None:
    assert len({seal(KEY, b"goal", envelope(**PARTS)) for _ in range(100)}) == 100


def test_the_uses_of_a_key_have_different_keys_and_none_shows() -> None:
    material = bytes(range(32))
    assert KEY.ledger_key != material
    assert len(KEY.ledger_key) == 32
    assert KEY.ledger_key == DataKey("resident-1", "WMO-PLAN", 1, material).ledger_key
    assert DataKey("resident-1", "WMO-PLAN", 1, bytes(32)).ledger_key != KEY.ledger_key
    assert material.hex() not in repr(KEY)
    assert "resident-1" not in repr(KEY)


def test_a_broken_seal_says_nothing_of_whose_it_was() -> None:
    with pytest.raises(SealBroken) as refused:
        open_sealed(KEY, seal(KEY, b"goal", b"elsewhere"), envelope(**PARTS))
    assert "resident-1" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_field_salt_is_hkdf_expand_of_event_and_name_and_dies_with_its_key() -> None:
    material, event_id = bytes(range(32)), b"e" * 16
    key = DataKey("resident-1", "LEDGER", 1, material)
    salts = HKDFExpand(algorithm=SHA256(), length=32, info=b"exchange/keys/1/field-salts").derive(material)
    expected = HKDFExpand(algorithm=SHA256(), length=32, info=event_id + b"purpose").derive(salts)
    assert key.field_salt(event_id, "purpose") == expected
    others = {
        key.field_salt(event_id, "volume"),
        key.field_salt(b"f" * 16, "purpose"),
        DataKey("resident-1", "LEDGER", 2, bytes(32)).field_salt(event_id, "purpose"),
        key.ledger_key,
    }
    assert len(others) == 4
    assert expected not in others
