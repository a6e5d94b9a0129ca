"""From a resident's BSN to the organisation's pseudonym: blinded here, evaluated by the exchange, forgotten.

Promises: what leaves is a blinded element; a pseudonym is returned only with a proof that fits the public key
that came first, or that the settings name; nothing here keeps the number.
Source: RFC 9497 section 3.3.2 (VOPRF, ristretto255-SHA512); Wabb art. 10; BSN: 11-proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeGuard

from exchange.console.language import later
from exchange.console.refusals import LoginRefused
from exchange.errors import GroupElementInvalid
from exchange.keys import ristretto, voprf

if TYPE_CHECKING:
    from exchange.v1.identity_service_pb2 import EvaluateBlindedResponse

_WEIGHTS: Final = (9, 8, 7, 6, 5, 4, 3, 2, -1)
_TO_GROUP: Final = b"HashToGroup-" + voprf.context(voprf.Mode.VOPRF)


class Blinding:
    """One number on its way; used once."""

    def __init__(self, bsn: object) -> None:
        """Blind a BSN. Raises LoginRefused for what is none."""
        if not is_bsn(bsn):
            raise LoginRefused("NO_BSN", later("De aanmelding gaf geen geldig burgerservicenummer door."))
        self._scalar = ristretto.scalar_random()
        hashed = ristretto.from_uniform(voprf.expand(bsn.encode("ascii"), _TO_GROUP))
        self.blinded = ristretto.multiply(self._scalar, hashed)

    def pseudonym(self, answer: EvaluateBlindedResponse, pins: Pins) -> bytes:
        """Return the pseudonym, 32 bytes. Raises LoginRefused where the answer is not proven."""
        given = [self.blinded]
        second = answer.second_public_key
        proven = len(answer.evaluated_elements) == 1
        if second:
            between = list(answer.intermediate_elements)
            proven = proven and len(between) == 1
            proven = proven and voprf.is_proved(second, given, between, answer.second_proof)
            given = between
        proven = proven and voprf.is_proved(
            answer.public_key, given, list(answer.evaluated_elements), answer.proof
        )
        if not proven or not pins.holds((answer.public_key, *((second,) if second else ()))):
            raise LoginRefused(
                "NOT_PROVEN", later("De dienst kon niet bewijzen wie u bent. Probeer het later.")
            )
        inverse = ristretto.scalar_invert(self._scalar)
        try:
            element = ristretto.multiply(inverse, answer.evaluated_elements[0])
        except GroupElementInvalid:
            raise LoginRefused("NOT_PROVEN", later("De dienst kon niet bewijzen wie u bent.")) from None
        return _tagged(element, max(1, answer.generation))


class Pins:
    """The keys the exchange showed first: another one would change every pseudonym unseen."""

    def __init__(self) -> None:
        self._pinned: tuple[bytes, ...] = ()  # owned by the event loop

    def holds(self, shown: tuple[bytes, ...]) -> bool:
        """Tell whether these are the keys seen before; the first ones are."""
        if not self._pinned:
            self._pinned = shown
        return self._pinned == shown


def is_bsn(told: object) -> TypeGuard[str]:
    """Tell whether this is nine digits that pass the 11-proof."""
    if not isinstance(told, str) or len(told) != len(_WEIGHTS) or not told.isascii() or not told.isdigit():
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, told, strict=True))
    return told != "000000000" and total % 11 == 0


def _tagged(element: bytes, generation: int) -> bytes:
    """Return an element with the key's generation, modulo 4, in two bits that are zero in each (RFC 9496)."""
    tag = (generation - 1) % 4
    number = int.from_bytes(element, "little") | tag & 1 | tag >> 1 << 255
    return number.to_bytes(ristretto.ELEMENT_BYTES, "little")
