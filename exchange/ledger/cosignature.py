"""What a cosignature signs: the two message formats, on Ed25519 and on ML-DSA-44.

Promises: a message is made for a text that is exactly the three lines of a checkpoint in their one spelling,
or not at all; what is signed under ML-DSA-44 names its signer, the log, the size and the root.
Source: c2sp.org/tlog-cosignature (types 0x04 and 0x06), RFC 8446 section 3 (encoding).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

TIME_BYTES: Final = 8
TIME_MAX: Final = 2**63 - 1
ML_DSA_44_SIGNATURE_BYTES: Final = 2_420
ML_DSA_44_PUBLIC_BYTES: Final = 1_312
_LABEL: Final = b"subtree/v1\n\0"
_HASH_BYTES: Final = 32
_NAME_BYTES_MAX: Final = 255


def timed_text(time_s: int, text: str) -> bytes:
    """Return what type 0x04 signs: a header, the time, and the whole text of the note."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def whole_tree(name: str, time_s: int, text: str) -> bytes | None:
    """Return what type 0x06 signs for the checkpoint in `text`, from leaf 0 to its size.

    None where the text is no checkpoint of three lines, or a name is too long for the format.
    """
    origin, _, rest = text.partition("\n")
    size_text, _, root_text = rest.partition("\n")
    try:
        size, root = int(size_text), b64decode(root_text.rstrip("\n"), validate=True)
    except ValueError:  # binascii.Error is one
        return None
    # Whatever was read leniently gives another text when it is written again.
    if f"{origin}\n{size}\n{b64encode(root).decode()}\n" != text:
        return None
    names = (name.encode(), origin.encode())
    if not all(1 <= len(one) <= _NAME_BYTES_MAX for one in names):
        return None
    if not 0 <= size <= TIME_MAX or not 0 <= time_s <= TIME_MAX or len(root) != _HASH_BYTES:
        return None
    cosigner, log = (bytes([len(one)]) + one for one in names)
    return b"".join((_LABEL, cosigner, _u64(time_s), log, _u64(0), _u64(size), root))


def split_time(signature: bytes, signature_bytes: int) -> tuple[int, bytes] | None:
    """Return time and signature of a `timestamped_signature`; None where its length or time is wrong."""
    time_s = int.from_bytes(signature[:TIME_BYTES], "big")
    if len(signature) != TIME_BYTES + signature_bytes or time_s > TIME_MAX:
        return None
    return time_s, signature[TIME_BYTES:]


def with_time(time_s: int, signature: bytes) -> bytes:
    """Return a `timestamped_signature`."""
    return _u64(time_s) + signature


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "big")
