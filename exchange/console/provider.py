"""The identity provider: who signs in, told by OpenID Connect with PKCE.

Promises: an ID token counts only when a key of the provider signed it, for this client, with the nonce of
this login, in its time; algorithms are ours to name, never the token's; nothing of it is kept here.
Source: OpenID Connect Core 1.0 (3.1.2.1, 3.1.3.7), Discovery 1.0, RP-Initiated Logout 1.0; RFC 7636 (PKCE),
RFC 9207 (iss in the answer), RFC 9700 (best current practice).
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from httpx2 import HTTPError, Timeout
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from exchange.console.language import later
from exchange.console.refusals import LoginRefused
from exchange.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.console.logins import Login

ALGORITHMS: Final = ("ES256", "ES384", "RS256", "PS256", "EdDSA")
SCOPE: Final = "openid profile"
LEEWAY_S: Final = 30
AUTH_AGE_S_MAX: Final = 8 * 60 * 60
METADATA_S_MAX: Final = 60 * 60
KEYS_AGAIN_S: Final = 60
WAIT_S_MAX: Final = 5.0
TOKEN_CHARS_MAX: Final = 16_384
_AWAY: Final = later("De aanmelddienst is niet bereikbaar. Probeer het later opnieuw.")
_NOT_RIGHT: Final = later("Het antwoord van de aanmelddienst klopt niet. Meld u opnieuw aan.")
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
# Nothing in it ends the line of a policy that names it.
_is_netloc = re.compile(
    r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]{2,45}\](?::[0-9]{1,5})?", re.ASCII
).fullmatch
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Registration:
    """This console as the provider knows it. `authority`: whose certificates it shows, PEM, or any known."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    redirect_uri: str
    authority: str = ""


class Proven(NamedTuple):
    """Who signed in: what his ID token says, and the token itself."""

    claims: Mapping[str, Any]
    token: str


class Provider:
    """Owned by the event loop. Its metadata are fetched at the first login, and anew each hour."""

    def __init__(self, registration: Registration, clock: Callable[[], float]) -> None:
        self._registered = registration
        self._clock = clock
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._fetched = self._keys_fetched = float("-inf")
        self._tls = ssl.create_default_context(cadata=registration.authority or None)

    @property
    def origins(self) -> tuple[str, ...]:
        """Where forms may lead besides here: the provider, and where it ends sessions."""
        places = (self._registered.issuer, self._end_session())
        return tuple(dict.fromkeys(filter(None, map(_origin, places))))

    async def begin(self, login: Login, language: str) -> str:
        """Return where a person signs in. Raises LoginRefused."""
        async with self._http() as http:
            metadata = await self._told(http)
            address, _ = http.create_authorization_url(
                metadata["authorization_endpoint"],
                state=login.state,
                code_verifier=login.verifier,
                nonce=login.nonce,
                max_age=AUTH_AGE_S_MAX,
                ui_locales=language,
                **({"prompt": "login"} if login.anew else {}),
            )
        return str(address)

    async def finish(self, login: Login, answer: Mapping[str, str]) -> Proven:
        """Return who signed in, by the ID token that a code brings. Raises LoginRefused."""
        if answer.get("iss", self._registered.issuer) != self._registered.issuer:
            raise LoginRefused("OTHER_ISSUER", _NOT_RIGHT)
        if "error" in answer or not answer.get("code"):
            raise LoginRefused("PROVIDER_REFUSED", later("De aanmelddienst heeft u niet aangemeld."))
        async with self._http() as http:
            metadata = await self._told(http)
            if metadata.get("authorization_response_iss_parameter_supported") is True and "iss" not in answer:
                raise LoginRefused("OTHER_ISSUER", _NOT_RIGHT)
            try:
                told = await http.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=answer["code"],
                    code_verifier=login.verifier,
                )
            except (HTTPError, ValueError) as error:
                raise LoginRefused("PROVIDER_AWAY", _AWAY) from error
            except AuthlibBaseError as error:
                raise LoginRefused("CODE_REFUSED", _NOT_RIGHT) from error
            token = told.get("id_token")
            if not isinstance(token, str) or len(token) > TOKEN_CHARS_MAX:
                raise LoginRefused("NO_ID_TOKEN", _NOT_RIGHT)
            signed = await self._signed(http, token)
        return Proven(self._judged(signed, login, str(told.get("access_token", ""))), token)

    async def leave(self, back: str, state: str, id_token: str) -> str:
        """Return where a session at the provider ends, "" where it has no such place. Raises LoginRefused.

        From there a person comes back with `state`. `id_token` says whose session it is; where there is none,
        the provider sees that by its own cookie, and may ask him.
        """
        async with self._http() as http:
            await self._told(http)
        place = self._end_session()
        if not place:
            return ""
        asked = {"client_id": self._registered.client_id, "post_logout_redirect_uri": back, "state": state}
        if id_token:
            asked = {"id_token_hint": id_token} | asked
        return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"

    def _end_session(self) -> str:
        place = self._metadata.get("end_session_endpoint")
        return place if isinstance(place, str) and _is_safe(place) and _origin(place) else ""

    def _http(self) -> AsyncOAuth2Client:
        mine = self._registered
        return AsyncOAuth2Client(
            mine.client_id,
            mine.secret,
            scope=SCOPE,
            redirect_uri=mine.redirect_uri,
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106 -- the name of a method
            code_challenge_method="S256",
            verify=self._tls,
            timeout=Timeout(WAIT_S_MAX),
            follow_redirects=False,
            # What stands in the environment of a server is about other doors.
            trust_env=False,
        )

    async def _told(self, http: AsyncOAuth2Client) -> dict[str, Any]:
        """Return what the provider says of itself. Raises LoginRefused."""
        if self._metadata and self._clock() - self._fetched < METADATA_S_MAX:
            return self._metadata
        issuer = self._registered.issuer
        told = await self._get(http, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        places = [told.get(name) for name in _ENDPOINTS]
        if told.get("issuer") != issuer or not all(isinstance(one, str) and _is_safe(one) for one in places):
            raise LoginRefused("PROVIDER_DIFFERS", _NOT_RIGHT)
        self._metadata, self._fetched = told, self._clock()
        return told

    async def _signed(self, http: AsyncOAuth2Client, token: str) -> jwt.Token:
        """Return a token whose signature is the provider's. Raises LoginRefused."""
        if self._keys is None:
            await self._fetch_keys(http)
        try:
            try:
                return self._decoded(token)
            except InvalidKeyIdError:
                # The provider may have a new key; who sends made-up ones makes us ask once a minute.
                if self._clock() - self._keys_fetched < KEYS_AGAIN_S:
                    raise
                await self._fetch_keys(http)
                return self._decoded(token)
        except (JoseError, ValueError) as error:
            raise LoginRefused("NOT_SIGNED", _NOT_RIGHT) from error

    def _decoded(self, token: str) -> jwt.Token:
        assert self._keys is not None
        registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        return jwt.decode(token, self._keys, registry=registry)

    async def _fetch_keys(self, http: AsyncOAuth2Client) -> None:
        told = await self._get(http, self._metadata["jwks_uri"])
        try:
            self._keys = KeySet.import_key_set(told)  # type: ignore[arg-type] # whatever it is, it is looked at
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise LoginRefused("PROVIDER_DIFFERS", _NOT_RIGHT) from error
        self._keys_fetched = self._clock()

    def _judged(self, signed: jwt.Token, login: Login, access_token: str) -> Mapping[str, Any]:
        mine, now = self._registered, int(self._clock())
        options = {
            "iss": {"essential": True, "value": mine.issuer},
            "aud": {"essential": True, "value": mine.client_id},
        }
        params = {"nonce": login.nonce, "client_id": mine.client_id, "max_age": AUTH_AGE_S_MAX}
        claims = CodeIDToken(signed.claims, signed.header, options, params | {"access_token": access_token})
        try:
            claims.validate(now=now, leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError) as error:
            raise LoginRefused("TOKEN_REFUSED", _NOT_RIGHT) from error
        shown = claims["auth_time"]
        if type(shown) is not int or not now - AUTH_AGE_S_MAX - LEEWAY_S <= shown <= now + LEEWAY_S:
            raise LoginRefused("TOKEN_REFUSED", _NOT_RIGHT)
        return dict(claims)

    async def _get(self, http: AsyncOAuth2Client, address: str) -> dict[str, Any]:
        try:
            answer = await http.request("GET", address, withhold_token=True)
            answer.raise_for_status()
            told = answer.json()
        except (HTTPError, ValueError) as error:
            raise LoginRefused("PROVIDER_AWAY", _AWAY) from error
        if not isinstance(told, dict):
            raise LoginRefused("PROVIDER_DIFFERS", _NOT_RIGHT)
        return told


def _origin(address: str) -> str:
    """Return whose place this is, as a policy for browsers names it; "" where that cannot be said."""
    at = urlsplit(address)
    return f"{at.scheme}://{at.netloc}" if _is_netloc(at.netloc) else ""


def _is_safe(address: str) -> bool:
    """Tell whether a place is reached by TLS, or lies on this very machine."""
    at = urlsplit(address)
    return at.scheme == "https" or (at.scheme == "http" and at.hostname in LOOPBACK)


def refuse_open(issuer: str) -> None:
    """Raise SettingsInvalid for a provider that anybody in between could speak for."""
    if not _is_safe(issuer):
        raise SettingsInvalid("the identity provider is reached by https", name="console_issuer")
