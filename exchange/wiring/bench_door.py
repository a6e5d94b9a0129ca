"""As a caller sees it: how long answers about sealed and about absent take, over gRPC and mutual TLS.

Promises: a whole service, on loopback, in this process; the plan of each resident is read by one professional
on the case who is no named reader, in random order, the clock held from the request to the answer; every
answer that was timed counts, and every figure is of one run.
Source: GDPR 32; the gate's design section 5 (uniform absence); RFC 7519, RFC 8705 (the person token).
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import grpc

from exchange.logs import open_log
from exchange.server.app import ExchangeServer
from exchange.server.caller.tokens import METADATA_KEY
from exchange.settings import throw_away_settings
from exchange.v1 import common_pb2
from exchange.v1.plan_service_pb2 import GetPlanRequest, GetPlanResponse
from exchange.wiring.bench_twins import ABSENT, ANOTHER, FIELDS, LINK, NECESSITY, PLAN_PATHS, SETS, Twins
from exchange.wiring.core import pipeline_of, publisher_of
from exchange.wiring.following import Following
from exchange.wiring.load.calls import person_token
from exchange.wiring.service import OPERATOR_FOLDER, config_of, door_material, parts_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from exchange.server.certificates import Material
    from exchange.settings import Settings

ROUNDS: Final = 2_000
WARM_UP: Final = 200
GET_PLAN: Final = "/exchange.v1.PlanService/GetPlan"
# By figure, of whom something is sealed; the other one is always of whom nothing is.
COMPARED: Final[Mapping[str, str]] = {
    "absence_door_fields": FIELDS,
    "absence_door_link": LINK,
    "absence_door_nothing_sealed": ANOTHER,
}


def times_at_the_door(rounds: int) -> dict[str, list[float]]:
    """Ask for everybody's plan in each round, in an order drawn anew; return the times in microseconds."""
    with TemporaryDirectory(prefix="exchange-door-") as name:
        settings = throw_away_settings(data=Path(name), port=0, metrics_port=0)
        material, thumbprint, signing_key = door_material(settings)
        twins = Twins.open(settings, thumbprint, signing_key, SETS)
        try:
            return asyncio.run(_times_us(twins, settings, material, rounds))
        finally:
            twins.core.close()


async def _times_us(
    twins: Twins, settings: Settings, material: Material, rounds: int
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {whose: [] for whose in (ABSENT, *COMPARED.values())}
    async with _served(twins, settings, material) as port, _channel(settings, port) as channel:
        ask: Any = channel.unary_unary(
            GET_PLAN,
            request_serializer=GetPlanRequest.SerializeToString,
            response_deserializer=GetPlanResponse.FromString,
        )
        token = person_token(settings.data / OPERATOR_FOLDER, settings.operator_oin, twins.thumbprint)
        metadata = ((METADATA_KEY, token),)
        for number in range(WARM_UP + rounds):
            residents = twins.turn(number).residents
            for whose in sorted(found, key=lambda _: os.urandom(4)):
                request = _question(residents[whose].plan_id)
                started = time.perf_counter()
                await ask(request, metadata=metadata)
                took = (time.perf_counter() - started) * 1e6
                if number >= WARM_UP:
                    found[whose].append(took)
    return found


@asynccontextmanager
async def _served(twins: Twins, settings: Settings, material: Material) -> AsyncIterator[int]:
    """Serve the residents; yield the port."""
    core = twins.core
    publisher, pipeline = publisher_of(core, lambda _: None), pipeline_of(core)
    following = Following(core, lambda _: None)
    parts = parts_of(core, publisher, pipeline, following)
    server = ExchangeServer(parts, config_of(settings, material), open_log(stream=StringIO()))
    await publisher.start(pipeline)
    following.start(pipeline)
    try:
        yield await server.start()
    finally:
        await server.drain(settings.drain_s)
        await pipeline.drain()
        await following.stop()
        await publisher.stop()


def _channel(settings: Settings, port: int) -> grpc.aio.Channel:
    folder = settings.data / OPERATOR_FOLDER
    ca, key, certificate = ((folder / name).read_bytes() for name in ("ca.pem", "client.key", "client.pem"))
    return grpc.aio.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(ca, key, certificate))


def _question(plan_id: str) -> GetPlanRequest:
    claim = common_pb2.Claim(
        purpose=common_pb2.PURPOSE_WMO_ONDERZOEK,
        legal_basis="WMO-2.3.2",
        necessity=common_pb2.Necessity(text=NECESSITY),
    )
    return GetPlanRequest(claim=claim, plan_id=plan_id, fields=PLAN_PATHS, allow_partial=True)
