"""The witness: each answer of the protocol, what it refuses and keeps; it never takes back a word."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.errors import ProofInvalid, StoreUnavailable, VersionConflict
from exchange.ledger import evidence as evidence_room
from exchange.ledger.checkpoint import Checkpoint, parse_policy, sign_checkpoint
from exchange.ledger.cosigning import REQUEST_BYTES_MAX, SIZE_TYPE, ask, read_cosignature, read_held_size
from exchange.ledger.merkle import EMPTY_ROOT, root_of
from exchange.ledger.note import encode_base64, parse_note
from exchange.ledger.witness import Outcome, Witness
from exchange.ledger.witness_store import Cosigned, WitnessStore
from tests.ledger.builders import NOON, ORIGIN, second_signer, signer, witness
from tests.ledger.witnessing import COSIGNER, HASHES, OTHERS, Stand, head, note, proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.store.close()


# --- what it cosigns ---


def test_each_checkpoint_that_adds_is_cosigned_at_its_time(stand: Stand) -> None:
    for old, size in ((0, 3), (3, 3), (3, 7), (7, 40)):
        stand.now = NOON + timedelta(seconds=size)
        answer = stand.ask(old, size)
        assert (answer.outcome, answer.conflict) == (Outcome.COSIGNED, "")
        line = read_cosignature(answer.body, head(size).body(), COSIGNER.key)
        assert int.from_bytes(line.signature[:8], "big") == int(stand.now.timestamp())
    assert stand.kept() == []


def test_a_policy_with_this_witness_accepts_what_it_keeps_for_monitors(stand: Stand) -> None:
    stranger = signer("stranger.example", b"s" * 32).sign(head(3).body()).partition(b"\n\n")[2]
    stand.witness.add_checkpoint(ask(0, [], note(3) + stranger))
    kept = stand.witness.checkpoint(sha256(ORIGIN.encode()).hexdigest())
    assert kept is not None
    policy = parse_policy(f"log {signer().vkey}\nwitness W {COSIGNER.vkey}\nquorum W\n")
    assert policy.accept(kept) == head(3)
    # Only what was verified is passed on.
    assert [line.name for line in parse_note(kept).signatures] == [ORIGIN, "w1.example"]


def test_nothing_is_shown_of_a_log_that_was_never_cosigned(stand: Stand) -> None:
    assert stand.witness.checkpoint(sha256(ORIGIN.encode()).hexdigest()) is None
    assert stand.witness.checkpoint("0" * 64) is None


def test_a_log_that_signs_twice_is_cosigned_by_either_key(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    both = Witness(COSIGNER, [signer().key, second_signer().key], stand.store, stand.evidence, lambda: NOON)
    twice = sign_checkpoint(head(3), signer(), second_signer(), 1).note
    assert both.add_checkpoint(ask(0, [], twice)).outcome is Outcome.COSIGNED
    kept = both.checkpoint(sha256(ORIGIN.encode()).hexdigest())
    assert kept is not None
    assert len(parse_note(kept).signatures) == 3
    stand.store.close()


def test_an_empty_log_is_cosigned_and_grows(stand: Stand) -> None:
    assert stand.ask(0, 0).outcome is Outcome.COSIGNED
    assert stand.ask(0, 5).outcome is Outcome.COSIGNED
    assert stand.ask(5, 6).outcome is Outcome.COSIGNED


def test_what_was_cosigned_is_known_after_a_restart(stand: Stand) -> None:
    stand.ask(0, 7)
    stand.store.close()
    stand.store = WitnessStore(stand.folder / "witness.db")
    stand.witness = stand.open()
    assert stand.ask(0, 9).body == b"7\n"
    assert stand.ask(7, 9).outcome is Outcome.COSIGNED


def test_logs_do_not_know_of_each_other(tmp_path: Path) -> None:
    other = signer("other.example/log", b"o" * 32)
    stand = Stand(tmp_path, [signer(), other])
    stand.ask(0, 7)
    body = Checkpoint(other.name, 2, root_of(OTHERS[:2])).body()
    assert stand.witness.add_checkpoint(ask(0, [], other.sign(body))).outcome is Outcome.COSIGNED
    assert stand.ask(7, 8).outcome is Outcome.COSIGNED
    stand.store.close()


# --- 409 ---


@pytest.mark.parametrize("old", [0, 6, 8])
def test_another_old_size_is_told_the_size_that_is_held(stand: Stand, old: int) -> None:
    stand.ask(0, 7)
    answer = stand.ask(old, 9)
    assert (answer.outcome, answer.media_type) == (Outcome.SIZE_DIFFERS, SIZE_TYPE)
    assert read_held_size(answer.body) == 7
    assert stand.kept() == []


def test_who_asks_for_the_first_time_with_a_size_is_told_nought(stand: Stand) -> None:
    answer = stand.ask(3, 7)
    assert (answer.outcome, answer.body) == (Outcome.SIZE_DIFFERS, b"0\n")


# --- forks and rollbacks ---


def test_another_root_of_the_same_size_is_a_fork_and_kept(stand: Stand) -> None:
    stand.ask(0, 7)
    answer = stand.ask(7, 7, OTHERS)
    assert (answer.outcome, answer.conflict) == (Outcome.NOT_CONSISTENT, "fork")
    (found,) = stand.kept()
    # Whoever knows the log's key sees from the file alone that it signed both.
    policy = parse_policy(f"log {signer().vkey}\nquorum none\n")
    held, shown = (policy.accept(found[which].encode()) for which in ("held", "shown"))
    assert (held.size, shown.size, held.root != shown.root) == (7, 7, True)
    assert stand.ask(7, 8).outcome is Outcome.COSIGNED


def test_a_fork_is_also_kept_when_the_old_size_is_not_ours(stand: Stand) -> None:
    stand.ask(0, 7)
    answer = stand.ask(0, 7, OTHERS)
    assert (answer.outcome, answer.conflict) == (Outcome.SIZE_DIFFERS, "fork")
    assert [one["kind"] for one in stand.kept()] == ["fork"]


def test_a_longer_fork_is_refused_and_kept(stand: Stand) -> None:
    stand.ask(0, 7)
    answer = stand.ask(7, 9, OTHERS)
    assert (answer.outcome, answer.conflict) == (Outcome.NOT_CONSISTENT, "unproven")
    (found,) = stand.kept()
    assert found["shown"].startswith(f"{ORIGIN}\n9\n")
    assert stand.ask(7, 9).outcome is Outcome.COSIGNED


@pytest.mark.parametrize("old", [0, 5])
def test_a_rollback_is_refused_and_kept(stand: Stand, old: int) -> None:
    stand.ask(0, 7)
    answer = stand.ask(old, 5)
    assert (answer.outcome, answer.body, answer.conflict) == (Outcome.SIZE_DIFFERS, b"7\n", "rollback")
    assert [one["kind"] for one in stand.kept()] == ["rollback"]


def test_the_same_conflict_is_one_file_and_there_are_not_too_many(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_room, "PER_KIND_MAX", 2)
    stand.ask(0, 9)
    told = [stand.ask(0, size).conflict for size in (5, 5, 6, 7, 5)]
    assert told == ["rollback", "rollback", "rollback", "rollback, not kept: too many", "rollback"]
    assert stand.ask(9, 9, OTHERS).conflict == "fork"
    assert len(stand.kept()) == 3


# --- 400, 403, 404, 422 ---


def bad(change: Callable[[bytes], bytes], old: int = 0, size: int = 7) -> bytes:
    return change(ask(old, proof(old, size), note(size)))


def forged(raw: bytes) -> bytes:
    """Right name, right key id, wrong signature."""
    parsed = parse_note(raw)
    (line,) = parsed.signatures
    return parsed.with_lines([type(line)(line.name, line.key_id, bytes(64))])


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", Outcome.MALFORMED),
        (b"old 0\n", Outcome.MALFORMED),
        (bad(lambda body: body.replace(b"old 0", b"old 00")), Outcome.MALFORMED),
        (bad(lambda body: body.replace(b"old 0", b"old -1")), Outcome.MALFORMED),
        (bad(lambda body: body.replace(b"old 0", b"old")), Outcome.MALFORMED),
        (bad(lambda body: body.replace(b"old 0\n", b"old 0\r\n")), Outcome.MALFORMED),
        (bad(lambda body: body.replace(b"old 0", "old \u0667".encode())), Outcome.MALFORMED),
        (bad(lambda body: body.replace(b"old 0\n", b"")), Outcome.MALFORMED),
        (ask(0, [b"abc"], note(7)), Outcome.MALFORMED),
        (ask(0, [b"h" * 32], note(7)).replace(b"=\n", b"\n", 1), Outcome.MALFORMED),
        # The last character has spare bits: not canonical base64.
        (ask(0, [bytes(32)], note(7)).replace(b"AA=\n", b"AB=\n", 1), Outcome.MALFORMED),
        (ask(0, [b"h" * 32] * 64, note(7)), Outcome.MALFORMED),
        (bad(lambda body: body[:-1]), Outcome.MALFORMED),
        (bad(lambda body: body + b"x" * REQUEST_BYTES_MAX), Outcome.MALFORMED),
        (ask(8, [], note(7)), Outcome.MALFORMED),
        (ask(0, [], signer().sign(head(7).body() + "extension\n")), Outcome.MALFORMED),
        (ask(0, [], signer().sign(head(7).body().replace("\n7\n", "\n07\n"))), Outcome.MALFORMED),
        (ask(0, [], signer().sign(f"{ORIGIN}\n0\nAAAA\n")), Outcome.MALFORMED),
        (ask(0, [], signer("u.x").sign(head(7).body().replace(ORIGIN, "u.x"))), Outcome.LOG_UNKNOWN),
        (ask(0, [], note(7, key=signer(seed=b"i" * 32))), Outcome.NOT_SIGNED),
        (ask(0, [], note(7, key=signer("another.example"))), Outcome.NOT_SIGNED),
        (ask(0, [], forged(note(7))), Outcome.NOT_SIGNED),
        (ask(0, [], note(7) + note(8).partition(b"\n\n")[2]), Outcome.NOT_SIGNED),
        (ask(0, [], signer().sign(f"{ORIGIN}\n0\n{encode_base64(b'r' * 32)}\n")), Outcome.NOT_CONSISTENT),
        (ask(0, [b"h" * 32], note(7)), Outcome.NOT_CONSISTENT),
    ],
)  # fmt: skip
def test_a_bad_request_is_named_and_changes_nothing(stand: Stand, body: bytes, outcome: Outcome) -> None:
    answer = stand.witness.add_checkpoint(body)
    assert answer.outcome is outcome
    assert answer.body.decode().startswith(f"{outcome.name}: ")
    assert stand.store.latest(ORIGIN) is None
    assert stand.kept() == []


@pytest.mark.parametrize(
    "change",
    [
        lambda hashes: hashes[:-1],
        lambda hashes: [*hashes, b"h" * 32],
        lambda hashes: hashes[::-1],
        lambda _: [],
    ],
)
def test_a_wrong_proof_is_refused(stand: Stand, change: Callable[[list[bytes]], list[bytes]]) -> None:
    stand.ask(0, 7)
    answer = stand.witness.add_checkpoint(ask(7, change(proof(7, 20)), note(20)))
    assert (answer.outcome, answer.conflict) == (Outcome.NOT_CONSISTENT, "unproven")
    assert stand.ask(7, 20).outcome is Outcome.COSIGNED


def test_one_signature_twice_counts_once_and_is_kept_once(stand: Stand) -> None:
    twice = note(7) + note(7).partition(b"\n\n")[2]
    assert stand.witness.add_checkpoint(ask(0, [], twice)).outcome is Outcome.COSIGNED
    kept = stand.witness.checkpoint(sha256(ORIGIN.encode()).hexdigest())
    assert kept is not None
    assert len(parse_note(kept).signatures) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.integers(0), st.integers(1, 255))
def test_a_changed_byte_gets_no_other_cosignature(stand: Stand, place: int, byte: int) -> None:
    whole = ask(0, [], note(7))
    at = place % len(whole)
    answer = stand.witness.add_checkpoint(whole[:at] + bytes([whole[at] ^ byte]) + whole[at + 1 :])
    assert answer.outcome is not Outcome.COSIGNED
    assert stand.store.latest(ORIGIN) is None


# --- deaths and races ---


class Died(BaseException):
    """The process ends here: no error, so nothing may catch it."""


class DyingStore(WitnessStore):
    def __init__(self, path: Path, *, persisted: bool) -> None:
        super().__init__(path)
        self.persisted = persisted

    def advance(self, *words: object) -> None:
        if self.persisted:
            super().advance(*words)  # type: ignore[arg-type] # passed on as they came
        raise Died


@pytest.mark.parametrize("persisted", [False, True], ids=["before it was durable", "before the answer left"])
def test_after_a_death_no_other_root_of_that_size_is_cosigned(stand: Stand, *, persisted: bool) -> None:
    stand.ask(0, 3)
    dying = DyingStore(stand.folder / "witness.db", persisted=persisted)
    with pytest.raises(Died):
        stand.open(dying).add_checkpoint(ask(3, proof(3, 7), note(7)))
    dying.close()
    # The log asks again, as a client does that got no answer.
    held = 7 if persisted else 3
    assert stand.ask(0, 7).body == f"{held}\n".encode()
    fork = [*HASHES[:3], *OTHERS[3:]]
    if persisted:
        assert stand.ask(7, 7, fork).conflict == "fork"
        assert stand.ask(7, 7).outcome is Outcome.COSIGNED
    else:
        # Nothing had left: the witness said nothing of size 7 yet, and says one thing now.
        assert stand.ask(3, 7, fork).outcome is Outcome.COSIGNED
        assert stand.ask(7, 7).conflict == "fork"


def test_of_two_histories_at_once_one_is_cosigned(stand: Stand) -> None:
    stand.ask(0, 2)
    stores = [WitnessStore(stand.folder / "witness.db") for _ in range(4)]
    bodies = [ask(2, proof(2, 9, hashes), note(9, hashes)) for hashes in (HASHES, OTHERS) * 2]
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda pair: stand.open(pair[0]).add_checkpoint(pair[1]), zip(stores, bodies, strict=True)
            )
        )
    cosigned = [index % 2 for index, one in enumerate(answers) if one.outcome is Outcome.COSIGNED]
    assert len(set(cosigned)) == 1
    assert {one.outcome for one in answers} <= {Outcome.COSIGNED, Outcome.SIZE_DIFFERS}
    for store in stores:
        store.close()


def test_a_store_that_fails_gives_no_cosignature(stand: Stand) -> None:
    stand.store.close()
    with pytest.raises(StoreUnavailable):
        stand.ask(0, 3)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM cosigned",
        "UPDATE cosigned SET size = 6",
        "UPDATE cosigned SET root = zeroblob(32)",
        "UPDATE cosigned SET origin = 'x'",
    ],
)
def test_sql_beside_us_cannot_take_a_word_back(stand: Stand, statement: str) -> None:
    stand.ask(0, 7)
    with sqlite3.connect(stand.folder / "witness.db") as beside, pytest.raises(sqlite3.IntegrityError):
        beside.execute(statement)
    beside.close()
    assert stand.ask(7, 7).outcome is Outcome.COSIGNED


def test_the_store_moves_only_from_what_was_seen(stand: Stand) -> None:
    stand.ask(0, 7)
    for expected in (None, head(6), Checkpoint(ORIGIN, 7, EMPTY_ROOT)):
        with pytest.raises(VersionConflict):
            stand.store.advance(expected, Cosigned(head(8), b"note"), NOON)


# --- what comes back ---


def test_an_answer_without_the_witness_own_line_is_none(stand: Stand) -> None:
    body = head(7).body()
    other = str(witness(2).cosign(body, 1)).encode()
    wrong = str(witness(1).cosign(head(8).body(), 1)).encode()
    good = stand.ask(0, 7).body
    assert read_cosignature(other + good, body, COSIGNER.key).name == "w1.example"
    for answer in (
        b"",
        other,
        wrong,
        good + wrong,
        b"\n" + good,
        good[:-1],
        b"text\n\n" + good,
        b"x" * 70_000,
    ):
        with pytest.raises(ProofInvalid):
            read_cosignature(answer, body, COSIGNER.key)


@pytest.mark.parametrize("answer", [b"", b"\n", b"7", b"7\n\n", b"07\n", b"-7\n", b"seven\n", b"\xff\n"])
def test_a_size_has_one_form(answer: bytes) -> None:
    assert read_held_size(b"7\n") == 7
    with pytest.raises(ProofInvalid):
        read_held_size(answer)
