"""What a resident, and who acts for one, can open, do and save: each in both languages, in a real browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from adapters.simulators.identity_provider.people import REPRESENTATIVES, resident
from exchange.console.app import AWAY
from exchange.console.resident.ways import ERASED, WAYS
from exchange.v1 import consent_service_pb2 as consent_pb
from exchange.v1 import plan_pb2
from tests.console.house import PARENT, House
from tests.console.in_both_languages.reader import tries
from tests.console.resident_life import NOTICE, ask_consent, live
from tests.server.family import Family
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.console.in_both_languages.reader import Reader, SignIn
    from tests.server.story import Story
    from tests.server.town import Town

PARENT_NAME = next(one.name for one in REPRESENTATIVES if one.subject == PARENT)
# What somebody writes himself is in neither of the two.
WORDS = "Lorem ipsum."
SAYS_OF = {
    "bezwaar": "Uw bezwaar is ontvangen en geldt vanaf nu. U hoort wat er wordt beslist.",
    "beperken": "Vanaf nu worden uw gegevens hiervoor niet gebruikt. Wie ze al kreeg, hoort dat ook.",
}
YES = (
    "U zei ja. De gegevens die hieronder staan mogen nu naar wie hieronder staat. "
    "U kunt uw ja altijd terugnemen."
)
TAKEN_BACK = (
    "U nam uw ja terug. Vanaf nu gaat er op deze grond niets meer naar wie hieronder staat. "
    "Wat al gegeven was, is daarmee niet weg: vraag daarvoor om wissen."
)
ADDED = "Uw woorden staan nu bij het plan. Wie dat deel van het plan leest, leest ook uw woorden."


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    notices = tmp_path_factory.mktemp("notices")
    (notices / "buurtteam.txt").write_text(NOTICE)
    live(story)
    talked = story.wmo.plan.record_conversation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        kind=plan_pb2.CONVERSATION_KIND_FIRST,
        hold_date="2026-02-01",
        outcome=plan_pb2.CONVERSATION_OUTCOME_CONTINUE,
        summary="Koken lukt niet.",
    )
    story.version = talked.version
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn, console_notices=notices)
    yield house
    house.close()


@pytest.fixture(scope="module")
def child(house: House, town: Town) -> Family:
    assert house.town is town
    family = Family(town, 13)
    family.record(PARENT)
    return family


@pytest.fixture
def me(house: House, language: str, sign_in: SignIn) -> Reader:
    return sign_in(resident(house.bsn, 1).name, language)


@tries("GET /mijn/1", "POST /mijn/1/zeg*", "POST /mijn/1/woorden*")
def test_he_says_what_he_thinks_of_his_plan(language: str, me: Reader) -> None:
    assert me.language == language
    me.open("/mijn/1")
    me.reads("Mijn plan")
    me.press("Ja, ik ga akkoord")
    me.sees("U zei ja tegen het plan.")
    conditions = "U zei ja, met voorwaarden. De gemeente hoort wat u vraagt."
    for say, button, field, then in (
        ("mits", "Ja, met voorwaarden", "Wat moet er anders of erbij?", conditions),
        (
            "nee",
            "Nee, ik ga niet akkoord",
            "Waarom niet?",
            "U zei nee tegen het plan. De gemeente hoort waarom.",
        ),
    ):
        me.fill(field, WORDS)
        me.press(button, within=f"form:has([name=zeg][value={say}])")
        me.sees(then)
    for part in ("reports", "conversations", "goals", "situations"):
        form = f"form:has([name=deel][value={part}])"
        me.page.locator(form).first.get_by_label(me.says("Uw woorden")).fill(WORDS)
        me.press("Zet dit erbij", within=form)
        me.sees(ADDED)


@tries("GET /mijn/2*")
def test_he_sees_who_looked(language: str, me: Reader) -> None:
    assert me.language == language
    me.follow("Wie keek")
    me.reads("Wie keek")
    me.field("Wat er gebeurde").select_option("1")
    me.press("Laat zien")
    me.field("Wat er gebeurde").wait_for()


@tries("GET /mijn/3*", "POST /mijn/3/*")
def test_he_says_yes_and_no_and_takes_a_yes_back(language: str, me: Reader, story: Story) -> None:
    assert me.language == language
    for kind in (consent_pb.CONSENT_KIND_STATUTORY, consent_pb.CONSENT_KIND_GDPR):
        ask_consent(story, kind=kind)
        me.follow("Toestemming")
        me.follow("Lees de vraag en geef antwoord")
        if kind == consent_pb.CONSENT_KIND_GDPR:
            me.field("Ik kan ook hulp krijgen als ik nee zeg").check()
            me.field("Nee zeggen is niet slecht voor mij").check()
        me.press("Ja, dat mag")
        me.sees(YES)
        me.press("Neem mijn ja terug")
        me.sees(TAKEN_BACK)
    ask_consent(story)
    me.follow("Toestemming")
    me.follow("Lees de vraag en geef antwoord")
    me.press("Nee, dat mag niet")
    me.sees("U zei nee. Er gaat niets naar wie hieronder staat op deze vraag.")
    assert "dpv:hasNotice" in me.save(me.link("Haal het bewijs op (JSON-LD)")).read_text()
    me.follow("Toestemming")
    assert "@graph" in json.loads(me.save(me.link("Haal alle bewijzen op (JSON-LD)")).read_text())


@tries("GET /mijn/4", "GET /mijn/4/*", "POST /mijn/4/*")
def test_he_uses_each_of_his_rights(language: str, me: Reader) -> None:
    assert me.language == language
    me.follow("Mijn rechten")
    for way in WAYS:
        for erased, (_, says) in ERASED.items() if way.name == "wissen" else (("", (0, "")),):
            # What is recorded leads back to the list of rights.
            me.follow(way.title)
            me.reads(way.title)
            if erased:
                me.field(says).check()
            if way.name == "beperken":
                # Against one purpose: against all of them nothing could be asked after it.
                me.field("Waarvoor").select_option(index=1)
            me.fill(way.words, WORDS)
            me.press(way.button)
            me.sees(
                SAYS_OF.get(
                    way.name, "Uw verzoek is ontvangen. Hieronder staat wanneer u uiterlijk antwoord krijgt."
                )
            )
            if way.name == "bezwaar":
                me.press("Neem mijn bezwaar terug")
                me.sees("U nam uw bezwaar terug. Het geldt niet meer.")
    me.open("/mijn/4/1")
    assert me.save(me.link("Om te lezen (PDF)")).read_bytes().startswith(b"%PDF-")
    assert json.loads(me.save(me.link("Voor een computer (JSON)")).read_text())
    me.open("/mijn/4/5")
    assert json.loads(me.save(me.link("Haal uw bestand op (JSON-LD)")).read_text())


@tries("GET /mijn/5", "POST /weergave*")
def test_he_looks_safely_and_back(language: str, me: Reader) -> None:
    assert me.language == language
    me.follow("Uitleg")
    me.reads("Uitleg")
    me.press("Veilige weergave")
    me.reads("Overzicht")
    assert me.page.title() == me.says("Overzicht")
    me.press("Gewone weergave")
    me.reads("Uitleg")


@tries("GET /mijn/6", "POST /mijn/6/*")
def test_who_acts_for_another_chooses_for_whom(language: str, sign_in: SignIn, child: Family) -> None:
    parent = sign_in(PARENT_NAME, language)
    parent.open("/mijn/6")
    parent.reads("Voor wie")
    parent.fill("Hoe noemt u deze persoon?", "Sem")
    parent.fill("Burgerservicenummer van deze persoon", child.bsn)
    parent.press("Ga verder voor deze persoon")
    parent.sees("U doet dit voor %(name)s.", name="Sem")
    parent.open("/mijn/6")
    # He has no plan here himself.
    parent.go(parent.button("Voor mijzelf"), refused=True)
    parent.sees("Er is hier geen plan van u. Het kan ook zijn dat het is gewist.")
    parent.open("/mijn/6")
    parent.press("Voor %(name)s", name="Sem")
    parent.sees("U doet dit voor %(name)s.", name="Sem")
    parent.sees("Wat u wilt bereiken")


@tries("GET /", "GET /inloggen", "GET /terug", "GET /taal/*", "GET /uit", "POST /uitloggen")
def test_he_comes_in_goes_out_and_leaves_at_once(
    language: str, house: House, enter: Callable[[str], Reader]
) -> None:
    name, me = resident(house.bsn, 1).name, enter(language)
    me.sign_in(name)
    me.press("Uitloggen")
    me.sees("Zonder aanmelding is er niets te zien.")
    me.sign_in(name)
    # The place of the settings is outside; here it is answered by the test.
    me.page.route(
        f"{AWAY}**", lambda asked: asked.fulfill(body="<title>Weer</title>", content_type="text/html")
    )
    me.link("Snel weg").click()
    me.page.wait_for_url(AWAY)
    assert me.page.title() == "Weer"
