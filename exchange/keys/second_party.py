"""The second party's half of the identity key, and what it gives of it in a day.

With k = k1·k2 the exchange holds k1 and this party k2: a pseudonym is s_o·k1·k2·H(BSN), and neither can try a
BSN without the other. That holds only while this party counts for itself: the exchange, or who took it over,
could ask for one BSN after the other. Promises: counted on disk before anything is evaluated.
Source: RFC 9497 (VOPRF); LEDGER design section 6.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from exchange.errors import QuotaExceeded
from exchange.keys import ristretto, voprf
from exchange.keys.database import open_database, refusals, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.databases.place import Place

_USE: Final = b"exchange/identity/1/second-party"


def half_of(secret: bytes) -> voprf.KeyPair:
    """Return the half of the identity key that follows from a secret of 32 bytes."""
    uniform = HKDF(algorithm=SHA512(), length=64, salt=None, info=_USE).derive(secret)
    scalar = ristretto.scalar_from_uniform(uniform)
    return voprf.KeyPair(scalar, ristretto.multiply_base(scalar))


class SecondPartyKey:
    """Evaluates under k2, at most so many elements in a UTC day. Safe between threads."""

    def __init__(
        self, secret: bytes, place: Place, elements_per_day_max: int, now: Callable[[], datetime]
    ) -> None:
        self._pair: Final = half_of(secret)
        self._elements_per_day_max: Final = elements_per_day_max
        self._now: Final = now
        self._lock: Final = Lock()
        self._connection: Final = open_database(place)  # owned by the holder of _lock

    @property
    def public_key(self) -> bytes:
        """The key its proofs are checked against, 32 bytes: give it to the exchange out of band."""
        return self._pair.public

    def evaluate(self, blinded: Sequence[bytes]) -> voprf.BatchEvaluation:
        """Count, then evaluate with a proof over all. Raises GroupElementInvalid, QuotaExceeded."""
        for element in blinded:
            ristretto.element(element)
        self._count(len(blinded))
        return voprf.blind_evaluate_proved(self._pair, blinded)

    def used(self, day: str) -> int:
        """Return how many elements were evaluated on a UTC day."""
        with self._lock, refusals():
            row: tuple[int] | None = self._connection.execute(
                "SELECT elements FROM evaluated WHERE day = ?", (day,)
            ).fetchone()
        return 0 if row is None else row[0]

    def close(self) -> None:
        """Close the count."""
        with self._lock:
            self._connection.close()

    def _count(self, elements: int) -> None:
        now = self._now()
        with self._lock, transaction(self._connection):
            counted = self._connection.execute(
                "INSERT INTO evaluated VALUES (?, ?) ON CONFLICT (day) DO"
                " UPDATE SET elements = evaluated.elements + excluded.elements"
                " WHERE evaluated.elements + excluded.elements <= ?",
                (now.date().isoformat(), elements, self._elements_per_day_max),
            ).rowcount
            if not counted or elements > self._elements_per_day_max:
                raise QuotaExceeded(
                    "the second party gives no more today",
                    retry_after_ms=_ms_to_next_day(now),
                    limit="second_party_per_day",
                )


def _ms_to_next_day(now: datetime) -> int:
    next_day = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
    return int((next_day - now).total_seconds() * 1_000) + 1
