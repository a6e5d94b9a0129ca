"""Notices: what residents are told, by version and hash; a consent stands on one that is valid then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from exchange.domain.notice import (
    LEVELS,
    NOTICE,
    VERSIONS_MAX,
    NoticeRegistered,
    RegisterNotice,
    notice_in_force,
)
from exchange.errors import RuleBroken
from tests.domain.builders import CONSULENT, HASH, MUNICIPALITY, NOON, OTHER_HASH, PLANNER, fold, given
from tests.domain.builders import RESIDENT as INWONER

INSTANT = timedelta(microseconds=1)
CHANNEL = "https://mijn.voorbeeld.nl/toestemming"
REGISTER = RegisterNotice(
    now=NOON,
    author=CONSULENT,
    notice_id="toestemming",
    version=3,
    sha256=HASH,
    language="nl",
    level="B1",
    withdrawal_channels=(CHANNEL,),
    valid_from=NOON,
    valid_to=NOON + timedelta(days=365),
)
REGISTERED = NoticeRegistered(
    notice_id="toestemming",
    version=3,
    sha256=HASH,
    language="nl",
    level="B1",
    withdrawal_channels=(CHANNEL,),
    valid_from=NOON,
    valid_to=NOON + timedelta(days=365),
    organisation=MUNICIPALITY,
    task="college:WMO",
    at=NOON,
)


def test_registering_and_registering_again() -> None:
    given(NOTICE).when(REGISTER).then(REGISTERED)
    given(NOTICE, REGISTERED).when(REGISTER).then()


@pytest.mark.parametrize(
    "other",
    [
        replace(REGISTER, sha256=OTHER_HASH),
        replace(REGISTER, version=4),
        replace(REGISTER, level="A2"),
        replace(REGISTER, valid_to=NOON + timedelta(days=1)),
    ],
)
def test_a_registered_version_never_changes(other: RegisterNotice) -> None:
    given(NOTICE, REGISTERED).when(other).refused("NOTICE_KNOWN")


def test_a_new_text_is_a_new_version() -> None:
    new = replace(REGISTER, version=4, sha256=OTHER_HASH)
    given(NOTICE, REGISTERED).when(new).then(replace(REGISTERED, version=4, sha256=OTHER_HASH))


@pytest.mark.parametrize("author", [INWONER, PLANNER])
def test_only_a_college_registers(author: object) -> None:
    given(NOTICE).when(replace(REGISTER, author=author)).refused("NOT_TO_REGISTER")  # type: ignore[arg-type] # an author


@pytest.mark.parametrize("level", ["", "A0", "B2", "C1", "b1"])
def test_what_a_resident_of_b1_cannot_read_is_refused(level: str) -> None:
    given(NOTICE).when(replace(REGISTER, level=level)).invalid("level")


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_every_level_up_to_b1_will_do(level: str) -> None:
    given(NOTICE).when(replace(REGISTER, level=level)).then(replace(REGISTERED, level=level))


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(REGISTER, notice_id=""), "notice_id"),
        (replace(REGISTER, version=0), "version"),
        (replace(REGISTER, sha256="ab"), "sha256"),
        (replace(REGISTER, language=""), "language"),
        (replace(REGISTER, withdrawal_channels=()), "withdrawal_channels"),
        (replace(REGISTER, valid_to=NOON), "end_time"),
        (replace(REGISTER, valid_from=NOON - 2 * INSTANT, valid_to=NOON), "end_time"),
    ],
)
def test_a_fault_names_its_field(command: RegisterNotice, path: str) -> None:
    given(NOTICE).when(command).invalid(path)


def test_there_is_a_most() -> None:
    full = [
        replace(REGISTERED, version=number, sha256=f"{number:064x}")
        for number in range(10, 10 + VERSIONS_MAX)
    ]
    given(NOTICE, *full).when(REGISTER).refused("NOTICE_FULL")
    given(NOTICE, *full[1:]).when(REGISTER).then(REGISTERED)


def test_a_consent_is_asked_on_a_version_that_is_valid_then() -> None:
    known = fold(NOTICE, REGISTERED)
    last = REGISTERED.valid_to - INSTANT
    for now in (NOON, last):
        assert notice_in_force(known, HASH, now).version == 3
    for state, sha256, now, rule in [
        (None, HASH, NOON, "NOTICE_UNKNOWN"),
        (known, OTHER_HASH, NOON, "NOTICE_UNKNOWN"),
        (known, HASH, NOON - INSTANT, "NOTICE_NOT_YET"),
        (known, HASH, REGISTERED.valid_to, "NOTICE_EXPIRED"),
    ]:
        with pytest.raises(RuleBroken) as refused:
            notice_in_force(state, sha256, now)
        assert refused.value.metadata["rule"] == rule
