"""Who calls: an API key, a Google account, the console's cookie, or a ticket for one run's stream."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Protocol

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from auteryn.api.keys import ROLES, Key, Role, key_of, known
from auteryn.api.problems import Unauthenticated
from auteryn.errors import Invalid, NotAllowed
from auteryn.ports import Store
from auteryn.schema.record import Record
from auteryn.service.seal import Purpose, Seal

COOKIE = "auteryn_session"
CSRF, FOR_OWNER = "x-csrf-token", "auteryn-owner"
LONGEST_OWNER = 200
SESSION, LOGIN, TICKET = timedelta(days=7), timedelta(minutes=10), timedelta(hours=1)
"""A ticket lives longer than its stream: an `EventSource` comes back to the same address after every rotation."""


class Caller(Record):
    owner: str
    """Whose runs are seen and steered."""
    role: Role
    name: str
    """Who it is, in the journal."""
    key: str | None = None
    csrf: str | None = None
    """Of a cookie: the header must repeat it."""
    run: str | None = None
    """Of a ticket: nothing but this run's stream."""
    until: datetime | None = None

    def acting_for(self, owner: str) -> Caller:
        """The same person, with another's runs."""
        return Caller(owner=owner, role=self.role, name=self.name, key=self.key, until=self.until)


class IdTokens(Protocol):
    """Google ID tokens."""

    async def email_of(self, token: str) -> str | None:
        """The verified address of a token that was issued by Google for us and holds now; None for any other text."""
        ...


class Auth(Struct, frozen=True):
    """What opens this door."""

    store: Store
    seal: Seal
    id_tokens: IdTokens | None = None
    members: Sequence[tuple[str, Role]] = ()
    """Who may come with a Google account: pattern of the address → role; the first that fits."""
    secure: bool = True
    """The cookie travels over TLS only."""

    async def caller(self, request: Request, run: str | None, now: datetime) -> Caller:
        """Raises `Unauthenticated`, or `NotAllowed` for a cookie without its CSRF token. `run`: whose stream is asked for."""
        caller = await self._caller(request, run, now)
        if caller is None:
            raise Unauthenticated("this needs an API key (Authorization: Bearer …), a Google ID token or the console's login")
        if named := request.headers.get(FOR_OWNER):
            if caller.role != "admin":
                raise NotAllowed(f"{FOR_OWNER}: only an admin may act for another owner than {caller.owner!r}")
            if len(named) > LONGEST_OWNER:
                raise Invalid(FOR_OWNER, named, f"names no owner: it has more than {LONGEST_OWNER} characters")
            caller = caller.acting_for(named)
        return caller

    async def _caller(self, request: Request, run: str | None, now: datetime) -> Caller | None:
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        if scheme:
            return await self._bearer(credential.strip(), now) if scheme.lower() == "bearer" else None
        if run and (ticket := request.query_params.get("ticket")):
            found = await self.signed("stream", ticket, now)
            return found if found and found.run == run else None
        if cookie := request.cookies.get(COOKIE):
            found = await self.signed("session", cookie, now)
            if found and request.method not in ("GET", "HEAD"):
                _check_csrf(request, found)
            return found
        return None

    async def _bearer(self, credential: str, now: datetime) -> Caller | None:
        if key := await key_of(self.store, self.seal, credential, now):
            return of_key(key)
        email = await self.id_tokens.email_of(credential) if self.id_tokens and credential.count(".") == 2 else None
        return self._member(email.lower()) if email else None

    def _member(self, email: str) -> Caller | None:
        for pattern, role in self.members:
            if fnmatchcase(email, pattern):
                return Caller(owner=email, role=role, name=email)
        return None

    async def signed(self, purpose: Purpose, text: str, now: datetime) -> Caller | None:
        """The caller a signed text stands for; None if the text has expired, or the key it was made with no longer holds."""
        found = await self.seal.read(purpose, text, Caller)
        if found is None or found.until is None or now >= found.until:
            return None
        if found.key:
            key = await known(self.store, found.key)
            return found if key and key.holds(now) else None
        return found

    async def sign_in(self, response: Response, caller: Caller, now: datetime) -> Caller:
        """Set the console's cookie on the response."""
        session = Caller(
            owner=caller.owner,
            role=caller.role,
            name=caller.name,
            key=caller.key,
            csrf=secrets.token_urlsafe(16),
            until=now + SESSION,
        )
        value = await self.seal.sign("session", session)
        response.set_cookie(
            COOKIE, value, max_age=int(SESSION.total_seconds()), httponly=True, samesite="strict", secure=self.secure
        )
        return session


def of_key(key: Key) -> Caller:
    return Caller(owner=key.owner, role=key.role, name=key.name, key=key.id, until=key.expires_at)


def may(caller: Caller, role: Role) -> bool:
    return ROLES.index(caller.role) >= ROLES.index(role)


def members_of(text: str) -> list[tuple[str, Role]]:
    """`ann@example.com=admin,*@example.com=operator`; raises `Invalid` for anything else."""
    found = list[tuple[str, Role]]()
    for one in filter(None, (part.strip() for part in text.split(","))):
        pattern, _, word = one.partition("=")
        role: Role | None = next((role for role in ROLES if role == word.strip()), None)
        if role is None or "@" not in pattern:
            raise Invalid("AUTERYN_MEMBERS", one, f"must be ADDRESS=ROLE; roles are {', '.join(ROLES)}")
        found.append((pattern.strip().lower(), role))
    return found


async def login_token(seal: Seal, owner: str, now: datetime) -> str:
    """What `auteryn serve` puts into the link it prints: whoever has it within ten minutes is signed in as the owner."""
    return await seal.sign("login", Caller(owner=owner, role="admin", name=owner, until=now + LOGIN))


def _check_csrf(request: Request, caller: Caller) -> None:
    given = request.headers.get(CSRF, "")
    if not caller.csrf or not hmac.compare_digest(given.encode(), caller.csrf.encode()):
        raise NotAllowed(f"{CSRF}: must repeat the session's token (GET /v1/session) when something is changed by cookie")
