"""Cosignatures: asks every witness at once to sign a checkpoint along, and bears that some are away.

Promises: a round ends within its bound; a witness counts by its key, and only by a signature that verifies;
who is away is named; a witness that holds another history of this log is an alarm, with what it holds,
and so is one that forgot what it cosigned.
Source: design of the ledger, section 3; c2sp.org/tlog-witness, c2sp.org/tlog-policy.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid, SettingsInvalid, StoreUnavailable, Unavailable
from exchange.ledger.checkpoint import SignedCheckpoint, parse_body
from exchange.ledger.cosigning import read_cosignature
from exchange.ledger.note import SIGNATURES_MAX, parse_note
from exchange.ledger.tiles import CHECKPOINT
from exchange.pipeline.handing import OK, Handing, Holder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exchange.ledger.checkpoint import Policy
    from exchange.ledger.evidence import Conflict
    from exchange.ledger.note import Signature, VerifierKey
    from exchange.ledger.tiles import TileStore
    from exchange.pipeline.handing import Transport

BACK_OFF_S: Final = 2.0  # so long a witness that was away is left in peace
LINGER_S: Final = 0.1  # so long the others are waited for when enough have signed and the log has grown
WITNESSES_MAX: Final = SIGNATURES_MAX - 2  # the log itself signs twice


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint with the cosignatures that came. `missing` are key names, in the policy's order."""

    signed: SignedCheckpoint
    missing: tuple[str, ...] = ()
    quorum: bool = True


@dataclass(slots=True, kw_only=True)
class _Stand(Holder):
    """What is known of one witness."""

    key: VerifierKey
    away_until: float = 0.0


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
        self._handing = Handing(transport, tiles, log_keys, on_alarm)
        self._wait_s = wait_s
        self._stands = [_stand(policy, name, key) for name, key in policy.witnesses.items()]
        if len(self._stands) > WITNESSES_MAX:
            raise SettingsInvalid("a checkpoint cannot hold so many cosignatures", most=str(WITNESSES_MAX))
        self._round: _Round | None = None
        self._remember(tiles)

    def _remember(self, tiles: TileStore) -> None:
        """Know from what was published who cosigned how much: a restart forgets the rest."""
        with suppress(StoreUnavailable, ProofInvalid):
            parsed = parse_note(note := tiles.read(CHECKPOINT))
            size = parse_body(parsed.text).size
            for stand in self._stands:
                if parsed.signers([stand.key]):
                    stand.most, stand.taken = size, note

    def alone(self, signed: SignedCheckpoint) -> Witnessed:
        """Return a checkpoint nobody was asked about yet."""
        return self._witnessed(_Round(signed))

    def under(self, signed: SignedCheckpoint) -> Witnessed:
        """Return a published checkpoint with the cosignatures in its note; a round goes on from there.

        Raises ProofInvalid where a line of a known witness does not verify.
        """
        parsed = parse_note(signed.note)
        lines = {one.key: parsed.lines_of([one.key])[0] for one in self._stands if parsed.signers([one.key])}
        others = [line for line in parsed.signatures if line not in lines.values()]
        self._round = _Round(SignedCheckpoint(signed.checkpoint, parsed.with_lines(others)), lines)
        return self._witnessed(self._round)

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
        if self._round is None or self._round.signed.checkpoint != signed.checkpoint:
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
        reply = await self._handing.hand(stand, signed, newest)
        if reply is None or reply.status != OK:
            return None
        line = read_cosignature(reply.body, signed.checkpoint.body(), stand.key)
        if stand.most == signed.checkpoint.size:
            # With it, what it took is proof to others.
            parsed = parse_note(signed.note)
            stand.taken = parsed.with_lines([*parsed.signatures, line])
        return line


def _stand(policy: Policy, name: str, key: VerifierKey) -> _Stand:
    url = policy.urls.get(name, "").rstrip("/")
    if not url.startswith(("https://", "http://")):
        raise SettingsInvalid("a witness has no address to be asked at", witness=name)
    return _Stand(name=key.name, url=url, key=key)
