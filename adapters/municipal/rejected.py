"""What was refused: bodies of the webhook and cases for a person, sealed, for so many days.

Promises: a body that is no message stands nowhere in the clear, and neither its name nor its reason says what
it holds; at an erasure what names the resident, or a case of theirs, goes too; the rest goes with its time.
What an earlier version left in the clear is sealed at the start.
Source: GDPR 5(1)(e), 17, 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.kit.numbers import mentions
from adapters.kit.put_aside import PutAside, Tidying
from adapters.kit.sealing import KeyUnusable, Seal, key_at
from adapters.municipal.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from adapters.municipal.config import Config
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.logs import AdapterLog

REJECTED_MAX: Final = 1_000
_NAME_DIGITS: Final = 16


class Rejected:
    """One for each thread. The folder and the key are made when they are needed, and not before."""

    def __init__(self, config: Config, log: AdapterLog, now_ms: Callable[[], int]) -> None:
        self._config: Final = config
        self._log: Final = log
        self._now_ms: Final = now_ms
        self._tidying: Tidying | None = None

    @property
    def kept(self) -> PutAside:
        """Return what is kept. Raises ConfigInvalid where the key is no key, OSError."""
        return PutAside(self._config.rejected, self._seal(), self._now_ms)

    def _seal(self, *, make: bool = True) -> Seal:
        try:
            return Seal(key_at(self._config.seal_key, make=make))
        except KeyUnusable as unusable:
            raise ConfigInvalid(str(unusable)) from None

    def look(self) -> PutAside:
        """Return what is kept, for a person. Raises ConfigInvalid where there is no key yet."""
        return PutAside(self._config.rejected, self._seal(make=False), self._now_ms)

    def keep(self, name: str, content: bytes, reason: str) -> bool:
        """Keep what was refused; tell whether there was a place. Raises OSError, ConfigInvalid.

        The oldest stay, for what floods is not worth more.
        """
        kept = self.kept
        if sum(1 for _ in self._config.rejected.iterdir()) >= REJECTED_MAX * 2:
            return False
        kept.keep(name, content, f"{reason}\n")
        return True

    def keep_body(self, raw: bytes, reason: str) -> bool:
        """Keep a body once, under a name that tells nothing of it. Raises as `keep`."""
        # Not its hash: of a body with one number in it all could be tried.
        return self.keep(f"notification-{self._seal().name(raw).hex()[:_NAME_DIGITS]}", raw, reason)

    def tidy(self) -> None:
        """Seal what lies in the clear, and remove what was refused long enough ago. Raises as `keep`."""
        if not self._config.rejected.is_dir():
            return
        if self._tidying is None:
            self._tidying = Tidying(self.kept, self._config.rejected_days, self._log, self._now_ms)
        self._tidying.work()

    def erase(self, bsns: Collection[Bsn], cases: Collection[str]) -> None:
        """Remove what names one of these residents or cases. Raises as `keep`."""
        if not (bsns or cases) or not self._config.rejected.is_dir():
            return
        numbers = [bsn.reveal() for bsn in bsns]

        def is_theirs(content: bytes) -> bool:
            return any(mentions(content, one) for one in numbers) or any(
                case.encode() in content for case in cases
            )

        gone = self.kept.erase(is_theirs)
        if gone:
            self._log.info("rejected_erased", count=gone)
