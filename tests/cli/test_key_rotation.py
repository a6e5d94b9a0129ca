"""`exchange keys kek`, `rotate-kek` and `rotate`: a shard before and after, at the keyboard."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from exchange.wiring.core import open_core
from exchange.wiring.holding import held

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings
    from tests.cli.conftest import Shell


def config(tmp_path: Path, name: str) -> Path:
    file = tmp_path / f"{name}.toml"
    file.write_text(f'kek = "file"\nkek_file = "{tmp_path / name}"\n', encoding="utf-8")
    return file


def test_a_new_kek_is_made_and_takes_over(exchange: Shell, shard: Settings, tmp_path: Path) -> None:
    new = config(tmp_path, "kek-2")
    made = exchange("keys", "kek", "create", "--config", new, "--data", shard.data)
    found = re.fullmatch(r"KEK ([0-9a-f]{16}) made, in a file\. Back it up .*\n", made.out)
    assert found is not None
    twice = exchange("keys", "kek", "create", "--config", new, "--data", shard.data)
    assert (twice.code, "already" in twice.err) == (2, True)
    old = json.loads(exchange("keys", "kek", "show", "--json", "--data", shard.data).out)
    needed = exchange("keys", "kek", "show", "--config", new, "--data", shard.data)
    assert (needed.code, "a former KEK: exchange keys rotate-kek" in needed.out) == (1, True)
    alone = exchange("keys", "rotate-kek", "--config", new, "--data", shard.data)
    assert (alone.code, "another KEK" in alone.err) == (1, True)
    former = tmp_path / "old.toml"
    former.write_text('kek = "file"\n', encoding="utf-8")
    done = exchange("keys", "rotate-kek", "--config", new, "--from", former, "--data", shard.data)
    assert (done.code, done.err) == (0, "")
    (count,) = old["wrapped"].values()
    assert f"{count} keys and secrets wrapped anew under KEK {found[1]}." in done.out
    assert f"KEK {old['kek']} wraps nothing here any more." in done.out
    after = exchange("keys", "kek", "show", "--json", "--config", new, "--data", shard.data)
    assert json.loads(after.out) == {"kek": found[1], "kept": "in a file", "wrapped": {found[1]: count}}
    again = exchange("keys", "rotate-kek", "--config", new, "--data", shard.data)
    assert again.out.startswith("0 keys and secrets")
    assert "destroy" not in again.out
    open_core(shard.model_copy(update={"kek_file": tmp_path / "kek-2"})).close()
    told = made.out + done.out + after.out + needed.out
    assert (tmp_path / "kek-2").read_text(encoding="utf-8").split("\n")[1] not in told


def test_new_key_versions_by_category_or_all(exchange: Shell, shard: Settings) -> None:
    for words in ((), ("--category", "CONTACT", "--all")):
        neither = exchange("keys", "rotate", *words, "--data", shard.data)
        assert (neither.code, "name a category, or say --all" in neither.err) == (2, True)
    for category in ("LEDGER", "NIETS"):
        unknown = exchange("keys", "rotate", "--category", category, "--data", shard.data)
        assert (unknown.code, "no such data category" in unknown.err) == (2, True)
    done = exchange("keys", "rotate", "--all", "--data", shard.data)
    assert (done.code, done.err) == (0, "")
    assert re.match(r"[1-9]\d* new key versions; ", done.out)
    assert "at version 2" in exchange("doctor", "--data", shard.data).out
    open_core(shard).close()


def test_a_running_service_is_left_alone(exchange: Shell, shard: Settings) -> None:
    with held(shard.data):
        for words in (("rotate-kek",), ("rotate", "--all")):
            busy = exchange("keys", *words, "--data", shard.data)
            assert (busy.code, "Stop the service" in busy.err) == (2, True)
    nowhere = exchange("keys", "rotate-kek", "--data", "nowhere")
    assert (nowhere.code, "no service ran" in nowhere.err) == (2, True)
