"""Every link taken to new halves of the identity key, both at once, with the second party's help.

With root = k1·k2·H(BSN): each root goes blinded to the second party, comes back times k2'/k2 with a proof,
and is multiplied by k1'/k1 here. Neither learns the other's step. Promises: what was taken over is on disk,
batch by batch, so that whoever ends in the middle goes on behind it; until all are, the former links hold.
Source: RFC 9497; LEDGER design section 6 (k = k1·k2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.keys import ristretto
from exchange.keys.half_renewal import STEP_ELEMENTS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.keys.links import LinkStore


def take_over(
    links: LinkStore,
    target: bytes,
    own_step: bytes,
    second_step: Callable[[Sequence[bytes]], Sequence[bytes]],
    batch: int = STEP_ELEMENTS_MAX,
) -> int:
    """Take over each link that was not yet, for this `target`; return how many that were.

    `second_step` takes blinded elements over at the second party, its proof checked. Whatever it raises ends
    this, and what was done stays.
    """
    done, after = 0, b""
    while rows := links.not_renewed(target, after, batch):
        # A new blind for each root: what stands behind it, or that it is one seen before, is told to nobody.
        blinds = [ristretto.scalar_random() for _ in rows]
        stepped = second_step(
            [ristretto.multiply(blind, row.root) for blind, row in zip(blinds, rows, strict=True)]
        )
        factors = [ristretto.scalar_multiply(own_step, ristretto.scalar_invert(blind)) for blind in blinds]
        links.renew(
            target,
            [
                (ristretto.multiply(factor, element), row.resident_ref)
                for factor, element, row in zip(factors, stepped, rows, strict=True)
            ],
        )
        done, after = done + len(rows), rows[-1].ref_mac
    return done
