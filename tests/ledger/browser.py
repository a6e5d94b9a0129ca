"""Headless Chromium, told what to do over a pipe (Chrome DevTools Protocol): no library, no network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_S = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chromium reads its orders from descriptor 3 and answers on 4.
LAUNCH = """
import os, sys
from fcntl import F_DUPFD, fcntl
# First out of the way, so that neither lands on the other.
orders, answers = (fcntl(int(number), F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(orders, 3)
os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One tab. Every wait is bounded."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders = orders
        self._answers = answers
        self._kept = b""
        self._number = 0
        self._session: str | None = None
        self.console: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        order: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._orders, json.dumps(order).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result
            if answer.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                self.console.append(json.dumps(answer["params"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._kept:
            read = os.read(self._answers, 1 << 20)
            assert read, "the browser went away"
            self._kept += read
        message, _, self._kept = self._kept.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, file: Path, *, dark: bool = False, width: int = 900, height: int = 1300) -> None:
        self.console.clear()
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        size: dict[str, object] = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", mobile=width < 500, **size)
        self.call("Page.navigate", url=file.as_uri())
        self.until("document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:  # noqa: ANN401 -- whatever the script says
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, script: str) -> Any:  # noqa: ANN401 -- whatever the script says
        """Return what the script says once it is true."""
        wait = f"""new Promise((done, fail) => {{
            const end = performance.now() + {WAIT_S * 1000};
            const look = () => {{ const said = {script};
                if (said) done(said); else if (performance.now() > end) fail(new Error("waited in vain"));
                else setTimeout(look, 20); }};
            look();
        }})"""
        return self.evaluate(wait)

    def choose(self, selector: str, *files: Path) -> None:
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def screenshot(self, file: Path, *, whole: bool = True) -> None:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(b64decode(shot["data"]))


def chromium() -> str:
    """Return the browser's path; skips where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return found


@contextmanager
def opened() -> Iterator[Page]:
    """Start a browser with a throw-away profile; ends it and all it started."""
    program = chromium()
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(  # noqa: S603 -- fixed arguments
            [
                *(sys.executable, "-c", LAUNCH, str(theirs_in), str(theirs_out)),
                *(program, *_arguments(Path(profile))),
            ],
            env={**os.environ, "HOME": profile, "TZ": "UTC"},
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Page(ours_out, ours_in)
        finally:
            os.close(ours_out)
            os.close(ours_in)
            with suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGTERM)
            _gone(browser)


def _arguments(profile: Path) -> list[str]:
    return [
        "--headless=new",
        "--remote-debugging-pipe",
        # Inside a container there is no user namespace to make a sandbox of; the page is ours.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}",
    ]


def _gone(browser: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 10
    with suppress(subprocess.TimeoutExpired):
        browser.wait(end - time.monotonic())
        return
    with suppress(ProcessLookupError):
        os.killpg(browser.pid, signal.SIGKILL)
    browser.wait(10)
