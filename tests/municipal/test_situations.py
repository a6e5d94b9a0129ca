"""What a case says of a life domain reaches the plan: scored by a person, with its source, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.kit.refusals import TOO_LONG
from adapters.municipal.config import load_config
from adapters.municipal.errors import ConfigInvalid, ForAPerson
from adapters.municipal.mapping import DESCRIPTION_MAX, situation_of
from adapters.municipal.records import Situation
from adapters.municipal.situation_port import SdkSituations
from exchange.v1.common_pb2 import LIFE_DOMAIN_INSTRUMENTAL_ADL
from tests.municipal.around import ME, WORDS, Adapter, Reported, plan_of, settings, written
from tests.server.test_rights import LIMIT
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.open_zaak.whole import OpenZaak, Seen
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange

SAID = "De was en het koken lukken niet meer."
FIELDS = [
    f"situations.{name}" for name in ("life_domain", "description", "score", "source", "earlier_scores")
]


@pytest.mark.parametrize(
    ("description", "score", "found"),
    [
        (SAID, "1", Situation("BASIC_ADL", SAID, 1)),
        (f" {SAID}\n", " 5 ", Situation("BASIC_ADL", SAID, 5)),
        ("x" * DESCRIPTION_MAX, "3", Situation("BASIC_ADL", "x" * DESCRIPTION_MAX, 3)),
        # Not yet both: nothing is told of it, and nobody has to look.
        (SAID, "", None),
        (" ", "3", None),
        ("", "9", None),
    ],
)
def test_a_case_says_something_once_it_is_described_and_scored(
    description: str, score: str, found: Situation | None
) -> None:
    assert situation_of("BASIC_ADL", description, score) == found


@pytest.mark.parametrize(
    ("description", "score", "reason"),
    [
        (SAID, "0", "score_unknown"),
        (SAID, "6", "score_unknown"),
        (SAID, "goed", "score_unknown"),
        (SAID, "²", "score_unknown"),
        ("x" * (DESCRIPTION_MAX + 1), "3", "situation_too_long"),
    ],
)
def test_what_is_not_plain_is_for_a_person(description: str, score: str, reason: str) -> None:
    with pytest.raises(ForAPerson, match=reason):
        situation_of("BASIC_ADL", description, score)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tuinieren": ["a", "b"]},
        {"basale adl": ["a"]},
        {"basale adl": ["a", ""]},
        {"basale adl": "a"},
    ],
    ids=str,
)
def test_settings_name_a_life_domain_and_two_properties(
    wrong: dict[str, Any], system: OpenZaak, tmp_path: Path
) -> None:
    with pytest.raises(ConfigInvalid, match="situations"):
        load_config(written(tmp_path, settings(system, situations=wrong)))


class Told:
    """A case that was reported, and what its plan says of its one life domain."""

    def __init__(self, exchange: Exchange, adapter: Adapter, town: Town, **said: str) -> None:
        self._adapter, self._town = adapter, town
        bsn = town.person(next(exchange.bsns))
        self.zaak = town.case(bsn)
        town.say(self.zaak, **said)
        adapter.work()
        self.story = Reported(exchange, bsn, plan_of(self.zaak))

    def say(self, **said: str) -> None:
        """Let the case say something, and the adapter be told of it."""
        self._town.say(self.zaak, **said)
        self._adapter.service.desk.ask("zaak", self.zaak["url"])
        self._adapter.clock.pass_by(minutes=1)
        self._adapter.work()

    @property
    def situations(self) -> list[tuple[str, int, str, list[int]]]:
        told = self.story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=self.story.plan_id, fields=FIELDS).plan
        assert all(one.life_domain == LIFE_DOMAIN_INSTRUMENTAL_ADL for one in told.situations)
        return [(one.description, one.score, one.source, [*one.earlier_scores]) for one in told.situations]


def described(told: Told) -> None:
    """Let a professional describe the same life domain in the plan."""
    plan = told.story.wmo.plan
    version = plan.get_plan(claim=INVESTIGATE, plan_id=told.story.plan_id, fields=["version"]).plan.version
    plan.describe_situation(
        claim=INVESTIGATE,
        plan_id=told.story.plan_id,
        expected_version=version,
        life_domain=LIFE_DOMAIN_INSTRUMENTAL_ADL,
        description="Zelf gezien.",
        score=3,
        judge_date="2026-11-20",
    )


def test_what_a_case_says_is_told_once_with_its_source(
    exchange: Exchange, adapter: Adapter, town: Town, seen: list[Seen]
) -> None:
    told = Told(exchange, adapter, town, situatie=SAID)
    assert told.situations == []
    told.say(score="2")
    assert told.situations == [(SAID, 2, "zaaksysteem", [])]
    assert adapter.events.count("situation_told") == 1
    # Its own changes, and the same again, start nothing.
    told.say(score="2")
    assert adapter.events.count("situation_told") == 1
    told.say(situatie="Met hulp van de buren lukt het.", score="4")
    assert told.situations == [("Met hulp van de buren lukt het.", 4, "zaaksysteem", [2])]
    assert adapter.parked() == []
    # Nothing of it was ever written back.
    ours = [one for one in seen if one.method in ("POST", "PATCH") and "zaakeigenschappen" in one.path]
    assert ours
    assert not any(SAID.encode() in one.body for one in ours)


class Restricted:
    """A restriction that comes just before what a case says is described."""

    def __init__(self, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
        self._told = told
        self._on: dict[str, Any] = {"claim": LIMIT, "case_id": told.story.case_id}
        self._id = ""
        real = SdkSituations.describe

        def describe(port: SdkSituations, *said: Any) -> None:  # noqa: ANN401 -- whatever is said
            if not self._id:
                self._id = told.story.wmo.rights.restrict(reason="Betwist.", **self._on).restriction_id
            real(port, *said)

        monkeypatch.setattr(SdkSituations, "describe", describe)

    def lift(self) -> None:
        rights, one = self._told.story.wmo.rights, {"restriction_id": self._id, **self._on}
        rights.announce_lifting(how="letter", **one)
        rights.lift_restriction(reason="Nagegaan.", **one)


def test_what_was_refused_within_a_restriction_is_told_after_it(
    exchange: Exchange, adapter: Adapter, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange answers a command that it refused as it did: what is asked after it is another one."""
    told = Told(exchange, adapter, town, situatie=SAID)
    restricted = Restricted(told, monkeypatch)
    told.say(score="2")
    assert "denied R24" in adapter.parked()
    restricted.lift()
    adapter.clock.pass_by(hours=25)
    adapter.work()
    assert told.situations == [(SAID, 2, "zaaksysteem", [])]
    assert adapter.parked() == []


def test_what_is_refused_for_a_month_waits_for_a_person(
    exchange: Exchange, adapter: Adapter, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(exchange, adapter, town, situatie=SAID)
    restricted = Restricted(told, monkeypatch)
    told.say(score="2")
    for _ in range(2):
        adapter.clock.pass_by(days=15)
        adapter.work()
    assert TOO_LONG in adapter.parked()
    adapter.clock.pass_by(days=2)
    adapter.work()
    assert TOO_LONG in adapter.parked(), "it is not asked any more"
    # What the case says next is asked, and told once nothing is restricted.
    restricted.lift()
    told.say(score="3")
    assert told.situations == [(SAID, 3, "zaaksysteem", [])]


def test_a_report_that_was_refused_within_a_restriction_is_taken_after_it(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    told = Told(exchange, adapter, town)
    story = told.story
    on: dict[str, Any] = {"claim": LIMIT, "case_id": story.case_id}
    on["restriction_id"] = story.wmo.rights.restrict(reason="Betwist.", **on).restriction_id
    zaak = town.case(story.bsn, "Er is iets bij gekomen.")
    adapter.service.desk.ask("zaak", zaak["url"])
    adapter.work()
    assert adapter.parked() == ["denied R24"]
    story.wmo.rights.announce_lifting(how="letter", **on)
    story.wmo.rights.lift_restriction(reason="Nagegaan.", **on)
    adapter.clock.pass_by(hours=25)
    adapter.work()
    # Its words are in the plan; of two cases of one plan a person leaves one.
    assert adapter.parked() == ["plan_has_another_case"]
    fields = ["reports.own_words"]
    reports = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=fields).plan.reports
    assert [one.own_words for one in reports] == [WORDS, "Er is iets bij gekomen."]


def test_what_waited_for_a_person_meanwhile_has_a_month_of_its_own(
    exchange: Exchange, adapter: Adapter, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(exchange, adapter, town, situatie=SAID)
    restricted = Restricted(told, monkeypatch)
    told.say(score="2")
    restricted.lift()
    told.say(score="9")
    assert adapter.parked() == ["score_unknown"]
    adapter.clock.pass_by(days=31)
    told.story.wmo.rights.restrict(reason="Weer betwist.", claim=LIMIT, case_id=told.story.case_id)
    told.say(score="3")
    adapter.clock.pass_by(hours=25)
    adapter.work()
    assert "denied R24" in adapter.parked()
    assert TOO_LONG not in adapter.parked()


def test_what_was_told_while_nobody_listened_is_found_by_the_sweep(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    told = Told(exchange, adapter, town)
    town.say(told.zaak, situatie=SAID, score="2")
    adapter.work()
    assert told.situations == []
    adapter.clock.pass_by(hours=1)
    adapter.work()
    assert told.situations == [(SAID, 2, "zaaksysteem", [])]


def test_a_forgotten_answer_is_seen_in_the_plan(exchange: Exchange, adapter: Adapter, town: Town) -> None:
    told = Told(exchange, adapter, town, situatie=SAID, score="2")
    adapter.journal.connection.execute("DELETE FROM told WHERE what LIKE 'situation%'")
    told.say(score="2")
    assert told.situations == [(SAID, 2, "zaaksysteem", [])]


def test_what_a_person_wrote_stays_and_a_person_hears_of_it(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    told = Told(exchange, adapter, town, situatie=SAID, score="2")
    described(told)
    told.say(score="1")
    assert told.situations == [("Zelf gezien.", 3, "", [2])]
    assert adapter.parked() == ["situation_of_a_person"]
    (reason,) = adapter.config.rejected.glob("zaak-*.reason.txt")
    assert SAID not in reason.read_text()


def test_a_number_in_it_goes_nowhere_and_mended_it_goes_on(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    told = Told(exchange, adapter, town)
    told.say(situatie=f"Nummer {told.story.bsn}.", score="2")
    assert adapter.parked() == ["exchange BSN_REFUSED"]
    assert told.situations == []
    told.say(situatie=SAID)
    assert adapter.parked() == []
    assert told.situations == [(SAID, 2, "zaaksysteem", [])]


def test_who_has_no_part_in_the_plan_tells_nothing_and_asks_once(
    exchange: Exchange, adapter: Adapter, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(exchange, adapter, town)
    told.story.wmo.case.leave_case(
        claim=INVESTIGATE,
        case_id=told.story.case_id,
        oin=adapter.exchange.own_oin,  # type: ignore[attr-defined] # the real port
        task="college:WMO",
        professional=ME,
    )
    told.say(situatie=SAID, score="2")
    assert [reason.split()[0] for reason in adapter.parked()] == ["denied"]
    asked: list[str] = []
    monkeypatch.setattr(SdkSituations, "standing", lambda _self, plan_id, _domain: asked.append(plan_id))
    told.say(score="2")
    assert asked == []
