"""Ask the node beside this program whether it lives, or with `ready` whether it can serve; exit 0 where so.

As gRPC's health protocol says: the overall name is the process's, a service's name follows what the node can
do. Who restarts a node asks whether it lives: a store that is away is no reason to. Who sends it calls asks
whether it is ready.
The door asks everybody for a certificate, so a kubelet cannot ask it. This shows one of the authority's that
nobody has registered: it comes through TLS to the health service, and no further.
Environment: HEALTH_TARGET (`127.0.0.1:8443`), HEALTH_NAME (a name in the node's certificate, where the target
is none), HEALTH_FOLDER with `authority.pem`, `client.pem`, `client.key` (`/etc/exchange/health`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

WITHIN_S = 4.0
ALIVE = ""
READY = "exchange.v1.PlanService"  # as any other of its services: all of them say the same


def serves(service: str) -> bool:
    """Tell whether it says so of a service."""
    folder = Path(os.environ.get("HEALTH_FOLDER", "/etc/exchange/health"))
    authority, key, certificate = (
        (folder / name).read_bytes() for name in ("authority.pem", "client.key", "client.pem")
    )
    name = os.environ.get("HEALTH_NAME", "")
    options = (("grpc.ssl_target_name_override", name),) if name else ()
    with grpc.secure_channel(
        os.environ.get("HEALTH_TARGET", "127.0.0.1:8443"),
        grpc.ssl_channel_credentials(authority, key, certificate),
        options,
    ) as channel:
        try:
            told = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=service), timeout=WITHIN_S
            )
        except grpc.RpcError:
            return False
    return bool(told.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["ready"]):
        sys.exit("say `ready`, or nothing")
    sys.exit(0 if serves(READY if sys.argv[1:] else ALIVE) else 1)
