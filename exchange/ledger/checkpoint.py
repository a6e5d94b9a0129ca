"""Checkpoints: what the log signs, and the policy by which a verifier accepts it.

Promises: three lines, never an extension line; a policy accepts a checkpoint only when a listed log signed it
under its own origin and the quorum of witnesses, counted by key, cosigned it. No quorum line, no acceptance.
One key may be that of several logs, for a municipality has a log for each year and keeps its keys. Its second
key, asked as a witness under each of these names, counts for the log of that name alone.
Source: c2sp.org/tlog-checkpoint, c2sp.org/tlog-policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid, SettingsInvalid
from exchange.ledger.merkle import EMPTY_ROOT, HASH_BYTES, SIZE_MAX
from exchange.ledger.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA_44,
    ED25519,
    Cosigner,
    NoteSigner,
    VerifierKey,
    decode_base64,
    encode_base64,
    parse_note,
    parse_vkey,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICY_BYTES_MAX: Final = 256 * 1024
_LOG_KINDS: Final = frozenset({ED25519, COSIGNATURE_ML_DSA_44})
_WITNESS_KINDS: Final = frozenset({COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44})
POLICY_NAMES_MAX: Final = 256  # logs, witnesses and groups together; the standard asks for 96
_CHECKPOINT_LINES: Final = 3
_is_size = re.compile(r"0|[1-9]\d{0,18}", re.ASCII).fullmatch
_is_threshold = re.compile(r"[1-9]\d{0,3}", re.ASCII).fullmatch
_is_origin = re.compile(r"[^\x00-\x1f\x7f]{1,255}").fullmatch
_of_year = re.compile(r"(.+)/[0-9]{4}", re.ASCII).fullmatch
_is_policy_octet_wrong = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]").search


def are_years_of_one(name: str, other: str) -> bool:
    """Tell whether two names are those of logs of one shard: they differ in the year at their end alone."""
    years = _of_year(name), _of_year(other)
    return name != other and None not in years and len({found[1] for found in years if found}) == 1


def parse_size(text: str, place: str) -> int:
    """Read a decimal without leading zeroes, at most 2^63 - 1. Raises ProofInvalid."""
    if not _is_size(text) or int(text) > SIZE_MAX:
        raise ProofInvalid("not a decimal number without leading zeroes", place=place)
    return int(text)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log at one size."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """Return the note text."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with the exact bytes of the note that carries it."""

    checkpoint: Checkpoint
    note: bytes


def parse_body(text: str, place: str = "checkpoint") -> Checkpoint:
    """Read the three lines of a checkpoint. Raises ProofInvalid on a fourth."""
    lines = text.split("\n")
    if len(lines) != _CHECKPOINT_LINES + 1 or lines[-1]:
        raise ProofInvalid("a checkpoint is three lines: origin, size, root", place=place)
    origin, size_text, root_text, _ = lines
    size, root = parse_size(size_text, place), decode_base64(root_text, place)
    if not _is_origin(origin) or len(root) != HASH_BYTES or (size == 0 and root != EMPTY_ROOT):
        raise ProofInvalid("the origin or the root is malformed", place=place)
    return Checkpoint(origin, size, root)


def sign_checkpoint(
    checkpoint: Checkpoint, signer: NoteSigner, second: Cosigner | None = None, time_s: int = 0
) -> SignedCheckpoint:
    """Sign, and under the first signature once more with `second` at `time_s`.

    The key names are the origin; an empty log has no checkpoint.
    """
    if {signer.name, second.key.name if second else signer.name} != {checkpoint.origin}:
        raise ProofInvalid("a log signs under its own origin only", place="checkpoint")
    if checkpoint.size == 0:
        raise ProofInvalid("no checkpoint is signed for an empty log", place="checkpoint")
    note = signer.sign(checkpoint.body())
    if second is not None:
        note += str(second.cosign(checkpoint.body(), time_s)).encode()
    return SignedCheckpoint(checkpoint, note)


@dataclass(frozen=True, slots=True)
class Policy:
    """Which logs are known, which witnesses, and how many of them must have cosigned.

    `quorum` is a name in `witnesses` or `groups`, or empty for `quorum none`. `urls` holds where a witness
    is asked, by the same name, for those whose line says it.
    """

    logs: tuple[VerifierKey, ...]
    witnesses: Mapping[str, VerifierKey]
    groups: Mapping[str, tuple[int, tuple[str, ...]]]
    quorum: str
    urls: Mapping[str, str] = field(default_factory=dict)

    def accept(self, note: bytes, place: str = "checkpoint") -> Checkpoint:
        """Return the checkpoint in `note` if this policy trusts it. Raises ProofInvalid naming `place`."""
        parsed = parse_note(note, place)
        signers = frozenset(parsed.signers((*self.logs, *self.witnesses.values())))
        checkpoint = parse_body(parsed.text, place)
        if not any(log in signers and log.name == checkpoint.origin for log in self.logs):
            raise ProofInvalid("no known log signed this checkpoint under its origin", place=place)
        others = {log.name for log in self.logs} - {checkpoint.origin}
        if not self.has_quorum(frozenset(key for key in signers if key.name not in others)):
            raise ProofInvalid("too few known witnesses cosigned this checkpoint", place=place)
        return checkpoint

    def has_quorum(self, signers: frozenset[VerifierKey]) -> bool:
        """Tell whether enough witnesses are among these keys; counted by key, each once."""
        return not self.quorum or self._witnessed(self.quorum, signers)

    def _witnessed(self, name: str, signers: frozenset[VerifierKey]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name] in signers
        threshold, members = self.groups[name]
        # Depth is bounded: a group names only what stands before it, and each name belongs to one group.
        return sum(self._witnessed(member, signers) for member in members) >= threshold


class _PolicyReader:
    """Collects the lines of one policy file."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.urls: dict[str, str] = {}
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()
        self._publics: dict[bytes, list[VerifierKey]] = {}

    def read(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(self._key(vkey, _LOG_KINDS))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self.witnesses[self._new_name(name)] = self._key(vkey, _WITNESS_KINDS)
                # What follows the key is its address.
                self.urls |= {name: words[-1]} if words[-1] is not vkey else {}
            case ["group", name, threshold, *members] if members:
                self._group(name, threshold, members)
            case ["quorum", name] if self.quorum is None:
                if name != "none" and not self._is_defined(name):
                    raise SettingsInvalid("the quorum names what no earlier line defines")
                self.quorum = "" if name == "none" else name
            case _:
                raise SettingsInvalid("not a log, witness, group or single quorum line")

    def _is_defined(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups

    def _new_name(self, name: str) -> str:
        if name == "none" or self._is_defined(name):
            raise SettingsInvalid("a name is defined once, and never `none`")
        return name

    def _key(self, vkey: str, kinds: frozenset[int]) -> VerifierKey:
        try:
            key = parse_vkey(vkey)
        except ProofInvalid as error:
            raise SettingsInvalid(error.message) from None
        if key.kind not in kinds:
            raise SettingsInvalid("the key has another signature type than this line asks")
        # Counted by key, not by name: one key under two names would count twice, and a log is no witness
        # of itself. Under the names of several logs it is asked for each of them apart.
        of_logs = {log.name for log in self.logs}
        for other in self._publics.setdefault(key.public, []):
            as_log = kinds is _LOG_KINDS and other in self.logs
            as_witness = kinds is not _LOG_KINDS and other not in self.logs
            as_second = as_witness and {key.name, other.name} <= of_logs
            if not are_years_of_one(key.name, other.name) or not (as_log or as_second):
                raise SettingsInvalid("the same key stands in two lines")
        self._publics[key.public].append(key)
        return key

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        self._new_name(name)
        if any(not self._is_defined(member) for member in members):
            raise SettingsInvalid("a group names what no earlier line defines")
        if len(set(members)) != len(members) or not self._members.isdisjoint(members):
            raise SettingsInvalid("a name is a member of one group, once")
        least = {"any": 1, "all": len(members)}.get(threshold)
        if least is None:
            least = int(threshold) if _is_threshold(threshold) else 0
        if not 1 <= least <= len(members):
            raise SettingsInvalid("a group's threshold is any, all, or 1 to the number of members")
        self._members.update(members)
        self.groups[name] = (least, tuple(members))


def parse_policy(text: str) -> Policy:
    """Read a trust policy file. Raises SettingsInvalid naming the line, also without a quorum line."""
    if len(text) > POLICY_BYTES_MAX or _is_policy_octet_wrong(text) or (text and not text.endswith("\n")):
        raise SettingsInvalid("a policy is lines of text, each ending in a newline, at most 256 KiB")
    reader = _PolicyReader()
    for number, line in enumerate(text.split("\n"), start=1):
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if not words or words[0].startswith("#"):
            continue
        if len(reader.logs) + len(reader.witnesses) + len(reader.groups) > POLICY_NAMES_MAX:
            raise SettingsInvalid("the policy defines too many names", line=str(number))
        try:
            reader.read(words)
        except SettingsInvalid as error:
            raise SettingsInvalid(error.message, line=str(number)) from None
    if reader.quorum is None:
        raise SettingsInvalid("the policy has no quorum line; write `quorum none` to ask no witness")
    return Policy(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum, reader.urls)
