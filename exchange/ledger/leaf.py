"""The leaf entry: the deterministic bytes that stand in the log for one event.

Promises: ASCII JSON, sorted keys, no spaces, at most 1 KiB; built once, stored, and hashed as stored. A key
that has nothing to say is absent. No clear personal data: the event is a hash, the resident a pseudonym that
no two events share. `rq` and `sig` stand together: the request an organisation signed, as `signers.py` hashes
it, and its signature; absent where nobody commanded it.
Source: design of the ledger, section 2; RFC 8259 (JSON), RFC 2104 (HMAC), RFC 4648 (base64).
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.errors import ProofInvalid, RequestInvalid, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAF_BYTES_MAX: Final = 1024
PSEUDONYM_BYTES: Final = 16
EVENT_ID_BYTES: Final = 16
COMMITMENT_BYTES: Final = 32
REQUEST_HASH_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_WORDS_CACHED_MAX: Final = 4096
_LONGEST_TIME: Final = "2026-01-31T12:00:00.123456Z"
_MUST_SAY: Final = frozenset({"a", "t"})

# Printable ASCII that JSON writes as itself: no quote, no backslash, no space.
_WORD = r"[!#-\[\]-~]"
_AT = (
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T"
    r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z"
)
# 64 bytes in base64, in the one canonical spelling: the last sign before the padding holds two bits.
_SIGNATURE = r"[A-Za-z0-9+/]{85}[AQgw]=="
_is_word = re.compile(_WORD + r"{0,200}").fullmatch
_is_time = re.compile(_AT, re.ASCII).fullmatch


def _form(open_: str) -> str:
    """Return the pattern of a leaf; `open_` opens each of its twelve values: captured or not."""
    # Keys in the order json.dumps(sort_keys=True) gives them: a at b ct f id k p ps rq sig t v.
    return (
        rf'\{{"a":"{open_}{_WORD}{{1,200}})","at":"{open_}{_AT})","b":"{open_}{_WORD}{{0,200}})"'
        rf',"ct":"{open_}[0-9a-f]{{64}})"(?:,"f":\["{open_}[0-9a-f]{{64}}(?:","[0-9a-f]{{64}})*)"\])?'
        rf',"id":"{open_}[0-9a-f]{{32}})","k":"{open_}{_WORD}{{0,200}})","p":"{open_}{_WORD}{{0,200}})"'
        rf'(?:,"ps":"{open_}[0-9a-f]{{32}})")?'
        rf'(?:,"rq":"{open_}[0-9a-f]{{64}})","sig":"{open_}{_SIGNATURE})")?'
        rf',"t":"{open_}{_WORD}{{1,200}})","v":1\}}'
    )


LEAF_PATTERN: Final = re.compile(_form("(").encode("ascii"))
# A leaf after the two bytes of its length, as it stands in a bundle; the length itself is not checked.
LEAF_IN_BUNDLE: Final = re.compile(rb"[\x00-\x04][\x00-\xff](" + _form("(?:").encode("ascii") + rb")")


class Signed(NamedTuple):
    """What an organisation signed: the hash of its request (32 bytes) and the signature (64 bytes)."""

    request: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Leaf:
    """One parsed leaf. `state_hash` is SHA-256 of the stored event bytes; `signed` None: nobody commanded."""

    event_id: bytes
    topic: str
    organisation: str
    task: str
    purpose: str
    basis: str
    at: str
    state_hash: bytes
    pseudonym: bytes | None
    fields: tuple[bytes, ...]
    signed: Signed | None = None


class Alike(NamedTuple):
    """What all leaves of one walk have alike, as it stands in them."""

    before: str  # the hash of the event: who, when, on which basis
    between: str  # its id and the pseudonym: task and purpose
    signature: str


@lru_cache(maxsize=_WORDS_CACHED_MAX)
def _words(organisation: str, basis: str, task: str, purpose: str) -> tuple[str, str, str]:
    """Return the words around the time, and those behind the id; cached, because these four repeat."""
    return (
        f'{{"a":"{_word("a", organisation)}","at":"',
        f'","b":"{_word("b", basis)}","ct":"',
        f'","k":"{_word("k", task)}","p":"{_word("p", purpose)}"',
    )


@lru_cache(maxsize=_WORDS_CACHED_MAX)
def _end(topic: str) -> str:
    return f',"t":"{_word("t", topic)}","v":1}}'


def _word(key: str, value: str) -> str:
    """Return a value that needs no escaping."""
    if not _is_word(value) or (key in _MUST_SAY and not value):
        raise RequestInvalid(
            "a leaf word holds 1 to 200 printable ASCII characters, no space, quote or backslash",
            {f"leaf.{key}": "not a leaf word"},
        )
    return value


def alike_in(
    *, organisation: str, task: str, purpose: str, basis: str, at: str, signed: Signed | None = None
) -> Alike:
    """Return what the leaves of one walk have alike. `at` is UTC as 2026-01-31T12:00:00[.123456]Z.

    `task`, `purpose` and `basis` may be empty. Raises RequestInvalid.
    """
    if not _is_time(at):
        raise RequestInvalid("a leaf time is UTC and ends in Z", {"leaf.at": "not a UTC time"})
    who, on, what_for = _words(organisation, basis, task, purpose)
    return Alike(f"{who}{at}{on}", what_for, "" if signed is None else _signature(signed))


def entry_of(  # noqa: PLR0917 -- on the walk for every event; names take their time too
    alike: Alike,
    event_id: bytes,
    topic: str,
    state: bytes,
    pseudonym: bytes | None,
    fields: Iterable[bytes] = (),
) -> bytes:
    """Return one entry; `fields` are 32-byte commitments.

    Raises RequestInvalid, RequestTooLarge above 1 KiB.
    """
    if len(event_id) != EVENT_ID_BYTES or (pseudonym is not None and len(pseudonym) != PSEUDONYM_BYTES):
        raise RequestInvalid("an event id and a pseudonym are 16 bytes", {"leaf.id": "not 16 bytes"})
    before, between, signature = alike
    secret = "" if pseudonym is None else f',"ps":"{pseudonym.hex()}"'
    entry = (
        f'{before}{sha256(state).hexdigest()}"{_commitments(fields) if fields else ""}'
        f',"id":"{event_id.hex()}{between}{secret}{signature}{_end(topic)}'
    ).encode("ascii")
    if len(entry) > LEAF_BYTES_MAX:
        raise RequestTooLarge("a leaf is at most 1 KiB", {"leaf": f"over {LEAF_BYTES_MAX} bytes"})
    return entry


@lru_cache(maxsize=_WORDS_CACHED_MAX)
def refuse_unfit(  # noqa: PLR0917 -- as above
    organisation: str,
    basis: str,
    task: str,
    purpose: str,
    topic: str,
    fields: int,
    about: bool,  # noqa: FBT001 -- somebody, so that it has a pseudonym
    signed: bool,  # noqa: FBT001 -- as above
) -> None:
    """Raise what `alike_in` and `entry_of` will raise of these words; of a leaf only they can be unfit."""
    blank = Signed(bytes(REQUEST_HASH_BYTES), bytes(SIGNATURE_BYTES)) if signed else None
    alike = alike_in(
        organisation=organisation, task=task, purpose=purpose, basis=basis, at=_LONGEST_TIME, signed=blank
    )
    pseudonym = bytes(PSEUDONYM_BYTES) if about else None
    entry_of(alike, bytes(EVENT_ID_BYTES), topic, b"", pseudonym, (bytes(COMMITMENT_BYTES),) * fields)


def leaf_entry(
    *,
    event_id: bytes,
    topic: str,
    organisation: str,
    task: str,
    purpose: str,
    basis: str,
    at: str,
    state: bytes,
    pseudonym: bytes | None,
    fields: Iterable[bytes] = (),
    signed: Signed | None = None,
) -> bytes:
    """Return one entry that has nothing alike with others: `alike_in` and `entry_of` say what is refused."""
    alike = alike_in(organisation=organisation, task=task, purpose=purpose, basis=basis, at=at, signed=signed)
    return entry_of(alike, event_id, topic, state, pseudonym, fields)


def _commitments(fields: Iterable[bytes]) -> str:
    texts: list[str] = []
    for commitment in fields:
        if len(commitment) != COMMITMENT_BYTES:
            raise RequestInvalid("a field commitment is 32 bytes", {"leaf.f": "not 32 bytes"})
        texts.append(commitment.hex())
    return ',"f":["' + '","'.join(texts) + '"]' if texts else ""


def _signature(signed: Signed) -> str:
    """Return the two keys of a signed command."""
    request, signature = signed
    if len(request) != REQUEST_HASH_BYTES or len(signature) != SIGNATURE_BYTES:
        raise RequestInvalid("a signed request is 32 bytes, its signature 64", {"leaf.sig": "not 64 bytes"})
    return f',"rq":"{request.hex()}","sig":"{b2a_base64(signature, newline=False).decode()}"'


def parse_leaf(entry: bytes, place: str = "leaf") -> Leaf:
    """Read one entry; only the exact bytes `leaf_entry` writes. Raises ProofInvalid naming `place`."""
    found = LEAF_PATTERN.fullmatch(entry) if len(entry) <= LEAF_BYTES_MAX else None
    if found is None:
        raise ProofInvalid("the entry is not a leaf of version 1", place=place)
    organisation, at, basis, state_hash, fields, event_id, task, purpose, pseudonym, *rest = found.groups()
    request, signature, topic = rest
    return Leaf(
        event_id=bytes.fromhex(event_id.decode()),
        topic=topic.decode(),
        organisation=organisation.decode(),
        task=task.decode(),
        purpose=purpose.decode(),
        basis=basis.decode(),
        at=at.decode(),
        state_hash=bytes.fromhex(state_hash.decode()),
        pseudonym=None if pseudonym is None else bytes.fromhex(pseudonym.decode()),
        fields=() if fields is None else tuple(bytes.fromhex(text) for text in fields.decode().split('","')),
        signed=None if request is None else Signed(bytes.fromhex(request.decode()), a2b_base64(signature)),
    )


def event_pseudonym(resident_key: bytes, event_id: bytes) -> bytes:
    """Return HMAC-SHA-256(k_ps, event id)[:16]: another one for each event, found again only with the key.

    `resident_key` is at most 64 bytes, the block of SHA-256.
    """
    # RFC 2104 section 2 as it stands there: asking OpenSSL for its HMAC takes twice as long, at every event.
    block = resident_key.ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(block.translate(_INNER) + event_id).digest()
    return sha256(block.translate(_OUTER) + inner).digest()[:PSEUDONYM_BYTES]
