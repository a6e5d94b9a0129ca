"""Signed commands: what a verifier with the organisations' keys accepts, counts and refuses."""
# ruff: noqa: ANN401 -- builders take any part of a leaf

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.errors import SettingsInvalid
from exchange.ledger.leaf import Signed, leaf_entry
from exchange.ledger.signers import (
    FAULTS_MAX,
    SIGNERS_BYTES_MAX,
    SignatureCheck,
    command_statement,
    is_signed_by,
    parse_signers,
    request_hash,
)

CITY = "00000001003214345000"
CARE = "00000003271543200000"
CITY_KEY = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
CARE_KEY = Ed25519PrivateKey.from_private_bytes(b"z" * 32)
NEXT_KEY = Ed25519PrivateKey.from_private_bytes(b"n" * 32)
PATH = "/exchange.v1.PlanService/SetGoal"


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def command(
    raw: bytes = b"request",
    *,
    key: Ed25519PrivateKey | None = CARE_KEY,
    oin: str = CARE,
    task: str = "wmo-aanbieder",
    **changes: Any,
) -> bytes:
    request = request_hash(PATH, "w-1", raw)
    signed = None if key is None else Signed(request, key.sign(command_statement(oin, task, request)))
    said: dict[str, Any] = {
        "event_id": request[:16],
        "topic": "plan.goal_set.v1",
        "organisation": oin,
        "task": task,
        "purpose": "wmo-levering",
        "basis": "WMO-5.2.1-2a@1",
        "at": "2026-01-31T12:00:00.000000Z",
        "state": raw,
        "pseudonym": None,
        "signed": signed,
    }
    return leaf_entry(**said | changes)


def service(topic: str = "organisation.joined.v1", basis: str = "GENESIS", **changes: Any) -> bytes:
    return command(key=None, oin=CITY, task="beheer", topic=topic, basis=basis, purpose="beheer", **changes)


def question() -> bytes:
    return command(key=None, topic="disclosure.decided.v1")


def checked(*entries: bytes, signed_from: int = 0) -> SignatureCheck:
    keys = {CITY: (public(CITY_KEY),), CARE: (public(CARE_KEY), public(NEXT_KEY))}
    check = SignatureCheck(keys, signed_from)
    check.add(entries)
    return check


def test_each_leaf_is_counted_by_what_it_is() -> None:
    check = checked(
        service(), service("legal_basis.adopted.v1"), command(b"1"), command(b"1"), question(), command(b"2")
    )
    assert check.ok
    assert (check.signed, check.commands, check.questions, check.of_service) == (3, 2, 1, 2)


def test_a_duty_fulfilled_by_asking_stands_behind_its_question_and_nowhere_else() -> None:
    duty = command(key=None, topic="disclosure.obligation_executed.v1")
    later = command(key=None, topic="disclosure.obligation_executed.v1", at="2026-02-01T12:00:00.000000Z")
    assert checked(service(), question(), duty, duty).questions == 3
    assert [place for place, _ in checked(service(), duty).faults] == [1]
    assert [place for place, _ in checked(service(), question(), later).faults] == [2]
    assert [place for place, _ in checked(service(), question(), command(), duty).faults] == [3]
    assert checked(service(), command(topic="disclosure.obligation_executed.v1")).ok


def test_any_key_of_an_organisation_signs_for_it() -> None:
    assert checked(service(), command(b"1"), command(b"2", key=NEXT_KEY)).commands == 2
    assert checked(service(), service("service_keys.put_in_use.v1", "KEYS")).of_service == 2


@pytest.mark.parametrize(
    ("entries", "place", "what"),
    [
        ((service(), command(key=CITY_KEY)), 1, "not of a given key"),
        ((service(), command(oin="0" * 20)), 1, "no key of the organisation"),
        ((service(), command(key=None)), 1, "without the signature"),
        ((service(), command(key=None, oin=CITY)), 1, "without the signature"),
        # Only the operator records in the service's own name, and only its register.
        (
            (service(), command(key=None, topic="legal_basis.adopted.v1", basis="GENESIS")),
            1,
            "without the sig",
        ),
        ((service(), service("consent.given.v2")), 1, "without the signature"),
        ((service(), service("legal_basis.adopted.v1", "KEYS")), 1, "without the signature"),
        ((service(), service("service_keys.put_in_use.v1", "SHIPPED")), 1, "without the signature"),
        ((service(), service("legal_basis.adopted.v1", "ORG-ADMIN-24@1")), 1, "without the signature"),
        ((command(key=None),), 0, "without the signature"),
        # The same command once more: further on, at another moment, or under another event.
        ((service(), command(), question(), command()), 3, "recorded before"),
        ((service(), command(), command(at="2026-02-01T12:00:00.000000Z")), 2, "recorded before"),
        ((service(), command(), command(basis="WMO-2.3.2@1")), 2, "recorded before"),
        ((service(), command(), command(key=NEXT_KEY)), 2, "recorded before"),
        ((service(), b"{}"), 1, "not a leaf"),
    ],
)
def test_what_is_wrong_is_named_with_its_leaf(entries: tuple[bytes, ...], place: int, what: str) -> None:
    check = checked(*entries)
    assert not check.ok
    ((found, said),) = check.faults
    assert found == place
    assert what in said


def changed(entry: bytes, old: bytes, new: bytes) -> bytes:
    assert entry.count(old) == 1
    return entry.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CARE.encode(), CITY.encode()),
        (b"wmo-aanbieder", b"jw-aanbieder"),
        (b'"rq":"', b'"rq":"' + b"0" * 64),
    ],
)
def test_a_leaf_altered_in_who_or_what_is_found(old: bytes, new: bytes) -> None:
    entry = command()
    if old == b'"rq":"':
        start = entry.index(old) + len(old)
        altered = entry[:start] + new[len(old) :] + entry[start + 64 :]
    else:
        altered = changed(entry, old, new)
    assert [place for place, _ in checked(service(), altered).faults] == [1]
    assert checked(service(), entry).ok


def test_before_they_signed_commands_are_counted_and_from_there_refused() -> None:
    log = (service(), command(b"1", key=None), command(b"2", key=None), command(b"3"))
    assert [place for place, _ in checked(*log).faults] == [1, 2]
    assert [place for place, _ in checked(*log, signed_from=2).faults] == [2]
    check = checked(*log, signed_from=3)
    assert (check.ok, check.unsigned, check.signed) == (True, 2, 1)
    # A signature of those days is looked at all the same.
    assert not checked(service(), command(key=CITY_KEY), signed_from=2).ok


def test_at_most_a_hundred_faults_are_kept() -> None:
    log = [service(), *(command(bytes([number]), key=None) for number in range(FAULTS_MAX + 1))]
    assert len(checked(*log).faults) == FAULTS_MAX


def test_bytes_that_are_no_key_signed_nothing() -> None:
    request = request_hash(PATH, "w-1", b"request")
    signed = Signed(request, CARE_KEY.sign(command_statement(CARE, "t", request)))
    assert is_signed_by(public(CARE_KEY), CARE, "t", signed)
    assert not is_signed_by(b"", CARE, "t", signed)
    assert not is_signed_by(b"\xff" * 32, CARE, "t", signed)


# --- the file of signers ------------------------------------------------------------------------------


def test_signers_are_read_in_hex_and_base64_with_several_keys() -> None:
    first, second = public(CARE_KEY), public(NEXT_KEY)
    text = f"# got by letter\n\n{CARE} {first.hex()}\n{CARE}\t{b64encode(second).decode()}\n"
    assert parse_signers(text) == {CARE: (first, second)}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{CARE}\n", "1"),
        (f"# kept\n{CARE} {'a' * 63}\n", "2"),
        (f"{CARE} {'A' * 64}\n", "1"),
        (f"{CARE[:-1]} {'a' * 64}\n", "1"),
        (f"{CARE} {'a' * 64} more\n", "1"),
        (f"{CARE} {b64encode(b'k' * 31).decode()}\n", "1"),
        (f"{CARE} {'00' * 32}\n", "1"),
        (f"# kept\n{CARE} 01{'00' * 30}80\n", "2"),
        (f"{CARE} {b64encode(b'k' * 32).decode()[:-1]}\n", "1"),
    ],
)
def test_a_malformed_signer_is_refused_by_its_line(text: str, line: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        parse_signers(text)
    assert refused.value.metadata["line"] == line


def test_a_file_without_signers_or_too_large_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="names no signer"):
        parse_signers("# nobody\n")
    line = f"{CARE} {public(CARE_KEY).hex()}\n"
    whole = line + "#" * (SIGNERS_BYTES_MAX - len(line))
    assert parse_signers(whole)
    with pytest.raises(SettingsInvalid, match="1 MiB"):
        parse_signers(whole + "#")
