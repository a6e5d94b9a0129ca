"""What the exchange and the second party say to each other: one frame there, one frame back, over mutual TLS.

A frame is a length of four bytes and so many bytes. A question is what is asked (one byte) and elements of
32 bytes; an answer is a word and what belongs to it. Promises: nothing longer than the longest good frame is
read.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from exchange.errors import RequestInvalid
from exchange.keys.half_renewal import STEP_ELEMENTS_MAX
from exchange.keys.ristretto import ELEMENT_BYTES
from exchange.keys.voprf import PROOF_BYTES

EVALUATE: Final = b"\x01"
STEP: Final = b"\x02"
LENGTH_BYTES: Final = 4
ELEMENTS_MAX: Final = 100
FRAME_BYTES_MAX: Final = 1 + ELEMENTS_MAX * ELEMENT_BYTES + PROOF_BYTES
WAIT_BYTES: Final = 8


class Word(IntEnum):
    """How the second party answers."""

    EVALUATED = 0  # elements, then the proof
    NO_ELEMENT = 1
    OVER_QUOTA = 2  # milliseconds to the next day, eight bytes
    MALFORMED = 3
    FAILED = 4
    STEPPED = 5  # the step's public element, elements, then the proof
    NO_STEP = 6  # no renewal was begun, or as much was taken over as its operator allowed


def framed(content: bytes) -> bytes:
    """Return a frame."""
    assert len(content) <= FRAME_BYTES_MAX, "a longer frame is never read"
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def length_of(head: bytes) -> int:
    """Return how many bytes follow. Raises RequestInvalid for more than a frame may have."""
    length = int.from_bytes(head, "big")
    if not 1 <= length <= FRAME_BYTES_MAX:
        raise RequestInvalid("this is no frame between the parties", bytes=str(length))
    return length


def elements_of(content: bytes) -> tuple[bytes, ...]:
    """Return the elements of a question, not looked at. Raises RequestInvalid."""
    asked, body = content[:1], content[1:]
    if asked not in {EVALUATE, STEP} or not body or len(body) % ELEMENT_BYTES:
        raise RequestInvalid("this is no question between the parties")
    elements = tuple(body[at : at + ELEMENT_BYTES] for at in range(0, len(body), ELEMENT_BYTES))
    if asked == STEP and len(elements) > STEP_ELEMENTS_MAX:
        raise RequestInvalid("a step takes over fewer elements", most=str(STEP_ELEMENTS_MAX))
    return elements
