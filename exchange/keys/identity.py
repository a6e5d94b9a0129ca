"""Who is who without a BSN: each organisation its own pseudonyms, one root behind them.

With H a hash to the group, k the exchange's key and s_o the share of organisation o:
root = k·H(BSN), pseudonym of o = s_o·root. The exchange sees blinded elements, pseudonyms and roots only.
Promises: an organisation can verify that it was answered with its own key; pseudonyms of two organisations
cannot be joined without this floor's master secret; malformed elements are refused, and so, by name and
without looking anybody up, is a pseudonym of an earlier generation of the key.
Source: RFC 9497 (VOPRF, ristretto255-SHA512) with key s_o·k; LEDGER design section 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from exchange.errors import KeyUnavailable, PseudonymOutdated
from exchange.keys import ristretto, voprf
from exchange.keys.database import LeastRecentlyUsed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.keys.links import LinkStore

MASTER_BYTES: Final = 32
# Two bits of an element's canonical encoding are always zero (RFC 9496 section 4.3.2: the number is below
# 2**255 and even); a pseudonym holds the generation of its key there, and the first generation shows nothing.
GENERATIONS_TOLD_APART: Final = 4
_LOW_BIT: Final = 0x01
_HIGH_BIT: Final = 0x80
CACHED_ORGANISATIONS_MAX: Final = 4_096
CACHED_PSEUDONYMS_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The answer to one blinded element: s_o·k times it (32 bytes) and a DLEQ proof (64 bytes)."""

    element: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class _Share:
    """What one organisation's requests need; the repr shows none of it."""

    scalar: bytes
    inverse: bytes
    whole: voprf.KeyPair

    def __repr__(self) -> str:
        return "_Share(hidden)"


def secret_name(generation: int) -> str:
    """Return under which name the master secret of a generation is kept."""
    return "identity" if generation == 1 else f"identity-{generation}"


def tagged(element: bytes, generation: int) -> bytes:
    """Return an element as a pseudonym of this generation."""
    tag = (generation - 1) % GENERATIONS_TOLD_APART
    first, last = element[0] | (tag & _LOW_BIT), element[-1] | (tag >> 1) * _HIGH_BIT
    return bytes((first,)) + element[1:-1] + bytes((last,))


class IdentityKeys:
    """All identity keys of a generation, derived from one master secret of 32 bytes. Safe between threads."""

    def __init__(self, master: bytes, generation: int = 1) -> None:
        if len(master) != MASTER_BYTES:
            raise KeyUnavailable("the identity master secret has 32 bytes", found_bytes=str(len(master)))
        self.generation: Final = generation
        self._master: Final = master
        self._root: Final = self._scalar(b"exchange/identity/1/root")
        self._lock: Final = Lock()
        self._shares: Final[LeastRecentlyUsed[str, _Share]] = LeastRecentlyUsed(CACHED_ORGANISATIONS_MAX)

    def evaluate(self, oin: str, blinded: bytes) -> Evaluation:
        """Answer one blinded element of the organisation. Raises GroupElementInvalid. About 0.6 ms."""
        batch = voprf.blind_evaluate_proved(self._share(oin).whole, (blinded,))
        return Evaluation(batch.elements[0], batch.proof)

    def evaluate_batch(self, oin: str, blinded: Sequence[bytes]) -> voprf.BatchEvaluation:
        """Answer many elements with one proof over all. Raises GroupElementInvalid, RequestTooLarge."""
        return voprf.blind_evaluate_proved(self._share(oin).whole, blinded)

    def public_key(self, oin: str) -> bytes:
        """Return the element the organisation checks proofs against; it must reach it out of band."""
        return self._share(oin).whole.public

    def root(self, oin: str, pseudonym: bytes) -> bytes:
        """Return the root behind a pseudonym of this organisation.

        Raises GroupElementInvalid, PseudonymOutdated.
        """
        return ristretto.multiply(self._share(oin).inverse, self._untagged(pseudonym))

    def pseudonym_for(self, oin: str, root: bytes) -> bytes:
        """Return the organisation's pseudonym of a root. Raises GroupElementInvalid."""
        element = ristretto.multiply(self._share(oin).scalar, ristretto.element(root))
        return tagged(element, self.generation)

    def translate(self, source_oin: str, target_oin: str, pseudonym: bytes) -> bytes:
        """Return the target's pseudonym of whom the source names by `pseudonym`, without making the root."""
        factor = ristretto.scalar_multiply(self._share(target_oin).scalar, self._share(source_oin).inverse)
        return tagged(ristretto.multiply(factor, self._untagged(pseudonym)), self.generation)

    def step_to(self, other: IdentityKeys) -> bytes:
        """Return the scalar that takes each root under these keys to the same resident's under others.

        Whoever has it and one generation's roots has the other's: it is used and forgotten.
        """
        return ristretto.scalar_multiply(other._root, ristretto.scalar_invert(self._root))

    def _untagged(self, pseudonym: bytes) -> bytes:
        if len(pseudonym) != ristretto.ELEMENT_BYTES:
            return ristretto.element(pseudonym)
        first, last = pseudonym[0] & ~_LOW_BIT, pseudonym[-1] & ~_HIGH_BIT
        element = ristretto.element(bytes((first,)) + pseudonym[1:-1] + bytes((last,)))
        if tagged(element, self.generation) != pseudonym:
            raise PseudonymOutdated("this pseudonym was made with another generation of the identity key")
        return element

    def _share(self, oin: str) -> _Share:
        with self._lock:
            share = self._shares.get(oin)
            if share is None:
                scalar = self._scalar(b"exchange/identity/1/organisation/" + oin.encode())
                whole = ristretto.scalar_multiply(scalar, self._root)
                pair = voprf.KeyPair(whole, ristretto.multiply_base(whole))
                share = _Share(scalar, ristretto.scalar_invert(scalar), pair)
                self._shares.put(oin, share)
            return share

    def _scalar(self, use: bytes) -> bytes:
        # 64 bytes reduced modulo a 253-bit order: bias below 2**-250, zero as unlikely as a guessed key.
        uniform = HKDF(algorithm=SHA512(), length=64, salt=None, info=use).derive(self._master)
        return ristretto.scalar_from_uniform(uniform)


class IdentityResolver:
    """From an organisation's pseudonym to the resident ref and back. Safe between threads."""

    def __init__(
        self, keys: IdentityKeys, links: LinkStore, *, cached_pseudonyms_max: int = CACHED_PSEUDONYMS_MAX
    ) -> None:
        self.keys: Final = keys
        self._links: Final = links
        self._lock: Final = Lock()
        self._refs: Final[LeastRecentlyUsed[tuple[str, bytes], str]] = LeastRecentlyUsed(
            cached_pseudonyms_max
        )
        self._erasures = 0  # owned by the holder of _lock

    def resolve(self, oin: str, pseudonym: bytes) -> str | None:
        """Return the ref, or None for an unknown resident. Raises GroupElementInvalid, KeyUnavailable."""
        with self._lock:
            ref = self._refs.get((oin, pseudonym))
            erasures = self._erasures
        if ref is None:
            ref = self._links.resolve(self.keys.root(oin, pseudonym))
            self._remember(oin, pseudonym, ref, erasures)
        return ref

    def link(self, oin: str, pseudonym: bytes, resident_ref: str) -> str:
        """Bind the resident behind a pseudonym to a ref, durably; the first ref wins and is returned."""
        erasures = self._erasures
        winner = self._links.link(self.keys.root(oin, pseudonym), resident_ref)
        self._remember(oin, pseudonym, winner, erasures)
        return winner

    def pseudonym_of(self, oin: str, resident_ref: str) -> bytes | None:
        """Return the organisation's pseudonym of a linked resident, for a delivery; None without link."""
        root = self._links.root_of(resident_ref)
        return None if root is None else self.keys.pseudonym_for(oin, root)

    def forget(self, resident_ref: str) -> bool:
        """Remove the link at erasure; tell whether there was one. The resident gets a new ref afterwards."""
        found = self._links.forget(resident_ref)
        self.drop(resident_ref)
        return found

    def drop(self, resident_ref: str) -> None:
        """Forget here what another process removed."""
        with self._lock:
            self._erasures += 1
            self._refs.drop(lambda _, ref: ref == resident_ref)

    def _remember(self, oin: str, pseudonym: bytes, ref: str | None, erasures: int) -> None:
        with self._lock:
            # An answer read before an erasure must not enter the cache after it.
            if ref is not None and erasures == self._erasures:
                self._refs.put((oin, pseudonym), ref)
