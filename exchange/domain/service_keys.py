"""Which keys the service itself uses, by their public names: each that is put in use is told once.

Promises: holds the name of a key and never a key; a key that was in use before and comes back is told again,
for that is a change too.
Source: LEDGER design, section 5 (rotation); NIST SP 800-57 part 1, section 5.3 (cryptoperiods).
"""

import re
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from exchange.domain.kernel import Aggregate, Command, Event, Events, aggregate
from exchange.domain.shape import FINE, oin_fault, refuse_faults
from exchange.errors import RequestInvalid

# What a key is used for: to wrap all others; to sign the log, twice; to make pseudonyms, and the half of that
# which another organisation holds.
USES: Final = ("kek", "log", "log_mldsa", "identity", "second_party")
_NAME: Final = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{48})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TellKeys(Command):
    """Tell which keys are in use: (use, name) each; the name is 8 or 32 bytes in hexadecimal."""

    oin: str
    keys: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPutInUse(Event):
    """From now on the service uses this key. No former one is the first."""

    TOPIC: ClassVar[str] = "service_keys.put_in_use.v1"
    oin: str
    use: str
    key_name: str
    former_name: str


@dataclass(frozen=True, slots=True)
class ServiceKeysState:
    """The keys in use, by their use."""

    oin: str
    keys: frozenset[tuple[str, str]] = frozenset()

    def name_of(self, use: str) -> str:
        """Return the name of the key of a use, empty where none was told."""
        return next((name for known, name in self.keys if known == use), "")


def _tell(command: TellKeys, state: ServiceKeysState | None) -> Events:
    uses = [use for use, _ in command.keys]
    refuse_faults(
        {
            "oin": oin_fault(command.oin),
            "keys.use": FINE if set(uses) <= set(USES) else "must be a use of a key that is known",
            "keys.name": FINE
            if all(_NAME.fullmatch(name) for _, name in command.keys)
            else "must be 8 or 32 bytes in lower-case hexadecimal",
        }
    )
    if len(set(uses)) != len(uses):
        raise RequestInvalid("a use has one key at a time", {"keys.use": "must stand once"})
    before = ServiceKeysState(command.oin) if state is None else state
    return tuple(
        KeyPutInUse(oin=command.oin, use=use, key_name=name, former_name=before.name_of(use))
        for use, name in command.keys
        if before.name_of(use) != name
    )


def _put_in_use(state: ServiceKeysState | None, event: KeyPutInUse) -> ServiceKeysState:
    before = ServiceKeysState(event.oin) if state is None else state
    others = frozenset(one for one in before.keys if one[0] != event.use)
    return replace(before, keys=others | {(event.use, event.key_name)})


SERVICE_KEYS: Final[Aggregate] = aggregate(
    "service_keys",
    deciders={TellKeys: _tell},
    founders={KeyPutInUse: _put_in_use},
    evolvers={},
)
