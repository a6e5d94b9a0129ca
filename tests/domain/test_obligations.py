"""What of a decision is kept from the resident's side, and until when.

Source: Wmo 2015 5.2.6 and 5.3.1 (Veilig Thuis), GDPR 32 (seals).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from exchange.domain.obligations import Asked, Cleared, Informing, informs, is_about_seal, kept_from

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
ORDINARY = Asked("college:WMO", "wmo-onderzoek", "WMO-2.3.2")


@pytest.mark.parametrize(
    ("duties", "later", "representative", "kept"),
    [
        ((), timedelta(0), True, False),
        (("DEFER-NOTICE-4W",), timedelta(weeks=4, microseconds=-1), False, True),
        (("DEFER-NOTICE-4W",), timedelta(weeks=4), False, False),
        (("DEFER-NOTICE-4W", "NO-NOTICE-TO-SUSPECT"), timedelta(weeks=4), False, False),
        (("DEFER-NOTICE-4W", "NO-NOTICE-TO-SUSPECT"), timedelta(weeks=400), True, True),
        (("NO-NOTICE-TO-SUSPECT",), timedelta(0), False, False),
    ],
)
def test_who_is_told_and_when(
    duties: tuple[str, ...], later: timedelta, *, representative: bool, kept: bool
) -> None:
    assert kept_from(ORDINARY, duties, NOW, NOW + later, representative=representative) is kept


WEEKS = timedelta(weeks=4)
A_MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("cleared", "later", "kept"),
    [
        (None, WEEKS, True),
        (-A_MOMENT, WEEKS, True),
        (timedelta(0), WEEKS, True),
        (A_MOMENT, WEEKS - A_MOMENT, True),
        (A_MOMENT, WEEKS, False),
    ],
)
@pytest.mark.parametrize(
    ("asked", "duties"),
    [
        (ORDINARY, ("DEFER-NOTICE-4W", "NO-NOTICE-TO-SUSPECT")),
        (replace(ORDINARY, task="veilig-thuis"), ("LOG",)),
    ],
)
def test_a_representative_is_told_who_was_cleared_after_it_was_decided_and_not_before_its_weeks_are_over(
    asked: Asked, duties: tuple[str, ...], cleared: timedelta | None, later: timedelta, *, kept: bool
) -> None:
    since = Cleared(investigation=None if cleared is None else NOW + cleared)
    told = kept_from(asked, duties, NOW, NOW + later, representative=True, cleared=since)
    assert told is kept
    assert kept_from(asked, duties, NOW, NOW + WEEKS, representative=False, cleared=since) is False


@pytest.mark.parametrize(
    ("since", "kept"), [(None, True), (-A_MOMENT, True), (timedelta(0), True), (A_MOMENT, False)]
)
@pytest.mark.parametrize("duty", ["NOTIFY-SUBJECT", "ALERT-BREAK-GLASS-REFUSED"])
def test_an_emergency_is_told_to_the_resident_at_once_and_to_a_representative_who_was_cleared_after_it(
    duty: str, since: timedelta | None, *, kept: bool
) -> None:
    asked = replace(ORDINARY, purpose="acute-nood")
    cleared = Cleared(emergency=None if since is None else NOW + since)
    of_an_investigation = Cleared(investigation=NOW + A_MOMENT)
    assert kept_from(asked, ("LOG", duty), NOW, NOW, representative=True, cleared=cleared) is kept
    assert kept_from(asked, ("LOG", duty), NOW, NOW, representative=True, cleared=of_an_investigation)
    assert not kept_from(asked, ("LOG", duty), NOW, NOW, representative=False)
    # Nobody hides a look by naming an emergency of which no officer is told.
    assert not kept_from(asked, ("LOG",), NOW, NOW, representative=True)


@pytest.mark.parametrize(
    ("asked", "safety"),
    [
        (ORDINARY, False),
        (replace(ORDINARY, task="veilig-thuis"), True),
        (replace(ORDINARY, legal_basis="WMO-5.2.5-1"), False),
    ],
)
def test_what_was_asked_for_safety_is_kept_whatever_was_answered(asked: Asked, *, safety: bool) -> None:
    weeks, moment_before = timedelta(weeks=4), timedelta(microseconds=1)
    kept = [
        kept_from(asked, ("LOG",), NOW, NOW + later, representative=representative)
        for later, representative in ((weeks - moment_before, False), (weeks, False), (weeks * 100, True))
    ]
    assert kept == [safety, False, safety]


@pytest.mark.parametrize("representative", [True, False])
def test_a_claim_alone_hides_a_look_from_representatives_only(*, representative: bool) -> None:
    asked = replace(ORDINARY, purpose="vt-onderzoek", legal_basis="WMO-5.2.6")
    assert kept_from(asked, ("LOG",), NOW, NOW, representative=representative) is representative


@pytest.mark.parametrize(
    ("asked", "fields", "sealing"),
    [
        (replace(ORDINARY, action="COMMAND", legal_basis="SEAL-32"), (), True),
        (replace(ORDINARY, action="EVALUATE", legal_basis="SEAL-32"), (), True),
        (replace(ORDINARY, action="COMMAND", legal_basis="NO-SUCH"), ("paths", "readers", "reason"), True),
        (replace(ORDINARY, action="COMMAND"), ("reason", "paths"), False),
        # Who lifts or confirms names a seal or a proposal, on whatever basis.
        (replace(ORDINARY, action="COMMAND"), ("reason", "seal_id"), True),
        (replace(ORDINARY, action="COMMAND"), ("proposal_id",), True),
        (replace(ORDINARY, action="COMMAND"), ("reason",), False),
        (ORDINARY, ("seal_id", "proposal_id"), False),
        # Who reads on the basis of a seal reads: the resident is told.
        (replace(ORDINARY, legal_basis="SEAL-32"), ("paths", "readers"), False),
    ],
)
def test_what_is_done_about_seals_is_known(asked: Asked, fields: tuple[str, ...], *, sealing: bool) -> None:
    assert is_about_seal(asked, fields) is sealing


# --- informing ----------------------------------------------------------------------------------------------

DELIVERED = Asked("wmo-aanbieder", "wmo-levering", "WMO-5.2.1-2a")


@pytest.mark.parametrize(
    ("asked", "outcome", "duties", "answered", "informed"),
    [
        (DELIVERED, "PERMIT", (), "", True),
        (DELIVERED, "PARTIAL", (), "", True),
        (DELIVERED, "DENY", (), "", False),
        (DELIVERED, "DENY", (), "GIVEN", True),
        (DELIVERED, "PERMIT", (), "NOTHING", False),
        (replace(DELIVERED, action="SUBSCRIBE"), "PERMIT", (), "", True),
        (replace(DELIVERED, action="COMMAND"), "PERMIT", (), "", False),
        (replace(DELIVERED, action="EVALUATE"), "PERMIT", (), "", False),
        (replace(DELIVERED, task="betrokkene"), "PERMIT", (), "", False),
        (replace(DELIVERED, task="wettelijk-vertegenwoordiger"), "PERMIT", (), "", False),
        (replace(DELIVERED, task="fg"), "PERMIT", (), "", False),
        (DELIVERED, "PERMIT_BREAK_GLASS", (), "", False),
        (DELIVERED, "DENY", ("NOTIFY-SUBJECT",), "GIVEN", False),
        (DELIVERED, "PERMIT", ("DEFER-NOTICE-4W",), "", False),
        (DELIVERED, "PERMIT", ("INFORM-RESIDENT", "LOG"), "", True),
    ],
)
def test_the_resident_is_informed_of_what_was_given(
    asked: Asked, outcome: str, duties: tuple[str, ...], answered: str, *, informed: bool
) -> None:
    entry = Informing("DISCLOSE", "14")
    assert informs(asked, "1", outcome, duties, lambda *_: entry, answered=answered) is informed


def test_the_entry_is_that_of_the_very_version() -> None:
    entries = {
        ("WMO-5.2.1-2a", "1"): Informing("DISCLOSE", "14"),
        ("WMO-5.2.1-2a", "2"): Informing("DISCLOSE", "13"),
    }
    told = [
        informs(DELIVERED, version, "PERMIT", (), lambda *key: entries.get(key), answered="")
        for version in ("1", "2", "3")
    ]
    assert told == [True, False, False]
