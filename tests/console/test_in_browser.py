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
from tests.server.story import Story
from tests.server.subscribed import Named
from tests.server.test_erasure import Erasure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console.house import House

pytestmark = pytest.mark.slow

# Where somebody wants to look at the pages himself, they are left there.
SCREENSHOTS = os.environ.get("CONSOLE_SCREENSHOTS", "")
NAMES = {person.role: person.name for person in PEOPLE}
MENU = [page for page in find_pages() if page.menu]
OPENED = [(role.name, page.path) for role in STAFF for page in MENU if role in page.roles]

BESIDE = (
    "/grootboek?vanaf=3",
    "/grootboek/gewist",
    "/uitvoer/logboek?logboek=nen7513&van=2026-11-02&tot=2026-11-01&doel=audit&vorm=json",
)


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
    Named(story.wmo, "vakapplicatie-wmo").create()
    Erasure(house.town, Story(house.town, next(house.town.bsns))).executed()
    return house.open_door()


@pytest.fixture(scope="module")
def windows(browser: Any, url: str, house: House) -> Iterator[dict[str, Window]]:  # noqa: ANN401 -- a Browser
    """Return a window for each role, signed in."""
    opened: dict[str, Window] = {}
    for role in STAFF:
        opened[role.name] = window = Window(browser, url)
        window.key = house.town.log_vkey
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


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("path", BESIDE)
def test_a_page_behind_another_is_too(windows: dict[str, Window], path: str, language: str) -> None:
    window = windows["officer"]
    window.open(f"/taal/{language}?naar=/grootboek")
    window.open(path)
    assert window.page.locator("h1").count() == 1
    shot(window, f"beside-{BESIDE.index(path)}-{language}")
    assert window.faults() == []
    assert window.overflows() == []


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_way_in_is_for_everybody(browser: Any, url: str, language: str) -> None:  # noqa: ANN401 -- a Browser
    window = Window(browser, url)
    try:
        window.open(f"/taal/{language}?naar=/")
        assert window.page.locator("html").get_attribute("lang") == language
        shot(window, f"welcome-{language}")
        assert window.faults() == []
        assert window.overflows() == []
        assert window.complaints == []
    finally:
        window.close()


def test_what_is_refused_is_a_page_too(windows: dict[str, Window]) -> None:
    window = windows["insight"]
    for path in ("/vandaag", "/nergens"):
        window.open(path)
        shot(window, f"refused{path.replace('/', '-')}")
        assert window.faults() == []
        assert window.overflows() == []


def test_a_review_ends_with_a_proof_that_this_browser_checks(windows: dict[str, Window]) -> None:
    window = windows["officer"]
    page = window.page
    window.open("/taal/nl?naar=/vandaag")
    page.locator("summary", has_text="Leg vast: Noodtoegang beoordelen").first.click()
    page.get_by_label("De noodtoegang was terecht").first.check()
    page.locator("details[open] textarea").fill("De melder had gelijk.")
    page.locator("details[open]").get_by_role("button", name="Vastleggen").click()
    page.wait_for_selector("h1:text-is('Vastgelegd')")
    shot(window, "receipt")
    assert window.faults() == []
    assert window.overflows() == []
    page.get_by_role("button", name="Controleer het bewijs").click()
    check, said = page.get_by_role("button", name="Controleer in deze browser"), page.locator("[data-result]")
    # Of this console nobody told it the key of the log: the person has it.
    check.click()
    page.wait_for_function("document.querySelector('[data-result]').textContent !== ''")
    assert "Vul de sleutel in" in said.inner_text()
    key = page.get_by_label("Sleutel van het grootboek")
    key.fill(window.key)
    check.click()
    page.wait_for_selector(".said.good")
    assert said.inner_text().startswith("Klopt. ")
    shot(window, "proof")
    assert window.faults() == []
    assert window.overflows() == []
    entry = page.get_by_label("Inhoud van het blad")
    right = entry.input_value()
    for field, wrong, says in (
        (entry, right.replace("fg", "FG", 1), "Deze inhoud hoort niet bij dit bewijs."),
        (entry, right + " ", "Klopt. "),
        (key, window.key[:-4] + "AAA=", "niet met deze sleutel ondertekend"),
        (key, "no key", "niet met deze sleutel ondertekend"),
    ):
        before = field.input_value()
        field.fill(wrong)
        page.evaluate("document.querySelector('[data-result]').textContent = ''")
        check.click()
        page.wait_for_function("document.querySelector('[data-result]').textContent !== ''")
        assert says in said.inner_text()
        field.fill(before)
    assert [one for one in window.complaints if "Content Security Policy" in one] == []


def test_this_browser_proves_that_the_ledger_only_grew(windows: dict[str, Window]) -> None:
    window = windows["officer"]
    page = window.page
    window.open("/taal/nl?naar=/grootboek")
    panel = page.locator("[data-consistency]")
    check, said = (
        panel.get_by_role("button", name="Controleer in deze browser"),
        panel.locator("[data-result]"),
    )
    # One click: what nobody told this console is the key, which the person has.
    check.click()
    page.wait_for_function(TOLD)
    assert "Vul de sleutel in" in said.inner_text()
    key, earlier = panel.get_by_label("Sleutel van het grootboek"), panel.get_by_label("Eerdere stand")
    key.fill(window.key)
    check.click()
    page.wait_for_selector("[data-consistency] .said.good")
    assert said.inner_text().startswith("Klopt. ")
    shot(window, "consistency")
    assert window.faults() == []
    assert window.overflows() == []
    right = earlier.input_value()
    origin, size, root = right.split("\n")[:3]
    hashes = panel.locator("[data-part=hashes]")
    path = hashes.input_value()
    for field, wrong, says in (
        (earlier, right.replace(root, "A" * 43 + "="), "De nieuwste stand volgt niet uit de eerdere"),
        (earlier, right.replace(f"\n{size}\n", f"\n{int(size) - 1}\n"), "een ander aantal bladen"),
        (earlier, right.replace(origin, "elders.example/2026"), "twee verschillende grootboeken"),
        (earlier, "geen stand", "geen stand die deze pagina kan lezen"),
        (earlier, " ", "Vul eerst de eerdere stand in."),
        (earlier, f"{right}\n\n", "Klopt. "),
        (key, window.key[:-4] + "AAA=", "niet met deze sleutel ondertekend"),
        (hashes, "\n".join(path.split("\n")[1:]), "volgt niet uit de eerdere"),
        (hashes, f"{path}\n{root}", "volgt niet uit de eerdere"),
    ):
        before = field.input_value()
        field.evaluate("(one, told) => { one.value = told; }", wrong)
        said.evaluate("(one) => { one.textContent = ''; }")
        check.click()
        page.wait_for_function(TOLD)
        assert says in said.inner_text(), wrong
        field.evaluate("(one, told) => { one.value = told; }", before)


TOLD = "document.querySelector('[data-consistency] [data-result]').textContent !== ''"
SIZES = """async () => {
    const leaf = (nth) => digest([0], text.encode(`leaf ${nth}`)), found = [];
    const root = async (hashes) => {
        if (hashes.length === 1) return hashes[0];
        let split = 1;
        while (split * 2 < hashes.length) split *= 2;
        return digest([1], await root(hashes.slice(0, split)), await root(hashes.slice(split)));
    };
    const proof = async (older, hashes, whole) => {
        if (older === hashes.length) return whole ? [] : [await root(hashes)];
        let split = 1;
        while (split * 2 < hashes.length) split *= 2;
        const left = hashes.slice(0, split), right = hashes.slice(split);
        return older <= split
            ? [...(await proof(older, left, whole)), await root(right)]
            : [...(await proof(older - split, right, false)), await root(left)];
    };
    const leaves = await Promise.all([...Array(17).keys()].map(leaf));
    for (let size = 1; size <= 17; size += 1) for (let older = 1; older <= size; older += 1) {
        const state = async (count) => ({ size: BigInt(count), root: await root(leaves.slice(0, count)) });
        const [before, after] = [await state(older), await state(size)];
        const path = await proof(older, leaves.slice(0, size), true);
        const other = { size: before.size, root: await leaf(99) };
        const short = path.slice(1), long = [...path, leaves[0]];
        found.push([
            await grew(before, after, path), await grew(other, after, path), await grew(before, other, path),
            path.length > 0 && (await grew(before, after, short)), await grew(before, after, long),
        ].join());
    }
    return [found.length, [...new Set(found)]];
}"""


def test_every_pair_of_small_states_is_judged_as_the_rfc_says(windows: dict[str, Window]) -> None:
    window = windows["officer"]
    window.open("/grootboek")
    # The proof as section 2.1.4.1 makes it, checked as section 2.1.4.2 does; each altered one is refused.
    assert window.page.evaluate(SIZES) == [153, ["true,false,false,false,false"]]


def test_the_keyboard_reaches_everything_and_is_seen(windows: dict[str, Window]) -> None:
    """Sign in, review and look at the ledger without a mouse; the first stop leads past the frame."""
    window = windows["author"]
    page = window.page
    window.open("/grootboek")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "inhoud"
    window.open("/grootboek")
    stops = ("a", "button", "input", "summary", "textarea")
    wanted = page.locator(", ".join(f"{one}:visible" for one in stops)).count()
    seen = set()
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => {
                const here = document.activeElement, style = getComputedStyle(here);
                return [here.outerHTML.slice(0, 200), style.outlineStyle, here.tagName];
            }"""
        )
        if at[2] == "BODY":
            break
        assert at[1] == "solid", f"nobody sees where he is: {at[0]}"
        seen.add(at[0])
    assert len(seen) == wanted


def test_everything_reads_and_records_without_javascript(browser: Any, url: str, house: House) -> None:  # noqa: ANN401 -- a Browser
    window = Window(browser, url, scripts=False)
    try:
        window.sign_in(NAMES["officer"])
        page = window.page
        window.open("/vandaag")
        page.locator("summary", has_text="Leg vast: Melding: beroep op noodtoegang").first.click()
        page.locator("details[open]").get_by_label("Gedaan").check()
        page.locator("details[open]").get_by_role("button", name="Vastleggen").click()
        page.wait_for_selector("h1:text-is('Vastgelegd')")
        page.get_by_role("button", name="Controleer het bewijs").click()
        page.get_by_text("Zonder JavaScript controleert u het bewijs").wait_for()
        assert page.locator("[data-check]").is_hidden()
        page.get_by_role("link", name="Naar het grootboek").click()
        page.get_by_label("Aantal bladen van de eerdere stand").fill("3")
        page.get_by_role("button", name="Vergelijk").click()
        page.get_by_text("Bewijs van 3 bladen naar nu").wait_for()
        page.get_by_role("link", name="English").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(lambda at: at.startswith(f"{url}/?state="))
        page.get_by_text("You are signed out, here and at the identity provider.").wait_for()
        page.get_by_role("link", name="Sign in").wait_for()
    finally:
        window.close()
    assert house.bsn not in house.log()


def shot(window: Window, name: str) -> None:
    if SCREENSHOTS:
        for size in (WIDE, NARROW):
            window.page.set_viewport_size(size)
            window.page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{size['width']}.png", full_page=True)
        window.page.set_viewport_size(WIDE)
