"""Ed25519 public keys under which anybody can sign: what no policy and no file of signers takes.

Under a point of small order a signature needs no secret: one made once verifies for one text in eight, or
for every text. RFC 8032 leaves it open whether a verifier takes such keys, and OpenSSL does.
Promises: looks at the bytes alone, in a microsecond. Under a key that passes its holder alone can sign, if
perhaps in more ways than one: where a key is registered, the door asks for the prime-order subgroup.
Source: RFC 8032 section 5.1.3 (decoding); "Taming the many EdDSAs", IACR ePrint 2020/1244, sections 3 and 4.
"""

from __future__ import annotations

from typing import Final

_FIELD: Final = 2**255 - 19
_ABSCISSA_SIGN: Final = 1 << 255
# The eight points of small order have five ordinates: of order 8 these two, of order 4 nought, then -1 and 1.
_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset({_ORDER_8, _FIELD - _ORDER_8, 0, _FIELD - 1, 1})


def is_anybodys(public: bytes) -> bool:
    """Tell whether these 32 bytes are a point of small order, or not the one spelling of their ordinate."""
    ordinate = int.from_bytes(public, "little") & ~_ABSCISSA_SIGN
    return ordinate >= _FIELD or ordinate in _SMALL_ORDER
