"""What an officer asks of a shard's files: a pack, and the receipt of one leaf."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.wiring.published import published_checkpoint
from tests.ledger.test_timestamp import Authority
from tests.wiring.shards import position, young

if TYPE_CHECKING:
    from exchange.settings import Settings
    from tests.cli.conftest import Shell


# --- export ----------------------------------------------------------------------------------------------


def test_an_exported_pack_verifies(exchange: Shell, shard: Settings, policy: Path) -> None:
    said = exchange("audit", "export", "--data", shard.data, "--out", "pack.zip")
    assert said.code == 0
    assert said.out.startswith(f"{position(shard)} leaves of exchange.example/")
    checked = exchange("audit", "verify", "pack.zip", "--policy", policy)
    assert checked.code == 0
    assert "good: nothing differs" in checked.out


@pytest.mark.parametrize("where", [0.2, 0.5, 0.9])
def test_a_pack_with_one_changed_byte_does_not(
    where: float, exchange: Shell, shard: Settings, policy: Path
) -> None:
    exchange("audit", "export", "--data", shard.data, "--out", "pack.zip")
    content = bytearray(Path("pack.zip").read_bytes())
    content[int(len(content) * where)] ^= 1
    Path("pack.zip").write_bytes(content)
    said = exchange("audit", "verify", "pack.zip", "--policy", policy, "-o", "json")
    told = json.loads(said.out)
    assert (said.code, told["ok"]) == (1, False)
    assert told["problems"][0]["place"]


def test_a_pack_since_an_earlier_size_is_compared_with_it(
    exchange: Shell, shard: Settings, policy: Path
) -> None:
    Path("earlier").write_bytes(published_checkpoint(shard).read_bytes())
    size = position(shard)
    said = exchange("audit", "export", "--data", shard.data, "--out", "pack.zip", "--since", size)
    assert said.code == 0
    checked = exchange(
        "audit", "verify", "pack.zip", "--policy", policy, "--since-checkpoint", "earlier", "-o", "json"
    )
    told = json.loads(checked.out)
    assert (checked.code, told["since"], told["since_checkpoint_compared"]) == (0, size, True)


def test_a_time_stamp_rides_along_with_its_checkpoint(
    exchange: Shell, shard: Settings, policy: Path, tmp_path: Path
) -> None:
    note = published_checkpoint(shard).read_bytes()
    Path("stamped.checkpoint").write_bytes(note)
    token = Path("stamped.tsr")
    token.write_bytes(Authority(tmp_path / "authority").stamp(note))
    words = ("audit", "export", "--data", shard.data, "--out", "pack.zip", "--token", token)
    assert exchange(*words).code == 0
    checked = exchange("audit", "verify", "pack.zip", "--policy", policy, "-o", "json")
    (remark,) = json.loads(checked.out)["remarks"]
    assert (checked.code, remark["place"]) == (0, f"timestamp/{position(shard)}/token.tsr")
    Path("pack.zip").unlink()
    Path("stamped.checkpoint").write_bytes(note[:-1])
    assert exchange(*words).code == 1
    Path("stamped.checkpoint").unlink()
    assert exchange(*words).code == 2
    assert not Path("pack.zip").exists()


def test_a_file_that_is_there_is_not_written_over(exchange: Shell, shard: Settings) -> None:
    Path("pack.zip").write_text("evidence", encoding="utf-8")
    said = exchange("audit", "export", "--data", shard.data, "--out", "pack.zip")
    assert (said.code, said.out) == (2, "")
    assert "pack.zip is there already" in said.err
    assert Path("pack.zip").read_text(encoding="utf-8") == "evidence"
    said = exchange("audit", "export", "--data", shard.data, "--out", "nowhere/pack.zip")
    assert (said.code, said.out) == (2, "")
    assert "there is no folder nowhere for it" in said.err


@pytest.mark.parametrize("beyond", [1, 1000])
def test_a_size_the_log_has_not_reached_exits_two(beyond: int, exchange: Shell, shard: Settings) -> None:
    size = position(shard)
    said = exchange("audit", "export", "--data", shard.data, "--out", "pack.zip", "--since", size + beyond)
    assert said.code == 2
    assert f"since: 0 to {size}" in said.err
    assert not Path("pack.zip").exists()


def test_no_checkpoint_yet_is_not_reachable(exchange: Shell) -> None:
    settings = young(Path("young"))
    said = exchange("audit", "export", "--data", settings.data, "--out", "pack.zip")
    assert (said.code, said.out) == (3, "")
    assert "no checkpoint has been signed yet" in said.err
    assert not Path("pack.zip").exists()


def test_a_shard_that_never_ran_exits_two_and_is_not_made(exchange: Shell) -> None:
    for words in (("audit", "export", "--out", "pack.zip"), ("audit", "receipt", 0)):
        said = exchange(*words, "--data", "nowhere")
        assert (said.code, said.out) == (2, "")
        assert "no service ran with these settings" in said.err
    assert not Path("nowhere").exists()
    assert not Path("pack.zip").exists()


# --- the receipt of a leaf -------------------------------------------------------------------------------


def test_a_receipt_is_printed_and_verifies(exchange: Shell, shard: Settings, policy: Path) -> None:
    said = exchange("audit", "receipt", 1, "--data", shard.data)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("c2sp.org/tlog-proof@v1\n")
    Path("one.tlog-proof").write_text(said.out, encoding="utf-8", newline="")
    checked = exchange("audit", "receipt", "one.tlog-proof", "--policy", policy, "-o", "json")
    told = json.loads(checked.out)
    assert (checked.code, told["ok"], told["index"]) == (0, True, 1)
    assert told["size"] == position(shard)


def test_a_receipt_is_written_to_a_new_file(exchange: Shell, shard: Settings, policy: Path) -> None:
    said = exchange("audit", "receipt", 0, "--data", shard.data, "--out", "0.tlog-proof")
    assert said.code == 0
    assert said.out.startswith("leaf 0 of exchange.example/")
    checked = exchange("audit", "receipt", "0.tlog-proof", "--policy", policy)
    assert checked.code == 0
    before = Path("0.tlog-proof").read_bytes()
    again = exchange("audit", "receipt", 1, "--data", shard.data, "--out", "0.tlog-proof")
    assert (again.code, again.out) == (2, "")
    assert "there already" in again.err
    assert Path("0.tlog-proof").read_bytes() == before


def test_a_receipt_for_programs(exchange: Shell, shard: Settings) -> None:
    told = json.loads(exchange("audit", "receipt", 0, "--data", shard.data, "-o", "json").out)
    assert list(told) == ["index", "origin", "size", "tlog_proof"]
    assert told["tlog_proof"].startswith("c2sp.org/tlog-proof@v1\n")
    words = ("audit", "receipt", 0, "--data", shard.data, "-o", "json", "--out", "0.tlog-proof")
    said = json.loads(exchange(*words).out)
    assert said == {"index": 0, "origin": told["origin"], "size": told["size"], "file": "0.tlog-proof"}
    assert Path("0.tlog-proof").read_text(encoding="utf-8") == told["tlog_proof"]


def test_a_leaf_beyond_the_log_exits_two_and_says_how_far_it_goes(exchange: Shell, shard: Settings) -> None:
    size = position(shard)
    said = exchange("audit", "receipt", size, "--data", shard.data)
    assert (said.code, said.out) == (2, "")
    assert f"INDEX: 0 to {size - 1}" in said.err
    assert "request id" not in said.err


def test_a_log_that_published_nothing_yet_is_not_reachable(exchange: Shell) -> None:
    settings = young(Path("young"))
    said = exchange("audit", "receipt", 0, "--data", settings.data)
    assert (said.code, said.out) == (3, "")
    assert "no checkpoint has been published yet" in said.err


def test_a_file_named_like_a_number_is_a_file_where_a_policy_is_given(
    exchange: Shell, shard: Settings, policy: Path
) -> None:
    exchange("audit", "receipt", 1, "--data", shard.data, "--out", "7")
    said = exchange("audit", "receipt", 7, "--policy", policy, "-o", "json")
    assert (said.code, json.loads(said.out)["index"]) == (0, 1)


@pytest.mark.parametrize("digits", [19, 5_000])
def test_a_number_with_more_digits_than_any_leaf_has_is_said_to_be_one(
    exchange: Shell, shard: Settings, digits: int
) -> None:
    said = exchange("audit", "receipt", "9" * digits, "--data", shard.data)
    assert (said.code, said.out) == (2, "")
    assert "the number of a leaf has at most 18 digits" in " ".join(said.err.replace("│", " ").split())
    # With one digit less it is a leaf that is not there; noughts before it are none of its digits.
    assert "INDEX: 0 to" in exchange("audit", "receipt", "9" * 18, "--data", shard.data).err
    assert exchange("audit", "receipt", "1".zfill(digits), "--data", shard.data).code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("file.tlog-proof",),
        ("-1",),
        ("1.0",),
        ("9" * 19,),
        ("0", "--entry", "entry"),
        ("0", "--out", "missing/0.tlog-proof"),
        ("0", "-o", "xml"),
        ("absent", "--policy", "policy"),
        ("entry", "--policy", "policy", "--data", "shard"),
        ("entry", "--policy", "policy", "--out", "new"),
    ],
)
def test_a_wrong_call_for_a_receipt_exits_two(
    words: tuple[str, ...], exchange: Shell, shard: Settings, policy: Path
) -> None:
    assert policy.name == "policy"
    Path("entry").write_text("entry", encoding="utf-8")
    data = () if "--policy" in words else ("--data", shard.data)
    said = exchange("audit", "receipt", *words, *data)
    assert (said.code, said.out) == (2, "")
    assert said.err
    assert not Path("new").exists()
