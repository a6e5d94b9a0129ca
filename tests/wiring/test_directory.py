"""A directory at the keyboard: made once, fed with checkpoints, and proven by whoever knows its key."""

from __future__ import annotations

from contextlib import asynccontextmanager
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from adapters.sdk.proofs import verify_receipt
from exchange.cli.__main__ import app
from exchange.errors import ForkRefused, SettingsInvalid
from exchange.ledger.checkpoint import Checkpoint, parse_policy
from exchange.ledger.directory import Directory
from exchange.ledger.directory_door import DirectoryDoor
from exchange.ledger.evidence import EvidenceFolder
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.ledger.tiles import split_bundle
from exchange.logs import open_log
from exchange.server.web.directory import directory_app
from exchange.server.web.door import WebDoor
from exchange.server.web.tiles import FOR_EVER
from exchange.wiring.core import utc_now
from exchange.wiring.directory import STORE, add_checkpoints, directory_settings, make_directory
from exchange.wiring.ledger import open_ledger
from tests.ledger.builders import signer
from tests.ledger.witnessing import OTHERS, note
from tests.wiring.test_tiles import Reader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
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


# --- over HTTP -------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(data: Path) -> AsyncIterator[Reader]:
    """A directory behind its door, for somebody without a certificate."""
    ledger = open_ledger(directory_settings(data))
    directory = Directory(data / STORE, EvidenceFolder(data / "evidence"))
    taking = DirectoryDoor(directory, parse_policy(f"log {signer().vkey}\nquorum none\n"), list, utc_now)
    door = WebDoor(directory_app(taking, ledger.tiles, open_log(stream=StringIO())), "127.0.0.1", None)
    reader = Reader(await door.start(0))
    # The library refuses to send some paths; a hostile caller does not.
    reader.line._validate_path = lambda _: None  # type: ignore[attr-defined] # of the library
    yield reader
    reader.line.close()
    await door.stop(1)
    directory.close()
    ledger.close()


async def test_whoever_watches_a_directory_reads_what_it_took_of_each_log(given: Path) -> None:
    data = given / "directory"
    vkey, _ = make_directory(data, NAME)
    # One more than a bundle holds.
    notes = [signer().sign(Checkpoint(signer().name, size, b"r" * 32).body()) for size in range(1, 258)]
    for number, content in enumerate(notes):
        (given / f"note-{number}").write_bytes(content)
    add_checkpoints(data, given / "logs", [given / f"note-{number}" for number in range(257)])
    async with serving(data) as reader:
        head = parse_policy(f"log {vkey}\nquorum none\n").accept((await reader.get("/checkpoint")).body)
        full, rest = await reader.get("/tile/entries/000"), await reader.get("/tile/entries/001.p/1")
        assert (full.headers["cache-control"], full.headers["content-type"]) == (
            FOR_EVER,
            "application/octet-stream",
        )
        assert (await reader.get("/tile/entries/000", "POST")).status == 405
        assert (await reader.get("/tile/0/000")).status == 200
        for path in (
            *("00", "0000", "x000/000", "000.p/0", "000.p/256", "000.p/255", "000.p/01", "000/", "", "-01"),
            *(
                "001",
                "001.p/2",
                "002.p/1",
                "000.p/",
                "../../checkpoint",
                "%2e%2e/000",
                "000%00",
                "%D9%A0%D9%A0%D9%A0",
            ),
            *("999/999", "x000/" * 40 + "000"),
        ):
            found = await reader.get(f"/tile/entries/{path}")
            assert (found.status, found.headers["cache-control"], path) == (404, "no-store", path)
    served = [*split_bundle(full.body, 256, "full"), *split_bundle(rest.body, 1, "rest")]
    assert served == notes
    frontier = Frontier()
    frontier.extend(map(hash_leaf, served))
    assert (head.size, head.root) == (257, frontier.root())


async def test_an_entry_is_served_once_it_is_published_and_not_out_of_files_that_are_spoilt(
    given: Path,
) -> None:
    data = given / "directory"
    make_directory(data, NAME)
    async with serving(data) as reader:
        assert (await reader.get("/tile/entries/000.p/1")).status == 404
        before = add_checkpoints(data, given / "logs", [given / "three"]).signed
        assert (await reader.get("/tile/entries/000.p/1")).status == 200
        add_checkpoints(data, given / "logs", [given / "seven"])
        # As a directory that has not yet published what it signed last.
        (data / "ledger" / "checkpoint").write_bytes(before.note)
        assert (await reader.get("/tile/entries/000.p/2")).status == 404
        (data / "ledger" / "checkpoint").write_bytes(b"no checkpoint")
        assert (await reader.get("/tile/entries/000.p/1")).status == 503
