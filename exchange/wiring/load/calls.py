"""The calls of the load: a question for twelve fields and a command, made and signed beforehand.

Promises: what is sent is what the contract asks of any organisation: a person token bound to the certificate,
and under each command the organisation's own signature over its bytes. A command stands on the version before
it, which one caller of one plan knows without asking.
Source: RFC 7519, RFC 8705 (the person token); RFC 8032 (Ed25519); design of the ledger, section 2.
"""

from __future__ import annotations

import json
import time
import uuid
from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from exchange.ledger.signers import command_statement, request_hash
from exchange.server.caller.signatures import METADATA_KEY as SIGNATURE_KEY
from exchange.server.caller.tokens import AUDIENCE, METADATA_KEY
from exchange.v1 import common_pb2
from exchange.v1.batch_service_pb2 import BatchedCommand, SendCommandsRequest, SendCommandsResponse
from exchange.v1.plan_service_pb2 import DescribeSituationRequest, GetPlanRequest
from exchange.v1.subscription_service_pb2 import SubscribeRequest
from exchange.wiring.bench_plan import PATHS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

READ: Final = "/exchange.v1.PlanService/GetPlan"
WRITE: Final = "/exchange.v1.PlanService/DescribeSituation"
BATCH: Final = "/exchange.v1.BatchService/SendCommands"
FOLLOW: Final = "/exchange.v1.SubscriptionService/Subscribe"
FOLLOWED: Final = ("situations.description", "situations.score", "version")
PROFESSIONAL: Final = "bench"
TASK: Final = "college:WMO"
TOKEN_S: Final = 900
HEARTBEAT_S: Final = 60
WORDS: Final = "Wil weer onder de mensen komen en dan aan het werk."
NECESSITY: Final = "Nodig voor het onderzoek; niet op minder ingrijpende wijze te verkrijgen"
# A plan has one situation in each: after these it grows no more, and every answer is as long as the last.
DOMAINS: Final = (
    common_pb2.LIFE_DOMAIN_SOCIAL_NETWORK,
    common_pb2.LIFE_DOMAIN_HOUSING,
    common_pb2.LIFE_DOMAIN_FINANCE,
)

Headers = tuple[tuple[str, str], ...]


class Call(NamedTuple):
    """One call, ready to be sent. No two of one plan are under way at once."""

    path: str
    raw: bytes
    headers: Headers
    plan: str


def person_token(folder: Path, oin: str, thumbprint: str) -> str:
    """Return the token of the one who asks, signed with the key in an organisation's folder."""
    now, bound = int(time.time()), urlsafe_b64encode(bytes.fromhex(thumbprint)).rstrip(b"=").decode()
    claims = {
        "iss": oin,
        "sub": PROFESSIONAL,
        "task": TASK,
        "role": "regisseur",
        "acr": "2fa",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + TOKEN_S,
        "cnf": {"x5t#S256": bound},
    }
    return jwt.encode(claims, _signing_key(folder), algorithm="EdDSA")


def _signing_key(folder: Path) -> Any:  # noqa: ANN401 -- one of many kinds of private key
    return load_pem_private_key((folder / "signing.key").read_bytes(), None)


class Organisation:
    """Makes calls in the name of the organisation whose credentials lie in a folder."""

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "organisation.json").read_text(encoding="utf-8"))
        self._oin: Final[str] = about["oin"]
        self._key: Final = _signing_key(folder)
        self._token: Final = (METADATA_KEY, person_token(folder, self._oin, about["thumbprint"]))

    def read(self, plan_id: str) -> Call:
        """Return a question for twelve fields of a plan."""
        request = GetPlanRequest(claim=_claim(), plan_id=plan_id, fields=PATHS)
        return Call(READ, request.SerializeToString(), (self._token,), plan_id)

    def write(self, plan_id: str, version: int) -> Call:
        """Return a command on a plan that has a version: to describe one of three life domains anew."""
        request = DescribeSituationRequest(
            request_id=str(uuid.uuid4()),
            claim=_claim(),
            plan_id=plan_id,
            expected_version=version,
            life_domain=DOMAINS[version % len(DOMAINS)],
            description=WORDS,
            strengths=WORDS,
            score=1 + version % 5,
            judge_date="2026-03-02",
        )
        raw = request.SerializeToString()
        signed = self._key.sign(command_statement(self._oin, TASK, request_hash(WRITE, PROFESSIONAL, raw)))
        return Call(WRITE, raw, (self._token, (SIGNATURE_KEY, b64encode(signed).decode("ascii"))), plan_id)

    def follow(self, cursor: int) -> Call:
        """Return a subscription to what happens after a position."""
        request = SubscribeRequest(
            claim=_claim(), fields=FOLLOWED, cursor=cursor, heartbeat_seconds=HEARTBEAT_S
        )
        return Call(FOLLOW, request.SerializeToString(), (self._token,), "")


def batch(calls: Sequence[Call]) -> Call:
    """Return one call that brings these commands of one person."""
    request = SendCommandsRequest(
        commands=[
            BatchedCommand(rpc=one.path, request=one.raw, signature=b64decode(one.headers[1][1]))
            for one in calls
        ]
    )
    return Call(BATCH, request.SerializeToString(), calls[0].headers[:1], "")


def refuse_refusals(raw: bytes) -> None:
    """Raise ValueError where a command of a batch was refused."""
    for outcome in SendCommandsResponse.FromString(raw).outcomes:
        if outcome.WhichOneof("outcome") != "response":
            raise ValueError("a command of a batch was refused")


def _claim() -> common_pb2.Claim:
    return common_pb2.Claim(
        purpose=common_pb2.PURPOSE_WMO_ONDERZOEK,
        legal_basis="WMO-2.3.2",
        necessity=common_pb2.Necessity(text=NECESSITY),
    )
