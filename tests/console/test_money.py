"""Who keeps a resident's money, at the console: what he finds, what he is told of the rest, who he is not."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from adapters.simulators.identity_provider.people import Somebody
from exchange.v1 import plan_pb2
from exchange.v1 import representation_service_pb2 as people_pb
from tests.console.resident_reads import form_of, words_of
from tests.server.family import TODAY, WORDS, Family
from tests.server.town import ADMIN, CITY, INVESTIGATE
from tests.stories.test_p16_a_signal_opens_a_report_and_nothing_else import EARLY

if TYPE_CHECKING:
    from tests.console.house import House, Visitor
    from tests.server.town import Town

KEEPER = "bewind-1"
SINCE = TODAY - timedelta(days=90)
NOT_FOR_HIM = "U kunt hier niets voor deze persoon doen."
CLOSED = ("/mijn/1", "/mijn/2", "/mijn/3", "/mijn/4", "/mijn/4/1")


@pytest.fixture(scope="module", autouse=True)
def keeper_of_money(house: House, town: Town) -> None:
    house.provider.admit(Somebody(KEEPER, "Bewindvoerder 1", "resident", "bewindvoerder", next(town.bsns)))
    town.worker("beheer", "beheerder-1").organisation.grant_task(claim=ADMIN, oin=CITY, task="college:WGS")


def kept(town: Town, *, until: str = "") -> Family:
    """Return somebody whose money is kept, with an unpaid rent."""
    family = Family(town, 44, capable=False)
    family.record(
        KEEPER,
        relation=people_pb.RELATION_BEWINDVOERDER,
        gezag=people_pb.GEZAG_UNSPECIFIED,
        evidence_source=people_pb.EVIDENCE_SOURCE_COURT_ORDER,
        end_date=until,
    )
    return family


def owing(family: Family) -> Family:
    family.town.worker("college:WGS", "s-1").case.receive_signal(
        claim=EARLY,
        resident=family.pseudonym,
        partner=plan_pb2.SIGNAL_PARTNER_LANDLORD,
        arrears_cents=84_050,
        since_date=SINCE.isoformat(),
        own_words="Er is een achterstand bij de huur.",
        desk="vroegsignalering",
    )
    return family


def named(visitor: Visitor, bsn: str, plan: str) -> tuple[int, str]:
    told = {"csrf": visitor.csrf("/mijn/6"), "naam": "Pa", "bsn": bsn, "plan": plan}
    answer = visitor.post("/mijn/6/ander", told)
    return answer.status_code, answer.headers.get("location") or words_of(answer.text)


def test_he_finds_what_is_about_money_and_why_no_more(house: House, town: Town) -> None:
    family = owing(kept(town))
    visitor = house.as_(KEEPER)
    # As anybody's representative he finds nothing, as before; with the number of the plan he does.
    status, said = named(visitor, family.bsn, "")
    assert status == 403
    # The page he gets says what may be the matter, alike for everybody, and leads back to the form.
    assert "U bent bewindvoerder, en het nummer van het plan ontbrak of klopte niet." in said
    assert said.endswith("Kies voor wie")
    assert named(visitor, family.bsn, f" {family.plan_id.upper()} ") == (303, "/mijn/7")
    text = visitor.get("/mijn/7").text
    page = words_of(text)
    assert "<h1>Geld in het plan (voor Pa)</h1>" in text
    assert "Verhuurder" in page
    assert "€ 840,50" in page
    assert "Waarom ziet u niet meer?" in page
    assert "U doet dit voor Pa." in text
    assert "Waar hier" not in text, "on this page it is the keeper who is spoken to"
    assert re.findall(r'<li><a href="([^"]+)"( aria-current="page")?', text.partition("<main")[0]) == [
        ("/mijn/7", ' aria-current="page"'),
        ("/mijn/6", ""),
    ]
    for never in (WORDS, "achterstand bij de huur", family.bsn, family.plan_id, family.case_id, "SIGNAL"):
        assert never not in text
        assert never not in visitor.get("/mijn/6").text
    for path in CLOSED:
        closed = visitor.get(path)
        assert (closed.status_code, WORDS in closed.text) == (403, False), path
    form = {"csrf": visitor.csrf("/mijn/6"), "zeg": "nee", "woorden": "Nee.", "versie": "2"}
    assert visitor.post("/mijn/1/zeg", form).status_code == 403
    visitor.get("/taal/en")
    english = words_of(visitor.get("/mijn/7").text)
    assert "€840.50" in english
    assert "Why do you see no more?" in english
    assert "Landlord" in english
    visitor.get("/taal/nl")
    visitor.post("/weergave", {"csrf": visitor.csrf("/mijn/7"), "stand": "1", "terug": "/mijn/7"})
    assert "Pa" not in re.findall("<h1>(.*)</h1>", visitor.get("/mijn/7").text)[0]
    assert visitor.get("/mijn/5").status_code == 200
    # Each look is on record, as any.
    head = town.core.reader.head()
    visitor.get("/mijn/7")
    assert town.core.reader.head() != head


def test_he_goes_to_and_fro_between_himself_and_whose_money_he_keeps(house: House, town: Town) -> None:
    first, second = kept(town), owing(kept(town))
    visitor = house.as_(KEEPER)
    assert named(visitor, first.bsn, first.plan_id) == (303, "/mijn/7")
    assert "Er is niets gemeld." in visitor.get("/mijn/7").text
    assert named(visitor, second.bsn, second.plan_id) == (303, "/mijn/7")
    assert "840,50" in visitor.get("/mijn/7").text
    own = form_of(visitor, "/mijn/6", "/mijn/6/kies", wie="0")
    assert visitor.post("/mijn/6/kies", own).headers["location"] == "/mijn/1"
    assert visitor.get("/mijn/7").status_code == 403
    other = form_of(visitor, "/mijn/6", "/mijn/6/kies", wie="2")
    assert visitor.post("/mijn/6/kies", other).headers["location"] == "/mijn/7"
    assert "Er is niets gemeld." in visitor.get("/mijn/7").text


def test_who_may_not_is_answered_as_who_names_nobody(house: House, town: Town) -> None:
    family, other, stranger = kept(town), kept(town), Family(town, 40, capable=False)
    over = kept(town, until=(TODAY - timedelta(days=1)).isoformat())
    visitor = house.as_(KEEPER)
    wrong = (
        partial(named, visitor, family.bsn, "a0000000-0000-4000-8000-000000000009"),
        # The plan of one and the number of another: neither is shown, whoever they are.
        partial(named, visitor, family.bsn, other.plan_id),
        partial(named, visitor, stranger.bsn, stranger.plan_id),
        partial(named, visitor, over.bsn, over.plan_id),
        partial(named, visitor, next(town.bsns), family.plan_id),
    )
    ((status, said),) = {one() for one in wrong}
    assert (status, NOT_FOR_HIM in said) == (403, True)
    assert "Dit ging vijf keer niet goed." in words_of(visitor.get("/mijn/6").text)


@pytest.mark.parametrize(
    "told", ["1", "../../etc", "' OR 1=1 --", "<script>", "\0", "\u0661" * 36, "a" * 10_000, "a" * 36]
)
def test_what_is_no_number_of_a_plan_is_told_at_its_field(house: House, town: Town, told: str) -> None:
    visitor = house.as_(KEEPER)
    head = town.core.reader.head()
    form = {"csrf": visitor.csrf("/mijn/6"), "naam": "Pa", "bsn": house.bsn, "plan": told}
    answer = visitor.post("/mijn/6/ander", form)
    assert (answer.status_code, "Dit is geen nummer van een plan." in answer.text) == (400, True)
    assert 'aria-describedby="plan-hint plan-fout" aria-invalid="true"' in answer.text
    assert "<script>" not in answer.text
    assert town.core.reader.head() == head


def test_a_mandate_that_ends_meanwhile_shows_nothing_more(house: House, town: Town) -> None:
    family = owing(Family(town, 44, capable=False))
    record = family.record(
        KEEPER,
        relation=people_pb.RELATION_BEWINDVOERDER,
        gezag=people_pb.GEZAG_UNSPECIFIED,
        evidence_source=people_pb.EVIDENCE_SOURCE_COURT_ORDER,
    )
    visitor = house.as_(KEEPER)
    assert named(visitor, family.bsn, family.plan_id)[0] == 303
    family.wmo.representation.end_representative(
        claim=INVESTIGATE, case_id=family.case_id, representative_id=record
    )
    gone = visitor.get("/mijn/7")
    assert (gone.status_code, "840,50" in gone.text) == (404, False)
    assert "U kunt hier niets meer voor deze persoon doen." in words_of(gone.text)
    assert 'href="/mijn/6"' in gone.text
