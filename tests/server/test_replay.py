"""The officer looks back over gRPC: decisions judged again, and what a register would change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.sdk import errors
from adapters.sdk.tokens import Person
from exchange.domain.disclosure import DisclosureDecided
from exchange.server.services import replay as room
from exchange.store.codec import Meta
from exchange.wiring.history import open_history
from tests.pipeline.legal_bases import entry_text, successor
from tests.server.story import Story, denied_read
from tests.server.town import AUDIT, INVESTIGATE, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.sdk.client import ExchangeClient

REPLAY = [f"counts.{name}" for name in ("decisions", "commands", "same", "differs", "command_same")]
DIFFERENCES = [
    f"differences.{name}" for name in ("position", "decision_id", "found", "rules_then", "rules_now")
]
PREVIEW = [
    "counts.decisions",
    *(f"effects.{name}" for name in ("recipient", "category", "opens", "closes")),
    *(f"changes.{name}" for name in ("decision_id", "opens", "closes", "rules_now", "rules_proposed")),
]
THEIRS = "00000006000000066000"


@pytest.fixture
def officer(town: Town) -> ExchangeClient:
    return town.worker("fg", "fg-1")


def moment(back: timedelta = timedelta(days=1)) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) - back)
    return stamp


def replayed(officer: ExchangeClient, **asked: Any) -> Iterator[Any]:  # noqa: ANN401 -- fields of the request, and pages
    token = ""
    while True:
        page = officer.audit.replay_decisions(
            claim=AUDIT, fields=REPLAY + DIFFERENCES, page_token=token, **asked
        )
        yield page
        token = page.next_page_token
        if not token:
            return


def previewed(officer: ExchangeClient, text: str, **asked: Any) -> list[Any]:  # noqa: ANN401 -- as above
    pages, token, since = [], "", moment()
    while True:
        page = officer.audit.preview_register(
            claim=AUDIT, fields=PREVIEW, text=text, page_token=token, **({"since_time": since} | asked)
        )
        pages.append(page)
        token = page.next_page_token
        if not token:
            return pages


def forged(town: Town) -> tuple[int, str]:
    """Put a decision in the store that the rules never gave."""
    rows = town.core.reader.page(0, 10_000, (DisclosureDecided.TOPIC,))
    row = next(row for row in rows if not row.stream.endswith("unknown"))
    opened = town.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
    assert isinstance(opened.event, DisclosureDecided)
    event = replace(opened.event, decision_id="f" * 32, rules=("R99",))
    meta = Meta(
        event.at, event.organisation, event.task, "", event.purpose, "", "f" * 32, event.policy_hash, 0
    )

    async def write() -> int:
        return town.core.writer.record(lambda _: [(row.stream, [event])], meta)

    town.run(write)
    return town.core.reader.head()[0], "f" * 32


def test_everything_that_was_decided_here_replays(
    town: Town, story: Story, officer: ExchangeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied_read(town, story)
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["reports.own_words"])
    monkeypatch.setattr(room, "EVENTS_PER_PAGE_MAX", 7)
    head = town.core.reader.head()[0]
    start = story.opened.receipt.position - story.opened.receipt.leaves + 1
    pages = list(replayed(officer, from_position=start, to_position=head))
    assert len(pages) == -(-(head - start + 1) // 7)
    decisions = sum(page.counts.decisions for page in pages)
    commands = sum(page.counts.commands for page in pages)
    assert decisions > 0
    assert commands > 0
    monkeypatch.undo()
    (whole,) = replayed(officer, from_position=start, to_position=head)
    # A command whose events stand on two pages is one command.
    assert (decisions, commands) == (whole.counts.decisions, whole.counts.commands)
    assert decisions + commands == sum(page.counts.same for page in pages)
    assert all(page.decision_id and not page.differences and not page.counts.differs for page in pages)


def test_a_decision_the_rules_never_gave_is_told_by_its_id(
    town: Town, story: Story, officer: ExchangeClient
) -> None:
    denied_read(town, story)
    position, decision_id = forged(town)
    (page,) = replayed(officer, from_position=position, to_position=position)
    assert page.counts.differs == 1
    (difference,) = page.differences
    assert (difference.position, difference.decision_id, difference.found) == (
        position,
        decision_id,
        "differs",
    )
    assert list(difference.rules_then) == ["R99"]
    assert difference.rules_now
    (before,) = replayed(officer, from_position=position - 1, to_position=position - 1)
    assert not before.differences


def test_a_history_is_read_beside_the_running_service(town: Town, story: Story) -> None:
    start = story.opened.receipt.position
    denied_read(town, story)
    with open_history(town.settings) as history:
        tally = history.replay(start)
    assert tally.ok
    assert tally.decisions > 0
    assert denied_read(town, story).rules, "the service goes on"


def test_only_the_fields_that_were_asked_are_told(town: Town, story: Story, officer: ExchangeClient) -> None:
    denied_read(town, story)
    position, _ = forged(town)
    page = officer.audit.replay_decisions(
        claim=AUDIT, fields=["differences.found"], from_position=position, to_position=position
    )
    assert page.counts.differs == 0
    assert [(one.found, one.position) for one in page.differences] == [("differs", 0)]


def test_a_preview_opens_what_was_refused_and_leaves_no_trace(
    town: Town, story: Story, officer: ExchangeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied_read(town, story)
    monkeypatch.setattr(room, "EVENTS_PER_PAGE_MAX", 11)
    before = town.core.register.policy_hash
    narrower = successor(enabled="false")
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["reports.own_words"])
    pages = previewed(officer, narrower)
    assert len(pages) > 1
    closes = {(one.recipient, one.category): one.closes for page in pages for one in page.effects}
    assert closes["college:WMO", "WMO-PLAN"] >= 1
    changes = [change for page in pages for change in page.changes]
    assert any(list(one.rules_proposed) == ["R05"] for one in changes)
    assert town.core.register.policy_hash == before
    told = sorted(change.position for change in changes)
    for size in (6, 9, 2_000):
        monkeypatch.setattr(room, "EVENTS_PER_PAGE_MAX", size)
        again = previewed(officer, narrower)
        # A command whose events stand on two pages is one command, and so is its change.
        assert sorted(change.position for page in again for change in page.changes) == told


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("= nothing", "text"),
        (successor() + 'colour = "red"\n', "text.colour"),
        ("[[basis]]\nid = 'WMO-1'\n", "text.valid_from"),
        (entry_text("WMO-2.3.2", 2), "text.valid_from"),
        (successor(3), "text.succeeds"),
        (successor() + 'approved_by = ["b-2"]\n', "text.approved_by"),
    ],
)
def test_a_bad_entry_is_refused_by_its_key(officer: ExchangeClient, text: str, key: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        previewed(officer, text)
    assert list(refused.value.field_violations) == [key]


def test_positions_that_name_nothing_are_refused_and_not_found_in_order(
    town: Town, story: Story, officer: ExchangeClient
) -> None:
    denied_read(town, story)
    with pytest.raises(errors.Invalid) as refused:
        list(replayed(officer, from_position=3, to_position=2))
    assert list(refused.value.field_violations) == ["from_position"]
    head = town.core.reader.head()[0]
    with pytest.raises(errors.Invalid) as refused:
        list(replayed(officer, from_position=head + 1))
    assert list(refused.value.field_violations) == ["from_position"]
    assert str(head) in refused.value.field_violations["from_position"]
    # On the line there is one event: that of the question before, which was answered all the same.
    (page,) = replayed(officer, from_position=head + 1)
    assert page.counts.decisions == 1
    (page,) = replayed(officer, from_position=2, to_position=2)
    assert not page.differences


def test_a_moment_to_come_is_refused(officer: ExchangeClient) -> None:
    with pytest.raises(errors.Invalid) as refused:
        previewed(officer, successor(), since_time=moment(-timedelta(hours=1)))
    assert list(refused.value.field_violations) == ["since_time"]


def test_nobody_but_an_officer_looks_back(town: Town, story: Story) -> None:
    for client in (story.wmo, town.worker("beheer", "b-1"), story.resident()):
        with pytest.raises(errors.Denied) as refused:
            list(replayed(client))
        assert "R08" in refused.value.rules
        with pytest.raises(errors.Denied) as refused:
            previewed(client, entry_text())
        assert "R08" in refused.value.rules


def test_another_organisations_officer_looks_back_at_his_own_only(town: Town, story: Story) -> None:
    denied_read(town, story)
    position, _ = forged(town)
    credentials = town.join(THEIRS, "fg")
    theirs = town.client(Person("fg-9", "fg", "fg"), credentials)
    pages = list(replayed(theirs, to_position=position))
    assert [(page.counts.decisions, page.counts.commands) for page in pages] == [(0, 0)] * len(pages)
    (page, *_) = previewed(theirs, successor(enabled="false"))
    # His own replay is all he is shown, and it changes nothing.
    assert (page.counts.decisions, list(page.effects), list(page.changes)) == (len(pages), [], [])
    # Having looked is a decision of his own.
    told = sum(page.counts.decisions for page in replayed(theirs))
    assert told > 0


def test_a_page_token_of_another_question_is_refused(
    town: Town, story: Story, officer: ExchangeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "EVENTS_PER_PAGE_MAX", 5)
    page = officer.audit.replay_decisions(claim=AUDIT, fields=REPLAY)
    assert page.next_page_token
    with pytest.raises(errors.Invalid):
        officer.audit.replay_decisions(
            claim=AUDIT, fields=REPLAY, from_position=2, page_token=page.next_page_token
        )
