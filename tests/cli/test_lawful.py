"""`exchange audit lawful` on a shard's files: nothing where all was lawful, and each thing that was not."""
# ruff: noqa: ANN401 -- a forged decision differs in any field

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.disclosure import DeliveryAborted, DisclosureDecided, DisclosureDelivered
from exchange.gate.model import Field
from exchange.ledger.pack import export_pack
from exchange.pipeline.walk import Group
from exchange.store.codec import Meta
from exchange.wiring.ledger import open_ledger
from tests.pipeline.shard import NOW, Shard

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

WORDS = "ik kom niet meer buiten"
CONSENT_BASIS = "WMO-5.1.1-4"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard with a plan that was read, refused, and read with a consent that ended after it. Copy it."""
    folder = tmp_path_factory.mktemp("shared") / "shard"
    shard = Shard(folder)
    ref, case_id, plan_id = shard.plan()
    consent = shard.consent(ref, case_id)
    shard.run(
        shard.question(plan_id),
        shard.question(plan_id, caller=shard.caller(professional="prof-9")),
        shard.question_with_consent(plan_id),
    )
    shard.done(shard.withdrawal(consent))
    shard.run(shard.question_with_consent(plan_id))
    shard.core.integrator.integrate()
    shard.close()
    return folder


@pytest.fixture
def data(shared: Path, tmp_path: Path) -> Path:
    shutil.copytree(shared, tmp_path / "shard")
    return tmp_path / "shard"


def decisions(shard: Shard) -> list[tuple[str, DisclosureDecided]]:
    found = []
    for row in shard.core.reader.page(0, 10_000, (DisclosureDecided.TOPIC,)):
        opened = shard.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
        assert isinstance(opened.event, DisclosureDecided)
        found.append((row.stream, opened.event))
    return found


def forge(
    data: Path, basis: str = "WMO-2.3.2", meta_changes: dict[str, str] | None = None, **changes: Any
) -> int:
    """Record a permit as the one found for this basis, but for some changes; return its position."""
    shard = Shard(data)
    stream, like = next(
        (stream, event) for stream, event in decisions(shard) if event.legal_basis == basis and event.released
    )
    changed: dict[str, Any] = {"decision_id": "f" * 32, "facts_position": shard.head, **changes}
    changed |= {
        name: like.request.replace(*value) if name == "request" and isinstance(value, tuple) else value
        for name, value in changed.items()
    }
    event = replace(like, **changed)
    meta = Meta(
        event.at,
        event.organisation,
        event.task,
        "",
        event.purpose,
        f"{event.legal_basis}@{event.basis_version}",
        event.decision_id,
        event.policy_hash,
        event.facts_position,
    )
    meta = Meta(**{name: getattr(meta, name) for name in Meta.__struct_fields__} | (meta_changes or {}))
    shard.core.writer.record(lambda _: [(stream, [event])], meta)
    head = shard.head
    shard.close()
    return head


def findings(exchange: Shell, data: Path, *words: object) -> list[tuple[int, str]]:
    said = exchange("audit", "lawful", "--data", data, "-o", "json", *words)
    told = json.loads(said.out)
    assert told["ok"] is (said.code == 0)
    assert WORDS not in said.out
    return [(one["position"], one["what"]) for one in told["findings"]]


def test_a_lawful_history_ends_well(exchange: Shell, data: Path) -> None:
    before = {file: file.read_bytes() for file in sorted(data.glob("*.db"))}
    said = exchange("audit", "lawful", "--data", data)
    assert (said.code, said.err) == (0, "")
    assert "2 disclosures and 2 refusals looked at" in said.out
    assert "nothing found that was not lawful" in said.out
    assert {file: file.read_bytes() for file in before} == before


def test_the_same_decision_again_is_as_lawful(exchange: Shell, data: Path) -> None:
    forge(data)
    assert findings(exchange, data) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"purpose": "reclame"}, "the purpose is not one of the basis"),
        ({"basis_version": "99"}, "no such version of the basis stood at this position"),
        ({"legal_basis": "NOBODY-1"}, "no such version of the basis stood at this position"),
        ({"at": NOW.replace(year=1999)}, "the basis was not in force"),
        ({"outcome": "DENY"}, "fields left though the decision was no"),
        ({"released": ("goals.own_words", "resident.address")}, "a field left that nobody asked for"),
        ({"withheld": ("goals.own_words",)}, "a field both left and was withheld"),
        ({"request": ("WMO-PLAN", "POLICE")}, "a field is of a category outside the basis"),
        ({"request": ("college:WMO", "verzekeraar")}, "the recipient is not one of the basis"),
        ({"request": '{"fields":3,"form":99}'}, "what was asked cannot be read"),
        ({"request": '{"asked":{"kinds":[7],"paths":[]},"form":3}'}, "what was asked cannot be read"),
        ({"request": '{"asked":{"kinds":[],"paths":[["a",0]]},"form":3}'}, "what was asked cannot be read"),
        ({"organisation": "00000009999999999000"}, "the recipient is not who asked"),
        ({"facts_position": 10_000}, "the decision rests on facts of its own future"),
        ({"meta_changes": {"purpose": "wmo-levering"}}, "the leaf names another purpose"),
        ({"meta_changes": {"legal_basis": "WMO-2.3.2@9"}}, "the leaf names another basis"),
        ({"meta_changes": {"task": "college:JW"}}, "the leaf names another organisation or task"),
    ],
)
def test_what_was_not_lawful_is_found_at_its_position(
    exchange: Shell, data: Path, changes: dict[str, Any], what: str
) -> None:
    position = forge(data, **changes)
    assert (position, what) in findings(exchange, data)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"consent_id": ""}, "the basis asks a consent, and none was given before this position"),
        ({"at": NOW - timedelta(days=1)}, "the consent does not hold at this moment"),
        ({"at": NOW + timedelta(seconds=30)}, "the consent was given later"),
        ({"at": NOW + timedelta(days=365)}, "the consent does not hold at this moment"),
        ({"purpose": "wmo-levering"}, "the consent is for another purpose"),
        ({"request": ("WMO-PLAN", "CONTACT")}, "a field is of a category outside the consent"),
        ({}, "the consent was refused or withdrawn before this position"),
    ],
)
def test_a_consent_that_does_not_reach_is_found(
    exchange: Shell, data: Path, changes: dict[str, Any], what: str
) -> None:
    position = forge(data, CONSENT_BASIS, **changes)
    found = findings(exchange, data)
    assert (position, what) in found
    assert {at for at, _ in found} == {position}


def test_what_two_consents_cover_together_is_within_them(exchange: Shell, tmp_path: Path) -> None:
    shard = Shard(tmp_path / "two")
    ref, case_id, plan_id = shard.plan()
    shard.consent(ref, case_id)
    beside = shard.consent(ref, case_id, categories=("CONTACT",))
    kinds = {"goals.own_words": "WMO-PLAN", "resident.phone": "CONTACT"}
    walk = partial(
        shard.question_with_consent,
        plan_id,
        fields=tuple(kinds),
        groups=lambda _, asked: [
            Group(path, Field(path, kinds[path], provider="college:JW", acquired_for="jw")) for path in asked
        ],
    )
    shard.run(walk())
    shard.done(shard.withdrawal(beside))
    shard.run(walk(allow_partial=True))
    shard.core.integrator.integrate()
    released = [one.released for _, one in decisions(shard)]
    shard.close()
    assert released == [("goals.own_words", "resident.phone"), ("goals.own_words",)]
    assert findings(exchange, tmp_path / "two") == []
    # What the consent beside covered is outside them again, once it was withdrawn.
    position = forge(tmp_path / "two", CONSENT_BASIS)
    assert (position, "a field is of a category outside the consent") in findings(exchange, tmp_path / "two")


def test_the_last_second_of_a_consent_is_within_it(exchange: Shell, data: Path) -> None:
    position = forge(data, CONSENT_BASIS, at=NOW + timedelta(days=365, seconds=-1))
    assert (position, "the consent does not hold at this moment") not in findings(exchange, data)


def test_the_gate_is_asked_again_too(exchange: Shell, data: Path) -> None:
    """Nothing that is simply compared differs; only who knows the rules sees it."""
    position = forge(data, rules=("P-NOBODY",))
    assert findings(exchange, data) == [(position, "the gate does not come to this decision again: differs")]
    said = exchange("audit", "lawful", "--data", data)
    assert said.code == 1
    assert f"position {position}: the gate does not come" in said.out.splitlines()[0]
    assert "findings: 1" in said.out
    lines = exchange("audit", "lawful", "--data", data, "-o", "jsonl")
    assert json.loads(lines.out)["position"] == position
    assert json.loads(lines.err)["disclosures"] == 3


@pytest.mark.parametrize(("known", "found"), [(True, 0), (False, 1)])
def test_a_delivery_needs_a_decision_before_it(
    exchange: Shell, data: Path, *, known: bool, found: int
) -> None:
    shard = Shard(data)
    stream, like = next(one for one in decisions(shard) if one[1].released)
    decision_id = like.decision_id if known else "0" * 32
    event = DisclosureDelivered(
        resident=like.resident,
        decision_id=decision_id,
        organisation=like.organisation,
        task=like.task,
        at=NOW,
    )
    meta = Meta(NOW, like.organisation, like.task, "", like.purpose, "", decision_id, like.policy_hash, 1)
    shard.core.writer.record(lambda _: [(stream, [event])], meta)
    shard.close()
    assert len(findings(exchange, data)) == found


def test_an_answer_is_lost_once_behind_its_decision_and_to_who_asked(exchange: Shell, data: Path) -> None:
    shard = Shard(data)
    stream, like = next(one for one in decisions(shard) if one[1].released)

    def lost(**changes: str) -> int:
        said: dict[str, Any] = {
            "resident": like.resident,
            "decision_id": like.decision_id,
            "organisation": like.organisation,
            "task": like.task,
            "reason": "caller_gone",
            **changes,
        }
        event = DeliveryAborted(rules=(), at=NOW, **said)
        meta = Meta(NOW, event.organisation, event.task, "", like.purpose, "", event.decision_id, "", 1)
        shard.core.writer.record(lambda _: [(stream, [event])], meta)
        return shard.head

    lost()
    invented = {
        lost(): "an answer is told as lost twice",
        lost(decision_id="0" * 32): "an answer is told as lost that no earlier decision was about",
    }
    of_another = lost(task="college:JW")
    shard.close()
    found = findings(exchange, data)
    assert {at: what for at, what in found if at != of_another} == invented
    assert (of_another, "an answer is told as lost to another than who asked") in found


# --- the leaf, and the pack ------------------------------------------------------------------------------


def change(data: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(data / "events.db")
    try:
        with connection:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
                connection.execute(f'DROP TRIGGER "{name}"')
            assert connection.execute(statement, values).rowcount == 1
    finally:
        connection.close()


def place(data: Path) -> int:
    shard = Shard(data)
    row = shard.core.reader.page(0, 10_000, (DisclosureDecided.TOPIC,))[0]
    shard.close()
    return row.position


def packed(data: Path, folder: Path) -> tuple[object, ...]:
    shard = Shard(data)
    settings = shard.settings
    shard.core.integrator.integrate()
    shard.close()
    ledger = open_ledger(settings)
    export_pack(ledger.tiles, ledger.newest(), 0, folder / "pack.zip", ledger.signer)
    (folder / "policy").write_text(f"log {ledger.signer.vkey}\nquorum none\n", encoding="utf-8")
    ledger.close()
    return "--pack", folder / "pack.zip", "--policy", folder / "policy"


def test_a_disclosure_without_a_leaf_is_found(exchange: Shell, data: Path) -> None:
    position = place(data)
    change(data, "DELETE FROM leaves WHERE leaf_index = ?", position - 1)
    assert (position, "the decision has no leaf in the log") in findings(exchange, data)


def test_a_leaf_of_other_bytes_is_found_and_the_pack_shows_which(
    exchange: Shell, data: Path, tmp_path: Path
) -> None:
    pack = packed(data, tmp_path)
    assert findings(exchange, data, *pack) == []
    position = place(data)
    shard = Shard(data)
    entry = shard.core.reader.leaf_entries(position - 1, position)[0]
    shard.close()
    digest = entry.partition(b'"ct":"')[2][:64]
    other = entry.replace(digest, b"0" * 64)
    change(data, "UPDATE leaves SET entry = ? WHERE leaf_index = ?", other, position - 1)
    found = findings(exchange, data, *pack)
    assert (position, "the leaf is of other bytes") in found
    assert (position, "the store has another leaf than the pack") in found


def test_only_what_the_pack_proves_is_looked_at(exchange: Shell, data: Path, tmp_path: Path) -> None:
    pack = packed(data, tmp_path)
    position = forge(data, purpose="reclame")
    assert findings(exchange, data, *pack) == []
    assert position in {at for at, _ in findings(exchange, data)}


def test_a_pack_that_does_not_verify_ends_the_audit(exchange: Shell, data: Path, tmp_path: Path) -> None:
    pack = packed(data, tmp_path)
    file = tmp_path / "pack.zip"
    file.write_bytes(file.read_bytes()[:-1])
    said = exchange("audit", "lawful", "--data", data, *pack)
    assert (said.code, said.out) == (1, "")
    assert "does not verify: zip directory" in said.err


@pytest.mark.parametrize("words", [("--pack", "x"), ("-o", "xml"), ("--data", "nowhere")])
def test_a_wrong_call_exits_two(exchange: Shell, words: tuple[str, ...]) -> None:
    Path("x").write_bytes(b"")
    assert exchange("audit", "lawful", *words).code == 2
    assert not Path("nowhere").exists()
