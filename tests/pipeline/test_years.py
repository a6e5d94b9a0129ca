"""A new year on a real shard: the writer opens its log, the integrator closes the former one first."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.ledger import LogOpened
from exchange.errors import ForkRefused, LedgerDiffers
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.receipt import verify_receipt
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from exchange.store.codec import Codec
from exchange.store.verify import verify_store
from exchange.wiring.core import publisher_of
from exchange.wiring.doctor import examine
from exchange.wiring.ledger import checkpoint_file, first_origin, open_ledger
from exchange.wiring.published import published_checkpoint, published_logs, published_receipt
from exchange.wiring.register import service_meta
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.pipeline.walk import CommandWalk

LAST = datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
BORDER = datetime(2027, 1, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def at(shard: Shard, moment: datetime) -> CommandWalk:
    """Register somebody, at a moment."""
    return replace(shard.registration(f"r-{moment.isoformat()}-{shard.head}"), now=moment)


def origins(shard: Shard) -> list[str]:
    return [one.origin.rpartition("/")[2] for one in shard.core.reader.heads().opened]


def whole(shard: Shard) -> int:
    report = verify_store(shard.core.reader, first_origin(shard.settings))
    assert report.problems == []
    return report.position


@pytest.fixture
def turned(shard: Shard) -> Shard:
    """A shard that wrote one command in the new year."""
    shard.done(at(shard, LAST))
    shard.done(at(shard, BORDER))
    return shard


# --- when it opens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("moment", "opened"), [(LAST, []), (BORDER, ["2027"]), (BORDER + MOMENT, ["2027"])])
def test_a_log_is_opened_at_the_first_moment_of_its_year(
    shard: Shard, moment: datetime, opened: list[str]
) -> None:
    before = shard.head
    shard.done(at(shard, moment))
    assert origins(shard) == opened
    assert shard.topics(before)[0] == (LogOpened.TOPIC if opened else "resident.registered.v1")
    assert whole(shard) == shard.head


def test_what_opens_a_log_tells_how_the_former_ended(shard: Shard) -> None:
    before = shard.core.reader.heads()
    former = shard.core.origin
    shard.done(at(shard, BORDER))
    (row,) = shard.core.reader.page(before.position, 1)
    told = Codec.decode_clear(row.state, stream=row.stream, topic=row.topic)[0]
    signed = shard.core.integrator.integrate()
    assert signed is not None
    assert signed.checkpoint.origin == told["origin"] == former.replace("/2026", "/2027")
    assert (told["former_origin"], told["former_size"]) == (former, before.position)
    last = shard.core.checkpoints.signed(former)
    assert last is not None
    assert (last[0].size, last[0].root.hex()) == (before.position, told["former_root"])
    assert told["first"] == before.position


def test_a_group_over_the_border_is_cut_before_it(shard: Shard) -> None:
    before = shard.head
    walks = [at(shard, LAST - MOMENT), at(shard, LAST), at(shard, BORDER), at(shard, BORDER + MOMENT)]
    outcomes = shard.run(*walks)
    assert all(isinstance(one, CommandOutcome) for one in outcomes)
    (opened,) = shard.core.reader.heads().opened
    firsts = [one.leaf_index for one in outcomes]
    assert firsts[1] < opened.first < firsts[2]
    assert shard.topics(before).count(LogOpened.TOPIC) == 1
    assert whole(shard) == shard.head


def test_a_clock_that_goes_back_opens_nothing(turned: Shard) -> None:
    for moment in (LAST, LAST - timedelta(days=400), BORDER):
        turned.done(at(turned, moment))
    assert origins(turned) == ["2027"]
    again = turned.reopen()
    again.done(at(again, LAST))
    assert origins(again) == ["2027"]
    assert whole(again) == again.head
    again.close()


def test_years_without_a_walk_have_no_log(shard: Shard) -> None:
    shard.done(at(shard, datetime(2031, 7, 1, tzinfo=UTC)))
    assert origins(shard) == ["2031"]


def test_a_question_opens_a_year_as_well_and_so_does_what_the_service_says(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    (answer,) = shard.run(shard.question(plan_id, now=BORDER))
    assert isinstance(answer, ReadOutcome)
    assert origins(shard) == ["2027"]
    core = shard.core
    walk = shard.joining("00000009999999999999", "12" * 32, "jeugdhulp")
    meta = service_meta(core, datetime(2028, 1, 1, tzinfo=UTC), "KEYS")
    assert core.writer.record(lambda view: walk.process(view).appends, meta) == 1
    assert origins(shard) == ["2027", "2028"]
    assert core.writer.record(lambda _: [], service_meta(core, datetime(2029, 1, 1, tzinfo=UTC), "KEYS")) == 0
    assert origins(shard) == ["2027", "2028"]
    assert whole(shard) == shard.head


async def test_the_queue_opens_a_year_between_two_groups(shard: Shard) -> None:
    pipeline = shard.queue()
    walks = [at(shard, LAST), at(shard, BORDER)]
    done = await asyncio.gather(*map(pipeline.submit, walks))
    assert [type(one) for one in done] == [CommandOutcome, CommandOutcome]
    await pipeline.drain()
    assert origins(shard) == ["2027"]
    assert whole(shard) == shard.head


@pytest.mark.parametrize("fault", ["lost", "kept"])
async def test_an_opening_that_fails_is_done_again_and_once(shard: Shard, fault: str) -> None:
    pipeline = shard.queue()
    recorder = faulty_recorder(shard)
    recorder.faults.append(fault)
    outcomes = await asyncio.gather(*(pipeline.submit(at(shard, BORDER + n * MOMENT)) for n in range(3)))
    assert {type(one) for one in outcomes} == {CommandOutcome}
    assert not recorder.faults
    await pipeline.drain()
    assert origins(shard) == ["2027"]
    assert whole(shard) == shard.head


# --- closing ----------------------------------------------------------------------------------------------


def test_the_former_log_is_closed_at_exactly_its_size_and_then_the_next_begins(turned: Shard) -> None:
    core = turned.core
    (opened,) = core.reader.heads().opened
    signed = core.integrator.integrate()
    assert signed is not None
    assert signed.checkpoint.size == turned.head - opened.first
    assert [one.size for one, _ in core.checkpoints.history(core.ledger.logs.first.origin)] == [opened.first]
    logs = published_logs(turned.settings)
    assert [(one.first, one.signed.checkpoint.size) for one in logs] == [
        (0, opened.first),
        (opened.first, turned.head - opened.first),
    ]
    assert published_checkpoint(turned.settings).read_bytes() == signed.note
    turned.done(at(turned, BORDER))
    again = core.integrator.integrate()
    assert again is not None
    assert again.checkpoint.size == signed.checkpoint.size + 1
    core.integrator.confirm()


def test_a_log_that_others_learnt_of_first_is_not_of_an_earlier_moment(shard: Shard) -> None:
    core = shard.core
    before = core.reader.heads()
    shard.done(at(shard, BORDER))
    core.ledger.logs.learn(core.reader.heads().opened)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core.reader, "heads", lambda: before)
        signed = core.integrator.integrate()
    assert signed is not None
    assert (signed.checkpoint.origin[-4:], signed.checkpoint.size) == ("2026", before.position)
    signed = core.integrator.integrate()
    assert signed is not None
    assert (signed.checkpoint.origin[-4:], signed.checkpoint.size) == ("2027", 2)


def test_every_leaf_of_both_logs_has_its_receipt(turned: Shard) -> None:
    turned.core.integrator.integrate()
    policy = parse_policy(
        "".join(f"log {one.signer.vkey}\n" for one in turned.core.ledger.logs) + "quorum none\n"
    )
    (opened,) = turned.core.reader.heads().opened
    entries = turned.core.reader.leaf_entries(0, turned.head)
    for number, entry in enumerate(entries):
        proven = verify_receipt(entry, published_receipt(turned.settings, number)[1], policy)
        first = opened.first if number >= opened.first else 0
        assert (proven.index, proven.origin[-4:]) == (number - first, "2027" if first else "2026")


async def test_a_publisher_crosses_the_border_and_proves_both_sides(shard: Shard) -> None:
    pipeline = shard.queue()
    publisher = publisher_of(shard.core, lambda error: pytest.fail(str(error)))
    await publisher.start(pipeline)
    start = publisher.published()
    before: Any = await pipeline.submit(at(shard, LAST))
    first_note = (await publisher.receipt(before.leaf_index)).origin
    after: Any = await pipeline.submit(at(shard, BORDER))
    proof = await publisher.receipt(after.leaf_index)
    again = await publisher.receipt(before.leaf_index)
    assert (first_note[-4:], proof.origin[-4:], again.origin) == ("2026", "2027", first_note)
    assert publisher.size == 2
    note, hashes = await publisher.consistency(before.leaf_index, first_note)
    assert note.startswith(f"{first_note}\n{before.leaf_index + 1}\n")
    assert hashes
    # Who is handed checkpoints is handed the end of the former log too, before the newest of the next.
    ended = publisher.published_after(start)
    assert ended is not None
    assert (ended.checkpoint.origin, ended.checkpoint.size) == (first_note, before.leaf_index + 1)
    newest = publisher.published_after(ended)
    assert newest == publisher.published()
    assert publisher.published_after(newest) is None
    assert newest is not None
    assert (publisher.size_of(ended), publisher.size_of(newest)) == (before.leaf_index + 1, 2)
    await pipeline.drain()
    await publisher.stop()


@pytest.mark.parametrize("known", ["2026", "2027"])
def test_more_leaves_signed_than_a_log_has_are_a_fork(turned: Shard, known: str) -> None:
    turned.core.integrator.integrate()
    core = turned.core
    log = next(one for one in core.ledger.logs if one.origin.endswith(known))
    found = core.checkpoints.last(log.origin)
    assert found is not None
    core.checkpoints.claim(found[0], replace(found[0], size=found[0].size + 1), BORDER)
    with pytest.raises(ForkRefused, match="rolled back"):
        turned.reopen()


def test_a_former_end_that_is_not_that_of_the_leaves_is_never_signed(turned: Shard) -> None:
    wrong = (1).to_bytes(8, "big") + b"r" * 32
    core = turned.core
    with turned.datastore.transaction(commit=True) as c:
        c.execute("UPDATE logs SET former = ?", (wrong,))
    with pytest.raises(LedgerDiffers, match="another size"):
        core.integrator.integrate()
    assert not published_logs(turned.settings)


# --- what came back from before -----------------------------------------------------------------------------


def keep(shard: Shard, aside: Path) -> None:
    shard.close()
    shutil.copytree(shard.settings.data, aside)


@pytest.mark.parametrize("parts", [["events.db"], ["events.db", "checkpoints/checkpoints.db"]])
def test_a_store_of_december_is_refused_in_january(tmp_path: Path, parts: list[str]) -> None:
    shard = Shard(tmp_path / "data")
    shard.done(at(shard, LAST))
    shard.core.integrator.integrate()
    keep(shard, tmp_path / "december")
    shard = Shard(tmp_path / "data")
    shard.done(at(shard, BORDER))
    shard.core.integrator.integrate()
    shard.close()
    settings = shard.settings
    for name in parts:
        for file in (settings.data / name).parent.glob(f"{(settings.data / name).name}*"):
            file.unlink()
        shutil.copy(tmp_path / "december" / name, settings.data / name)
    assert not next(one.ok for one in examine(settings) if one.part == "ledger")
    before = (settings.data / "events.db").read_bytes(), checkpoint_file(settings).read_bytes()
    with pytest.raises(ForkRefused):
        Shard(settings.data)
    assert before == ((settings.data / "events.db").read_bytes(), checkpoint_file(settings).read_bytes())


def test_a_store_of_january_goes_on_where_only_december_was_signed(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "data")
    shard.done(at(shard, LAST))
    shard.core.integrator.integrate()
    shard.done(at(shard, BORDER))
    again = shard.reopen()
    signed = again.core.integrator.integrate()
    assert signed is not None
    assert (signed.checkpoint.origin[-4:], signed.checkpoint.size) == ("2027", 2)
    assert examine_ok(again)
    again.close()


def examine_ok(shard: Shard) -> bool:
    return next(one.ok for one in examine(shard.settings) if one.part == "ledger")


def test_lost_files_of_both_logs_are_made_again(turned: Shard) -> None:
    turned.core.integrator.integrate()
    before = [one.signed for one in published_logs(turned.settings)]
    shutil.rmtree(turned.settings.data / "ledger")
    again = turned.reopen()
    again.core.integrator.integrate()
    assert [one.signed for one in published_logs(again.settings)] == before
    ledger = open_ledger(again.settings)
    assert [one.first for one in ledger.logs] == [0, before[0].checkpoint.size]
    ledger.close()
    again.close()


async def test_a_shard_that_began_in_an_earlier_year_opens_this_one_at_its_first_walk(shard: Shard) -> None:
    # As one that ran under the version before this one, which kept its first name for ever.
    name = first_origin(shard.settings)
    assert name.endswith("/2026")
    shard.done(at(shard, datetime(2028, 3, 1, tzinfo=UTC)))
    signed: Any = shard.core.integrator.integrate()
    assert signed.checkpoint.origin == name.replace("/2026", "/2028")
