"""Handing a checkpoint to somebody who holds an earlier one of this log: a witness, or a directory.

Promises: what is handed over comes with the proof that it only adds to what is held there; whoever holds what
this log does not follow from is an alarm, with what it holds; so is who forgot what he took before, and he is
handed nothing from where he fell back to.
Source: c2sp.org/tlog-witness (add-checkpoint and the monitoring address).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from exchange.errors import ProofInvalid, StoreUnavailable, Unavailable
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.cosigning import ADD_CHECKPOINT, ask, read_held_size
from exchange.ledger.evidence import Conflict
from exchange.ledger.merkle import consistency_proof, range_hash
from exchange.ledger.note import parse_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exchange.ledger.checkpoint import SignedCheckpoint
    from exchange.ledger.note import VerifierKey
    from exchange.ledger.tiles import TileStore

TRIES_MAX: Final = 3  # the size that is held may change between two questions
OK: Final = 200
CONFLICT: Final = 409
UNPROVEN: Final = 422
FORGOT: Final = "a witness or directory holds less than it took before: an older store was put back there"


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered; the body is cut at its bound."""

    status: int
    body: bytes


class Transport(Protocol):
    """HTTP to whoever holds checkpoints."""

    async def send(self, url: str, body: bytes | None) -> Reply:
        """Post a body, or get where there is none. Raises Unavailable; ends when it is cancelled."""
        ...


@dataclass(slots=True)
class Holder:
    """Who is handed checkpoints, and what it is known to hold; the address ends without a slash."""

    name: str
    url: str
    held: int = 0
    # The largest that it took, and the note it took, with its own line where that came.
    most: int = 0
    taken: bytes = b""
    # What it was last found to hold, so that one objection is told once.
    alarmed: tuple[str, bytes] | None = None


class Handing:
    """Of one log. Owned by one event loop."""

    def __init__(
        self,
        transport: Transport,
        tiles: TileStore,
        log_keys: Iterable[VerifierKey],
        on_alarm: Callable[[str, Conflict], None],
    ) -> None:
        """`on_alarm` gets the holder's name and what is at odds."""
        self._transport = transport
        self._tiles = tiles
        self._log_keys = tuple(log_keys)
        self._on_alarm = on_alarm

    async def hand(self, holder: Holder, signed: SignedCheckpoint, newest: Callable[[], int]) -> Reply | None:
        """Hand a checkpoint over; return the answer, None where none is held that this can follow.

        `newest` is how far this log was signed. Raises Unavailable, ProofInvalid.
        """
        head = signed.checkpoint
        for _ in range(TRIES_MAX):
            old = holder.held if holder.held <= head.size else 0
            proof = await self._proof(old, head.size)
            reply = await self._transport.send(f"{holder.url}/{ADD_CHECKPOINT}", ask(old, proof, signed.note))
            if reply.status == OK:
                holder.held = head.size
                if head.size >= holder.most:
                    holder.most, holder.taken = head.size, signed.note
                return reply
            if reply.status != CONFLICT:
                if reply.status == UNPROVEN:
                    await self._alarm(holder, signed, newest())
                return reply
            held = read_held_size(reply.body)
            if held < holder.most:
                # What it took since is gone there: from here it would take another history, and say nothing.
                await self._alarm_forgot(holder, signed)
                return None
            holder.held = held
            if holder.held > head.size:
                # Somebody may have shown it what we signed since; more than that was never signed here.
                if holder.held > newest():
                    await self._alarm(holder, signed, newest())
                return None
        return None

    async def _proof(self, old: int, size: int) -> list[bytes]:
        if old in {0, size}:
            return []
        return await asyncio.to_thread(consistency_proof, old, size, self._tiles.hash_reader(size))

    async def _alarm(self, holder: Holder, signed: SignedCheckpoint, newest: int) -> None:
        """Fetch what is held there, and tell what is at odds with it."""
        shown = await self._shown(holder, signed)
        kind, what = await self._at_odds(shown, signed, newest)
        self._tell(holder, Conflict(kind, what, signed.checkpoint.origin, shown, signed.note))

    async def _alarm_forgot(self, holder: Holder, signed: SignedCheckpoint) -> None:
        shown = await self._shown(holder, signed)
        self._tell(holder, Conflict("forgot", FORGOT, signed.checkpoint.origin, shown, holder.taken))

    async def _shown(self, holder: Holder, signed: SignedCheckpoint) -> bytes:
        """Return the checkpoint that is held there, nothing where it is not shown."""
        of_log = sha256(signed.checkpoint.origin.encode()).hexdigest()
        try:
            reply = await self._transport.send(f"{holder.url}/{of_log}/checkpoint", None)
        except Unavailable:
            return b""
        return reply.body if reply.status == OK else b""

    def _tell(self, holder: Holder, conflict: Conflict) -> None:
        found = (conflict.kind, conflict.held.partition(b"\n\n")[0])
        if found != holder.alarmed:
            holder.alarmed = found
            self._on_alarm(holder.name, conflict)

    async def _at_odds(self, shown: bytes, signed: SignedCheckpoint, newest: int) -> tuple[str, str]:
        head = signed.checkpoint
        try:
            parsed = parse_note(shown)
            ours = parsed.signers(self._log_keys)
            held = parse_body(parsed.text)
        except ProofInvalid:
            ours = ()
        if not ours or held.origin != head.origin:
            return (
                "reported",
                "a witness or directory refuses this log's checkpoint and shows nothing this log signed",
            )
        if held.size > newest:
            return (
                "rollback",
                "somebody holds a larger tree that this log's key signed and this service does not know",
            )
        if held.size <= head.size and held.root == await self._root_at(held.size, head.size):
            return (
                "reported",
                "a witness or directory refuses this log's checkpoint, though what it holds is a part of it",
            )
        return "fork", "a witness or directory holds another history that this log's key signed"

    async def _root_at(self, size: int, whole: int) -> bytes:
        return await asyncio.to_thread(range_hash, 0, size, self._tiles.hash_reader(whole))


def keep_alarm(keep: Callable[[Conflict], bool], conflict: Conflict) -> str:
    """Keep an alarm's evidence; return a word for the log line."""
    try:
        return conflict.kind if keep(conflict) else f"{conflict.kind}, not kept: too many"
    except StoreUnavailable:
        return f"{conflict.kind}, not kept: no place"
