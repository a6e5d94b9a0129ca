"""Erasing at the keyboard, with the service stopped; and what there is to tell of keys and erasures.

Promises: the same gate, the same three persons with tokens of their own, the same events and receipts as over
the wire: the certificate is shown with its private key, each token is bound to it. What was decided and not
yet carried out is carried out, as at every start. Looking changes nothing.
Source: GDPR 17; the design of the ledger, section 5.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from exchange.domain import stream_of
from exchange.domain.erasure.decision import ApproveErasure, ProposeErasure
from exchange.domain.limits.seals import person_of
from exchange.domain.resident import RESIDENT
from exchange.domain.values import Author
from exchange.errors import CallerUnknown, ExchangeError, PersonTokenInvalid, RuleBroken, SettingsInvalid
from exchange.keys.keystore import KeyStore
from exchange.pipeline.erasure import EXECUTED, Holdings, steps_of_approving
from exchange.pipeline.walk import Caller, Claim, CommandOutcome, CommandWalk, Steps
from exchange.projections.follower import catch_up
from exchange.server.caller import tokens
from exchange.server.caller.certificates import Certificates
from exchange.server.caller.tokens import Binding
from exchange.server.contract.certificates import statement_of, statement_text
from exchange.store.codec import Codec
from exchange.store.reader import SQLiteReader
from exchange.wiring.core import erasure_file, event_file, fresh_uuid, key_file, open_core, utc_now
from exchange.wiring.erasing import ErasureList, decided_after, decided_rows
from exchange.wiring.holding import held, private_files
from exchange.wiring.kek import open_kek
from exchange.wiring.ledger import published_receipt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from exchange.settings import Settings
    from exchange.wiring.core import Core

CLAIM: Final = Claim("klacht-bezwaar", "ERASE-17")
PEOPLE: Final = 3

__all__ = [
    "Shredded",
    "Standing",
    "Wanted",
    "carry_out",
    "certificate",
    "shred",
    "standing",
    "statement_text",
]


class Wanted(NamedTuple):
    """What is to be erased; `categories` is empty for all there is, else `kept` says why the rest stays."""

    case_id: str
    article: str
    reason: str
    categories: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class Shredded(NamedTuple):
    """What was erased: `leaf_index` of the event that destroyed, and how many recipients are asked."""

    erasure_id: str
    leaf_index: int
    recipients: int


class Standing(NamedTuple):
    """Where keys and erasures stand. `left` are erasures that were decided and not carried out here."""

    kek_id: str
    residents: int
    keys: int
    events: int
    looked_at: int
    decided: int
    listed: int
    left: tuple[str, ...]


def shred(settings: Settings, credentials: Path, tokens_of: Sequence[str], wanted: Wanted) -> Shredded:
    """Let the first token propose and the two others approve.

    Raises ExchangeError; DataFolderInUse beside a running service.
    """
    if len(tokens_of) != PEOPLE:
        raise SettingsInvalid("one proposer and two approvers are asked", found=str(len(tokens_of)))
    with _alone(settings) as core:
        callers = [_caller(core, credentials, token) for token in tokens_of]
        # Before anything is recorded: a proposal nobody can approve would wait for somebody to refuse it.
        if len({person_of(_author(caller)) for caller in callers}) != PEOPLE:
            raise SettingsInvalid("the proposer and the approvers must be three different persons")
        erasure_id = fresh_uuid()
        now = utc_now()
        propose = ProposeErasure(
            now=now,
            author=_author(callers[0]),
            erasure_id=erasure_id,
            article=wanted.article,
            reason=wanted.reason,
            categories=wanted.categories,
            kept=wanted.kept,
        )
        _walked(core, callers[0], wanted.case_id, propose)
        for caller in callers[1:]:
            approve = ApproveErasure(now=utc_now(), author=_author(caller), erasure_id=erasure_id)
            done = _walked(core, caller, wanted.case_id, approve)
        assert done.ids["executed"] == EXECUTED
        core.integrator.integrate()
        return Shredded(erasure_id, done.leaf_index, int(done.ids["recipients"]))


def carry_out(settings: Settings) -> tuple[str, ...]:
    """Carry out what was decided, as the service does when it starts; return what was left to do."""
    left = standing(settings).left
    with _alone(settings):
        return left


def standing(settings: Settings) -> Standing:
    """Tell where keys and erasures stand; changes nothing. Raises SettingsInvalid, KeyUnavailable."""
    for file in (event_file(settings), key_file(settings)):
        if not file.exists():
            raise SettingsInvalid("no service ran with these settings, or a part is gone", file=file.name)
    with (
        closing(KeyStore(key_file(settings), open_kek(settings))) as keys,
        closing(SQLiteReader(event_file(settings))) as reader,
    ):
        keys.check()
        listed = ErasureList(erasure_file(settings))
        decided = {event.erasure_id for event in decided_after(reader, Codec(keys), 0)}
        known = decided | listed.entries.keys()
        residents, count = keys.count()
        return Standing(
            kek_id=keys.kek_id,
            residents=residents,
            keys=count,
            events=reader.head()[0],
            looked_at=keys.place,
            decided=len(decided),
            listed=len(listed.entries),
            left=tuple(sorted(one for one in known if not keys.has_executed(one))),
        )


def certificate(settings: Settings, erasure_id: str) -> tuple[dict[str, Any], bytes]:
    """Return the statement of an executed erasure and the published receipt of its leaf, the entry within.

    Needs no key. Raises SettingsInvalid for one that was not executed, Unavailable before its checkpoint.
    """
    if not event_file(settings).exists():
        raise SettingsInvalid("no service ran with these settings", folder=settings.data.name)
    with closing(SQLiteReader(event_file(settings))) as reader:
        for row in decided_rows(reader, 0):
            clear, _, _ = Codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
            if clear["erasure_id"] == erasure_id:
                signed, proof = published_receipt(settings, row.position - 1)
                return statement_of(row, signed.checkpoint.origin), proof
    raise SettingsInvalid("no such erasure was executed", erasure=erasure_id)


@contextmanager
def _alone(settings: Settings) -> Iterator[Core]:
    """Open the shard as its service would, holding its folder."""
    if not event_file(settings).exists():
        raise SettingsInvalid("no service ran with these settings", folder=settings.data.name)
    with private_files(), held(settings.data):
        core = open_core(settings)
        try:
            yield core
            catch_up(core.obligations, core.reader, core.codec)
            catch_up(core.records, core.reader, core.codec)
        finally:
            core.close()


def _walked(
    core: Core, caller: Caller, case_id: str, order: ProposeErasure | ApproveErasure
) -> CommandOutcome:
    """Walk one step through the gate. Raises ExchangeError."""
    case_stream = stream_of("case", case_id)

    def process(view: Any) -> Steps:  # noqa: ANN401 -- View
        if not view.state(stream_of("organisation", caller.organisation)).operator:
            raise CallerUnknown("only the operator may do this")
        case = view.state(case_stream)
        stream = "" if case is None else stream_of(RESIDENT.name, case.resident)
        state = view.state(stream) if stream else None
        if state is None:
            raise RuleBroken("there is no such case", rule="NO_CASE")
        if isinstance(order, ApproveErasure):
            return steps_of_approving(order, Holdings(core.reader, core.codec, state.resident), view, state)
        return Steps(((stream, RESIDENT.decide(order, state)),))

    request_id = fresh_uuid()
    walk = CommandWalk(
        rpc=type(order).__name__,
        caller=caller,
        claim=CLAIM,
        now=order.now,
        request_id=request_id,
        content=sha256(request_id.encode()).digest(),
        anchor=case_stream,
        fields=(),
        process=process,
        relation=False,
        alone=isinstance(order, ApproveErasure),
    )
    (outcome,) = core.writer.run([walk])
    if isinstance(outcome, ExchangeError):
        raise outcome
    assert isinstance(outcome, CommandOutcome)
    return outcome


def _caller(core: Core, credentials: Path, token: str) -> Caller:
    """Return who speaks. Raises CallerUnknown, PersonTokenInvalid, SettingsInvalid."""
    now = utc_now()
    try:
        pem, key = (credentials / "client.pem").read_bytes(), (credentials / "client.key").read_bytes()
        shown = x509.load_pem_x509_certificate(pem).public_key()
        own = load_pem_private_key(key, None).public_key()
    except (OSError, ValueError, TypeError):
        raise SettingsInvalid(
            "the organisation's certificate and key cannot be read", name="credentials"
        ) from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if shown.public_bytes(*form) != own.public_bytes(*form):
        raise CallerUnknown("this key is not that of the certificate")
    certificate = Certificates().valid(pem, now)
    state = core.loader.load(stream_of("organisation", certificate.oin)).state
    known = None if state is None else state.certificate(certificate.thumbprint)
    if known is None or known.revoked:
        raise CallerUnknown("this certificate is not registered, or was revoked")
    binding = Binding(certificate.oin, certificate.thumbprint, known.signing_key)
    person = tokens.verify(token, binding, now)
    if person.pseudonym:
        raise PersonTokenInvalid("who speaks for a resident decides about no erasure", claim="resident")
    return Caller(
        organisation=certificate.oin,
        task=person.task,
        professional=person.professional,
        role=person.role,
        thumbprint=certificate.thumbprint,
        two_factor=person.two_factor,
        # The certificate was shown with its key, as TLS would have it.
        mutual_tls=True,
        authenticated_at=person.authenticated_at,
    )


def _author(caller: Caller) -> Author:
    return Author(caller.organisation, caller.task, caller.professional)
