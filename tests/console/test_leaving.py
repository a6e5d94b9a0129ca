"""How a session ends: signed out here and at the provider, gone at once, or with the console that held it."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import httpx2
import jwt as plain_jwt
import pytest

from exchange.console.app import AWAY
from exchange.console.roles import AUTHOR as AUTHOR_ROLE
from exchange.console.session import COOKIE, LEAVING_COOKIE, LIFE_S_MAX, LOGIN_COOKIE, Session, Sessions
from tests.console.house import AUTHOR, HERE, OFFICER, RESIDENT, House

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.story import Story
    from tests.server.town import Town

BOTH = "U bent uitgelogd, hier en bij de aanmelddienst."
NOT_KNOWN = "Of u ook bij de aanmelddienst bent uitgelogd, is niet bekend."
NO_PLACE = "De aanmelddienst kan van hieruit niet worden uitgelogd"
POLICY = "content-security-policy"
ANEW = "De aanmelddienst vroeg niet opnieuw wie u bent."


class Browser:
    """Somebody whose browser keeps cookies of the provider too, which remembers him."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.visitor = house.visitor()
        self.provider = httpx2.Client()

    def sign_in(self, subject: str, place: str = "/inloggen") -> tuple[httpx2.Response, bool]:
        """Sign in; return what the console answers, and whether the provider asked who comes."""
        self.house.town.skew += timedelta(seconds=1)
        return self.go_on(self.visitor.get(place).headers["location"], subject)

    def go_on(self, place: str, subject: str) -> tuple[httpx2.Response, bool]:
        # A person takes a second, also where a test is quick.
        self.house.town.skew += timedelta(seconds=1)
        told = self.provider.get(place)
        asked = told.status_code == 200
        if asked:
            query = dict(parse_qsl(urlsplit(place).query)) | {"subject": subject}
            told = self.provider.get(f"{self.house.provider.issuer}/chosen", params=query)
        return self.visitor.get(f"/terug?{urlsplit(told.headers['location']).query}"), asked

    def sign_out(self) -> dict[str, str]:
        """Sign out here; return what the provider is asked, with its place."""
        csrf = self.visitor.csrf("/nergens")
        place = self.visitor.post("/uitloggen", {"csrf": csrf}).headers["location"]
        return {"place": place} | dict(parse_qsl(urlsplit(place).query))


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn, {"remembers": True})
    house.provider.clock = lambda: town.now().timestamp()
    yield house
    house.close()


@pytest.fixture
def open_browser(house: House) -> Iterator[Callable[[], Browser]]:
    opened: list[Browser] = []

    def made() -> Browser:
        opened.append(Browser(house))
        return opened[-1]

    yield made
    for one in opened:
        one.provider.close()


def test_who_signs_out_is_out_at_the_provider_and_reads_so_once(
    house: House, open_browser: Callable[[], Browser]
) -> None:
    browser = open_browser()
    visitor = browser.visitor
    assert browser.sign_in(AUTHOR)[1], "the first time it asks"
    assert not browser.sign_in(AUTHOR)[1], "then it remembers, so that its own session is alive"
    asked = browser.sign_out()
    assert asked["place"].startswith(f"{house.provider.issuer}/end_session?")
    told = plain_jwt.decode(asked["id_token_hint"], options={"verify_signature": False})
    assert (told["sub"], asked["client_id"], asked["post_logout_redirect_uri"]) == (
        AUTHOR,
        "exchange-console",
        f"{HERE}/",
    )
    back = browser.provider.get(asked["place"]).headers["location"]
    assert back == f"{HERE}/?{urlencode({'state': asked['state']})}"
    # To somebody else's state it says no more than what is known here.
    other = open_browser().visitor
    other.cookies[LEAVING_COOKIE] = asked["state"]
    assert NOT_KNOWN in other.get("/?state=another").text
    assert "uitgelogd" not in open_browser().visitor.get(f"/?state={asked['state']}").text
    page = visitor.get(f"/?state={asked['state']}").text
    assert BOTH in page
    assert "Sluit alle vensters" not in page
    assert "uitgelogd" not in visitor.get(f"/?state={asked['state']}").text
    answer, again = browser.sign_in(AUTHOR)
    assert (answer.headers["location"], again) == ("/", True)
    assert asked["id_token_hint"] not in house.log()
    assert asked["state"] not in house.log()


def test_a_form_that_signs_out_may_lead_to_where_the_provider_ends_sessions(
    house: House, open_browser: Callable[[], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leads() -> str:
        found = re.search("form-action ([^;]*); frame-ancestors", visitor.get("/").headers[POLICY])
        assert found is not None
        return found[1]

    policy_before = "default-src 'none'; script-src 'self'; "
    browser = open_browser()
    visitor = browser.visitor
    browser.sign_in(AUTHOR)
    known = house.app._provider._metadata
    assert leads() == f"'self' {house.provider.issuer}"
    for place, told in {
        "https://uit.example:8443/weg?a=b": "https://uit.example:8443",
        f"{house.provider.issuer}/elders": "",
        # What nobody could be sent to safely is no place, and nothing of it stands in a policy.
        "http://uit.example/weg": "",
        "https://uit.example; script-src https://x.example/": "",
        "https://naam@uit.example/weg": "",
        "javascript:alert(1)": "",
        7: "",
    }.items():
        monkeypatch.setitem(known, "end_session_endpoint", place)
        assert leads() == " ".join(("'self'", house.provider.issuer, *([told] if told else ())))
        assert visitor.get("/").headers[POLICY].startswith(policy_before)


def test_who_goes_at_once_comes_in_again_by_showing_anew_who_he_is(
    house: House, open_browser: Callable[[], Browser]
) -> None:
    """The provider's own session goes on: whoever sits down at the screen has that, and not the plan."""
    browser = open_browser()
    visitor = browser.visitor
    assert browser.sign_in(RESIDENT)[0].headers["location"] == "/mijn/1"
    assert visitor.get("/uit", **{"sec-fetch-site": "cross-site"}).status_code == 303
    assert visitor.get("/mijn/1").status_code == 200, "another site sends away, and ends nothing"
    gone = visitor.get("/uit")
    assert (gone.headers["location"], COOKIE in visitor.cookies, LEAVING_COOKIE in visitor.cookies) == (
        AWAY,
        False,
        False,
    )
    sent, asked = browser.sign_in(RESIDENT, "/inloggen?naar=%2Fmijn%2F2")
    assert (sent.status_code, asked, COOKIE in visitor.cookies) == (303, False, False)
    place = sent.headers["location"]
    assert parse_qs(urlsplit(place).query)["prompt"] == ["login"]
    # A provider that does not ask again lets nobody in.
    ignored = open_browser()
    ignored.visitor.cookies, ignored.provider = dict(visitor.cookies), browser.provider
    refused, asked = ignored.go_on(place.replace("prompt=login", "prompt=none"), RESIDENT)
    assert (refused.status_code, asked, COOKIE in ignored.visitor.cookies) == (403, False, False)
    assert ANEW in refused.text
    # Another person at this provider is asked nothing more than always.
    assert open_browser().sign_in(AUTHOR)[0].headers["location"] == "/"
    sent, _ = browser.sign_in(RESIDENT, "/inloggen?naar=%2Fmijn%2F2")
    answer, asked = browser.go_on(sent.headers["location"], RESIDENT)
    assert (answer.headers["location"], asked) == ("/mijn/2", True)
    assert "nog aangemeld" in visitor.get("/mijn/5").text


def test_of_a_resident_no_token_is_kept_and_none_is_sent(
    house: House, open_browser: Callable[[], Browser]
) -> None:
    browser = open_browser()
    browser.sign_in(RESIDENT)
    (session,) = [one for one, _ in house.app.sessions._sessions.values() if one.resident is not None][-1:]
    assert session.id_token == ""
    asked = browser.sign_out()
    assert "id_token_hint" not in asked
    assert asked["client_id"] == "exchange-console"
    back = browser.provider.get(asked["place"]).headers["location"]
    assert BOTH in browser.visitor.get(back.removeprefix(HERE)).text
    sent, asked_who = browser.sign_in(RESIDENT)
    assert (sent.headers["location"], asked_who) == ("/mijn/1", True)


def test_who_is_back_within_the_second_is_not_asked_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = int(house.town.now().timestamp())
    for second, leads in ((at + 10, "/"), (at - 10, "prompt=login")):
        monkeypatch.setattr(house.provider, "clock", lambda second=second: second)
        visitor = house.as_(AUTHOR)
        visitor.get("/uit")
        assert leads in visitor.sign_in(AUTHOR).headers["location"][-1 if leads == "/" else 0 :]
        assert (COOKIE in visitor.cookies) == (leads == "/")
        # What was left by a later showing is not what is tried next.
        house.restart()


def test_of_a_safe_view_not_even_that_outlives_it(house: House, open_browser: Callable[[], Browser]) -> None:
    browser = open_browser()
    visitor = browser.visitor
    browser.sign_in(RESIDENT)
    visitor.post("/weergave", {"csrf": visitor.csrf("/mijn/5"), "stand": "1", "terug": "/mijn/5"})
    asked = browser.sign_out()
    assert visitor.cookies == {}
    assert "uitgelogd" not in visitor.get(f"/?state={asked['state']}").text


def test_where_the_provider_ends_no_sessions_the_page_says_so(house: House, town: Town, story: Story) -> None:
    alone = House(town, town.settings.data / "no-end", story.bsn, {"remembers": True, "ends_sessions": False})
    browser = Browser(alone)
    try:
        assert browser.sign_in(OFFICER)[1]
        assert browser.sign_out() == {"place": f"{HERE}/"}
        page = browser.visitor.get("/").text
        assert NO_PLACE in page
        assert "Sluit alle vensters van uw browser." in page
        assert BOTH not in page
        # It remembers him still, and nobody comes in by that.
        sent, asked = browser.sign_in(OFFICER)
        assert (asked, "prompt=login" in sent.headers["location"]) == (False, True)
        visitor = browser.visitor
        visitor.get("/taal/en")
        visitor.cookies[LEAVING_COOKIE] = "1"
        assert "from here: there you may still be signed in." in visitor.get("/").text
    finally:
        browser.provider.close()
        alone.close()


def test_the_provider_ends_a_session_for_whose_it_is(
    house: House, open_browser: Callable[[], Browser]
) -> None:
    browser = open_browser()
    browser.sign_in(AUTHOR)
    asked = browser.sign_out()
    place = asked.pop("place").partition("?")[0]
    other = plain_jwt.encode(
        {"sub": AUTHOR, "iss": house.provider.issuer, "aud": "exchange-console"}, "x" * 32
    )
    elsewhere = house.provider.sign({"sub": OFFICER, "iss": house.provider.issuer, "aud": "exchange-console"})
    for change in (
        {"id_token_hint": other},
        {"id_token_hint": elsewhere},
        {"id_token_hint": "a.b.c"},
        {"client_id": "another"},
        {"post_logout_redirect_uri": "https://elders.example/"},
    ):
        assert browser.provider.get(place, params=asked | change).status_code == 400, change
    assert not browser.sign_in(AUTHOR)[1]


# --- a console that starts anew ---------------------------------------------------------------------------


def test_after_a_restart_people_sign_in_and_come_to_the_page_they_asked_for(
    house: House, open_browser: Callable[[], Browser]
) -> None:
    browser = open_browser()
    visitor = browser.visitor
    browser.sign_in(OFFICER)
    csrf, before = visitor.csrf("/grootboek"), visitor.cookies[COOKIE]
    house.restart()
    assert visitor.head("/vandaag").status_code == 303
    sent = visitor.get("/raadplegingen?uitkomst=DENY")
    assert sent.status_code == 303
    assert sent.headers["location"] == f"/inloggen?naar={quote('/raadplegingen?uitkomst=DENY', safe='')}"
    answer, _ = browser.sign_in(OFFICER, sent.headers["location"])
    assert answer.headers["location"] == "/raadplegingen?uitkomst=DENY"
    assert visitor.get(answer.headers["location"]).status_code == 200
    assert visitor.cookies[COOKIE] != before
    # A form of before records nothing, and says so; from there he comes to the page it stood on.
    visitor.cookies[COOKIE] = before
    head = house.town.core.reader.head()
    late = visitor.post("/toezicht/namen", {"csrf": csrf, "waarom": "Waarom."})
    assert (late.status_code, house.town.core.reader.head()) == (401, head)
    assert "Wat u daarna nog verstuurde, is niet vastgelegd." in late.text
    assert 'href="/inloggen?naar=/toezicht"' in late.text
    assert visitor.post("/weergave", {"csrf": csrf}).text.count('href="/inloggen?naar=/"') == 1


def test_of_a_session_that_ended_by_itself_the_page_leads_back_too(
    house: House, open_browser: Callable[[], Browser]
) -> None:
    browser = open_browser()
    browser.sign_in(OFFICER)
    house.app.sessions.close(browser.visitor.cookies[COOKIE])
    over = browser.visitor.get("/grootboek?vanaf=3")
    assert over.status_code == 401
    assert 'href="/inloggen?naar=/grootboek%3Fvanaf%3D3"' in over.text


def test_who_was_signing_in_during_a_restart_does_so_once_more(
    house: House, open_browser: Callable[[], Browser]
) -> None:
    browser = open_browser()
    visitor = browser.visitor
    back = urlencode(visitor.code_for(_asked(visitor.get("/inloggen?naar=%2Fgrootboek")), OFFICER))
    kept = visitor.cookies[LOGIN_COOKIE]
    house.restart()
    sent = visitor.get(f"/terug?{back}")
    assert (sent.status_code, sent.headers["location"]) == (303, "/inloggen?naar=%2Fgrootboek")
    assert browser.sign_in(OFFICER, sent.headers["location"])[0].headers["location"] == "/grootboek"
    # Nobody vouches for what a cookie of before says: it leads to no other place, and lets nobody in.
    parts = kept.split(".")
    for onward in ("Ly9lbGRlcnMuZXhhbXBsZQ", "aHR0cHM6Ly94", "L2ENCg", "_w", "a", ""):
        visitor.cookies = {LOGIN_COOKIE: ".".join((*parts[:4], onward, parts[5]))}
        answer = visitor.get(f"/terug?{back}")
        told = (answer.status_code, answer.headers.get("location", ""))
        assert told in {(303, "/inloggen?naar=%2F"), (403, "")}, onward
        assert COOKIE not in visitor.cookies


def test_who_left_is_remembered_for_as_long_as_it_matters() -> None:
    seconds, drawn = [1_000_000.0], itertools.count(1)
    sessions = Sessions(lambda: seconds[0], lambda size: next(drawn).to_bytes(size, "big"))

    def session(name: str, auth_time: float) -> Session:
        return Session(
            role=AUTHOR_ROLE,
            professional=name,
            name=name,
            two_factor=True,
            auth_time=int(auth_time),
            csrf="word",
            began=seconds[0],
        )

    def left(name: str, auth_time: float) -> None:
        sessions.leave(sessions.open(session(name, auth_time)))

    left("a", seconds[0] - 60)
    assert sessions.has_left(session("a", seconds[0] - 60))
    assert not sessions.has_left(session("a", seconds[0] - 59))
    assert not sessions.has_left(session("b", seconds[0] - 60))
    # Whoever leaves once more by an older showing does not forget the newer.
    left("a", seconds[0] - 100)
    assert sessions.has_left(session("a", seconds[0] - 60))
    seconds[0] += LIFE_S_MAX + 1
    left("b", seconds[0])
    assert len(sessions._left) == 1, "what was shown so long ago lets nobody in any more"
    assert sessions.leave("nobody's") is None
    assert len(sessions._left) == 1


def _asked(answer: httpx2.Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))
