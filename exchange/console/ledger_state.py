"""The state of the ledger as its newest checkpoint tells it, which is asked as nobody: it is about nobody.

Source: c2sp.org/tlog-checkpoint, c2sp.org/signed-note, c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.refusals import AnswerRefused
from exchange.v1 import ledger_service_pb2 as pb

if TYPE_CHECKING:
    from exchange.console.page import Look

_DASH: Final = "\u2014 "
_LINES_MIN: Final = 3
# A witness is asked each second; who is silent for longer is away.
LATE: Final = timedelta(minutes=10)
# Key, time and signature: on Ed25519, and on ML-DSA-44.
_TIMED: Final = (4 + 8 + 64, 4 + 8 + 2420)


class Signer(NamedTuple):
    """Who signed: the name of the key, and when, where its line tells; not verified here."""

    name: str
    at: datetime | None


class LedgerState(NamedTuple):
    """What a checkpoint says; `trouble` where none came. `signers` are the names of the keys under it."""

    origin: str = ""
    size: int = 0
    root: str = ""
    signers: tuple[Signer, ...] = ()
    missing: tuple[str, ...] = ()
    quorum: bool = False
    first_leaf: int = 0
    note: str = ""
    trouble: str = ""

    @property
    def sound(self) -> bool:
        """Tell whether nothing is amiss that can be seen from here."""
        return not self.trouble and self.quorum and not self.missing

    def late(self, claimed: datetime | None, now: datetime) -> bool:
        """Tell whether who is missing is away, not just behind; `claimed` is when the state was signed."""
        return bool(self.missing) and claimed is not None and now - claimed > LATE


async def ledger_state(look: Look) -> LedgerState:
    """Return the state of the newest log; trouble in it is no reason to show nothing."""
    try:
        answer = await look.ask(pb.GetCheckpointRequest(), pb.GetCheckpointResponse)
    except AnswerRefused as refused:
        return LedgerState(trouble=refused.reason)
    text, _, signatures = answer.checkpoint.partition("\n\n")
    lines = text.split("\n")
    if len(lines) < _LINES_MIN or not lines[1].isdecimal():
        return LedgerState(trouble="PROOF_INVALID")
    return LedgerState(
        origin=lines[0],
        size=int(lines[1]),
        root=lines[2],
        signers=tuple(
            signer_of(*line.removeprefix(_DASH).split(" ")[:2])
            for line in signatures.splitlines()
            if line.startswith(_DASH) and line.count(" ") > 1
        ),
        missing=tuple(answer.missing_witnesses),
        quorum=answer.quorum,
        first_leaf=answer.opening.first_leaf,
        note=answer.checkpoint,
    )


def signer_of(name: str, line: str) -> Signer:
    """Return who signed; a cosignature tells seconds since 1970 behind the four bytes of its key."""
    try:
        raw = b64decode(line, validate=True)
        if len(raw) not in _TIMED:
            return Signer(name, None)
        return Signer(name, datetime.fromtimestamp(int.from_bytes(raw[4:12], "big"), UTC))
    except (ValueError, OverflowError, OSError):
        return Signer(name, None)
