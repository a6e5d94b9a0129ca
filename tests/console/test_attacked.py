"""What somebody tries who means harm: bodies without end, encodings nobody uses, other people's logins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from exchange.console.forms import FORM_BYTES_MAX
from exchange.console.session import COOKIE
from tests.console.house import HERE, OFFICER, RESIDENT, House, Visitor

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
