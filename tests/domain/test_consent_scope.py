"""Consents: whose data, under which law, and what shows that a yes is free."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchange.domain.consent import CONSENT, SOURCES_MAX
from exchange.domain.values import ConsentKind
from tests.domain.builders import CONSENT_GIVEN, CONSENT_REQUESTED, GIVE, REQUEST, RESIDENT, fold, given
from tests.domain.test_consent import asked

# --- what shows that it is free (GDPR 4(11), 7(4), recitals 42 and 43) ----------------------------------


@pytest.mark.parametrize("kind", list(ConsentKind))
@pytest.mark.parametrize("shown", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("free", [True, False])
def test_that_a_gdpr_consent_is_free_is_said_with_what_shows_it(
    kind: str, shown: tuple[bool, bool], *, free: bool
) -> None:
    alternatives, no_detriment = shown
    by = f"{RESIDENT.oin}/{RESIDENT.professional}" if any(shown) else ""
    order = replace(GIVE, free_assessed=free, alternatives=alternatives, no_detriment=no_detriment)
    sentence = given(CONSENT, asked(kind=kind)).when(order)
    if kind == "gdpr" and free and not all(shown):
        sentence.refused("NOT_SHOWN_FREE")
    else:
        told = replace(CONSENT_GIVEN, free_assessed=free, alternatives=alternatives)
        sentence.then(replace(told, no_detriment=no_detriment, assessed_by=by))


# --- whose data, under which law ------------------------------------------------------------------------


@pytest.mark.parametrize("regime", ["", "WMO", "JW", "WGBO", "PW", "SUWI", "WGS", "GDPR", "wmo", "BRP"])
@pytest.mark.parametrize("kind", ["gdpr", "statutory"])
def test_a_consent_is_of_one_law_and_that_of_gdpr_of_the_gdpr(kind: str, regime: str) -> None:
    sentence = given(CONSENT).when(replace(REQUEST, kind=kind, regime=regime))
    known = regime in {"", "WMO", "JW", "WGBO", "PW", "SUWI", "WGS", "GDPR"}
    if not known or (regime and (regime == "GDPR") is not (kind == "gdpr")):
        sentence.invalid("regime")
    else:
        sentence.then(replace(CONSENT_REQUESTED, kind=kind, regime="GDPR" if kind == "gdpr" else regime))


@pytest.mark.parametrize("count", [0, 1, SOURCES_MAX, SOURCES_MAX + 1])
def test_whose_data_it_is_about_is_said_or_whoevers(count: int) -> None:
    sources = tuple(f"college:{number}" for number in range(count))
    sentence = given(CONSENT).when(replace(REQUEST, sources=sources))
    if count > SOURCES_MAX:
        sentence.invalid("sources")
    else:
        sentence.then(replace(CONSENT_REQUESTED, sources=sources))
    given(CONSENT).when(replace(REQUEST, sources=("uwv", "uwv"))).invalid("sources")
    assert fold(CONSENT, replace(CONSENT_REQUESTED, sources=("uwv",), regime="SUWI")).sources == ("uwv",)
