"""Checks that an answer on access leaves out nothing the log holds: a scan with the resident's own key.

`complete(covered, size, entries, keys, checkpoint)`; over the logs of several years `complete_over_years`,
which takes nobody's word for where a log begins. Promises: the entries are all the log signed for, or it is
refused: who serves fewer is found. A leaf of the resident that the answer does not name is told by its index.
What a scan shows to whoever does it (who recorded, when, on what ground) is the resident's own.
It shares no code with the exchange.
Source: GDPR 15; the design of the ledger, sections 2 and 4; RFC 6962 section 2.1; RFC 2104; C2SP tlog-tiles.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile, ZipFile

from adapters.sdk.packs import verify_packs
from adapters.sdk.proofs import ProofRefused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from adapters.sdk.proofs import Checkpoint
    from adapters.sdk.trust import Trust

KEY_BYTES: Final = 32
PSEUDONYM_BYTES: Final = 16
LENGTH_BYTES: Final = 2
ENTRIES_PER_BUNDLE: Final = 256
_ENTRIES: Final = "tile/entries/"
_NAME_BASE: Final = 1000


@dataclass(frozen=True, slots=True)
class Completeness:
    """What a scan shows beside an answer; indexes in order."""

    missing: tuple[int, ...]  # leaves of the resident that the answer does not name
    foreign: tuple[int, ...]  # leaves that the answer names and the key does not find

    @property
    def holds(self) -> bool:
        """Tell whether answer and scan name the same leaves."""
        return not self.missing and not self.foreign


def complete(
    covered: Collection[int],
    size: int,
    entries: Iterable[bytes],
    keys: Sequence[bytes],
    checkpoint: Checkpoint,
    *,
    first: int = 0,
    ended: bool = False,
) -> Completeness:
    """Compare an answer that covers the leaves below `size` with a scan of a whole log.

    `entries` are those of the verified checkpoint, all of them, in order. Where a shard has a log for each
    year, this is asked of each: `first` is the number of the log's first leaf, `ended` that another log
    follows it; both are the caller's word, and with packs `complete_over_years` proves them. Raises
    ProofRefused(entries) where the entries are others, or where the checkpoint is older than the answer, and
    ProofRefused(scanning key).
    """
    stop = first + checkpoint.size
    if size > stop and not ended:
        raise ProofRefused("checkpoint", "is older than the answer: take a newer one")
    tree = _Tree()
    found: set[int] = set()
    for number, entry in enumerate(entries, first):
        tree.add(sha256(b"\0" + entry).digest())
        if number < size and is_of(entry, keys):
            found.add(number)
    if tree.size != checkpoint.size or tree.root() != checkpoint.root:
        raise ProofRefused("entries", "are not those the log signed for")
    # What is named beyond the last log is in none.
    named = {number for number in covered if first <= number and (number < stop or not ended)}
    return Completeness(tuple(sorted(found - named)), tuple(sorted(named - found)))


def complete_over_years(
    covered: Collection[int], size: int, packs: Sequence[Path], keys: Sequence[bytes], trust: Trust
) -> Completeness:
    """Compare an answer that covers the leaves below `size` with a scan of every log of a shard.

    `packs` hold one log each, oldest first; where each begins is taken from the end of the one before, and
    from nobody's word. Raises ProofRefused for a log that is left out, for packs that do not follow one
    another, and as `complete`.
    """
    logs = verify_packs(packs, trust)
    if not logs or size > logs[-1][0] + logs[-1][1].size:
        raise ProofRefused("checkpoint", "is older than the answer: take a newer one")
    found = []
    for pack, (first, head) in zip(packs, logs, strict=True):
        ended = (first, head) != logs[-1]
        entries = entries_of_pack(pack, head.size)
        found.append(complete(covered, size, entries, keys, head, first=first, ended=ended))
    return Completeness(
        tuple(number for one in found for number in one.missing),
        tuple(number for one in found for number in one.foreign),
    )


def is_of(entry: bytes, keys: Sequence[bytes]) -> bool:
    """Tell whether a leaf is of the resident whose keys these are. Raises ProofRefused."""
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ProofRefused("scanning key", "is not 32 bytes")
    try:
        leaf: Any = json.loads(entry)
        event_id, pseudonym = bytes.fromhex(leaf["id"]), leaf.get("ps")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProofRefused("entries", "hold something that is no leaf") from error
    return any(hmac.digest(key, event_id, sha256)[:PSEUDONYM_BYTES].hex() == pseudonym for key in keys)


def entries_of_pack(pack: Path, size: int) -> Iterator[bytes]:
    """Yield the entries of an audit pack of a log of this size, in order. Raises ProofRefused(pack)."""
    try:
        with ZipFile(pack) as archive:
            for start in range(0, size, ENTRIES_PER_BUNDLE):
                width = min(size - start, ENTRIES_PER_BUNDLE)
                yield from _bundle(archive.read(_name(start // ENTRIES_PER_BUNDLE, width)), width)
    except (BadZipFile, KeyError, OSError, NotImplementedError) as error:
        raise ProofRefused("pack", "does not hold every entry of the log") from error


def _name(index: int, width: int) -> str:
    """Return the member that holds a bundle: groups of three digits, all but the last begin with x."""
    groups = [f"{index % _NAME_BASE:03}"]
    while index := index // _NAME_BASE:
        groups.insert(0, f"x{index % _NAME_BASE:03}")
    return _ENTRIES + "/".join(groups) + (f".p/{width}" if width < ENTRIES_PER_BUNDLE else "")


def _bundle(content: bytes, width: int) -> Iterator[bytes]:
    place = 0
    for _ in range(width):
        length = int.from_bytes(content[place : place + LENGTH_BYTES], "big")
        entry = content[place + LENGTH_BYTES : place + LENGTH_BYTES + length]
        if not length or len(entry) != length:
            raise ProofRefused("pack", "holds a bundle that ends too early")
        yield entry
        place += LENGTH_BYTES + length
    if place != len(content):
        raise ProofRefused("pack", "holds a bundle with something behind its entries")


class _Tree:
    """The root over leaves that come one by one: complete subtrees, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        self.size += 1
        self._subtrees.append(leaf)
        # As many subtrees close as the new size has zeros at its end.
        rest = self.size
        while not rest & 1:
            right, left = self._subtrees.pop(), self._subtrees.pop()
            self._subtrees.append(sha256(b"\1" + left + right).digest())
            rest >>= 1

    def root(self) -> bytes:
        if not self._subtrees:
            return sha256(b"").digest()
        root = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            root = sha256(b"\1" + left + root).digest()
        return root
