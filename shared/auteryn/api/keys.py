"""API keys: `auteryn_<id>_<secret>`. The secret is shown once; the store holds its HMAC."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec
from msgspec.structs import replace

from auteryn.errors import Invalid, NotFound
from auteryn.ports import Store
from auteryn.schema.change import Doc
from auteryn.schema.record import Record
from auteryn.service.seal import Seal

Role = Literal["viewer", "operator", "admin"]
"""viewer: reads. operator: starts and steers, too. admin: also for any owner it names."""
ROLES: tuple[Role, ...] = get_args(Role)

KIND = "key"
PREFIX = "auteryn"
LONGEST = timedelta(days=366)


class Key(Record):
    """What is known of a key. Its secret is not."""

    id: str
    name: str
    owner: str
    """Whose runs it opens."""
    role: Role
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    mac: str = ""

    def holds(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


async def issue(store: Store, now: datetime, *, name: str, owner: str, role: Role, lifetime: timedelta) -> tuple[Key, str]:
    """The new key, and its text: nobody can learn that again."""
    if not name.strip() or len(name) > 100:
        raise Invalid("name", name, "must say in at most 100 characters who uses the key")
    if not owner.strip() or len(owner) > 200 or not owner.isprintable():
        raise Invalid("owner", owner, "must name whose runs the key opens, in at most 200 characters")
    if not timedelta() < lifetime <= LONGEST:
        raise Invalid("expires", str(lifetime), "must be a span of at most 366 days")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = Key(
        id=key_id,
        name=name,
        owner=owner,
        role=role,
        created_at=now,
        expires_at=now + lifetime,
        mac=await _mac(Seal(store), key_id, secret),
    )
    await store.put(_doc(key), if_absent=True)
    return key, f"{PREFIX}_{key_id}_{secret}"


async def key_of(store: Store, seal: Seal, text: str, now: datetime) -> Key | None:
    """The key this text opens, if it is one of ours and still holds."""
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    key = await known(store, key_id) if prefix == PREFIX and len(key_id) == 12 else None
    if key is None or not key.holds(now) or not hmac.compare_digest(key.mac, await _mac(seal, key_id, secret)):
        return None
    return key


async def known(store: Store, key_id: str) -> Key | None:
    doc = await store.doc(KIND, key_id)
    return msgspec.convert(doc.body, Key) if doc else None


async def keys(store: Store) -> list[Key]:
    """Every key there ever was, oldest first."""
    return [msgspec.convert(doc.body, Key) for doc in await store.docs(KIND, KIND)]


async def revoke(store: Store, key_id: str, now: datetime) -> Key:
    """From now on the key opens nothing. A repeat changes nothing."""
    key = await known(store, key_id)
    if key is None:
        raise NotFound(f"there is no key {key_id!r}; `auteryn keys ls` lists them")
    if key.revoked_at is None:
        key = replace(key, revoked_at=now)
        await store.put(_doc(key))
    return key


def _doc(key: Key) -> Doc:
    return Doc(kind=KIND, id=key.id, scope=KIND, body=msgspec.to_builtins(key), at=key.created_at)


async def _mac(seal: Seal, key_id: str, secret: str) -> str:
    return (await seal.mac("key", f"{key_id}.{secret}")).hex()
