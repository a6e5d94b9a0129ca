"""What somebody tries who means harm: bodies without end, encodings nobody uses, other people's logins."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from adapters.simulators.identity_provider.whole import IdentityProvider
from exchange.console import pdfs, session, turns
from exchange.console.forms import FORM_BYTES_MAX
from exchange.console.logins import ENDED_MAX, LOGIN_S_MAX, Logins
from exchange.console.refusals import Refused
from exchange.console.roles import AUTHOR
from exchange.console.session import COOKIE, LOGIN_COOKIE, Session, Sessions
from exchange.errors import DocumentNotSet
from tests.console.house import HERE, OFFICER, OFFICER_2, RESIDENT, House, Visitor
from tests.console.test_login import claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORM = "application/x-www-form-urlencoded"
GENEROUS_S = 30


@pytest.fixture(scope="module")
def officer(house: House) -> Visitor:
    return house.as_(OFFICER)


def raw(house: House, visitor: Visitor, headers: dict[str, str], parts: Callable[[], Iterator[Any]]) -> int:
    """Post a body part by part, as a server would hand it on; return the status."""
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    told = {"host": HERE.partition("://")[2], "cookie": cookies} | headers
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/voorvertoning",
        "raw_path": b"/voorvertoning",
        "query_string": b"",
        "root_path": "",
        "scheme": "https",
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in told.items()],
    }
    coming, answers = parts(), []

    async def receive() -> Any:  # noqa: ANN401 -- a message of ASGI
        return next(coming)

    async def send(message: Any) -> None:  # noqa: ANN401 -- a message of ASGI
        answers.append(message)

    async def asked() -> None:
        async with asyncio.timeout(GENEROUS_S):
            await house.app(scope, receive, send)

    house.town.run(asked)
    return int(answers[0]["status"])


@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=B"])
def test_a_body_is_cut_whatever_it_says_of_its_length(house: House, officer: Visitor, kind: str) -> None:
    taken = []

    def endless() -> Iterator[Any]:
        head = b'--B\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n'
        yield {"type": "http.request", "body": head, "more_body": True}
        while True:
            taken.append(64 * 1024)
            yield {"type": "http.request", "body": b"a" * taken[-1], "more_body": True}

    headers = {"content-type": kind, "content-length": "10", "transfer-encoding": "chunked"}
    assert raw(house, officer, headers, endless) == 400
    assert sum(taken) <= FORM_BYTES_MAX + 64 * 1024


def test_who_goes_away_halfway_a_form_is_no_defect(house: House, officer: Visitor) -> None:
    def cut() -> Iterator[Any]:
        yield {"type": "http.request", "body": b"csrf=", "more_body": True}
        yield {"type": "http.disconnect"}

    assert raw(house, officer, {"content-type": FORM, "content-length": "10"}, cut) == 400


@pytest.mark.parametrize(
    ("charset", "value"),
    [
        ("unicode_escape", rb"\ud800"),
        ("raw_unicode_escape", rb"\ud800"),
        ("utf-7", b"+2AA-"),
        ("idna", b"xn--a.\xff"),
        ("undefined", b"x"),
        ("\0", b"x"),
        ("latin-1", b"x"),
    ],
)
def test_no_form_chooses_how_it_is_decoded(officer: Visitor, charset: str, value: bytes) -> None:
    word = officer.csrf("/voorvertoning").encode()
    part = b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = part % (b"csrf", word) + part % (b"tekst", value) + b"--B--\r\n"
    kind = "multipart/form-data; boundary=B"
    answer = officer.send("/voorvertoning", body, f"{kind}; charset={charset}")
    assert (answer.status_code, "hoort niet bij uw aanmelding" in answer.text) == (403, True)
    assert (
        "Plak een register"
        in officer.send("/voorvertoning", part % (b"csrf", word) + b"--B--\r\n", kind).text
    )


def test_another_site_signs_nobody_out(house: House) -> None:
    visitor = house.as_(RESIDENT)
    # So a browser sends another site's form: without a cookie of ours, and it keeps what the answer sets.
    foreign = house.visitor()
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {}):
        answer = foreign.post("/uitloggen", {}, headers)
        assert not [one for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE)]
    assert foreign.post("/uitloggen", {}, {"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert visitor.get("/mijn/5").status_code == 200


def test_a_page_can_be_asked_for_its_head(house: House, officer: Visitor) -> None:
    assert officer.head("/uitvoer").status_code == 200
    assert house.visitor().head("/uitvoer").headers["location"].startswith("/inloggen")


def test_logins_that_others_begin_take_no_place_from_mine(house: House) -> None:
    mine, flood = house.visitor(), house.visitor()
    back = mine.code_for(mine.begin(), OFFICER)
    for _ in range(1_001):
        assert flood.get("/inloggen").status_code == 303
    assert mine.get(f"/terug?{urlencode(back)}").status_code == 303


def test_an_address_with_another_state_ends_no_login(house: House) -> None:
    visitor = house.visitor()
    back = visitor.code_for(visitor.begin(), OFFICER)
    assert visitor.get("/terug?state=another&code=another").status_code == 403
    assert visitor.get(f"/terug?{urlencode(back)}").status_code == 303


def test_a_login_in_a_cookie_is_of_this_console_unchanged_once_and_in_time() -> None:
    seconds, drawn = [1_000.0], count()
    ours, other = (
        Logins(lambda: seconds[0], lambda size: next(drawn).to_bytes(size, "big")) for _ in range(2)
    )
    kept, login = ours.begin("/mijn/1")
    secrets = {login.nonce, login.verifier, login.state}
    assert len(secrets) == 3
    assert all(len(one) == 43 and one not in kept for one in secrets)
    assert not secrets & set(vars_of(ours.begin("/mijn/1")[1]))
    parts = kept.split(".")
    later = str(int(parts[2]) + 1)
    foreign = ".".join((*parts[:2], later, *parts[3:]))
    for wrong in ("", "...", foreign, kept[:-1], f"{kept}.", kept.upper(), "é" + kept, other.begin("/")[0]):
        assert ours.end(wrong, login.state) is None
    # Only one of before this console is begun once more: it leads to where it says, and proves nothing.
    assert ours.begun_elsewhere(other.begin("/grootboek")[0]) == "/grootboek"
    assert [ours.begun_elsewhere(one) for one in (kept, foreign, "", "....", kept[:-1])] == [None] * 5
    assert ours.end(kept, "") is None
    seconds[0] -= 0.002
    assert ours.end(kept, login.state) is None, "a clock set back ends it"
    seconds[0] += 0.002 + LOGIN_S_MAX
    assert ours.end(kept, login.state) == login
    assert ours.end(kept, login.state) is None
    kept, login = ours.begin("/")
    seconds[0] += LOGIN_S_MAX + 0.002
    assert ours.end(kept, login.state) is None


def test_of_logins_that_came_back_only_so_many_are_remembered() -> None:
    seconds, drawn = [1_000.0], count()
    logins = Logins(lambda: seconds[0], lambda size: next(drawn).to_bytes(size, "big"))
    for _ in range(ENDED_MAX + 5):
        kept, login = logins.begin("/")
        assert logins.end(kept, login.state) is not None
    assert len(logins._ended) == ENDED_MAX
    seconds[0] += LOGIN_S_MAX + 1
    kept, login = logins.begin("/")
    assert logins.end(kept, login.state) is not None
    assert len(logins._ended) == 1


def vars_of(login: Any) -> list[str]:  # noqa: ANN401 -- a Login
    return [login.nonce, login.verifier, login.state]


def test_who_signs_in_all_the_time_pushes_out_himself_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SESSIONS_OF_ONE_MAX", 3)
    # Nobody is there yet; who was comes back after this.
    monkeypatch.setattr(house.app.sessions, "_sessions", OrderedDict())
    officer = house.as_(OFFICER)
    residents = [house.as_(RESIDENT) for _ in range(3)]
    assert residents[0].get("/mijn/5").status_code == 200
    last = house.as_(RESIDENT)
    # The one that looked longest ago, not the first that came.
    assert residents[1].get("/mijn/5").status_code == 401
    assert [one.get("/mijn/5").status_code for one in (residents[0], residents[2], last)] == [200] * 3
    assert officer.get("/uitvoer").status_code == 200


@pytest.mark.parametrize("odd", [{"acr": ["mfa"]}, {"acr": {"a": 1}}, {"amr": [["mfa"], {}]}, {"amr": 7}])
def test_what_a_provider_writes_for_factors_is_no_defect(
    house: House, monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any]
) -> None:
    monkeypatch.setattr(IdentityProvider, "claims_of", claims(**odd))
    assert house.visitor().sign_in(OFFICER).status_code in {303, 403}


def test_a_provider_that_says_who_it_is_says_so_each_time(house: House) -> None:
    visitor = house.visitor()
    answer = visitor.sign_in(OFFICER, lambda back: back.__delitem__("iss"))
    assert (answer.status_code, COOKIE in visitor.cookies) == (403, False)
    assert LOGIN_COOKIE in visitor.cookies


def test_a_resident_has_one_pdf_made_at_a_time_and_keeps_nobody_from_his(
    house: House, officer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    me, mine = house.as_(RESIDENT), house.pseudonym
    place = "/mijn/4/bestand/pdf"

    def not_set(_: object) -> bytes:
        raise DocumentNotSet("this document could not be set as a PDF")

    monkeypatch.setattr(pdfs, "pdf_of", not_set)
    # His second while the first is made; beside somebody else's; at a full press; alone.
    for taken, status in (([mine], 503), ([b"another"], 501), ([b"another", b"a third"], 503), ([], 501)):
        for whose in taken:
            pdfs.RESIDENTS.take(whose)
        try:
            assert me.get(place).status_code == status
            assert officer.get("/register/verwerkingen/pdf").status_code == 501
        finally:
            for whose in taken:
                pdfs.RESIDENTS.give_back(whose)
    assert "Kies het andere bestand." in me.get(place).text


def test_nobody_uses_up_what_others_are_recognised_by(
    house: House, officer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = house.as_(RESIDENT)
    monkeypatch.setattr(turns, "TURNS_MAX", 1)
    tired = house.visitor()
    answer = tired.sign_in(RESIDENT)
    assert (answer.status_code, COOKIE in tired.cookies) == (429, False)
    assert "vandaag te vaak gevraagd" in answer.text
    assert before.get("/mijn/5").status_code == 200
    asked = {"reden": "verzoek 12", "bsn": house.bsn}
    for visitor in (officer, house.as_(OFFICER_2)):
        form = asked | {"csrf": visitor.csrf("/raadplegingen/inwoner")}
        found = [visitor.post("/raadplegingen/inwoner", form).status_code for _ in range(2)]
        assert found == [303, 429]


def test_turns_are_of_one_person_in_one_role_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURNS_MAX", 2)
    seconds, drawn = [turns.DAY_S - 1.0], count()
    taking = turns.Turns(lambda: seconds[0], lambda size: next(drawn).to_bytes(size, "big"))
    for role, who in (("officer", "a"), ("officer", "b"), ("resident", "a")):
        for _ in range(2):
            taking.take(role, who)
        with pytest.raises(Refused, match="NO_TURNS"):
            taking.take(role, who)
    seconds[0] += 1
    taking.take("officer", "a")


def test_nothing_is_kept_of_who_left_without_signing_out() -> None:
    seconds, drawn = [0.0], count()
    sessions = Sessions(lambda: seconds[0], lambda size: next(drawn).to_bytes(size, "big"))
    left, stays = (
        sessions.open(Session(AUTHOR, who, who, True, 0, "csrf", seconds[0]))  # noqa: FBT003 -- both factors
        for who in ("a", "b")
    )
    seconds[0] = session.IDLE_S_MAX - 1.0
    assert sessions.find(stays) is not None
    seconds[0] += 1
    assert sessions.peek(left) is None
    sessions.open(Session(AUTHOR, "c", "c", True, 0, "csrf", seconds[0]))  # noqa: FBT003 -- both factors
    assert [one.professional for one, _ in sessions._sessions.values()] == ["b", "c"]
    assert sessions.find(stays) is not None


def test_what_asks_without_end_waits_and_everybody_else_goes_on(
    house: House, officer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, same = house.as_(RESIDENT), house.as_(RESIDENT)
    # A pace of its own, so that who comes after finds as many pages as ever.
    monkeypatch.setattr(house.app, "_pace", turns.Pace(lambda: house.town.now().timestamp()))
    monkeypatch.setattr(turns, "PAGES_AT_ONCE_MAX", 3)
    monkeypatch.setattr(turns, "PAGES_A_SECOND", 0.0)
    assert [visitor.get("/mijn/5").status_code for visitor in (one, same, one, same)] == [200, 200, 200, 429]
    answer = one.post("/mijn/1/zeg", {})
    assert (answer.status_code, "Wacht even" in answer.text) == (429, True)
    assert officer.get("/uitvoer").status_code == 200
    monkeypatch.setattr(turns, "PAGES_A_SECOND", 1e9)
    assert one.get("/mijn/5").status_code == 200


def test_the_pace_of_one_person_comes_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PAGES_AT_ONCE_MAX", 2)
    monkeypatch.setattr(turns, "PEOPLE_MAX", 2)
    seconds = [100.0]
    pace = turns.Pace(lambda: seconds[0])
    for wait, fast in (
        (0, False),
        (0, False),
        (0, True),
        (0.19, True),
        (0.2, False),
        (-50, True),
        (100, False),
    ):
        seconds[0] += wait
        if fast:
            with pytest.raises(Refused, match="TOO_FAST"):
                pace.take("a")
        else:
            pace.take("a")
    for person in ("b", "c", "d"):
        pace.take(person)
    assert list(pace._left) == ["c", "d"]
