"""What is about more than one resident, or told to more than one desk: a line for each, in every form.

A household, a match of two plans, and a restriction that reaches who got the plan. Each line is held against
the schema of its form, and together they are what the events say: no decision without its lines.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import fastjsonschema
import pytest

from exchange.server.traces import place_in_trace
from exchange.v1 import household_service_pb2 as household_pb
from tests.accountability.logs import SUBJECT, ldv, nen7513, require_extension, verwerkingen
from tests.accountability.test_whole import residents_by_decision
from tests.server.household import House, names
from tests.server.story import Story
from tests.server.test_restriction_told import got, lift, restrict, told
from tests.server.town import CITY, INVESTIGATE
from tests.stories.neighbours import Pair

if TYPE_CHECKING:
    from pathlib import Path

    from tests.accountability.conftest import Check
    from tests.server.town import Town


class Lived:
    """A town in which these things happened, and by which decisions."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.house = House(town)
        mother, father = self.house.mother, self.house.father
        names(mother, mother.desk, mother.goal("Op tijd naar bed."), father.membership_id)
        seen = mother.household(mother.desk)
        self.together = [one.decision_id for found in seen.households for one in found.members]
        father.desk.household.leave_household(
            claim=INVESTIGATE,
            membership_id=father.membership_id,
            reason=household_pb.LEAVE_REASON_OWN_WISH,
        )
        self.pair = Pair.of(town, "BU03000101")
        self.pair.made()
        self.story = Story(town, next(town.bsns))
        self.care = got(town, self.story)
        self.restriction_id = restrict(self.story).restriction_id
        lift(self.story, self.restriction_id)
        self.told = told(self.care, self.story.plan_id)
        self.pseudonyms = [*(one.pseudonym for one in self.house.all), self.story.pseudonym]
        self.secret = {
            *(one.plan_id for one in self.house.all),
            *(self.story.plan_id, self.pair.asks.plan_id, self.pair.offers.plan_id),
            *(one.membership_id for one in (mother, father)),
            *map(town.resident_of, self.pseudonyms),
            *("Op tijd naar bed.", "Ik haal graag iets mee.", "Juistheid betwist.", "regie-1", "w-2"),
        }


@pytest.fixture(scope="module")
def lived(town: Town) -> Lived:
    return Lived(town)


def test_every_line_of_these_is_of_its_form_and_names_nobody(
    lived: Lived, valid: Check, valid_action: Check, standards_dir: Path
) -> None:
    core = lived.town.core
    of_standard = fastjsonschema.compile(
        json.loads((standards_dir / "ldv/attributes.schema.json").read_text())
    )
    lines, actions, of_care = ldv(core), verwerkingen(core), nen7513(core)
    for line in lines:
        valid(line)
        of_standard(line["attributes"])
    for action in actions:
        valid_action(action)
    assert len(lived.told) == 2
    assert of_care
    require_extension(of_care, (standards_dir / "ldv/nen7513-specificatie.md").read_text("utf-8"), valid)
    text = json.dumps([*lines, *actions])
    assert [one for one in lived.secret if one in text] == []


def test_each_decision_has_a_line_for_each_resident_it_was_about(lived: Lived) -> None:
    core = lived.town.core
    events = residents_by_decision(lived.town)
    spans = {place_in_trace("", decision).span_id: decision for decision in events}
    lines = ldv(core)
    assert Counter(spans[line["span_id"]] for line in lines) == Counter(
        {decision: len(whom) for decision, whom in events.items()}
    )
    assert len(verwerkingen(core)) == len(lines)
    subjects = {line["attributes"].get(SUBJECT) for line in lines}
    # Each member of the household is judged, and told of, apart.
    assert len(lived.together) == len(set(lived.together)) == 2
    looked = [line["attributes"][SUBJECT] for line in lines if spans[line["span_id"]] in lived.together]
    assert len(set(looked)) == 2
    for pseudonym in lived.pseudonyms:
        assert core.log_pseudonym(f"{CITY}\n{lived.town.resident_of(pseudonym)}") in subjects
