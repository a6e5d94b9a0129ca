"""Every page of the navigation in a real browser: languages, axe, a narrow screen, keyboard, no scripts."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.calls import claim
from adapters.sdk.tokens import Person
from adapters.simulators.identity_provider.people import PEOPLE
from exchange.console.app import find_pages
from exchange.console.roles import STAFF
from exchange.v1 import common_pb2 as pb
from tests.console.browser import NARROW, WIDE, Window, chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console.house import House
    from tests.server.story import Story

pytestmark = pytest.mark.slow

# Where somebody wants to look at the pages himself, they are left there.
SCREENSHOTS = os.environ.get("CONSOLE_SCREENSHOTS", "")
NAMES = {person.role: person.name for person in PEOPLE}
MENU = [page for page in find_pages() if page.menu]
OPENED = [(role.name, page.path) for role in STAFF for page in MENU if role in page.roles]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def url(house: House, story: Story) -> str:
    """Return where the console is, with something on its pages."""
    glass = pb.BreakGlass(code="LEVENSGEVAAR", reason="De buurvrouw hoort al twee dagen niets meer.")
    asked = claim(pb.PURPOSE_ACUTE_NOOD, "AVG-6.1.d", "nodig", break_glass=glass)
    wait = Person("w-wacht", "college:WMO", "wacht", authenticated_at=int(time.time()) - 5)
    story.goal()
    for _ in range(2):
        story.town.client(wait).plan.get_plan(claim=asked, plan_id=story.plan_id, fields=["goals.own_words"])
    with pytest.raises(errors.Denied):
        story.town.worker("college:PW", "w-vreemd").plan.get_plan(
            claim=asked, plan_id=story.plan_id, fields=["goals.own_words"]
        )
    return house.open_door()


@pytest.fixture(scope="module")
def windows(browser: Any, url: str) -> Iterator[dict[str, Window]]:  # noqa: ANN401 -- a Browser
    """Return a window for each role, signed in."""
    opened: dict[str, Window] = {}
    for role in STAFF:
        opened[role.name] = window = Window(browser, url)
        window.sign_in(NAMES[role.name])
    yield opened
    for window in opened.values():
        window.close()


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize(("role", "path"), OPENED)
def test_a_page_is_for_everybody(windows: dict[str, Window], role: str, path: str, language: str) -> None:
    window = windows[role]
    window.complaints.clear()
    window.open(f"/taal/{language}?naar={path}")
    assert window.page.locator("html").get_attribute("lang") == language
    assert window.page.locator("h1").count() == 1
    for opened in window.page.locator("details > summary").all():
        opened.click()
    shot(window, f"{role}{path.replace('/', '-')}-{language}")
    assert window.faults() == []
    assert window.overflows() == []
    assert window.complaints == []


def test_what_is_refused_is_a_page_too(windows: dict[str, Window]) -> None:
    window = windows["insight"]
    for path in ("/vandaag", "/nergens"):
        window.open(path)
        shot(window, f"refused{path.replace('/', '-')}")
        assert window.faults() == []
        assert window.overflows() == []


def shot(window: Window, name: str) -> None:
    if SCREENSHOTS:
        for size in (WIDE, NARROW):
            window.page.set_viewport_size(size)
            window.page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{size['width']}.png", full_page=True)
        window.page.set_viewport_size(WIDE)
