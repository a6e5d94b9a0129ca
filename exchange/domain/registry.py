"""Every aggregate and topic by name: how the floors above find them.

Promises: each topic names exactly one event; a topic or stream nobody knows is refused, never guessed.
Source: house style 13.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from exchange.domain.case import CASE
from exchange.domain.consent import CONSENT
from exchange.domain.delivery import DELIVERY
from exchange.domain.disclosure import DISCLOSURE
from exchange.domain.erasure.purge import ERASURE
from exchange.domain.evaluation import EVALUATION
from exchange.domain.handover import HANDOVER
from exchange.domain.household import HOUSEHOLD, MEMBERSHIP
from exchange.domain.insight import INSIGHT
from exchange.domain.kernel import STREAM_SEPARATOR, Aggregate, Event, stream_of
from exchange.domain.ledger import LEDGER
from exchange.domain.legal_basis import LEGAL_BASIS
from exchange.domain.lookups import LOOKUPS
from exchange.domain.notice import NOTICE
from exchange.domain.organisation import ORGANISATION
from exchange.domain.plan import PLAN
from exchange.domain.resident import RESIDENT
from exchange.domain.rights.request import RIGHTS_REQUEST
from exchange.domain.rights.restricting import RESTRICTION
from exchange.domain.service_keys import SERVICE_KEYS
from exchange.errors import HistoryUnreadable

AGGREGATES: Final[Mapping[str, Aggregate]] = MappingProxyType(
    {
        each.name: each
        for each in (
            *(ORGANISATION, LEGAL_BASIS, NOTICE, RESIDENT, CASE, CONSENT, PLAN, DISCLOSURE),
            *(EVALUATION, ERASURE, RIGHTS_REQUEST, SERVICE_KEYS, INSIGHT, HANDOVER, RESTRICTION),
            *(HOUSEHOLD, MEMBERSHIP, LEDGER, DELIVERY, LOOKUPS),
        )
    }
)
TOPICS: Final[Mapping[str, type[Event]]] = MappingProxyType(
    {event.TOPIC: event for each in AGGREGATES.values() for event in each.events}
)


def aggregate_of(stream: str) -> Aggregate:
    """Return the aggregate a stream belongs to. Raises HistoryUnreadable for a name nobody knows."""
    name, separator, key = stream.partition(STREAM_SEPARATOR)
    if name not in AGGREGATES or not separator or not key:
        raise HistoryUnreadable("this stream belongs to no aggregate this version knows")
    return AGGREGATES[name]


__all__ = ["AGGREGATES", "TOPICS", "aggregate_of", "stream_of"]
