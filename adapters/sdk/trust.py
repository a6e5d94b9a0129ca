"""Whom an organisation trusts: logs, witnesses and how many of them, read from a policy file.

Shares no code with the exchange. Promises: no quorum line, no trust; witnesses are counted by key, never by
name, and no key stands in two lines; a signature of a known key that fails refuses the whole note. Malformed
or hostile input raises ProofRefused and nothing else.
Source: C2SP tlog-policy, tlog-cosignature (types 0x04 and 0x06), tlog-proof v1; RFC 8032; FIPS 204.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from adapters.sdk.proofs import (
    SIZE_MAX,
    Checkpoint,
    ProofRefused,
    canonical_base64,
    is_weak_key,
    open_receipt,
    read_body,
    split_note,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

POLICY_CHARACTERS_MAX: Final = 256 * 1024
NAMES_MAX: Final = 256
_ED25519, _COSIGNATURE, ML_DSA = 1, 4, 6
_OF_LOGS: Final = frozenset({_ED25519, ML_DSA})
_KEY_BYTES: Final = {_ED25519: 32, _COSIGNATURE: 32, ML_DSA: 1312}
_SIGNATURE_BYTES: Final = {_ED25519: 64, _COSIGNATURE: 8 + 64, ML_DSA: 8 + 2420}
_KEY_ID_BYTES: Final = 4
_VKEY: Final = re.compile(
    r"(?P<name>[^\s+\ud800-\udfff]{1,255})\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/=]+)"
)
_COUNT: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_YEAR: Final = re.compile(r"(?P<whose>.+)/(?P<year>[0-9]{4})", re.ASCII)
_PLACE: Final = "policy"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key under a name; `kind` is the signature type of C2SP signed-note."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes before each of its signatures."""
        material = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return sha256(material).digest()[:_KEY_ID_BYTES]

    def signed_at(self, text: str, signature: bytes) -> int:
        """Return when it cosigned the note (seconds since 1970), 0 where its kind does not say.

        Raises ProofRefused unless the signature, without its key id, is good.
        """
        if len(signature) != _SIGNATURE_BYTES[self.kind]:
            raise ProofRefused(f"signature {self.name}", "has another length than its kind")
        moment = 0 if self.kind == _ED25519 else int.from_bytes(signature[:8], "big")
        try:
            if moment > SIZE_MAX or not self._verifies(text, signature, moment):
                raise ProofRefused(f"signature {self.name}", "says an impossible time")
        except (InvalidSignature, ValueError) as error:
            if isinstance(error, ProofRefused):
                raise
            raise ProofRefused(f"signature {self.name}", "does not verify") from None
        return moment

    def _verifies(self, text: str, signature: bytes, moment: int) -> bool:
        if self.kind == ML_DSA:
            message = _subtree(self.name, moment, read_body(text))
            MLDSA44PublicKey.from_public_bytes(self.public).verify(signature[8:], message)
        else:
            cosigned = self.kind == _COSIGNATURE
            head = f"cosignature/v1\ntime {moment}\n" if cosigned else ""
            key = Ed25519PublicKey.from_public_bytes(self.public)
            key.verify(signature[8:] if cosigned else signature, (head + text).encode())
        return True


def _subtree(cosigner: str, moment: int, checkpoint: Checkpoint) -> bytes:
    """Return what an ML-DSA cosigner signs: the tree from its first leaf to its last."""
    parts = [b"subtree/v1\n\x00"]
    for name in (cosigner, checkpoint.origin):
        raw = name.encode()
        parts += [len(raw).to_bytes(1, "big"), raw]
    parts.insert(3, moment.to_bytes(8, "big"))
    return b"".join([*parts, bytes(8), checkpoint.size.to_bytes(8, "big"), checkpoint.root])


def years_apart(name: str, other: str) -> bool:
    """Tell whether two logs are those of two years of one municipality at one host."""
    one, two = _YEAR.fullmatch(name), _YEAR.fullmatch(other)
    return name != other and one is not None and two is not None and one["whose"] == two["whose"]


class QuorumMissing(ProofRefused):
    """A known log signed it, and too few of the policy's witnesses cosigned: `missing` did not."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(
            "quorum", f"of witnesses is not met, without the cosignature of {', '.join(missing)}"
        )
        self.missing: Final = missing


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint that a policy trusts; `cosigned` is when each of its witnesses saw it, by policy name."""

    checkpoint: Checkpoint
    cosigned: dict[str, int]


@dataclass(slots=True)
class Trust:
    """A policy. `quorum` is None for `quorum none`, else asks the names of those who cosigned."""

    logs: list[TrustedKey] = field(default_factory=list)
    witnesses: dict[str, TrustedKey] = field(default_factory=dict)
    quorum: Callable[[Collection[str]], bool] | None = None

    def verify(self, note: str) -> Witnessed:
        """Return the checkpoint of a note that a known log signed and enough witnesses cosigned.

        Raises ProofRefused(signature or checkpoint), QuorumMissing.
        """
        found = self.verify_log(note)
        # A log's second key counts under the name it has as that log: under another year's it says nothing.
        others = {log.name for log in self.logs} - {found.checkpoint.origin}
        counting = {name for name in found.cosigned if self.witnesses[name].name not in others}
        if self.quorum is not None and not self.quorum(counting):
            raise QuorumMissing(tuple(name for name in self.witnesses if name not in counting))
        return found

    def verify_log(self, note: str) -> Witnessed:
        """Return the checkpoint of a note that a known log signed, whoever cosigned it.

        Enough to see that the log goes on from what it said; not enough to rely on what it says.
        Raises ProofRefused(signature or checkpoint).
        """
        text, lines = split_note(note)
        checkpoint = read_body(text)
        names = {(key.name, key.key_id): name for name, key in self.witnesses.items()}
        logs = {(key.name, key.key_id): key for key in self.logs}
        signed, cosigned = False, dict[str, int]()
        for name, material in lines:
            place, signature = (name, material[:_KEY_ID_BYTES]), material[_KEY_ID_BYTES:]
            if place in logs:
                logs[place].signed_at(text, signature)
                signed = signed or name == checkpoint.origin
            elif place in names:
                who = names[place]
                cosigned[who] = self.witnesses[who].signed_at(text, signature)
        if not signed:
            raise ProofRefused("signature", "of a known log under its own origin is missing")
        return Witnessed(checkpoint, cosigned)

    def verify_receipt(self, entry: bytes | None, proof: str) -> int:
        """Return the index at which a trusted log holds `entry`; None takes the one the receipt carries."""
        opened = open_receipt(entry, proof)
        return opened.prove(self.verify(opened.note).checkpoint)


def trusting(trust: Trust | str) -> Trust:
    """Return whom to trust: as read before, the text of a policy file, or one log's key without witnesses.

    Raises ProofRefused.
    """
    if isinstance(trust, Trust):
        return trust
    return parse_trust(trust if "\n" in trust else f"log {trust}\nquorum none\n")


def parse_trust(text: str) -> Trust:
    """Read a policy file. Raises ProofRefused naming the line."""
    if len(text) > POLICY_CHARACTERS_MAX or _FORBIDDEN.search(text) or (text and text[-1] != "\n"):
        raise ProofRefused(_PLACE, "is not lines of text, each with its newline")
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if words and not words[0].startswith("#"):
            reader.line(f"{_PLACE} line {number}", words)
    if not reader.quorum_said:
        raise ProofRefused(_PLACE, "has no quorum line")
    return reader.trust


class _Reader:
    def __init__(self) -> None:
        self.trust = Trust()
        self.quorum_said = False
        self._met: dict[str, Callable[[Collection[str]], bool]] = {}
        self._grouped: set[str] = set()
        self._publics: dict[bytes, list[TrustedKey]] = {}

    def line(self, place: str, words: list[str]) -> None:
        if len(self._met) + len(self.trust.logs) > NAMES_MAX:
            raise ProofRefused(place, "is one name too many")
        match words:
            case ["log", vkey, *rest] if len(rest) <= 1:
                self.trust.logs.append(self._key(place, vkey, _OF_LOGS))
            case ["witness", name, vkey, *rest] if len(rest) <= 1:
                self._define(place, name, lambda signed: name in signed)
                self.trust.witnesses[name] = self._key(place, vkey, {_COSIGNATURE, ML_DSA})
            case ["group", name, least, *members] if members:
                self._group(place, name, least, members)
            case ["quorum", name] if not self.quorum_said and (name == "none" or name in self._met):
                self.trust.quorum = self._met.get(name)
                self.quorum_said = True
            case _:
                raise ProofRefused(place, "is no log, witness, group or single quorum of defined names")

    def _define(self, place: str, name: str, met: Callable[[Collection[str]], bool]) -> None:
        if name == "none" or name in self._met:
            raise ProofRefused(place, "defines a name that is taken")
        self._met[name] = met

    def _group(self, place: str, name: str, least: str, members: list[str]) -> None:
        parts = [self._met[member] for member in members if member in self._met]
        once = len(set(members)) == len(members) and self._grouped.isdisjoint(members)
        if len(parts) != len(members) or not once:
            raise ProofRefused(place, "has a member that is not defined above it, or a member elsewhere")
        wanted = {"all": len(parts), "any": 1}.get(least) or (int(least) if _COUNT.fullmatch(least) else 0)
        if not 1 <= wanted <= len(parts):
            raise ProofRefused(place, "asks a number of members it cannot have")
        self._define(place, name, lambda signed: sum(met(signed) for met in parts) >= wanted)
        self._grouped.update(members)

    def _key(self, place: str, vkey: str, kinds: Collection[int]) -> TrustedKey:
        found = _VKEY.fullmatch(vkey)
        if found is None:
            raise ProofRefused(place, "has a key that is not name+id+key")
        material = canonical_base64(found["key"], place)
        kind, public = material[0], material[1:]
        key = TrustedKey(found["name"], kind, public)
        if kind not in kinds or len(public) != _KEY_BYTES[kind] or key.key_id.hex() != found["id"]:
            raise ProofRefused(place, "has a key of another type, or the id of another key")
        if kind != ML_DSA and is_weak_key(public):
            raise ProofRefused(place, "has a key under which anybody can sign")
        # A log keeps its keys under the name of each year: there one key may stand in several lines.
        logs = {log.name for log in self.trust.logs}
        others = self._publics.setdefault(public, [])
        for other in others:
            both_logs = kinds == _OF_LOGS and other in self.trust.logs
            seconds = kinds != _OF_LOGS and other not in self.trust.logs
            fits = both_logs or (seconds and {key.name, other.name} <= logs)
            if not fits or not years_apart(key.name, other.name):
                raise ProofRefused(place, "has a key that stands in another line")
        others.append(key)
        return key
