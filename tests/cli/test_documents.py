"""`exchange export`: documents and files, written once, from a gathered file or a shard's own."""

from __future__ import annotations

import csv
import io
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.documents.words import ZONE
from tests.documents.papers import STAFF, WHOLE, accessible_faults
from tests.wiring.shards import newest_at

if TYPE_CHECKING:
    from exchange.settings import Settings
    from tests.cli.conftest import Shell

REPOSITORY = Path(__file__).resolve().parents[2]
LATER = "2999-01"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "gathered.json"
    found.write_text(json.dumps(WHOLE), encoding="utf-8")
    return found


def test_a_residents_answer_becomes_a_paper_once(exchange: Shell, file: Path) -> None:
    said = exchange("export", "access", file, "--out", "paper.pdf")
    assert (said.code, said.err) == (0, "")
    made = Path("paper.pdf").read_bytes()
    assert said.out == f"paper.pdf: {len(made)} bytes\n"
    assert accessible_faults(made, "nl", "Uw gegevens in het plan") == []
    again = exchange("export", "access", file, "--language", "en", "--out", "paper.pdf")
    assert (again.code, again.out) == (2, "")
    assert "is there already" in again.err
    assert Path("paper.pdf").read_bytes() == made
    assert stat.S_IMODE(Path("paper.pdf").stat().st_mode) == 0o600


def test_a_paper_that_cannot_be_written_is_a_wrong_call_and_leaves_nothing(
    exchange: Shell, file: Path
) -> None:
    said = exchange("export", "access", file, "--out", "nowhere/paper.pdf")
    assert (said.code, said.out) == (2, "")
    assert "there is no folder nowhere for it" in said.err
    too_long = "x" * 300
    said = exchange("export", "access", file, "--out", too_long)
    assert (said.code, said.out) == (2, "")
    assert "File name too long" in " ".join(said.err.split())


def test_half_a_file_does_not_stay(tmp_path: Path) -> None:
    words = (
        "import resource; from pathlib import Path; from exchange.cli.new_file import write_new;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096)); write_new(Path('paper'), bytes(9_999))"
    )
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", words], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert "BadParameter: paper: File too large; nothing of it was written: make room" in done.stderr
    assert not (tmp_path / "paper").exists()


def test_half_a_folder_does_not_stay(tmp_path: Path) -> None:
    words = (
        "import resource; from pathlib import Path; from exchange.cli.new_file import write_new_folder;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096));"
        "write_new_folder(Path('papers'), {'whole': bytes(4_096), 'half': bytes(4_097)})"
    )
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", words], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert "BadParameter: half: File too large; nothing of it was written: make room" in done.stderr
    assert [*tmp_path.iterdir()] == []


def test_who_looked_and_the_receipts_are_files_of_their_own(exchange: Shell, file: Path) -> None:
    for form in ("csv", "json", "jsonl"):
        said = exchange("export", "disclosures", file, "--form", form, "--out", f"looked.{form}")
        assert (said.code, said.err) == (0, "")
        assert STAFF not in Path(f"looked.{form}").read_text("utf-8")
    assert (
        json.loads(Path("looked.jsonl").read_text("utf-8"))
        == json.loads(Path("looked.json").read_text("utf-8"))[0]
    )
    assert exchange("export", "receipts", file, "--out", "receipts.json").code == 0
    assert json.loads(Path("receipts.json").read_text("utf-8"))["@graph"] == []


def test_a_file_that_is_none_is_a_wrong_call_and_repeats_nothing(exchange: Shell, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"gathered_at": "Jan Jansen"}', encoding="utf-8")
    said = exchange("export", "access", wrong, "--out", "paper.pdf")
    assert (said.code, said.out, Path("paper.pdf").exists()) == (2, "", False)
    assert "gathered_at: is of another form" in said.err
    assert "Jansen" not in said.err


def test_the_record_is_derived_from_a_shard_alike_in_every_form(exchange: Shell, shard: Settings) -> None:
    for form in ("csv", "json", "pdf"):
        said = exchange("export", "register", "--data", shard.data, "--form", form, "--out", f"record.{form}")
        assert (said.code, said.err) == (0, "")
    told = json.loads(Path("record.json").read_text("utf-8"))
    rows = list(csv.DictReader(io.StringIO(Path("record.csv").read_text("utf-8"), newline="")))
    assert [row["activity_uri"] for row in rows] == [one["activity_uri"] for one in told["activities"]]
    assert len(rows) > 20
    assert all(row["controller"].endswith(shard.operator_oin) for row in rows)
    made = Path("record.pdf").read_bytes()
    assert accessible_faults(made, "nl", "Register van verwerkingsactiviteiten") == []
    # An answer of the exchange is read alike.
    said = exchange("export", "register", "--answer", "record.json", "--form", "csv", "--out", "again.csv")
    assert (said.code, Path("again.csv").read_bytes()) == (0, Path("record.csv").read_bytes())


def test_the_month_is_counted_once_the_list_of_duties_is_there(exchange: Shell, shard: Settings) -> None:
    # A month is one of here: it begins an hour or two before that of UTC.
    month = f"{newest_at(shard).astimezone(ZONE):%Y-%m}"
    words = ("export", "month", "--data", shard.data, "--month", month, "--form", "json")
    behind = exchange(*words, "--out", "month.json")
    assert (behind.code, Path("month.json").exists()) == (3, False)
    assert "behind the events" in behind.err
    assert exchange("projections", "rebuild", "--data", shard.data).code == 0
    assert exchange(*words, "--out", "month.json").code == 0
    found = json.loads(Path("month.json").read_text("utf-8"))
    assert sum(one["count"] for one in found["decisions"]) > 0
    assert found["ledger"]["leaves"] >= found["ledger"]["signed_leaves"] > 0
    assert found["ledger"]["quorum"] is None, "no file tells which witnesses signed"
    assert exchange("export", "month", "--answer", "month.json", "--out", "month.pdf").code == 0
    assert Path("month.pdf").read_bytes().startswith(b"%PDF-1.7")


@pytest.mark.parametrize(
    "words",
    [(), ("--month", "2026-13"), ("--month", "november"), ("--month", LATER), ("--month", "")],
)
def test_a_month_that_is_none_or_still_to_come_is_a_wrong_call(
    exchange: Shell, shard: Settings, words: tuple[str, ...]
) -> None:
    said = exchange("export", "month", "--data", shard.data, "--form", "json", *words)
    assert (said.code, said.out) == (2, "")
    assert "onth" in said.err


def test_without_a_store_there_is_nothing_to_derive(exchange: Shell, tmp_path: Path) -> None:
    said = exchange("export", "register", "--data", tmp_path / "nothing", "--form", "csv")
    assert (said.code, said.out) == (2, "")
