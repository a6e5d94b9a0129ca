"""From a BSN to the organisation's own pseudonym, through the exchange, which learns neither.

Promises: what leaves is a blinded element; a pseudonym is returned only when the exchange proved that it used
the key pinned in `pin`, and the second party, where the key is split over two, the one pinned beside it; the
pin is filled by the operator beforehand or, failing that, at the first use, and never changed here; a BSN is
held in memory under a keyed hash only, and neither it nor a pseudonym is logged.
Source: RFC 9497 section 3.3.2 (VOPRF); `blinding.py`.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import rbcl

from adapters.sdk.blinding import (
    Blinder,
    BlindingRefused,
    blind_with,
    remove_blinding,
    tagged,
    verify_proof,
)
from adapters.sdk.errors import PseudonymRefused
from adapters.sdk.pins import PinRefused, read_pin, write_pin
from exchange.v1.identity_service_pb2 import NO_CASE_REASON_FIND_CASE, NO_CASE_REASON_UNSPECIFIED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from adapters.sdk.blinding import BlindingState
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.calls import Awaiting, Blocking, IdentityCalls
    from exchange.v1.common_pb2 import Claim
    from exchange.v1.identity_service_pb2 import EvaluateBlindedResponse, NoCaseReason

BATCH_MAX: Final = 100  # the contract's own limit
CACHED_MAX: Final = 10_000


class Pseudonyms:
    """Pseudonyms of one organisation at one exchange; `pin` is the file of that organisation's public key.

    Keeps up to `cached_max` of them in memory. Safe between threads.
    """

    def __init__(self, pin: Path, *, cached_max: int = CACHED_MAX) -> None:
        self._pin: Final = pin
        self._cached_max: Final = cached_max
        # A plain hash of a BSN can be turned back by trying all of them; this key dies with the process.
        self._cache_key: Final = secrets.token_bytes(32)
        self._lock: Final = threading.Lock()
        self._cache: Final[OrderedDict[bytes, bytes]] = OrderedDict()  # owned by whoever holds the lock

    def of(
        self,
        identity: IdentityCalls[Blocking],
        claim: Claim,
        bsns: Sequence[Bsn],
        *,
        case_id: str = "",
        reason: NoCaseReason.ValueType = NO_CASE_REASON_FIND_CASE,
    ) -> list[bytes]:
        """Return the pseudonyms, 32 bytes each, in order. Raises PseudonymRefused and what the call does.

        Recorded at the exchange under the case, where one is named, else under the reason.
        """
        found, missing = self._look_up(bsns)
        for batch in _batches(missing):
            blinded = _blinded(batch)
            answer = identity.evaluate_blinded(
                claim=claim,
                blinded_elements=[one.blinded for one in blinded],
                case_id=case_id,
                no_case_reason=NO_CASE_REASON_UNSPECIFIED if case_id else reason,
            )
            found.update(self._unblinded(batch, blinded, answer))
        return [found[bsn] for bsn in bsns]

    async def of_async(
        self,
        identity: IdentityCalls[Awaiting],
        claim: Claim,
        bsns: Sequence[Bsn],
        *,
        case_id: str = "",
        reason: NoCaseReason.ValueType = NO_CASE_REASON_FIND_CASE,
    ) -> list[bytes]:
        """Do what `of` does, with the asyncio client."""
        found, missing = self._look_up(bsns)
        for batch in _batches(missing):
            blinded = _blinded(batch)
            answer = await identity.evaluate_blinded(
                claim=claim,
                blinded_elements=[one.blinded for one in blinded],
                case_id=case_id,
                no_case_reason=NO_CASE_REASON_UNSPECIFIED if case_id else reason,
            )
            found.update(self._unblinded(batch, blinded, answer))
        return [found[bsn] for bsn in bsns]

    def forget(self, bsn: Bsn) -> None:
        """Drop a pseudonym from memory: part of a purge."""
        with self._lock:
            self._cache.pop(self._slot(bsn), None)

    def _look_up(self, bsns: Sequence[Bsn]) -> tuple[dict[Bsn, bytes], list[Bsn]]:
        found: dict[Bsn, bytes] = {}
        with self._lock:
            for bsn in bsns:
                kept = self._cache.get(self._slot(bsn))
                if kept is not None:
                    self._cache.move_to_end(self._slot(bsn))
                    found[bsn] = kept
        missing = [bsn for bsn in dict.fromkeys(bsns) if bsn not in found]
        return found, missing

    def _unblinded(
        self, batch: Sequence[Bsn], blinded: Sequence[BlindingState], answer: EvaluateBlindedResponse
    ) -> Mapping[Bsn, bytes]:
        evaluated = answer.evaluated_elements
        if len(evaluated) != len(blinded):
            raise PseudonymRefused("the exchange answered another number of elements than it was asked")
        shown = self._pinned(answer)
        try:
            _verify(answer, [state.blinded for state in blinded])
        except BlindingRefused as refused:
            raise PseudonymRefused(str(refused)) from None
        # Pinned only now: a key that proved nothing is no key to hold on to.
        write_pin(self._pin, shown)
        # Another thread may have pinned first.
        self._pinned(answer)
        found = {
            bsn: tagged(remove_blinding(state, element), max(1, answer.generation))
            for bsn, state, element in zip(batch, blinded, evaluated, strict=True)
        }
        with self._lock:
            for bsn, pseudonym in found.items():
                self._cache[self._slot(bsn)] = pseudonym
            while len(self._cache) > self._cached_max:
                self._cache.popitem(last=False)
        return found

    def _pinned(self, answer: EvaluateBlindedResponse) -> tuple[bytes, ...]:
        """Return the keys the answer shows, which are the pinned ones, if any. Raises PseudonymRefused."""
        second = (answer.second_public_key,) if answer.second_public_key else ()
        shown = (answer.public_key, *second)
        try:
            pinned = read_pin(self._pin)
        except PinRefused as refused:
            raise PseudonymRefused(str(refused)) from None
        # Also where one of two is gone: who holds both halves at once could try every BSN.
        if pinned and pinned != shown:
            raise PseudonymRefused(
                f"the exchange shows another public key than {self._pin.name} holds: every pseudonym would "
                "change; ask its operator before replacing the file"
            )
        return shown

    def _slot(self, bsn: Bsn) -> bytes:
        return hmac.digest(self._cache_key, bsn.reveal().encode("ascii"), sha256)


def _batches(bsns: Sequence[Bsn]) -> Iterator[Sequence[Bsn]]:
    for start in range(0, len(bsns), BATCH_MAX):
        yield bsns[start : start + BATCH_MAX]


def _blinded(batch: Sequence[Bsn]) -> list[BlindingState]:
    return [
        blind_with(bsn.reveal().encode("ascii"), rbcl.crypto_core_ristretto255_scalar_random())[1]
        for bsn in batch
    ]


def _verify(answer: EvaluateBlindedResponse, blinded: list[bytes]) -> None:
    """Raise BlindingRefused unless each party's proof fits what it was given and gave."""
    given = blinded
    if answer.second_public_key:
        given = list(answer.intermediate_elements)
        if len(given) != len(blinded):
            raise BlindingRefused("the second party answered another number of elements than it was asked")
        Blinder(answer.second_public_key)
        verify_proof(answer.second_public_key, zip(blinded, given, strict=True), answer.second_proof)
    # Looks at the key itself: under the neutral element any answer would seem proven.
    Blinder(answer.public_key)
    verify_proof(answer.public_key, zip(given, answer.evaluated_elements, strict=True), answer.proof)
