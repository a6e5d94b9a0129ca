"""The Notificaties API: who wants to hear, and the telling.

Promises: a subscription is taken once its callback answered a test with 204; each message goes to each
subscription of its kanaal with the header it was given; what is ordered otherwise (twice, out of order, lost)
says so in `Delivery`.
Source: Notificaties API 1.0.1, `abonnement` and the webhook of a consumer.
"""

from __future__ import annotations

import http.client
import json
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from adapters.simulators.open_zaak.answers import answer, invalid
from adapters.simulators.open_zaak.shapes import Field, Shape, many, table, text, url
from adapters.simulators.open_zaak.shelf import Resource, Shelf, sent
from adapters.simulators.open_zaak.zaken import moment

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from adapters.simulators.open_zaak.access import Gate

NOTIFICATIES: Final = "/notificaties/api/v1"
TIMEOUT_S: Final = 5.0
NO_CONTENT: Final = 204
_CHANNEL: Final[Shape] = {"naam": text(50, 1), "filters": Field(lambda value: isinstance(value, dict))}
_ABONNEMENT: Final[Shape] = {
    "callbackUrl": url(200),
    "auth": text(1_000, 1),
    "kanalen": many(table(_CHANNEL, "naam")),
}


@dataclass(slots=True)
class Delivery:
    """How messages are told: each twice, each batch of `held` turned round, or not at all."""

    twice: bool = False
    held: int = 0
    lost: bool = False


class Notificaties:
    """The subscriptions, and a thread that tells."""

    def __init__(self, base: str, gate: Gate) -> None:
        self._gate: Final = gate
        self.delivery: Final = Delivery()
        self.abonnementen: Final = Shelf(base + NOTIFICATIES, "abonnement")
        self._waiting: Final[queue.Queue[tuple[str, Resource] | None]] = queue.Queue()
        self._thread: Final = threading.Thread(target=self._run, name="notifications", daemon=True)
        self.told: Final[list[int]] = []  # the status of each delivery; 0 where nobody answered

    @property
    def routes(self) -> list[BaseRoute]:
        """Return every path."""
        return [
            Route("/abonnement", self._list, methods=["GET"]),
            Route("/abonnement", self._create, methods=["POST"]),
        ]

    @property
    def idle(self) -> bool:
        """Tell whether all that is to be told was told, but for what is held."""
        return not self._waiting.unfinished_tasks

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def close(self) -> None:
        """End; what waits is not told any more."""
        self._waiting.put(None)
        self._thread.join(TIMEOUT_S)

    def notify(self, channel: str, main: Resource, resource: str, thing: Resource, action: str) -> None:
        """Let a message wait to be told."""
        told = {
            "kanaal": channel,
            "hoofdObject": thing["url"] if channel == "besluiten" else main["url"],
            "resource": resource,
            "resourceUrl": thing["url"],
            "actie": action,
            "aanmaakdatum": moment(),
            "kenmerken": {
                "bronorganisatie": main["bronorganisatie"],
                "zaaktype": main["zaaktype"],
                "vertrouwelijkheidaanduiding": main["vertrouwelijkheidaanduiding"],
            },
        }
        if not self.delivery.lost:
            self._waiting.put((channel, told))

    async def _list(self, request: Request) -> Response:
        self._gate.zgw(request)
        return answer([_shown(one) for one in self.abonnementen.by_uuid.values()])

    async def _create(self, request: Request) -> Response:
        self._gate.zgw(request)
        told = await sent(request, _ABONNEMENT, *_ABONNEMENT)
        test = {
            "kanaal": "test",
            "hoofdObject": "https://zaken.example/test",
            "resource": "test",
            "resourceUrl": "https://zaken.example/test",
            "actie": "create",
            "aanmaakdatum": moment(),
            "kenmerken": {},
        }
        if await run_in_threadpool(_post, told, test) != NO_CONTENT:
            raise invalid("callbackUrl", "invalid-callback-url")
        made = self.abonnementen.put(told)
        return answer(_shown(made), 201, {"Location": made["url"]})

    def _run(self) -> None:
        batch: list[tuple[str, Resource]] = []
        while (waiting := self._waiting.get()) is not None:
            batch.append(waiting)
            if len(batch) > self.delivery.held:
                for channel, told in reversed(batch):
                    for _ in range(2 if self.delivery.twice else 1):
                        self._tell(channel, told)
                batch.clear()
            self._waiting.task_done()

    def _tell(self, channel: str, told: Resource) -> None:
        for one in list(self.abonnementen.by_uuid.values()):
            if any(channel == wanted["naam"] for wanted in one["kanalen"]):
                self.told.append(_post(one, told))


def _shown(abonnement: Resource) -> dict[str, Any]:
    return {name: value for name, value in abonnement.items() if name not in {"uuid", "auth"}}


def _post(abonnement: Resource, told: Resource) -> int:
    """Tell one callback; return its status, 0 where there is no answer."""
    where = urlsplit(abonnement["callbackUrl"])
    line = http.client.HTTPConnection(where.hostname or "", where.port, timeout=TIMEOUT_S)
    headers = {"Content-Type": "application/json", "Authorization": abonnement["auth"]}
    try:
        line.request("POST", where.path, json.dumps(told), headers)
        return line.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        line.close()
