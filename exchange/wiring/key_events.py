"""The keys in use, told in the ledger at each start: a rotation stands there, however it was done.

Promises: an event for each key that differs from what was told last, in one commit, none where nothing
differs; names of keys only. A rotation that ended in the middle is told by the start that finds it done.
An identity key that another took the place of does not come back: only a backup of before can bring it.
Source: LEDGER design, section 5; exchange/decisions/0051-keys-in-use-are-told.md.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.service_keys import SERVICE_KEYS, KeyPutInUse, TellKeys
from exchange.errors import KeysBehindEvents
from exchange.store.codec import Codec
from exchange.wiring.register import service_meta

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from exchange.pipeline.walk import View
    from exchange.store.ports import EventReader
    from exchange.wiring.core import Core
    from exchange.wiring.register import Appends

KEYS_BASIS: Final = "KEYS"
IDENTITY: Final = "identity"


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
        (IDENTITY, _identity_name(core)),
    ]
    if core.second is not None:
        found.append(("log_mldsa", sha256(core.second.key.public).hexdigest()))
    if core.settings.identity_second_party_key:
        public = bytes.fromhex(core.settings.identity_second_party_key)
        found.append(("second_party", sha256(public).hexdigest()))
    return tuple(found)


def refuse_former_identity(core: Core) -> None:
    """Raise KeysBehindEvents where the identity key came back from before it was renewed.

    Everybody holds pseudonyms of the later one. A key made since in such a database is taken only from a
    generation on that was never told: pseudonyms of the lost key would else be taken for its own.
    """
    told = list(_identities_told(core.reader, core.settings.operator_oin))
    name = _identity_name(core)
    if not told or told[-1][1] == name:
        return
    position, names = told[-1][0], {one for _, one in told}
    if name in names:
        core.integrator.confirm()
        raise KeysBehindEvents(
            "the key database is older than the events: another identity key took the place of the one in it",
            position=str(position),
        )
    if core.identity.generation <= len(names):
        core.integrator.confirm()
        raise KeysBehindEvents(
            "the identity key was renewed in a key database of before the last renewal: where no newer one is"
            " left, renew it once more, so that pseudonyms of the lost key are told apart",
            position=str(position),
        )


def _identity_name(core: Core) -> str:
    return sha256(core.identity.public_key(core.settings.operator_oin)).hexdigest()


def _identities_told(reader: EventReader, oin: str) -> Iterator[tuple[int, str]]:
    """Yield the position and name of every identity key that was told, oldest first; of its stream alone."""
    for row in reader.tail(stream_of(SERVICE_KEYS.name, oin)).rows:
        clear, _, _ = Codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        if row.topic == KeyPutInUse.TOPIC and clear["use"] == IDENTITY:
            yield row.position, clear["key_name"]
