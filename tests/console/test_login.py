"""Who comes in, who does not, and how a session ends: each way in that is not one, with what it says."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import jwt as plain_jwt
import pytest

from adapters.simulators.identity_provider.whole import IdentityProvider
from exchange.console.logins import LOGIN_S_MAX
from exchange.console.session import COOKIE, IDLE_S_MAX, LIFE_S_MAX
from tests.console.house import AUTHOR, OFFICER, RESIDENT, SECRET, House

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.simulators.identity_provider.people import Somebody


WRONG = "Het antwoord van de aanmelddienst klopt niet."
USED = "Deze aanmelding is al gebruikt, te oud, of van een ander venster."


@pytest.fixture
def later(house: House) -> Iterator[House]:
    """Return a house whose clock may be set ahead; afterwards it goes right again."""
    yield house
    house.town.skew = timedelta()


def claims(**changes: Any) -> Any:  # noqa: ANN401 -- what the provider then says of everybody
    """Return what takes the place of the provider's own claims; None leaves one out."""
    right = IdentityProvider.claims_of

    def told(provider: IdentityProvider, person: Somebody, nonce: str) -> dict[str, Any]:
        found = right(provider, person, nonce) | changes
        return {name: value for name, value in found.items() if value is not None}

    return told


def test_who_comes_without_a_session_signs_in_and_goes_on(house: House) -> None:
    visitor = house.visitor()
    sent = visitor.get("/grootboek?vanaf=3")
    assert (sent.status_code, sent.headers["location"]) == (303, "/inloggen?naar=%2Fgrootboek%3Fvanaf%3D3")
    visitor.get(sent.headers["location"])
    asked = visitor.begin()
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert {len(asked["state"]), len(asked["nonce"])} == {43}
    assert visitor.sign_in(OFFICER).headers["location"] == "/vandaag"


@pytest.mark.parametrize(
    ("told", "onward"),
    [
        ("/grootboek", "/grootboek"),
        ("//elders.example", "/vandaag"),
        ("/\\elders.example", "/vandaag"),
        ("https://elders.example/", "/vandaag"),
        ("/" + "a" * 500, "/vandaag"),
        ("/a\r\nSet-Cookie: a=b", "/vandaag"),
    ],
)
def test_onward_is_a_place_of_the_console(house: House, told: str, onward: str) -> None:
    visitor = house.visitor()
    place = visitor.get(f"/inloggen?naar={quote(told, safe='')}").headers["location"]
    asked = {name: one[0] for name, one in parse_qs(urlsplit(place).query).items()}
    answer = visitor.get(f"/terug?{urlencode(visitor.code_for(asked, OFFICER))}")
    assert answer.headers["location"] == onward


def test_a_login_is_of_one_browser_once(house: House) -> None:
    one, other = house.visitor(), house.visitor()
    back = urlencode(one.code_for(one.begin(), OFFICER))
    other.begin()
    stolen = other.get(f"/terug?{back}")
    assert (stolen.status_code, COOKIE in other.cookies) == (403, False)
    assert USED in stolen.text
    assert one.get(f"/terug?{back}").status_code == 303
    again = one.get(f"/terug?{back}")
    assert again.status_code == 403
    assert USED in again.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "another"),
        ("state", ""),
        ("iss", "https://elders.example"),
        ("code", "another"),
        ("code", ""),
    ],
)
def test_what_comes_back_changed_lets_nobody_in(house: House, name: str, value: str) -> None:
    visitor = house.visitor()
    answer = visitor.sign_in(OFFICER, lambda back: back.update({name: value}))
    assert answer.status_code == 403
    assert COOKIE not in visitor.cookies
    assert house.log().rstrip().endswith("}")
    assert value == "" or value not in house.log()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"nonce": "another"}, WRONG),
        ({"nonce": None}, WRONG),
        ({"aud": "another-console"}, WRONG),
        ({"aud": ["exchange-console", "another"]}, WRONG),
        ({"iss": "https://elders.example"}, WRONG),
        pytest.param({"exp": int(time.time()) - 60}, WRONG, id="expired"),  # the id of a moment differs
        ({"exp": None}, WRONG),
        ({"auth_time": None}, WRONG),
        ({"auth_time": int(time.time()) - LIFE_S_MAX - 60}, WRONG),
        ({"auth_time": int(time.time()) + 86_400}, WRONG),
        ({"auth_time": "now"}, WRONG),
        ({"exchange_role": None}, "U hebt geen rol in deze console."),
        ({"exchange_role": "beheerder"}, "U hebt geen rol in deze console."),
        ({"exchange_role": ["author", "approver"]}, "U hebt meer dan één rol."),
        ({"sub": "Jan de Wit"}, "gaf geen bruikbaar kenmerk door"),
        ({"sub": 7}, "klopt niet"),
    ],
    # Moments change from worker to worker, and with them the name of a test would.
    ids=lambda value: str(value)[:14],
)
def test_an_id_token_that_is_not_right_lets_nobody_in(
    house: House, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr(IdentityProvider, "claims_of", claims(**changes))
    visitor = house.visitor()
    answer = visitor.sign_in(OFFICER)
    assert (answer.status_code, COOKIE in visitor.cookies) == (403, False), answer.text
    assert says in answer.text


@pytest.mark.parametrize("forged", ["key", "none", "hmac", "text"])
def test_a_forged_id_token_lets_nobody_in(house: House, monkeypatch: pytest.MonkeyPatch, forged: str) -> None:
    other = IdentityProvider([], client_secret=SECRET).start()
    made = {
        # The key of another provider; no signature; the provider's public words as a key; no token at all.
        "key": other.sign,
        "none": lambda told: plain_jwt.encode(told, "", algorithm="none"),
        "hmac": lambda told: plain_jwt.encode(told, SECRET.ljust(32), algorithm="HS256"),
        "text": lambda _: "a.b.c",
    }[forged]
    monkeypatch.setattr(house.provider, "sign", made)
    visitor = house.visitor()
    answer = visitor.sign_in(OFFICER)
    other.close()
    assert (answer.status_code, COOKIE in visitor.cookies) == (403, False)
    assert WRONG in answer.text


def test_a_session_ends_by_itself(later: House) -> None:
    town = later.town
    one, other, busy = (later.as_(AUTHOR) for _ in range(3))
    town.skew = timedelta(seconds=IDLE_S_MAX - 20)
    assert one.get("/grootboek").status_code == 200
    town.skew = timedelta(seconds=IDLE_S_MAX)
    assert one.get("/grootboek").status_code == 200
    # Of who was here, a page that anybody gets says nothing either.
    assert "Anna Visser" in one.get("/nergens").text
    assert "Anna Visser" not in other.get("/nergens").text
    assert other.get("/grootboek").status_code == 401
    # Who looks all day is out after eight hours all the same.
    for _ in range(LIFE_S_MAX // (IDLE_S_MAX - 60)):
        town.skew += timedelta(seconds=IDLE_S_MAX - 60)
        if one.get("/grootboek").status_code == 401:
            break
    assert timedelta(seconds=LIFE_S_MAX) <= town.skew < timedelta(seconds=LIFE_S_MAX + IDLE_S_MAX)
    over = busy.get("/grootboek")
    assert over.status_code == 401
    assert "U bent niet meer aangemeld." in over.text
    assert "Opnieuw inloggen" in over.text


def test_a_login_that_takes_too_long_is_begun_anew(later: House) -> None:
    visitor = later.visitor()

    def wait(_: dict[str, str]) -> None:
        later.town.skew += timedelta(seconds=LOGIN_S_MAX + 1)

    answer = visitor.sign_in(OFFICER, wait)
    assert (answer.status_code, COOKIE in visitor.cookies) == (403, False)
    assert USED in answer.text


def test_the_number_of_a_session_is_new_at_each_login(house: House) -> None:
    visitor = house.as_(AUTHOR)
    before = visitor.cookies[COOKIE]
    assert len(before) == 51
    assert visitor.sign_in(AUTHOR).status_code == 303
    after = visitor.cookies[COOKIE]
    assert before != after
    visitor.cookies[COOKIE] = before
    assert visitor.get("/grootboek").status_code == 401


def test_who_signs_out_is_out_here_and_there(house: House) -> None:
    visitor = house.as_(AUTHOR)
    number, csrf = visitor.cookies[COOKIE], visitor.csrf()
    answer = visitor.post("/uitloggen", {"csrf": csrf})
    assert answer.status_code == 303
    place = answer.headers["location"]
    assert place.startswith(f"{house.provider.issuer}/end_session?id_token_hint=")
    assert COOKIE not in visitor.cookies
    visitor.cookies[COOKIE] = number
    assert visitor.get("/grootboek").status_code == 401


def test_a_resident_comes_in_as_a_pseudonym(house: House) -> None:
    visitor = house.as_(RESIDENT)
    (session,) = [one for one, _ in house.app.sessions._sessions.values() if one.resident is not None]
    assert session.resident == house.pseudonym
    assert session.professional == "console"
    assert visitor.get("/vandaag").status_code == 403
    told = repr(vars(house.app.sessions)) + house.log() + repr(session)
    assert house.bsn not in told
    assert house.bsn not in str(visitor.cookies)


@pytest.mark.parametrize("bsn", [None, "123456789", "99999001", "٩٩٩٩٩٠٠١٩", 999990019])
def test_a_resident_without_a_number_does_not(
    house: House, monkeypatch: pytest.MonkeyPatch, bsn: object
) -> None:
    monkeypatch.setattr(IdentityProvider, "claims_of", claims(bsn=bsn))
    visitor = house.visitor()
    answer = visitor.sign_in(RESIDENT)
    assert (answer.status_code, COOKIE in visitor.cookies) == (403, False)
    assert "geen geldig burgerservicenummer" in answer.text
    assert str(bsn) not in answer.text


def test_while_the_provider_is_away_nobody_comes_in_and_everybody_may_go(house: House) -> None:
    alone = House(house.town, house.town.settings.data / "away", house.bsn)
    visitor = alone.as_(AUTHOR)
    csrf = visitor.csrf()
    begun = alone.visitor()
    back = begun.code_for(begun.begin(), AUTHOR)
    alone.provider.close()
    answer = begun.get(f"/terug?{urlencode(back)}")
    assert answer.status_code == 403
    assert "De aanmelddienst is niet bereikbaar." in answer.text
    # Where it was is known from before; a console that has to ask it says that it could not.
    alone.app._provider._metadata.clear()
    assert visitor.post("/uitloggen", {"csrf": csrf}).headers["location"] == "https://localhost:9443/"
    told = visitor.get("/").text
    assert "De aanmelddienst was niet bereikbaar: daar bent u misschien nog aangemeld." in told
    assert visitor.get("/grootboek").status_code == 303
    alone.close()
