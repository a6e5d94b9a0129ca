"""Who may ask: the token of a ZGW client, the key of the Objects API, the key of the BRP.

Promises: a token is taken with a signature that holds, made at most an hour ago and never in the future.
Source: ZGW, authentication and authorisation (JWT, HS256, claims iss, iat, client_id); RFC 7519.
"""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Final

import jwt

from adapters.simulators.open_zaak.answers import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

CLIENT: Final = "exchange-adapter"
SECRET: Final = "a-secret-of-this-simulator-alone-0001"  # noqa: S105 -- of a simulator on loopback
OBJECTS_KEY: Final = "simulated-objects-key"
BRP_KEY: Final = "simulated-brp-key"
AGE_S_MAX: Final = 3_600


def token(now: float) -> str:
    """Return a token of the client that may do everything here, made a second ago."""
    told = {"iss": CLIENT, "iat": int(now) - 1, "client_id": CLIENT, "user_id": CLIENT}
    return jwt.encode(told, SECRET, algorithm="HS256")


class Gate:
    """Looks at each request; `clock` gives seconds since 1970 UTC."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock: Final = clock

    def zgw(self, request: Request) -> str:
        """Return the client, or refuse."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            raise Problem(403, "permission_denied")
        try:
            told = jwt.decode(
                token,
                SECRET,
                ["HS256"],
                # The age is looked at below, by this simulator's own clock.
                options={"require": ["iss", "iat", "client_id"], "verify_iat": False, "verify_exp": False},
            )
        except jwt.InvalidTokenError:
            raise Problem(403, "jwt-verification-failed") from None
        age = self._clock() - float(told["iat"])
        if age < 0:
            raise Problem(403, "jwt-issued-in-future")
        if age > AGE_S_MAX or self._clock() >= float(told.get("exp", float("inf"))):
            raise Problem(403, "jwt-expired")
        if told["client_id"] != CLIENT:
            raise Problem(403, "permission_denied")
        return CLIENT

    def objects(self, request: Request) -> None:
        """Refuse who has not the key of the Objects API."""
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"Token {OBJECTS_KEY}"):
            raise Problem(401, "not_authenticated")

    def brp(self, request: Request) -> None:
        """Refuse who has not the key of the BRP."""
        if not hmac.compare_digest(request.headers.get("x-api-key", ""), BRP_KEY):
            raise Problem(401, "authentication")
