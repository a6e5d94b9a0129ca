"""Parts of a shard that came back from different days: what one of them tells is held against the rest."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.errors import ForkRefused, KeyDestroyed, KeysBehindEvents
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.note import parse_note
from exchange.projections.follower import catch_up
from exchange.wiring.core import key_file, open_core, projection_folder, utc_now
from exchange.wiring.doctor import examine
from exchange.wiring.following import models_of
from exchange.wiring.key_events import tell_keys
from exchange.wiring.ledger import checkpoint_file
from exchange.wiring.published import published_checkpoint
from exchange.wiring.rekeying import rotate_keys
from exchange.wiring.rotation import rotate_identity
from tests.pipeline.erasing import erased
from tests.pipeline.insights import scored
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings

MONDAY = date(2026, 2, 2)
EARLIER, LATER = "weer onder de mensen", "weer aan het werk"


class Days:
    """A shard that was copied yesterday and wrote on today."""

    def __init__(self, folder: Path) -> None:
        self.yesterday = folder / "yesterday"
        shard = Shard(folder / "data")
        self.settings: Settings = shard.settings
        _, _, self.plan_id = shard.plan()
        shard.done(shard.goal(self.plan_id, EARLIER))
        shard.core.integrator.integrate()
        shard.close()
        shutil.copytree(self.settings.data, self.yesterday)
        self.write(LATER)

    def write(self, words: str) -> None:
        shard = Shard(self.settings.data)
        shard.done(shard.goal(self.plan_id, words))
        shard.core.integrator.integrate()
        shard.close()

    def restore(self, *names: str) -> None:
        for name in names:
            place, kept = self.settings.data / name, self.yesterday / name
            if kept.is_dir():
                shutil.rmtree(place)
                shutil.copytree(kept, place)
                continue
            for file in place.parent.glob(f"{place.name}*"):
                file.unlink()
            shutil.copy(kept, place)

    def light(self, part: str) -> bool:
        return next(one.ok for one in examine(self.settings) if one.part == part)

    def goals(self) -> list[str]:
        core = open_core(self.settings)
        try:
            core.integrator.integrate()
            return [goal.own_words for goal in core.loader.load(f"plan-{self.plan_id}").state.goals]
        finally:
            core.close()


@pytest.fixture
def days(tmp_path: Path) -> Days:
    return Days(tmp_path)


# --- what was published -----------------------------------------------------------------------------------


def test_what_was_published_tells_of_events_and_checkpoints_that_both_came_back(days: Days) -> None:
    days.restore("events.db", "checkpoints/checkpoints.db")
    before = [published_checkpoint(days.settings).read_bytes(), checkpoint_file(days.settings).read_bytes()]
    with pytest.raises(ForkRefused, match="a checkpoint was published") as refused:
        open_core(days.settings)
    assert int(refused.value.metadata["signed"]) > 0
    assert not days.light("ledger")
    assert before == [
        published_checkpoint(days.settings).read_bytes(),
        checkpoint_file(days.settings).read_bytes(),
    ]


def test_another_history_as_long_as_what_was_published_is_refused(days: Days) -> None:
    today = published_checkpoint(days.settings).read_bytes()
    days.restore("events.db", "checkpoints/checkpoints.db", "ledger")
    days.write("something else")
    days.write("and more")
    days.restore("checkpoints/checkpoints.db")
    published_checkpoint(days.settings).write_bytes(today)
    with pytest.raises(ForkRefused, match="a checkpoint was published"):
        open_core(days.settings)


def test_an_older_checkpoint_store_goes_on_where_the_events_are_what_was_published(days: Days) -> None:
    days.restore("checkpoints/checkpoints.db")
    assert days.light("ledger")
    assert days.goals() == [EARLIER, LATER]


def test_what_was_published_is_known_also_where_its_note_went(days: Days) -> None:
    """As where witnesses are away for longer than notes are kept, or the files of a node are behind."""
    with closing(CheckpointStore(checkpoint_file(days.settings))) as store:
        (origin,) = store.origins()
        store.thin(origin, 0, utc_now() + timedelta(days=1), 100)
        assert len(store.signed_below(origin, 2**62, 100)) == 1
        known = [head for head, _ in store.history(origin)]
    days.restore("ledger")
    published = parse_body(parse_note(published_checkpoint(days.settings).read_bytes()).text)
    assert published in known[:-1]
    assert days.light("ledger")
    assert days.goals() == [EARLIER, LATER]
    days.restore("events.db")
    with pytest.raises(ForkRefused, match="less than was signed"):
        open_core(days.settings)


# --- read models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["obligations.db", "erasures.db", "insight.db", "lookups.db"])
def test_a_read_model_ahead_of_the_events_is_made_anew_and_passes_over_nothing(file: str, days: Days) -> None:
    def followed() -> dict[str, str]:
        core = open_core(days.settings)
        try:
            for model in models_of(core):
                assert catch_up(model, core.reader, core.codec) == core.reader.head()[0]
            return {model.name: model.database.dump() for model in models_of(core)}
        finally:
            core.close()

    right = followed()
    with sqlite3.connect(projection_folder(days.settings) / file) as c:
        c.execute("UPDATE place SET position = position + 1")
    assert followed() == right


# --- keys ---------------------------------------------------------------------------------------------------


def test_new_keys_do_not_hide_that_those_of_the_events_are_lost(days: Days) -> None:
    assert rotate_keys(days.settings, None) > 0
    days.write("under the next version")
    days.restore("keys/keys.db")
    for _ in range(2):
        with pytest.raises(KeysBehindEvents):
            rotate_keys(days.settings, None)
        with pytest.raises(KeysBehindEvents):
            open_core(days.settings)
    with sqlite3.connect(key_file(days.settings)) as c:
        assert c.execute("SELECT max(version) FROM data_key").fetchone() == (1,)


def test_a_key_made_and_destroyed_since_the_copy_is_not_missing(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "data")
    ref, _, plan_id = shard.plan()
    shard.core.integrator.integrate()
    shard.close()
    shutil.copytree(shard.settings.keys_folder, tmp_path / "keys")
    shard = Shard(tmp_path / "data")
    scored(shard, plan_id, 2, MONDAY)
    erased(shard, ref, categories=("WONEN",), kept=("legal_claim",))
    shard.core.integrator.integrate()
    shard.close()
    shutil.rmtree(shard.settings.keys_folder)
    shutil.copytree(tmp_path / "keys", shard.settings.keys_folder)

    shard = Shard(tmp_path / "data")
    assert shard.core.keys.destroyed_up_to(ref, "WONEN") == 1
    assert shard.core.loader.load(f"plan-{plan_id}").state.situations == ()
    scored(shard, plan_id, 3, MONDAY)
    shard = shard.reopen()
    try:
        # Under a number of its own: what the lost key sealed is told as erased, and this opens.
        (situation,) = shard.core.loader.load(f"plan-{plan_id}").state.situations
        assert situation.score == 3
        with pytest.raises(KeyDestroyed):
            shard.core.keys.open_key(ref, "WONEN", 1)
        assert shard.core.keys.open_key(ref, "WONEN", 2)
    finally:
        shard.close()


def test_a_key_made_after_the_erasure_and_lost_is_missing(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "data")
    ref, _, plan_id = shard.plan()
    shard.core.integrator.integrate()
    shard.close()
    shutil.copytree(shard.settings.keys_folder, tmp_path / "keys")
    shard = Shard(tmp_path / "data")
    scored(shard, plan_id, 2, MONDAY)
    erased(shard, ref, categories=("WONEN",), kept=("legal_claim",))
    scored(shard, plan_id, 3, MONDAY)
    last = shard.head
    shard.core.integrator.integrate()
    shard.close()
    shutil.rmtree(shard.settings.keys_folder)
    shutil.copytree(tmp_path / "keys", shard.settings.keys_folder)
    with pytest.raises(KeysBehindEvents) as refused:
        open_core(shard.settings)
    assert int(refused.value.metadata["position"]) == last


def told(settings: Settings) -> int:
    core = open_core(settings)
    try:
        count = tell_keys(core, utc_now())
        core.integrator.integrate()
        return count
    finally:
        core.close()


def test_an_identity_key_that_was_renewed_does_not_come_back(days: Days) -> None:
    told(days.settings)
    shutil.rmtree(days.yesterday)
    shutil.copytree(days.settings.data, days.yesterday)
    rotate_identity(days.settings)
    assert told(days.settings) == 1
    days.restore("keys/keys.db")
    with pytest.raises(KeysBehindEvents, match="took the place") as refused:
        open_core(days.settings)
    assert int(refused.value.metadata["position"]) > 0
    # No newer copy is left: the next key would have the generation of the lost one, the one after it not.
    assert rotate_identity(days.settings).generation == 2
    with pytest.raises(KeysBehindEvents, match="renew it once more"):
        open_core(days.settings)
    assert rotate_identity(days.settings).generation == 3
    assert told(days.settings) == 1
    assert told(days.settings) == 0


def test_a_rotation_nobody_was_told_of_leaves_the_former_key_in_force(days: Days) -> None:
    told(days.settings)
    shutil.rmtree(days.yesterday)
    shutil.copytree(days.settings.data, days.yesterday)
    rotate_identity(days.settings)
    days.restore("keys/keys.db")
    assert told(days.settings) == 0
