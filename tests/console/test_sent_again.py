"""Forms of other kinds that nobody answered: what goes again, what does not, where somebody goes then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from starlette.datastructures import FormData
from starlette.requests import Request

from exchange.console.pages import my_plan
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.resident.asking import ACCESS
from exchange.console.unanswered import Unanswered, note_sent
from exchange.errors import AccessDenied, RuleBroken, StoreUnavailable
from tests.console.house import AUTHOR, INSIGHT, RESIDENT, House
from tests.console.lost_answers import AGAIN, CASE, LOST, OPEN, ends, sent_again
from tests.console.resident_reads import client_of, form_of, requests_of, words_of
from tests.console.test_register import PROPOSE, wider
from tests.server.test_legal_bases import listed
from tests.server.town import CARE

if TYPE_CHECKING:
    from collections.abc import Hashable

    from exchange.console.page import Look
    from tests.console.house import Visitor
    from tests.console.lost_answers import Ends
    from tests.server.story import Story

__all__ = ["ends"]  # a fixture

PROPOSING = "ProposeLegalBasis"
PRICED = {"rij": "own_network", "leefgebied": "housing", "prijs": "200", "waarom": "Voor de raad."}
SEEN = re.compile(r'<a [^>]*href="([^"]+)">Kijk of het er al staat</a>')
RETRIED = re.compile(r'<a class="button" href="([^"]+)">Opnieuw proberen</a>')


@pytest.fixture(scope="module", autouse=True)
def goal(story: Story) -> None:
    """Record a goal before anybody restricts that."""
    story.goal()


def as_browsers_send(fields: dict[str, str], file_name: str, file: str) -> bytes:
    """Return a form with a field for a file, which stands in it also where none was chosen."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{said}' for name, said in fields.items()]
    parts.append(
        f'Content-Disposition: form-data; name="bestand"; filename="{file_name}"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n{file}"
    )
    return "".join(f"--x\r\n{part}\r\n" for part in parts).encode() + b"--x--\r\n"


def lost_proposal(author: Visitor, ends: Ends, text: str, file: str = "") -> tuple[dict[str, str], str]:
    """Propose a version as a browser does; return what it sent and the page, where the answer was lost."""
    form = form_of(author, PROPOSE, PROPOSE) | {"tekst": text.replace("\n", "\r\n")}
    ends[PROPOSING] = [LOST]
    body = as_browsers_send(form, "versie.toml" if file else "", file)
    page = author.send(PROPOSE, body, "multipart/form-data; boundary=x")
    assert OPEN in words_of(page.text)
    return form, page.text


def test_a_field_for_a_file_that_was_left_empty_holds_nothing_back(house: House, ends: Ends) -> None:
    author = house.as_(AUTHOR)
    form, page = lost_proposal(author, ends, wider("WMO-TWEEMAAL-1"))
    again = sent_again(page)
    assert again == form
    answer = author.post(PROPOSE, again)
    assert answer.status_code == 200
    assert "Voorgesteld" in answer.text
    assert len(listed(house.town, "WMO-TWEEMAAL-1")) == 1


def test_a_form_with_a_file_promises_no_button_and_leads_to_where_it_would_stand(
    house: House, ends: Ends
) -> None:
    author = house.as_(AUTHOR)
    _, page = lost_proposal(author, ends, "", file=wider("WMO-BESTAND-1"))
    assert AGAIN.findall(page) == []
    assert "knop hieronder" not in page
    assert "Er was een bestand bij" in words_of(page)
    assert SEEN.findall(page) == ["/register"]
    assert "WMO-BESTAND-1" in author.get("/register").text


def limits_of(story: Story) -> int:
    answer = client_of(story).rights.get_access_answer(
        claim=ACCESS, case_id=story.case_id, fields=["limits.limit_id"]
    )
    return len(answer.limits)


def test_who_gets_no_further_is_led_to_where_it_would_stand(house: House, story: Story, ends: Ends) -> None:
    me = house.as_(RESIDENT)
    place = "/mijn/4/4/vraag"
    form = form_of(me, "/mijn/4/4", place) | {"woorden": "Wacht hiermee."}
    before = limits_of(story)
    ends["Restrict"] = [LOST]
    page = me.post(place, form).text
    assert SEEN.findall(page) == ["/mijn/4"]
    for _ in range(2):
        assert me.post(place, sent_again(page)).headers.get("location") == "/mijn/4?klaar=3"
    assert limits_of(story) == before + 1


def test_another_text_under_the_same_form_is_told_that_the_first_stands(
    house: House, story: Story, ends: Ends
) -> None:
    me = house.as_(RESIDENT)
    place = "/mijn/4/1/vraag"
    before, form = len(requests_of(story)), form_of(me, "/mijn/4/1", place) | {"woorden": "Eerst dit."}
    ends["ReceiveRightsRequest"] = [LOST]
    me.post(place, form)
    said = words_of(me.post(place, form | {"woorden": "Toen dat."}).text)
    assert "eerder al iets anders vastgelegd" in said
    assert "verzoeknummer" not in said
    assert OPEN not in said
    assert len(requests_of(story)) == before + 1


@pytest.mark.parametrize(
    ("subject", "method", "place", "form", "back"),
    [
        (RESIDENT, CASE, "/mijn/4/4/vraag", {"woorden": "Wacht."}, "/mijn/4"),
        (INSIGHT, "ListTables", "/inzicht/prijs", PRICED, "/inzicht"),
    ],
)
def test_an_address_that_takes_only_forms_is_not_where_somebody_tries_again(  # noqa: PLR0917 -- parameters of the test
    house: House, ends: Ends, subject: str, method: str, place: str, form: dict[str, str], back: str
) -> None:
    visitor = house.as_(subject)
    ends[method] = [StoreUnavailable("away")]
    page = visitor.post(place, form | {"csrf": visitor.csrf("/nergens")})
    assert page.status_code == 503
    assert RETRIED.findall(page.text) == [back]
    assert visitor.get(back).status_code == 200


def test_who_is_no_longer_signed_in_is_asked_to_look_before_he_writes_it_again(
    house: House, story: Story, ends: Ends
) -> None:
    me, other = house.as_(RESIDENT), house.as_(RESIDENT)
    place, look_first = "/mijn/4/1/vraag", "Verstuurde u dit al eerder"
    before, form = len(requests_of(story)), form_of(me, "/mijn/4/1", place) | {"woorden": "Wie keek?"}
    ends["ReceiveRightsRequest"] = [LOST]
    me.post(place, form)
    forged = other.post(place, form)
    assert (forged.status_code, look_first in words_of(forged.text)) == (403, True)
    me.post("/uitloggen", {"csrf": form["csrf"]})
    over = me.post(place, form)
    assert (over.status_code, look_first in words_of(over.text)) == (401, True)
    assert len(requests_of(story)) == before + 1


def test_what_one_source_says_no_to_does_not_say_that_nothing_stands_at_the_next(
    house: House, story: Story, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    me, place, sources = house.as_(RESIDENT), "/mijn/1/woorden", my_plan._sources
    form = form_of(me, "/mijn/1", place, deel="goals") | {"woorden": "Zo zei ik het niet."}

    async def one_before(look: Look, case_id: str) -> list[tuple[str, str]]:
        return [(CARE, "wmo-aanbieder"), *await sources(look, case_id)]

    monkeypatch.setattr(my_plan, "_sources", one_before)
    # The first source has no such thing; at the second it is recorded, and the answer lost.
    ends["AddStatement"] = [RuleBroken("no", rule="NO_SUCH_ELEMENT"), LOST]
    assert OPEN in words_of(me.post(place, form).text)
    ends["AddStatement"] = [AccessDenied("no", rules=("R01",), remedies=(), decision_id=str(uuid4()))]
    page = me.post(place, form).text
    assert OPEN in words_of(page)
    assert me.post(place, sent_again(page)).headers.get("location") == "/mijn/1?klaar=4"
    # Told by the last one of all, it is told.
    ends["AddStatement"] = [
        RuleBroken("no", rule="NO_SUCH_ELEMENT"),
        AccessDenied("no", rules=("R01",), remedies=(), decision_id=str(uuid4())),
    ]
    assert OPEN not in words_of(me.post(place, form).text)


def sent(number: str, whose: Hashable) -> Request:
    request = Request({"type": "http"})
    note_sent(request, FormData({"request_id": number}), whose)
    return request


def test_a_form_of_one_says_nothing_of_one_of_another_and_is_kept_as_a_hash() -> None:
    kept = Unanswered()
    number = "9" * 100_000
    lost = AnswerRefused("UNAVAILABLE", "Weg.", Refused.status, unanswered=True)
    lost.of_command = True
    kept.refused(sent(number, ("", "", b"one")), lost)
    found = {}
    for whose in (b"one", b"other"):
        told = Refused("NO_SUCH", "Dit is er niet.")
        kept.refused(sent(number, ("", "", whose)), told)
        found[whose] = told.may_be_recorded
    assert found == {b"one": True, b"other": False}
    assert [len(key) for key in kept._forms] == [32]
