"""One field of one event, shown by one salt: checked by who was shown it, under his own policy.

Promises: shares no code with the service; takes a name and a value only where the leaf the log proves holds
the commitment to both; says nothing of any other field.
Source: adapters/README.md; RFC 8785 (JSON); `trust.py`.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from adapters.sdk.proofs import ProofRefused
from adapters.sdk.trust import Trust, trusting

SALT_BYTES: Final = 32
SHOWN_CHARACTERS_MAX: Final = 512 * 1024
PLACE: Final = "field"


@dataclass(frozen=True, slots=True)
class ProvenField:
    """What is proven: at this leaf, of this event, recorded then, the field had this value."""

    index: int
    topic: str
    at: str
    name: str
    value: object


def show_field(name: str, value: object, salt: bytes, entry: bytes, proof: str) -> str:
    """Return a field as it is given to who may see it, and only to him: `verify_field` reads it.

    `entry` is the leaf, `proof` the `.tlog-proof` the ledger gives of it, and `salt` 32 bytes, as a consent
    receipt tells them. Raises ProofRefused for a proof without index line.
    """
    header, _, rest = proof.partition("\n")
    if rest.startswith("extra "):
        rest = rest.partition("\n")[2]
    index, separator, _ = rest.removeprefix("index ").partition("\n")
    if not separator or not rest.startswith("index ") or not index.isdecimal():
        raise ProofRefused("receipt", "has no index line")
    whole = f"{header}\nextra {b64encode(entry).decode('ascii')}\n{rest}"
    shown = {"index": int(index), "name": name, "value": value, "salt": salt.hex(), "tlog_proof": whole}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def verify_field(shown: str, trust: Trust | str) -> ProvenField:
    """Return what a shown field proves under a policy, or under one log's key. Raises ProofRefused."""
    said = _object(shown)
    index = trusting(trust).verify_receipt(None, said["tlog_proof"])
    if index != said["index"]:
        raise ProofRefused(PLACE, "is shown at another leaf than its receipt")
    # Carried by the receipt, and the very bytes that were proven.
    extra = said["tlog_proof"].split("\n", 2)[1].removeprefix("extra ")
    leaf = _leaf_of(b64decode(extra))
    try:
        spoken = json.dumps([said["name"], said["value"]], ensure_ascii=False, separators=(",", ":"))
        commitment = sha256(b"fc1\0" + _salt(said["salt"]) + spoken.encode())
    except (UnicodeEncodeError, RecursionError):
        raise ProofRefused(PLACE, "holds a value that has no JSON in UTF-8") from None
    if commitment.hexdigest() not in leaf["f"]:
        raise ProofRefused(PLACE, "is not committed to in its leaf: another name, value or salt")
    return ProvenField(index, str(leaf["t"]), str(leaf["at"]), said["name"], said["value"])


def _leaf_of(entry: bytes) -> dict[str, Any]:
    try:
        leaf = json.loads(entry)
    except (ValueError, RecursionError):
        leaf = None
    if not isinstance(leaf, dict) or not {"t", "at", "f"} <= leaf.keys() or not isinstance(leaf["f"], list):
        raise ProofRefused(PLACE, "stands under a leaf that commits to no field")
    return leaf


def _object(shown: str) -> dict[str, Any]:
    try:
        said = json.loads(shown) if len(shown) <= SHOWN_CHARACTERS_MAX else None
    except (ValueError, RecursionError):
        said = None
    wanted = {"index": int, "name": str, "salt": str, "tlog_proof": str}
    if not isinstance(said, dict) or said.keys() != wanted.keys() | {"value"}:
        raise ProofRefused(PLACE, "is not JSON with index, name, value, salt and tlog_proof")
    if any(type(said[key]) is not kind for key, kind in wanted.items()):
        raise ProofRefused(PLACE, "has a part of another kind")
    return said


def _salt(text: str) -> bytes:
    try:
        salt = bytes.fromhex(text)
    except ValueError:
        salt = b""
    if len(salt) != SALT_BYTES:
        raise ProofRefused(PLACE, "has a salt that is not 32 bytes")
    return salt
