"""The register as people keep it: proposed by one, seen, approved by two others; changed by nobody else."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from exchange.v1 import legal_basis_service_pb2 as pb
from tests.console.house import APPROVER, APPROVER_2, AUTHOR, OFFICER_2
from tests.console.test_looking_back import hidden
from tests.pipeline.legal_bases import entry_text
from tests.server.test_legal_bases import REGISTRY, listed, sha256

if TYPE_CHECKING:
    import httpx2

    from tests.console.house import House, Visitor

APPROVE, DISABLE, PROPOSE = "/register/goedkeuren", "/register/intrekken", "/register/voorstel"


@pytest.fixture(scope="module")
def author(house: House) -> Visitor:
    return house.as_(AUTHOR)


def wider(basis_id: str, recipient: str = "woningcorporatie") -> str:
    """Return an entry that opens everything WMO-2.3.2 does, to somebody else too."""
    return entry_text(basis_id, recipients=f'["college:WMO", "{recipient}"]')


def proposed(author: Visitor, text: str) -> str:
    form = {"csrf": author.csrf(PROPOSE), "tekst": text, "request_id": request_id(author)}
    answer = author.post(PROPOSE, form)
    assert answer.status_code == 200, answer.text
    found = re.search(r'class="button second" href="(/register/[^"]+)"', answer.text)
    assert found is not None
    return found[1]


def request_id(author: Visitor) -> str:
    found = re.search(r'name="request_id" value="([^"]+)"', author.get(PROPOSE).text)
    assert found is not None
    return found[1]


def approval(visitor: Visitor, path: str, **changes: str) -> dict[str, str]:
    return hidden(visitor.get(path).text, APPROVE) | {"gezien": "ja"} | changes


def state_of(house: House, basis_id: str) -> tuple[int, list[str]]:
    (version,) = listed(house.town, basis_id)
    return version.state, list(version.approvers)


def test_two_persons_bring_into_force_what_a_third_proposed(house: House, author: Visitor) -> None:
    path = proposed(author, wider("WMO-SCHERM-1", "verhuurder").replace("\n", "\r\n"))
    assert path == "/register/WMO-SCHERM-1/1"
    first, second = house.as_(APPROVER), house.as_(APPROVER_2)
    page = first.get(path).text
    # What it newly opens stands above the form, and what the college has already is no news.
    opening = page.index("Wat deze versie opent en sluit")
    assert opening < page.index('action="/register/goedkeuren"')
    assert re.search(r'verhuurder</th>\s*<td data-head="Gaat nieuw open">.*\+ WMO-PLAN', page)
    assert re.search(r"college:WMO</th>.*?WMO-PLAN <small>\(WMO-", page, re.DOTALL)
    assert f'href="{path}"' in first.get("/register?staat=voorgesteld").text
    told = first.post(APPROVE, approval(first, path))
    assert "Er is nog één persoon nodig" in told.text
    assert state_of(house, "WMO-SCHERM-1") == (pb.LEGAL_BASIS_STATE_PROPOSED, [APPROVER])
    again = first.post(APPROVE, approval(first, path))
    assert again.status_code == 409
    assert "U keurde deze versie al goed." in again.text
    told = second.post(APPROVE, form := approval(second, path))
    assert "deze versie staat nu in het register" in told.text
    # Sent twice by a hasty hand: the first receipt once more.
    assert second.post(APPROVE, form).status_code == 200
    assert state_of(house, "WMO-SCHERM-1") == (pb.LEGAL_BASIS_STATE_APPROVED, [APPROVER, APPROVER_2])
    assert f'action="{APPROVE}"' not in first.get(path).text
    done = first.post(DISABLE, hidden(first.get(path).text, DISABLE) | {"reden": "Het artikel verviel."})
    assert "gaat er op deze versie niets meer weg" in done.text
    assert "Het artikel verviel." in author.get(path).text


def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told(house: House, author: Visitor) -> None:
    path = proposed(author, wider("WMO-SCHERM-2"))
    house.town.worker("fg", "fg-1").legal_basis.approve_legal_basis(
        claim=REGISTRY, basis_id="WMO-SCHERM-2", basis_version=1, sha256=sha256(wider("WMO-SCHERM-2"))
    )
    both = [house.as_(APPROVER), house.as_(APPROVER_2)]
    forms = [approval(one, path) for one in both]
    answers = together(house, both, forms)
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (lost,) = (answer for answer in answers if answer.status_code == 409)
    assert "Een ander was u voor: deze versie is al door twee personen goedgekeurd." in lost.text
    state, approvers = state_of(house, "WMO-SCHERM-2")
    assert state == pb.LEGAL_BASIS_STATE_APPROVED
    assert len(approvers) == 2


def together(house: House, visitors: list[Visitor], forms: list[dict[str, str]]) -> list[httpx2.Response]:
    """Send forms at the same time, each by its own visitor."""

    async def sent() -> list[httpx2.Response]:
        return list(
            await asyncio.gather(
                *(one.posting(APPROVE, form) for one, form in zip(visitors, forms, strict=True))
            )
        )

    return list(house.town.run(sent))


def test_who_proposed_does_not_approve_whatever_role_he_has(house: House) -> None:
    text = wider("WMO-SCHERM-3")
    # One person with two roles, one after the other: the exchange knows him.
    house.town.worker("beheer", APPROVER).legal_basis.propose_legal_basis(claim=REGISTRY, text=text)
    visitor = house.as_(APPROVER)
    answer = visitor.post(APPROVE, approval(visitor, "/register/WMO-SCHERM-3/1"))
    assert answer.status_code == 409
    assert "U hebt deze versie zelf voorgesteld." in answer.text
    assert state_of(house, "WMO-SCHERM-3") == (pb.LEGAL_BASIS_STATE_PROPOSED, [])


def test_nothing_is_approved_that_was_not_seen(house: House, author: Visitor) -> None:
    path = proposed(author, wider("WMO-SCHERM-4"))
    visitor = house.as_(APPROVER)
    for changes, status, says in (
        ({"gezien": ""}, 400, "Bekijk eerst wat deze versie opent en sluit"),
        ({"sha256": "00" * 32}, 409, "Dit is niet de tekst die is voorgesteld."),
        ({"sha256": "geen"}, 400, "Dit is niet de tekst die is voorgesteld."),
        ({"versie": "9"}, 404, "Deze versie bestaat niet."),
        ({"versie": "-1"}, 404, "Deze versie bestaat niet."),
        ({"grondslag": "<script>"}, 400, "De vraag klopt niet."),
        ({"csrf": ""}, 403, "Dit formulier hoort niet bij uw aanmelding."),
        ({"request_id": "1"}, 400, "De vraag klopt niet."),
    ):
        answer = visitor.post(APPROVE, approval(visitor, path, **changes))
        assert answer.status_code == status, (changes, answer.text)
        assert says in answer.text, changes
        assert "<script>" not in answer.text
    assert state_of(house, "WMO-SCHERM-4") == (pb.LEGAL_BASIS_STATE_PROPOSED, [])
    form = hidden(visitor.get(path).text, DISABLE)
    assert visitor.post(DISABLE, form | {"reden": " "}).status_code == 400
    assert visitor.post(DISABLE, form | {"reden": "a" * 10_000}).status_code == 400
    assert visitor.post(DISABLE, form | {"reden": "Vergissing."}).status_code == 200
    late = visitor.post(APPROVE, approval_of_text(form, wider("WMO-SCHERM-4")))
    assert late.status_code == 409
    assert "deze versie is ingetrokken" in late.text


def approval_of_text(form: dict[str, str], text: str) -> dict[str, str]:
    """Return the form that somebody still had open while another withdrew the version."""
    fresh = "00000000-0000-4000-8000-0000000000aa"
    return form | {"request_id": fresh, "gezien": "ja", "sha256": sha256(text).hex()}


def test_who_audits_sees_and_previews_and_changes_nothing(house: House, author: Visitor) -> None:
    path = proposed(author, wider("WMO-SCHERM-5"))
    officer = house.as_(OFFICER_2)
    page = officer.get(path).text
    assert f'action="{APPROVE}"' not in page
    assert f'action="{DISABLE}"' not in page
    assert PROPOSE not in officer.get("/register").text
    form = {"csrf": officer.csrf(path), "grondslag": "WMO-SCHERM-5", "versie": "1", "gezien": "ja"}
    for place in (APPROVE, DISABLE, PROPOSE):
        answer = officer.post(place, form)
        assert answer.status_code == 403
        assert "Deze pagina hoort niet bij uw rol." in answer.text
    assert author.post(APPROVE, form | {"csrf": author.csrf(path)}).status_code == 403
    told = officer.post("/voorvertoning", hidden_text(page) | {"sinds": "2026-01-01"})
    assert told.status_code == 200, told.text
    assert "beoordeeld" in told.text
    assert officer.get("/voorvertoning").status_code == 200
    assert author.get("/voorvertoning").status_code == 403


def hidden_text(page: str) -> dict[str, str]:
    found = re.search(r'name="tekst" value="([^"]*)"', page)
    csrf = re.search(r'name="csrf" value="([^"]*)"', page)
    assert found is not None
    assert csrf is not None
    return {"csrf": csrf[1], "tekst": found[1].replace("&#34;", '"').replace("&gt;", ">")}


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("", 400, "Plak een register of kies een bestand."),
        ("x" * 16_001, 400, "ten hoogste 16.000 tekens"),
        ('[[basis]]\nid = "A-1"\n[[basis]]\nid = "A-2"\n', 400, "Gevraagd is precies één grondslag."),
        (
            entry_text("WMO-FOUT").replace("enabled = true", "enabled = yes"),
            400,
            "De tekst is hier geen TOML.",
        ),
        (entry_text("WMO-FOUT").replace("6(1)(e)", "6(1)(a)"), 400, "daar hoort de soort GDPR bij"),
        (entry_text("WMO-2.3.2", 1), 409, "Dit versienummer is al gebruikt."),
        (entry_text("WMO-2.3.2", 2), 409, "zouden op dezelfde dag gelden"),
    ],
    ids=["empty", "long", "two", "toml", "together", "used", "overlaps"],
)
def test_a_proposal_that_is_wrong_says_where_and_records_nothing(
    author: Visitor, text: str, status: int, says: str
) -> None:
    answer = author.post(
        PROPOSE, {"csrf": author.csrf(PROPOSE), "tekst": text, "request_id": request_id(author)}
    )
    assert answer.status_code == status, answer.text
    assert says in answer.text
    if status == 409:
        assert re.search(r"<mark>.*(?:version|valid_from) = ", answer.text)


def test_the_register_is_found_by_its_words(author: Visitor) -> None:
    page = author.get("/register?zoek=uwv&staat=geldt").text
    assert "Er is geen versie die hieraan voldoet." not in page
    assert "WMO-2.3.2, versie 1" not in page
    assert "WMO-2.3.2, versie 1" in author.get("/register?zoek=wmo-2.3.2").text
    for word in ("%3Cscript%3E", "%27", "%25", "%00", "a" * 3_000, "..%2F"):
        answer = author.get(f"/register?zoek={word}")
        assert answer.status_code == 200
        assert "<script>" not in answer.text
    assert "Er is geen versie die hieraan voldoet." in author.get("/register?staat=geen").text
    names, path = set[str](), "/register?vanaf=0"
    while path:
        page = author.get(path).text
        rows = re.findall(r'<a href="(/register/[^/"]+/[0-9]+)">', page)
        assert rows
        assert names.isdisjoint(rows)
        names.update(rows)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        path = found[1].replace("&amp;", "&") if found else ""
    assert len(names) > 50
    first = re.search(r"hier 1 tot en met 25", author.get("/register?vanaf=24").text)
    for none in ("-1", "een", "999999", "1" * 90):
        assert first is not None
        assert "hier 1 tot en met 25" in author.get(f"/register?vanaf={none}").text
    page = author.get("/register/WMO-2.3.2/1").text
    assert "DPIA-WMO-01" in page
    assert 'href="https://register.exchange.example/verwerkingen/wmo-onderzoek"' in page
    assert "fg-modelregister, jurist-sociaal-domein" in page
    for none in ("WMO-2.3.2/7", "WMO-2.3.2/een", "GEEN/1", "%27/1", "%00/1"):
        assert author.get(f"/register/{none}").status_code == 404
