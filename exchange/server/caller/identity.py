"""Who is asking: certificate to organisation, token to person, both against what was registered.

Promises: nothing of a message is used; a certificate must be registered and not revoked, a task granted, a
token signed with the key beside that certificate. The walk checks certificate and task again in the order
of commits.
Source: API rules of the architecture; GDPR 32; RFC 8705.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from exchange.domain import stream_of
from exchange.errors import CallerUnknown, PersonTokenInvalid
from exchange.pipeline.walk import Caller
from exchange.server.caller import signatures, tokens
from exchange.server.caller.certificates import Certificates, ClientCertificate
from exchange.server.caller.tokens import Binding, Person, VerifiedTokens, digest_of, refuse_times

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor
    from datetime import datetime

    import grpc

    from exchange.domain.organisation import OrganisationState
    from exchange.ledger.leaf import Signed
    from exchange.pipeline.hot import HotStates, Loader
    from exchange.server.caller.residents import Residents

    Headers = Sequence[tuple[str, str | bytes]]


# Bytes of a command whose signature the event loop verifies itself.
HASHED_HERE_MAX: Final = 16 * 1024
KEPT_MAX: Final = 4_096
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller, and until when (seconds since 1970) the token speaks for the person; 0 without one.

    `certified_until` is how long, in the same seconds, the certificate of a person's call holds.
    `signing_key` is the raw key, in hex, registered beside the certificate of this connection.
    """

    caller: Caller
    expires_at: int = 0
    signing_key: str = ""
    certified_until: float = 0.0


class _Spoken(NamedTuple):
    """Who a token speaks for, and what that was found by: other objects since, and it is found anew."""

    binding: Binding
    employer: OrganisationState
    issued_at: int
    identity: Identity


class Identities:
    """Owned by the event loop."""

    def __init__(self, hot: HotStates, loader: Loader, residents: Residents, pool: Executor) -> None:
        self._hot = hot
        self._loader = loader
        self._residents = residents
        self._pool = pool
        self._certificates = Certificates()
        self._tokens = VerifiedTokens()
        # As long as the organisation's state is the very one it was found in, nothing in it has changed.
        self._bound: dict[str, tuple[Binding, OrganisationState]] = {}  # by thumbprint
        self._spoken: dict[bytes, _Spoken] = {}  # by the digest of the token

    def certificate(
        self, context: grpc.aio.ServicerContext[bytes, bytes], now: datetime
    ) -> ClientCertificate:
        """Return the certificate behind a call. Raises CallerUnknown."""
        return self._certificates.of_call(context, now)

    def shown(self, pem: bytes, now: datetime) -> ClientCertificate:
        """Return the certificate of a connection, empty bytes where there was none. Raises CallerUnknown."""
        return self._certificates.valid(pem, now)

    async def organisation(self, certificate: ClientCertificate) -> Identity:
        """Identify the organisation only. Raises CallerUnknown."""
        await self._binding(certificate)
        caller = Caller(
            certificate.oin, "", "", "", certificate.thumbprint, two_factor=False, mutual_tls=True
        )
        return Identity(caller)

    async def person(
        self,
        certificate: ClientCertificate,
        headers: Headers,
        now: datetime,
        counted: Callable[[str], None],
    ) -> Identity:
        """Identify organisation and person, as `bearer` does."""
        return await self.bearer(certificate, lambda: _token_of(headers), now, counted)

    async def bearer(
        self,
        certificate: ClientCertificate,
        token: Callable[[], str],
        now: datetime,
        counted: Callable[[str], None],
    ) -> Identity:
        """Identify organisation and the person of a token, asked for once the certificate is known.

        `counted` is given the OIN then: who tries tokens uses up his share with those that are not taken too.
        Raises CallerUnknown, PersonTokenInvalid, and what `counted` does.
        """
        binding, employer = await self._binding(certificate)
        counted(certificate.oin)
        text = token()
        digest = digest_of(text)
        spoken = self._spoken.get(digest)
        if spoken is not None and spoken.binding is binding and spoken.employer is employer:
            refuse_times(spoken.issued_at, spoken.identity.expires_at, now)
            return spoken.identity
        person = await self._person(text, binding, now)
        if person.task not in employer.tasks:
            raise CallerUnknown("this organisation has not been granted this task", task=person.task)
        resident = ""
        if person.pseudonym:
            resident = await self._residents.find(certificate.oin, person.pseudonym)
        caller = Caller(
            organisation=certificate.oin,
            task=person.task,
            professional=person.professional,
            role=person.role,
            thumbprint=certificate.thumbprint,
            two_factor=person.two_factor,
            mutual_tls=True,
            resident=resident,
            authenticated_at=person.authenticated_at,
            operator=employer.operator,
        )
        until = certificate.valid_until.timestamp()
        identity = Identity(caller, person.expires_at, binding.signing_key, until)
        if not person.pseudonym:
            # Of who speaks as a resident it is found anew which one he is.
            _keep(self._spoken, digest, _Spoken(binding, employer, person.issued_at, identity))
        return identity

    async def signed(
        self,
        identity: Identity,
        rpc_path: str,
        raw: bytes,
        headers: Headers,
    ) -> Signed:
        """Return what the organisation signed under this command. Raises SignatureInvalid."""
        header = _the_one(headers, signatures.METADATA_KEY)
        check = partial(signatures.verify, header, identity.caller, identity.signing_key, rpc_path, raw)
        # Giving it to a thread and taking it back costs more than what it does, but for a large request.
        if len(raw) <= HASHED_HERE_MAX:
            return check()
        return await asyncio.get_running_loop().run_in_executor(self._pool, check)

    async def _person(self, token: str, binding: Binding, now: datetime) -> Person:
        person = self._tokens.find(token, binding, now)
        if person is None:
            loop = asyncio.get_running_loop()
            person = await loop.run_in_executor(self._pool, tokens.verify, token, binding, now)
            self._tokens.keep(token, binding, person)
        return person

    async def _binding(self, certificate: ClientCertificate) -> tuple[Binding, OrganisationState]:
        state = await self._state(certificate.oin)
        bound = self._bound.get(certificate.thumbprint)
        if bound is not None and bound[1] is state:
            return bound
        if state is None or state.left:
            raise CallerUnknown("this organisation is not registered")
        known = state.certificate(certificate.thumbprint)
        if known is None or known.revoked:
            raise CallerUnknown("this certificate is not registered, or was revoked")
        bound = Binding(certificate.oin, certificate.thumbprint, known.signing_key), state
        _keep(self._bound, certificate.thumbprint, bound)
        return bound

    async def _state(self, oin: str) -> OrganisationState | None:
        stream = stream_of("organisation", oin)
        entry = self._hot.peek(stream)
        if entry is None:
            loop = asyncio.get_running_loop()
            entry = await loop.run_in_executor(self._pool, self._loader.load, stream)
            self._hot.put(stream, entry)
        state: OrganisationState | None = entry.state
        return state


def refuse_over(identity: Identity, now: datetime) -> None:
    """Refuse whose certificate or token has ended since. Raises CallerUnknown, PersonTokenInvalid."""
    moment = now.timestamp()
    if moment > identity.certified_until:
        raise CallerUnknown("this certificate is not valid now")
    if moment >= identity.expires_at + tokens.LEEWAY_S:
        raise PersonTokenInvalid("the person token has expired", claim="exp")


def _keep(kept: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Keep a value; of too many the one that was kept first is found anew."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > KEPT_MAX:
        del kept[next(iter(kept))]


def _token_of(headers: Headers) -> str:
    token = _the_one(headers, tokens.METADATA_KEY)
    if token is None:
        raise PersonTokenInvalid("one person token is asked in the metadata x-exchange-person")
    return token


def _the_one(headers: Headers, name: str) -> str | None:
    """Return the value of a header, None where it is absent or stands there twice."""
    found = [value for key, value in headers if key == name]
    if len(found) != 1:
        return None
    value = found[0]
    return value if isinstance(value, str) else value.decode("ascii", "replace")
