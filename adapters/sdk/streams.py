"""The calls with many answers: they are opened and read, not called.

`client.open_export(STREAM_LOG, StreamLogRequest(…))` reads one that ends by itself; a subscription has a room
of its own. Source: protos/exchange/v1.
"""

from __future__ import annotations

from typing import Any, Final

from adapters.sdk.calls import SUBSCRIBE, Rpc
from exchange.v1 import audit_service_pb2 as audit

STREAM_LOG: Final = Rpc(audit.StreamLogRequest, audit.StreamLogResponse)
STREAM_PACK: Final = Rpc(audit.StreamPackRequest, audit.StreamPackResponse)
STREAMS: Final[tuple[Rpc[Any, Any], ...]] = (SUBSCRIBE, STREAM_LOG, STREAM_PACK)
