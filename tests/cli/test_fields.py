"""`exchange audit reveal` and `check-field`: one field of a consent, shown to somebody who was not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from adapters.sdk.fields import verify_field
from exchange.domain import TOPICS
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.leaf import parse_leaf
from exchange.ledger.receipt import verify_receipt
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell

REQUESTED, GIVEN = "consent.requested.v3", "consent.given.v3"


class Told(NamedTuple):
    """A closed shard with a consent in it: where its events stand, and who it is about."""

    data: Path
    policy: Path
    vkey: str
    leaves: dict[str, int]
    resident: str
    consent_id: str


@pytest.fixture
def told(tmp_path: Path) -> Told:
    shard = Shard(tmp_path / "shard")
    resident, case_id, _ = shard.plan()
    # A key of before its rotation is found again.
    consent_id = shard.consent(resident, case_id)
    shard.core.keys.rotate(resident, "LEDGER")
    shard.core.keys.flush()
    shard.core.integrator.integrate()
    rows = shard.core.reader.page(0, shard.head)
    index = {row.topic: row.position - 1 for row in rows}
    policy = tmp_path / "policy"
    policy.write_text(f"log {shard.core.signer.vkey}\nquorum none\n", encoding="utf-8")
    found = Told(tmp_path / "shard", policy, shard.core.signer.vkey, index, resident, consent_id)
    shard.close()
    return found


def revealed(exchange: Shell, told: Told, topic: str, name: str) -> dict[str, Any]:
    said = exchange("audit", "reveal", told.leaves[topic], name, "--data", told.data)
    assert said.code == 0, said.err
    shown: dict[str, Any] = json.loads(said.out)
    return shown


def test_a_field_is_shown_and_proven_to_who_has_only_the_logs_key(
    exchange: Shell, told: Told, tmp_path: Path
) -> None:
    shown = revealed(exchange, told, REQUESTED, "purpose")
    assert (shown["name"], shown["value"]) == ("purpose", "wmo-onderzoek")
    file = tmp_path / "shown.json"
    file.write_text(json.dumps(shown), encoding="utf-8")
    checked = exchange("audit", "check-field", file, "--policy", told.policy)
    assert checked.code == 0
    found = json.loads(checked.out)
    assert (found["ok"], found["topic"], found["value"]) == (True, REQUESTED, "wmo-onderzoek")
    assert verify_field(json.dumps(shown), told.vkey).value == "wmo-onderzoek"
    shown["value"] = "wmo-levering"
    file.write_text(json.dumps(shown), encoding="utf-8")
    wrong = exchange("audit", "check-field", file, "--policy", told.policy)
    assert (wrong.code, json.loads(wrong.out)["ok"]) == (1, False)


def test_every_committed_field_is_as_it_is_stored(exchange: Shell, told: Told) -> None:
    for topic in (REQUESTED, GIVEN):
        for name in TOPICS[topic].COMMITTED:
            shown = revealed(exchange, told, topic, name)
            assert verify_field(json.dumps(shown), told.vkey).name == name
    assert revealed(exchange, told, GIVEN, "consent_id")["value"] == told.consent_id
    assert revealed(exchange, told, GIVEN, "at")["value"] == "2026-03-02T10:01:00Z"
    assert isinstance(revealed(exchange, told, REQUESTED, "recipients")["value"], list)


@pytest.mark.parametrize("name", ["given_by", "resident", "nothing"])
def test_what_is_not_committed_to_is_not_revealed(exchange: Shell, told: Told, name: str) -> None:
    said = exchange("audit", "reveal", told.leaves[GIVEN], name, "--data", told.data)
    assert said.code != 0
    assert said.out == ""
    assert "self" not in said.err


def test_salts_die_with_the_key_and_the_leaf_stays_proven(exchange: Shell, told: Told) -> None:
    proof = revealed(exchange, told, REQUESTED, "purpose")["tlog_proof"]
    shard = Shard(told.data)
    shard.core.keys.destroy(told.resident)
    shard.close()
    said = exchange("audit", "reveal", told.leaves[REQUESTED], "purpose", "--data", told.data)
    assert said.code != 0
    assert said.out == ""
    assert "wmo-onderzoek" not in said.err
    proven = verify_receipt(None, proof.encode(), parse_policy(told.policy.read_text(encoding="utf-8")))
    assert len(parse_leaf(proven.entry).fields) == len(TOPICS[REQUESTED].COMMITTED)


def test_a_leaf_that_is_not_there_and_a_folder_without_service_are_refused(
    exchange: Shell, told: Told, tmp_path: Path
) -> None:
    assert exchange("audit", "reveal", 10_000, "purpose", "--data", told.data).code != 0
    assert exchange("audit", "reveal", 0, "purpose", "--data", tmp_path / "none").code != 0
    said = exchange("audit", "reveal", 0, "purpose", "--data", told.data)
    assert "commits to: none" in said.err


def test_a_malformed_policy_or_field_has_its_own_exit_code(
    exchange: Shell, told: Told, tmp_path: Path
) -> None:
    file = tmp_path / "shown.json"
    file.write_text("{}", encoding="utf-8")
    assert exchange("audit", "check-field", file, "--policy", told.policy).code == 1
    assert exchange("audit", "check-field", file, "--policy", file).code == 2
    assert exchange("audit", "check-field", tmp_path / "none", "--policy", told.policy).code == 2
