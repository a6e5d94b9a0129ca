"""Who represents a resident, for tests: valid by default, a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from exchange.domain.representation import (
    DecideDispute,
    EndRepresentative,
    JudgeCapacity,
    RecordRepresentative,
    Representation,
    Representative,
    RepresentativeRecorded,
)
from tests.domain.builders import CONSULENT, DAY, MUNICIPALITY, NOON, RESIDENT_REF

MOTHER_ID = "e0000000-0000-4000-8000-000000000001"
FATHER_ID = "e0000000-0000-4000-8000-000000000002"
LONG_AGO = date(2020, 1, 1)

RECORD = RecordRepresentative(
    now=NOON,
    author=CONSULENT,
    representative_id=MOTHER_ID,
    person_oin=MUNICIPALITY,
    person="ouder-1",
    relation="parent",
    gezag="gezamenlijk_ouderlijk",
    evidence_source="brp",
    source_reference="brp-2026-17",
    source_date=DAY,
    start_date=LONG_AGO,
)
RECORDED = RepresentativeRecorded(
    resident=RESIDENT_REF,
    representative_id=MOTHER_ID,
    organisation=MUNICIPALITY,
    task="college:WMO",
    professional="p-1",
    person_oin=MUNICIPALITY,
    person="ouder-1",
    person_resident="",
    relation="parent",
    gezag="gezamenlijk_ouderlijk",
    evidence_source="brp",
    source_reference="brp-2026-17",
    source_date=DAY,
    start_date=LONG_AGO,
    end_date=None,
    at=NOON,
)
END = EndRepresentative(now=NOON, author=CONSULENT, representative_id=MOTHER_ID, reason="Gezag beëindigd.")
JUDGE = JudgeCapacity(
    now=NOON,
    author=CONSULENT,
    matter="consent",
    capable=False,
    until=DAY + timedelta(days=90),
    reason="Overziet de gevolgen nu niet.",
)
DECIDE = DecideDispute(
    now=NOON,
    author=CONSULENT,
    dispute_id="t-1",
    arbiter="rechtbank",
    reference="C/09/2026-11",
    outcome="yes_stands",
    reason="Vervangende toestemming.",
)

_SHOWN_BY = {
    "parent": "brp",
    "guardian": "brp",
    "curator": "court_order",
    "mentor": "court_order",
    "bewindvoerder": "court_order",
    "proxy": "written_proxy",
    "partner": "statement",
    "family": "statement",
}


def somebody(relation: str = "parent", **changes: Any) -> Representative:  # noqa: ANN401 -- any field of a record
    """A record of somebody in this relation, shown today."""
    gezag = {"parent": "gezamenlijk_ouderlijk", "guardian": "voogdij"}.get(relation, "")
    record = Representative(
        representative_id=f"id-{relation}",
        person_oin=MUNICIPALITY,
        person=f"{relation}-1",
        relation=relation,
        gezag=gezag,
        evidence_source=_SHOWN_BY[relation],
        source_reference="stuk-1",
        source_date=DAY,
        start_date=LONG_AGO,
        end_date=None,
    )
    return replace(record, **changes)


def people(*records: Representative, **changes: Any) -> Representation:  # noqa: ANN401 -- any field
    """These records."""
    return Representation(records, **changes)
