"""A real browser: Debian's Chromium by Playwright, and what it complains of."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("chromium", "chromium-browser", "google-chrome")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a browser of Playwright; skip where this machine has none."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without its sandbox: as root, as in a container of CI, it has none.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """One window with cookies of its own; keeps what the browser complained of."""

    def __init__(self, browser: Any, url: str, *, scripts: bool = True) -> None:  # noqa: ANN401 -- a Browser
        self.url = url
        self.key = ""
        self.context = browser.new_context(
            ignore_https_errors=True, java_script_enabled=scripts, viewport=WIDE, locale="nl-NL"
        )
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", self._complain_of)

    def _complain_of(self, asked: Any) -> None:  # noqa: ANN401 -- a Request
        # Whoever goes on to the next page gives up what the one before still fetched, such as its icon.
        if asked.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {asked.url}")

    def sign_in(self, name: str) -> None:
        """Sign in as one of the people of the provider."""
        self.page.goto(f"{self.url}/")
        self.page.get_by_role("link", name="Inloggen").click()
        self.page.get_by_role("link", name=name).click()
        self.page.wait_for_url(f"{self.url}/**")

    def open(self, path: str) -> None:
        """Open a page of the console."""
        self.page.goto(f"{self.url}{path}")

    def faults(self) -> list[str]:
        """Return what axe finds against WCAG 2.1 AA."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": TAGS}})
        return [
            f"{one['id']}: {node['html']} {node.get('failureSummary', '')}"
            for one in found.response["violations"]
            for node in one["nodes"]
        ]

    def overflows(self) -> list[str]:
        """Return what stands out beyond a narrow screen, in a page that scrolls sideways."""
        self.page.set_viewport_size(NARROW)
        told: list[str] = self.page.evaluate(
            """() => {
                const wide = document.documentElement.clientWidth;
                if (document.documentElement.scrollWidth <= wide) return [];
                return [...document.querySelectorAll("body *")]
                    .filter((one) => one.getBoundingClientRect().right > wide + 1)
                    .map((one) => `${one.tagName}.${one.className}`);
            }"""
        )
        self.page.set_viewport_size(WIDE)
        return told

    def close(self) -> None:
        self.context.close()
