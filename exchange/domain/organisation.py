"""Organisations: joining, certificates, tasks and leaving.

Promises: a certificate once revoked never works again; the operator keeps a working certificate and a task,
so that nobody can lock the exchange from inside; a task of the college is held by the operator, whose college
it is, or under a mandate of it, and by nobody else, whatever an older version granted; whose portal residents
sign in at has, but for the operator, no task of its own beside that.
Source: protos/exchange/v1/organisation_service.proto; GDPR 32; Awb 10:1-10:5 (mandate).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from exchange.domain.kernel import Aggregate, Command, Events, aggregate
from exchange.domain.mandate import Mandate, as_fields, mandate_faults, refuse_unmandated, under_mandate
from exchange.domain.organisation_events import (
    CertificateAdded,
    CertificateRevoked,
    EnvelopeKeySet,
    OrganisationJoined,
    OrganisationLeft,
    TaskEnded,
    TaskGranted,
)
from exchange.domain.shape import (
    FINE,
    hash_fault,
    oin_fault,
    refuse_faults,
    text_fault,
    token_fault,
    tokens_fault,
)
from exchange.domain.values import TASKS_OF_RESIDENTS_SIDE
from exchange.errors import RuleBroken

TASKS_MAX: Final = 20
CERTIFICATES_MAX: Final = 100
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")


# --- commands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinOrganisation(Command):
    """Register an organisation. Thumbprint (SHA-256) and key (Ed25519) are 32 bytes in hexadecimal.

    The mandate is for the college's tasks among those named, and for no others.
    """

    oin: str
    name: str
    tasks: tuple[str, ...]
    certificate_thumbprint: str
    signing_key: str
    operator: bool = False
    mandate: Mandate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCertificate(Command):
    """Register one more certificate. An empty signing key means the newest known one."""

    certificate_thumbprint: str
    signing_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeCertificate(Command):
    """End a certificate at once."""

    certificate_thumbprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantTask(Command):
    """Grant a task; one of the college to another than the operator under a mandate, which this may renew."""

    task: str
    mandate: Mandate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTask(Command):
    """End a task."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEnvelopeKey(Command):
    """Set the key to seal identity envelopes to. X25519 and the key that signed it: 32 bytes, hexadecimal."""

    envelope_key: str
    key_signature: str
    signing_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveOrganisation(Command):
    """Let the organisation leave the exchange."""


# --- state ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate and the key that signs person tokens beside it; both hexadecimal."""

    thumbprint: str
    signing_key: str
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class EnvelopeKey:
    """The X25519 key envelopes are sealed to, and the organisation's own word that it is; hexadecimal."""

    envelope_key: str
    key_signature: str
    signing_key: str


@dataclass(frozen=True, slots=True)
class OrganisationState:
    """An organisation as it stands. Certificates are in the order they came.

    `tasks` are those it holds: one of the college that was granted without a mandate is not among them.
    """

    oin: str
    name: str
    tasks: frozenset[str]
    certificates: tuple[Certificate, ...]
    operator: bool = False
    left: bool = False
    mandates: frozenset[tuple[str, Mandate]] = frozenset()  # each with its task
    envelope_key: EnvelopeKey | None = None

    def certificate(self, thumbprint: str) -> Certificate | None:
        """Return the certificate with this thumbprint, revoked or not."""
        return next((known for known in self.certificates if known.thumbprint == thumbprint), None)


# --- decide -----------------------------------------------------------------------------------------


def _join(command: JoinOrganisation, state: OrganisationState | None) -> Events:
    if state is not None:
        raise RuleBroken("this organisation has joined before", rule="ALREADY_JOINED")
    needing = under_mandate(command.tasks, operator=command.operator)
    refuse_faults(
        {
            "oin": oin_fault(command.oin),
            "name": text_fault(command.name),
            "tasks": tokens_fault(command.tasks, TASKS_MAX),
            "certificate_thumbprint": hash_fault(command.certificate_thumbprint),
            "signing_key": hash_fault(command.signing_key),
            **mandate_faults(command.mandate, needing, command.now.date()),
        }
    )
    refuse_unmandated(command.mandate, needing)
    _refuse_portal_beside(command.tasks, operator=command.operator)
    joined = OrganisationJoined(
        oin=command.oin,
        name=command.name,
        tasks=tuple(sorted(command.tasks)),
        certificate_thumbprint=command.certificate_thumbprint,
        signing_key=command.signing_key,
        operator=command.operator,
        **as_fields(command.mandate),
    )
    return (joined,)


def _member(state: OrganisationState | None) -> OrganisationState:
    if state is None:
        raise RuleBroken("this organisation has not joined", rule="NOT_JOINED")
    return state


def _present(state: OrganisationState | None) -> OrganisationState:
    member = _member(state)
    if member.left:
        raise RuleBroken("this organisation has left", rule="HAS_LEFT")
    return member


def _add_certificate(command: AddCertificate, state: OrganisationState | None) -> Events:
    member = _present(state)
    # Known keys are never empty: an organisation joins with one.
    signing_key = command.signing_key or member.certificates[-1].signing_key
    refuse_faults(
        {
            "certificate_thumbprint": hash_fault(command.certificate_thumbprint),
            "signing_key": hash_fault(signing_key),
        }
    )
    known = member.certificate(command.certificate_thumbprint)
    if known is not None and known.revoked:
        raise RuleBroken("a revoked certificate never works again", rule="CERTIFICATE_REVOKED")
    if known is not None and command.signing_key not in {"", known.signing_key}:
        raise RuleBroken("this certificate is known with another signing key", rule="SIGNING_KEY_DIFFERS")
    if known is not None:
        return ()
    if len(member.certificates) >= CERTIFICATES_MAX:
        raise RuleBroken("this organisation has the most certificates it can have", rule="CERTIFICATES_FULL")
    added = CertificateAdded(
        oin=member.oin, certificate_thumbprint=command.certificate_thumbprint, signing_key=signing_key
    )
    return (added,)


def _revoke_certificate(command: RevokeCertificate, state: OrganisationState | None) -> Events:
    # Also after leaving: ending a certificate is always safe.
    member = _member(state)
    known = member.certificate(command.certificate_thumbprint)
    if known is None:
        raise RuleBroken("this organisation has no such certificate", rule="CERTIFICATE_UNKNOWN")
    if known.revoked:
        return ()
    working = [each for each in member.certificates if not each.revoked]
    if member.operator and working == [known]:
        raise RuleBroken(
            "the operator keeps a working certificate: add another first", rule="LAST_CERTIFICATE"
        )
    return (CertificateRevoked(oin=member.oin, certificate_thumbprint=known.thumbprint),)


def _grant_task(command: GrantTask, state: OrganisationState | None) -> Events:
    member = _present(state)
    needing = under_mandate((command.task,), operator=member.operator)
    refuse_faults(
        {
            "task": token_fault(command.task),
            **mandate_faults(command.mandate, needing, command.now.date()),
        }
    )
    if command.task in member.tasks:
        if command.mandate is None or (command.task, command.mandate) in member.mandates:
            return ()
    else:
        refuse_unmandated(command.mandate, needing)
        _refuse_portal_beside((*member.tasks, command.task), operator=member.operator)
        if len(member.tasks) >= TASKS_MAX:
            raise RuleBroken("this organisation has the most tasks it can have", rule="TASKS_FULL")
    return (TaskGranted(oin=member.oin, task=command.task, **as_fields(command.mandate)),)


def _refuse_portal_beside(tasks: Iterable[str], *, operator: bool) -> None:
    """Refuse a portal to who gains by what is said there: its own key is all that says who signed in."""
    portal = TASKS_OF_RESIDENTS_SIDE.intersection(tasks)
    if portal and portal != set(tasks) and not operator:
        raise RuleBroken(
            "whose portal residents sign in at has no task of its own: let another organisation run it",
            rule="PORTAL_APART",
        )


def _end_task(command: EndTask, state: OrganisationState | None) -> Events:
    member = _present(state)
    if command.task not in member.tasks:
        return ()
    if member.operator and member.tasks == {command.task}:
        raise RuleBroken("the operator keeps a task: grant another first", rule="LAST_TASK")
    return (TaskEnded(oin=member.oin, task=command.task),)


def _set_envelope_key(command: SetEnvelopeKey, state: OrganisationState | None) -> Events:
    member = _present(state)
    signed = _SIGNATURE.fullmatch(command.key_signature)
    refuse_faults(
        {
            "envelope_key": hash_fault(command.envelope_key),
            "key_signature": FINE if signed else "must be 64 bytes in lower-case hexadecimal",
        }
    )
    # A certificate that was revoked may have been stolen, and its signing key with it.
    if not any(one.signing_key == command.signing_key and not one.revoked for one in member.certificates):
        raise RuleBroken(
            "no working certificate of this organisation has that signing key", rule="NOT_SIGNED"
        )
    wanted = EnvelopeKey(command.envelope_key, command.key_signature, command.signing_key)
    if member.envelope_key == wanted:
        return ()
    key_set = EnvelopeKeySet(
        oin=member.oin,
        envelope_key=wanted.envelope_key,
        key_signature=wanted.key_signature,
        signing_key=wanted.signing_key,
    )
    return (key_set,)


def _leave(_command: LeaveOrganisation, state: OrganisationState | None) -> Events:
    member = _member(state)
    if member.operator:
        raise RuleBroken("the operator cannot leave its own exchange", rule="OPERATOR_STAYS")
    return () if member.left else (OrganisationLeft(oin=member.oin),)


# --- evolve -----------------------------------------------------------------------------------------


def _joined(_state: OrganisationState | None, event: OrganisationJoined) -> OrganisationState:
    mandate, tasks = Mandate.read(event), frozenset(event.tasks)
    under = under_mandate(tasks, operator=event.operator)
    return OrganisationState(
        oin=event.oin,
        name=event.name,
        tasks=tasks - under if mandate is None else tasks,
        certificates=(Certificate(event.certificate_thumbprint, event.signing_key),),
        operator=event.operator,
        mandates=frozenset() if mandate is None else frozenset((task, mandate) for task in under),
    )


def _certificate_added(state: OrganisationState, event: CertificateAdded) -> OrganisationState:
    added = Certificate(event.certificate_thumbprint, event.signing_key)
    return replace(state, certificates=(*state.certificates, added))


def _certificate_revoked(state: OrganisationState, event: CertificateRevoked) -> OrganisationState:
    certificates = tuple(
        replace(each, revoked=True) if each.thumbprint == event.certificate_thumbprint else each
        for each in state.certificates
    )
    return replace(state, certificates=certificates)


def _task_granted(state: OrganisationState, event: TaskGranted) -> OrganisationState:
    mandate = Mandate.read(event)
    under = under_mandate((event.task,), operator=state.operator)
    # Granted without a mandate before one was asked: it opens nothing until one is recorded.
    if under and mandate is None:
        return state
    others = _other_mandates(state, event.task)
    kept = others | {(task, mandate) for task in under if mandate is not None}
    return replace(state, tasks=state.tasks | {event.task}, mandates=kept)


def _other_mandates(state: OrganisationState, task: str) -> frozenset[tuple[str, Mandate]]:
    return frozenset(one for one in state.mandates if one[0] != task)


def _task_ended(state: OrganisationState, event: TaskEnded) -> OrganisationState:
    return replace(state, tasks=state.tasks - {event.task}, mandates=_other_mandates(state, event.task))


def _envelope_key_set(state: OrganisationState, event: EnvelopeKeySet) -> OrganisationState:
    key = EnvelopeKey(event.envelope_key, event.key_signature, event.signing_key)
    return replace(state, envelope_key=key)


def _left(state: OrganisationState, _event: OrganisationLeft) -> OrganisationState:
    return replace(state, left=True)


ORGANISATION: Final[Aggregate] = aggregate(
    "organisation",
    deciders={
        JoinOrganisation: _join,
        AddCertificate: _add_certificate,
        RevokeCertificate: _revoke_certificate,
        GrantTask: _grant_task,
        EndTask: _end_task,
        SetEnvelopeKey: _set_envelope_key,
        LeaveOrganisation: _leave,
    },
    founders={OrganisationJoined: _joined},
    evolvers={
        CertificateAdded: _certificate_added,
        CertificateRevoked: _certificate_revoked,
        TaskGranted: _task_granted,
        TaskEnded: _task_ended,
        EnvelopeKeySet: _envelope_key_set,
        OrganisationLeft: _left,
    },
)
