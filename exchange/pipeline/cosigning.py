"""Cosignatures: asks every witness at once to sign a checkpoint along, and bears that some are away.

Promises: a round ends within its bound; a witness counts by its key, and only by a signature that verifies;
who is away is named; a witness that holds another history of this log is an alarm, with what it holds.
Source: design of the ledger, section 3; c2sp.org/tlog-witness, c2sp.org/tlog-policy.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from exchange.errors import ProofInvalid, SettingsInvalid, StoreUnavailable, Unavailable
from exchange.ledger.checkpoint import SignedCheckpoint, parse_body
from exchange.ledger.cosigning import ADD_CHECKPOINT, ask, read_cosignature, read_held_size
from exchange.ledger.evidence import Conflict
from exchange.ledger.merkle import consistency_proof, range_hash
from exchange.ledger.note import SIGNATURES_MAX, parse_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exchange.ledger.checkpoint import Policy
    from exchange.ledger.note import Signature, VerifierKey
    from exchange.ledger.tiles import TileStore

TRIES_MAX: Final = 3  # the witness's size may change between two questions
BACK_OFF_S: Final = 2.0  # so long a witness that was away is left in peace
LINGER_S: Final = 0.1  # so long the others are waited for when enough have signed and the log has grown
WITNESSES_MAX: Final = SIGNATURES_MAX - 2  # the log itself signs twice
OK: Final = 200
CONFLICT: Final = 409
UNPROVEN: Final = 422


@dataclass(frozen=True, slots=True)
class Reply:
    """What a witness answered; the body is cut at its bound."""

    status: int
    body: bytes


class Transport(Protocol):
    """HTTP to a witness."""

    async def send(self, url: str, body: bytes | None) -> Reply:
        """Post a body, or get where there is none. Raises Unavailable; ends when it is cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint with the cosignatures that came. `missing` are key names, in the policy's order."""

    signed: SignedCheckpoint
    missing: tuple[str, ...] = ()
    quorum: bool = True


@dataclass(slots=True)
class _Stand:
    """What is known of one witness."""

    key: VerifierKey
    url: str
    held: int = 0
    away_until: float = 0.0
    alarmed: tuple[str, bytes] | None = (
        None  # what it was last found to hold, so that one objection is told once
    )


@dataclass(slots=True)
class _Round:
    """The lines under one checkpoint."""

    signed: SignedCheckpoint
    lines: dict[VerifierKey, Signature] = field(default_factory=dict)


class Cosigners:
    """The witnesses of one log. Owned by one event loop; one round at a time."""

    def __init__(
        self,
        policy: Policy,
        transport: Transport,
        tiles: TileStore,
        log_keys: Iterable[VerifierKey],
        *,
        wait_s: float,
        on_alarm: Callable[[str, Conflict], None],
    ) -> None:
        """`on_alarm` gets the witness's name and what is at odds. Raises SettingsInvalid."""
        self._policy = policy
        self._transport = transport
        self._tiles = tiles
        self._log_keys = tuple(log_keys)
        self._wait_s = wait_s
        self._on_alarm = on_alarm
        self._stands = [_stand(policy, name, key) for name, key in policy.witnesses.items()]
        if len(self._stands) > WITNESSES_MAX:
            raise SettingsInvalid("a checkpoint cannot hold so many cosignatures", most=str(WITNESSES_MAX))
        self._round: _Round | None = None

    def alone(self, signed: SignedCheckpoint) -> Witnessed:
        """Return a checkpoint nobody was asked about yet."""
        return self._witnessed(_Round(signed))

    async def collect(
        self,
        signed: SignedCheckpoint,
        newest: Callable[[], int],
        on_quorum: Callable[[Witnessed], None],
    ) -> Witnessed:
        """Ask whoever has not signed; return what there is when all answered or the bound passed.

        `on_quorum` is told as soon as enough have signed; the others are then waited for only as long as the
        log's size, `newest`, does not grow. Asked again for one checkpoint, it asks those that were missing.
        """
        if self._round is None or self._round.signed != signed:
            self._round = _Round(signed)
        current, loop = self._round, asyncio.get_running_loop()
        asked = {
            asyncio.ensure_future(self._ask(stand, current, newest)): stand
            for stand in self._stands
            if stand.key not in current.lines and stand.away_until <= loop.time()
        }
        pending = set(asked)
        until, enough_at = loop.time() + self._wait_s, 0.0
        try:
            while True:
                found, now = self._witnessed(current), loop.time()
                if found.quorum and not enough_at:
                    enough_at = now
                    on_quorum(found)
                if now >= until:
                    for one in pending:
                        self._leave_in_peace(asked[one])
                    return found
                lingered = found.quorum and now >= enough_at + LINGER_S
                if not pending or (lingered and newest() > signed.checkpoint.size):
                    return found
                left = min(until - now, LINGER_S) if found.quorum else until - now
                done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    one.result()
        finally:
            for one in pending:
                one.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    def _witnessed(self, found: _Round) -> Witnessed:
        signed = found.signed
        if found.lines:
            parsed = parse_note(signed.note)
            lines = [found.lines[one.key] for one in self._stands if one.key in found.lines]
            signed = SignedCheckpoint(signed.checkpoint, parsed.with_lines([*parsed.signatures, *lines]))
        missing = tuple(one.key.name for one in self._stands if one.key not in found.lines)
        return Witnessed(signed, missing, self._policy.has_quorum(frozenset(found.lines)))

    # --- one witness ------------------------------------------------------------------------------------

    async def _ask(self, stand: _Stand, current: _Round, newest: Callable[[], int]) -> None:
        """Get the line of one witness, or leave it in peace for a while."""
        try:
            line = await self._line(stand, current.signed, newest)
        except (Unavailable, ProofInvalid):
            line = None
        if line is None:
            self._leave_in_peace(stand)
        else:
            current.lines[stand.key] = line

    def _leave_in_peace(self, stand: _Stand) -> None:
        stand.away_until = asyncio.get_running_loop().time() + BACK_OFF_S

    async def _line(
        self, stand: _Stand, signed: SignedCheckpoint, newest: Callable[[], int]
    ) -> Signature | None:
        head = signed.checkpoint
        for _ in range(TRIES_MAX):
            old = stand.held if stand.held <= head.size else 0
            proof = await self._proof(old, head.size)
            reply = await self._transport.send(f"{stand.url}/{ADD_CHECKPOINT}", ask(old, proof, signed.note))
            if reply.status == OK:
                line = read_cosignature(reply.body, head.body(), stand.key)
                stand.held = head.size
                return line
            if reply.status != CONFLICT:
                if reply.status == UNPROVEN:
                    await self._alarm(stand, signed, newest())
                return None
            stand.held = read_held_size(reply.body)
            if stand.held > head.size:
                # Somebody may have shown it what we signed since; more than that was never signed here.
                if stand.held > newest():
                    await self._alarm(stand, signed, newest())
                return None
        return None

    async def _proof(self, old: int, size: int) -> list[bytes]:
        if old in {0, size}:
            return []
        return await asyncio.to_thread(consistency_proof, old, size, self._tiles.hash_reader(size))

    async def _alarm(self, stand: _Stand, signed: SignedCheckpoint, newest: int) -> None:
        """Fetch what the witness holds, and tell what is at odds with it."""
        origin = signed.checkpoint.origin
        try:
            reply = await self._transport.send(
                f"{stand.url}/{sha256(origin.encode()).hexdigest()}/checkpoint", None
            )
            shown = reply.body if reply.status == OK else b""
        except Unavailable:
            shown = b""
        kind, what = await self._at_odds(shown, signed, newest)
        found = (kind, shown.partition(b"\n\n")[0])
        if found != stand.alarmed:
            stand.alarmed = found
            self._on_alarm(stand.key.name, Conflict(kind, what, origin, shown, signed.note))

    async def _at_odds(self, shown: bytes, signed: SignedCheckpoint, newest: int) -> tuple[str, str]:
        head = signed.checkpoint
        try:
            parsed = parse_note(shown)
            ours = parsed.signers(self._log_keys)
            held = parse_body(parsed.text)
        except ProofInvalid:
            ours = ()
        if not ours or held.origin != head.origin:
            return "reported", "a witness refuses this log's checkpoint and shows nothing this log signed"
        if held.size > newest:
            return (
                "rollback",
                "a witness holds a larger tree that this log's key signed and this service does not know",
            )
        if held.size <= head.size and held.root == await self._root_at(held.size, head.size):
            return "reported", "a witness refuses this log's checkpoint, though what it holds is a part of it"
        return "fork", "a witness holds another history that this log's key signed"

    async def _root_at(self, size: int, whole: int) -> bytes:
        return await asyncio.to_thread(range_hash, 0, size, self._tiles.hash_reader(whole))


def _stand(policy: Policy, name: str, key: VerifierKey) -> _Stand:
    url = policy.urls.get(name, "").rstrip("/")
    if not url.startswith(("https://", "http://")):
        raise SettingsInvalid("a witness has no address to be asked at", witness=name)
    return _Stand(key, url)


def keep_alarm(keep: Callable[[Conflict], bool], conflict: Conflict) -> str:
    """Keep an alarm's evidence; return a word for the log line."""
    try:
        return conflict.kind if keep(conflict) else f"{conflict.kind}, not kept: too many"
    except StoreUnavailable:
        return f"{conflict.kind}, not kept: no place"
