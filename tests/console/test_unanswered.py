"""A form whose command nobody answered: what is said of it; it goes again as it was, and is recorded once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from starlette.datastructures import FormData
from starlette.requests import Request

from exchange.console.language import ENGLISH
from exchange.console.page import Look
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.unanswered import FORMS_MAX, Unanswered, note_sent
from exchange.errors import AccessDenied, OutcomeOpen, PersonTokenInvalid, RuleBroken, StoreUnavailable
from exchange.server.nodes.errors import OutcomeUnknown
from tests.console.browser import Window, chromium
from tests.console.house import RESIDENT, House, Visitor
from tests.console.lost_answers import AGAIN, CASE, CUT, LOST, OPEN, UNREADABLE, ends, sent_again
from tests.console.resident_reads import form_of, requests_of, words_of
from tests.console.test_in_browser import shot

if TYPE_CHECKING:
    from exchange.errors import ExchangeError
    from tests.console.lost_answers import End, Ends
    from tests.server.story import Story

__all__ = ["ends"]  # a fixture

PAGE, PLACE = "/mijn/4/2", "/mijn/4/2/vraag"
ASK = "ReceiveRightsRequest"
WORDS = 'Ik kreeg "geen" antwoord & vraag het <nog> eens.'
NOTHING = "niets vastgelegd"
DOOR = PersonTokenInvalid("the token has expired")
DENIED = AccessDenied("no", rules=("R01",), remedies=(), decision_id=str(uuid4()))


@pytest.fixture
def me(house: House) -> Visitor:
    return house.as_(RESIDENT)


def filled(me: Visitor) -> dict[str, str]:
    return form_of(me, PAGE, PLACE) | {"deel": "goals", "woorden": WORDS}


@pytest.mark.parametrize("end", [LOST, CUT, UNREADABLE, OutcomeOpen("cut off"), OutcomeUnknown("away")])
def test_a_form_that_nobody_answered_goes_again_as_it_was_and_is_recorded_once(
    me: Visitor, story: Story, ends: Ends, end: End
) -> None:
    before, form = len(requests_of(story)), filled(me)
    ends[ASK] = [end]
    page = me.post(PLACE, form)
    assert page.status_code in {502, 503}
    assert OPEN in words_of(page.text)
    assert NOTHING not in page.text
    assert "verzoeknummer" not in page.text
    assert len(requests_of(story)) == before + (end in (LOST, UNREADABLE))
    again = sent_again(page.text)
    assert again == form
    for _ in range(2):
        assert me.post(PLACE, again).headers.get("location") == "/mijn/4?klaar=1"
    rows = requests_of(story)
    assert len(rows) == before + 1
    assert rows[0].statement == f"Doelen: {WORDS}"


@pytest.mark.parametrize("method", [ASK, CASE], ids=["the command", "a question before it"])
@pytest.mark.parametrize("end", [DOOR, StoreUnavailable("away"), CUT, DENIED], ids=lambda end: str(end)[:9])
def test_what_refuses_the_next_attempt_says_nothing_of_the_one_before(
    me: Visitor, story: Story, ends: Ends, method: str, end: End
) -> None:
    before, form = len(requests_of(story)), filled(me)
    ends[ASK] = [LOST]
    me.post(PLACE, form)
    ends[method] = [end]
    page = me.post(PLACE, form)
    said = words_of(page.text)
    if (method, end) == (ASK, DENIED):
        # Found behind the look at the request id: it is told of the command itself.
        assert OPEN not in said
        assert AGAIN.findall(page.text) == []
    elif method == CASE and end is DENIED:
        # To who asks for his own, it is told as a case that is not there.
        assert OPEN in said
        assert sent_again(page.text) == form
    else:
        assert said.index(OPEN) < said.index("Bij de laatste poging")
        assert NOTHING not in said
        assert sent_again(page.text) == form
    assert me.post(PLACE, form).headers.get("location") == "/mijn/4?klaar=1"
    assert len(requests_of(story)) == before + 1
    # It was told: what comes behind it is told as it is.
    ends[ASK] = [DOOR]
    assert OPEN not in me.post(PLACE, form).text


@pytest.mark.parametrize("end", [DOOR, StoreUnavailable("away"), RuleBroken("no", rule="CASE_CLOSED")])
def test_what_is_refused_at_once_is_told_as_it_is(
    me: Visitor, story: Story, ends: Ends, end: ExchangeError
) -> None:
    before, form = len(requests_of(story)), filled(me)
    ends[ASK] = [end]
    page = me.post(PLACE, form)
    assert OPEN not in page.text
    # Where asking again can help, what was written is not lost.
    again = AGAIN.findall(page.text)
    assert bool(again) is isinstance(end, StoreUnavailable)
    if again:
        assert NOTHING in page.text
        assert sent_again(page.text) == form
    assert len(requests_of(story)) == before


def test_a_defect_behind_a_command_does_not_hide_that_it_may_be_recorded(
    me: Visitor, house: House, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, form = len(requests_of(story)), filled(me)
    with monkeypatch.context() as broken:
        broken.setattr(Look, "onward", lambda *_: 1 / 0)
        page = me.post(PLACE, form)
    assert page.status_code == 500
    assert OPEN in page.text
    assert "Meldnummer" in page.text
    assert "ZeroDivisionError" not in page.text
    assert "ZeroDivisionError" in house.log()
    assert me.post(PLACE, sent_again(page.text)).headers.get("location") == "/mijn/4?klaar=1"
    assert len(requests_of(story)) == before + 1


def test_the_words_are_there_in_english_too_and_nothing_of_them_is_logged(
    me: Visitor, house: House, ends: Ends
) -> None:
    form = filled(me)
    me.get(f"/taal/{ENGLISH}")
    ends[ASK] = [LOST]
    page = me.post(PLACE, form)
    assert "Whether this was recorded is not certain yet" in words_of(page.text)
    assert "Send it once more" in words_of(page.text)
    assert form["request_id"] not in house.log()
    assert "geen" not in house.log()


def test_a_page_that_is_only_read_is_asked_for_again_by_its_address(me: Visitor, ends: Ends) -> None:
    ends[CASE] = [CUT]
    page = me.get(PAGE)
    assert page.status_code == 503
    assert OPEN not in page.text
    assert AGAIN.findall(page.text) == []
    assert f'href="{PAGE}"' in page.text


def test_a_thousand_forms_are_kept_and_the_oldest_is_forgotten_first() -> None:
    def sent(number: int) -> Request:
        request = Request({"type": "http"})
        note_sent(request, FormData({"request_id": str(number)}), "who")
        return request

    kept = Unanswered()
    for number in range(FORMS_MAX + 1):
        lost = AnswerRefused("UNAVAILABLE", "Weg.", Refused.status, unanswered=True)
        lost.of_command = True
        kept.refused(sent(number), lost)
        assert lost.may_be_recorded
    found = []
    for number in (0, 1, FORMS_MAX):
        other = Refused("NO_SUCH", "Dit is er niet.")
        kept.refused(sent(number), other)
        found.append(other.may_be_recorded)
    assert found == [False, True, True]


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False])
def test_it_is_sent_once_more_in_a_browser(house: House, story: Story, ends: Ends, *, scripts: bool) -> None:
    before = len(requests_of(story))
    with chromium() as browser:
        window = Window(browser, house.open_door(), scripts=scripts)
        window.sign_in("Inwoner 1")
        window.open(PAGE)
        page = window.page
        page.locator("select[name=deel]").select_option("goals")
        page.locator("textarea[name=woorden]").fill(f"{WORDS}\nAl twee keer.")
        ends[ASK] = [LOST, DOOR]
        page.locator("form[action='/mijn/4/2/vraag'] button").click()
        for _ in range(2):
            page.locator("h1", has_text=OPEN).wait_for()
            if scripts:
                shot(window, "form-not-answered")
                assert window.faults() == []
                assert window.overflows() == []
            page.get_by_role("button", name="Nog eens versturen").click()
        page.wait_for_url("**/mijn/4?klaar=1")
        window.close()
    rows = requests_of(story)
    assert (len(rows), rows[0].statement) == (before + 1, f"Doelen: {WORDS}\nAl twee keer.")
