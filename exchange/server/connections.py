"""What the doors of gRPC bear of connections: how many, how long one may say nothing, what may wait on them.

Promises: connections leave files for what the service opens itself; who does not end his handshake, or calls
nothing, is hung up on; who keeps his line alive is not taken for a flood; a call that waits to be taken in is
told nothing before it is, so that whatever is refused is refused by us, with its details.
Source: gRPC channel arguments; gRFC A8 (client keepalive), A9 (connection management of servers); RFC 9113.
"""

from __future__ import annotations

from typing import Final

from exchange.server.parts import ANSWER_BYTES_MAX, CUT_OFF_BYTES

METADATA_BYTES_MAX: Final = 16 * 1024
# A node adds the caller's certificate to what it sends on, in base64 of PEM; a chain is no part of it.
NODE_METADATA_BYTES_MAX: Final = 2 * METADATA_BYTES_MAX
CONCURRENT_CALLS_PER_CONNECTION_MAX: Final = 1_024
# gRPC takes calls in one by one. Of those that wait it would end some as CANCELLED, from a thousand on by
# chance: a caller cannot tell that from an outcome of ours, and nothing says when to come back.
CALLS_WAITING_MAX: Final = 16_384
HANDSHAKE_MS: Final = 10_000
IDLE_MS: Final = 15 * 60 * 1_000
KEEPALIVE_MS: Final = 30_000
# Clients are told ten seconds; what is sent ten seconds apart does not always come ten seconds apart.
PING_MS_MIN: Final = 5_000

Options = tuple[tuple[str, int], ...]


def options(connections_max: int, *, metadata_bytes_max: int = METADATA_BYTES_MAX) -> Options:
    """Return the arguments of a door that bears so many connections, of any age, at a time."""
    return (
        ("grpc.max_receive_message_length", CUT_OFF_BYTES),
        ("grpc.max_send_message_length", ANSWER_BYTES_MAX),
        ("grpc.max_metadata_size", metadata_bytes_max),
        ("grpc.max_concurrent_streams", CONCURRENT_CALLS_PER_CONNECTION_MAX),
        ("grpc.server.max_pending_requests", CALLS_WAITING_MAX),
        ("grpc.server.max_pending_requests_hard_limit", CALLS_WAITING_MAX),
        ("grpc.max_allowed_incoming_connections", connections_max),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
        ("grpc.max_connection_idle_ms", IDLE_MS),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", PING_MS_MIN),
        ("grpc.so_reuseport", 0),
    )
