"""The BSN as a value that is checked once and never shows itself.

Promises: a `Bsn` passed the 11-proof; no repr, str, format, pickle or error message holds its digits.
Source: Wabb art. 1; RvIG, 11-proof of the burgerservicenummer (weights 9 down to 2, then -1).
"""

from __future__ import annotations

from typing import Final, NoReturn, final

_WEIGHTS: Final = (9, 8, 7, 6, 5, 4, 3, 2, -1)
_DIGITS: Final = frozenset("0123456789")


class BsnRefused(ValueError):
    """A text is not a BSN. The message says which rule failed and never repeats the text."""


def passes_eleven_proof(digits: str) -> bool:
    """Tell whether nine digits satisfy the 11-proof and are not all zero; False for any other shape."""
    if len(digits) != len(_WEIGHTS) or not _DIGITS.issuperset(digits) or digits == "000000000":
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True))
    return total % 11 == 0


@final
class Bsn:
    """Nine digits that pass the 11-proof. `reveal()` is the only way to read them."""

    __slots__ = ("_digits",)
    _digits: str

    def __init__(self, digits: str) -> None:
        # Only ASCII digits: str.isdigit() would also take Arabic-Indic ones, which no register holds.
        if len(digits) != len(_WEIGHTS) or not _DIGITS.issuperset(digits):
            raise BsnRefused("a BSN has nine digits")
        if not passes_eleven_proof(digits):
            raise BsnRefused("this number fails the 11-proof")
        object.__setattr__(self, "_digits", digits)

    def reveal(self) -> str:
        """Return the nine digits: for blinding, for a sealed envelope and for a message the law asks for."""
        return self._digits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bsn) and self._digits == other._digits

    def __hash__(self) -> int:
        return hash((Bsn, self._digits))

    def __repr__(self) -> str:
        return "Bsn(hidden)"

    def __format__(self, format_spec: str) -> str:
        return format(repr(self), format_spec)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Bsn is never changed: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Bsn is never changed: {name}")

    def __reduce__(self) -> NoReturn:
        # A pickle would carry the digits to wherever the pickle goes.
        raise TypeError("a Bsn is never pickled or copied; use reveal() where the law asks for the digits")

    def __copy__(self) -> Bsn:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Bsn:
        return self
