"""Ask the node beside this program whether it serves, as gRPC's health protocol says; exit 0 where it does.

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


def serves() -> bool:
    """Tell whether it says that it serves."""
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
                health_pb2.HealthCheckRequest(), timeout=WITHIN_S
            )
        except grpc.RpcError:
            return False
    return bool(told.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if serves() else 1)
