"""The provider: discovery, keys, a page to pick a person on, a token for a code, the end of a session.

Promises: answers on loopback only; a code is of one client, one place to return to and one PKCE challenge,
and works once, for a minute; the key is drawn at the start and dies with the process. Where it remembers
people, who comes back with its cookie is not asked again, unless the client wants him asked, until he leaves.
Source: OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0; RFC 7636, RFC 9207.
"""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from adapters.kit.serving import Serving

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from adapters.simulators.identity_provider.people import Somebody

CODE_S: Final = 60
TOKEN_S: Final = 300
CODES_MAX: Final = 1_000
COOKIE: Final = "simulated-provider"
BODY_BYTES_MAX: Final = 16_384
_BAD: Final = 400
_SEE_OTHER: Final = 303
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a code stands for."""

    person: Somebody
    redirect_uri: str
    nonce: str
    challenge: str
    at: float
    auth_time: int


@dataclass(frozen=True, slots=True)
class Remembered:
    """Somebody who showed who he is, and when: seconds since 1970."""

    person: Somebody
    auth_time: int


class IdentityProvider:
    """One provider with one client. Owned by who starts it.

    `remembers`: whether it has sessions of its own; `ends_sessions`: whether a client can have one ended.
    """

    def __init__(
        self,
        people: Sequence[Somebody],
        *,
        client_id: str = "exchange-console",
        client_secret: str = "",
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        remembers: bool = False,
        ends_sessions: bool = True,
    ) -> None:
        self._people = {person.subject: person for person in people}
        self._client_id = client_id
        self._secret = client_secret
        self._remembers = remembers
        self._ends_sessions = ends_sessions
        self._codes: dict[str, Asked] = {}
        self._sessions: dict[str, Remembered] = {}
        # By which a person signs in; who moves the clock of a whole exchange moves this one too.
        self.clock: Callable[[], float] = time.time
        self._key = ECKey.generate_key("P-256", {"kid": secrets.token_hex(8), "use": "sig", "alg": "ES256"})
        self._serving = Serving(self._app(), port, tls=tls)

    @property
    def issuer(self) -> str:
        """Return how it is called."""
        return self._serving.url.replace("127.0.0.1", "localhost")

    def start(self) -> IdentityProvider:
        """Begin to answer."""
        self._serving.start()
        return self

    def admit(self, person: Somebody) -> None:
        """Let one person more be picked."""
        self._people[person.subject] = person

    def close(self) -> None:
        """End."""
        self._serving.close()

    def sign(self, claims: dict[str, Any]) -> str:
        """Return claims as a token of this provider; tests make wrong ones with it."""
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key)

    def claims_of(self, person: Somebody, nonce: str) -> dict[str, Any]:
        """Return what an ID token says of a person now."""
        now = int(self.clock())
        told: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self._client_id,
            "sub": person.subject,
            "name": person.name,
            "exchange_role": person.role,
            "amr": ["mfa", "otp"],
            "nonce": nonce,
            "auth_time": now,
            "iat": now,
            "exp": now + TOKEN_S,
        }
        return told | ({"bsn": person.bsn} if person.bsn else {})

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                *([Route("/end_session", self._end_session, methods=["GET"])] if self._ends_sessions else ()),
                Route("/.well-known/openid-configuration", self._configuration, methods=["GET"]),
                Route("/jwks", self._jwks, methods=["GET"]),
                Route("/authorize", self._authorize, methods=["GET"]),
                Route("/chosen", self._chosen, methods=["GET"]),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _configuration(self, request: Request) -> Response:
        if (wrong := self._outside(request)) is not None:
            return wrong
        issuer = self.issuer
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks",
                **({"end_session_endpoint": f"{issuer}/end_session"} if self._ends_sessions else {}),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _jwks(self, request: Request) -> Response:
        return self._outside(request) or JSONResponse(KeySet([self._key]).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        """Show who can be picked; each link carries the question on."""
        asked = dict(request.query_params)
        if (wrong := self._outside(request) or self._unfit(asked)) is not None:
            return wrong
        known = self._sessions.get(request.cookies.get(COOKIE, ""))
        if known is not None and asked.get("prompt") != "login":
            return self._given(asked, known)
        rows = "".join(_choice(one, asked) for one in list(self._people.values()))
        return HTMLResponse(
            '<!DOCTYPE html><html lang="nl"><head><meta charset="utf-8"><title>Wie bent u?</title>'
            '<meta name="viewport" content="width=device-width"></head><body><main>'
            "<h1>Wie bent u?</h1><p>Dit is een nagebootste aanmelddienst: er wordt niets gevraagd.</p>"
            f"<ul>{rows}</ul></main></body></html>"
        )

    async def _chosen(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if (wrong := self._outside(request) or self._unfit(asked)) is not None:
            return wrong
        person = self._people.get(asked.get("subject", ""))
        if person is None:
            return _no("there is no such person")
        shown = Remembered(person, int(self.clock()))
        answer = self._given(asked, shown)
        if self._remembers:
            number = secrets.token_urlsafe(32)
            while len(self._sessions) >= CODES_MAX:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[number] = shown
            answer.set_cookie(COOKIE, number, httponly=True, samesite="lax")
        return answer

    def _given(self, asked: dict[str, str], shown: Remembered) -> Response:
        """Send somebody back with a code."""
        code = secrets.token_urlsafe(32)
        while len(self._codes) >= CODES_MAX:
            del self._codes[next(iter(self._codes))]
        self._codes[code] = Asked(
            shown.person,
            asked["redirect_uri"],
            asked.get("nonce", ""),
            asked["code_challenge"],
            time.monotonic(),
            shown.auth_time,
        )
        back = urlencode({"code": code, "state": asked.get("state", ""), "iss": self.issuer})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", _SEE_OTHER)

    async def _token(self, request: Request) -> Response:
        wrong = self._outside(request)
        if wrong is not None:
            return wrong
        body = await request.body()
        if len(body) > BODY_BYTES_MAX or not self._is_client(request.headers.get("authorization", "")):
            return JSONResponse({"error": "invalid_client"}, 401)
        told = {name: values[-1] for name, values in parse_qs(body.decode("latin-1")).items()}
        asked = self._codes.pop(told.get("code", ""), None)
        if (
            asked is None
            or time.monotonic() - asked.at > CODE_S
            or told.get("redirect_uri") != asked.redirect_uri
            or challenge_of(told.get("code_verifier", "")) != asked.challenge
        ):
            return JSONResponse({"error": "invalid_grant"}, _BAD)
        claims = self.claims_of(asked.person, asked.nonce)
        if self._remembers:
            claims["auth_time"] = asked.auth_time
        token = self.sign(claims)
        given = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": TOKEN_S}
        return JSONResponse(given | {"id_token": token}, headers={"Cache-Control": "no-store"})

    async def _end_session(self, request: Request) -> Response:
        told = request.query_params
        back, hint = told.get("post_logout_redirect_uri", ""), told.get("id_token_hint", "")
        if (wrong := self._outside(request)) is not None:
            return wrong
        if told.get("client_id") != self._client_id or not _is_here(back):
            return _no("this client may not return there")
        number = request.cookies.get(COOKIE, "")
        known = self._sessions.get(number)
        if hint and not self._is_of(hint, known):
            return _no("this is no token of ours, or of somebody else than who is signed in")
        self._sessions.pop(number, None)
        state = f"?{urlencode({'state': told['state']})}" if told.get("state") else ""
        answer = RedirectResponse(f"{back}{state}", _SEE_OTHER)
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return answer

    def _is_of(self, hint: str, known: Remembered | None) -> bool:
        """Tell whether a token is of here, for this client and of who is signed in, however old it is."""
        try:
            claims = jwt.decode(hint, self._key, algorithms=["ES256"]).claims
        except (JoseError, ValueError):
            return False
        ours = (claims.get("iss"), claims.get("aud")) == (self.issuer, self._client_id)
        return ours and (known is None or claims.get("sub") == known.person.subject)

    def _outside(self, request: Request) -> Response | None:
        """Refuse who comes by another name than this machine's own."""
        host = request.headers.get("host", "").rpartition(":")[0]
        return None if host in LOOPBACK else _no("this provider answers on loopback only")

    def _unfit(self, asked: dict[str, str]) -> Response | None:
        if asked.get("client_id") != self._client_id or not _is_here(asked.get("redirect_uri", "")):
            return _no("this client is not known, or may not return there")
        if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
            return _no("a code is given, for openid")
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return _no("a code is given against a challenge (PKCE, S256)")
        return None

    def _is_client(self, header: str) -> bool:
        kind, _, rest = header.partition(" ")
        try:
            name, _, secret = b64decode(rest, validate=True).decode().partition(":")
        except ValueError:
            return False
        right = hmac.compare_digest(unquote(secret).encode(), self._secret.encode())
        return kind == "Basic" and name == self._client_id and right


def _choice(one: Somebody, asked: dict[str, str]) -> str:
    link = escape(urlencode(asked | {"subject": one.subject}))
    return f'<li><a href="/chosen?{link}">{escape(one.name)}</a>: {escape(one.about)}</li>'


def challenge_of(verifier: str) -> str:
    """Return the challenge of a verifier (RFC 7636 section 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _is_here(place: str) -> bool:
    at = urlsplit(place)
    return at.scheme == "https" and at.hostname in {"localhost", "127.0.0.1", "::1"}


def _no(says: str) -> Response:
    return Response(f"{says}\n", _BAD, media_type="text/plain")
