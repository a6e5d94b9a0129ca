"""Verification of an audit pack by somebody who trusts only a policy.

Promises: every byte is read and accounted for; every tile is computed again from the entries; hostile input
gives a report that is not ok, never an exception, in bounded memory. The page and the text in the pack are
read and held against the signed manifest; where they are not those of this version, the report says so.
Source: design of the ledger, section 4; c2sp.org/tlog-tiles; RFC 9162 sections 2.1.3 and 2.1.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid
from exchange.ledger.archive import PACK_BYTES_MAX, ArchiveReader
from exchange.ledger.checkpoint import Checkpoint, Policy, parse_body, parse_policy, parse_size
from exchange.ledger.leaf import LEAF_BYTES_MAX, LEAF_IN_BUNDLE, LEAF_PATTERN
from exchange.ledger.merkle import HASH_BYTES, range_hash, verify_consistency
from exchange.ledger.note import COSIGNATURE_ML_DSA_44, ED25519, NOTE_BYTES_MAX, parse_note
from exchange.ledger.opening import OPENING_BYTES_MAX, Former, opens_a_log, read_opening
from exchange.ledger.pack import (
    CONSISTENCY,
    MANIFEST,
    OPENING,
    PAGE,
    README,
    SECOND,
    STAMPS,
    manifest_text,
    parse_consistency,
    second_text,
    shipped,
    stamp_members,
)
from exchange.ledger.tiles import (
    CHECKPOINT,
    ENTRIES,
    TILE_WIDTH,
    TreeBuilder,
    bundles_of,
    join_bundle,
    split_bundle,
    tile_path,
    tile_reader,
    tiles_of,
)
from exchange.ledger.timestamp import TOKEN_BYTES_MAX, read_token

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from exchange.ledger.signers import SignatureCheck

PROBLEMS_MAX: Final = 100
_TEXT_BYTES_MAX: Final = 64 * 1024
_PAGE_BYTES_MAX: Final = 1024 * 1024
_MANIFEST_BYTES_MAX: Final = 16 * 1024 * 1024
_SINCE: Final = "since checkpoint"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where: a member, a leaf, or a part of the file."""

    place: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict. `size`, `root` and `origin` mean something only when `ok`.

    `remarks` are no faults of the log: what an officer must know before using what rides along.
    """

    ok: bool
    size: int
    root: bytes
    origin: str
    problems: tuple[Problem, ...]
    leaves_checked: int
    bytes_checked: int
    since: int
    remarks: tuple[Problem, ...] = ()
    former: Former | None = None  # how the log before this one ended, where there was one


class _TooManyProblemsError(Exception):
    """Enough is known."""


@dataclass(slots=True)
class _Audit:
    """What is known of one pack while it is read."""

    archive: ArchiveReader
    source: BinaryIO
    policy: Policy
    signatures: SignatureCheck | None = None
    head: Checkpoint = field(default_factory=lambda: Checkpoint("", 0, b""))
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    members: list[tuple[str, int, str]] = field(default_factory=list)
    tiles: dict[str, tuple[int, str]] = field(default_factory=dict)  # name -> place in the file, SHA-256
    leaves: int = 0
    since: int = 0
    first_entry: bytes = b""
    former: Former | None = None
    seconded: bool = False  # whether the log's key on ML-DSA-44 vouches for the members

    def blame(self, place: str, what: str) -> None:
        self.problems.append(Problem(place, what))
        if len(self.problems) >= PROBLEMS_MAX:
            raise _TooManyProblemsError

    def blame_for(self, error: ProofInvalid) -> None:
        self.blame(error.metadata.get("place", "pack"), error.message)

    def member(self, name: str, size_max: int) -> bytes:
        """Read the next member and list it for the manifest."""
        content = self.archive.next(name, size_max)
        for flaw in self.archive.flaws:
            self.blame_for(flaw)
        self.archive.flaws.clear()
        self.members.append((name, len(content), sha256(content).hexdigest()))
        return content

    # --- the parts, in the order of the pack ----------------------------------------------------------

    def read_checkpoint(self) -> None:
        note = self.member(CHECKPOINT, NOTE_BYTES_MAX)
        try:
            self.head = self.policy.accept(note, CHECKPOINT)
        except ProofInvalid as error:
            self.blame_for(error)
            # Not trusted, but it still says what the pack holds: go on, to say more than "no".
            self.head = parse_body(parse_note(note, CHECKPOINT).text, CHECKPOINT)
        if self.head.size == 0:
            raise ProofInvalid("no checkpoint exists for an empty log", place=CHECKPOINT)

    def read_tiles(self) -> None:
        for level, index, width in tiles_of(self.head.size):
            name = tile_path(level, index, width)
            content = self.member(name, width * HASH_BYTES)
            self.tiles[name] = (self.source.tell() - len(content), self.members[-1][2])

    def read_entries(self) -> None:
        tree = TreeBuilder()
        hasher = sha256
        for index, width in bundles_of(self.head.size):
            name = tile_path(ENTRIES, index, width)
            bundle = self.member(name, width * (2 + LEAF_BYTES_MAX))
            entries = self.parse_entries(bundle, index, width, name)
            if index == 0:
                self.first_entry = entries[0]
            if self.signatures is not None:
                self.signatures.add(entries)
            filled = tree.add(b"".join([hasher(b"\x00" + entry).digest() for entry in entries]))
            self.leaves += width
            for tile in filled:
                self.compare_tile(*tile)
        for tile in tree.partials():
            self.compare_tile(*tile)
        if tree.root() != self.head.root:
            self.blame("root", "the entries lead to another root than the checkpoint's")

    def parse_entries(self, bundle: bytes, index: int, width: int, name: str) -> list[bytes]:
        """Return the entries of a bundle; blame each that is no leaf."""
        # One search takes all leaves of a good bundle; it is good if joining them gives the same bytes.
        entries: list[bytes] = LEAF_IN_BUNDLE.findall(bundle)
        if (
            len(entries) == width
            and max(map(len, entries)) <= LEAF_BYTES_MAX
            and join_bundle(entries) == bundle
        ):
            return entries
        entries = split_bundle(bundle, width, name)
        for at, entry in enumerate(entries):
            if LEAF_PATTERN.fullmatch(entry) is None or len(entry) > LEAF_BYTES_MAX:
                self.blame(f"leaf {index * TILE_WIDTH + at}", "the entry is not a leaf of version 1")
        return entries

    def compare_tile(self, level: int, index: int, content: bytes) -> None:
        name = tile_path(level, index, len(content) // HASH_BYTES)
        if sha256(content).hexdigest() == self.tiles[name][1]:
            return
        stored = self.read_tile(level, index, len(content) // HASH_BYTES)
        for at in range(0, len(content), HASH_BYTES):
            if content[at : at + HASH_BYTES] != stored[at : at + HASH_BYTES]:
                leaf = f" (leaf {index * TILE_WIDTH + at // HASH_BYTES})" if level == 0 else ""
                self.blame(name + leaf, "the entries give another hash than the tile holds")

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Read a tile of the pack once more; it must be what it was."""
        name = tile_path(level, index, width)
        at, digest = self.tiles[name]
        here = self.source.tell()
        self.source.seek(at)
        content = self.source.read(width * HASH_BYTES)
        self.source.seek(here)
        if sha256(content).hexdigest() != digest:
            raise ProofInvalid("the pack changed while it was read, or a tile is too short", place=name)
        return content

    def root_at(self, size: int) -> bytes:
        """Return the root of the first `size` leaves, from the tiles (compared with the entries before)."""
        return range_hash(0, size, tile_reader(self.head.size, self.read_tile))

    def read_opening(self) -> None:
        """Read what opened a log that followed another: its first leaf says that it did."""
        if not opens_a_log(self.first_entry) and self.archive.peek_name() != OPENING:
            return
        event = self.member(OPENING, OPENING_BYTES_MAX)
        try:
            self.former = read_opening(event, self.first_entry, self.head.origin, OPENING)
        except ProofInvalid as error:
            self.blame_for(error)

    def read_consistency(self) -> None:
        if self.archive.peek_name() != CONSISTENCY:
            return
        self.since, proof = parse_consistency(self.member(CONSISTENCY, _TEXT_BYTES_MAX))
        if not 1 <= self.since <= self.head.size:
            raise ProofInvalid("the proof starts at a size the log does not have", place=CONSISTENCY)
        try:
            verify_consistency(self.since, self.head.size, self.root_at(self.since), self.head.root, proof)
        except ProofInvalid as error:
            self.blame(CONSISTENCY, error.message)

    def read_stamps(self) -> None:
        """Check that each stamped checkpoint is a beginning of this log, and that its token is over it."""
        last = 0
        while (name := self.archive.peek_name()).startswith(STAMPS):
            size = parse_size(name.removeprefix(STAMPS).partition("/")[0], STAMPS)
            place, token_place = stamp_members(size)
            if size <= last:
                raise ProofInvalid("the time stamps are not in order of size", place=place)
            last = size
            note = self.member(place, NOTE_BYTES_MAX)
            token = self.member(token_place, TOKEN_BYTES_MAX)
            looked_at = place
            try:
                known = self.require_prefix(note, place)
                looked_at = token_place
                stamped = read_token(token, token_place)
            except ProofInvalid as error:
                self.blame(looked_at, error.message)
                continue
            if known.size != size or stamped.imprint != sha256(note).digest():
                self.blame(token_place, "the time stamp is over something else than the checkpoint beside it")
            said = f"says {stamped.moment}; whose word that is, was not checked: openssl ts -verify"
            self.remarks.append(Problem(token_place, said))

    def read_beside(self, name: str, size_max: int) -> None:
        """Read what rides along; the manifest holds its bytes, the remark that this version has others."""
        if self.member(name, size_max) != shipped(name):
            what = "not the one this version ships: use your own, not the one in the pack"
            self.remarks.append(Problem(name, what))

    def read_second(self) -> None:
        """Check the log's second signature over the members before it, with each key of it that is known."""
        named = [key for key in self.policy.witnesses.values() if key.name == self.head.origin]
        known = [key for key in (*self.policy.logs, *named) if key.kind == COSIGNATURE_ML_DSA_44]
        if self.archive.peek_name() == SECOND:
            text = second_text(self.head.origin, self.members)
            note = parse_note(self.member(SECOND, NOTE_BYTES_MAX), SECOND)
            self.seconded = bool(note.signers(known))
            if note.text != text or len(note.signatures) != 1 or (known and not self.seconded):
                self.seconded = False
                self.blame(SECOND, "it is not the log's second signature over the members before it")
        elif named:
            self.blame(SECOND, "the policy asks the log's key on ML-DSA-44, and it did not sign the members")

    def read_manifest(self) -> None:
        expected = manifest_text(self.head.origin, self.members)
        raw = self.archive.next(MANIFEST, _MANIFEST_BYTES_MAX)
        for flaw in self.archive.flaws:
            self.blame_for(flaw)
        note = parse_note(raw, MANIFEST, bytes_max=_MANIFEST_BYTES_MAX)
        for wanted, found in zip_longest(expected.split("\n"), note.text.split("\n"), fillvalue=""):
            if wanted != found:
                self.blame(f"manifest: {(wanted or found).rpartition(' ')[2]}", "the manifest says otherwise")
        firsts = [key for key in self.policy.logs if key.kind == ED25519 and key.name == self.head.origin]
        signed = bool(note.signers(firsts)) if firsts else self.seconded
        if len(note.signatures) != 1 or not signed:
            self.blame(MANIFEST, "the manifest is not signed by the log, and by the log alone")

    def require_prefix(self, note: bytes, place: str) -> Checkpoint:
        """Return the checkpoint in `note`, which the policy trusts and which is the beginning of this log."""
        known = self.policy.accept(note, place)
        if known.origin != self.head.origin:
            raise ProofInvalid("the kept checkpoint is of another log", place=place)
        if known.size > self.head.size:
            raise ProofInvalid("the pack is older than the kept checkpoint", place=place)
        if known.size == 0 or self.root_at(known.size) != known.root:
            raise ProofInvalid("the log no longer begins with what the kept checkpoint says", place=place)
        return known

    def require_since(self, note: bytes) -> None:
        """Hold the pack against a kept checkpoint: its beginning, or the end of the log before this one."""
        if self.former is not None and self.former.is_end(self.policy.accept(note, _SINCE)):
            return
        self.require_prefix(note, _SINCE)

    def steps(self, since_checkpoint: bytes | None) -> None:
        self.read_checkpoint()
        self.read_tiles()
        self.read_entries()
        self.read_opening()
        self.read_consistency()
        self.read_stamps()
        if self.archive.peek_name() == PAGE:  # earlier versions put no page in a pack
            self.read_beside(PAGE, _PAGE_BYTES_MAX)
        self.read_beside(README, _TEXT_BYTES_MAX)
        self.read_second()
        self.read_manifest()
        self.archive.finish()
        if since_checkpoint is not None:
            self.require_since(since_checkpoint)


def verify_pack(
    path: Path,
    policy_text: str,
    since_checkpoint: bytes | None = None,
    signatures: SignatureCheck | None = None,
) -> Report:
    """Check a pack against a policy, and against a checkpoint kept from an earlier audit.

    `signatures` looks at every entry too, and keeps its own verdict.

    Raises SettingsInvalid for a malformed policy; never for anything in the pack.
    """
    policy = parse_policy(policy_text)
    try:
        with path.open("rb") as source:
            audit = _Audit(ArchiveReader(source), source, policy, signatures)
            return _verify(audit, path.stat().st_size, since_checkpoint)
    except OSError as error:
        return _report(None, [Problem("pack", f"the file cannot be read: {type(error).__name__}")], 0)


def _verify(audit: _Audit, size: int, since_checkpoint: bytes | None) -> Report:
    if size > PACK_BYTES_MAX:
        return _report(audit, [Problem("pack", "the file is larger than a pack can be")], 0)
    problems = audit.problems
    try:
        audit.steps(since_checkpoint)
    except ProofInvalid as error:
        problems.append(Problem(error.metadata.get("place", "pack"), error.message))
    except _TooManyProblemsError:
        problems.append(Problem("pack", f"more than {PROBLEMS_MAX} problems; the rest was not read"))
    return _report(audit, problems, audit.source.tell())


def _report(audit: _Audit | None, problems: list[Problem], bytes_checked: int) -> Report:
    head = audit.head if audit else Checkpoint("", 0, b"")
    return Report(
        ok=not problems,
        size=head.size,
        root=head.root,
        origin=head.origin,
        problems=tuple(problems),
        leaves_checked=audit.leaves if audit else 0,
        bytes_checked=bytes_checked,
        since=audit.since if audit else 0,
        remarks=tuple(audit.remarks) if audit else (),
        former=audit.former if audit else None,
    )


def follow(report: Report, former: Report) -> Report:
    """Return the verdict on a pack together with that on the pack of the log before it."""
    problems = [Problem(f"former {one.place}", one.what) for one in former.problems]
    ended = Checkpoint(former.origin, former.size, former.root)
    if report.former is None:
        problems.append(Problem(OPENING, "this log followed no other"))
    elif not report.former.is_end(ended):
        problems.append(Problem(OPENING, "the log before ended otherwise than the former pack shows"))
    elif report.former.first != former.size + (former.former.first if former.former else 0):
        problems.append(Problem(OPENING, "its first leaf has another number than the former pack leads to"))
    found = report.problems + tuple(problems)
    return replace(report, ok=not found, problems=found)
