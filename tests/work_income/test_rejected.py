"""What was refused is sealed, goes with its time or with whoever it is about, and a person can read it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from adapters.cli import app
from adapters.kit.numbers import mentions, numbers_in
from adapters.kit.put_aside import KEPT_BYTES_MAX, TIDY_EVERY_MS, CannotOpen, PutAside, expire
from adapters.kit.sealing import KEY_BYTES
from adapters.work_income.errors import ConfigInvalid
from adapters.work_income.limits import LOOK_EVERY_MS
from adapters.work_income.sealing import Seal
from tests.work_income.papers import BSN, OTHER_BSN
from tests.work_income.settings import SETTINGS, written
from tests.work_income.test_service import FOR_RIGHT
from tests.work_income.world import PLAN, Adapter, Clock, World, erasure_of, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

BAD = json.dumps({"bsn": BSN, "purpose": "pw-recht-vaststellen", "scores": {"finance": 9}})
OTHERS = BAD.replace(BSN, OTHER_BSN)
SEAL = Seal(b"k" * KEY_BYTES)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


@pytest.fixture
def adapter(tmp_path: Path, world: World) -> Iterator[Adapter]:
    made = Adapter(tmp_path, world, Clock())
    yield made
    made.close()


@pytest.fixture
def kept(tmp_path: Path) -> PutAside:
    return PutAside(tmp_path / "rejected", SEAL, lambda: 0)


def drop(adapter: Adapter, text: str, name: str = "bad.json") -> None:
    (adapter.config.inbox / name).write_text(text)
    adapter.work(milliseconds=1)


def in_the_clear(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if mentions(path.read_bytes(), BSN)]


def test_a_refused_order_is_sealed_and_a_person_reads_it(adapter: Adapter, tmp_path: Path) -> None:
    drop(adapter, BAD)
    sealed, reason = adapter.names("rejected")
    assert (reason, in_the_clear(adapter.config.rejected)) == (f"{sealed}.reason.txt", [])
    settings, run = str(written(tmp_path, SETTINGS)), CliRunner().invoke
    listed = run(app, ["work-income", "rejected", "--config", settings])
    assert listed.stdout == f"{sealed} 2026-06-01 ORDER_REFUSED: necessity: is a text and must be there\n"
    assert run(app, ["work-income", "rejected", "--config", settings, sealed]).stdout == BAD
    for name in ("absent.sealed", reason, "../state/seal.key"):
        refused = run(app, ["work-income", "rejected", "--config", settings, name]).exception
        assert isinstance(refused, ConfigInvalid)
    adapter.config.seal_key.unlink()
    for word in ("rejected", "status", "once"):
        # No new key is made: it would open nothing of what is there.
        refused = run(app, ["work-income", word, "--config", settings]).exception
        assert isinstance(refused, ConfigInvalid), word
        assert not adapter.config.seal_key.exists()


def test_what_was_refused_goes_with_its_time(adapter: Adapter) -> None:
    drop(adapter, BAD)
    # Whatever time its sender gave it: it counts from when it was refused.
    adapter.clock.pass_by(days=30)
    adapter.clock.pass_by(milliseconds=-1)
    adapter.work(milliseconds=1)
    assert (len(adapter.names("rejected")), "rejected_expired" in adapter.events()) == (2, False)
    adapter.work(milliseconds=TIDY_EVERY_MS)
    adapter.work()
    assert (adapter.names("rejected"), adapter.events().count("rejected_expired")) == ([], 1)


@pytest.mark.parametrize(("more_ms", "gone"), [(-1, 0), (0, 0), (1, 1)])
def test_the_line_lies_behind_the_last_day(kept: PutAside, tmp_path: Path, more_ms: int, gone: int) -> None:
    (tmp_path / "a").write_text(BAD)
    kept.put("a", tmp_path / "a", "why\n")
    folder = tmp_path / "rejected"
    assert expire(folder, 30 * 24 * 3_600_000 + more_ms, 30) == gone
    assert len(list(folder.iterdir())) == 2 * (1 - gone)
    assert expire(tmp_path / "absent", 0, 1) == 0


def test_one_that_will_not_go_keeps_no_other_and_names_that_meet_lose_nothing(
    kept: PutAside, tmp_path: Path
) -> None:
    folder = tmp_path / "rejected"
    kept.keep("z", OTHERS.encode(), "why\n")
    # A folder with a reason beside it, as somebody put it there.
    (folder / "a").mkdir()
    kept.say("a", "why\n")
    with pytest.raises(OSError, match=r"directory|permitted"):
        expire(folder, 31 * 24 * 3_600_000, 30)
    assert sorted(path.name for path in folder.iterdir()) == ["a", "a.reason.txt"]
    for name, text in (("b.json", BAD), ("b.xml", OTHERS)):
        (folder / name).write_text(text)
    assert kept.seal_clear() == 2
    assert sorted(kept.read(one.name) for one in kept.listed()) == sorted([BAD.encode(), OTHERS.encode()])


def test_a_clock_that_was_set_back_ends_no_tidying(adapter: Adapter) -> None:
    adapter.clock.pass_by(days=400)
    adapter.work()
    adapter.clock.pass_by(days=-400)
    drop(adapter, BAD)
    adapter.clock.pass_by(days=31)
    adapter.work()
    assert adapter.names("rejected") == []


@pytest.mark.parametrize("later", [False, True])
def test_who_is_erased_takes_along_what_was_refused(adapter: Adapter, world: World, *, later: bool) -> None:
    if not later:
        drop(adapter, BAD)
    adapter.order(FOR_RIGHT)
    adapter.work()
    # The order is done and forgotten; who it was about is found all the same.
    assert sum(adapter.journal.counts().values()) == 0
    if later:
        drop(adapter, f'{{"bsn": "{BSN[:4]}.{BSN[4:6]}.{BSN[6:]}"}}')
    drop(adapter, OTHERS)
    assert len(adapter.names("rejected")) == 4
    tell(world, erasure_of("e-1", PLAN))
    adapter.work(2, milliseconds=LOOK_EVERY_MS)
    (left,) = (one.name for one in adapter.service._rejected.kept.listed())
    assert adapter.service._rejected.kept.read(left) == OTHERS.encode()
    assert (world.held().purged, len(adapter.names("rejected"))) == ({"e-1": True}, 2)


def test_what_lies_there_in_the_clear_is_sealed_at_the_start(adapter: Adapter, world: World) -> None:
    folder = adapter.config.rejected
    moment = int(adapter.clock.now.timestamp()) - 29 * 24 * 3_600
    for name, text in (("1f.json", BAD), ("1f.reason.txt", "why\n"), ("2e.json", OTHERS)):
        (folder / name).write_text(text)
        os.utime(folder / name, (moment, moment))
    # Of a kill: sealed, and not taken away yet; and half of one.
    (folder / ".3d.sealed").write_bytes(b"x")
    (folder / "link.json").symlink_to(adapter.config.seal_key)
    os.utime(folder / "link.json", (moment, moment), follow_symlinks=False)
    again = Adapter(folder.parent, world, adapter.clock)
    again.work(milliseconds=1)
    assert again.names("rejected") == ["1f.sealed", "1f.sealed.reason.txt", "2e.sealed", "link.json"]
    assert (in_the_clear(folder), again.events().count("rejected_sealed")) == ([], 1)
    assert again.service._rejected.kept.read("1f.sealed") == BAD.encode()
    # Its time goes on from when it was refused.
    again.clock.pass_by(days=1, seconds=1)
    again.work()
    assert again.names("rejected") == []
    assert adapter.config.seal_key.exists()
    again.close()


def test_a_disk_that_takes_nothing_leaves_the_file_and_no_reason(
    kept: PutAside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.json"
    file.write_text(BAD)
    whole, replace = 0, Path.replace

    def full(path: Path, target: Path) -> Path:
        nonlocal whole
        if whole == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole -= 1
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    for before in (0, 1):
        whole = before
        with pytest.raises(OSError, match="space"):
            kept.put("a", file, "why\n")
        assert (list((tmp_path / "rejected").iterdir()), file.read_text()) == ([], BAD)


def test_what_is_not_ours_to_read_is_moved_as_it_is(
    kept: PutAside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.json"
    file.write_text(BAD)

    def closed(*_asked: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as others:
        others.setattr(os, "open", closed)
        others.setattr(PutAside, "_write", lambda _self, path, reason: path.write_text(reason))
        kept.put("a", file, "why\n")
        assert kept.seal_clear() == 0
    names = ["a.unread", "a.unread.reason.txt"]
    assert sorted(path.name for path in (tmp_path / "rejected").iterdir()) == names
    # Once it can be read it is sealed like the rest.
    assert (kept.seal_clear(), kept.read("a.sealed")) == (1, BAD.encode())
    (told,) = kept.listed()
    assert told.reason == "why"


def test_of_a_file_without_end_the_beginning_is_kept(kept: PutAside, tmp_path: Path) -> None:
    for more in (0, 1):
        file = tmp_path / "a.json"
        file.write_bytes(b"x" * (KEPT_BYTES_MAX + more))
        kept.put(f"a{more}", file, "why\n")
        said = (tmp_path / "rejected" / f"a{more}.sealed.reason.txt").read_text()
        assert (len(kept.read(f"a{more}.sealed")), "first" in said) == (KEPT_BYTES_MAX, bool(more))


def test_what_is_sealed_opens_under_its_own_name_and_key_only(kept: PutAside, tmp_path: Path) -> None:
    (tmp_path / "a").write_text(BAD)
    kept.put("a", tmp_path / "a", "why\n")
    other = PutAside(tmp_path / "rejected", Seal(b"o" * KEY_BYTES), lambda: 0)
    with pytest.raises(CannotOpen):
        other.read("a.sealed")
    assert other.erase(lambda _content: True) == 0
    (tmp_path / "rejected" / "a.sealed").rename(tmp_path / "rejected" / "b.sealed")
    with pytest.raises(CannotOpen):
        kept.read("b.sealed")


@pytest.mark.parametrize(
    "content",
    [
        BSN.encode(),
        f"x{BSN}1".encode(),
        f"{BSN[:4]}.{BSN[4:6]}.{BSN[6:]}".encode(),
        " ".join(BSN).encode(),
        BSN.encode("utf-16"),
        BSN.encode("utf-16-be"),
        "".join(f"\\u003{digit}" for digit in BSN).encode(),
    ],
)
def test_a_number_is_found_however_it_is_written(content: bytes) -> None:
    assert BSN in numbers_in(content)
    assert mentions(content, BSN)
    assert not mentions(content, OTHER_BSN)


def test_a_number_is_found_without_its_first_nought_and_no_other_is() -> None:
    number = "012345672"
    assert numbers_in(b"[12345672]") == {number}
    assert [mentions(content, number) for content in (b"[12345672]", b"123456720")] == [True, False]
    assert numbers_in(b"123456789/999900007") == frozenset()
