"""A caller of the administration port: HTTPS with a client certificate, JSON in, JSON out."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapters.sdk.credentials import Credentials
from adapters.sdk.tokens import PersonTokens

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sdk.tokens import Person

EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
SEARCH = "/access/v1/search/"
RECORDS = "/decision-log/v1/records"
CONFIGURATION = "/.well-known/authzen-configuration"
TIMEOUT_S = 20
# A question of w-1 about himself, and a plan that is nowhere.
ASKED: dict[str, Any] = {
    "subject": {"type": "professional", "id": "w-1"},
    "action": {"name": "READ"},
    "resource": {"type": "plan", "id": "5f3c9d1e-6a52-4c0e-9b1f-0d8a7e6c5b4a"},
}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: Any


class Web:
    """One connection of one organisation, and of one person where there is one."""

    def __init__(self, port: int, folder: Path, person: Person | None = None) -> None:
        self.context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        self.context.load_cert_chain(str(folder / "client.pem"), str(folder / "client.key"))
        self.port = port
        self._connection = http.client.HTTPSConnection(
            "localhost", port, context=self.context, timeout=TIMEOUT_S
        )
        self.headers: dict[str, str] = {}
        if person is not None:
            tokens = PersonTokens(Credentials.load(folder), time.time)
            self.headers["Authorization"] = f"Bearer {tokens.token_for(person)}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        self._connection.request(method, path, body, {**self.headers, **(headers or {})})
        answer = self._connection.getresponse()
        raw = answer.read()
        told = {name.lower(): value for name, value in answer.getheaders()}
        is_json = told.get("content-type", "").startswith(("application/json", "application/problem+json"))
        return Reply(answer.status, told, json.loads(raw) if is_json and raw else raw)

    def post(self, path: str, body: Any, **headers: str) -> Reply:  # noqa: ANN401 -- any JSON
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = json.dumps(body).encode()
        return self.ask("POST", path, raw, {"Content-Type": "application/json", **named})

    def get(self, path: str) -> Reply:
        return self.ask("GET", path)

    def close(self) -> None:
        self._connection.close()
