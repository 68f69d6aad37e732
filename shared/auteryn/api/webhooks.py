"""Routes of webhook endpoints: where programs hear of an owner's runs."""

from __future__ import annotations

from starlette.responses import Response

from auteryn.api import bodies as b
from auteryn.api import views as v
from auteryn.api.call import Call, Reply
from auteryn.service.webhooks import Tested


async def list_webhooks(call: Call[b.Empty, None]) -> v.Webhooks:
    """The owner's webhook endpoints, without their secrets."""
    return v.Webhooks(webhooks=tuple(v.webhook(one) for one in await call.desk.webhooks()))


async def add_webhook(call: Call[b.Empty, b.WebhookBody]) -> Reply:
    """Tell this address of the owner's runs: signed, type and ids only, at least once. The secret is shown this once."""
    endpoint, secret = await call.desk.add_webhook(call.body.url, call.body.types, call.body.description)
    return Reply(v.NewWebhook(webhook=v.webhook(endpoint), secret=secret), 201)


async def rotate_webhook(call: Call[b.Empty, b.Empty]) -> v.NewWebhook:
    """A new secret, shown this once; the old one signs along for a day."""
    endpoint, secret = await call.desk.rotate_webhook(call.path["webhook"])
    return v.NewWebhook(webhook=v.webhook(endpoint), secret=secret)


async def test_webhook(call: Call[b.Empty, b.Empty]) -> Tested:
    """Send a signed message that says nothing, now and once, and tell what became of it."""
    return await call.desk.test_webhook(call.path["webhook"])


async def remove_webhook(call: Call[b.Empty, None]) -> Response:
    """Nothing is sent there any more."""
    await call.desk.remove_webhook(call.path["webhook"])
    return Response(status_code=204)
