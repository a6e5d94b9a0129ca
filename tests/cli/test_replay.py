"""`exchange gate replay` and `preview` on a shard's files: what they print, and how they end."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.domain.disclosure import DisclosureDecided
from exchange.keys.kek import FileKek
from exchange.store.codec import Meta
from tests.pipeline.legal_bases import NEW_BASIS, entry_text, successor, under_new
from tests.pipeline.shard import NOW, Shard
from tests.wiring.shards import position

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

WORDS = "ik kom niet meer buiten"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard in which a plan was read, refused, and asked under a basis that is not there yet. Copy it."""
    folder = tmp_path_factory.mktemp("asked") / "shard"
    shard = Shard(folder)
    _, _, plan_id = shard.plan()
    shard.run(
        shard.question(plan_id),
        shard.question(plan_id, caller=shard.caller(professional="prof-9")),
        under_new(shard, plan_id),
    )
    shard.close()
    return folder


@pytest.fixture
def data(asked: Path, tmp_path: Path) -> Path:
    shutil.copytree(asked, tmp_path / "shard")
    return tmp_path / "shard"


def forge(data: Path) -> int:
    """Put a decision in the store that the rules never gave; return its position."""
    shard = Shard(data)
    row = shard.core.reader.page(0, 10_000, (DisclosureDecided.TOPIC,))[-1]
    opened = shard.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
    assert isinstance(opened.event, DisclosureDecided)
    event = replace(opened.event, decision_id="f" * 32, outcome="PERMIT", rules=("P-WMO-2.3.2",))
    meta = Meta(NOW, event.organisation, event.task, "", event.purpose, "", "f" * 32, event.policy_hash, 0)
    shard.core.writer.record(lambda _: [(row.stream, [event])], meta)
    head = shard.head
    shard.close()
    return head


# --- replay ----------------------------------------------------------------------------------------------


def test_a_history_that_replays_ends_well(exchange: Shell, data: Path) -> None:
    said = exchange("gate", "replay", "--data", data)
    assert (said.code, said.err) == (0, "")
    assert "3 decisions and 2 permitted commands judged again" in said.out
    assert "5 the same" in said.out
    told = json.loads(exchange("gate", "replay", "--data", data, "-o", "json").out)
    assert (told["ok"], told["decisions"], told["same"], told["differences"]) == (True, 3, 5, [])


def test_a_forged_decision_ends_with_one_and_is_named(exchange: Shell, data: Path) -> None:
    head = forge(data)
    said = exchange("gate", "replay", "--data", data)
    assert said.code == 1
    assert "1 differ under the same register and rules" in said.out
    lines = exchange("gate", "replay", "--data", data, "-o", "jsonl")
    (difference,) = [json.loads(line) for line in lines.out.splitlines()]
    assert (difference["position"], difference["decision_id"]) == (head, "f" * 32)
    assert (difference["found"], difference["rules_then"], difference["rules_now"]) == (
        "differs",
        ["P-WMO-2.3.2"],
        ["R04"],
    )
    assert json.loads(lines.err)["differs"] == 1


@pytest.mark.parametrize("ends", [0, -1])
def test_only_the_positions_that_were_named_are_looked_at(exchange: Shell, data: Path, ends: int) -> None:
    head = forge(data)
    said = exchange("gate", "replay", "--data", data, "--from", head - 1, "--to", head + ends, "-o", "json")
    told = json.loads(said.out)
    assert (said.code, told["decisions"]) == ((1, 2) if ends == 0 else (0, 1))


def test_a_replay_writes_nothing_and_tells_no_words(exchange: Shell, data: Path) -> None:
    forge(data)
    before = {file: file.read_bytes() for file in sorted(data.glob("*.db"))}
    assert before
    outs = [exchange("gate", "replay", "--data", data, "-o", how).out for how in ("table", "json", "jsonl")]
    assert {file: file.read_bytes() for file in before} == before
    assert not any(WORDS in out or "nodig" in out.lower() for out in outs)


@pytest.mark.parametrize(
    "words", [("--from", 0), ("--from", "x"), ("--from", 5, "--to", 4), ("--to", 0), ("-o", "xml")]
)
def test_a_wrong_call_exits_two(exchange: Shell, data: Path, words: tuple[object, ...]) -> None:
    assert exchange("gate", "replay", "--data", data, *words).code == 2


def test_a_first_position_beyond_the_newest_is_no_clean_history(exchange: Shell, data: Path) -> None:
    head = position_of(data)
    assert exchange("gate", "replay", "--data", data, "--from", head).code == 0
    said = exchange("gate", "replay", "--data", data, "--from", head + 1)
    assert (said.code, said.out) == (2, "")
    assert f"--from: must not come after the newest position, which is {head}" in said.err


def test_where_no_service_ran_nothing_is_made(exchange: Shell) -> None:
    for words in (("replay",), ("preview", "--register", "new.toml", "--since", "2026-01-01")):
        Path("new.toml").write_text(entry_text(), encoding="utf-8")
        said = exchange("gate", *words, "--data", "nowhere")
        assert (said.code, said.out) == (2, "")
        assert "no service ran" in said.err
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("lost", ["keys.db", "kek", "another kek"])
def test_without_its_keys_a_history_is_not_looked_at(exchange: Shell, data: Path, lost: str) -> None:
    for file in (data / "keys").glob("keys.db*" if lost == "keys.db" else "kek"):
        file.unlink()
    if lost == "another kek":
        FileKek(data / "keys" / "kek", create=True)
    said = exchange("gate", "replay", "--data", data)
    assert (said.code, said.out) == (2, "")
    assert said.err


# --- preview ---------------------------------------------------------------------------------------------


def preview(exchange: Shell, data: Path, text: str, *more: object) -> dict[str, object]:
    Path("new.toml").write_text(text, encoding="utf-8")
    words = ("--register", "new.toml", "--since", "2026-01-01", "-o", "json")
    said = exchange("gate", "preview", "--data", data, *words, *more)
    assert said.code == 0, said.err
    told: dict[str, object] = json.loads(said.out)
    return told


def test_a_new_basis_is_previewed_by_recipient_and_category(exchange: Shell, data: Path) -> None:
    before = position_of(data)
    told = preview(exchange, data, entry_text())
    assert told["effect"] == [{"recipient": "college:WMO", "category": "WMO-PLAN", "opens": 1, "closes": 0}]
    assert (told["decisions"], told["changed"]) == (3, 1)
    assert position_of(data) == before


def test_a_table_and_the_decisions_themselves(exchange: Shell, data: Path) -> None:
    Path("new.toml").write_text(successor(enabled="false"), encoding="utf-8")
    words = ("gate", "preview", "--data", data, "--register", "new.toml", "--since", "2026-03-02")
    table = exchange(*words)
    assert table.code == 0
    assert "college:WMO" in table.out
    assert "CONTACT" in table.out
    assert "3 would come out otherwise, of 3 decisions and 2 permitted commands" in table.out
    lines = [json.loads(line) for line in exchange(*words, "-o", "jsonl").out.splitlines()]
    assert [line["closes"] for line in lines] == [["CONTACT"], ["WMO-PLAN"], ["WMO-PLAN"]]
    assert all(len(line["decision_id"]) == 32 for line in lines)
    assert exchange(*words[:-1], "2026-03-03", "-o", "jsonl").out == ""


def test_a_whole_register_ends_what_it_leaves_out(exchange: Shell, data: Path) -> None:
    told = preview(exchange, data, entry_text("WGS-3", like="WGS-3"), "--whole")
    assert {"recipient": "college:WMO", "category": "WMO-PLAN", "opens": 0, "closes": 2} in told["effect"]  # type: ignore[operator] # a list


def position_of(data: Path) -> int:
    from exchange.settings import throw_away_settings

    return position(throw_away_settings(data=data))


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"= nothing", "key="),
        (b"\xff\xfe", "key="),
        (entry_text().encode() + b'colour = "red"\n', "key=colour"),
        (entry_text().replace("dpia_ref", "dpia").encode(), "key=dpia"),
        (b"[[basis]]\nid = 1\n", "key=id"),
        (b"#" * (1 << 20) + b"#", "key="),
        (entry_text("WMO-2.3.2", 2).encode(), "entry=WMO-2.3.2, file=new.toml, key=valid_from"),
        (successor(3).encode(), "key=succeeds"),
        (successor().encode() + b'approved_by = ["b-2"]\n', "key=approved_by"),
        (successor().encode() + b'approved_by = ["b-2", "b-2"]\n', "key=approved_by"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(exchange: Shell, data: Path, content: bytes, key: str) -> None:
    Path("new.toml").write_bytes(content)
    said = exchange("gate", "preview", "--data", data, "--register", "new.toml", "--since", "2026-01-01")
    assert (said.code, said.out) == (2, "")
    assert "file=new.toml" in said.err
    assert key in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("--since", "2026-01-01"),
        ("--register", "new.toml"),
        ("--register", "absent.toml", "--since", "2026-01-01"),
        ("--register", "new.toml", "--since", "01-01-2026"),
        ("--register", "new.toml", "--since", "9998-01-01"),
    ],
)
def test_a_wrong_preview_exits_two(exchange: Shell, data: Path, words: tuple[str, ...]) -> None:
    Path("new.toml").write_text(entry_text(NEW_BASIS), encoding="utf-8")
    assert exchange("gate", "preview", "--data", data, *words).code == 2
