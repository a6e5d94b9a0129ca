"""A whole audit pack, checked by the second verifier: every entry, every tile, the root, the signed manifest.

Shares no code with the exchange and is written for who reads it: the tree is built level by level from the
entries, and each tile is held against it. Promises: what is wrong raises ProofRefused, naming the place;
every byte of the file is held against the one form a pack has, so that no header, gap or second directory
shows anything else to whoever opens it with other software.
Source: C2SP tlog-tiles; RFC 6962 section 2.1; the manifest is a C2SP signed note by the log.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from adapters.sdk.members import Members
from adapters.sdk.openings import opens_a_log, read_opening
from adapters.sdk.proofs import (
    HASH_BYTES,
    ProofRefused,
    hash_of_text,
    leaf_hash,
    plain_number,
    split_note,
    verify_consistency,
)
from adapters.sdk.trust import ML_DSA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from adapters.sdk.openings import Opening
    from adapters.sdk.proofs import Checkpoint
    from adapters.sdk.trust import Trust, Witnessed

WIDTH: Final = 256
LEAF_BYTES_MAX: Final = 1024
BESIDE_BYTES_MAX: Final = 1024 * 1024
MANIFEST_BYTES_MAX: Final = 16 * 1024 * 1024
_STAMP: Final = re.compile(r"timestamp/[1-9][0-9]{0,18}/(?:checkpoint|token\.tsr)")
_CONSISTENCY: Final = re.compile("consistency")
_PAGE: Final = re.compile(r"verify\.html")
_SECOND: Final = re.compile(r"manifest\.mldsa")
_WORDS: Final = frozenset(["a", "at", "b", "ct", "f", "id", "k", "p", "ps", "rq", "sig", "t", "v"])


def verify_pack(
    file: Path, trust: Trust, kept: str | None = None, *, former: Path | None = None
) -> Witnessed:
    """Return the checkpoint of a pack that holds; `kept` is the note of a checkpoint from an earlier audit.

    `former` is the pack of the log before, which this one must begin over the end of. Raises ProofRefused.
    """
    before = None if former is None else _read(former, trust, None)
    pack = _read(file, trust, kept)
    if before is not None:
        pack.require_follows(before)
    return pack.found


def verify_packs(files: Sequence[Path], trust: Trust) -> list[tuple[int, Checkpoint]]:
    """Return the number of the first leaf and the checkpoint of every log of a shard, oldest first.

    `files` are a pack of each; the first log followed no other, each later one begins over the end of the one
    before. So no leaf up to the last checkpoint is in none of them. Raises ProofRefused.
    """
    found: list[tuple[int, Checkpoint]] = []
    before: _Pack | None = None
    for file in files:
        pack = _read(file, trust, None)
        if before is not None:
            pack.require_follows(before)
        elif pack.opening is not None:
            raise ProofRefused("opening", f"names {pack.opening.former.origin}, of which no pack was shown")
        first = 0 if pack.opening is None else pack.opening.first
        found.append((first, pack.found.checkpoint))
        before = pack
    return found


def _read(file: Path, trust: Trust, kept: str | None) -> _Pack:
    try:
        with file.open("rb") as opened:
            pack = _Pack(Members(opened))
            pack.verify(trust, kept)
    except (OSError, UnicodeError):
        raise ProofRefused("pack", "is no readable zip file") from None
    return pack


class _Pack:
    def __init__(self, members: Members) -> None:
        self._members = members
        self._listed: list[str] = []
        self.found: Witnessed  # once it was verified
        self.opening: Opening | None = None  # how this log began, where another came before it

    def _next(self, name: str, most: int) -> bytes:
        content = self._members.next(name, most)
        self._listed.append(f"{sha256(content).hexdigest()} {len(content)} {name}\n")
        return content

    def _is_next(self, name: re.Pattern[str]) -> str:
        found = self._members.name_of_next()
        return found if name.fullmatch(found) else ""

    def require_follows(self, before: _Pack) -> None:
        """Raise ProofRefused unless this log began where the one of that pack ended."""
        ended = before.found.checkpoint
        if self.opening is None or self.opening.former != ended:
            raise ProofRefused("opening", "names another end of the former log than its pack")
        if self.opening.first != ended.size + (before.opening.first if before.opening else 0):
            raise ProofRefused("opening", "names another first leaf than the former pack leads to")

    def verify(self, trust: Trust, kept: str | None) -> None:
        self.found = trust.verify(self._next("checkpoint", BESIDE_BYTES_MAX).decode())
        head = self.found.checkpoint
        tiles = {name: self._next(name, width * HASH_BYTES) for name, width in _names(head.size, "tiles")}
        leaves: list[bytes] = []
        first = b""
        for name, width in _names(head.size, "entries"):
            bundle = self._next(name, width * (2 + LEAF_BYTES_MAX))
            first = first or bundle[2 : 2 + int.from_bytes(bundle[:2], "big")]
            leaves += _leaves(bundle, width, name)
        _require_tiles(leaves, tiles)
        if _root(leaves) != head.root:
            raise ProofRefused("root", "is not that of the entries")
        if opens_a_log(first):
            event = self._next("opening", BESIDE_BYTES_MAX)
            self.opening = read_opening(event, first, head.origin)
        if name := self._is_next(_CONSISTENCY):
            self._consistency(leaves, head.root, self._next(name, BESIDE_BYTES_MAX).decode())
        while name := self._is_next(_STAMP):
            self._next(name, BESIDE_BYTES_MAX)
        if name := self._is_next(_PAGE):
            self._next(name, BESIDE_BYTES_MAX)
        self._next("LEESMIJ.txt", BESIDE_BYTES_MAX)
        self._manifest(trust, head.origin, seconded=self._second(trust, head.origin))
        if kept is not None:
            known = trust.verify(kept).checkpoint
            size = known.size
            if self.opening is not None and known == self.opening.former:
                return
            if (
                known.origin != head.origin
                or not 1 <= size <= head.size
                or _root(leaves[:size]) != known.root
            ):
                raise ProofRefused("kept checkpoint", "is not the beginning of this log")

    def _consistency(self, leaves: list[bytes], root: bytes, text: str) -> None:
        place = "consistency"
        first, *lines = text.removesuffix("\n").split("\n")
        if not text.endswith("\n") or not first.startswith("since "):
            raise ProofRefused(place, "is no consistency proof")
        size = plain_number(first.removeprefix("since "), place)
        proof = [hash_of_text(line, place) for line in lines]
        if not 1 <= size <= len(leaves):
            raise ProofRefused(place, "begins at a size the log does not have")
        verify_consistency(size, len(leaves), proof, _root(leaves[:size]), root)

    def _second(self, trust: Trust, origin: str) -> bool:
        """Tell whether the log's key on ML-DSA-44, if it is known, signed the list of the members before."""
        asked = [key for key in trust.witnesses.values() if key.name == origin]
        known = {
            key.key_id: key for key in (*trust.logs, *asked) if key.name == origin and key.kind == ML_DSA
        }
        listed = f"audit-pack/v1 {origin}\n" + "".join(self._listed)
        digest = b64encode(sha256(listed.encode()).digest()).decode()
        expected = f"audit-pack/v1 {origin}\n{len(self._listed)}\n{digest}\n"
        name = self._is_next(_SECOND)
        if not name:
            if asked:
                raise ProofRefused("manifest.mldsa", "is missing, and the policy asks the log's second key")
            return False
        text, signatures = split_note(self._next(name, BESIDE_BYTES_MAX).decode())
        if text != expected or [one for one, _ in signatures] != [origin]:
            raise ProofRefused(name, "is not the log's signature over the members before it")
        material = signatures[0][1]
        if known and material[:4] not in known:
            raise ProofRefused(name, "is signed by another key")
        if known:
            known[material[:4]].signed_at(text, material[4:])
        return bool(known)

    def _manifest(self, trust: Trust, origin: str, *, seconded: bool) -> None:
        expected = f"audit-pack/v1 {origin}\n" + "".join(self._listed)
        text, signatures = split_note(self._next("manifest", MANIFEST_BYTES_MAX).decode(), MANIFEST_BYTES_MAX)
        if text != expected:
            raise ProofRefused("manifest", "does not name exactly what is in the pack")
        self._members.require_end()
        keys = {
            (key.name, key.key_id): key for key in trust.logs if key.name == origin and key.kind != ML_DSA
        }
        ((name, material),) = signatures if len(signatures) == 1 else [("", b"")]
        if not keys and seconded and name:
            return
        if (name, material[:4]) not in keys:
            raise ProofRefused("manifest", "is not signed by the log alone")
        keys[name, material[:4]].signed_at(text, material[4:])


def _names(size: int, which: str) -> list[tuple[str, int]]:
    """Return (name, width) of the files of a tree of `size`: all hash tiles, or all entry bundles."""
    if which == "entries":
        return _row("entries", size)
    names, level = [], 0
    while size:
        names += _row(str(level), size)
        level, size = level + 1, size // WIDTH
    return names


def _row(level: str, count: int) -> list[tuple[str, int]]:
    found = []
    for index in range(-(-count // WIDTH)):
        width = min(WIDTH, count - index * WIDTH)
        thousands, rest = divmod(index, 1000)
        path = f"{rest:03d}"
        while thousands:
            thousands, rest = divmod(thousands, 1000)
            path = f"x{rest:03d}/{path}"
        found.append((f"tile/{level}/{path}" + (f".p/{width}" if width < WIDTH else ""), width))
    return found


def _leaves(bundle: bytes, width: int, name: str) -> list[bytes]:
    """Return the hashes of the entries of a bundle, each of which is a leaf in its one spelling."""
    hashes, at = [], 0
    for _ in range(width):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        entry = bundle[at + 2 : end]
        if at + 2 > len(bundle) or end > len(bundle) or not _is_leaf(entry):
            raise ProofRefused(name, "holds what is no leaf")
        hashes.append(leaf_hash(entry))
        at = end
    if at != len(bundle):
        raise ProofRefused(name, "is longer than its entries")
    return hashes


def _is_leaf(entry: bytes) -> bool:
    try:
        said = json.loads(entry)
        again = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(said, dict)
        and said.keys() <= _WORDS
        and ("rq" in said) == ("sig" in said)
        and said.get("v") == 1
        and again == entry
        and len(entry) <= LEAF_BYTES_MAX
    )


def _require_tiles(leaves: Sequence[bytes], tiles: dict[str, bytes]) -> None:
    level, row = 0, list(leaves)
    while row:
        groups = [row[at : at + WIDTH] for at in range(0, len(row), WIDTH)]
        for (name, _), group in zip(_row(str(level), len(row)), groups, strict=True):
            if tiles[name] != b"".join(group):
                raise ProofRefused(name, "holds other hashes than the entries give")
        level, row = level + 1, [_root(group) for group in groups if len(group) == WIDTH]


def _root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over hashes: pairs, and the odd one out goes up as it is."""
    row = list(hashes)
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else []
        pairs = zip(row[::2], row[1::2], strict=False)
        row = [sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return row[0]
