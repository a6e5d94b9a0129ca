"""The second party's half renewed, on its own side: a next half, and the step from one to the other.

With k2 the half that holds and k2' the next, the step is k2'/k2. This party never gives it away: it takes
blinded roots over, and proves that each met the scalar that makes the one public key of the other. Promises:
so many elements in all as its operator allowed, counted on disk before any is taken over, for whoever stole
the former half could try BSNs by them; the former half is destroyed only when as many were taken over.
Source: RFC 9497 section 2.2 (DLEQ); NIST SP 800-57 part 1 section 5.3; LEDGER design section 6.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.errors import RuleBroken
from exchange.keys import ristretto, voprf
from exchange.keys.database import open_database, refusals, scrub, transaction
from exchange.keys.links import SET
from exchange.keys.second_party import half_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.databases.place import Place

STEP_ELEMENTS_MAX: Final = 99  # with the step's public element they fill the longest frame
_GENERATION: Final = "half-generation"
_ALLOWED: Final = "half-renewal-allowed"
_TAKEN: Final = "half-renewal-taken"


class Stepped(NamedTuple):
    """Elements taken over, in order; the step's public element; a proof over former key and all of them."""

    elements: tuple[bytes, ...]
    public: bytes
    proof: bytes


def half_name(generation: int) -> str:
    """Return under which name the secret of a half is kept."""
    return "identity-second-party" if generation == 1 else f"identity-second-party-{generation}"


def is_stepped(former: bytes, following: bytes, blinded: Sequence[bytes], answer: Stepped) -> bool:
    """Tell whether each element met the scalar that takes the public key `former` to `following`.

    The two keys are the first pair of the batch, so that one proof of RFC 9497 binds them and all others.
    """
    if len(answer.elements) != len(blinded):
        return False
    return voprf.is_proved(answer.public, (former, *blinded), (following, *answer.elements), answer.proof)


class HalfBook:
    """Which half holds, and how far its renewal is; in the second party's own key database. Thread-safe."""

    def __init__(self, place: Place) -> None:
        self._lock: Final = Lock()
        self._connection: Final = open_database(place)  # owned by the holder of _lock

    def generation(self) -> int:
        """Return which half holds, from 1."""
        with self._lock, refusals():
            return self._number(_GENERATION) or 1

    def allowed(self) -> int | None:
        """Return how many elements may be taken over in all; None while no renewal was begun."""
        with self._lock, refusals():
            return self._number(_ALLOWED)

    def taken(self) -> int:
        """Return how many were."""
        with self._lock, refusals():
            return self._number(_TAKEN) or 0

    def begin(self, elements: int) -> None:
        """Allow so many elements to be taken over in all; said again, the last word holds."""
        with self._lock, transaction(self._connection):
            self._put(_ALLOWED, elements)

    def count(self, elements: int) -> None:
        """Count elements on what is allowed. Raises RuleBroken beyond it, and where nothing was begun."""
        with self._lock, transaction(self._connection):
            allowed, taken = self._number(_ALLOWED), self._number(_TAKEN) or 0
            if allowed is None:
                raise RuleBroken("no renewal of this half was begun", rule="NO_RENEWAL")
            if taken + elements > allowed:
                raise RuleBroken("no more is taken over than was allowed", rule="RENEWAL_ALLOWED")
            self._put(_TAKEN, taken + elements)

    def finish(self, links: int) -> int:
        """Let the next half hold and destroy the former, in one transaction; return which holds.

        Raises RuleBroken where nothing was begun, or fewer than `links` were taken over: the exchange would
        lose everybody else.
        """
        with self._lock:
            with transaction(self._connection):
                generation = self._number(_GENERATION) or 1
                if self._number(_ALLOWED) is None:
                    raise RuleBroken("no renewal of this half was begun", rule="NO_RENEWAL")
                if (self._number(_TAKEN) or 0) < links:
                    raise RuleBroken("fewer links than these were taken over", rule="NOT_TAKEN_OVER")
                self._put(_GENERATION, generation + 1)
                self._connection.execute(
                    "DELETE FROM identity_setting WHERE name IN (?, ?)", (_ALLOWED, _TAKEN)
                )
                self._connection.execute("DELETE FROM secret WHERE name = ?", (half_name(generation),))
            scrub(self._connection)
        return generation + 1

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _number(self, name: str) -> int | None:
        row: tuple[bytes] | None = self._connection.execute(
            "SELECT value FROM identity_setting WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else int(row[0])

    def _put(self, name: str, number: int) -> None:
        self._connection.execute(SET, (name, str(number).encode()))


class HalfStep:
    """Takes blinded elements from one half to the next. Safe between threads."""

    def __init__(self, former: bytes, following: bytes, book: HalfBook) -> None:
        before, after = half_of(former), half_of(following)
        step = ristretto.scalar_multiply(after.secret, ristretto.scalar_invert(before.secret))
        self._former: Final = before.public
        self._pair: Final = voprf.KeyPair(step, ristretto.multiply_base(step))
        self._book: Final = book

    def step(self, blinded: Sequence[bytes]) -> Stepped:
        """Count, then take over with a proof. Raises GroupElementInvalid, RuleBroken."""
        for element in blinded:
            ristretto.element(element)
        self._book.count(len(blinded))
        batch = voprf.blind_evaluate_proved(self._pair, (self._former, *blinded))
        return Stepped(batch.elements[1:], self._pair.public, batch.proof)
