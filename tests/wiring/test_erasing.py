"""The restore drill: whichever database comes back from before an erasure, nobody comes back with it."""

from __future__ import annotations

import hmac
import json
import shutil
import sqlite3
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from exchange.domain.erasure.decision import KeysDestroyed
from exchange.errors import ErasureListBroken, ForkRefused, KeyDestroyed, KeysBehindEvents, LedgerDiffers
from exchange.keys.ristretto import multiply_base, scalar_from_uniform
from exchange.store.verify import verify_store
from exchange.wiring.core import key_file, open_core
from exchange.wiring.doctor import examine
from exchange.wiring.erasure_list import Erased, ErasureList, FileLines
from exchange.wiring.places import erasure_file
from exchange.wiring.shredding import standing
from exchange.wiring.stores import event_file
from tests.pipeline.erasing import erased
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings
    from exchange.wiring.doctor import Light

KEY = bytes(range(32))
WORDS = "weer onder de mensen"
ONE = Erased("erasure-1", "resident-1", (), "2026-03-02T10:00:00+00:00")
OTHER = Erased("erasure-2", "resident-2", ("SCHULDEN",), "2026-03-03T10:00:00+00:00")


class Drill:
    """A shard with two residents, one of whom is erased after a backup was made."""

    def __init__(self, folder: Path) -> None:
        self.backup = folder / "backup"
        shard = Shard(folder / "data")
        self.settings: Settings = shard.settings
        self.ref, _, self.plan_id = shard.plan()
        self.other, _, self.other_plan = shard.plan()
        for plan_id in (self.plan_id, self.other_plan):
            shard.done(shard.goal(plan_id, WORDS))
        self.pseudonym = shard.core.identity.pseudonym_for(shard.oin, root())
        shard.core.links.link(root(), self.ref)
        shard.core.integrator.integrate()
        shard.close()
        shutil.copytree(self.settings.data, self.backup)
        shard = Shard(folder / "data")
        self.erasure_id = erased(shard, self.ref)
        shard.done(shard.goal(self.other_plan, "later"))
        shard.core.integrator.integrate()
        shard.close()

    def restore(self, *names: str) -> None:
        """Put files or folders back from the backup."""
        for name in names:
            place, kept = self.settings.data / name, self.backup / name
            if kept.is_dir():
                shutil.rmtree(place)
                shutil.copytree(kept, place)
            else:
                for suffix in ("-wal", "-shm"):
                    place.with_name(place.name + suffix).unlink(missing_ok=True)
                shutil.copy(kept, place)

    def nobody_came_back(self) -> None:
        """Open the shard: of the erased nothing opens, of the other everything."""
        core = open_core(self.settings)
        try:
            with pytest.raises(KeyDestroyed):
                core.keys.open_key(self.ref, "WMO-PLAN", 1)
            assert core.loader.load(f"plan-{self.plan_id}").state is None
            assert core.residents.resolve(self.settings.operator_oin, self.pseudonym) is None
            assert core.loader.load(f"plan-{self.other_plan}").state.goals[0].own_words == WORDS
            assert verify_store(core.reader).problems == []
        finally:
            core.close()
        with sqlite3.connect(key_file(self.settings)) as c:
            found = c.execute("SELECT count(*) FROM data_key WHERE resident_ref = ?", (self.ref,)).fetchone()
        assert found == (0,)


def root() -> bytes:
    return multiply_base(scalar_from_uniform(b"\7" * 64))


def stored_keys(settings: Settings) -> list[tuple[object, ...]]:
    """Return every wrapped key on the disk."""
    with sqlite3.connect(key_file(settings)) as c:
        return c.execute("SELECT * FROM data_key ORDER BY 1, 2, 3").fetchall()


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    return Drill(tmp_path)


# --- both orders of restoring ---------------------------------------------------------------------


def test_the_keys_come_back_from_before_the_erasure(drill: Drill) -> None:
    drill.restore("keys/keys.db")
    drill.nobody_came_back()


def test_keys_and_erasure_list_come_back_from_before(drill: Drill) -> None:
    drill.restore("keys/keys.db")
    erasure_file(drill.settings).unlink()
    drill.nobody_came_back()
    found = standing(drill.settings)
    assert (found.listed, found.whole) == (1, True)


def test_the_events_alone_from_before_are_refused(drill: Drill) -> None:
    drill.restore("events.db")
    with pytest.raises(ForkRefused):
        open_core(drill.settings)


def test_events_checkpoints_and_keys_from_before_and_the_list_of_today(drill: Drill) -> None:
    drill.restore("events.db", "ledger", "checkpoints/checkpoints.db", "keys/keys.db")
    core = open_core(drill.settings)
    try:
        page = core.reader.page(0, 10_000, (KeysDestroyed.TOPIC,))
    finally:
        core.close()
    assert page == []
    drill.nobody_came_back()


def test_events_and_checkpoints_from_before_under_the_keys_of_today(drill: Drill) -> None:
    drill.restore("events.db", "ledger", "checkpoints/checkpoints.db")
    drill.nobody_came_back()


def test_whole_from_before_with_the_list_of_today_again_and_again(drill: Drill) -> None:
    for _ in range(2):
        drill.restore("keys/keys.db")
        drill.nobody_came_back()
        drill.nobody_came_back()


# --- keys that are missing or too old -------------------------------------------------------------


def test_a_key_database_that_is_gone_is_named(drill: Drill) -> None:
    for file in key_file(drill.settings).parent.glob("keys.db*"):
        file.unlink()
    with pytest.raises(KeysBehindEvents, match="no key database") as refused:
        open_core(drill.settings)
    assert "Restore the newest backup of the key folder" in refused.value.remedy


def test_a_key_database_older_than_the_events_is_named_with_the_first_event(drill: Drill) -> None:
    shard = Shard(drill.settings.data)
    first = shard.head + 1
    shard.resident()
    shard.close()
    drill.restore("keys/keys.db")
    for _ in range(2):
        with pytest.raises(KeysBehindEvents) as refused:
            open_core(drill.settings)
        assert refused.value.metadata == {"position": str(first)}


def test_keys_of_the_last_event_are_looked_at_and_those_seen_before_are_not_again(drill: Drill) -> None:
    core = open_core(drill.settings)
    head = core.reader.head()[0]
    assert core.keys.place == head
    core.close()
    with sqlite3.connect(key_file(drill.settings)) as c:
        c.execute("DELETE FROM data_key WHERE resident_ref = ?", (drill.other,))
        c.execute("UPDATE place SET position = ?", (head,))
    open_core(drill.settings).close()
    with sqlite3.connect(key_file(drill.settings)) as c:
        c.execute("UPDATE place SET position = ?", (head - 1,))
    with pytest.raises(KeysBehindEvents):
        open_core(drill.settings)


# --- a part ---------------------------------------------------------------------------------------


def test_a_part_erased_once_is_not_erased_again_when_the_service_starts(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "data")
    ref, _, _ = shard.plan()
    first = shard.core.keys.obtain(ref, "SCHULDEN")
    shard.core.keys.flush()
    erased(shard, ref, categories=("SCHULDEN",), kept=("legal_claim",))
    later = shard.core.keys.obtain(ref, "SCHULDEN")
    shard.core.keys.flush()
    assert (first.version, later.version) == (1, 2)
    shard = shard.reopen()
    try:
        assert shard.core.keys.open_key(ref, "SCHULDEN", 2).material == later.material
        with pytest.raises(KeyDestroyed):
            shard.core.keys.open_key(ref, "SCHULDEN", 1)
    finally:
        shard.close()


# --- the list -------------------------------------------------------------------------------------


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "erasures.jsonl"
    made = ErasureList(FileLines(path), KEY)
    for one in (ONE, OTHER, ONE):
        made.add(one)
    return path


def test_the_list_is_read_as_it_was_written(lines: Path) -> None:
    assert list(ErasureList(FileLines(lines), KEY).entries.values()) == [ONE, OTHER]
    assert lines.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", [1, 40])
def test_a_line_that_was_being_written_is_written_again(lines: Path, torn: int) -> None:
    whole = lines.read_bytes()
    lines.write_bytes(whole[:-torn])
    read = ErasureList(FileLines(lines), KEY)
    assert list(read.entries.values()) == [ONE]
    read.add(OTHER)
    assert lines.read_bytes() == whole


@pytest.mark.parametrize(
    "altered", ["first", "last", "missing", "no json", "no list", "extra", "another key"]
)
def test_a_list_that_was_altered_is_refused(lines: Path, altered: str) -> None:
    one, other = lines.read_bytes().splitlines(keepends=True)
    content = {
        "first": one.replace(b"resident-1", b"resident-9") + other,
        "last": one + other.replace(b"resident-2", b"resident-9"),
        "missing": other,
        "no json": one + b"{\n",
        "no list": one + b"[]\n",
        "another key": one + forged(one, OTHER, b"\0" * 32),
        "extra": one + json.dumps({**json.loads(other), "more": 1}).encode() + b"\n",
    }[altered]
    lines.write_bytes(content)
    with pytest.raises(ErasureListBroken, match="not whole"):
        ErasureList(FileLines(lines), KEY)


def test_the_store_is_not_opened_over_an_altered_list(drill: Drill) -> None:
    file = erasure_file(drill.settings)
    file.write_bytes(file.read_bytes().replace(drill.ref.encode(), b"0" * len(drill.ref)) + b"{}\n")
    with pytest.raises(ErasureListBroken):
        open_core(drill.settings)
    assert event_file(drill.settings).exists()


def test_a_list_without_its_last_line_is_told_and_appended_again(drill: Drill) -> None:
    file = erasure_file(drill.settings)
    whole = file.read_bytes()
    assert doctor_light(drill.settings).beware is False
    file.write_bytes(b"")
    found = standing(drill.settings)
    assert (found.unlisted, found.undecided, found.left, found.whole) == ((drill.erasure_id,), (), (), False)
    assert doctor_light(drill.settings).beware
    open_core(drill.settings).close()
    assert file.read_bytes() == whole
    assert standing(drill.settings).whole


def test_an_erasure_the_events_do_not_know_is_told(drill: Drill) -> None:
    drill.restore("events.db", "ledger", "checkpoints/checkpoints.db")
    open_core(drill.settings).close()
    found = standing(drill.settings)
    assert (found.undecided, found.unlisted, found.left, found.whole) == ((drill.erasure_id,), (), (), False)
    assert doctor_light(drill.settings).beware
    assert "listed and not in the events" in doctor_light(drill.settings).says


def doctor_light(settings: Settings) -> Light:
    return next(light for light in examine(settings) if light.part == "erasures")


# --- who writes an erasure into a file himself --------------------------------------------------------------


def forged(before: bytes, erased: Erased, key: bytes = b"") -> bytes:
    """Return the next line as somebody writes it who knows the form and no secret."""
    told = erased._asdict()
    text = json.dumps([json.loads(before)["sum"], told], sort_keys=True).encode()
    chained = hmac.new(key, text, sha256) if key else sha256(text)
    return json.dumps({**told, "sum": chained.hexdigest()}, sort_keys=True).encode() + b"\n"


@pytest.mark.parametrize("key", [b"", b"\0" * 32])
def test_a_line_that_somebody_else_wrote_destroys_nothing(key: bytes, drill: Drill) -> None:
    file = erasure_file(drill.settings)
    (last,) = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(last + forged(last, ONE._replace(resident=drill.other), key))
    before = stored_keys(drill.settings)
    with pytest.raises(ErasureListBroken, match="not written by this service"):
        open_core(drill.settings)
    assert stored_keys(drill.settings) == before != []
    assert doctor_light(drill.settings).ok is False
    file.write_bytes(last)
    drill.nobody_came_back()


def test_a_history_that_was_never_signed_destroys_no_key(drill: Drill, tmp_path: Path) -> None:
    other = Drill(tmp_path / "other")
    for name in ("events.db", "events.db-wal", "events.db-shm"):
        (drill.settings.data / name).unlink(missing_ok=True)
    shutil.copy(event_file(other.settings), event_file(drill.settings))
    drill.restore("keys/keys.db")
    before = stored_keys(drill.settings)
    with pytest.raises(ForkRefused):
        open_core(drill.settings)
    assert stored_keys(drill.settings) == before != []


def test_an_erasure_that_is_not_the_one_of_its_leaf_is_not_carried_out(drill: Drill) -> None:
    drill.restore("keys/keys.db")
    erasure_file(drill.settings).unlink()
    with sqlite3.connect(event_file(drill.settings)) as c:
        c.execute(
            "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), ?, ?) AS BLOB) "
            "WHERE topic = ?",
            (drill.ref, drill.other, KeysDestroyed.TOPIC),
        )
    with pytest.raises(LedgerDiffers, match="not the one of its leaf"):
        open_core(drill.settings)
    with sqlite3.connect(key_file(drill.settings)) as c:
        query = "SELECT count(*) > 0 FROM data_key WHERE resident_ref = ?"
        assert c.execute(query, (drill.other,)).fetchone() == (1,)
