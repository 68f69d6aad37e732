"""Google ID tokens: who signed, for whom, until when. Google's keys are fetched when needed, and kept for an hour."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"
ISSUERS = ("https://accounts.google.com", "accounts.google.com")
KEPT_SECONDS = 3600.0
"""Google publishes new keys days before it signs with them."""
SKEW_SECONDS = 10

Fetch = Callable[[], Awaitable[Mapping[str, str]]]
"""Key id → certificate (PEM)."""

_log = logging.getLogger(__name__)


class GoogleIdTokens:
    """Tokens that Google issued for `audience`: an OAuth client, or the address of a service."""

    def __init__(self, audience: str, *, fetch: Fetch | None = None) -> None:
        self._audience, self._fetch = audience, fetch or _fetched
        self._known: Mapping[str, str] = {}
        self._until = 0.0
        self._fetching = asyncio.Lock()

    async def email_of(self, token: str) -> str | None:
        """The verified address; None for any text that is no such token, or no longer. Raises `Unavailable` without keys."""
        if token.count(".") != 2:
            return None
        from google.auth import jwt
        from google.auth.exceptions import GoogleAuthError

        try:
            claims: Mapping[str, Any] = jwt.decode(  # pyright: ignore[reportUnknownVariableType]
                token, await self._certificates(), audience=self._audience, clock_skew_in_seconds=SKEW_SECONDS
            )
        except (GoogleAuthError, ValueError) as error:
            _log.info("an ID token was refused: %s", error)
            return None
        trusted = claims.get("iss") in ISSUERS and claims.get("email_verified") is True
        email = claims.get("email")
        return email if trusted and isinstance(email, str) else None

    async def _certificates(self) -> Mapping[str, str]:
        async with self._fetching:
            if time.monotonic() >= self._until:
                self._known, self._until = await self._fetch(), time.monotonic() + KEPT_SECONDS
            return self._known


class LocalIdTokens:
    """Tokens of the stand-ins on this machine: the right claims and no signature. The Pub/Sub emulator sends none at all:
    who comes without is taken for it. Only for a local cloud, where everybody who could call is this machine's user."""

    def __init__(self, audience: str) -> None:
        self._audience = audience

    async def email_of(self, token: str) -> str | None:
        if not token:
            return EMULATOR
        claims = _unsigned(token)
        holds = claims.get("iss") in ISSUERS and claims.get("aud") == self._audience and claims.get("email_verified") is True
        return claims.get("email") if holds else None


EMULATOR = "pubsub-emulator@localhost"


def _unsigned(token: str) -> Mapping[str, Any]:
    try:
        _, claims, signature = token.split(".")
        raw = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
        return {} if signature else msgspec.json.decode(raw, type=dict[str, Any])
    except (ValueError, msgspec.DecodeError):
        return {}


async def _fetched() -> Mapping[str, str]:
    import httpx2

    from auteryn.errors import Unavailable

    try:
        async with httpx2.AsyncClient(timeout=10) as client:
            return (await client.get(CERTIFICATES)).raise_for_status().json()
    except (httpx2.HTTPError, ValueError) as error:
        raise Unavailable("Google's keys for ID tokens cannot be fetched") from error
