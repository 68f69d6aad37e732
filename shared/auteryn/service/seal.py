"""Signed texts: what this server gives out and takes back unchanged. The secret lies in the store and outlives every
process."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Literal, TypeVar

from auteryn.errors import Corrupt
from auteryn.ports import Store
from auteryn.schema.change import Doc
from auteryn.schema.record import Record, from_json, to_json

R = TypeVar("R", bound=Record)
Purpose = Literal["session", "stream", "login", "key", "answer"]

KIND, NAME = "door", "secret"


class Seal:
    """Signs with one secret, made once for a store and never leaving it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._secret: bytes | None = None

    async def sign(self, purpose: Purpose, claims: Record) -> str:
        payload = _text(to_json(claims))
        return f"{payload}.{_text(await self.mac(purpose, payload))}"

    async def read(self, purpose: Purpose, signed: str, shape: type[R]) -> R | None:
        """The claims, or None for what was not signed here for this purpose. Whether they still hold is for the reader."""
        payload, _, mac = signed.partition(".")
        if not hmac.compare_digest(mac.encode(), _text(await self.mac(purpose, payload)).encode()):
            return None
        try:
            return from_json(_bytes(payload), shape, where=f"a {purpose}")
        except (Corrupt, ValueError):
            return None  # signed by another release

    async def mac(self, purpose: Purpose, text: str) -> bytes:
        if self._secret is None:
            self._secret = await self._load()
        return hmac.digest(self._secret, f"{purpose}.{text}".encode(), hashlib.sha256)

    async def _load(self) -> bytes:
        new = Doc(kind=KIND, id=NAME, scope=KIND, body=secrets.token_hex(32), at=datetime.now(UTC))
        await self._store.put(new, if_absent=True)
        doc = await self._store.doc(KIND, NAME)
        assert doc, "it was put just now"
        return bytes.fromhex(doc.body)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
