"""The organisation's signature under each command, and the look at the receipt that comes back.

Promises: signed are the bytes that are sent, with the key beside the certificate they are sent with; a
receipt is taken only when its leaf carries this very request and this very signature. Shares no code with
the service.
Source: RFC 8032 (Ed25519), RFC 4648 section 4 (base64); adapters/README.md says what is signed.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from adapters.sdk.errors import ReceiptRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.sdk.credentials import Credentials
    from adapters.sdk.tokens import Person
    from exchange.v1.common_pb2 import Receipt

SIGNATURE_KEY: Final = "x-exchange-signature"
_REQUEST_TAG: Final = "exchange.v1 request"
_COMMAND_TAG: Final = "exchange.v1 command"


class Signature(NamedTuple):
    """As the leaf carries them: the request's hash in hexadecimal, the signature in base64, OIN and task."""

    request: str
    signature: str
    oin: str
    task: str


def sign(credentials: Credentials, rpc_path: str, person: Person, raw: bytes) -> Signature:
    """Sign a request as it is sent: which rpc, by whom, in which task. The same bytes give the same again."""
    head = f"{_REQUEST_TAG}\n{rpc_path}\n{person.professional}\n".encode()
    request = sha256(head + raw).hexdigest()
    statement = f"{_COMMAND_TAG}\n{credentials.oin}\n{person.task}\n{request}\n".encode()
    signature = b64encode(credentials.signing_key.sign(statement)).decode("ascii")
    return Signature(request, signature, credentials.oin, person.task)


def require_own(receipt: Receipt, signatures: Sequence[Signature]) -> None:
    """Raise ReceiptRefused unless the leaf of this receipt carries one of `signatures`, of this very call."""
    leaf = _leaf_of(receipt.leaf_entry)
    found = Signature(*(str(leaf.get(key)) for key in ("rq", "sig", "a", "k")))
    if found in signatures:
        return
    if any(found.request == mine.request for mine in signatures):
        raise ReceiptRefused("the leaf of this command carries another signature, or another signer", receipt)
    raise ReceiptRefused("the leaf of this receipt is not of the command that was signed here", receipt)


def _leaf_of(entry: bytes) -> dict[str, Any]:
    try:
        leaf = json.loads(entry)
    except ValueError:
        leaf = None
    return leaf if isinstance(leaf, dict) else {}
