"""`exchange keys`: three tokens erase with the service stopped; what stands, and the certificate."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.credentials import Credentials
from adapters.sdk.tokens import Person, PersonTokens
from exchange.errors import AccessDenied
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.receipt import verify_receipt
from exchange.ledger.signers import SignatureCheck
from exchange.settings import throw_away_settings
from exchange.store.reader import SQLiteReader
from exchange.store.verify import verify_store
from exchange.wiring.core import development_authority, genesis, key_file, open_core, utc_now
from exchange.wiring.holding import held
from exchange.wiring.service import door_material
from exchange.wiring.stores import event_file
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from exchange.settings import Settings
    from tests.cli.conftest import Shell


class Desk:
    """A stopped shard of the development authority's operator, with one resident."""

    def __init__(self, folder: Path, **named: str) -> None:
        self.settings: Settings = throw_away_settings(data=folder / "data", **named)
        core = open_core(self.settings)
        material, thumbprint, signing_key = door_material(self.settings)
        assert material
        genesis(core, utc_now(), thumbprint=thumbprint, signing_key=signing_key)
        core.close()
        shard = Shard(self.settings.data, **named)
        operator = shard.caller(thumbprint=thumbprint)
        shard.caller = lambda *_, **__: operator  # type: ignore[method-assign] # the certificate that is registered
        self.ref, self.case_id, self.plan_id = shard.plan()
        shard.done(shard.goal(self.plan_id))
        shard.core.integrator.integrate()
        shard.close()
        self.credentials = self.settings.data / "operator"
        self.folder = folder
        self.thumbprint = thumbprint

    def token(self, professional: str, task: str = "college:WMO", **changes: Any) -> Path:  # noqa: ANN401 -- any part of a person
        clock: Any = changes.pop("clock", time.time)
        tokens = PersonTokens(Credentials.load(self.credentials), clock)
        file = self.folder / f"token-{professional}-{task.replace(':', '-')}"
        file.write_text(
            tokens.token_for(Person(professional, task, "regisseur", **changes)), encoding="ascii"
        )
        return file

    def head(self) -> int:
        with closing(SQLiteReader(event_file(self.settings))) as reader:
            return reader.head()[0]

    def signatures(self, signed_from: int) -> SignatureCheck:
        """Look at every leaf, as `audit verify --signers` does; before `signed_from` nobody signed."""
        operator = Credentials.load(self.credentials)
        key = operator.signing_key.public_key().public_bytes_raw()
        check = SignatureCheck({operator.oin: (key,)}, signed_from)
        with closing(SQLiteReader(event_file(self.settings))) as reader:
            check.add(reader.leaf_entries(0, self.head()))
        return check

    def words(self, *people: Path, **changes: str) -> list[object]:
        said = {"article": "wmo_5_3_5", "reason": "resident_asked", "case": self.case_id} | changes
        proposer, *approvers = people
        words: list[object] = ["keys", "shred", "--data", self.settings.data, "-o", "json"]
        words += ["--credentials", self.credentials, "--proposer", proposer]
        for file in approvers:
            words += ["--approver", file]
        return words + [word for name, value in said.items() for word in (f"--{name}", value)]

    def people(self) -> list[Path]:
        return [self.token("w-1"), self.token("w-2", "college:JW"), self.token("fg-1", "fg")]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_three_persons_erase_and_the_certificate_proves_it(desk: Desk, exchange: Shell) -> None:
    said = exchange(*desk.words(*desk.people()))
    assert (said.code, said.err) == (0, "")
    done = json.loads(said.out)
    core = open_core(desk.settings)
    assert core.loader.load(f"plan-{desk.plan_id}").state is None
    assert verify_store(core.reader).problems == []
    policy = parse_policy(f"log {core.signer.vkey}\nquorum none\n")
    core.close()
    again = exchange(*desk.words(*desk.people()))
    assert (again.code, again.out) == (1, "")
    assert "there is no such case" in again.err

    said = exchange("keys", "status", "--data", desk.settings.data, "-o", "json")
    told = json.loads(said.out)
    assert (said.code, told["decided"], told["listed"], told["left"]) == (0, 1, 1, [])

    out = desk.folder / "certificate"
    said = exchange("keys", "certificate", done["erasure_id"], "--data", desk.settings.data, "--out", out)
    assert said.code == 0
    assert "Op " in said.out
    statement = json.loads((out / "statement.json").read_text(encoding="utf-8"))
    proven = verify_receipt(None, (out / "receipt.tlog-proof").read_bytes(), policy)
    assert proven.index == done["leaf_index"] == statement["leaf_index"]
    over = exchange("keys", "certificate", done["erasure_id"], "--data", desk.settings.data, "--out", out)
    assert over.code == 2
    assert "certificate is there already: name a new one" in " ".join(over.err.split())
    assert (out / "statement.json").is_file()
    nowhere = out.parent / "nowhere" / "certificate"
    missed = exchange(
        "keys", "certificate", done["erasure_id"], "--data", desk.settings.data, "--out", nowhere
    )
    assert missed.code == 2
    assert "there is no folder nowhere for it" in " ".join(missed.err.split())
    assert not nowhere.parent.exists()


def test_two_persons_are_not_three(desk: Desk, exchange: Shell) -> None:
    one, two, _ = desk.people()
    same = "must be three different persons"
    for people, words in (
        ((one, two), "one proposer and two approvers are asked"),
        ((one, two, two), same),
        ((one, one, two), same),
        ((one, two, desk.token("w-2", "fg")), same),
    ):
        said = exchange(*desk.words(*people))
        assert (said.code, said.out) == (2, "")
        assert words in said.err
    # Nothing waits: three persons can go on at once.
    assert exchange(*desk.words(*desk.people())).code == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("expired", "has expired"),
        ("altered", "was not signed with the registered key"),
        ("strange", "this task does not decide about an erasure"),
    ],
)
def test_a_token_that_is_not_right_decides_nothing(
    change: str, words: str, desk: Desk, exchange: Shell
) -> None:
    one, two, three = desk.people()
    if change == "expired":
        three = desk.token("fg-2", "fg", clock=lambda: time.time() - 3_600)
    elif change == "altered":
        three.write_text(three.read_text(encoding="ascii")[:-4] + "AAAA", encoding="ascii")
    else:
        three = desk.token("v-1", "veilig-thuis")
    said = exchange(*desk.words(one, two, three))
    assert said.code == 1
    assert words in said.err


def test_a_key_of_another_certificate_is_refused(desk: Desk, exchange: Shell) -> None:
    people = desk.people()
    other = desk.folder / "other"
    development_authority(desk.settings).issue_organisation(desk.settings.operator_oin, "Gemeente", other)
    (desk.folder / "mixed").mkdir()
    (desk.folder / "mixed" / "client.pem").write_bytes((desk.credentials / "client.pem").read_bytes())
    (desk.folder / "mixed" / "client.key").write_bytes((other / "client.key").read_bytes())
    (desk.folder / "mixed" / "signing.key").write_bytes((desk.credentials / "signing.key").read_bytes())
    for folder, words in (("mixed", "not that of the certificate"), ("other", "is not registered")):
        desk.credentials = desk.folder / folder
        said = exchange(*desk.words(*people))
        assert said.code == 1
        assert words in said.err


@pytest.mark.parametrize(
    ("signing", "code", "words"),
    [
        ("of another", 1, "the signature is not of the registered key"),
        ("of the certificate", 2, "signing.key is not an Ed25519 key"),
        ("missing", 2, "keys cannot be read"),
    ],
)
def test_without_the_organisations_signature_nothing_is_recorded(
    signing: str, code: int, words: str, desk: Desk, exchange: Shell
) -> None:
    people = desk.people()
    kept = desk.credentials
    desk.credentials = shutil.copytree(kept, desk.folder / "changed")
    key = desk.credentials / "signing.key"
    if signing == "missing":
        key.unlink()
    elif signing == "of another":
        other = desk.folder / "other"
        development_authority(desk.settings).issue_organisation(desk.settings.operator_oin, "Gemeente", other)
        key.write_bytes((other / "signing.key").read_bytes())
    else:
        key.write_bytes((desk.credentials / "client.key").read_bytes())
    before = desk.head()
    said = exchange(*desk.words(*people))
    assert (said.code, said.out) == (code, "")
    assert words in said.err
    assert desk.head() == before


def test_every_leaf_of_a_shredding_carries_the_organisations_signature(desk: Desk, exchange: Shell) -> None:
    before = desk.head()
    assert exchange(*desk.words(*desk.people())).code == 0
    check = desk.signatures(before)
    assert check.faults == []
    # One proposal; two approvals, the second with the destruction.
    assert (check.commands, check.signed) == (3, desk.head() - before) == (3, 4)


def test_what_a_rule_forbids_is_not_proposed(desk: Desk, exchange: Shell) -> None:
    before = desk.head()
    said = exchange(*desk.words(*desk.people(), article="avg_17_1_a"))
    assert (said.code, said.out) == (1, "")
    assert "a law demands that this is kept" in said.err
    assert desk.head() == before
    # Nothing waits: what no rule forbids goes on at once.
    assert exchange(*desk.words(*desk.people())).code == 0


def test_what_the_officer_has_to_judge_first_is_not_proposed(desk: Desk, exchange: Shell) -> None:
    shard = Shard(desk.settings.data)
    stranger = shard.caller(professional="stranger", thumbprint=desk.thumbprint)
    (read,) = shard.run(shard.question(desk.plan_id, caller=stranger, now=utc_now()))
    assert isinstance(read, AccessDenied)
    shard.core.integrator.integrate()
    shard.close()
    before = desk.head()
    said = exchange(*desk.words(*desk.people()))
    assert (said.code, said.out) == (1, "")
    assert "still has to judge who looked at this resident" in said.err
    assert desk.head() == before


def test_a_proposal_that_waits_is_gone_on_with(desk: Desk, exchange: Shell) -> None:
    before = desk.head()
    one, two, _ = desk.people()
    said = exchange(*desk.words(one, two, desk.token("fg-2", "fg", two_factor=False)))
    assert (said.code, said.out) == (1, "")
    # A proposal, one approval, and that the third was denied.
    assert desk.head() == before + 3
    other = exchange(*desk.words(*desk.people(), reason="wrong_person", article="avg_17_1_d"))
    assert "an erasure waits for approval" in other.err
    assert desk.head() == before + 3
    assert exchange(*desk.words(*desk.people())).code == 0
    assert desk.head() == before + 5
    assert desk.signatures(before).faults == []


def test_beside_a_running_service_nothing_is_shredded(desk: Desk, exchange: Shell) -> None:
    with held(desk.settings.data):
        said = exchange(*desk.words(*desk.people()))
    assert said.code == 2
    assert "another service runs" in said.err


def test_what_is_left_is_told_and_carried_out(desk: Desk, exchange: Shell) -> None:
    kept = key_file(desk.settings).read_bytes()
    erasure_id = json.loads(exchange(*desk.words(*desk.people())).out)["erasure_id"]
    for file in key_file(desk.settings).parent.glob("keys.db*"):
        file.unlink()
    key_file(desk.settings).write_bytes(kept)
    said = exchange("keys", "status", "--data", desk.settings.data)
    assert said.code == 1
    assert f"1 not carried out\n  {erasure_id}" in said.out
    said = exchange("keys", "shred", "--data", desk.settings.data, "-o", "json")
    assert (said.code, json.loads(said.out)) == (0, {"carried_out": [erasure_id]})
    assert exchange("keys", "status", "--data", desk.settings.data).code == 0
    with closing(sqlite3.connect(key_file(desk.settings))) as c:
        rows = c.execute("SELECT count(*) FROM data_key WHERE resident_ref = ?", (desk.ref,)).fetchone()
    assert rows == (0,)


@pytest.mark.parametrize(
    "words",
    [
        ("shred", "--article", "wmo_5_3_5"),
        ("shred", "--case", "c-1"),
        ("certificate", "3f1b7b0e-4d5c-4b8e-9a6f-0e4f3a0b9c11"),
    ],
)
def test_a_wrong_call_exits_two(words: tuple[str, ...], desk: Desk, exchange: Shell) -> None:
    said = exchange("keys", *words, "--data", desk.settings.data)
    assert (said.code, said.out) == (2, "")


@pytest.mark.parametrize("words", [("status",), ("shred",), ("certificate", "x")])
def test_where_no_service_ran_nothing_is_made(words: tuple[str, ...], exchange: Shell) -> None:
    said = exchange("keys", *words, "--data", "nowhere")
    assert (said.code, said.out) == (2, "")
    assert not Path("nowhere").exists()
