"""How long it takes to judge a long history again.

Promises: the decisions are written by the service's own codec, sealed under keys of many residents, and
judged again by the replay of `exchange gate replay`; one that finds a difference is an error, no figure.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import LedgerDiffers
from exchange.gate.judge import judge
from exchange.gate.model import Consent, Facts, Field
from exchange.ledger.merkle import Frontier
from exchange.pipeline.decisions import decided
from exchange.pipeline.facts import Subject
from exchange.pipeline.walk import Caller
from exchange.settings import throw_away_settings
from exchange.store.batch import Batch
from exchange.store.codec import Meta
from exchange.store.stored_event import stored_event
from exchange.wiring.core import Core, FreshIds, genesis, open_core, utc_now
from exchange.wiring.history import open_history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.domain.disclosure import DisclosureDecided

DECISIONS: Final = 100_000
RESIDENTS: Final = 1_000
BATCH_EVENTS: Final = 5_000
FIELDS: Final = 12
THUMBPRINT: Final = "00" * 32
FIGURE: Final = "replay_decisions_s"


def with_replay(report: dict[str, Any]) -> dict[str, Any]:
    """Return the report with the figure of the replay among its results."""
    report["results"] |= replay_figure()
    return report


def replay_figure() -> dict[str, Any]:
    """Measure once: seconds for `decisions` stored decisions, opened, read and judged."""
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name:
        settings = throw_away_settings(data=Path(name))
        core = open_core(settings)
        try:
            genesis(core, utc_now(), thumbprint=THUMBPRINT, signing_key=THUMBPRINT)
            _fill(core)
        finally:
            core.close()
        with open_history(settings) as history:
            started = time.perf_counter()
            tally = history.replay(1)
            seconds = round(time.perf_counter() - started, 2)
    if tally.decisions != DECISIONS or not tally.ok:
        raise LedgerDiffers("the replay found what was never written", position="0")
    return {FIGURE: {"median": seconds, "unit": "s", "runs": [seconds], "decisions": DECISIONS}}


def _fill(core: Core) -> None:
    draw, versions = FreshIds(), dict[str, int]()
    position, frontier = core.reader.head()
    grown = Frontier.from_bytes(frontier)
    batch = Batch(position)
    for number, event in enumerate(_decisions(core, position), 1):
        stream = f"disclosure-{event.resident}"
        version = versions[stream] = versions.get(stream, 0) + 1
        meta = Meta(
            event.at,
            event.organisation,
            event.task,
            event.professional,
            event.purpose,
            f"{event.legal_basis}@{event.basis_version}",
            event.decision_id,
            event.policy_hash,
            position,
        )
        state = core.codec.encode(event, event_id=draw(), stream=stream, version=version, meta=meta)
        batch.events.append(stored_event(stream, version, event.TOPIC, state))
        # Replaying reads events; the leaves only have to be as many.
        batch.leaves.append(b"")
        if number % BATCH_EVENTS == 0 or number == DECISIONS:
            core.keys.flush()
            batch.frontier = grown.to_bytes()
            core.recorder.commit(batch)
            batch = Batch(batch.head)


def _decisions(core: Core, position: int) -> Iterator[DisclosureDecided]:
    """Yield permits, parts and refusals in turn; every third rests on a consent."""
    draw, caller = (
        FreshIds(),
        Caller(
            core.settings.operator_oin,
            "college:WMO",
            "bench",
            "regisseur",
            THUMBPRINT,
            two_factor=True,
            mutual_tls=True,
        ),
    )
    residents = [draw().hex() for _ in range(RESIDENTS)]
    kinds = list(_facts(caller))
    for number in range(DECISIONS):
        facts = kinds[number % len(kinds)]
        yield decided(
            decision_id=draw().hex(),
            subject=Subject(residents[number % RESIDENTS], "case-bench", "plan-bench"),
            caller=caller,
            action="READ",
            facts=facts,
            verdict=judge(facts, core.register),
            facts_position=position,
            refused_whole=False,
        )


def _facts(caller: Caller) -> Iterator[Facts]:
    now = utc_now()
    fields = tuple(
        Field(f"goals.field_{number}", "WMO-PLAN", provider="college:WMO", acquired_for="wmo")
        for number in range(FIELDS)
    )
    own = Facts(
        now=now,
        actor_auth="2FA+mTLS",
        legal_basis="WMO-2.3.2",
        purpose="wmo-onderzoek",
        provider="college:WMO",
        recipient="college:WMO",
        recipient_id=caller.recipient_id,
        fields=fields,
        case_relation=True,
        necessity="Nodig voor het onderzoek; niet op minder ingrijpende wijze te verkrijgen",
        age=40,
        capable=True,
        consent=None,
    )
    yield own
    crime = Field("situations.description", "STRAFRECHT", provider="college:WMO", acquired_for="wmo")
    yield replace(own, fields=(*fields[1:], crime))
    yield replace(own, case_relation=False)
    given = Consent(
        consent_id="bench",
        version=2,
        state="GIVEN",
        explicit=True,
        start=now,
        end=now.replace(year=now.year + 1, day=1),
        purposes=frozenset({"wmo-onderzoek"}),
        recipients=frozenset({caller.recipient_id}),
        categories=frozenset({"WMO-PLAN"}),
        given_by=("self",),
        free_assessed=True,
        spoken_at=now,
        kind="STATUTORY",
    )
    held = tuple(replace(field, provider="college:JW", acquired_for="jw") for field in fields)
    yield replace(own, legal_basis="WMO-5.1.1-4", provider="college:JW", fields=held, consent=given)
