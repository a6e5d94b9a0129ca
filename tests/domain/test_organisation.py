"""Organisations: certificates, tasks, and an operator that cannot lock itself out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from exchange.domain.mandate import as_fields
from exchange.domain.organisation import (
    CERTIFICATES_MAX,
    ORGANISATION,
    TASKS_MAX,
    AddCertificate,
    EndTask,
    GrantTask,
    JoinOrganisation,
    LeaveOrganisation,
    RevokeCertificate,
    SetEnvelopeKey,
)
from exchange.domain.organisation_events import (
    CertificateAdded,
    CertificateRevoked,
    EnvelopeKeySet,
    OrganisationLeft,
    TaskEnded,
    TaskGranted,
)
from exchange.errors import RuleBroken
from tests.domain.builders import (
    A_DAY,
    DAY,
    HASH,
    JOIN,
    MANDATE,
    MANDATED,
    MUNICIPALITY,
    NOON,
    ORGANISATION_JOINED,
    OTHER_HASH,
    UNMANDATED,
    fold,
    given,
)

OPERATOR_JOINED = replace(ORGANISATION_JOINED, operator=True, **UNMANDATED)
ADD = AddCertificate(now=NOON, certificate_thumbprint=OTHER_HASH, signing_key=OTHER_HASH)
ADDED = CertificateAdded(oin=MUNICIPALITY, certificate_thumbprint=OTHER_HASH, signing_key=OTHER_HASH)
REVOKE = RevokeCertificate(now=NOON, certificate_thumbprint=HASH)
REVOKED = CertificateRevoked(oin=MUNICIPALITY, certificate_thumbprint=HASH)
LEAVE = LeaveOrganisation(now=NOON)
LEFT = OrganisationLeft(oin=MUNICIPALITY)


def test_joining() -> None:
    given(ORGANISATION).when(JOIN).then(ORGANISATION_JOINED)


def test_joining_twice_is_refused() -> None:
    given(ORGANISATION, ORGANISATION_JOINED).when(JOIN).refused("ALREADY_JOINED")


def test_coming_back_under_the_old_number_is_refused() -> None:
    given(ORGANISATION, ORGANISATION_JOINED, LEFT).when(JOIN).refused("ALREADY_JOINED")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(JOIN, oin="0000000100123456700"), "oin"),
        (replace(JOIN, oin="000000010012345670000"), "oin"),
        (replace(JOIN, oin="0000000100123456700x"), "oin"),
        (replace(JOIN, oin="٠٠٠٠٠٠٠١٠٠١٢٣٤٥٦٧٠٠٠"), "oin"),
        (replace(JOIN, name="  "), "name"),
        (replace(JOIN, name="n" * 4001), "name"),
        (replace(JOIN, mandate=None, tasks=()), "tasks"),
        (replace(JOIN, tasks=("college:WMO", "college:WMO")), "tasks"),
        (replace(JOIN, mandate=None, tasks=("college WMO",)), "tasks"),
        (replace(JOIN, mandate=None, tasks=tuple(f"t{n}" for n in range(TASKS_MAX + 1))), "tasks"),
        (replace(JOIN, certificate_thumbprint="AB" * 32), "certificate_thumbprint"),
        (replace(JOIN, certificate_thumbprint="ab" * 31), "certificate_thumbprint"),
        (replace(JOIN, signing_key=""), "signing_key"),
    ],
)
def test_joining_with_a_fault_names_the_field(command: JoinOrganisation, path: str) -> None:
    given(ORGANISATION).when(command).invalid(path)


def test_all_faults_are_named_at_once() -> None:
    bad = replace(JOIN, oin="1", name="", signing_key="x")
    given(ORGANISATION).when(bad).invalid("oin", "name", "signing_key")


def test_joining_with_the_most_tasks() -> None:
    tasks = tuple(f"t{n:02}" for n in range(TASKS_MAX))
    joined = replace(ORGANISATION_JOINED, tasks=tasks, **UNMANDATED)
    given(ORGANISATION).when(replace(JOIN, tasks=tasks, mandate=None)).then(joined)


def test_adding_a_certificate() -> None:
    given(ORGANISATION, ORGANISATION_JOINED).when(ADD).then(ADDED)


def test_a_certificate_without_key_takes_the_newest_known_one() -> None:
    third = "ef" * 32
    command = AddCertificate(now=NOON, certificate_thumbprint=third)
    added = CertificateAdded(oin=MUNICIPALITY, certificate_thumbprint=third, signing_key=OTHER_HASH)
    given(ORGANISATION, ORGANISATION_JOINED, ADDED).when(command).then(added)


def test_adding_the_same_certificate_again_changes_nothing() -> None:
    history = (ORGANISATION_JOINED, ADDED)
    given(ORGANISATION, *history).when(ADD).then()
    given(ORGANISATION, *history).when(replace(ADD, signing_key="")).then()


def test_a_known_certificate_with_another_key_is_refused() -> None:
    given(ORGANISATION, ORGANISATION_JOINED, ADDED).when(replace(ADD, signing_key=HASH)).refused(
        "SIGNING_KEY_DIFFERS"
    )


def test_a_malformed_certificate_is_refused() -> None:
    bad = AddCertificate(now=NOON, certificate_thumbprint="zz", signing_key="zz")
    given(ORGANISATION, ORGANISATION_JOINED).when(bad).invalid("certificate_thumbprint", "signing_key")


def test_the_most_certificates() -> None:
    more = tuple(
        CertificateAdded(oin=MUNICIPALITY, certificate_thumbprint=f"{n:064x}", signing_key=HASH)
        for n in range(CERTIFICATES_MAX - 1)
    )
    given(ORGANISATION, ORGANISATION_JOINED, *more[:-1]).when(ADD).then(ADDED)
    given(ORGANISATION, ORGANISATION_JOINED, *more).when(ADD).refused("CERTIFICATES_FULL")


def test_revoking_a_certificate() -> None:
    given(ORGANISATION, ORGANISATION_JOINED).when(REVOKE).then(REVOKED)


def test_revoking_twice_changes_nothing() -> None:
    given(ORGANISATION, ORGANISATION_JOINED, REVOKED).when(REVOKE).then()


def test_revoking_an_unknown_certificate_is_refused() -> None:
    unknown = RevokeCertificate(now=NOON, certificate_thumbprint=OTHER_HASH)
    given(ORGANISATION, ORGANISATION_JOINED).when(unknown).refused("CERTIFICATE_UNKNOWN")


def test_a_revoked_certificate_never_comes_back() -> None:
    again = AddCertificate(now=NOON, certificate_thumbprint=HASH, signing_key=HASH)
    given(ORGANISATION, ORGANISATION_JOINED, REVOKED).when(again).refused("CERTIFICATE_REVOKED")


def test_the_operator_keeps_its_last_certificate() -> None:
    given(ORGANISATION, OPERATOR_JOINED).when(REVOKE).refused("LAST_CERTIFICATE")
    given(ORGANISATION, OPERATOR_JOINED, ADDED).when(REVOKE).then(REVOKED)
    other = RevokeCertificate(now=NOON, certificate_thumbprint=OTHER_HASH)
    given(ORGANISATION, OPERATOR_JOINED, ADDED, REVOKED).when(other).refused("LAST_CERTIFICATE")


def test_granting_a_task() -> None:
    granted = TaskGranted(oin=MUNICIPALITY, task="college:WGS", **UNMANDATED)
    grant = GrantTask(now=NOON, task="college:WGS")
    given(ORGANISATION, OPERATOR_JOINED).when(grant).then(granted)
    given(ORGANISATION, OPERATOR_JOINED, granted).when(grant).then()


def test_granting_a_task_without_a_name_is_refused() -> None:
    given(ORGANISATION, OPERATOR_JOINED).when(GrantTask(now=NOON, task="")).invalid("task")
    given(ORGANISATION, OPERATOR_JOINED).when(GrantTask(now=NOON, task="t" * 61)).invalid("task")


def test_the_most_tasks() -> None:
    almost = replace(ORGANISATION_JOINED, tasks=tuple(f"t{n}" for n in range(TASKS_MAX - 1)))
    grant = GrantTask(now=NOON, task="svb")
    granted = TaskGranted(oin=MUNICIPALITY, task="svb", **UNMANDATED)
    given(ORGANISATION, almost).when(grant).then(granted)
    given(ORGANISATION, almost, replace(granted, task="last")).when(grant).refused("TASKS_FULL")


def test_ending_a_task() -> None:
    end = EndTask(now=NOON, task="college:PW")
    ended = TaskEnded(oin=MUNICIPALITY, task="college:PW")
    given(ORGANISATION, ORGANISATION_JOINED).when(end).then(ended)
    given(ORGANISATION, ORGANISATION_JOINED, ended).when(end).then()


def test_the_operator_keeps_its_last_task() -> None:
    ended = TaskEnded(oin=MUNICIPALITY, task="college:PW")
    last = EndTask(now=NOON, task="college:WMO")
    given(ORGANISATION, OPERATOR_JOINED, ended).when(last).refused("LAST_TASK")
    given(ORGANISATION, ORGANISATION_JOINED, ended).when(last).then(replace(ended, task="college:WMO"))


def test_leaving() -> None:
    given(ORGANISATION, ORGANISATION_JOINED).when(LEAVE).then(LEFT)
    given(ORGANISATION, ORGANISATION_JOINED, LEFT).when(LEAVE).then()


def test_the_operator_stays() -> None:
    given(ORGANISATION, OPERATOR_JOINED).when(LEAVE).refused("OPERATOR_STAYS")


@pytest.mark.parametrize("command", [ADD, GrantTask(now=NOON, task="t"), EndTask(now=NOON, task="t")])
def test_who_left_gets_nothing_new(command: AddCertificate | GrantTask | EndTask) -> None:
    given(ORGANISATION, ORGANISATION_JOINED, LEFT).when(command).refused("HAS_LEFT")


def test_certificates_of_who_left_can_still_be_revoked() -> None:
    given(ORGANISATION, ORGANISATION_JOINED, LEFT).when(REVOKE).then(REVOKED)


@pytest.mark.parametrize(
    "command", [ADD, REVOKE, GrantTask(now=NOON, task="t"), EndTask(now=NOON, task="t"), LEAVE]
)
def test_nothing_happens_to_who_never_joined(
    command: AddCertificate | RevokeCertificate | GrantTask | EndTask | LeaveOrganisation,
) -> None:
    given(ORGANISATION).when(command).refused("NOT_JOINED")


def test_the_state_tells_which_certificates_work() -> None:
    state = fold(ORGANISATION, ORGANISATION_JOINED, ADDED, REVOKED)
    assert [each.thumbprint for each in state.certificates if not each.revoked] == [OTHER_HASH]
    assert state.certificate(HASH).revoked
    assert state.certificate("00" * 32) is None
    assert state.tasks == {"college:PW", "college:WMO"}


# --- whose college it is ------------------------------------------------------------------------------

UNMANDATED_JOINED = replace(ORGANISATION_JOINED, **UNMANDATED)
PROVIDER_JOINED = replace(UNMANDATED_JOINED, tasks=("wmo-aanbieder",))
OTHER_COLLEGE = "college-andere-gemeente:PW"
RENEWED = replace(MANDATE, reference="gmb-2027-5")
GRANT = GrantTask(now=NOON, task="college:WGS")
GRANTED = TaskGranted(oin=MUNICIPALITY, task="college:WGS", **UNMANDATED)


def test_who_joins_as_the_operators_college_names_a_mandate() -> None:
    bare = replace(JOIN, mandate=None)
    given(ORGANISATION).when(bare).refused("MANDATE_NEEDED")
    given(ORGANISATION).when(replace(bare, tasks=("svb", "college:PW"))).refused("MANDATE_NEEDED")
    other = replace(UNMANDATED_JOINED, tasks=(OTHER_COLLEGE,))
    given(ORGANISATION).when(replace(bare, tasks=(OTHER_COLLEGE,))).then(other)
    given(ORGANISATION).when(replace(bare, operator=True)).then(OPERATOR_JOINED)
    assert fold(ORGANISATION, other).tasks == {OTHER_COLLEGE}


def test_the_refusal_says_what_another_municipality_is_granted() -> None:
    with pytest.raises(RuleBroken, match="college-andere-gemeente:<law>"):
        ORGANISATION.decide(GRANT, fold(ORGANISATION, PROVIDER_JOINED))


def test_a_task_of_the_college_is_granted_to_another_under_a_mandate_only() -> None:
    mandated = replace(GRANT, mandate=MANDATE)
    granted = replace(GRANTED, **MANDATED)
    given(ORGANISATION, PROVIDER_JOINED).when(GRANT).refused("MANDATE_NEEDED")
    given(ORGANISATION, PROVIDER_JOINED).when(mandated).then(granted)
    given(ORGANISATION, OPERATOR_JOINED).when(GRANT).then(GRANTED)
    other = replace(GRANT, task=OTHER_COLLEGE)
    given(ORGANISATION, PROVIDER_JOINED).when(other).then(replace(GRANTED, task=OTHER_COLLEGE))
    assert fold(ORGANISATION, PROVIDER_JOINED, granted).mandates == {("college:WGS", MANDATE)}


def test_the_same_mandate_again_changes_nothing_and_another_renews_it() -> None:
    history = (PROVIDER_JOINED, replace(GRANTED, **MANDATED))
    given(ORGANISATION, *history).when(GRANT).then()
    given(ORGANISATION, *history).when(replace(GRANT, mandate=MANDATE)).then()
    renewed = replace(GRANTED, **as_fields(RENEWED))
    given(ORGANISATION, *history).when(replace(GRANT, mandate=RENEWED)).then(renewed)
    assert fold(ORGANISATION, *history, renewed).mandates == {("college:WGS", RENEWED)}


def test_a_mandate_ends_with_its_task() -> None:
    history = (PROVIDER_JOINED, replace(GRANTED, **MANDATED), TaskEnded(oin=MUNICIPALITY, task="college:WGS"))
    assert fold(ORGANISATION, *history).mandates == frozenset()
    given(ORGANISATION, *history).when(GRANT).refused("MANDATE_NEEDED")


def test_what_was_granted_before_mandates_were_asked_is_not_held_until_one_is_recorded() -> None:
    assert fold(ORGANISATION, UNMANDATED_JOINED).tasks == frozenset()
    assert fold(ORGANISATION, PROVIDER_JOINED, GRANTED).tasks == {"wmo-aanbieder"}
    given(ORGANISATION, UNMANDATED_JOINED).when(replace(GRANT, task="college:PW")).refused("MANDATE_NEEDED")
    late = replace(GRANTED, task="college:PW", **MANDATED)
    given(ORGANISATION, UNMANDATED_JOINED).when(replace(GRANT, task="college:PW", mandate=MANDATE)).then(late)
    assert fold(ORGANISATION, UNMANDATED_JOINED, late).tasks == {"college:PW"}
    assert fold(ORGANISATION, OPERATOR_JOINED, GRANTED).tasks == {"college:PW", "college:WMO", "college:WGS"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"reference": ""}, "mandate.reference"),
        ({"reference": "r" * 61}, "mandate.reference"),
        ({"day": DAY + A_DAY}, "mandate.decision_date"),
        ({"day": date(1899, 12, 31)}, "mandate.decision_date"),
        ({"text": " "}, "mandate.text"),
    ],
)
def test_a_mandate_with_a_fault_names_the_field(changes: dict[str, Any], path: str) -> None:
    wrong = replace(MANDATE, **changes)
    given(ORGANISATION).when(replace(JOIN, mandate=wrong)).invalid(path)
    given(ORGANISATION, PROVIDER_JOINED).when(replace(GRANT, mandate=wrong)).invalid(path)


def test_a_mandate_of_today_is_one() -> None:
    today = replace(MANDATE, day=DAY)
    joined = replace(ORGANISATION_JOINED, **as_fields(today))
    given(ORGANISATION).when(replace(JOIN, mandate=today)).then(joined)


def test_a_mandate_for_nothing_is_refused() -> None:
    given(ORGANISATION).when(replace(JOIN, tasks=("svb",))).invalid("mandate")
    given(ORGANISATION, OPERATOR_JOINED).when(replace(GRANT, mandate=MANDATE)).invalid("mandate")
    given(ORGANISATION, PROVIDER_JOINED).when(replace(GRANT, task="svb", mandate=MANDATE)).invalid("mandate")


# --- envelope key -----------------------------------------------------------------------------------

SET_KEY = SetEnvelopeKey(now=NOON, envelope_key=OTHER_HASH, key_signature="ef" * 64, signing_key=HASH)
KEY_SET = EnvelopeKeySet(oin=MUNICIPALITY, envelope_key=OTHER_HASH, key_signature="ef" * 64, signing_key=HASH)


def test_an_envelope_key_is_set_renewed_and_the_same_again_changes_nothing() -> None:
    given(ORGANISATION, ORGANISATION_JOINED).when(SET_KEY).then(KEY_SET)
    given(ORGANISATION, ORGANISATION_JOINED, KEY_SET).when(SET_KEY).then()
    renewed = replace(SET_KEY, envelope_key="12" * 32)
    given(ORGANISATION, ORGANISATION_JOINED, KEY_SET).when(renewed).then(
        replace(KEY_SET, envelope_key="12" * 32)
    )


def test_an_envelope_key_is_signed_by_a_key_that_works() -> None:
    given(ORGANISATION, ORGANISATION_JOINED).when(replace(SET_KEY, signing_key="")).refused("NOT_SIGNED")
    given(ORGANISATION, ORGANISATION_JOINED).when(replace(SET_KEY, signing_key=OTHER_HASH)).refused(
        "NOT_SIGNED"
    )
    given(ORGANISATION, ORGANISATION_JOINED, ADDED, REVOKED).when(SET_KEY).refused("NOT_SIGNED")
    given(ORGANISATION).when(SET_KEY).refused("NOT_JOINED")
    given(ORGANISATION, ORGANISATION_JOINED, LEFT).when(SET_KEY).refused("HAS_LEFT")


def test_a_misshapen_envelope_key_is_refused() -> None:
    given(ORGANISATION, ORGANISATION_JOINED).when(replace(SET_KEY, envelope_key="cd")).invalid("envelope_key")
    given(ORGANISATION, ORGANISATION_JOINED).when(replace(SET_KEY, key_signature="ef")).invalid(
        "key_signature"
    )


# --- whose portal it is -------------------------------------------------------------------------------

PORTAL_TASKS = ("betrokkene", "wettelijk-vertegenwoordiger")
PORTAL_JOINED = replace(UNMANDATED_JOINED, tasks=("betrokkene",))


@pytest.mark.parametrize("task", PORTAL_TASKS)
def test_who_runs_a_portal_has_no_task_of_its_own(task: str) -> None:
    bare = replace(JOIN, mandate=None)
    portal = replace(UNMANDATED_JOINED, tasks=PORTAL_TASKS)
    given(ORGANISATION).when(replace(bare, tasks=PORTAL_TASKS)).then(portal)
    given(ORGANISATION).when(replace(bare, tasks=(task, "svb"))).refused("PORTAL_APART")
    grant = replace(GRANT, task=task)
    given(ORGANISATION, PROVIDER_JOINED).when(grant).refused("PORTAL_APART")
    given(ORGANISATION, portal).when(replace(grant, task="svb")).refused("PORTAL_APART")
    granted = replace(GRANTED, task=PORTAL_TASKS[1])
    given(ORGANISATION, PORTAL_JOINED).when(replace(grant, task=PORTAL_TASKS[1])).then(granted)
    # The municipality has one for everybody.
    given(ORGANISATION, OPERATOR_JOINED).when(grant).then(replace(GRANTED, task=task))
