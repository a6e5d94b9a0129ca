"""Which rpc's are commands: those that answer with a receipt.

Promises: read from the contract, so that no command can be added that needs no signature.
Source: protos/exchange/v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message


def command_path(request: type[Message]) -> str:
    """Return the path of the one rpc that takes this request; empty where that is a question."""
    described = cast("Descriptor", request.DESCRIPTOR)
    for service in described.file.services_by_name.values():
        for method in service.methods:
            if method.input_type is described and "receipt" in method.output_type.fields_by_name:
                return f"/{service.full_name}/{method.name}"
    return ""
