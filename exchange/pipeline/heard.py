"""Whose word counts for a caller: a resident's consents, as far as he may know that they were asked.

Promises: looked through once, and again when a consent changes; what is kept from the caller costs no time.
Source: the gate's design section 5 (uniform absence); GDPR 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.consent import WRITTEN_METHODS
from exchange.domain.unlinked import consent_without
from exchange.domain.values import ConsentStatus
from exchange.gate.model import Consent
from exchange.pipeline.hot import SCOPE_PREFIX

if TYPE_CHECKING:
    from exchange.domain.limits.compartments import Kept
    from exchange.domain.resident import ResidentState
    from exchange.pipeline.walk import View

CONSENT_PREFIX: Final = "consent-"
_NO: Final = frozenset({ConsentStatus.REFUSED, ConsentStatus.WITHDRAWN})


class Heard(NamedTuple):
    """What counts for a caller: consents, by consent the records behind others' words, which were written."""

    consents: tuple[Consent, ...]
    evidence: tuple[tuple[str, tuple[str, ...]], ...]
    in_writing: frozenset[str]


def heard_by(view: View, resident: ResidentState, kept: Kept) -> Heard:
    """Return the consents that count for the caller: no yes to a question of whom he does not know of.

    A no counts whoever asked: what is sealed never opens anything. What he is not shown costs no time: it is
    looked through once, until a consent changes. A question nobody answered yet is no word.
    """

    def look_through(_parts: dict[str, Any]) -> Heard:
        streams = (one for one in view.scope(resident.resident) if one.startswith(CONSENT_PREFIX))
        states = [
            state
            for state in map(view.state, streams)
            if state is not None and (state.state in _NO or consent_without(state, kept.links) is not None)
        ]
        evidence = tuple((one.consent_id, one.authority) for one in states if one.authority)
        in_writing = frozenset(one.consent_id for one in states if one.method in WRITTEN_METHODS)
        return Heard(tuple(map(_for_gate, states)), evidence, in_writing)

    heard: Heard = view.derive(SCOPE_PREFIX + resident.resident, (Heard, kept), look_through)
    return heard


def _for_gate(state: Any) -> Consent:  # noqa: ANN401 -- ConsentState
    return Consent(
        consent_id=state.consent_id,
        version=state.version,
        state=state.state.upper(),
        explicit=state.explicit,
        start=state.start_time,
        end=state.end_time,
        withdrawn_at=state.withdrawn_at,
        purposes=frozenset((state.purpose,)),
        recipients=frozenset(state.recipients),
        categories=frozenset(state.categories),
        given_by=state.given_by,
        free_assessed=state.free_assessed,
        spoken_at=state.given_at or state.refused_at,
        kind=state.kind.upper(),
        sources=frozenset(state.sources),
    )
