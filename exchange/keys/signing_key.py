"""Ed25519 public keys from outside: which are taken.

Promises: only the canonical encoding of a point of the prime-order subgroup, other than its identity. On
Python numbers, for public keys alone, about 2 ms: the check in the libsodium that comes with rbcl lets pass a
sum with the point of order two.
Source: RFC 8032 section 5.1 (curve, encoding), 5.1.3 (decoding), 5.1.4 (addition).
"""

from __future__ import annotations

from typing import Final

KEY_BYTES: Final = 32
_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_1: Final = pow(2, (_P - 1) // 4, _P)
_SIGN: Final = 1 << 255

_Point = tuple[int, int, int, int]  # extended coordinates X, Y, Z, T
_NEUTRAL: Final[_Point] = (0, 1, 1, 0)


def is_signing_key(encoded: bytes) -> bool:
    """Tell whether these bytes do as a signing key: under any other, one signature can fit many messages."""
    if len(encoded) != KEY_BYTES:
        return False
    point = _decoded(int.from_bytes(encoded, "little"))
    return point is not None and not _is_neutral(point) and _is_neutral(_times(point, _ORDER))


def _decoded(number: int) -> _Point | None:
    y, odd = number % _SIGN, number >= _SIGN
    if y >= _P:
        return None
    above, below = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = above * pow(below, 3, _P) * pow(above * pow(below, 7, _P), (_P - 5) // 8, _P) % _P
    if below * x * x % _P == -above % _P:
        x = x * _ROOT_OF_MINUS_1 % _P
    if below * x * x % _P != above or (x == 0 and odd):
        return None
    if x % 2 != odd:
        x = _P - x
    return x, y, 1, x * y % _P


def _sum(one: _Point, other: _Point) -> _Point:
    a, b = (one[1] - one[0]) * (other[1] - other[0]), (one[1] + one[0]) * (other[1] + other[0])
    c, d = 2 * _D * one[3] * other[3], 2 * one[2] * other[2]
    e, f, g, h = (b - a) % _P, (d - c) % _P, (d + c) % _P, (b + a) % _P
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(point: _Point, scalar: int) -> _Point:
    total, power = _NEUTRAL, point
    while scalar:
        if scalar % 2:
            total = _sum(total, power)
        power, scalar = _sum(power, power), scalar // 2
    return total


def _is_neutral(point: _Point) -> bool:
    return point[0] == 0 and point[1] == point[2]
