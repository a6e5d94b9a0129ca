"""Who acts for another: whom he may choose, what he sees and says then, and what the other reads of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.calls import claim
from adapters.simulators.identity_provider.people import Somebody, resident
from exchange.console.pages.on_behalf import TRIES_MAX
from exchange.v1 import common_pb2 as pb
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import representation_service_pb2 as people_pb
from tests.console.house import MENTOR, OFFICER, PARENT, RESIDENT, House, Visitor
from tests.console.resident_life import NOTICE, NOTICE_SHA256
from tests.console.resident_reads import form_of, words_of
from tests.server.family import TODAY, WORDS, Family
from tests.server.town import ACCESS, CITY, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.story import Story
    from tests.server.town import Town

SEAL = claim(pb.PURPOSE_WMO_ONDERZOEK, "SEAL-32", "er is gevaar")
PAGES = ("/mijn/1", "/mijn/2", "/mijn/3", "/mijn/4", "/mijn/4/1", "/mijn/4/3", "/mijn/5", "/mijn/6")
GDPR = consent_pb.CONSENT_KIND_GDPR
FOR_SEM = "U doet dit voor Sem."
NOT_FOR_HIM = "U kunt hier niets voor deze persoon doen."


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    notices = tmp_path_factory.mktemp("notices")
    (notices / "buurtteam.txt").write_text(NOTICE)
    town.register_notice("folder-gezin", NOTICE_SHA256)
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn, console_notices=notices)
    yield house
    house.close()


@pytest.fixture(scope="module")
def sem(town: Town) -> Family:
    """Return a child of thirteen, whose parent signs in at the console."""
    family = Family(town, 13)
    family.record(RESIDENT)
    return family


def named(visitor: Visitor, bsn: str, name: str = "Sem") -> tuple[int, str]:
    """Name somebody to act for; return the status and where it leads, or what it says."""
    told = {"csrf": visitor.csrf("/mijn/6"), "naam": name, "bsn": bsn}
    answer = visitor.post("/mijn/6/ander", told)
    return answer.status_code, answer.headers.get("location") or words_of(answer.text)


def acting(house: House, family: Family, name: str = "Sem") -> Visitor:
    visitor = house.as_(RESIDENT)
    assert named(visitor, family.bsn, name) == (303, "/mijn/1")
    return visitor


def asked(family: Family, kind: consent_pb.ConsentKind.ValueType) -> str:
    return family.ask(kind=kind, notice_id="folder-gezin", notice_sha256=NOTICE_SHA256)


def test_each_page_says_for_whom_and_he_comes_back_to_himself(house: House, sem: Family) -> None:
    visitor = house.as_(RESIDENT)
    own = words_of(visitor.get("/mijn/1").text)
    assert WORDS not in own
    assert named(visitor, f"{sem.bsn[:4]} {sem.bsn[4:6]}.{sem.bsn[6:]}") == (303, "/mijn/1")
    for path in PAGES:
        text = visitor.get(path).text
        assert FOR_SEM in text, path
        assert sem.bsn not in text
        assert house.bsn not in text
    assert WORDS in words_of(visitor.get("/mijn/1").text)
    assert "<h1>Mijn plan (voor Sem)</h1>" in visitor.get("/mijn/1").text
    # Where it is chosen it stands once.
    assert "<h1>Voor wie</h1>" in visitor.get("/mijn/6").text
    # What he looked at himself does not hide who else did; all of it is one choice away.
    assert "Uw vertegenwoordiger vroeg" not in visitor.get("/mijn/2").text
    assert "Uw vertegenwoordiger vroeg" in visitor.get("/mijn/2?wie=1").text
    assert "Namens een ander" in visitor.get("/mijn/1").text
    visitor.get("/taal/en")
    assert "You are doing this for Sem." in visitor.get("/mijn/1").text
    # What is on record in Dutch is told in English first, from the same record.
    looked = words_of(visitor.get("/mijn/2?wie=1").text)
    told = (
        "Your representative asked for data, to look at your data. What was given was allowed by AVG art. 15."
    )
    assert f"{told} This explanation is on record in Dutch: Uw vertegenwoordiger vroeg gegevens" in looked
    assert "Whether you speak for somebody" in looked
    assert "Relations" not in looked
    visitor.get("/taal/nl")
    back = form_of(visitor, "/mijn/6", "/mijn/6/kies", wie="0")
    assert visitor.post("/mijn/6/kies", back).headers["location"] == "/mijn/1"
    assert words_of(visitor.get("/mijn/1").text) == own
    again = form_of(visitor, "/mijn/6", "/mijn/6/kies", wie="1")
    assert visitor.post("/mijn/6/kies", again).headers["location"] == "/mijn/1"
    assert FOR_SEM in visitor.get("/mijn/1").text


def test_a_form_that_was_opened_for_one_is_never_sent_for_another(house: House, sem: Family) -> None:
    """Two tabs: his own plan in one; in the other he goes on for his child."""
    visitor = house.as_(RESIDENT)
    own = form_of(visitor, "/mijn/4/3", "/mijn/4/3/vraag") | {"woorden": "Van mijzelf."}
    assert named(visitor, sem.bsn) == (303, "/mijn/1")
    version = sem.town.state("plan", sem.plan_id).version
    assert visitor.post("/mijn/4/3/vraag", own).status_code == 403
    of_sem = form_of(visitor, "/mijn/1", "/mijn/1/zeg", zeg="nee") | {"woorden": "Van Sem."}
    visitor.post("/mijn/6/kies", form_of(visitor, "/mijn/6", "/mijn/6/kies", wie="0"))
    assert visitor.post("/mijn/1/zeg", of_sem).status_code == 403
    assert sem.town.state("plan", sem.plan_id).version == version


def test_the_child_reads_that_his_representative_looked_and_tried(house: House, town: Town) -> None:
    child = Family(town, 14)
    record = child.record(RESIDENT)
    house.provider.admit(resident(child.bsn, 14))
    parent = acting(house, child)
    parent.get("/mijn/1")
    child.wmo.representation.end_representative(
        claim=INVESTIGATE, case_id=child.case_id, representative_id=record
    )
    refused = parent.get("/mijn/1")
    assert refused.status_code == 404
    assert "U kunt hier niets meer voor deze persoon doen." in words_of(refused.text)
    mine = house.as_("inwoner-14")
    said = words_of(mine.get("/mijn/2").text)
    assert "Uw vertegenwoordiger vroeg gegevens, om uw gegevens te bekijken." in said
    assert "Dat mag omdat deze persoon u vertegenwoordigt" in said
    assert "Uw vertegenwoordiger vroeg gegevens" in words_of(mine.get("/mijn/2?soort=1").text)
    assert RESIDENT not in said
    listed = child.own().disclosure.list_disclosures(
        claim=ACCESS, case_id=child.case_id, fields=["disclosures.task", "disclosures.outcome"]
    )
    outcomes = {one.outcome for one in listed.disclosures if one.task == "wettelijk-vertegenwoordiger"}
    assert {"PERMIT", "DENY"} <= outcomes


def test_of_a_child_of_thirteen_a_parent_answers_what_the_law_gives_him(house: House, sem: Family) -> None:
    """Leave to tell is the child's (Wmo 2015 5.3.3, Jeugdwet 7.3.11); that of the GDPR not yet (UAVG 5)."""
    statutory, gdpr = asked(sem, consent_pb.CONSENT_KIND_STATUTORY), asked(sem, GDPR)
    listed = sem.own().consent.list_consents(
        claim=ACCESS, case_id=sem.case_id, fields=["consents.consent_id"]
    )
    places = {one.consent_id: number for number, one in enumerate(listed.consents, start=1)}
    parent = acting(house, sem)
    his, hers = f"/mijn/3/{places[statutory]}", f"/mijn/3/{places[gdpr]}"
    page = parent.get(his).text
    assert "Deze vraag is niet aan u." in page
    assert "wacht op u" not in page
    assert f'action="{his}' not in page
    told = form_of(parent, hers, f"{hers}/ja")
    forged = told | {"vraag": statutory, "versie": "1"}
    assert parent.post(f"{his}/ja", forged).status_code == 409
    assert sem.town.state("consent", statutory).state == "requested"
    answer = parent.post(f"{hers}/ja", told | {"anders": "1", "geen_nadeel": "1"})
    assert answer.headers["location"] == f"{hers}?klaar=1"
    state = sem.town.state("consent", gdpr)
    assert (state.state, state.given_by) == ("given", ("parent",))
    back = form_of(parent, hers, f"{hers}/terug")
    assert parent.post(f"{hers}/terug", back).headers["location"] == f"{hers}?klaar=3"
    say = form_of(parent, "/mijn/1", "/mijn/1/zeg", zeg="nee") | {"woorden": "Wij willen wachten."}
    assert parent.post("/mijn/1/zeg", say).headers["location"] == "/mijn/1?klaar=3"
    assert sem.town.state("plan", sem.plan_id).agreements[-1].spoken_by != "resident"


def test_by_a_youths_leave_a_parent_reads_and_says_nothing(house: House, town: Town) -> None:
    youth = Family(town, 16)
    youth.record(RESIDENT)
    visitor = house.as_(RESIDENT)
    status, said = named(visitor, youth.bsn)
    assert (status, NOT_FOR_HIM in said) == (403, True)
    leave = youth.ask(
        consent_purpose=pb.PURPOSE_INZAGE,
        recipients=[f"{CITY}/wettelijk-vertegenwoordiger"],
        categories=["WMO-PLAN", "CONTACT", "ONDERWIJS", "ARBEID"],
    )
    youth.give(youth.own(), leave, "self")
    assert named(visitor, youth.bsn) == (303, "/mijn/1")
    page = visitor.get("/mijn/1").text
    assert WORDS in words_of(page)
    assert "Hier antwoordt deze persoon zelf. U kunt alleen lezen." in page
    assert 'action="/mijn/1/' not in page
    version = town.state("plan", youth.plan_id).version
    form = {"csrf": visitor.csrf("/mijn/6"), "request_id": "10000000-0000-4000-8000-00000000000a"}
    refused = visitor.post("/mijn/1/zeg", form | {"zeg": "nee", "woorden": "Nee.", "versie": str(version)})
    assert refused.status_code == 403
    assert town.state("plan", youth.plan_id).version == version


def test_who_has_no_plan_here_acts_for_two_by_turns(house: House, town: Town) -> None:
    """A mentor of an adult who cannot decide, and a parent: neither is a resident of this exchange."""
    first, second = Family(town, 8), Family(town, 9)
    grown = Family(town, 70, capable=False)
    for child in (first, second):
        child.record(PARENT)
    grown.record(
        MENTOR,
        relation=people_pb.RELATION_MENTOR,
        gezag=people_pb.GEZAG_UNSPECIFIED,
        evidence_source=people_pb.EVIDENCE_SOURCE_COURT_ORDER,
    )
    parent, mentor = house.as_(PARENT), house.as_(MENTOR)
    assert parent.get("/mijn/1").status_code == 404
    assert named(parent, first.bsn, "Sem") == (303, "/mijn/1")
    assert named(parent, second.bsn, "Noor") == (303, "/mijn/1")
    assert "U doet dit voor Noor." in parent.get("/mijn/1").text
    other = form_of(parent, "/mijn/6", "/mijn/6/kies", wie="2")
    assert parent.post("/mijn/6/kies", other).status_code == 303
    assert FOR_SEM in parent.get("/mijn/1").text
    assert named(mentor, grown.bsn, "Pa") == (303, "/mijn/1")
    objecting = form_of(mentor, "/mijn/4/3", "/mijn/4/3/vraag") | {"woorden": ""}
    assert mentor.post("/mijn/4/3/vraag", objecting).headers["location"] == "/mijn/4?klaar=2"
    assert "tegen iedereen" in words_of(mentor.get("/mijn/4").text)
    assert named(mentor, first.bsn)[0] == 403


def test_nobody_no_case_and_no_authority_are_answered_alike_and_five_times(house: House, town: Town) -> None:
    """Who tries numbers learns nothing by them, also not by many at once."""
    unrecorded, grown, keeper = Family(town, 10), Family(town, 40), Family(town, 40, capable=False)
    grown.record(RESIDENT)
    keeper.record(
        RESIDENT,
        relation=people_pb.RELATION_BEWINDVOERDER,
        gezag=people_pb.GEZAG_UNSPECIFIED,
        evidence_source=people_pb.EVIDENCE_SOURCE_COURT_ORDER,
    )
    old = Family(town, 10)
    old.record(RESIDENT, source_date=(TODAY - timedelta(days=94)).isoformat())
    visitor = house.as_(RESIDENT)
    wrong = (next(town.bsns), unrecorded.bsn, grown.bsn, keeper.bsn, old.bsn)
    assert len(wrong) == TRIES_MAX
    answers = {named(visitor, bsn) for bsn in wrong}
    ((status, said),) = answers
    assert (status, NOT_FOR_HIM in said) == (403, True)
    child = Family(town, 10)
    child.record(RESIDENT)
    page = words_of(visitor.get("/mijn/6").text)
    assert "Dit ging vijf keer niet goed." in page
    form = {"csrf": visitor.csrf("/mijn/6"), "naam": "Sem", "bsn": child.bsn}
    assert visitor.post("/mijn/6/ander", form).status_code == 429
    other = house.as_(RESIDENT)
    told = {"csrf": other.csrf("/mijn/6"), "naam": "Sem", "bsn": unrecorded.bsn}

    async def at_once() -> list[int]:
        found = await asyncio.gather(*(other.posting("/mijn/6/ander", told) for _ in range(TRIES_MAX + 3)))
        return sorted(one.status_code for one in found)

    assert town.run(at_once) == [403] * TRIES_MAX + [429] * 3


def test_what_is_sealed_is_not_there_for_who_represents(house: House, town: Town) -> None:
    """A shelter, Veilig Thuis: a parent sees what he would see if it had never been recorded (R26)."""
    child = Family(town, 10)
    child.record(RESIDENT)
    parent = acting(house, child)
    assert WORDS in words_of(parent.get("/mijn/1").text)
    child.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=child.case_id,
        oin=CITY,
        task="college:WMO",
        professional="w-second",
        role="consulent",
    )
    proposed = child.wmo.rights.seal_compartment(
        claim=SEAL,
        case_id=child.case_id,
        paths=["goals"],
        readers=[f"{CITY}/college:WMO/w-second"],
        reason="Het kind is veilig ondergebracht.",
    )
    town.worker("college:WMO", "w-second").rights.confirm_seal(
        claim=SEAL, case_id=child.case_id, proposal_id=proposed.proposal_id
    )
    page = words_of(parent.get("/mijn/1").text)
    assert WORDS not in page
    assert "Er staat nog geen doel in uw plan." in page
    assert "Niet alles mag hier staan." not in page


def test_where_somebody_looks_along_it_says_nothing_of_whom(house: House, sem: Family) -> None:
    visitor = acting(house, sem)
    visitor.post("/weergave", {"csrf": visitor.csrf("/mijn/5"), "stand": "1", "terug": "/mijn/1"})
    for path in PAGES:
        text = visitor.get(path).text
        assert "U kijkt voor een ander." in text, path
        assert "Sem" not in text
        assert "Vertegenwoordiger" not in text.partition("<main")[0]
    assert "<title>Overzicht</title>" in visitor.get("/mijn/6").text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"naam": ""}, "Schrijf op hoe u deze persoon noemt"),
        ({"naam": "a" * 41}, "Schrijf op hoe u deze persoon noemt"),
        ({"naam": "a" * 10_000}, "Schrijf op hoe u deze persoon noemt"),
        ({"naam": "Sem\x00"}, "Schrijf op hoe u deze persoon noemt"),
        ({"naam": "9999 12345"}, "Schrijf op hoe u deze persoon noemt"),
        ({"bsn": ""}, "Dit is geen goed burgerservicenummer."),
        ({"bsn": "999999999"}, "Dit is geen goed burgerservicenummer."),
        ({"bsn": "' OR 1=1 --"}, "Dit is geen goed burgerservicenummer."),
        ({"bsn": "../../etc"}, "Dit is geen goed burgerservicenummer."),
        ({"bsn": "٩٩٩٩٩٩٩٩٩"}, "Dit is geen goed burgerservicenummer."),
        ({"bsn": "9" * 10_000}, "Dit is geen goed burgerservicenummer."),
    ],
)
def test_a_form_that_is_wrong_says_where_and_looks_nobody_up(
    house: House, change: dict[str, str], says: str
) -> None:
    visitor = house.as_(RESIDENT)
    head = house.town.core.reader.head()
    form = {"csrf": visitor.csrf("/mijn/6"), "naam": "Sem", "bsn": house.bsn} | change
    answer = visitor.post("/mijn/6/ander", form)
    assert (answer.status_code, says in answer.text) == (400, True)
    assert 'aria-invalid="true"' in answer.text
    assert house.bsn not in answer.text
    assert house.town.core.reader.head() == head


def test_of_himself_and_of_others_it_is_told(house: House, sem: Family) -> None:
    visitor = house.as_(RESIDENT)
    status, said = named(visitor, house.bsn)
    assert (status, "Dit bent u zelf." in said) == (400, True)
    script = named(visitor, sem.bsn, "<b>S'em%</b>")
    assert script == (303, "/mijn/1")
    text = visitor.get("/mijn/1").text
    assert "<b>" not in text
    assert "&lt;b&gt;S&#39;em%&lt;/b&gt;" in text
    for wie in ("2", "-1", "x", "", "0" * 400):
        form = {"csrf": visitor.csrf("/mijn/6"), "wie": wie}
        assert visitor.post("/mijn/6/kies", form).status_code == 404, wie
    without = visitor.post("/mijn/6/ander", {"naam": "Sem", "bsn": sem.bsn})
    assert without.status_code == 403
    assert house.as_(OFFICER).get("/mijn/6").status_code == 403
    assert house.visitor().get("/mijn/6").status_code == 303


def test_a_mark_that_may_be_a_number_lets_nobody_act(house: House, town: Town, sem: Family) -> None:
    """What a provider calls somebody is written beside each decision: a BSN never is."""
    bsn = next(town.bsns)
    for subject in (bsn, f"{bsn[:4]}.{bsn[4:]}", f"x{bsn}"):
        house.provider.admit(Somebody(subject, "Iemand", "resident", "zonder kenmerk", bsn))
        visitor = house.as_(subject)
        page = visitor.get("/mijn/6").text
        assert "Met deze aanmelding kunt u niet voor een ander handelen." in page
        assert bsn not in page
        form = {"csrf": visitor.csrf("/mijn/6"), "naam": "Sem", "bsn": sem.bsn}
        assert visitor.post("/mijn/6/ander", form).status_code == 403
