"""Ed25519 public keys under which anybody can sign: what no register, policy or file of signers takes.

Under a point of small order a signature needs no secret: one made once verifies for one text in eight, or
for every text. RFC 8032 leaves it open whether a verifier takes such keys, and OpenSSL does.
Promises: pure; looks at the bytes alone; says of no key that its holder keeps it well.
Source: RFC 8032 section 5.1.3 (decoding); "Taming the many EdDSAs", IACR ePrint 2020/1244, sections 3 and 4.
"""

from typing import Final

from exchange.domain.shape import FINE, hash_fault

KEY_BYTES: Final = 32
_FIELD: Final = 2**255 - 19
_ABSCISSA_SIGN: Final = 1 << 255
# The eight points of small order have five ordinates: of order 8 these two, of order 4 nought, then -1 and 1.
_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset({_ORDER_8, _FIELD - _ORDER_8, 0, _FIELD - 1, 1})


def is_anybodys(public: bytes) -> bool:
    """Tell whether these 32 bytes are a point of small order, or not the one spelling of their ordinate."""
    ordinate = int.from_bytes(public, "little") & ~_ABSCISSA_SIGN
    return ordinate >= _FIELD or ordinate in _SMALL_ORDER


def signing_key_fault(hexadecimal: str) -> str:
    """Check the public key with which an organisation signs: 32 bytes in hexadecimal, and its own."""
    fault = hash_fault(hexadecimal)
    if not fault and is_anybodys(bytes.fromhex(hexadecimal)):
        fault = "must be a key under which not everybody can sign"
    return fault or FINE
