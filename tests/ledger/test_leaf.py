"""The leaf: its bytes are those of sorted JSON, and nothing else is read back."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import ProofInvalid, RequestInvalid, RequestTooLarge
from exchange.ledger.leaf import (
    LEAF_BYTES_MAX,
    LEAF_PATTERN,
    Leaf,
    Signed,
    event_pseudonym,
    leaf_entry,
    parse_leaf,
    refuse_unfit,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = st.text(
    st.sampled_from([chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\']), max_size=24
)
NAMES = WORDS.filter(bool)
TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z")


def parts(**changes: object) -> dict[str, Any]:
    return {
        "event_id": b"i" * 16,
        "topic": "plan.goal_added.v1",
        "organisation": "00000001234567890000",
        "task": "college:WMO",
        "purpose": "wmo-onderzoek",
        "basis": "WMO-2.3.2@1",
        "at": "2026-01-31T12:00:00Z",
        "state": b"stored event",
        "pseudonym": b"p" * 16,
        **changes,
    }


SIGNED = Signed(b"r" * 32, b"s" * 64)


@given(
    st.tuples(NAMES, NAMES, WORDS, WORDS, WORDS),
    st.binary(min_size=16, max_size=16),
    TIMES,
    st.none() | st.binary(min_size=16, max_size=16),
    st.tuples(
        st.lists(st.binary(min_size=32, max_size=32), max_size=4),
        st.none()
        | st.builds(Signed, st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64)),
    ),
)
def test_a_leaf_is_sorted_json_and_comes_back(
    words: tuple[str, str, str, str, str],
    event_id: bytes,
    at: str,
    pseudonym: bytes | None,
    beside: tuple[list[bytes], Signed | None],
) -> None:
    fields, signed = beside
    topic, organisation, task, purpose, basis = words
    state = b"stored " + event_id
    entry = leaf_entry(
        event_id=event_id,
        topic=topic,
        organisation=organisation,
        task=task,
        purpose=purpose,
        basis=basis,
        at=at,
        state=state,
        pseudonym=pseudonym,
        fields=fields,
        signed=signed,
    )
    expected: dict[str, Any] = {
        "v": 1,
        "id": event_id.hex(),
        "t": topic,
        "a": organisation,
        "k": task,
        "p": purpose,
        "b": basis,
        "at": at,
        "ct": sha256(state).hexdigest(),
    }
    if pseudonym is not None:
        expected["ps"] = pseudonym.hex()
    if fields:
        expected["f"] = [field.hex() for field in fields]
    if signed is not None:
        expected |= {"rq": signed.request.hex(), "sig": b64encode(signed.signature).decode()}
    assert entry == json.dumps(expected, sort_keys=True, separators=(",", ":")).encode("ascii")
    leaf = parse_leaf(entry)
    assert (leaf.event_id, leaf.topic, leaf.organisation, leaf.task) == (event_id, topic, organisation, task)
    assert (leaf.purpose, leaf.basis, leaf.at) == (purpose, basis, at)
    assert (leaf.state_hash, leaf.pseudonym) == (sha256(state).digest(), pseudonym)
    assert leaf.fields == tuple(fields)
    assert leaf.signed == signed


@pytest.mark.parametrize(
    "change",
    [
        {"event_id": b"i" * 15},
        {"event_id": b"i" * 17},
        {"pseudonym": b"p" * 15},
        {"pseudonym": b""},
        {"topic": ""},
        {"organisation": ""},
        {"topic": 'a"b'},
        {"topic": "a\\b"},
        {"topic": "a b"},
        {"topic": "a\n"},
        {"topic": "é"},
        {"task": "\x7f"},
        {"purpose": "x" * 201},
        {"basis": "\x00"},
        {"at": "2026-01-31T12:00:00"},
        {"at": "2026-01-31T12:00:00+01:00"},
        {"at": "2026-13-01T12:00:00Z"},
        {"at": "2026-01-31T24:00:00Z"},
        {"at": "2026-01-31 12:00:00Z"},
        {"at": "2026-01-31T12:00:00Z\n"},
        {"at": "٢٠٢٦-01-31T12:00:00Z"},
        {"fields": [b"c" * 31]},
        {"signed": Signed(b"r" * 31, b"s" * 64)},
        {"signed": Signed(b"r" * 32, b"s" * 63)},
        {"signed": Signed(b"r" * 32, b"")},
    ],
)
def test_what_a_leaf_cannot_hold_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid):
        leaf_entry(**parts(**change))


@pytest.mark.parametrize(("about", "signed"), [(True, True), (True, False), (False, True), (False, False)])
def test_whether_words_fit_is_known_before_there_is_a_leaf(*, about: bool, signed: bool) -> None:
    said = parts(
        at="2026-01-31T12:00:00.000001Z",
        fields=[b"c" * 32] * 5,
        pseudonym=b"p" * 16 if about else None,
        signed=SIGNED if signed else None,
    )
    room = LEAF_BYTES_MAX - len(leaf_entry(**said))
    # As many words as fill it to the byte; of each at most 200 characters.
    task, basis, purpose = (said[name] + "x" * (room // 3) for name in ("task", "basis", "purpose"))
    fits = task + "x" * (room - room // 3 * 3)
    words = {"organisation": said["organisation"], "basis": basis, "purpose": purpose, "topic": said["topic"]}
    assert len(leaf_entry(**said | words | {"task": fits})) == LEAF_BYTES_MAX
    refuse_unfit(**words, task=fits, fields=5, about=about, signed=signed)
    with pytest.raises(RequestTooLarge):
        refuse_unfit(**words, task=fits + "x", fields=5, about=about, signed=signed)
    with pytest.raises(RequestInvalid):
        refuse_unfit(**words, task="two words", fields=5, about=about, signed=signed)


def test_a_leaf_is_at_most_one_kibibyte() -> None:
    most = [b"c" * 32] * 10
    assert len(leaf_entry(**parts(fields=most))) <= LEAF_BYTES_MAX
    with pytest.raises(RequestTooLarge):
        leaf_entry(**parts(fields=[*most, b"c" * 32]))
    longest = leaf_entry(**parts(fields=most))
    pad = LEAF_BYTES_MAX - len(longest)
    exactly = leaf_entry(**parts(fields=most, task="college:WMO" + "x" * pad))
    assert len(exactly) == LEAF_BYTES_MAX
    assert parse_leaf(exactly).task.endswith("x" * pad)
    with pytest.raises(RequestTooLarge):
        leaf_entry(**parts(fields=most, task="college:WMO" + "x" * (pad + 1)))


def test_a_longer_entry_is_not_read_though_its_form_is_right() -> None:
    entry = leaf_entry(**parts(fields=[b"c" * 32]))
    longer = entry.replace(b'"f":["', b'"f":["' + b'","'.join([b"c" * 64] * 12) + b'","')
    assert LEAF_PATTERN.fullmatch(longer)
    with pytest.raises(ProofInvalid):
        parse_leaf(longer)


def test_absent_keys_are_absent() -> None:
    entry = leaf_entry(**parts(pseudonym=None))
    assert set(json.loads(entry)) == {"a", "at", "b", "ct", "id", "k", "p", "t", "v"}


# As written before commands were signed, and with everything a leaf may carry: read like this for ever.
GOLDEN = (
    b'{"a":"00000001234567890000","at":"2026-01-31T12:00:00Z","b":"WMO-2.3.2@1",'
    b'"ct":"339ca7c0aed64c15dacbb5b877bb910d2d74a0336d174027a5cdc49db9ca69f6",'
    b'"id":"69696969696969696969696969696969","k":"college:WMO","p":"wmo-onderzoek",'
    b'"ps":"70707070707070707070707070707070","t":"plan.goal_added.v1","v":1}'
)
GOLDEN_WHOLE = (
    b'{"a":"00000001234567890000","at":"2026-01-31T12:00:00Z","b":"WMO-2.3.2@1",'
    b'"ct":"339ca7c0aed64c15dacbb5b877bb910d2d74a0336d174027a5cdc49db9ca69f6",'
    b'"f":["6363636363636363636363636363636363636363636363636363636363636363"],'
    b'"id":"69696969696969696969696969696969","k":"college:WMO","p":"wmo-onderzoek",'
    b'"ps":"70707070707070707070707070707070",'
    b'"rq":"7272727272727272727272727272727272727272727272727272727272727272",'
    b'"sig":"c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzcw==",'
    b'"t":"plan.goal_added.v1","v":1}'
)


def test_leaves_of_every_day_are_written_and_read_as_ever() -> None:
    assert leaf_entry(**parts()) == GOLDEN
    assert parse_leaf(GOLDEN).signed is None
    assert leaf_entry(**parts(fields=[b"c" * 32], signed=SIGNED)) == GOLDEN_WHOLE
    assert parse_leaf(GOLDEN_WHOLE).signed == SIGNED


def leaf_entry_of(leaf: Leaf) -> bytes:
    """Write a parsed leaf again, by another way than `leaf_entry`."""
    said: dict[str, Any] = {
        "v": 1,
        "t": leaf.topic,
        "a": leaf.organisation,
        "k": leaf.task,
        "p": leaf.purpose,
    }
    said |= {"b": leaf.basis, "at": leaf.at, "id": leaf.event_id.hex(), "ct": leaf.state_hash.hex()}
    said |= {"ps": leaf.pseudonym.hex()} if leaf.pseudonym else {}
    said |= {"f": [field.hex() for field in leaf.fields]} if leaf.fields else {}
    if leaf.signed:
        said |= {"rq": leaf.signed.request.hex(), "sig": b64encode(leaf.signed.signature).decode()}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


@given(st.integers(0), st.binary(min_size=1, max_size=1))
def test_with_one_other_byte_it_is_still_canonical_or_refused(place: int, byte: bytes) -> None:
    entry = leaf_entry(**parts(fields=[b"c" * 32], signed=SIGNED))
    at = place % len(entry)
    changed = entry[:at] + byte + entry[at + 1 :]
    try:
        read = leaf_entry_of(parse_leaf(changed))
    except ProofInvalid:
        read = b""
    assert read in {changed, b""}


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry[:0],
        lambda entry: entry + b"\n",
        lambda entry: b" " + entry,
        lambda entry: entry.replace(b'"v":1', b'"v":2'),
        lambda entry: entry.replace(b'"v":1', b'"v":1,"x":1'),
        lambda entry: entry.replace(b'"a":', b'"a": '),
        lambda entry: entry.replace(b'"k":"college:WMO",', b""),
        lambda entry: entry.replace(b"goal", b"go\\u0061l"),
        lambda entry: entry.upper(),
        lambda entry: entry.replace(b'"f":["', b'"f":[],"f":["'),
        lambda entry: entry.replace(b"college:WMO", b"x" * 1000),
        lambda entry: json.dumps(json.loads(entry)).encode(),
        lambda entry: entry.replace(b'"rq":"' + b"72" * 32 + b'",', b""),
        lambda entry: entry.replace(b',"sig":"' + b64encode(b"s" * 64) + b'"', b""),
        lambda entry: entry.replace(b'"rq":"72', b'"rq":"7A'),
        # The same 64 bytes to a decoder that passes over spare bits.
        lambda entry: entry.replace(b64encode(b"s" * 64), b64encode(b"s" * 64)[:-3] + b"x=="),
    ],
)
def test_only_the_exact_bytes_are_read(change: Callable[[bytes], bytes]) -> None:
    entry = leaf_entry(**parts(fields=[b"c" * 32], signed=SIGNED))
    assert change(entry) != entry
    with pytest.raises(ProofInvalid, match="not a leaf"):
        parse_leaf(change(entry), "leaf 7")


def test_the_pseudonym_differs_for_each_event_and_is_found_with_the_key() -> None:
    key = b"k" * 32
    first, second = event_pseudonym(key, b"1" * 16), event_pseudonym(key, b"2" * 16)
    assert first != second
    assert first == hmac.new(key, b"1" * 16, sha256).digest()[:16]
    assert event_pseudonym(b"K" * 32, b"1" * 16) != first


@given(st.binary(max_size=64), st.binary(max_size=80))
def test_the_pseudonym_is_the_hmac_of_the_standard_library(key: bytes, event_id: bytes) -> None:
    assert event_pseudonym(key, event_id) == hmac.digest(key, event_id, "sha256")[:16]
