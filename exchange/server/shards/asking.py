"""Asks a door whose it is: the newest checkpoint, under the shard's name, held to the key in the map.

Promises: TLS checks the name, the signature checks the log; one question, with a deadline, that reads
nothing of anybody and records nothing.
Source: c2sp.org/tlog-checkpoint; RFC 6066 section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc

from exchange.errors import ProofInvalid
from exchange.ledger.checkpoint import Policy, parse_body
from exchange.ledger.note import VerifierKey, parse_note
from exchange.server.nodes.front import reason_of
from exchange.v1 import ledger_service_pb2 as pb
from exchange.v1 import ledger_service_pb2_grpc

if TYPE_CHECKING:
    from exchange.server.shards.map import Shard

ANSWER_WAIT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, PEM: any organisation that the shard has registered."""

    authorities: bytes
    certificate: bytes
    key: bytes = field(repr=False)


def wrong_with(shard: Shard, door: str, server_name: str, caller: Caller) -> str:
    """Return what is wrong with one door under one name, empty where it is the shard's."""
    credentials = grpc.ssl_channel_credentials(caller.authorities, caller.key, caller.certificate)
    options = (("grpc.ssl_target_name_override", server_name),)
    with grpc.secure_channel(door, credentials, options) as line:
        ledger = ledger_service_pb2_grpc.LedgerServiceStub(line)
        try:
            answer = ledger.GetCheckpoint(pb.GetCheckpointRequest(), timeout=ANSWER_WAIT_S)
        except grpc.RpcError as error:
            return f"does not answer under this name as a shard does ({_said(error)})"
    return _wrong_log(shard, answer.checkpoint.encode())


def _said(error: Any) -> str:  # noqa: ANN401 -- what a call raises is a call too, and its type does not say so
    return reason_of(error) or str(error.code().name)


def _wrong_log(shard: Shard, note: bytes) -> str:
    try:
        key = VerifierKey(parse_body(parse_note(note).text).origin, shard.log_key.kind, shard.log_key.public)
        if not shard.has_log(key):
            return "is of another shard: its log has another name than the map says"
        Policy((key,), {}, {}, "").accept(note)
    except ProofInvalid:
        return "is of another shard: its log is not signed by the key in the map"
    return ""
