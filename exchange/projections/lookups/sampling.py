"""A sample that nobody steers and anybody can redo, and how likely it finds what is there.

Promises: pure; which accesses are drawn follows from the ids of a month's decisions and from the root of the
log at the first decision after that month: nobody knew it while he looked, and it is under every later
checkpoint. Chances are exact for drawing without putting back.
Source: the hypergeometric distribution; RFC 6962 section 2.1 (the root);
exchange/decisions/0135-a-sample-nobody-steers.md.
"""

from __future__ import annotations

from hashlib import sha256
from heapq import nsmallest
from math import ceil, comb
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_PURPOSE: Final = b"exchange.v1 lookups sample 1"
# Of the accesses of a month, in thousandths, that are unlawful: 1 %, 0.5 % and 0.1 %.
RATES_THOUSANDTHS: Final = (10, 5, 1)
_THOUSAND: Final = 1_000


class Anchor(NamedTuple):
    """The log at one size: its name, how many leaves, and their root of 32 bytes."""

    origin: str
    size: int
    root: bytes


def seed_of(anchor: Anchor, organisation: str, month: str) -> bytes:
    """Return the 32 bytes that draw one organisation's month: each part on a line of its own."""
    said = (anchor.origin, str(anchor.size), anchor.root.hex(), organisation, month)
    return sha256(b"\n".join((_PURPOSE, *(part.encode() for part in said)))).digest()


def draw(decision_ids: Iterable[str], count: int, seed: bytes) -> tuple[str, ...]:
    """Return `count` of them, or all: those with the smallest hash under the seed, in that order."""
    return tuple(nsmallest(count, set(decision_ids), key=lambda one: sha256(seed + one.encode()).digest()))


def chance_of_one(population: int, count: int, rate_thousandths: int) -> float:
    """Return the chance that one unlawful access at least is drawn, at a rate that is rounded up to one."""
    unlawful = ceil(population * rate_thousandths / _THOUSAND)
    drawn = min(count, population)
    if not drawn:
        return 0.0
    return 1 - comb(population - unlawful, drawn) / comb(population, drawn)
