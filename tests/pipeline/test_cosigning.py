"""Cosignatures: who signs along, who is away, and who objects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from exchange.errors import SettingsInvalid
from exchange.ledger.checkpoint import Checkpoint, SignedCheckpoint, parse_policy, sign_checkpoint
from exchange.ledger.cosigning import ask
from exchange.ledger.evidence import EvidenceFolder
from exchange.ledger.merkle import hash_leaf, root_of
from exchange.ledger.note import parse_note
from exchange.ledger.tiles import CHECKPOINT
from exchange.ledger.witness import Outcome, Witness
from exchange.ledger.witness_store import WitnessStore
from exchange.pipeline import cosigning as room
from exchange.pipeline.cosigning import Cosigners, Witnessed
from exchange.pipeline.handing import Reply
from tests.ledger.builders import NOON, ORIGIN, Log, entry, grown, signer, witness, witness_vkey
from tests.pipeline.witnesses import Street

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.ledger.evidence import Conflict

NAMES = ("w1.example", "w2.example", "w3.example")
WAIT_S = 60.0
# How long a round may last in which one answers: a busy machine may need more.
UNTIL_ONE_ANSWERS_S = (0.1, 1.0, 10.0)


class Desk:
    """A log, its witnesses, and what was told."""

    def __init__(self, folder: Path, quorum: str = "group Q 2 W1 W2 W3\nquorum Q\n") -> None:
        self.folder = folder
        self.log = Log(folder)
        self.street = Street(folder, [signer().key])
        self.alarms: list[tuple[str, Conflict]] = []
        self.early: list[Witnessed] = []
        self.size = 0
        self.cosigners = self.opened(quorum)

    def opened(self, quorum: str = "group Q 2 W1 W2 W3\nquorum Q\n", wait_s: float = WAIT_S) -> Cosigners:
        return Cosigners(
            self.street.policy(quorum),
            self.street,
            self.log.tiles,
            [signer().key],
            wait_s=wait_s,
            on_alarm=lambda name, conflict: self.alarms.append((name, conflict)),
        )

    async def collect(self, size: int) -> Witnessed:
        self.size = max(self.size, size)
        return await self.cosigners.collect(grown(self.log, size), lambda: self.size, self.early.append)

    def close(self) -> None:
        self.log.close()
        self.street.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BACK_OFF_S", 0.0)
    monkeypatch.setattr(room, "LINGER_S", 0.0)


async def test_all_sign_along_and_a_policy_accepts_what_came(desk: Desk) -> None:
    for size in (3, 7, 7, 300):
        found = await desk.collect(size)
        assert (found.missing, found.quorum) == ((), True)
        assert desk.street.accepting().accept(found.signed.note).size == size
        names = [line.name for line in parse_note(found.signed.note).signatures]
        assert names == [ORIGIN, *NAMES]
    assert desk.alarms == []


async def test_they_are_asked_at_once(desk: Desk) -> None:
    desk.street.stuck = {1, 2, 3}
    task = asyncio.create_task(desk.collect(3))
    async with asyncio.timeout(WAIT_S / 2):
        await desk.street.all_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(number for number, _ in desk.street.asked) == [1, 2, 3]


@pytest.mark.parametrize(
    ("away", "quorum"), [(set(), True), ({1}, True), ({1, 2}, False), ({1, 2, 3}, False)], ids=repr
)
async def test_who_is_away_is_named(desk: Desk, away: set[int], *, quorum: bool) -> None:
    desk.street.away = away
    found = await desk.collect(3)
    assert found.missing == tuple(f"w{number}.example" for number in sorted(away))
    assert found.quorum is quorum
    assert [one.quorum for one in desk.early] == [True] * quorum
    assert desk.alarms == []


async def test_a_round_ends_within_its_bound_whoever_does_not_answer(desk: Desk) -> None:
    desk.street.stuck = {2, 3}
    for wait_s in UNTIL_ONE_ANSWERS_S:
        desk.cosigners = desk.opened(wait_s=wait_s)
        async with asyncio.timeout(WAIT_S / 2):
            found = await desk.collect(3)
        if "w1.example" not in found.missing:
            break
    assert (found.missing, found.quorum) == (("w2.example", "w3.example"), False)


@pytest.mark.usefixtures("impatient")
async def test_enough_are_told_at_once_and_a_growing_log_waits_for_nobody_else(desk: Desk) -> None:
    desk.street.stuck = {3}
    desk.size = 9
    async with asyncio.timeout(WAIT_S / 2):
        found = await desk.collect(3)
    assert found.missing == ("w3.example",)
    assert [one.missing for one in desk.early] == [("w3.example",)]


@pytest.mark.usefixtures("impatient")
async def test_who_was_away_is_asked_again_and_the_others_are_not(desk: Desk) -> None:
    desk.street.away = {1, 3}
    signed = grown(desk.log, 3)
    assert (await desk.cosigners.collect(signed, lambda: 3, desk.early.append)).quorum is False
    desk.street.away, desk.street.asked = {1}, []
    found = await desk.cosigners.collect(signed, lambda: 3, desk.early.append)
    assert (found.missing, found.quorum) == (("w1.example",), True)
    assert sorted(number for number, _ in desk.street.asked) == [1, 3]


async def test_who_was_away_is_left_in_peace_for_a_while(desk: Desk) -> None:
    desk.street.away = {1}
    await desk.collect(3)
    desk.street.asked = []
    assert (await desk.collect(5)).missing == ("w1.example",)
    assert sorted({number for number, _ in desk.street.asked}) == [2, 3]


async def test_a_witness_of_another_size_is_asked_again_from_there(desk: Desk) -> None:
    await desk.collect(5)
    # A restart forgets what the witnesses hold.
    desk.cosigners = desk.opened()
    desk.street.asked = []
    found = await desk.collect(700)
    assert (found.missing, desk.alarms) == ((), [])
    old = [body.split(b"\n")[0] for number, body in desk.street.asked if body and number == 1]
    assert old == [b"old 0", b"old 5"]


async def test_each_witness_may_be_at_another_size(desk: Desk) -> None:
    for number, size in ((1, 4), (2, 9)):
        note = grown(desk.log, size).note
        desk.street.witnesses[number - 1].add_checkpoint(ask(0, [], note))
    found = await desk.collect(20)
    assert (found.missing, desk.alarms) == ((), [])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b""),
        Reply(200, b"no line\n"),
        Reply(200, str(witness(2).cosign(f"{ORIGIN}\n3\n{'A' * 43}=\n", 1)).encode()),
        Reply(200, str(witness(1).cosign(f"{ORIGIN}\n3\n{'A' * 43}=\n", 1)).encode()),
        Reply(409, b"many\n"),
        Reply(409, b"2\n"),
        Reply(409, b"\xff"),
        Reply(500, b""),
        Reply(404, b""),
        Reply(403, b""),
        Reply(400, b""),
        Reply(302, b""),
    ],
    ids=repr,
)
async def test_a_witness_that_answers_nonsense_is_missing(desk: Desk, reply: Reply) -> None:
    desk.street.instead = {1: reply}
    found = await desk.collect(3)
    assert (found.missing, found.quorum, desk.alarms) == (("w1.example",), True, [])
    assert desk.street.accepting().accept(found.signed.note).size == 3


async def test_no_more_is_asked_of_one_witness_than_three_times(desk: Desk) -> None:
    desk.street.instead = {1: Reply(409, b"2\n")}
    await desk.collect(3)
    assert [number for number, _ in desk.street.asked].count(1) == 3


# --- objections ---


def fork(size: int) -> SignedCheckpoint:
    head = Checkpoint(ORIGIN, size, root_of([hash_leaf(entry(1_000 + number)) for number in range(size)]))
    return sign_checkpoint(head, signer())


@pytest.mark.parametrize(("theirs", "kind"), [(3, "fork"), (2, "fork"), (9, "rollback")])
async def test_a_witness_that_holds_another_history_is_an_alarm_with_its_evidence(
    desk: Desk, theirs: int, kind: str
) -> None:
    desk.street.witnesses[0].add_checkpoint(ask(0, [], fork(theirs).note))
    found = await desk.collect(3)
    assert found.missing == ("w1.example",)
    ((name, conflict),) = desk.alarms
    assert (name, conflict.kind) == ("w1.example", kind)
    # Two notes, both signed by this log: whoever knows its key needs no more.
    known = parse_policy(f"log {signer().vkey}\nquorum none\n")
    held, shown = known.accept(conflict.held), known.accept(conflict.shown)
    assert (held.size, shown.size) == (theirs, 3)


def put_back(desk: Desk, note: bytes) -> None:
    """Give the first witness the store back that it had when it cosigned this."""
    street = desk.street
    older = WitnessStore(desk.folder / "older.db")
    street.stores.append(older)
    evidence = EvidenceFolder(desk.folder / "older")
    street.witnesses[0] = Witness(street.cosigners[0], street.logs, older, evidence, lambda: NOON)
    assert street.witnesses[0].add_checkpoint(ask(0, [], note)).outcome is Outcome.COSIGNED


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.usefixtures("impatient")
async def test_a_witness_whose_older_store_was_put_back_signs_nothing_along(
    desk: Desk, *, restarted: bool
) -> None:
    first, before = await desk.collect(3), await desk.collect(5)
    assert before.missing == ()
    put_back(desk, first.signed.note)
    if restarted:
        desk.log.tiles.write(CHECKPOINT, before.signed.note)
        desk.cosigners = desk.opened()
    for size in (9, 9, 12):
        assert (await desk.collect(size)).missing == ("w1.example",)
    ((name, conflict),) = desk.alarms
    assert (name, conflict.kind) == ("w1.example", "forgot")
    # Two notes under its own line: it took the larger, and shows the smaller.
    own = desk.street.accepting("quorum W1\n")
    assert (own.accept(conflict.held).size, own.accept(conflict.shown).size) == (3, 5)


@pytest.mark.usefixtures("impatient")
async def test_one_objection_is_told_once_however_long_the_log_grows(desk: Desk) -> None:
    desk.street.witnesses[0].add_checkpoint(ask(0, [], fork(2).note))
    for size in (3, 5, 5, 7):
        assert (await desk.collect(size)).missing == ("w1.example",)
    assert [conflict.kind for _, conflict in desk.alarms] == ["fork"]


async def test_a_witness_that_knows_what_was_signed_since_is_no_alarm(desk: Desk) -> None:
    desk.street.witnesses[0].add_checkpoint(ask(0, [], grown(desk.log, 3).note))
    earlier = grown(desk.log, 3)
    desk.street.witnesses[0].add_checkpoint(ask(3, [], earlier.note))
    later = grown(desk.log, 5)
    desk.cosigners = desk.opened()
    await desk.cosigners.collect(later, lambda: 5, desk.early.append)
    found = await desk.cosigners.collect(earlier, lambda: 5, desk.early.append)
    assert (found.quorum, desk.alarms) == (False, [])


@pytest.mark.parametrize(
    "shown", [None, b"", b"nothing signed\n", signer(seed=b"i" * 32).sign(f"{ORIGIN}\n9\n{'A' * 43}=\n")]
)
async def test_a_witness_that_refuses_and_shows_nothing_of_ours_only_reports(
    desk: Desk, shown: bytes | None
) -> None:
    desk.street.instead = {2: Reply(422, b"NOT_CONSISTENT\n")}
    if shown is not None:
        desk.street.shown = {2: Reply(200, shown)}
    found = await desk.collect(3)
    assert [(name, conflict.kind) for name, conflict in desk.alarms] == [("w2.example", "reported")]
    assert (found.missing, found.quorum) == (("w2.example",), True)


# --- the policy ---


async def test_without_a_quorum_nobody_is_needed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "quorum none\n")
    desk.street.away = {1, 2, 3}
    found = await desk.collect(3)
    assert (found.missing, found.quorum) == (NAMES, True)
    desk.close()


@pytest.mark.parametrize("url", ["", " ftp://w.example", " w.example"])
def test_a_witness_without_an_address_is_refused(desk: Desk, url: str) -> None:
    policy = parse_policy(f"witness W {witness(1).vkey}{url}\nquorum W\n")
    with pytest.raises(SettingsInvalid, match="no address"):
        Cosigners(policy, desk.street, desk.log.tiles, [], wait_s=1, on_alarm=lambda *_: None)


@pytest.mark.parametrize(("count", "fits"), [(62, True), (63, False)])
def test_no_more_witnesses_are_named_than_a_checkpoint_can_hold(
    desk: Desk, count: int, *, fits: bool
) -> None:
    def line(number: int) -> str:
        key = witness_vkey(signer(f"w{number}.example", number.to_bytes(32, "big")))
        return f"witness W{number} {key} http://{number}\n"

    policy = parse_policy("".join(map(line, range(count))) + "quorum none\n")

    def opened() -> Cosigners:
        return Cosigners(policy, desk.street, desk.log.tiles, [], wait_s=1, on_alarm=lambda *_: None)

    if fits:
        assert len(opened().alone(fork(1)).missing) == count
    else:
        with pytest.raises(SettingsInvalid, match="so many"):
            opened()
