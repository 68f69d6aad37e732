"""An owner's webhook endpoints: where programs hear of all their runs. A secret is shown once, when it is made."""

from __future__ import annotations

import base64
import secrets
from typing import Any, get_args

import msgspec

from auteryn.errors import Invalid, NotFound, Retryable, ToolFailed
from auteryn.runtime.outbox import stored_endpoints
from auteryn.schema.change import Doc
from auteryn.schema.post import ENDPOINT, ROTATED, Endpoint, EventType, Secret
from auteryn.schema.record import Record, new_id
from auteryn.service.access import Access
from auteryn.tools.egress import host_and_port
from auteryn.tools.egress_addresses import literal

MOST = 20


async def endpoints(access: Access) -> list[Endpoint]:
    """Oldest first."""
    return list(await stored_endpoints(access.services.store, access.owner))


async def add(access: Access, url: str, types: tuple[str, ...] = (), description: str = "") -> tuple[Endpoint, str]:
    """The new endpoint and its secret, which nobody can learn again; raises `Invalid` for an address the guard would not let
    pass, and for types that do not exist."""
    for one in types:
        if one not in get_args(EventType):
            raise Invalid("types", one, f"is none of {', '.join(get_args(EventType))}")
    if len(description) > 200:
        raise Invalid("description", description, "has more than 200 characters")
    try:
        host, port = host_and_port(access.engine.egress.checked(url))
        if literal(host):  # a name is judged whenever it is looked up
            await access.engine.egress.addresses(host, port)
    except ToolFailed as error:
        raise Invalid("url", url, f"cannot be told anything: {error}") from error
    if len(await endpoints(access)) >= MOST:
        raise Invalid("url", url, f"would be more than {MOST} endpoints: remove one first")
    secret = _secret()
    kinds = tuple(kind for kind in get_args(EventType) if kind in types)
    endpoint = Endpoint(
        id=new_id("hook"),
        owner=access.owner,
        url=url,
        types=kinds,
        secrets=(Secret(text=secret),),
        created_at=access.now(),
        description=description,
    )
    body = msgspec.to_builtins(endpoint)
    await access.services.store.put(Doc(kind=ENDPOINT, id=endpoint.id, scope=access.owner, body=body, at=endpoint.created_at))
    access.engine.endpoints.pop(access.owner, None)
    return endpoint, secret


async def rotate(access: Access, endpoint_id: str) -> tuple[Endpoint, str]:
    """A new secret. The old one signs along for a day, so that no message is refused in between; of two who rotate at the same
    time, both are given one that signs."""
    await _endpoint(access, endpoint_id)
    store, secret = access.services.store, _secret()
    await store.put(Doc(kind=ROTATED, id=new_id("secret"), scope=endpoint_id, body=secret, at=access.now()))
    access.engine.endpoints.pop(access.owner, None)
    try:
        return await _endpoint(access, endpoint_id), secret
    except NotFound:  # removed meanwhile
        await _drop_secrets(access, endpoint_id)
        raise


async def remove(access: Access, endpoint_id: str) -> None:
    """Send nothing there any more, not even what is on its way."""
    await _endpoint(access, endpoint_id)
    await access.services.store.drop(ENDPOINT, endpoint_id)
    await _drop_secrets(access, endpoint_id)
    access.engine.endpoints.pop(access.owner, None)


class Tested(Record):
    """What became of a message that was sent to see whether it arrives."""

    delivered: bool
    detail: str
    """Why not, if not."""


async def test(access: Access, endpoint_id: str) -> Tested:
    """A signed `webhook.test` goes there now, once; it belongs to no run."""
    from auteryn.service.notify import send_signed  # brings the senders: nothing that every start should pay for

    endpoint, now = await _endpoint(access, endpoint_id), access.now()
    message = new_id("post")
    body: dict[str, Any] = {"type": "webhook.test", "id": message, "timestamp": now.isoformat(), "data": {}}
    try:
        await send_signed(access.engine, endpoint, message, body)
    except (ToolFailed, Retryable) as error:
        return Tested(delivered=False, detail=str(error))
    return Tested(delivered=True, detail="")


async def _endpoint(access: Access, endpoint_id: str) -> Endpoint:
    found = next((one for one in await endpoints(access) if one.id == endpoint_id), None)
    if found is None:
        raise NotFound(f"no webhook {endpoint_id!r}")
    return found


async def _drop_secrets(access: Access, endpoint_id: str) -> None:
    for doc in await access.services.store.docs(ROTATED, endpoint_id):
        await access.services.store.drop(ROTATED, doc.id)


def _secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
