"""A log followed into a file: every line once and in order, whatever dies meanwhile; no file but its own."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import RequestInvalid, SettingsInvalid
from exchange.settings import throw_away_settings
from exchange.wiring.accountability import follow_ldv, ldv_lines
from tests.pipeline.shard import Shard
from tests.wiring.shards import history

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings

PLANS = 3
WAIT_S = 30
NOBODY = "00000009998887773000"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A shard with a history, closed; nothing here writes to it."""
    return history(tmp_path_factory.mktemp("ran") / "shard", PLANS)


@pytest.fixture(scope="module")
def whole(settings: Settings) -> bytes:
    return encoded(list(ldv_lines(settings, 0)))


def encoded(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def follow(settings: Settings, file: Path, since: int = 0, organisation: str = "") -> None:
    follow_ldv(settings, file, since, organisation, wait=lambda: False)


def test_a_new_file_holds_the_log_and_is_for_its_own_account(
    settings: Settings, whole: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "ldv.jsonl"
    follow(settings, file)
    assert file.read_bytes() == whole
    assert whole.count(b"\n") == 2 * PLANS
    assert file.stat().st_mode & 0o777 == 0o600
    follow(settings, file)
    assert file.read_bytes() == whole


def test_a_file_cut_anywhere_goes_on_to_the_same(settings: Settings, whole: bytes, tmp_path: Path) -> None:
    file = tmp_path / "ldv.jsonl"
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    cuts = {0, 1, len(whole) - 1} | {end + step for end in ends[:-1] for step in (-1, 0, 1, 40)}
    for cut in sorted(cuts):
        file.write_bytes(whole[:cut])
        follow(settings, file)
        assert file.read_bytes() == whole, cut


def test_it_goes_on_after_a_position_and_keeps_to_one_organisation(
    settings: Settings, whole: bytes, tmp_path: Path
) -> None:
    lines = whole.splitlines(keepends=True)
    position = json.loads(lines[0])["attributes"]["exchange.position"]
    follow(settings, tmp_path / "later", position)
    assert (tmp_path / "later").read_bytes() == b"".join(lines[1:])
    follow(settings, tmp_path / "own", 0, settings.operator_oin)
    assert (tmp_path / "own").read_bytes() == whole
    follow(settings, tmp_path / "nobodys", 0, NOBODY)
    assert (tmp_path / "nobodys").read_bytes() == b""


@pytest.mark.parametrize(
    "content",
    [
        b"notes of somebody",
        b"notes of somebody\n",
        b"SQLite format 3\0" + bytes(100),
        b"\n",
        b"{}\n",
        b"[]\n",
        b'{"attributes": {"exchange.position": "1"}}\n',
        b'{"attributes": {"exchange.position": 1}}\n',
        b"x" * 70_000,
    ],
    ids=["text", "line", "bytes", "empty line", "object", "list", "word", "position", "long"],
)
def test_a_file_that_is_not_the_logs_is_refused_and_left_as_it_is(
    settings: Settings, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "other"
    file.write_bytes(content)
    with pytest.raises(SettingsInvalid, match="holds"):
        follow(settings, file)
    assert file.read_bytes() == content


def test_a_file_of_another_log_is_refused(settings: Settings, whole: bytes, tmp_path: Path) -> None:
    file = tmp_path / "ldv.jsonl"
    for content in (whole.replace(b'"Ok"', b'"Unset"'), whole[:-2] + b" }\n"):
        file.write_bytes(content)
        with pytest.raises(SettingsInvalid, match="another log"):
            follow(settings, file)
        assert file.read_bytes() == content
    file.write_bytes(whole)
    with pytest.raises(SettingsInvalid, match="another log"):
        follow(settings, file, 0, NOBODY)


def test_a_file_ahead_of_the_store_is_refused(settings: Settings, whole: bytes, tmp_path: Path) -> None:
    line = json.loads(whole.splitlines()[-1])
    line["attributes"]["exchange.position"] = 10**9
    file = tmp_path / "ldv.jsonl"
    file.write_bytes(encoded([line]))
    with pytest.raises(RequestInvalid, match="shorter"):
        follow(settings, file)
    assert file.read_bytes() == encoded([line])


def test_two_do_not_write_one_file(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "ldv.jsonl"

    def second() -> bool:
        with pytest.raises(SettingsInvalid, match="another process"):
            follow(settings, file)
        return False

    follow_ldv(settings, file, 0, "", wait=second)


@pytest.mark.parametrize("kind", ["folder", "pipe", "nowhere"])
def test_what_is_no_file_is_refused(settings: Settings, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "there"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = path / "below"
    with pytest.raises(SettingsInvalid):
        follow(settings, path)


@pytest.mark.parametrize("failing", ["pwrite", "fsync"])
def test_a_write_that_fails_leaves_whole_lines_and_is_made_up_for(
    settings: Settings, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    file = tmp_path / "ldv.jsonl"
    file.write_bytes(whole[: whole.index(b"\n") + 1])
    write = os.pwrite

    def half(descriptor: int, data: bytes, at: int) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) // 2], at)

    def lost(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        if failing == "pwrite":
            patch.setattr(os, "pwrite", half)
        else:
            patch.setattr("exchange.wiring.line_file._keep_name", lambda _file: None)
            patch.setattr(os, "fsync", lost)
        with pytest.raises(SettingsInvalid, match="cannot be written"):
            follow(settings, file)
    assert file.read_bytes() == whole[: whole.index(b"\n") + 1]
    follow(settings, file)
    assert file.read_bytes() == whole


def test_lines_come_while_the_service_writes(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "shard")
    try:
        file, seen = tmp_path / "ldv.jsonl", []
        _, _, plan_id = shard.plan()

        def more() -> bool:
            seen.append(file.read_bytes().count(b"\n"))
            shard.done(shard.goal(plan_id))
            return len(seen) < 4

        follow_ldv(shard.settings, file, 0, "", wait=more)
        assert [later - earlier for earlier, later in pairwise(seen)] == [1, 1, 1]
        lines = list(ldv_lines(shard.settings, 0))
        assert file.read_bytes() == encoded(lines[:-1])
    finally:
        shard.close()


def follower(settings: Settings, file: Path) -> subprocess.Popen[bytes]:
    """Start a follower in a process of its own, as the shell does."""
    where = ["--data", str(settings.data), "--follow", str(file)]
    return subprocess.Popen([sys.executable, "-m", "exchange", "audit", "ldv", *where])  # noqa: S603 -- our own interpreter and paths


def wait_for_bytes(process: subprocess.Popen[bytes], file: Path, more_than: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while not (file.exists() and file.stat().st_size > more_than):
        assert process.poll() is None
        assert time.monotonic() < deadline


@pytest.mark.slow
def test_kill_9_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    settings, file = history(tmp_path / "shard", 150), tmp_path / "ldv.jsonl"
    whole = encoded(list(ldv_lines(settings, 0)))
    for _ in range(3):
        with follower(settings, file) as process:
            wait_for_bytes(process, file, file.stat().st_size if file.exists() else 0)
            process.send_signal(signal.SIGKILL)
            assert process.wait(WAIT_S) == -signal.SIGKILL
        assert whole.startswith(file.read_bytes())
        # Where it was quicker than the kill, it is as if it had died in the middle of a line.
        os.truncate(file, min(file.stat().st_size, len(whole) // 2))
    with follower(settings, file) as process:
        wait_for_bytes(process, file, len(whole) - 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    assert file.read_bytes() == whole


def test_without_a_store_nothing_is_made(tmp_path: Path) -> None:
    nothing = throw_away_settings(data=tmp_path / "nowhere")
    with pytest.raises(SettingsInvalid, match="no service ran"):
        follow(nothing, tmp_path / "ldv.jsonl")
    assert list(tmp_path.iterdir()) == []
