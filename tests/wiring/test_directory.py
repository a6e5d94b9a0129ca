"""A directory at the keyboard: made once, fed with checkpoints, and proven by whoever knows its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from adapters.sdk.proofs import verify_receipt
from exchange.cli.__main__ import app
from exchange.errors import ForkRefused, SettingsInvalid
from exchange.ledger.checkpoint import parse_policy
from exchange.wiring.directory import add_checkpoints, make_directory
from tests.ledger.builders import signer
from tests.ledger.witnessing import OTHERS, note

if TYPE_CHECKING:
    from pathlib import Path

NAME = "logboeken.example/2026"


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Checkpoints of 3 and 7 leaves, a fork of 7, and a policy."""
    for name, content in {"three": note(3), "seven": note(7), "fork": note(7, OTHERS)}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "logs").write_text(f"log {signer().vkey}\nquorum none\n", encoding="utf-8")
    return tmp_path


def test_what_is_taken_is_proven_by_whoever_knows_the_key(given: Path) -> None:
    shell, data = CliRunner(), ["--data", str(given / "directory")]
    first, second = shell.invoke(app, ["directory", "init", "--name", NAME, *data]).stdout.split()
    words = ["directory", "add", "--logs", str(given / "logs"), *data]
    taken = shell.invoke(app, [*words, str(given / "three"), str(given / "seven"), str(given / "three")])
    assert (taken.exit_code, taken.stdout) == (0, "0 three\n1 seven\n0 three\n")
    published = (given / "directory" / "ledger" / "checkpoint").read_bytes()
    for vkey in (first, second):
        assert parse_policy(f"log {vkey}\nquorum none\n").accept(published).size == 2
    proof = shell.invoke(app, ["directory", "proof", "1", *data])
    assert verify_receipt(note(7), proof.stdout, first) == 1


def test_what_was_taken_before_a_refusal_is_published_with_the_next(given: Path) -> None:
    data = given / "directory"
    make_directory(data, NAME)
    with pytest.raises(ForkRefused):
        add_checkpoints(data, given / "logs", [given / "seven", given / "fork"])
    taken = add_checkpoints(data, given / "logs", [])
    assert (taken.indexes, taken.signed.checkpoint.size) == ((), 1)


def test_name_and_keys_are_made_once(given: Path) -> None:
    keys = make_directory(given / "directory", NAME)
    assert keys[0].startswith(f"{NAME}+")
    with pytest.raises(SettingsInvalid, match="never made anew"):
        make_directory(given / "directory", "other.example")


def test_a_folder_without_a_directory_and_a_directory_without_a_checkpoint_are_named(given: Path) -> None:
    with pytest.raises(SettingsInvalid, match="no service ran"):
        add_checkpoints(given / "nowhere", given / "logs", [given / "three"])
    make_directory(given / "directory", NAME)
    with pytest.raises(SettingsInvalid, match="no checkpoint to take"):
        add_checkpoints(given / "directory", given / "logs", [])
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        add_checkpoints(given / "directory", given / "logs", [given / "absent"])
