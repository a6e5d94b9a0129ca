"""What who keeps the register, and who makes policy, can do: each in both languages, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.simulators.identity_provider.people import PEOPLE
from tests.console.house import APPROVER, AUTHOR, INSIGHT, OFFICER
from tests.console.in_both_languages.reader import tries
from tests.console.test_register import wider
from tests.pipeline.legal_bases import entry_text
from tests.server.test_legal_bases import REGISTRY

if TYPE_CHECKING:
    from tests.console.house import House
    from tests.console.in_both_languages.reader import SignIn

NAMES = {person.subject: person.name for person in PEOPLE}
WORDS = "Lorem ipsum."
RECORDED = "Vastgelegd"
# What a year spends is spent once: each language has years of its own.
YEARS = {"nl": "2021", "en": "2022"}


@tries(
    "GET /register",
    "GET /register?*",
    "GET /register/voorstel",
    "GET /register/{basis_id}*",
    "POST /register/*",
)
def test_a_version_is_proposed_approved_and_ended(language: str, sign_in: SignIn) -> None:
    author, approver = (sign_in(NAMES[one], language) for one in (AUTHOR, APPROVER))
    basis_id = f"WMO-{language.upper()}-1"
    author.follow("Register")
    author.reads("Register van grondslagen")
    author.follow("Stel een versie voor")
    author.fill("Eén grondslag in TOML", entry_text(basis_id))
    author.press("Stel voor")
    author.reads(RECORDED)
    approver.follow("Register")
    approver.field("Staat").select_option("voorgesteld")
    approver.press("Zoek")
    approver.go(approver.page.locator("tbody").get_by_role("link", name=basis_id).first)
    approver.field("Ik heb gezien wat deze versie opent en sluit, en sta daarvoor").check()
    approver.press("Keur goed")
    approver.sees("Goedgekeurd. Er is nog één persoon nodig: tot dan opent deze versie niets")
    author.open(f"/register/{basis_id}/1")
    author.fill("Waarom", WORDS)
    author.press("Trek in")
    author.sees("Ingetrokken. Vanaf nu gaat er op deze versie niets meer weg")
    author.follow("Register")
    assert author.save(author.link("Opslaan als %(name)s", name="JSON")).read_bytes().startswith(b"{")


@tries(
    "GET /register/{basis_id}/{number}",
    "POST /voorvertoning?sinds*",
    "POST /voorvertoning",
    "POST /voorvertoning geheel=",
)
def test_a_proposal_is_previewed_from_its_page(language: str, sign_in: SignIn, house: House) -> None:
    basis_id = f"WMO-{language.upper()}-2"
    house.town.worker("beheer", AUTHOR).legal_basis.propose_legal_basis(claim=REGISTRY, text=wider(basis_id))
    officer = sign_in(NAMES[OFFICER], language)
    officer.open(f"/register/{basis_id}/1")
    officer.sees("Gaat nieuw open")
    officer.press("Laat zien wat er verandert")
    officer.reads("Voorvertoning van een register")


@tries("GET /inzicht", "GET /inzicht?*", "GET /inzicht/*", "POST /inzicht/*")
def test_a_table_is_published_and_more_is_asked_for(language: str, sign_in: SignIn) -> None:
    year = YEARS[language]
    policy, officer = (sign_in(NAMES[one], language) for one in (INSIGHT, OFFICER))
    policy.follow("Inzicht")
    policy.reads("Inzicht: wat werkt")
    policy.field("Jaar van de laatste score").select_option(year)
    policy.press("Toon")
    for label in ("Eigen netwerk", "Huisvesting"):
        policy.page.get_by_label(policy.says(label), exact=True).check()
    policy.page.locator("input[name=prijs]").first.check()
    policy.fill("Waarvoor de tabel nodig is", WORDS)
    policy.press("Bekijk de prijs")
    policy.go(policy.page.locator("form[action='/inzicht/publiceren'] button"))
    policy.sees("te weinig inwoners")
    policy.follow("Privacybudget")
    policy.field("Jaar van de laatste score").select_option(year)
    policy.press("Toon")
    policy.reads("Privacybudget van %(year)s", year=year)
    policy.page.locator("#totaal").fill("1,25" if language == "nl" else "1.25")
    policy.fill("Waarom", WORDS)
    policy.press("Stel dit totaal voor")
    policy.sees("Uw voorstel is vastgelegd. Het geldt pas als een ander het goedkeurt.")
    officer.open(f"/inzicht/budget?jaar={year}")
    officer.press("Keur %(total)s goed", total="1,25" if language == "nl" else "1.25")
    officer.sees("Het nieuwe totaal geldt vanaf nu.")
