"""The keys in use, told in the ledger at each start: a rotation stands there, however it was done.

Promises: an event for each key that differs from what was told last, in one commit, none where nothing
differs; names of keys only. A rotation that ended in the middle is told by the start that finds it done.
Source: LEDGER design, section 5; exchange/decisions/0051-keys-in-use-are-told.md.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.service_keys import SERVICE_KEYS, TellKeys
from exchange.wiring.register import service_meta

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.pipeline.walk import View
    from exchange.wiring.core import Core
    from exchange.wiring.register import Appends

KEYS_BASIS: Final = "KEYS"


def tell_keys(core: Core, now: datetime) -> int:
    """Record which keys are in use that were not; return how many. Raises StoreUnavailable, Unavailable."""
    oin = core.settings.operator_oin
    stream = stream_of(SERVICE_KEYS.name, oin)
    command = TellKeys(now=now, oin=oin, keys=keys_in_use(core))

    def telling(view: View) -> Appends:
        events = SERVICE_KEYS.decide(command, view.state(stream))
        return [(stream, events)] if events else []

    return core.writer.record(telling, service_meta(core, now, KEYS_BASIS))


def keys_in_use(core: Core) -> tuple[tuple[str, str], ...]:
    """Return (use, name): the KEK by its id, others by the SHA-256 of their public half.

    The identity key by the operator's own public key under it, which each generation changes.
    """
    found = [
        ("kek", core.kek.key_id),
        ("log", sha256(core.signer.key.public).hexdigest()),
        ("identity", sha256(core.identity.public_key(core.settings.operator_oin)).hexdigest()),
    ]
    if core.second is not None:
        found.append(("log_mldsa", sha256(core.second.key.public).hexdigest()))
    if core.settings.identity_second_party_key:
        public = bytes.fromhex(core.settings.identity_second_party_key)
        found.append(("second_party", sha256(public).hexdigest()))
    return tuple(found)
