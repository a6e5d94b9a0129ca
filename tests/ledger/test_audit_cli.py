"""`exchange audit`: exit codes, and the verdict for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from exchange.cli.audit import app
from exchange.ledger.checkpoint import Checkpoint
from exchange.ledger.pack import export_pack
from exchange.ledger.receipt import make_receipt
from tests.ledger.builders import ORIGIN, entry, members, rewritten, signer
from tests.ledger.test_signers import CARE, CARE_KEY, NEXT_KEY, command, public, question, service

if TYPE_CHECKING:
    from typer.testing import Result

    from tests.ledger.builders import Log


class Desk:
    """An officer's folder: a pack, a policy, an earlier checkpoint and two receipts."""

    def __init__(self, log: Log) -> None:
        self.folder = log.folder
        log.grow(4)
        earlier = log.integrator.integrate()
        log.grow(9)
        signed = log.integrator.integrate()
        assert earlier is not None
        assert signed is not None
        self.write("earlier", earlier.note)
        self.write("policy", log.policy.encode())
        export_pack(log.tiles, signed, 4, self.folder / "pack.zip", log.signer)
        read_hash = log.tiles.hash_reader(9)
        self.write("with.tlog-proof", make_receipt(3, signed, read_hash, entry(3)))
        self.write("without.tlog-proof", make_receipt(3, signed, read_hash))
        self.write("entry", entry(3))

    def write(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def run(self, *words: str) -> Result:
        here = [str(self.folder / word[1:]) if word.startswith("@") else word for word in words]
        return CliRunner().invoke(app, here)


@pytest.fixture
def desk(log: Log) -> Desk:
    return Desk(log)


VERIFY = ("verify", "@pack.zip", "--policy", "@policy")


def test_a_good_pack_exits_zero(desk: Desk) -> None:
    result = desk.run(*VERIFY)
    assert result.exit_code == 0
    assert "good: nothing differs" in result.output
    assert "none given" in result.output


def test_the_verdict_for_programs(desk: Desk) -> None:
    result = desk.run(*VERIFY, "--since-checkpoint", "@earlier", "-o", "json")
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert (said["ok"], said["origin"], said["size"], said["since"]) == (True, ORIGIN, 9, 4)
    assert (said["since_checkpoint_compared"], said["problems"]) == (True, [])


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_bad_pack_exits_one_and_says_where(desk: Desk, output: str) -> None:
    whole = (desk.folder / "pack.zip").read_bytes()
    at = whole.index(entry(3)) + 5
    desk.write("pack.zip", whole[:at] + b"X" + whole[at + 1 :])
    result = desk.run(*VERIFY, "-o", output)
    assert result.exit_code == 1
    assert "tile/entries/000.p/9" in result.output
    assert "leaf 3" in result.output


def test_an_earlier_checkpoint_that_is_none_exits_one(desk: Desk) -> None:
    result = desk.run(*VERIFY, "--since-checkpoint", "@policy")
    assert result.exit_code == 1
    assert "since checkpoint" in result.output


@pytest.mark.parametrize(
    "policy", [b"", b"quorum\n", b"log x\nquorum none\n", b"\xff\n", b"#" * 300_000 + b"\n"]
)
@pytest.mark.parametrize("words", [("verify", "@pack.zip"), ("receipt", "@with.tlog-proof")])
def test_a_malformed_policy_exits_two(desk: Desk, words: tuple[str, ...], policy: bytes) -> None:
    desk.write("policy", policy)
    result = desk.run(*words, "--policy", "@policy")
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("verify", "@pack.zip"),
        ("verify", "@absent", "--policy", "@policy"),
        ("verify", "@pack.zip", "--policy", "@absent"),
        (*VERIFY, "-o", "xml"),
        (*VERIFY, "--since-checkpoint", "@absent"),
        (*VERIFY, "--signers", "@absent"),
        (*VERIFY, "--signed-from", "2"),
        (*VERIFY, "--signers", "@policy", "--signed-from", "-1"),
        ("receipt", "@absent", "--policy", "@policy"),
        ("frobnicate",),
    ],
)
def test_a_wrong_call_exits_two(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.run(*words).exit_code == 2


SIGNED = (*VERIFY, "--signers", "@signers")


class SignedDesk(Desk):
    """The folder of an officer who got the organisations' keys by letter: a pack of signed commands."""

    def __init__(self, log: Log, *entries: bytes) -> None:
        self.folder = log.folder
        log.source.entries += entries
        signed = log.integrator.integrate()
        assert signed is not None
        self.write("policy", log.policy.encode())
        self.write("signers", f"{CARE} {public(CARE_KEY).hex()}\n".encode())
        export_pack(log.tiles, signed, 0, self.folder / "pack.zip", log.signer)


def test_signatures_that_hold_are_counted_with_what_carries_none(log: Log) -> None:
    desk = SignedDesk(log, service(), command(b"1"), command(b"1"), question())
    said = json.loads(desk.run(*SIGNED, "-o", "json").stdout)
    assert (said["ok"], said["problems"]) == (True, [])
    counts = [said[name] for name in ("leaves_signed", "commands_signed", "leaves_of_questions")]
    assert counts == [2, 1, 1]
    assert (said["leaves_of_the_service"], said["commands_before_signing"]) == (1, 0)
    table = desk.run(*SIGNED)
    assert table.exit_code == 0
    assert "leaves signed" in table.stdout
    assert "leaves_signed" not in json.loads(desk.run(*VERIFY, "-o", "json").stdout)


@pytest.mark.parametrize("output", ["table", "json"])
def test_an_invented_command_exits_one_and_is_named(log: Log, output: str) -> None:
    desk = SignedDesk(log, service(), command(b"1"), command(b"2", key=None), command(b"3", key=NEXT_KEY))
    assert desk.run(*VERIFY).exit_code == 0
    result = desk.run(*SIGNED, "-o", output)
    assert result.exit_code == 1
    assert "NOT good" in result.output or '"ok": false' in result.output
    assert "leaf 2" in result.output
    assert "leaf 3" in result.output
    assert "leaf 1" not in result.output


def test_from_where_commands_are_signed_can_be_told(log: Log) -> None:
    desk = SignedDesk(log, service(), command(b"1", key=None), command(b"2"))
    assert desk.run(*SIGNED).exit_code == 1
    assert desk.run(*SIGNED, "--signed-from", "1").exit_code == 1
    result = desk.run(*SIGNED, "--signed-from", "2", "-o", "json")
    assert (result.exit_code, json.loads(result.stdout)["commands_before_signing"]) == (0, 1)


@pytest.mark.parametrize("signers", [b"", b"x y\n", b"\xff\n", b"#" * 1_048_577])
def test_malformed_signers_exit_two(log: Log, signers: bytes) -> None:
    desk = SignedDesk(log, service())
    desk.write("signers", signers)
    result = desk.run(*SIGNED)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_hostile_name_does_not_reach_the_terminal(log: Log, desk: Desk) -> None:
    evil = signer("evil\u009b2J.example", b"e" * 32)
    note = evil.sign(Checkpoint(evil.name, 9, b"r" * 32).body())
    found = [
        (name, note if name == "checkpoint" else content)
        for name, content in members(desk.folder / "pack.zip")
    ]
    rewritten(log, found).replace(desk.folder / "pack.zip")
    result = desk.run(*VERIFY)
    assert result.exit_code == 1
    assert "evil?2J.example" in result.output
    assert "\u009b" not in result.output


RECEIPT = ("receipt", "@with.tlog-proof", "--policy", "@policy")


def test_a_receipt_that_carries_its_entry_exits_zero(desk: Desk) -> None:
    result = desk.run(*RECEIPT, "-o", "json")
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert (said["ok"], said["index"], said["size"], said["topic"]) == (True, 3, 9, "consent.given.v1")
    assert "good" in desk.run(*RECEIPT).output


def test_a_receipt_beside_its_entry_exits_zero(desk: Desk) -> None:
    words = ("receipt", "@without.tlog-proof", "--policy", "@policy")
    assert desk.run(*words, "--entry", "@entry").exit_code == 0
    assert desk.run(*words).exit_code == 1
    assert desk.run(*words, "--entry", "@policy").exit_code == 1


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_changed_receipt_exits_one(desk: Desk, output: str) -> None:
    proof = (desk.folder / "with.tlog-proof").read_bytes()
    desk.write("with.tlog-proof", proof.replace(b"index 3", b"index 4"))
    result = desk.run(*RECEIPT, "-o", output)
    assert result.exit_code == 1
    assert "leaf 4" in result.output
