"""Where the case system tells us of its cases: one path, POST, with the header it was given.

Promises: answered 204 once what is to be looked at stands on disk, so that what was told is not lost by a
kill; a message only says where to look, so that one that comes twice, late or out of order does no harm; a
body that is no message is kept sealed in rejected/ with its reason; where either cannot be kept nothing is
taken, and 503 asks to come again; listens on this machine only, behind the organisation's own proxy.
Source: Notificaties API 1.0.1, the webhook of a consumer.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.kit.serving import Serving
from adapters.municipal.case_system import CHANNEL
from adapters.municipal.desk import ZAAK, open_journal
from adapters.municipal.errors import ConfigInvalid, NotificationRefused
from adapters.municipal.rejected import Rejected

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request

    from adapters.kit.journal import Journal
    from adapters.municipal.config import Config, Webhook
    from adapters.sdk.logs import AdapterLog

PATH: Final = "/notificaties"
BODY_BYTES_MAX: Final = 64 * 1024
RETRY_AFTER_S: Final = 60
_TEXTS: Final = ("kanaal", "hoofdObject", "resource", "resourceUrl", "actie", "aanmaakdatum")
_ACTIONS: Final = frozenset({"create", "update", "partial_update", "destroy", "list", "retrieve"})
_TITLES: Final = {400: "Geen notificatie.", 403: "Niet toegestaan.", 413: "Te groot.", 503: "Nu niet."}


def read_notification(raw: bytes) -> tuple[str, str]:
    """Return kanaal and main object of a message. Raises NotificationRefused, which names the element."""
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        raise NotificationRefused("the body is no JSON") from None
    if not isinstance(told, dict):
        raise NotificationRefused("the body is no object")
    for name in _TEXTS:
        if not isinstance(told.get(name), str):
            raise NotificationRefused(f"{name} is missing or no text")
    if told["actie"] not in _ACTIONS:
        raise NotificationRefused("actie is not a known one")
    return told["kanaal"], told["hoofdObject"]


class Listening:
    """The webhook in a thread of its own. `wake` is called when there is something to look at."""

    def __init__(
        self,
        config: Config,
        webhook: Webhook,
        holds: Callable[[str], bool],
        *,
        log: AdapterLog,
        now_ms: Callable[[], int],
        wake: threading.Event,
        opened: Callable[[Path], Journal] = open_journal,
    ) -> None:
        self._config: Final = config
        self._auth: Final = webhook.auth.text.encode()
        self._holds: Final = holds
        self._log: Final = log
        self._rejected: Final = Rejected(config, log, now_ms)
        self._now_ms: Final = now_ms
        self._wake: Final = wake
        self._opened: Final = opened
        self._journal: Journal | None = None  # owned by the serving thread
        app = Starlette(routes=[Route(PATH, self._take, methods=["POST"])])
        self._serving: Final = Serving(app, webhook.port)
        self.url: Final = webhook.url or f"{self._serving.url}{PATH}"

    def start(self) -> None:
        """Begin to listen."""
        self._serving.start()

    def close(self) -> None:
        """End."""
        self._serving.close()

    async def _take(self, request: Request) -> Response:
        shown = request.headers.get("authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(shown, self._auth):
            self._log.warning("notification_refused", reason="authorization")
            return _problem(403, "permission_denied")
        raw = b""
        async for part in request.stream():
            raw += part
            if len(raw) > BODY_BYTES_MAX:
                return _problem(413, "too_large")
        try:
            channel, main = read_notification(raw)
        except NotificationRefused as refused:
            try:
                kept = self._rejected.keep_body(raw, f"{refused.code}: {refused}\n{refused.remedy}")
            except (OSError, ConfigInvalid) as error:
                return self._not_kept(error)
            event = "notification_rejected" if kept else "notification_rejected_not_kept"
            self._log.error(event, code=refused.code, reason=str(refused))
            return _problem(400, "invalid")
        # Of another kanaal, or a test; or a url of another system, where we never look.
        if channel == CHANNEL and self._holds(main):
            try:
                self._ask(main)
            except (OSError, sqlite3.Error) as error:
                return self._not_kept(error)
            self._wake.set()
        return Response(status_code=204)

    def _ask(self, main: str) -> None:
        if self._journal is None:
            self._journal = self._opened(self._config.journal)
        self._journal.ask(ZAAK, main, self._now_ms())

    def _not_kept(self, error: OSError | sqlite3.Error | ConfigInvalid) -> Response:
        """Take nothing that could not be kept: whoever told it keeps it, and comes again."""
        self._log.error("notification_not_kept", error=type(error).__name__)
        answer = _problem(503, "not_kept")
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        return answer


def _problem(status: int, code: str) -> Response:
    told: dict[str, Any] = {
        "type": "about:blank",
        "code": code,
        "title": _TITLES[status],
        "status": status,
        "detail": _TITLES[status],
        "instance": "about:blank",
    }
    return JSONResponse(told, status, media_type="application/problem+json")
