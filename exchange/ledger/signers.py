"""Signed commands: what an organisation signs, and the check that each leaf of a command carries it.

Promises: who holds the log and the organisations' public keys, got out of band, can tell that no command was
invented, altered in who gave it, or recorded twice; what carries no signature is counted by why. What a
command said is shown by its request: its hash stands in the leaf. No signature stands under a question.
Source: design of the ledger, section 2; RFC 8032 (Ed25519); FIPS 180-4 (SHA-256).
"""

from __future__ import annotations

import re
from binascii import unhexlify
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from exchange.errors import ProofInvalid, SettingsInvalid
from exchange.ledger.leaf import Leaf, Signed, parse_leaf
from exchange.ledger.note import decode_base64
from exchange.ledger.weak_keys import is_anybodys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REQUEST_TAG: Final = "exchange.v1 request"
COMMAND_TAG: Final = "exchange.v1 command"
PUBLIC_KEY_BYTES: Final = 32
SIGNERS_BYTES_MAX: Final = 1024 * 1024
FAULTS_MAX: Final = 100
# Recorded because somebody asked: a question carries no signature. A notice that is fetched by asking fulfils
# duties, and an evaluation counts on the day's share: both are recorded right behind the decision on that
# question, in one commit with it.
QUESTION_TOPIC: Final = "disclosure.decided.v1"
_BESIDE_QUESTION: Final = frozenset({"disclosure.obligation_executed.v1", "evaluation.counted.v1"})
# What the service itself records, in the operator's name: it joins first, adopts or proposes a register, and
# tells which keys it uses, and opens the log of a new year. By its basis, how the topic begins.
_OF_SERVICE: Final = {
    "GENESIS": "legal_basis.",
    "SHIPPED": "legal_basis.",
    "KEYS": "service_keys.",
    "LOG": "ledger.",
}
# And under the name of who asked: that its answer did not arrive. It says nothing that the organisation did.
_LOST_TOPIC: Final = "disclosure.delivery_aborted.v2"
_PUBLIC_KEYS_CACHED_MAX: Final = 4_096
_is_oin = re.compile(r"[0-9]{20}", re.ASCII).fullmatch
_is_hex_key = re.compile(r"[0-9a-f]{64}", re.ASCII).fullmatch


def request_hash(rpc_path: str, professional: str, raw: bytes) -> bytes:
    """Return the 32 bytes that stand for a request: `raw` is hashed as sent, protobuf is not canonical.

    `rpc_path` is as gRPC writes it, `/exchange.v1.PlanService/SetGoal`; neither text holds a line end.
    It lies in leaves and packs for ever, after an erasure too, and has one salt: the request id inside `raw`,
    122 random bits that no store, leaf, pack or log holds in clear. Who still knows the id can show what was
    asked, and can try it; so nobody derives an id from what it is for.
    """
    return sha256(f"{REQUEST_TAG}\n{rpc_path}\n{professional}\n".encode() + raw).digest()


def command_statement(oin: str, task: str, request: bytes) -> bytes:
    """Return what is signed: the organisation says that it gave this request, in this task."""
    # No person token, checkpoint or manifest begins so: a signature of one is none of another.
    return f"{COMMAND_TAG}\n{oin}\n{task}\n{request.hex()}\n".encode()


def is_signed_by(public_key: bytes, oin: str, task: str, signed: Signed) -> bool:
    """Tell whether this raw Ed25519 key signed it; False also where the bytes are no key."""
    try:
        _public_key(public_key).verify(signed.signature, command_statement(oin, task, signed.request))
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=_PUBLIC_KEYS_CACHED_MAX)
def _public_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


def parse_signers(text: str) -> dict[str, tuple[bytes, ...]]:
    """Read lines `OIN KEY`, the key in hexadecimal or base64; several lines for one OIN are several keys.

    Raises SettingsInvalid naming the line.
    """
    if len(text) > SIGNERS_BYTES_MAX:
        raise SettingsInvalid("a file of signers is at most 1 MiB")
    found: dict[str, tuple[bytes, ...]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or not _is_oin(words[0]):  # noqa: PLR2004 -- an OIN and a key
            raise SettingsInvalid("a signer is an OIN of twenty digits and a public key", line=str(number))
        key = _read_key(words[1])
        if key is None:
            raise SettingsInvalid("an Ed25519 public key is 32 bytes, in hex or base64", line=str(number))
        if is_anybodys(key):
            raise SettingsInvalid("a key under which anybody can sign", line=str(number))
        found[words[0]] = (*found.get(words[0], ()), key)
    if not found:
        raise SettingsInvalid("the file names no signer")
    return found


def _read_key(text: str) -> bytes | None:
    if _is_hex_key(text):
        return unhexlify(text)
    try:
        key = decode_base64(text, "signers")
    except ProofInvalid:
        return None
    return key if len(key) == PUBLIC_KEY_BYTES else None


class SignatureCheck:
    """Looks at the entries of a whole log, in order; what is wrong is kept, at most a hundred faults.

    Before the leaf `signed_from` a command may stand without signature: organisations began to sign there.
    """

    def __init__(self, signers: Mapping[str, Sequence[bytes]], signed_from: int = 0) -> None:
        self._signers = signers
        self._signed_from = signed_from
        self._operator = ""
        self._next = 0
        self._latest: tuple[tuple[str, ...], Signed] | None = None  # the command of the leaf before
        self._asked: tuple[str, ...] = ()  # who asked, where the leaf before is of a question
        self._known: set[bytes] = set()  # a hash of every command seen
        self.signed = 0  # leaves whose signature holds
        self.commands = 0  # different ones among them
        self.questions = 0
        self.of_service = 0
        self.unsigned = 0  # commands of before `signed_from`
        self.faults: list[tuple[int, str]] = []  # leaf, what is wrong there

    @property
    def ok(self) -> bool:
        """Nothing is wrong in what was looked at."""
        return not self.faults

    def add(self, entries: Sequence[bytes]) -> None:
        """Look at the next entries; one that is no leaf is a fault of its own."""
        for entry in entries:
            index, self._next = self._next, self._next + 1
            try:
                leaf = parse_leaf(entry)
            except ProofInvalid as error:
                self._blame(index, error.message)
                continue
            if index == 0:
                self._operator = leaf.organisation
            if leaf.signed is None:
                self._latest = None
                self._count(index, leaf)
            else:
                self._asked = ()
                self._check(index, leaf, leaf.signed)

    def _check(self, index: int, leaf: Leaf, signed: Signed) -> None:
        # Who, in which task, for what, on which basis, at which moment: alike in all leaves of one command.
        said = (leaf.organisation, leaf.task, signed.request.hex(), leaf.purpose, leaf.basis, leaf.at)
        if (said, signed) == self._latest:
            self.signed += 1
            return
        keys = self._signers.get(leaf.organisation, ())
        if not keys:
            self._blame(index, "no key of the organisation that signed is given")
            return
        if not any(is_signed_by(key, leaf.organisation, leaf.task, signed) for key in keys):
            self._blame(index, "the signature is not of a given key of this organisation")
            return
        name = sha256("\n".join(said[:3]).encode()).digest()[:16]
        if name in self._known:
            self._blame(index, "the same command was recorded before")
            return
        self._known.add(name)
        self._latest = said, signed
        self.signed += 1
        self.commands += 1

    def _count(self, index: int, leaf: Leaf) -> None:
        asked, self._asked = self._asked, ()
        said = (leaf.organisation, leaf.task, leaf.purpose, leaf.basis, leaf.at)
        if leaf.topic == QUESTION_TOPIC or (leaf.topic in _BESIDE_QUESTION and said == asked):
            self._asked = said
            self.questions += 1
        elif self._is_of_service(index, leaf):
            self.of_service += 1
        elif index < self._signed_from:
            self.unsigned += 1
        else:
            self._blame(index, "a command stands without the signature of its organisation")

    def _is_of_service(self, index: int, leaf: Leaf) -> bool:
        return leaf.topic == _LOST_TOPIC or (
            leaf.organisation == self._operator
            and leaf.basis in _OF_SERVICE
            and (index == 0 or leaf.topic.startswith(_OF_SERVICE[leaf.basis]))
        )

    def _blame(self, index: int, what: str) -> None:
        if len(self.faults) < FAULTS_MAX:
            self.faults.append((index, what))
