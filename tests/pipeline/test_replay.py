"""Every stored decision replays: by the register of its position, whatever was changed since."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.disclosure import DisclosureDecided
from exchange.errors import HistoryUnreadable
from exchange.gate import register as gate_register
from exchange.gate.judge import judge
from exchange.gate.model import Consent, Facts, Field
from exchange.gate.register import Register
from exchange.pipeline import decisions as decisions_room
from exchange.pipeline.preview import Effect, Preview
from exchange.pipeline.recall import facts_of
from exchange.pipeline.replay import Found, Replay, Tally
from exchange.store import codec as codec_room
from exchange.store.codec import Meta
from tests.pipeline.legal_bases import (
    approving,
    disabling,
    enabled,
    entry_text,
    proposal,
    under_new,
)
from tests.pipeline.shard import NOW
from tests.pipeline.test_evaluation import asking, with_consent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.shard import Shard

TEXT = entry_text()
SHIPPED = Register.load()


def replayed(shard: Shard, *, after: int = 0, organisation: str = "") -> Tally:
    tally = Tally()
    rows = shard.core.reader.page(after, 10_000)
    Replay(shard.core.codec, shard.core.registers, shard.core.reader).run(
        rows, tally, organisation=organisation
    )
    return tally


def found(tally: Tally) -> dict[Found, int]:
    return {one: count for one, count in tally.counts.items() if count}


def asked(shard: Shard, plan_id: str) -> None:
    """A permit, a refusal of all for a part, a part, a refusal, and a break of glass that is refused."""
    fact = Field("", "WMO-PLAN", provider="college:WMO", acquired_for="wmo")
    crime = replace(fact, name="situations.description", category="STRAFRECHT")

    def two(_: object, __: object) -> Any:  # noqa: ANN401 -- groups
        from exchange.pipeline.walk import Group

        return [Group("goals.own_words", replace(fact, name="goals.own_words")), Group(crime.name, crime)]

    shard.run(
        shard.question(plan_id),
        shard.question(plan_id, groups=two),
        shard.question(plan_id, groups=two, allow_partial=True),
        shard.question(plan_id, caller=shard.caller(professional="prof-9")),
        shard.question(plan_id, claim=replace(under_new(shard, plan_id).claim, break_glass=("X", "kort"))),
    )


def last_decision(shard: Shard) -> DisclosureDecided:
    rows = shard.core.reader.page(0, 10_000, (DisclosureDecided.TOPIC,))
    row = rows[-1]
    opened = shard.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
    assert isinstance(opened.event, DisclosureDecided)
    return opened.event


def written(shard: Shard, event: DisclosureDecided) -> int:
    """Write a decision as it never was; return the position before it."""
    head = shard.head
    meta = Meta(
        NOW, event.organisation, event.task, "", event.purpose, "", event.decision_id, event.policy_hash, head
    )
    shard.core.writer.record(lambda _: [(f"disclosure-{event.resident}", [event])], meta)
    return head


# --- the same ------------------------------------------------------------------------------------------


def test_everything_that_was_decided_comes_out_the_same(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    asked(shard, plan_id)
    enabled(shard, TEXT)
    asked(shard, plan_id)
    shard.run(under_new(shard, plan_id), disabling(shard, "WMO-2.3.2"))
    asked(shard, plan_id)
    shard.run(shard.goal(plan_id))
    tally = replayed(shard)
    assert tally.ok
    assert found(tally) == {Found.SAME: tally.decisions + tally.commands}
    assert tally.commands > 0
    assert tally.decisions == len(shard.core.reader.page(0, 10_000, (DisclosureDecided.TOPIC,))) == 17
    assert tally.differences == []


def test_a_replay_after_a_restart_finds_the_same(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    asked(shard, plan_id)
    shard.done(disabling(shard, "WMO-2.3.2"))
    before = found(replayed(shard))
    reopened = shard.reopen()
    try:
        assert found(replayed(reopened)) == before
    finally:
        reopened.close()


def test_consents_replay(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    shard.done(shard.question_with_consent(plan_id))
    shard.run(shard.withdrawal(consent_id), shard.question_with_consent(plan_id))
    tally = replayed(shard)
    assert tally.ok
    assert tally.decisions == 2


def test_a_question_about_a_right_gave_nothing_and_replays(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    shard.consent(ref, case_id)
    nosy = shard.caller(professional="prof-9")
    shard.run(
        asking(shard, plan_id),
        asking(shard, plan_id, asker=nosy),
        asking(shard, plan_id, asker=nosy, caller=nosy),
        with_consent(shard, plan_id),
    )
    tally = replayed(shard)
    assert tally.ok
    assert (tally.decisions, found(tally)) == (4, {Found.SAME: 4 + tally.commands})
    forged = replace(last_decision(shard), decision_id="f" * 32, released=("goals.own_words",))
    assert not replayed(shard, after=written(shard, forged)).ok
    effect = Effect()
    register = shard.core.register
    preview = Preview(shard.core.reader, shard.core.codec, register, Register([]))
    preview.run(shard.core.reader.page(shard.head - 5, 4), effect, since=NOW)
    assert (effect.decisions, effect.changes) == (4, [])


def test_a_command_with_a_decision_of_its_own_is_one_decision(shard: Shard) -> None:
    ref, case_id, _ = shard.plan()
    consent_id = shard.consent(ref, case_id)
    shard.done(shard.withdrawal(consent_id))
    before = replayed(shard)
    shard.done(shard.withdrawal(consent_id))
    after = replayed(shard)
    assert after.ok
    assert (after.decisions - before.decisions, after.commands - before.commands) == (1, 0)


# --- what differs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forge",
    [
        lambda event: replace(event, outcome="PERMIT"),
        lambda event: replace(event, rules=("P-WMO-2.3.2",)),
        lambda event: replace(event, obligations=("LOG",)),
        lambda event: replace(event, basis_version="2"),
        lambda event: replace(event, released=("goals.own_words",)),
        lambda event: replace(event, consent_id="c-1"),
    ],
    ids=["outcome", "rules", "obligations", "basis", "released", "consent"],
)
def test_a_decision_the_rules_never_gave_is_named(
    shard: Shard, forge: Callable[[DisclosureDecided], DisclosureDecided]
) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id, caller=shard.caller(professional="prof-9")))
    true = last_decision(shard)
    assert replayed(shard, after=written(shard, true)).ok
    forged = replace(forge(true), decision_id="f" * 32)
    tally = replayed(shard, after=written(shard, forged))
    assert not tally.ok
    (difference,) = tally.differences
    assert (difference.found, difference.decision_id) == (Found.DIFFERS, "f" * 32)
    assert difference.rules_now == true.rules
    assert difference.rules_then == forged.rules


def test_a_policy_that_was_never_recorded_is_named(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id))
    forged = replace(last_decision(shard), policy_hash="ab" * 32)
    tally = replayed(shard, after=written(shard, forged))
    assert (tally.ok, found(tally)) == (False, {Found.POLICY_UNKNOWN: 1})


def test_a_decision_is_judged_by_the_register_of_its_position_and_no_other(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id))
    permit = last_decision(shard)
    shard.done(disabling(shard, "WMO-2.3.2"))
    moved = replace(permit, facts_position=shard.head)
    tally = replayed(shard, after=written(shard, moved))
    assert found(tally) == {Found.POLICY_UNKNOWN: 1}
    assert tally.differences[0].rules_now == ("R05",)


def test_decisions_under_earlier_rules_are_told_as_such(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id))
    true = last_decision(shard)
    here = gate_register.RULES_VERSION
    monkeypatch.setattr(gate_register, "RULES_VERSION", str(int(here) + 1))
    # The register as a process with newer rules would fold it.
    reopened = shard.reopen()
    try:
        tally = replayed(reopened)
        assert found(tally) == {Found.OTHER_RULES: 1 + tally.commands}
        assert tally.ok
        forged = replace(true, rules=("R99",), outcome="DENY", released=())
        tally = replayed(reopened, after=written(reopened, forged))
        assert found(tally) == {Found.OTHER_RULES_DIFFER: 1}
        (difference,) = tally.differences
        assert difference.rules_version == here
        # What the rules themselves changed is no fault of anybody.
        assert tally.ok
    finally:
        reopened.close()


def test_erased_words_are_counted_apart(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    _, _, other = shard.plan()
    after = shard.head
    shard.run(shard.question(plan_id), shard.question(other), shard.goal(plan_id), shard.goal(other))
    shard.core.keys.destroy(ref)
    tally = replayed(shard, after=after)
    assert (tally.ok, tally.decisions, tally.commands) == (True, 2, 2)
    assert found(tally) == {Found.WORDS_ERASED: 2, Found.SAME: 2}


def test_before_any_register_was_recorded_nothing_is_judged(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id))
    early = replace(last_decision(shard), facts_position=0)
    tally = replayed(shard, after=written(shard, early))
    assert (tally.ok, found(tally)) == (True, {Found.NO_REGISTER: 1})


def test_one_organisation_is_told_of_what_it_asked_only(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id))
    assert replayed(shard, organisation=shard.oin).decisions == 1
    other = replayed(shard, organisation="00000009999999999000")
    assert (other.decisions, other.commands) == (0, 0)


# --- forms -----------------------------------------------------------------------------------------------

# As the first version wrote them: what is absent, false or empty is left out.
FIRST_FORM = (
    '{"actor_auth":"2FA+mTLS","age":45,"capable":true,"case_relation":true,"directly_involved":true,'
    '"fields":[{"acquired_for":"wmo","category":"WMO-PLAN","name":"goals.own_words","provider":"college:WMO"}],'
    '"legal_basis":"WMO-2.3.2","necessity":"nodig","now":"2026-03-02T11:00:00Z","provider":"college:WMO",'
    '"purpose":"wmo-onderzoek","recipient":"college:WMO","recipient_id":"00000001003214345000/college:WMO",'
    '"roles":["melder-regie"],"speaks_for_self":true}'
)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (FIRST_FORM, ("P-WMO-2.3.2",)),
        (FIRST_FORM.replace('"case_relation":true,', ""), ("R03",)),
        (FIRST_FORM.replace('"necessity":"nodig",', ""), ("R14",)),
        (FIRST_FORM.replace('"legal_basis":"WMO-2.3.2"', '"legal_basis":"WMO-5.1.1-4"'), ("R09", "R15")),
        (FIRST_FORM.replace('"roles"', '"restricted":true,"roles"'), ("R24",)),
    ],
)
def test_decisions_of_the_first_form_come_out_as_they_did(text: str, rules: tuple[str, ...]) -> None:
    assert judge(facts_of(text), SHIPPED).rules == rules


def test_a_fact_added_later_reads_as_its_default_in_what_was_decided_before() -> None:
    told = facts_of(FIRST_FORM)
    assert (told.records, told.consent, told.capable) == (False, None, True)
    assert facts_of(FIRST_FORM.replace('"speaks_for_self":true', '"age":7')).speaks_for_self is False
    # The second form leaves out what equals its default, so what it leaves out is that default for ever.
    second = facts_of('{"form":2}')
    assert second == Facts()


@pytest.mark.parametrize("changed", [one.name for one in fields(Facts)])
def test_every_fact_survives_being_written(changed: str) -> None:
    kinds: dict[str, Any] = {
        "fields": (Field("a", "CONTACT", secret=True, retention_end=NOW), Field("b", "BSN")),
        "consent": Consent(state="GIVEN", start=NOW, purposes=frozenset({"x", "y"}), given_by=("self",)),
        "now": NOW,
        "age": 0,
        "need_fields": frozenset(),
        "roles": frozenset({"sealed-reader"}),
        "break_glass": None,
    }
    default = getattr(Facts(), changed)
    told = kinds.get(changed, (not default) if isinstance(default, bool) else False)
    if changed in {"case_relation", "capable"}:
        told = False
    elif told is False and not isinstance(default, bool):
        told = "word"
    facts = replace(Facts(), **{changed: told})
    assert facts_of(decisions_room.facts_text(facts)) == facts


@pytest.mark.parametrize(
    "text",
    [
        *('{"form":4}', '{"form":2,"shoe_size":42}', '{"shoe_size":42}', "[]", "{", '{"form":[]}'),
        *('{"form":2,"fields":7}', '{"form":2,"fields":["a"]}', '{"form":2,"consent":"yes"}'),
        *(
            '{"form":3,"asked":7,"sealed":[]}',
            '{"form":3,"asked":{"kinds":[],"paths":[]}}',
            '{"form":3,"sealed":[]}',
            '{"form":3,"asked":{"kinds":[],"paths":[]},"fields":[],"sealed":[]}',
        ),
        # Told as what the fact never holds: "no" would be true, and a text holds each of its parts.
        *('{"form":2,"capable":"no"}', '{"form":2,"age":true}', '{"form":2,"need_fields":"goals.state"}'),
        *('{"form":2,"purpose":7}', '{"form":2,"need_fields":[7]}', '{"form":2,"restricted":null}'),
        '{"form":3,"asked":{"kinds":[{"category":"WONEN","secret":"no"}],"paths":[["a",0]]},"sealed":[]}',
        *('{"form":2,"fields":{}}', '{"form":2,"fields":""}', '{"form":1,"fields":null}'),
        *('{"form":true}', '{"form":3.0}', '{"form":"3"}'),
        '{"form":3,"asked":{"kinds":[{"category":"WONEN","of":3}],"paths":[[4,0]]},"sealed":[]}',
        '{"form":3,"asked":{"kinds":[{"category":"WONEN","size":1}],"paths":[["a",0]]},"sealed":[]}',
        '{"form":3,"asked":{"kinds":[{"category":"WONEN"}],"paths":[["a",0]]},"sealed":[1]}',
        *('{"form":2,"now":"never"}', '{"form":2,"fields":[{"name":"a"}]}', '{"form":2,"need_fields":[[]]}'),
    ],
)
def test_what_this_version_does_not_know_is_refused_and_counted(shard: Shard, text: str) -> None:
    with pytest.raises(HistoryUnreadable):
        facts_of(text)
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id))
    newer = replace(last_decision(shard), request=text)
    tally = replayed(shard, after=written(shard, newer))
    assert (tally.ok, found(tally)) == (False, {Found.UNREADABLE: 1})


class DecidedBefore(DisclosureDecided):
    """The shape of an earlier topic: without the subject."""

    TOPIC = "disclosure.decided.v0"


def test_a_decision_of_an_earlier_topic_replays_after_its_upcast(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, plan_id = shard.plan()
    shard.run(shard.question(plan_id))
    true = last_decision(shard)
    names = tuple(one.name for one in fields(DisclosureDecided) if one.name != "subject")
    monkeypatch.setitem(codec_room._NAMES, DecidedBefore.TOPIC, names)
    monkeypatch.setattr(
        DecidedBefore, "SEALED", dict.fromkeys(("request", "released", "withheld"), "LOG"), raising=False
    )
    codec_room._clear_names.cache_clear()

    def upcast(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return DisclosureDecided.TOPIC, data | {"subject": ""}

    monkeypatch.setattr(codec_room, "UPCASTS", {DecidedBefore.TOPIC: upcast})
    old = DecidedBefore(**{one.name: getattr(true, one.name) for one in fields(DisclosureDecided)})
    tally = replayed(shard, after=written(shard, old))
    assert found(tally) == {Found.SAME: 1}
    forged = replace(old, rules=("R99",))
    assert found(replayed(shard, after=written(shard, forged))) == {Found.DIFFERS: 1}


def test_a_pending_proposal_changes_no_replay(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(proposal(shard, TEXT), approving(shard, TEXT, "b-2"), under_new(shard, plan_id))
    assert replayed(shard).ok
